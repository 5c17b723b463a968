/* How long to go on reading the output of a process that has ended.
 *
 * Others may hold its pipe open for ever, so end of file cannot be waited for; yet what is on its
 * way must not be lost.  Reading ends at end of file; or after DRAIN_QUIET_MS without a byte (each
 * piece starts that time anew); or DRAIN_HARD_MS after the end of the process, and then one last
 * pass takes at most DRAIN_LAST_CHUNKS pieces that are there already.  Neither time is up before
 * somebody has looked, so that no byte that is ready loses against the clock. */
#ifndef SVCMGR_DRAIN_H
#define SVCMGR_DRAIN_H

#include <stdbool.h>
#include <stdint.h>

#define DRAIN_QUIET_MS    50
#define DRAIN_HARD_MS     2000
#define DRAIN_LAST_CHUNKS 256

struct drain_config {
    int64_t quiet_ms;
    int64_t hard_ms;
    int last_chunks;
};

struct drain {
    bool running;
    int64_t quiet_until_ms;
    int64_t hard_until_ms;
    int last_pieces; /* that the last pass has taken */
};

enum drain_verdict {
    DRAIN_WAIT, /* until drain_deadline() or the next piece */
    DRAIN_LOOK, /* read once without waiting: drain_piece() if something was there, else stop */
    DRAIN_DONE
};

extern const struct drain_config drain_defaults;

/* The process has ended. */
void drain_begin(const struct drain_config *config, struct drain *drain, int64_t now_ms);
/* A piece came. */
void drain_piece(const struct drain_config *config, struct drain *drain, int64_t now_ms);
/* The stream has ended. */
void drain_end(struct drain *drain);

enum drain_verdict drain_check(
        const struct drain_config *config, const struct drain *drain, int64_t now_ms);
/* When to check again; INT64_MAX if it does not run. */
int64_t drain_deadline(const struct drain *drain);

#endif
