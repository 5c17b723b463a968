#include "json.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json_scan.h"
#include "str.h"

#include "banned.h"

static bool begins_with_mark(const char *text, size_t length)
{
    return length >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0;
}

static void add_fault(const char *text, size_t length, size_t at, struct json_faults *faults,
        const char *format, va_list arguments) ERR_PRINTF(5, 0);

static void add_fault(const char *text, size_t length, size_t at, struct json_faults *faults,
        const char *format, va_list arguments)
{
    struct json_fault *list;
    struct json_fault *fault;
    char whole[2 * JSON_FAULT_TEXT_BYTES];

    if (faults->count >= JSON_FAULTS_MAX) {
        faults->dropped++;
        return;
    }
    list = realloc(faults->list, (faults->count + 1) * sizeof *list);
    if (list == NULL) {
        faults->dropped++;
        return;
    }
    faults->list = list;
    fault = &list[faults->count++];
    fault->line = 1;
    fault->column = 1;
    /* A byte order mark takes no column on the screen. */
    for (size_t i = begins_with_mark(text, length) ? 3 : 0; i < at && i < length; i++) {
        if (text[i] == '\n') {
            fault->line++;
            fault->column = 1;
        } else if (((unsigned char)text[i] & 0xC0u) != 0x80u) {
            fault->column++;
        }
    }
    (void)vsnprintf(whole, sizeof whole, format, arguments);
    str_shorten(fault->text, sizeof fault->text, whole);
}

void json_fault_at(const char *text, size_t length, size_t at, struct json_faults *faults,
        const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    add_fault(text, length, at, faults, format, arguments);
    va_end(arguments);
}

void json_scan_fault(struct json_scan *scan, size_t at, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    add_fault(scan->text, scan->length, at, scan->faults, format, arguments);
    va_end(arguments);
}

static const struct json_place *place_of(const struct json_document *document, const cJSON *item)
{
    /* valueint is ours: numbers are read from valuedouble, since cJSON clamps valueint. */
    return &document->places[(size_t)item->valueint];
}

void json_fault_at_value(const struct json_document *document, const cJSON *item,
        struct json_faults *faults, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    add_fault(document->text, document->length, place_of(document, item)->value_at, faults, format,
            arguments);
    va_end(arguments);
}

void json_fault_at_key(const struct json_document *document, const cJSON *item,
        struct json_faults *faults, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    add_fault(document->text, document->length, place_of(document, item)->key_at, faults, format,
            arguments);
    va_end(arguments);
}

static int compare_faults(const void *a, const void *b)
{
    const struct json_fault *left = a;
    const struct json_fault *right = b;

    if (left->line != right->line)
        return left->line < right->line ? -1 : 1;
    if (left->column != right->column)
        return left->column < right->column ? -1 : 1;
    return strcmp(left->text, right->text);
}

void json_faults_sort(struct json_faults *faults)
{
    if (faults->count > 1)
        qsort(faults->list, faults->count, sizeof *faults->list, compare_faults);
}

void json_faults_free(struct json_faults *faults)
{
    free(faults->list);
    *faults = (struct json_faults) { 0 };
}

/* Gives every node its place.  The scan and this walk meet the values in the same order. */
static void number_nodes(cJSON *node, int *next)
{
    for (; node != NULL; node = node->next) {
        node->valueint = (*next)++;
        number_nodes(node->child, next);
    }
}

static int compare_members(const void *a, const void *b)
{
    const cJSON *left = *(const cJSON *const *)a;
    const cJSON *right = *(const cJSON *const *)b;
    int order = strcmp(left->string, right->string);

    if (order != 0)
        return order;
    return left->valueint < right->valueint ? -1 : 1;
}

static int find_duplicates(
        const struct json_document *document, const cJSON *object, struct json_faults *faults)
{
    int count = cJSON_GetArraySize(object);
    const cJSON **members;
    const cJSON *member = object->child;
    char shown[JSON_SHOWN_BYTES];

    if (count < 2)
        return 0;
    members = malloc((size_t)count * sizeof(const cJSON *));
    if (members == NULL)
        return -1;
    for (int i = 0; i < count; i++, member = member->next)
        members[i] = member;
    qsort(members, (size_t)count, sizeof(const cJSON *), compare_members);
    for (int i = 1; i < count; i++)
        if (strcmp(members[i - 1]->string, members[i]->string) == 0) {
            str_shorten(shown, sizeof shown, members[i]->string);
            json_fault_at_key(
                    document, members[i], faults, "duplicate key \"%s\": keep one of them", shown);
        }
    free(members);
    return 0;
}

static int check_members(
        const struct json_document *document, const cJSON *node, struct json_faults *faults)
{
    for (; node != NULL; node = node->next) {
        if (cJSON_IsObject(node) && find_duplicates(document, node, faults) == -1)
            return -1;
        if (check_members(document, node->child, faults) == -1)
            return -1;
    }
    return 0;
}

int json_parse_unchecked(const char *text, size_t length, enum json_dialect dialect,
        struct json_document *ret_document, struct json_faults *faults)
{
    struct json_document document = { .text = text, .length = length };
    struct json_scan scan = {
        .text = text, .length = length, .dialect = dialect, .faults = faults
    };
    int next = 0;
    int result = -1;

    if (json_scan_run(&scan) == -1)
        goto out;
    document.places = scan.places;
    document.place_count = scan.place_count;
    scan.places = NULL;
    document.root = cJSON_ParseWithLengthOpts(scan.clean, length + 1, NULL, 1);
    if (document.root == NULL) {
        json_scan_fault(&scan, 0, "cannot be read: out of memory");
        goto out;
    }
    number_nodes(document.root, &next);
    *ret_document = document;
    result = 0;
out:
    free(scan.clean);
    free(scan.places);
    if (result == -1)
        free(document.places);
    return result;
}

int json_check_keys(const struct json_document *document, struct json_faults *faults)
{
    size_t faults_before = faults->count + faults->dropped;

    if (check_members(document, document->root, faults) == -1)
        json_fault_at(document->text, document->length, 0, faults, "%s",
                "cannot be checked: out of memory");
    return faults->count + faults->dropped == faults_before ? 0 : -1;
}

int json_parse(const char *text, size_t length, enum json_dialect dialect,
        struct json_document *ret_document, struct json_faults *faults)
{
    struct json_document document;

    if (json_parse_unchecked(text, length, dialect, &document, faults) == -1)
        return -1;
    if (json_check_keys(&document, faults) == -1) {
        json_document_free(&document);
        return -1;
    }
    *ret_document = document;
    return 0;
}

void json_document_free(struct json_document *document)
{
    cJSON_Delete(document->root);
    free(document->places);
    *document = (struct json_document) { 0 };
}

const cJSON *json_member(const cJSON *object, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

bool json_whole_number(const cJSON *item, double min, double max, double *ret_value)
{
    double value = cJSON_IsNumber(item) ? item->valuedouble : NAN;

    if (!(value >= min && value <= max) || floor(value) != value ||
            fabs(value) > 9007199254740992.0)
        return false;
    *ret_value = value;
    return true;
}

const char *json_type_name(const cJSON *item)
{
    if (cJSON_IsBool(item))
        return cJSON_IsTrue(item) ? "true" : "false";
    if (cJSON_IsNull(item))
        return "null";
    if (cJSON_IsNumber(item))
        return "a number";
    if (cJSON_IsString(item))
        return "a string";
    if (cJSON_IsArray(item))
        return "a list";
    return "an object";
}
