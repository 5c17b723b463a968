/* Cuts a stream of bytes into lines of limited length. */
#ifndef SVCMGR_LINE_H
#define SVCMGR_LINE_H

#include <stdbool.h>
#include <stddef.h>

#include "buffer.h"

struct line_reader {
    struct buffer bytes; /* the limit of a line is bytes.limit */
    size_t taken;        /* how much of it is of lines that were given */
    size_t searched;     /* how much of it has no other newline */
    bool stays;          /* it is read without a pause: the memory is kept for what comes next */
};

void line_init(struct line_reader *reader, size_t limit);
void line_free(struct line_reader *reader);

/* Adds what came.  Returns 0, or -1 when a line is longer than the limit (or memory ran out): the
 * stream is of no use any more. */
int line_push(struct line_reader *reader, const char *bytes, size_t length);

/* The next whole line without its newline, NUL-terminated, or NULL when there is none yet.
 * Borrowed until the next call with the same reader. */
char *line_next(struct line_reader *reader, size_t *ret_length);

#endif
