#include "backoff.h"

#include <string.h>

#include "banned.h"

/* xorshift64: Marsaglia, "Xorshift RNGs", Journal of Statistical Software 8 (14), 2003. */
static uint64_t next_random(struct backoff *backoff)
{
    uint64_t x = backoff->random ? backoff->random : 88172645463325252u;

    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    backoff->random = x;
    return x;
}

static void forget_before(struct backoff *backoff, int64_t oldest_ms)
{
    uint32_t drop = 0;

    while (drop < backoff->count && backoff->times_ms[drop] < oldest_ms)
        drop++;
    backoff->count -= drop;
    memmove(backoff->times_ms, backoff->times_ms + drop,
            backoff->count * sizeof backoff->times_ms[0]);
}

static int64_t delay(const struct backoff_config *config, uint32_t streak)
{
    int64_t delay_ms = config->delay_ms;

    for (uint32_t i = 1; i < streak && delay_ms < config->max_delay_ms; i++) {
        /* Never less than a step of 1 ms, or a delay of 0 would stay 0 for ever. */
        int64_t longer = delay_ms * config->factor_thousandths / 1000;

        if (config->factor_thousandths > 1000 && longer <= delay_ms)
            longer = delay_ms + 1;
        delay_ms = longer;
    }
    return delay_ms < config->max_delay_ms ? delay_ms : config->max_delay_ms;
}

bool backoff_short_run(const struct backoff_config *config, struct backoff *backoff, int64_t now_ms,
        int64_t *ret_delay_ms)
{
    int64_t delay_ms;

    forget_before(backoff, now_ms - config->within_ms + 1);
    if (backoff->count == BACKOFF_BURST_MAX + 1)
        forget_before(backoff, backoff->times_ms[0] + 1);
    if (backoff->count <= BACKOFF_BURST_MAX)
        backoff->times_ms[backoff->count++] = now_ms;
    if (config->burst > 0 && backoff->count > config->burst)
        return false;
    if (backoff->streak < UINT32_MAX)
        backoff->streak++;
    delay_ms = delay(config, backoff->streak);
    *ret_delay_ms = delay_ms - (int64_t)(next_random(backoff) % (uint64_t)(delay_ms / 5 + 1));
    return true;
}

void backoff_clear(struct backoff *backoff)
{
    backoff->streak = 0;
    backoff->count = 0;
}
