/* What the instances print, a line an entry, for the log that the system keeps: the journal of
 * systemd, the Event Log of Windows.
 *
 * It gets what the log's files get, and nobody waits for it: what it does not take is in the files
 * alone, is counted and said in the status.  Of a line that has not ended, what a supervisor that
 * is killed had read is in the files alone too. */
#ifndef SVCMGR_SYSTEM_LOG_H
#define SVCMGR_SYSTEM_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buffer.h"

#define SYSTEM_LOG_ERROR_BYTES 200

struct system_log {
    const char *service; /* borrowed */
    bool on;
    uint64_t missed;                    /* entries that it did not take since it last took one */
    char error[SYSTEM_LOG_ERROR_BYTES]; /* why; "" while it takes them */
};

/* One pipe. */
struct system_log_source {
    uint32_t generation;
    const char *name;    /* "out", "err"; NULL: both are one */
    struct buffer begun; /* the beginning of a line whose end has not come */
    bool goes_on;        /* what comes is the rest of a line that was too long for one entry */
};

/* Hands over the lines that end in there, if it is on.  A line may begin with its priority,
 * "<4>text", as sd-daemon(3) has it; that is not part of the entry's text. */
void system_log_piece(
        struct system_log *log, struct system_log_source *source, const char *data, size_t length);
/* Nothing more comes: hands over what has no end. */
void system_log_end(struct system_log *log, struct system_log_source *source);

#endif
