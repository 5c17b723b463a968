#include "health.h"

#include "duration.h"
#include "str.h"

#include "banned.h"

void health_begin(struct health *health, const struct config *config, int64_t now_ms)
{
    health_stop(health);
    *health = (struct health) {
        .active = config->health != CONFIG_HEALTH_NONE,
        .next_ms = now_ms + HEALTH_FIRST_PAUSE_MS,
        .pause_ms = HEALTH_FIRST_PAUSE_MS,
        .grace_until_ms = now_ms + config->health_start_period_ms,
        .latency_us = -1,
    };
}

void health_stop(struct health *health)
{
    probe_stop(&health->probe);
    health->active = false;
    health->checking = false;
}

void health_is_ready(struct health *health, const struct config *config, int64_t now_ms)
{
    if (health->ready)
        return;
    health->ready = true;
    health->failures = 0;
    if (!health->checking)
        health->next_ms = now_ms + config->health_interval_ms;
}

bool health_is_due(struct health *health, int64_t now_ms)
{
    if (!health->active || health->checking || now_ms < health->next_ms)
        return false;
    health->checking = true;
    health->started_us = platform_now_us();
    return true;
}

int64_t health_deadline(const struct health *health)
{
    if (!health->active)
        return PLATFORM_NEVER;
    return health->checking ? probe_deadline(&health->probe) : health->next_ms;
}

static void plan_next(struct health *health, const struct config *config, int64_t now_ms)
{
    if (health->ready) {
        health->next_ms = now_ms + config->health_interval_ms;
        return;
    }
    health->pause_ms *= 2;
    if (health->pause_ms > HEALTH_MAX_PAUSE_MS)
        health->pause_ms = HEALTH_MAX_PAUSE_MS;
    health->next_ms = now_ms + health->pause_ms;
}

enum health_verdict health_result(struct health *health, const struct config *config, bool good,
        const char *text, int64_t now_ms)
{
    bool was_sick = health->failures >= config->health_failures;

    health->checking = false;
    health->ever = true;
    health->healthy = good;
    health->latency_us = good ? platform_now_us() - health->started_us : health->latency_us;
    health->wall_us = platform_wall_us();
    (void)str_format(health->text, sizeof health->text, "%s", text);
    plan_next(health, config, now_ms);
    if (good) {
        health->failures = 0;
        if (!health->ready)
            return HEALTH_IS_READY;
        return was_sick ? HEALTH_IS_WELL : HEALTH_NOTHING;
    }
    if (!health->ready || now_ms < health->grace_until_ms)
        return HEALTH_NOTHING; /* start_timeout, or the start period, is its limit */
    health->failures++;
    return health->failures >= config->health_failures ? HEALTH_IS_SICK : HEALTH_NOTHING;
}

bool health_read_probe(
        const struct health *health, const struct config *config, char *ret_text, size_t size)
{
    const struct probe *probe = &health->probe;
    struct reply reply = reply_read(probe->bytes, probe->length);
    char limit[DURATION_TEXT_BYTES];

    duration_format(config->health_timeout_ms, limit, sizeof limit);
    if (config->health == CONFIG_HEALTH_TCP) {
        bool good = probe->verdict == PROBE_ALIVE;

        (void)str_format(ret_text, size, "%s",
                good                                      ? "accepted"
                        : probe->verdict == PROBE_REFUSED ? "connection refused"
                                                          : "not accepted in time");
        return good;
    }
    switch (probe->verdict) {
    case PROBE_REFUSED:
        (void)str_format(ret_text, size, "connection refused");
        return false;
    case PROBE_PENDING:
    case PROBE_SILENT:
        (void)str_format(ret_text, size,
                "no answer from %s in %s; a server that speaks TLS only "
                "needs \"health\": {\"tcp\": true} or a command",
                config->health_path, limit);
        return false;
    case PROBE_ALIVE:
        break;
    }
    if (reply.kind == REPLY_HTTP) {
        (void)str_format(ret_text, size, "HTTP %d from %s", reply.status, config->health_path);
        return reply_is_healthy(&reply);
    }
    probe_describe(probe, ret_text, size);
    if (reply.kind == REPLY_TLS)
        (void)str_format(ret_text, size,
                "the server speaks TLS only: use \"health\": {\"tcp\": true} or a command");
    return false;
}
