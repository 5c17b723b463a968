#include "drain.h"

#include "banned.h"

const struct drain_config drain_defaults = {
    .quiet_ms = DRAIN_QUIET_MS,
    .hard_ms = DRAIN_HARD_MS,
    .last_chunks = DRAIN_LAST_CHUNKS,
};

void drain_begin(const struct drain_config *config, struct drain *drain, int64_t now_ms)
{
    drain->running = true;
    drain->quiet_until_ms = now_ms + config->quiet_ms;
    drain->hard_until_ms = now_ms + config->hard_ms;
    drain->last_pieces = 0;
}

void drain_piece(const struct drain_config *config, struct drain *drain, int64_t now_ms)
{
    if (!drain->running)
        return;
    drain->quiet_until_ms = now_ms + config->quiet_ms;
    drain->last_pieces += now_ms >= drain->hard_until_ms;
}

void drain_end(struct drain *drain)
{
    drain->running = false;
}

enum drain_verdict drain_check(
        const struct drain_config *config, const struct drain *drain, int64_t now_ms)
{
    if (!drain->running)
        return DRAIN_DONE;
    if (now_ms >= drain->hard_until_ms)
        return drain->last_pieces < config->last_chunks ? DRAIN_LOOK : DRAIN_DONE;
    return now_ms >= drain->quiet_until_ms ? DRAIN_LOOK : DRAIN_WAIT;
}

int64_t drain_deadline(const struct drain *drain)
{
    if (!drain->running)
        return INT64_MAX;
    return drain->quiet_until_ms < drain->hard_until_ms ? drain->quiet_until_ms
                                                        : drain->hard_until_ms;
}
