#include "json_write.h"

#include <string.h>

#include "base64.h"
#include "str.h"

#include "banned.h"

static void put_char(struct buffer *out, char c)
{
    char *room = buffer_reserve(out, 1);

    if (room == NULL)
        return;
    *room = c;
    out->length++;
}

static void new_line(struct json_writer *writer)
{
    if (!writer->pretty)
        return;
    buffer_puts(writer->out, "\n");
    for (int i = 0; i < writer->depth; i++)
        buffer_puts(writer->out, "  ");
}

static bool is_plain(char c)
{
    return (unsigned char)c >= 0x20 && (unsigned char)c < 0x7F && c != '"' && c != '\\';
}

/* Copies what goes out as it is, up to the first byte that does not; returns how many that were.
 * Documents are written at every change of a service, so the common case has to be quick. */
static size_t copy_plain(char *room, const char *data, size_t length)
{
    size_t at = 0;

    for (; at < length && is_plain(data[at]); at++)
        room[at] = data[at];
    return at;
}

/* Text that begins with a byte that does not go out as it is; returns how long that one is. */
static size_t put_escape(struct buffer *out, const char *data, size_t length)
{
    unsigned char c = (unsigned char)data[0];
    size_t step = str_utf8_length(data, length);

    if (c == '"' || c == '\\')
        buffer_printf(out, "\\%c", c);
    else if (c == '\n')
        buffer_puts(out, "\\n");
    else if (c == '\t')
        buffer_puts(out, "\\t");
    else if (c < 0x20 || c == 0x7F)
        buffer_printf(out, "\\u%04x", c);
    else if (step > 0)
        buffer_append(out, data, step);
    else
        buffer_puts(out, "\xEF\xBF\xBD");
    return step > 0 ? step : 1;
}

static void put_text(struct buffer *out, const char *data, size_t length)
{
    put_char(out, '"');
    for (size_t at = 0; at < length;) {
        char *room = buffer_reserve(out, length - at + 1);
        size_t plain = room == NULL ? length - at : copy_plain(room, data + at, length - at);

        if (room != NULL)
            out->length += plain;
        at += plain;
        if (at < length)
            at += put_escape(out, data + at, length - at);
    }
    put_char(out, '"');
}

static void put_number(struct buffer *out, uint64_t number)
{
    char digits[20];
    size_t at = sizeof digits;

    do
        digits[--at] = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    buffer_append(out, digits + at, sizeof digits - at);
}

static uint64_t put_sign(struct buffer *out, int64_t value)
{
    if (value >= 0)
        return (uint64_t)value;
    put_char(out, '-');
    return 0 - (uint64_t)value; /* the smallest int64_t has no positive twin */
}

static void put_key(struct json_writer *writer, const char *key)
{
    if (writer->not_first)
        put_char(writer->out, ',');
    if (writer->depth > 0)
        new_line(writer);
    writer->not_first = true;
    if (key == NULL)
        return;
    put_text(writer->out, key, strlen(key));
    put_char(writer->out, ':');
    if (writer->pretty)
        put_char(writer->out, ' ');
}

static void open_container(struct json_writer *writer, const char *key, char bracket)
{
    put_key(writer, key);
    put_char(writer->out, bracket);
    writer->depth++;
    writer->not_first = false;
}

static void close_container(struct json_writer *writer, char bracket)
{
    writer->depth--;
    if (writer->not_first)
        new_line(writer);
    put_char(writer->out, bracket);
    writer->not_first = true;
}

void json_write_object(struct json_writer *writer, const char *key)
{
    open_container(writer, key, '{');
}

void json_write_object_end(struct json_writer *writer)
{
    close_container(writer, '}');
}

void json_write_list(struct json_writer *writer, const char *key)
{
    open_container(writer, key, '[');
}

void json_write_list_end(struct json_writer *writer)
{
    close_container(writer, ']');
}

void json_write_string(struct json_writer *writer, const char *key, const char *text)
{
    if (text == NULL)
        json_write_null(writer, key);
    else
        json_write_bytes(writer, key, text, strlen(text));
}

void json_write_bytes(struct json_writer *writer, const char *key, const char *data, size_t length)
{
    put_key(writer, key);
    put_text(writer->out, data, length);
}

void json_write_base64(struct json_writer *writer, const char *key, const void *data, size_t length)
{
    put_key(writer, key);
    put_char(writer->out, '"');
    base64_encode(data, length, writer->out);
    put_char(writer->out, '"');
}

void json_write_int(struct json_writer *writer, const char *key, int64_t value)
{
    put_key(writer, key);
    put_number(writer->out, put_sign(writer->out, value));
}

void json_write_bool(struct json_writer *writer, const char *key, bool value)
{
    json_write_raw(writer, key, value ? "true" : "false");
}

void json_write_null(struct json_writer *writer, const char *key)
{
    json_write_raw(writer, key, "null");
}

void json_write_thousandths(struct json_writer *writer, const char *key, int64_t value)
{
    uint64_t size;
    unsigned part;
    int digits = 3;

    put_key(writer, key);
    size = put_sign(writer->out, value);
    part = (unsigned)(size % 1000);
    put_number(writer->out, size / 1000);
    if (part == 0)
        return;
    while (part % 10 == 0) {
        part /= 10;
        digits--;
    }
    buffer_printf(writer->out, ".%0*u", digits, part);
}

void json_write_raw(struct json_writer *writer, const char *key, const char *json)
{
    put_key(writer, key);
    buffer_puts(writer->out, json);
}
