#include "base64.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "banned.h"

#define GROUP_BYTES  3
#define GROUP_DIGITS 4

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* Output of commands passes through here by the gigabyte, so that each step is a look into a table:
 * of the two digits for twelve bits, and of what each byte means at its place in a group.  They
 * are made when they are first needed, since most processes never need them, and stay. */
struct tables {
    char pairs[1 << 12][2];
    uint32_t values[GROUP_DIGITS][256];
};

#define NO_DIGIT 0x80000000u

static void fill(struct tables *tables)
{
    for (size_t i = 0; i < sizeof tables->pairs / sizeof tables->pairs[0]; i++) {
        tables->pairs[i][0] = digits[i >> 6];
        tables->pairs[i][1] = digits[i & 63];
    }
    for (size_t place = 0; place < GROUP_DIGITS; place++) {
        for (size_t i = 0; i < 256; i++)
            tables->values[place][i] = NO_DIGIT;
        for (uint32_t i = 0; i < 64; i++)
            tables->values[place][(unsigned char)digits[i]] = i << 6 * (GROUP_DIGITS - 1 - place);
    }
}

/* NULL: out of memory.  Were they static, what every process uses would lie on more pages. */
static const struct tables *get_tables(void)
{
    static struct tables *tables;

    if (tables == NULL) {
        tables = malloc(sizeof *tables);
        if (tables != NULL)
            fill(tables);
    }
    return tables;
}

static char *encode_groups(
        const struct tables *tables, const unsigned char *bytes, size_t count, char *text)
{
    for (; count > 0; count--, bytes += GROUP_BYTES, text += GROUP_DIGITS) {
        uint32_t group = (uint32_t)bytes[0] << 16 | (uint32_t)bytes[1] << 8 | bytes[2];

        memcpy(text, tables->pairs[group >> 12], 2);
        memcpy(text + 2, tables->pairs[group & 0xFFF], 2);
    }
    return text;
}

void base64_encode(const void *data, size_t length, struct buffer *out)
{
    const unsigned char *bytes = data;
    size_t count = length / GROUP_BYTES;
    size_t rest = length % GROUP_BYTES;
    size_t text_length = (count + (rest > 0)) * GROUP_DIGITS;
    unsigned char last[GROUP_BYTES] = { 0 };
    const struct tables *tables = get_tables();
    char *text = buffer_reserve(out, text_length);

    out->failed = out->failed || tables == NULL;
    if (out->failed)
        return;
    text = encode_groups(tables, bytes, count, text);
    if (rest > 0) {
        memcpy(last, bytes + count * GROUP_BYTES, rest);
        text = encode_groups(tables, last, 1, text);
        memset(text - (GROUP_BYTES - rest), '=', GROUP_BYTES - rest);
    }
    out->length += text_length;
}

/* False: there is something else among them. */
static bool decode_groups(
        const struct tables *tables, const unsigned char *text, size_t count, unsigned char *bytes)
{
    uint32_t all = 0;

    for (; count > 0; count--, text += GROUP_DIGITS, bytes += GROUP_BYTES) {
        uint32_t group = tables->values[0][text[0]] | tables->values[1][text[1]] |
                tables->values[2][text[2]] | tables->values[3][text[3]];

        all |= group;
        bytes[0] = (unsigned char)(group >> 16);
        bytes[1] = (unsigned char)(group >> 8);
        bytes[2] = (unsigned char)group;
    }
    return (all & NO_DIGIT) == 0;
}

static int fail_at_first(const struct tables *tables, const unsigned char *text, struct err *err)
{
    size_t at = 0;

    while (tables->values[0][text[at]] != NO_DIGIT)
        at++;
    return err_set(err, ERR_FAILED, 0, "invalid byte at offset %zu", at);
}

int base64_decode(const char *text, size_t length, struct buffer *out, struct err *err)
{
    const unsigned char *digit = (const unsigned char *)text;
    size_t count = length / GROUP_DIGITS;
    size_t padding = 0;
    unsigned char last_text[GROUP_DIGITS];
    unsigned char last[GROUP_BYTES];
    const struct tables *tables = get_tables();
    unsigned char *bytes;

    if (length % GROUP_DIGITS != 0)
        return err_set(err, ERR_FAILED, 0, "its length is not a multiple of 4");
    bytes = (unsigned char *)buffer_reserve(out, count * GROUP_BYTES);
    if (bytes == NULL || tables == NULL)
        return err_memory(err);
    if (length == 0)
        return 0;
    while (padding < 2 && text[length - 1 - padding] == '=')
        padding++;
    memcpy(last_text, digit + (count - 1) * GROUP_DIGITS, GROUP_DIGITS);
    memset(last_text + GROUP_DIGITS - padding, digits[0], padding);
    if (!decode_groups(tables, digit, count - 1, bytes) ||
            !decode_groups(tables, last_text, 1, last))
        return fail_at_first(tables, digit, err);
    if ((padding > 0 && last[2] != 0) || (padding > 1 && last[1] != 0))
        return err_set(err, ERR_FAILED, 0, "bits are left over at its end");
    memcpy(bytes + (count - 1) * GROUP_BYTES, last, GROUP_BYTES - padding);
    out->length += count * GROUP_BYTES - padding;
    return 0;
}
