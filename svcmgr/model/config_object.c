/* Reads objects by the rows of the table, and says what is wrong in them. */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "config_read.h"
#include "str.h"

#include "banned.h"

void *config_take(struct config_reader *reader, size_t size)
{
    void *memory = arena_take(&reader->config->arena, size);

    if (memory == NULL)
        reader->no_memory = true;
    return memory;
}

const char *config_copy(struct config_reader *reader, const char *text)
{
    char *copy = config_take(reader, strlen(text) + 1);

    if (copy == NULL)
        return "";
    memcpy(copy, text, strlen(text) + 1);
    return copy;
}

void config_fault(
        struct config_reader *reader, const cJSON *item, const char *path, const char *format, ...)
{
    char sentence[JSON_FAULT_TEXT_BYTES];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    json_fault_at_value(reader->document, item, reader->faults, "%s: %s", path, sentence);
}

void config_show(const cJSON *item, char *ret_text, size_t size)
{
    char shown[JSON_SHOWN_BYTES];

    if (cJSON_IsString(item)) {
        str_shorten(shown, sizeof shown, item->valuestring);
        (void)str_format(ret_text, size, "\"%s\"", shown);
    } else if (cJSON_IsNumber(item)) {
        (void)str_format(ret_text, size, "%.15g", item->valuedouble);
    } else {
        (void)str_format(ret_text, size, "%s", json_type_name(item));
    }
}

void config_fault_wanted(
        struct config_reader *reader, const cJSON *item, const char *path, const char *wanted)
{
    char shown[JSON_SHOWN_BYTES + 2];

    config_show(item, shown, sizeof shown);
    config_fault(reader, item, path, "must be %s, not %s", wanted, shown);
}

void config_fault_quote(struct config_reader *reader, const cJSON *item, const char *path)
{
    char shown[JSON_SHOWN_BYTES + 2];

    config_show(item, shown, sizeof shown);
    if (cJSON_IsNumber(item) || cJSON_IsBool(item))
        config_fault(reader, item, path, "must be a string; write \"%s\" with its quotes", shown);
    else
        config_fault(reader, item, path, "must be a string, not %s", shown);
}

static void fault_value(
        struct config_reader *reader, const struct config_field *field, const cJSON *item)
{
    const struct config_type *type = field->type;
    char range[CONFIG_RANGE_BYTES] = "";
    char shown[JSON_SHOWN_BYTES + 2];
    char advice[JSON_SHOWN_BYTES] = "";
    const char *nearest = NULL;
    size_t count = 0;

    if (type->range != NULL)
        type->range(field, range, sizeof range);
    while (field->words != NULL && field->words[count] != NULL)
        count++;
    if (cJSON_IsString(item))
        nearest = str_nearest(item->valuestring, field->words, count);
    if (nearest != NULL)
        (void)str_format(advice, sizeof advice, "; did you mean \"%s\"?", nearest);
    config_show(item, shown, sizeof shown);
    config_fault(reader, item, field->path, "must be %s%s%s, not %s%s%s%s%s", type->kind,
            range[0] == '\0' ? "" : " ", range, shown, type->hint == NULL ? "" : " (",
            type->hint == NULL ? "" : type->hint, type->hint == NULL ? "" : ")", advice);
}

/* Reads one value by its row into the struct at target. */
static void read_value(struct config_reader *reader, const struct config_field *field,
        const cJSON *item, void *target)
{
    const struct config_type *type = field->type;
    void *value = (char *)target + field->offset;
    bool good = false;

    if (type->read != NULL) {
        type->read(reader, field, item, value);
        return;
    }
    if (cJSON_IsString(item) && type->from_text != NULL)
        good = type->from_text(reader, field, item->valuestring, value);
    else if (cJSON_IsNumber(item) && type->from_number != NULL)
        good = type->from_number(field, item->valuedouble, value);
    else if (cJSON_IsBool(item) && type->from_flag != NULL)
        good = type->from_flag(cJSON_IsTrue(item), value);
    if (!good)
        fault_value(reader, field, item);
}

/* The part of a row's path behind 'path', if it is a key of that very object; else NULL. */
static const char *key_in(const struct config_field *field, const char *path)
{
    size_t length = strlen(path);
    const char *key = field->path;

    if (length > 0) {
        if (strncmp(key, path, length) != 0 || key[length] != '.')
            return NULL;
        key += length + 1;
    }
    return strchr(key, '.') == NULL ? key : NULL;
}

/* The row of a key in the object at path; NULL if there is none. */
static const struct config_field *find_field(const char *path, const char *key)
{
    for (size_t i = 0; i < config_field_count; i++) {
        const char *found = key_in(&config_fields[i], path);

        if (found != NULL && strcmp(found, key) == 0)
            return &config_fields[i];
    }
    return NULL;
}

static void fault_unknown_key(struct config_reader *reader, const cJSON *item, const char *path)
{
    const char *keys[CONFIG_FIELDS_MAX];
    size_t count = 0;
    const char *nearest;
    char shown[JSON_SHOWN_BYTES];

    for (size_t i = 0; i < config_field_count; i++)
        if (key_in(&config_fields[i], path) != NULL)
            keys[count++] = key_in(&config_fields[i], path);
    /* A fault that is only counted needs no remedy: a file may have a hundred thousand. */
    nearest =
            reader->faults->count < JSON_FAULTS_MAX ? str_nearest(item->string, keys, count) : NULL;
    str_shorten(shown, sizeof shown, item->string);
    if (nearest != NULL)
        json_fault_at_key(reader->document, item, reader->faults,
                "unknown key \"%s\"; did you mean \"%s\"?", shown, nearest);
    else
        json_fault_at_key(reader->document, item, reader->faults, "unknown key \"%s\"%s%s", shown,
                path[0] == '\0' ? "" : " in ", path);
}

size_t config_fault_count(const struct config_reader *reader)
{
    return reader->faults->count + reader->faults->dropped;
}

void config_read_object(
        struct config_reader *reader, const cJSON *object, const char *path, void *target)
{
    for (const cJSON *item = object->child; item != NULL; item = item->next) {
        const struct config_field *field = find_field(path, item->string);
        size_t faults_before = config_fault_count(reader);

        if (field == NULL) {
            fault_unknown_key(reader, item, path);
            continue;
        }
        read_value(reader, field, item, target);
        if (config_fault_count(reader) != faults_before)
            reader->faulty[field - config_fields] = true;
    }
}

static void read_object(struct config_reader *reader, const struct config_field *field,
        const cJSON *item, void *ret_value)
{
    if (!cJSON_IsObject(item))
        config_fault_wanted(reader, item, field->path, field->type->kind);
    else
        config_read_object(reader, item, field->path, ret_value);
}

const struct config_type config_type_object = {
    .kind = "an object in braces",
    .read = read_object,
};

/* A default is read as its value would be; it is written as people write it. */
static void apply_default(
        struct config_reader *reader, const struct config_field *field, void *target)
{
    cJSON item = { .type = cJSON_String };
    char text[CONFIG_RANGE_BYTES];
    uint64_t number = 0;
    size_t faults_before = config_fault_count(reader);

    (void)str_format(text, sizeof text, "%s", field->fallback);
    item.valuestring = text;
    if (field->type->from_flag != NULL && field->type->from_text == NULL) {
        item.type = strcmp(text, "true") == 0 ? cJSON_True : cJSON_False;
    } else if (field->type->from_text == NULL) {
        item.type = str_to_uint(text, UINT32_MAX, &number) ? cJSON_Number : cJSON_Invalid;
        item.valuedouble = (double)number;
    }
    read_value(reader, field, &item, target);
    assert(config_fault_count(reader) == faults_before);
    (void)faults_before;
}

void config_apply_defaults(struct config_reader *reader, const char *path, void *target)
{
    for (size_t i = 0; i < config_field_count; i++) {
        const struct config_field *field = &config_fields[i];

        if (key_in(field, path) == NULL)
            continue;
        if (field->type == &config_type_object)
            config_apply_defaults(reader, field->path, target);
        else if (field->fallback != NULL && !field->computed)
            apply_default(reader, field, target);
    }
}

const cJSON *config_item(const struct config_reader *reader, const char *path)
{
    char object[JSON_SHOWN_BYTES];
    const char *dot = strchr(path, '.');

    if (dot == NULL)
        return json_member(reader->document->root, path);
    (void)str_format(object, sizeof object, "%.*s", (int)(dot - path), path);
    return json_member(json_member(reader->document->root, object), dot + 1);
}

bool config_is_faulty(const struct config_reader *reader, const char *path)
{
    for (size_t i = 0; i < config_field_count; i++)
        if (strcmp(config_fields[i].path, path) == 0)
            return reader->faulty[i];
    return false;
}
