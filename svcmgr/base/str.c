#include "str.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "banned.h"

#define NEAREST_NAME_BYTES 64

bool str_copy(char *target, size_t size, const char *text)
{
    size_t length = strlen(text);

    if (length >= size) {
        target[0] = '\0';
        return false;
    }
    memcpy(target, text, length + 1);
    return true;
}

bool str_format(char *target, size_t size, const char *format, ...)
{
    va_list arguments;
    int length;

    va_start(arguments, format);
    length = vsnprintf(target, size, format, arguments);
    va_end(arguments);
    return length >= 0 && (size_t)length < size;
}

void str_hex(char *target, const void *bytes, size_t count)
{
    const unsigned char *byte = bytes;

    for (size_t i = 0; i < count; i++) {
        *target++ = "0123456789abcdef"[byte[i] >> 4];
        *target++ = "0123456789abcdef"[byte[i] & 15];
    }
    *target = '\0';
}

bool str_to_uint(const char *text, uint64_t max, uint64_t *ret_value)
{
    uint64_t value = 0;

    if (*text == '\0')
        return false;
    for (; *text != '\0'; text++) {
        uint64_t digit;

        if (!str_is_digit(*text))
            return false;
        digit = (uint64_t)(*text - '0');
        if (value > (UINT64_MAX - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    if (value > max)
        return false;
    *ret_value = value;
    return true;
}

static char lower(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

bool str_equal_nocase(const char *a, const char *b)
{
    while (*a != '\0' && lower(*a) == lower(*b)) {
        a++;
        b++;
    }
    return lower(*a) == lower(*b);
}

bool str_is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool str_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* How many bytes follow the lead byte, and the smallest code point that may be written so
 * (no overlong forms).  -1: not a lead byte. */
static int utf8_tail(unsigned char lead, uint32_t *ret_bits, uint32_t *ret_smallest)
{
    if (lead < 0x80) {
        *ret_bits = lead;
        *ret_smallest = 0;
        return 0;
    }
    if (lead >= 0xC2 && lead <= 0xDF) {
        *ret_bits = lead & 0x1Fu;
        *ret_smallest = 0x80;
        return 1;
    }
    if (lead >= 0xE0 && lead <= 0xEF) {
        *ret_bits = lead & 0x0Fu;
        *ret_smallest = 0x800;
        return 2;
    }
    if (lead >= 0xF0 && lead <= 0xF4) {
        *ret_bits = lead & 0x07u;
        *ret_smallest = 0x10000;
        return 3;
    }
    return -1;
}

size_t str_utf8_length(const char *data, size_t length)
{
    uint32_t code;
    uint32_t smallest;
    int tail = length > 0 ? utf8_tail((unsigned char)data[0], &code, &smallest) : -1;

    if (tail < 0 || (size_t)tail >= length)
        return 0;
    for (int i = 1; i <= tail; i++) {
        unsigned char byte = (unsigned char)data[i];

        if ((byte & 0xC0u) != 0x80u)
            return 0;
        code = code << 6 | (byte & 0x3Fu);
    }
    /* Surrogates are halves of UTF-16 pairs and no characters. */
    if (code < smallest || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF))
        return 0;
    return (size_t)tail + 1;
}

bool str_is_utf8(const char *data, size_t length)
{
    size_t at = 0;

    while (at < length) {
        size_t step = str_utf8_length(data + at, length - at);

        if (step == 0)
            return false;
        at += step;
    }
    return true;
}

void str_shorten(char *target, size_t size, const char *text)
{
    size_t length = strlen(text);
    size_t kept = length;

    if (length >= size) {
        kept = size - 4;
        while (kept > 0 && ((unsigned char)text[kept] & 0xC0u) == 0x80u)
            kept--;
    }
    memcpy(target, text, kept);
    memcpy(target + kept, "...", kept == length ? 0 : 3);
    target[kept == length ? kept : kept + 3] = '\0';
    str_make_printable(target);
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Levenshtein distance without regard to case; names longer than the row are never near. */
static size_t distance(const char *a, const char *b)
{
    size_t row[NEAREST_NAME_BYTES + 1];
    size_t length_b = strlen(b);

    if (length_b > NEAREST_NAME_BYTES || strlen(a) > NEAREST_NAME_BYTES)
        return NEAREST_NAME_BYTES;
    for (size_t j = 0; j <= length_b; j++)
        row[j] = j;
    for (size_t i = 0; a[i] != '\0'; i++) {
        size_t diagonal = row[0];

        row[0] = i + 1;
        for (size_t j = 0; j < length_b; j++) {
            size_t change = diagonal + (lower(a[i]) != lower(b[j]));

            diagonal = row[j + 1];
            row[j + 1] = smaller(change, smaller(row[j], row[j + 1]) + 1);
        }
    }
    return row[length_b];
}

const char *str_nearest(const char *text, const char *const *names, size_t count)
{
    const char *best = NULL;
    size_t best_distance = smaller(3, strlen(text) / 2) + 1;

    for (size_t i = 0; i < count; i++) {
        size_t found = distance(text, names[i]);

        if (found < best_distance) {
            best = names[i];
            best_distance = found;
        }
    }
    return best;
}

static bool is_plain(const char *word)
{
    if (*word == '\0')
        return false;
    for (; *word != '\0'; word++)
        if (!str_is_letter(*word) && !str_is_digit(*word) && strchr("_-+=:,./@%^", *word) == NULL &&
                (unsigned char)*word < 0x80)
            return false;
    return true;
}

/* Appends one character; false when there is no room for it, "..." and the NUL. */
static bool put(char *target, size_t size, size_t *at, char c)
{
    if (*at + 5 > size)
        return false;
    target[(*at)++] = c;
    return true;
}

static bool put_word(char *target, size_t size, size_t *at, const char *word)
{
    bool plain = is_plain(word);

    if (!plain && !put(target, size, at, '\''))
        return false;
    for (; *word != '\0'; word++) {
        if (*word == '\'') {
            for (const char *quoted = "'\\''"; *quoted != '\0'; quoted++)
                if (!put(target, size, at, *quoted))
                    return false;
        } else if (!put(target, size, at, *word)) {
            return false;
        }
    }
    return plain || put(target, size, at, '\'');
}

void str_command_line(char *target, size_t size, const char *const *argv)
{
    size_t at = 0;
    bool whole = true;

    for (size_t i = 0; whole && argv[i] != NULL; i++)
        whole = (i == 0 || put(target, size, &at, ' ')) && put_word(target, size, &at, argv[i]);
    if (!whole && at + 4 <= size) {
        memcpy(target + at, "...", 3);
        at += 3;
    }
    if (size == 0)
        return;
    target[at] = '\0';
    str_make_printable(target);
}

/* Terminals obey U+0080 to U+009F too: ECMA-48 has CSI there. */
static bool is_control(const char *character, size_t length)
{
    unsigned char first = (unsigned char)character[0];

    if (length == 2)
        return first == 0xC2 && (unsigned char)character[1] < 0xA0;
    return length == 1 && (first < 0x20 || first == 0x7F);
}

void str_make_printable(char *text)
{
    const char *from = text;
    size_t left = strlen(text);

    while (left > 0) {
        size_t length = str_utf8_length(from, left);
        bool good = length > 0 && !is_control(from, length);

        if (length == 0)
            length = 1;
        if (good)
            memmove(text, from, length);
        else
            *text = '?';
        text += good ? length : 1;
        from += length;
        left -= length;
    }
    *text = '\0';
}
