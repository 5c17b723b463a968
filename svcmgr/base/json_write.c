#include "json_write.h"

#include <inttypes.h>
#include <string.h>

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

static void put_escaped(struct buffer *out, const char *data, size_t length)
{
    buffer_puts(out, "\"");
    for (size_t at = 0; at < length;) {
        unsigned char c = (unsigned char)data[at];
        size_t step = str_utf8_length(data + at, length - at);

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
    buffer_puts(out, "\"");
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

void json_write_int(struct json_writer *writer, const char *key, int64_t value)
{
    put_key(writer, key);
    buffer_printf(writer->out, "%" PRId64, value);
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
    /* Unsigned, since the smallest int64_t has no positive twin. */
    uint64_t size = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    unsigned part = (unsigned)(size % 1000);
    int digits = 3;

    put_key(writer, key);
    buffer_printf(writer->out, "%s%" PRIu64, value < 0 ? "-" : "", size / 1000);
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
