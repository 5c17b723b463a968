/* A line of the log, and an event of the history, as JSON shows them. */
#ifndef SVCMGR_ENTRY_H
#define SVCMGR_ENTRY_H

#include <stdbool.h>
#include <stddef.h>

#include "json_write.h"

/* How a line comes in parts: one that is too long for a piece, or goes on in the next file. */
struct entry_part {
    bool begins; /* it has the line's beginning, and so its stamp */
    bool ends;   /* false: shown as "more" */
};

/* Writes an object with "time" (null without a stamp) and "text", which is without the newline. */
void entry_write_line(
        struct json_writer *writer, const char *line, size_t length, struct entry_part part);

/* Where the event in a line of the history begins: a line that a full disk or a crash has cut off
 * has the next one right behind it. */
const char *entry_event(const char *line, size_t length);

#endif
