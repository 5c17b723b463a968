/* The log's files: log/current, which is appended to, and log/@TIME, what was put aside when it had
 * grown too long.
 *
 * A log that cannot be written never stops anything: what is lost is counted, why is kept, and
 * writing goes on as soon as it can. */
#ifndef SVCMGR_LOG_H
#define SVCMGR_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform.h"

#define LOG_ERROR_BYTES 160

struct log {
    const char *state_directory; /* <state-dir>/NAME; the log is in log/ below; borrowed */
    platform_handle handle;      /* none: not open */
    int64_t size;
    int64_t max_bytes;
    int64_t keep;
    bool ends_lines; /* what a former writer left unfinished is ended when the log is opened */
    bool torn;       /* the file ends inside a line that nobody goes on with */
    bool cannot_rotate;
    int64_t turns;    /* how often it was rotated */
    uint64_t changes; /* grows with every change of its files */
    int64_t lost_bytes;
    char error[LOG_ERROR_BYTES]; /* why it cannot be written or rotated; "" while it can */
};

/* Nothing is created. */
void log_init(struct log *log, const char *state_directory);
/* Opens it if it is not open; its failure is in 'error'. */
void log_open(struct log *log);
/* Whether to rotate before anything is added to it and 'more' bytes.  At the beginning of a line
 * that is so from the limit on; a line that goes on for ever is cut at twice that. */
bool log_is_full(const struct log *log, size_t more, bool at_line_start);
/* Returns false if it has to go on as it is. */
bool log_rotate(struct log *log);
/* Writes the pieces, 'bytes' in all.  Returns false if not all of it got there: then the next thing
 * that is written begins on a line of its own. */
bool log_write(struct log *log, const struct platform_piece *pieces, size_t count, size_t bytes);

#endif
