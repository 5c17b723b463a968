#include "buffer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "banned.h"

#define BUFFER_FIRST_BYTES  256
#define BUFFER_PRINTF_GUESS 63

char *buffer_reserve(struct buffer *buffer, size_t length)
{
    size_t wanted;
    size_t capacity = buffer->capacity ? buffer->capacity : BUFFER_FIRST_BYTES;
    char *data;

    if (buffer->failed)
        return NULL;
    if (length > (size_t)-1 / 4 - buffer->length ||
            (buffer->limit != 0 && length > buffer->limit - buffer->length)) {
        buffer->failed = true;
        return NULL;
    }
    wanted = buffer->length + length + 1;
    if (wanted > buffer->capacity) {
        while (capacity < wanted)
            capacity *= 2;
        data = realloc(buffer->data, capacity);
        if (data == NULL) {
            buffer->failed = true;
            return NULL;
        }
        buffer->data = data;
        buffer->capacity = capacity;
    }
    return buffer->data + buffer->length;
}

void buffer_append(struct buffer *buffer, const void *data, size_t length)
{
    char *room = buffer_reserve(buffer, length);

    if (room == NULL)
        return;
    if (length > 0)
        memcpy(room, data, length);
    room[length] = '\0';
    buffer->length += length;
}

void buffer_puts(struct buffer *buffer, const char *text)
{
    buffer_append(buffer, text, strlen(text));
}

void buffer_printf(struct buffer *buffer, const char *format, ...)
{
    va_list arguments;
    va_list again;
    size_t guess = BUFFER_PRINTF_GUESS;
    int length;
    char *room;

    va_start(arguments, format);
    va_copy(again, arguments);
    /* Mostly it fits, and is formatted once. */
    if (buffer->limit != 0 && buffer->limit - buffer->length < guess)
        guess = buffer->limit - buffer->length;
    room = buffer_reserve(buffer, guess);
    length = room == NULL ? -1 : vsnprintf(room, guess + 1, format, arguments);
    if (length > (int)guess) {
        room = buffer_reserve(buffer, (size_t)length);
        if (room != NULL)
            (void)vsnprintf(room, (size_t)length + 1, format, again);
    }
    if (room == NULL || length < 0)
        buffer->failed = true;
    else
        buffer->length += (size_t)length;
    va_end(again);
    va_end(arguments);
}

void buffer_consume(struct buffer *buffer, size_t length)
{
    if (buffer->data == NULL)
        return;
    if (length > buffer->length)
        length = buffer->length;
    buffer->length -= length;
    memmove(buffer->data, buffer->data + length, buffer->length);
    buffer->data[buffer->length] = '\0';
}

const char *buffer_text(const struct buffer *buffer)
{
    if (buffer->length == 0)
        return "";
    /* Who wrote into buffer_reserve()'s room put no NUL behind it; there is always room for one. */
    buffer->data[buffer->length] = '\0';
    return buffer->data;
}

void buffer_free(struct buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct buffer) { .limit = buffer->limit };
}
