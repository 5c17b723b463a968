#include "unit.h"

#include "hmac.h"

#include "banned.h"

#define DATA_BYTES 160

static void to_hex(const uint8_t *bytes, size_t count, char *text)
{
    for (size_t i = 0; i < count; i++)
        (void)snprintf(text + 2 * i, 3, "%02x", bytes[i]);
}

/* RFC 4231, section 4: a key or data that is one byte again and again has a count. */
static const struct {
    const char *name;
    const char *key;
    size_t key_count;
    const char *data;
    size_t data_count;
    const char *mac;
} rows[] = {
    { "1", "\x0b", 20, "Hi There", 1,
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7" },
    { "2", "Jefe", 1, "what do ya want for nothing?", 1,
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843" },
    { "3", "\xaa", 20, "\xdd", 50,
            "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe" },
    { "4",
            "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11\x12\x13\x14\x15"
            "\x16\x17\x18\x19",
            1, "\xcd", 50, "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b" },
    { "6", "\xaa", 131, "Test Using Larger Than Block-Size Key - Hash Key First", 1,
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54" },
    { "7", "\xaa", 131,
            "This is a test using a larger than block-size key and a larger than block-size data. "
            "The key needs to be hashed before being used by the HMAC algorithm.",
            1, "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2" },
};

static size_t repeat(const char *text, size_t count, char *out)
{
    size_t length = strlen(text);

    for (size_t i = 0; i < count; i++)
        memcpy(out + i * length, text, length);
    return count * length;
}

static void agrees_with_the_standard(void **state)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char key[DATA_BYTES];
        char data[DATA_BYTES];
        char text[2 * HMAC_BYTES + 1];
        uint8_t mac[HMAC_BYTES];
        size_t key_length = repeat(rows[i].key, rows[i].key_count, key);
        size_t length = repeat(rows[i].data, rows[i].data_count, data);

        /* However it is cut into two pieces. */
        for (size_t cut = 0; cut <= length; cut++) {
            struct hmac_piece pieces[] = { { data, cut }, { data + cut, length - cut } };

            hmac_sign(key, key_length, pieces, COUNT_OF(pieces), mac);
            to_hex(mac, sizeof mac, text);
            CHECK_TEXT(rows[i].name, text, rows[i].mac);
        }
    }
}

static void tells_every_single_bit(void **state)
{
    uint8_t a[HMAC_BYTES] = { 1, 2, 3 };
    uint8_t b[HMAC_BYTES];

    memcpy(b, a, sizeof b);
    assert_true(hmac_equal(a, b));
    for (size_t i = 0; i < 8 * sizeof b; i++) {
        b[i / 8] ^= (uint8_t)(1u << i % 8);
        assert_false(hmac_equal(a, b));
        b[i / 8] ^= (uint8_t)(1u << i % 8);
    }
    assert_true(hmac_equal(a, b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_the_standard),
        cmocka_unit_test(tells_every_single_bit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
