/* A growing run of bytes.
 *
 * Appending never fails loudly: when memory runs out (or the limit is passed) 'failed' is set,
 * later appends do nothing, and the one check at the end is enough.  Appended bytes are followed by
 * a NUL that 'length' does not count.  A zeroed struct is an empty buffer without a limit. */
#ifndef SVCMGR_BUFFER_H
#define SVCMGR_BUFFER_H

#include <stdbool.h>
#include <stddef.h>

#include "err.h"

struct buffer {
    char *data; /* NULL while nothing was ever appended; owned */
    size_t length;
    size_t capacity;
    size_t limit; /* 0: none */
    bool failed;
};

void buffer_append(struct buffer *buffer, const void *data, size_t length);
void buffer_puts(struct buffer *buffer, const char *text);
void buffer_printf(struct buffer *buffer, const char *format, ...) ERR_PRINTF(2, 3);

/* Makes room for length more bytes and a NUL, and returns where they go; NULL when that fails.  The
 * caller writes them and adds what it wrote to buffer->length; buffer_text() puts the NUL. */
char *buffer_reserve(struct buffer *buffer, size_t length);

/* Drops the first length bytes. */
void buffer_consume(struct buffer *buffer, size_t length);

/* The text so far, "" when there is none; borrowed until the next change. */
const char *buffer_text(const struct buffer *buffer);

void buffer_free(struct buffer *buffer);

#endif
