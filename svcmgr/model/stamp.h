/* Puts a time (and, if asked, the stream's name) in front of each line of a service's output.
 *
 * Bytes come in pieces of any size; a line is stamped where it begins, and everything else is kept
 * as it came. */
#ifndef SVCMGR_STAMP_H
#define SVCMGR_STAMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* "2026-11-22T10:00:00.123456Z " and "out " and a NUL */
#define STAMP_PREFIX_BYTES 40
/* A time as text, and a NUL. */
#define STAMP_TIME_BYTES 32

/* Plain data; zeroed, it stands at the beginning of a line. */
struct stamp {
    bool in_line;
};

/* A part of the output: to write prefix (if any), then length bytes of the piece. */
struct stamp_part {
    bool stamped;
    const char *data;
    size_t length;
};

/* Takes the next part off a piece: up to and with a newline, or all that is left.  Returns false
 * when nothing is left.  *data and *length are moved on. */
bool stamp_next(
        struct stamp *stamp, const char **data, size_t *length, struct stamp_part *ret_part);

/* "2026-11-22T10:00:00.123456Z" (UTC, from microseconds since 1970). */
void stamp_time(int64_t wall_us, char *ret_text, size_t size);
/* The same with milliseconds, as JSON documents show it. */
void stamp_time_ms(int64_t wall_us, char *ret_text, size_t size);

#endif
