#include "json_scan.h"

#include <stdlib.h>
#include <string.h>

#include "str.h"

#include "banned.h"

#define NUMBER_BYTES_MAX 63

static int scan_value(struct json_scan *scan, size_t key_at);

/* The byte at the current place; NUL at the end (a NUL byte in the text is a fault elsewhere). */
static char peek(const struct json_scan *scan)
{
    return (char)(scan->at < scan->length ? scan->text[scan->at] : '\0');
}

static int fail(struct json_scan *scan, size_t at, const char *text)
{
    json_scan_fault(scan, at, "%s", text);
    return -1;
}

/* Says what stands there instead of what was expected. */
static int fail_expected(struct json_scan *scan, const char *expected)
{
    unsigned char c = (unsigned char)peek(scan);

    if (scan->at >= scan->length)
        json_scan_fault(scan, scan->at, "the text ends here; expected %s", expected);
    else if (c < 0x20 || c >= 0x7F)
        json_scan_fault(scan, scan->at, "unexpected byte 0x%02x; expected %s", c, expected);
    else
        json_scan_fault(scan, scan->at, "unexpected '%c'; expected %s", c, expected);
    return -1;
}

static void blank(struct json_scan *scan, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        if (scan->clean[i] != '\n')
            scan->clean[i] = ' ';
}

static int skip_comment(struct json_scan *scan)
{
    size_t start = scan->at;
    const char *text = scan->text;

    if (scan->dialect != JSON_WITH_COMMENTS)
        return fail(scan, start, "comments are not allowed here");
    if (start + 1 < scan->length && text[start + 1] == '/') {
        while (scan->at < scan->length && text[scan->at] != '\n')
            scan->at++;
    } else if (start + 1 < scan->length && text[start + 1] == '*') {
        scan->at += 2;
        while (scan->at + 1 < scan->length && !(text[scan->at] == '*' && text[scan->at + 1] == '/'))
            scan->at++;
        if (scan->at + 1 >= scan->length)
            return fail(scan, start, "this comment is never closed");
        scan->at += 2;
    } else {
        return fail(scan, start, "unexpected '/'; a comment begins with // or /*");
    }
    blank(scan, start, scan->at);
    return 0;
}

static int skip_blanks(struct json_scan *scan)
{
    for (;;) {
        char c = peek(scan);

        if (scan->at < scan->length && c == '/') {
            if (skip_comment(scan) == -1)
                return -1;
        } else if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
            scan->at++;
        } else {
            return 0;
        }
    }
}

static int note_place(struct json_scan *scan, size_t key_at)
{
    struct json_place *places = scan->places;

    if (scan->place_count == scan->place_capacity) {
        size_t capacity = scan->place_capacity ? scan->place_capacity * 2 : 32;

        places = realloc(places, capacity * sizeof *places);
        if (places == NULL)
            return fail(scan, scan->at, "cannot be read: out of memory");
        scan->places = places;
        scan->place_capacity = capacity;
    }
    places[scan->place_count++] = (struct json_place) { .key_at = key_at, .value_at = scan->at };
    return 0;
}

static int hex_digit(char c)
{
    if (str_is_digit(c))
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* Four hexadecimal digits after \u; scan->at is on the first. */
static int scan_unicode(struct json_scan *scan, size_t escape_at, unsigned *ret_code)
{
    unsigned code = 0;

    for (int i = 0; i < 4; i++) {
        int digit = hex_digit(peek(scan));

        if (digit < 0)
            return fail(scan, escape_at, "\\u needs four hexadecimal digits");
        code = code * 16 + (unsigned)digit;
        scan->at++;
    }
    *ret_code = code;
    return 0;
}

static int scan_unicode_escape(struct json_scan *scan, size_t escape_at)
{
    unsigned code;
    unsigned low;

    if (scan_unicode(scan, escape_at, &code) == -1)
        return -1;
    if (code == 0)
        return fail(scan, escape_at, "a string cannot hold a NUL character");
    if (code >= 0xDC00 && code <= 0xDFFF)
        return fail(scan, escape_at, "this half of a surrogate pair has no first half");
    if (code < 0xD800 || code > 0xDBFF)
        return 0;
    if (scan->at + 1 >= scan->length || scan->text[scan->at] != '\\' ||
            scan->text[scan->at + 1] != 'u')
        return fail(scan, escape_at, "this half of a surrogate pair has no second half");
    scan->at += 2;
    if (scan_unicode(scan, escape_at, &low) == -1)
        return -1;
    if (low < 0xDC00 || low > 0xDFFF)
        return fail(scan, escape_at, "this half of a surrogate pair has no second half");
    return 0;
}

/* Most of a long string is like this, and it is gone through in one go. */
static size_t plain_end(const char *text, size_t at, size_t length)
{
    while (at < length && (unsigned char)text[at] >= 0x20 && text[at] != '"' && text[at] != '\\')
        at++;
    return at;
}

static int scan_string(struct json_scan *scan)
{
    size_t start = scan->at++;

    for (;;) {
        size_t at = plain_end(scan->text, scan->at, scan->length);
        char c;

        scan->at = at;
        c = peek(scan);
        if (at >= scan->length || c == '\n')
            return fail(scan, start, "this string is never closed");
        if ((unsigned char)c < 0x20)
            return fail(scan, at, "a control character in a string must be written as \\u00XX");
        scan->at++;
        if (c == '"')
            return 0;
        c = peek(scan); /* behind a backslash */
        if (c == '\0' || strchr("\"\\/bfnrtu", c) == NULL)
            return fail(scan, at, "unknown escape; write a backslash as \\\\");
        scan->at++;
        if (c == 'u' && scan_unicode_escape(scan, at) == -1)
            return -1;
    }
}

static size_t skip_digits(struct json_scan *scan)
{
    size_t start = scan->at;

    while (str_is_digit(peek(scan)))
        scan->at++;
    return scan->at - start;
}

static int scan_number(struct json_scan *scan)
{
    size_t start = scan->at;

    if (peek(scan) == '-')
        scan->at++;
    if (peek(scan) == '0') {
        scan->at++;
        if (str_is_digit(peek(scan)))
            return fail(scan, start, "a number cannot begin with 0");
    } else if (skip_digits(scan) == 0) {
        return fail(scan, start, "a number needs a digit here");
    }
    if (peek(scan) == '.') {
        scan->at++;
        if (skip_digits(scan) == 0)
            return fail(scan, start, "a number needs a digit after its point");
    }
    if (peek(scan) == 'e' || peek(scan) == 'E') {
        scan->at++;
        if (peek(scan) == '+' || peek(scan) == '-')
            scan->at++;
        if (skip_digits(scan) == 0)
            return fail(scan, start, "a number needs a digit in its exponent");
    }
    /* cJSON up to 1.7.18 reads no more than this of a number. */
    if (scan->at - start > NUMBER_BYTES_MAX)
        return fail(scan, start, "this number has too many digits");
    return 0;
}

static int scan_word(struct json_scan *scan)
{
    static const char *const words[] = { "true", "false", "null" };

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        size_t length = strlen(words[i]);

        if (scan->length - scan->at >= length &&
                memcmp(scan->text + scan->at, words[i], length) == 0) {
            scan->at += length;
            return 0;
        }
    }
    return fail_expected(scan, "a value");
}

/* After a member or an element: 1 when another one follows, 0 at the closing bracket. */
static int scan_separator(struct json_scan *scan, char closing, const char *expected)
{
    size_t comma_at;

    if (skip_blanks(scan) == -1)
        return -1;
    if (peek(scan) == closing)
        return 0;
    if (peek(scan) != ',')
        return fail_expected(scan, expected);
    comma_at = scan->at++;
    if (skip_blanks(scan) == -1)
        return -1;
    if (peek(scan) != closing)
        return 1;
    if (scan->dialect != JSON_WITH_COMMENTS)
        return fail(scan, comma_at, "a trailing comma is not allowed here");
    blank(scan, comma_at, comma_at + 1);
    return 0;
}

static int scan_member(struct json_scan *scan)
{
    size_t key_at = scan->at;

    if (peek(scan) != '"')
        return fail_expected(scan, "a key in double quotes");
    if (scan_string(scan) == -1 || skip_blanks(scan) == -1)
        return -1;
    if (peek(scan) != ':')
        return fail_expected(scan, "':' after the key");
    scan->at++;
    if (skip_blanks(scan) == -1)
        return -1;
    return scan_value(scan, key_at);
}

static int scan_container(struct json_scan *scan, char closing)
{
    int more = 1;

    if (++scan->depth > JSON_DEPTH_MAX) {
        json_scan_fault(scan, scan->at, "nested deeper than %d levels", JSON_DEPTH_MAX);
        return -1;
    }
    scan->at++;
    if (skip_blanks(scan) == -1)
        return -1;
    if (peek(scan) == closing)
        more = 0;
    while (more == 1) {
        if ((closing == '}' ? scan_member(scan) : scan_value(scan, scan->at)) == -1)
            return -1;
        more = scan_separator(scan, closing, closing == '}' ? "',' or '}'" : "',' or ']'");
    }
    if (more == -1)
        return -1;
    scan->at++;
    scan->depth--;
    return 0;
}

static int scan_value(struct json_scan *scan, size_t key_at)
{
    char c = peek(scan);

    if (note_place(scan, key_at) == -1)
        return -1;
    if (c == '{')
        return scan_container(scan, '}');
    if (c == '[')
        return scan_container(scan, ']');
    if (c == '"')
        return scan_string(scan);
    if (c == '-' || str_is_digit(c))
        return scan_number(scan);
    return scan_word(scan);
}

/* The offset of the first byte that is not part of valid UTF-8; length if there is none. */
static size_t first_bad_byte(const char *text, size_t length)
{
    size_t at = 0;
    size_t step = 1;

    while (at < length && step > 0) {
        step = (unsigned char)text[at] < 0x80 ? 1 : str_utf8_length(text + at, length - at);
        at += step;
    }
    return at;
}

int json_scan_run(struct json_scan *scan)
{
    size_t bad_at = first_bad_byte(scan->text, scan->length);
    const char *nul = memchr(scan->text, '\0', bad_at);

    if (nul != NULL)
        return fail(scan, (size_t)(nul - scan->text), "unexpected NUL byte");
    if (bad_at < scan->length)
        return fail(scan, bad_at, "invalid UTF-8");
    scan->clean = malloc(scan->length + 1);
    if (scan->clean == NULL)
        return fail(scan, 0, "cannot be read: out of memory");
    memcpy(scan->clean, scan->text, scan->length);
    scan->clean[scan->length] = '\0';
    if (scan->dialect == JSON_WITH_COMMENTS && scan->length >= 3 &&
            memcmp(scan->text, "\xEF\xBB\xBF", 3) == 0) {
        scan->at = 3;
        blank(scan, 0, 3);
    }
    if (skip_blanks(scan) == -1 || scan_value(scan, scan->at) == -1 || skip_blanks(scan) == -1)
        return -1;
    if (scan->at < scan->length)
        return fail_expected(scan, "the end of the text");
    return 0;
}
