#include "unit.h"

#include "base64.h"

#include "banned.h"

/* RFC 4648, section 10. */
static const struct {
    const char *bytes;
    const char *text;
} vectors[] = {
    { "", "" },
    { "f", "Zg==" },
    { "fo", "Zm8=" },
    { "foo", "Zm9v" },
    { "foob", "Zm9vYg==" },
    { "fooba", "Zm9vYmE=" },
    { "foobar", "Zm9vYmFy" },
};

static void has_the_rfc_s_vectors(void **state)
{
    for (size_t i = 0; i < COUNT_OF(vectors); i++) {
        struct buffer text = { 0 };
        struct buffer bytes = { 0 };
        struct err err;

        base64_encode(vectors[i].bytes, strlen(vectors[i].bytes), &text);
        CHECK_TEXT(vectors[i].bytes, buffer_text(&text), vectors[i].text);
        CHECK(vectors[i].text,
                base64_decode(vectors[i].text, strlen(vectors[i].text), &bytes, &err) == 0);
        CHECK_TEXT(vectors[i].text, buffer_text(&bytes), vectors[i].bytes);
        buffer_free(&text);
        buffer_free(&bytes);
    }
}

static void gives_every_byte_back(void **state)
{
    unsigned char all[256 + 2];

    for (size_t i = 0; i < sizeof all; i++)
        all[i] = (unsigned char)(255 - i);
    for (size_t length = 0; length <= sizeof all; length++) {
        struct buffer text = { 0 };
        struct buffer bytes = { 0 };
        struct err err;

        base64_encode(all, length, &text);
        assert_int_equal(text.length, (length + 2) / 3 * 4);
        assert_int_equal(base64_decode(buffer_text(&text), text.length, &bytes, &err), 0);
        assert_int_equal(bytes.length, length);
        assert_true(length == 0 || memcmp(bytes.data, all, length) == 0);
        buffer_free(&text);
        buffer_free(&bytes);
    }
}

static void refuses_everything_else(void **state)
{
    static const struct {
        const char *text;
        const char *reason;
    } rows[] = {
        { "Z", "its length is not a multiple of 4" },
        { "Zg", "its length is not a multiple of 4" },
        { "Zm9vY", "its length is not a multiple of 4" },
        { "====", "invalid byte at offset 0" },
        { "Z===", "invalid byte at offset 1" },
        { "Zg=a", "invalid byte at offset 2" },
        { "Zg==Zg==", "invalid byte at offset 2" },
        { "Zm9 ", "invalid byte at offset 3" },
        { "Zm9\n", "invalid byte at offset 3" },
        { "Zm9-", "invalid byte at offset 3" },
        { "Zm9_", "invalid byte at offset 3" },
        { "\xc3\xa9Zm", "invalid byte at offset 0" },
        { "Zh==", "bits are left over at its end" },
        { "Zm9=", "bits are left over at its end" },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buffer bytes = { 0 };
        struct err err;

        buffer_puts(&bytes, "kept");
        CHECK(rows[i].text, base64_decode(rows[i].text, strlen(rows[i].text), &bytes, &err) == -1);
        CHECK_TEXT(rows[i].text, err.text, rows[i].reason);
        assert_int_equal(bytes.length, 4);
        buffer_free(&bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(has_the_rfc_s_vectors),
        cmocka_unit_test(gives_every_byte_back),
        cmocka_unit_test(refuses_everything_else),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
