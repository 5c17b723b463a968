/* Bytes -> json_parse(): what the strict dialect accepts, the other one accepts too; and it is the
 * same again after it was printed. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "fuzz.h"
#include "json.h"
#include "json_write.h"

#include "banned.h"

/* Numbers are written as text that gives the same double again. */
static void write_node(struct json_writer *writer, const cJSON *node)
{
    char number[32];

    if (cJSON_IsObject(node) || cJSON_IsArray(node)) {
        void (*begin)(struct json_writer *, const char *) =
                cJSON_IsObject(node) ? json_write_object : json_write_list;

        begin(writer, node->string);
        for (const cJSON *child = node->child; child != NULL; child = child->next)
            write_node(writer, child);
        if (cJSON_IsObject(node))
            json_write_object_end(writer);
        else
            json_write_list_end(writer);
    } else if (cJSON_IsString(node)) {
        json_write_string(writer, node->string, node->valuestring);
    } else if (cJSON_IsNumber(node)) {
        (void)snprintf(number, sizeof number, "%.17g", node->valuedouble);
        json_write_raw(writer, node->string, strstr(number, "inf") != NULL ? "1e999" : number);
    } else if (cJSON_IsBool(node)) {
        json_write_bool(writer, node->string, cJSON_IsTrue(node));
    } else {
        json_write_null(writer, node->string);
    }
}

static void check_again(const struct json_document *document, bool pretty)
{
    struct buffer out = { 0 };
    struct json_writer writer = { .out = &out, .pretty = pretty };
    struct json_document again;
    struct json_faults faults = { 0 };

    write_node(&writer, document->root);
    REQUIRE(json_parse(out.data, out.length, JSON_STRICT, &again, &faults) == 0);
    REQUIRE(again.place_count == document->place_count);
    /* cJSON_Compare() calls an infinite number unequal to itself, so the text is compared. */
    {
        struct buffer second = { 0 };
        struct json_writer second_writer = { .out = &second, .pretty = pretty };

        write_node(&second_writer, again.root);
        REQUIRE(strcmp(buffer_text(&out), buffer_text(&second)) == 0);
        buffer_free(&second);
    }
    json_document_free(&again);
    buffer_free(&out);
}

static bool parses(const uint8_t *bytes, size_t size, enum json_dialect dialect)
{
    struct json_document document;
    struct json_faults faults = { 0 };
    bool good = json_parse((const char *)bytes, size, dialect, &document, &faults) == 0;

    REQUIRE(good == (faults.count == 0));
    if (good) {
        for (size_t i = 0; i < document.place_count; i++)
            REQUIRE(document.places[i].key_at <= document.places[i].value_at &&
                    document.places[i].value_at < size &&
                    (i == 0 || document.places[i - 1].value_at < document.places[i].value_at));
        check_again(&document, dialect == JSON_STRICT);
        json_document_free(&document);
    }
    for (size_t i = 0; i < faults.count; i++)
        REQUIRE(faults.list[i].line + faults.list[i].column <= size + 2);
    json_faults_free(&faults);
    return good;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    bool strict = parses(bytes, size, JSON_STRICT);
    bool with_comments = parses(bytes, size, JSON_WITH_COMMENTS);

    REQUIRE(!strict || with_comments);
    return 0;
}
