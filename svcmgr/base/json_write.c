#include "json_write.h"

#include <string.h>

#include "base64.h"
#include "str.h"

#include "banned.h"

static void new_line(struct json_writer *writer)
{
    if (!writer->pretty)
        return;
    buffer_puts(writer->out, "\n");
    for (int i = 0; i < writer->depth; i++)
        buffer_puts(writer->out, "  ");
}

/* How many bytes go out as they are: documents are written at every change of a service, so the
 * common case has to be quick. */
static size_t plain_length(const char *data, size_t length)
{
    size_t at = 0;

    while (at < length && (unsigned char)data[at] >= 0x20 && (unsigned char)data[at] < 0x7F &&
            data[at] != '"' && data[at] != '\\')
        at++;
    return at;
}

static void put_escaped(struct buffer *out, const char *data, size_t length)
{
    buffer_append(out, "\"", 1);
    for (size_t at = 0; at < length;) {
        size_t plain = plain_length(data + at, length - at);
        unsigned char c;
        size_t step;

        buffer_append(out, data + at, plain);
        at += plain;
        if (at == length)
            break;
        c = (unsigned char)data[at];
        step = str_utf8_length(data + at, length - at);

        if (c == '"' || c == '\\')
            buffer_printf(out, "\\%c", c);
        else if (c == '\n')
            buffer_puts(out, "\\n");
        else if (c == '\t')
            buffer_puts(out, "\\t");
        else if (c < 0x20 || c == 0x7F)
            buffer_printf(out, "\\u%04x", c);
        else if (step > 0)
            buffer_append(out, data + at, step);
        else
            buffer_puts(out, "\xEF\xBF\xBD");
        at += step > 0 ? step : 1;
    }
    buffer_append(out, "\"", 1);
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
    buffer_append(out, "-", 1);
    return 0 - (uint64_t)value; /* the smallest int64_t has no positive twin */
}

static void put_key(struct json_writer *writer, const char *key)
{
    if (writer->not_first)
        buffer_puts(writer->out, ",");
    if (writer->depth > 0)
        new_line(writer);
    writer->not_first = true;
    if (key == NULL)
        return;
    put_escaped(writer->out, key, strlen(key));
    buffer_puts(writer->out, writer->pretty ? ": " : ":");
}

static void open_container(struct json_writer *writer, const char *key, const char *bracket)
{
    put_key(writer, key);
    buffer_puts(writer->out, bracket);
    writer->depth++;
    writer->not_first = false;
}

static void close_container(struct json_writer *writer, const char *bracket)
{
    writer->depth--;
    if (writer->not_first)
        new_line(writer);
    buffer_puts(writer->out, bracket);
    writer->not_first = true;
}

void json_write_object(struct json_writer *writer, const char *key)
{
    open_container(writer, key, "{");
}

void json_write_object_end(struct json_writer *writer)
{
    close_container(writer, "}");
}

void json_write_list(struct json_writer *writer, const char *key)
{
    open_container(writer, key, "[");
}

void json_write_list_end(struct json_writer *writer)
{
    close_container(writer, "]");
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
    put_escaped(writer->out, data, length);
}

void json_write_base64(struct json_writer *writer, const char *key, const void *data, size_t length)
{
    put_key(writer, key);
    buffer_append(writer->out, "\"", 1);
    base64_encode(data, length, writer->out);
    buffer_append(writer->out, "\"", 1);
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
