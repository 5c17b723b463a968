#include "unit.h"

#include "json.h"
#include "json_write.h"
#include "str.h"

#include "banned.h"

static void write_everything(struct json_writer *writer)
{
    json_write_object(writer, NULL);
    json_write_string(writer, "s", "a");
    json_write_string(writer, "none", NULL);
    json_write_int(writer, "i", INT64_MIN);
    json_write_bool(writer, "yes", true);
    json_write_bool(writer, "no", false);
    json_write_list(writer, "l");
    json_write_int(writer, NULL, 1);
    json_write_list(writer, NULL);
    json_write_list_end(writer);
    json_write_object(writer, NULL);
    json_write_object_end(writer);
    json_write_raw(writer, NULL, "[2]");
    json_write_list_end(writer);
    json_write_object(writer, "o");
    json_write_null(writer, "x");
    json_write_object_end(writer);
    json_write_object_end(writer);
}

static void writes_one_line(void **state)
{
    struct buffer out = { 0 };
    struct json_writer writer = { .out = &out };

    write_everything(&writer);
    assert_string_equal(buffer_text(&out),
            "{\"s\":\"a\",\"none\":null,\"i\":-9223372036854775808,\"yes\":true,\"no\":false,"
            "\"l\":[1,[],{},[2]],\"o\":{\"x\":null}}");
    buffer_free(&out);
}

static void writes_for_people(void **state)
{
    struct buffer out = { 0 };
    struct json_writer writer = { .out = &out, .pretty = true };

    write_everything(&writer);
    assert_string_equal(buffer_text(&out),
            "{\n"
            "  \"s\": \"a\",\n"
            "  \"none\": null,\n"
            "  \"i\": -9223372036854775808,\n"
            "  \"yes\": true,\n"
            "  \"no\": false,\n"
            "  \"l\": [\n"
            "    1,\n"
            "    [],\n"
            "    {},\n"
            "    [2]\n"
            "  ],\n"
            "  \"o\": {\n"
            "    \"x\": null\n"
            "  }\n"
            "}");
    buffer_free(&out);
}

static void escapes_text(void **state)
{
    static const struct {
        const char *text;
        const char *json;
    } rows[] = {
        { "", "\"\"" },
        { "a/b", "\"a/b\"" },
        { "\"\\", "\"\\\"\\\\\"" },
        { "\n\t\r\b\f\x01\x1F\x7F", "\"\\n\\t\\u000d\\u0008\\u000c\\u0001\\u001f\\u007f\"" },
        { "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80", "\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\"" },
        /* Each byte that is not UTF-8 becomes U+FFFD, and no byte more. */
        { "\xFF", "\"\xEF\xBF\xBD\"" },
        { "a\x80z", "\"a\xEF\xBF\xBDz\"" },
        { "\xC3\xA9\x80", "\"\xC3\xA9\xEF\xBF\xBD\"" },
        { "\xE2\x82\xAC\x80", "\"\xE2\x82\xAC\xEF\xBF\xBD\"" },
        { "\xE2\x82", "\"\xEF\xBF\xBD\xEF\xBF\xBD\"" },
        { "\xC3(", "\"\xEF\xBF\xBD(\"" },
        { "\xED\xA0\x80", "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"" },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buffer out = { 0 };
        struct json_writer writer = { .out = &out };

        json_write_string(&writer, NULL, rows[i].text);
        CHECK_TEXT(rows[i].json, buffer_text(&out), rows[i].json);
        buffer_free(&out);
    }
}

static void writes_bytes_with_nul(void **state)
{
    struct buffer out = { 0 };
    struct json_writer writer = { .out = &out };

    json_write_bytes(&writer, NULL, "a\0b", 3);
    assert_string_equal(buffer_text(&out), "\"a\\u0000b\"");
    buffer_free(&out);
}

static void writes_thousandths(void **state)
{
    static const struct {
        int64_t value;
        const char *json;
    } rows[] = {
        { 0, "0" },
        { 1, "0.001" },
        { 10, "0.01" },
        { 100, "0.1" },
        { 1000, "1" },
        { 1500, "1.5" },
        { 12345, "12.345" },
        { -1, "-0.001" },
        { -1500, "-1.5" },
        { -2000, "-2" },
        { INT64_MAX, "9223372036854775.807" },
        { INT64_MIN, "-9223372036854775.808" },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buffer out = { 0 };
        struct json_writer writer = { .out = &out };

        json_write_thousandths(&writer, NULL, rows[i].value);
        CHECK_TEXT(rows[i].json, buffer_text(&out), rows[i].json);
        buffer_free(&out);
    }
}

/* Whatever bytes go in, strict JSON comes out, and valid text comes back as it was. */
static void what_is_written_can_be_read(void **state)
{
    uint32_t random = 1;

    for (int round = 0; round < 2000; round++) {
        char text[24];
        size_t length;
        struct buffer out = { 0 };
        struct json_writer writer = { .out = &out, .pretty = round % 2 == 0 };
        struct json_document document;
        struct json_faults faults = { 0 };

        for (length = 0; length < sizeof text - 1; length++) {
            random = random * 1103515245 + 12345;
            /* Bytes over 0, with many that begin or continue a character. */
            text[length] = (char)(1 + (random >> 16) % 255);
        }
        text[length] = '\0';
        json_write_object(&writer, NULL);
        json_write_string(&writer, text, text);
        json_write_object_end(&writer);
        assert_int_equal(json_parse(out.data, out.length, JSON_STRICT, &document, &faults), 0);
        if (str_is_utf8(text, length)) {
            assert_string_equal(document.root->child->string, text);
            assert_string_equal(document.root->child->valuestring, text);
        }
        json_document_free(&document);
        buffer_free(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_one_line),
        cmocka_unit_test(writes_for_people),
        cmocka_unit_test(escapes_text),
        cmocka_unit_test(writes_bytes_with_nul),
        cmocka_unit_test(writes_thousandths),
        cmocka_unit_test(what_is_written_can_be_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
