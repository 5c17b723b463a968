#include "unit.h"

#include "marker.h"

#include "banned.h"

#define TOKEN "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1eff"

static void comes_back_as_it_was_written(void **state)
{
    struct marker marker = { .port = 65535 };
    struct marker read = { .port = 0 };
    struct buffer text = { 0 };

    for (size_t i = 0; i < sizeof marker.token; i++)
        marker.token[i] = (uint8_t)(i < 31 ? i : 0xff);
    marker_format(&marker, &text);
    assert_string_equal(buffer_text(&text), "{\"port\":65535,\"token\":\"" TOKEN "\"}\n");
    assert_true(marker_parse(text.data, text.length, &read));
    assert_int_equal(read.port, marker.port);
    assert_memory_equal(read.token, marker.token, sizeof read.token);
    /* Half-written, it is none: no part of it but the whole, with or without its newline. */
    for (size_t length = 0; length < text.length - 1; length++)
        assert_false(marker_parse(text.data, length, &read));
    buffer_free(&text);
}

static void anything_else_is_none(void **state)
{
    static const struct {
        const char *text;
        bool good;
    } rows[] = {
        { "{\"port\":1,\"token\":\"" TOKEN "\"}", true },
        { " {\"later\":[1], \"token\":\"" TOKEN "\", \"port\":1}\n\n", true },
        { "", false },
        { "\n", false },
        { "{}", false },
        { "[]", false },
        { "null", false },
        { "8787", false },
        { "{\"port\":0,\"token\":\"" TOKEN "\"}", false },
        { "{\"port\":-1,\"token\":\"" TOKEN "\"}", false },
        { "{\"port\":65536,\"token\":\"" TOKEN "\"}", false },
        { "{\"port\":1.5,\"token\":\"" TOKEN "\"}", false },
        { "{\"port\":\"1\",\"token\":\"" TOKEN "\"}", false },
        { "{\"port\":true,\"token\":\"" TOKEN "\"}", false },
        { "{\"port\":1}", false },
        { "{\"token\":\"" TOKEN "\"}", false },
        { "{\"port\":1,\"token\":null}", false },
        { "{\"port\":1,\"token\":7}", false },
        { "{\"port\":1,\"token\":[\"" TOKEN "\"]}", false },
        { "{\"port\":1,\"token\":\"\"}", false },
        { "{\"port\":1,\"token\":\"00" TOKEN "\"}", false },
        { "{\"port\":1,\"token\":\"g00102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1eff"
          "\"}",
                false },
        { "{\"port\":1,\"port\":2,\"token\":\"" TOKEN "\"}", false },
        { "{\"port\":1,\"token\":\"" TOKEN "\"} {}", false },
        { "\xef\xbb\xbf{\"port\":1,\"token\":\"" TOKEN "\"}", false },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct marker marker = { .port = 7 };
        bool good = marker_parse(rows[i].text, strlen(rows[i].text), &marker);

        CHECK_INT(rows[i].text, good, rows[i].good);
        CHECK_INT(rows[i].text, marker.port, rows[i].good ? 1 : 7);
    }
}

static void a_large_one_is_none(void **state)
{
    static char text[MARKER_MAX_BYTES + 2];
    const char *whole = "{\"port\":1,\"token\":\"" TOKEN "\"}";
    struct marker marker;

    memset(text, ' ', sizeof text);
    memcpy(text, whole, strlen(whole));
    assert_true(marker_parse(text, MARKER_MAX_BYTES, &marker));
    assert_false(marker_parse(text, MARKER_MAX_BYTES + 1, &marker));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_back_as_it_was_written),
        cmocka_unit_test(anything_else_is_none),
        cmocka_unit_test(a_large_one_is_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
