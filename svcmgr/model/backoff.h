/* How long to wait before the next try, and when to give up.
 *
 * Only runs that did not last count.  The n-th of them in a row waits delay * factor^(n-1), at most
 * max_delay, less a random part of up to a fifth, so that services that failed together do not come
 * back together.  More than 'burst' of them within 'within' is one too many. */
#ifndef SVCMGR_BACKOFF_H
#define SVCMGR_BACKOFF_H

#include <stdbool.h>
#include <stdint.h>

#define BACKOFF_BURST_MAX 100

struct backoff_config {
    int64_t delay_ms;
    int64_t max_delay_ms;
    int64_t factor_thousandths; /* 2000: doubles */
    int64_t burst;              /* 0: never gives up; at most BACKOFF_BURST_MAX */
    int64_t within_ms;
};

/* Plain data; zeroed, and 'random' set to anything, it is fresh.  Times are those of now_ms. */
struct backoff {
    uint64_t random;
    uint32_t streak;                         /* short runs in a row */
    uint32_t count;                          /* of times */
    int64_t times_ms[BACKOFF_BURST_MAX + 1]; /* of the latest short runs, oldest first */
};

/* A run was too short.  Returns false when that was one too many; else *ret_delay_ms is set. */
bool backoff_short_run(const struct backoff_config *config, struct backoff *backoff, int64_t now_ms,
        int64_t *ret_delay_ms);

/* A run was good, or somebody asked for a start: the count begins anew. */
void backoff_clear(struct backoff *backoff);

#endif
