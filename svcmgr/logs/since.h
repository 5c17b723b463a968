/* The lines of a log since a time.
 *
 * Stamps sort as text.  A line without one (a continued line, a log without stamps) goes with the
 * one before it. */
#ifndef SVCMGR_SINCE_H
#define SVCMGR_SINCE_H

#include <stdbool.h>
#include <stddef.h>

#include "err.h"

#define SINCE_BYTES 40

/* Zeroed: every line is wanted. */
struct since {
    char text[SINCE_BYTES]; /* the beginning of a stamp; "" from the beginning */
    bool wanted;            /* whether the last line was */
};

/* "10m" is ten minutes ago; anything that begins like a date is taken as the beginning of a stamp.
 * 'name' is how messages call it.  Returns -1 (ERR_USAGE) for anything else. */
int since_parse(const char *name, const char *text, struct since *ret_since, struct err *err);

/* How many bytes of a line it takes to say whether it is wanted, if it has so many; at most
 * SINCE_BYTES. */
size_t since_needs(const struct since *since);

/* Whether the line is wanted that begins with these bytes. */
bool since_wants(struct since *since, const char *start, size_t length);

/* Whether all lines of a file with this name, which is the time when it was put aside, are older.
 */
bool since_is_after(const struct since *since, const char *name);

#endif
