#include "news.h"

#include "status.h"
#include "supervisor.h"

#include "banned.h"

#define AGAIN_MS 50 /* to a launcher that is behind with reading */
/* What a launcher waits longer than what we wait for: it would end us in the middle of it. */
#define SLACK_MS 10000

void news_begin(struct supervisor *sup)
{
    struct news *news = &sup->news;
    const struct launcher *launcher = sup->launcher;
    int64_t watchdog_ms =
            launcher->watchdog_ms != NULL ? launcher->watchdog_ms(sup->link.keeper.pid) : 0;

    *news = (struct news) {
        .deadline_ms = PLATFORM_NEVER,
        .again_at_ms = PLATFORM_NEVER,
        .extend_at_ms = PLATFORM_NEVER,
        .ping_at_ms = PLATFORM_NEVER,
    };
    if (watchdog_ms <= 0)
        return;
    /* At less than half of it: sd_watchdog_enabled(3); so one may come late. */
    news->ping_every_ms = watchdog_ms / 3 > 0 ? watchdog_ms / 3 : 1;
    news->ping_at_ms = 0;
}

static bool can_tell(const struct supervisor *sup)
{
    return sup->launcher != NULL && sup->launcher->tell != NULL && !sup->news.is_over;
}

/* Whether nothing is to come any more that a start would be waited for. */
static bool is_up(const struct supervisor *sup)
{
    switch (machine_state(&sup->machine)) {
    case MACHINE_READY:
    case MACHINE_UNHEALTHY:
    case MACHINE_FAILED: /* and stays so until somebody asks */
        return true;
    case MACHINE_STANDBY: /* somebody serves */
        return !sup->standby.takes_over;
    case MACHINE_STOPPED:
    case MACHINE_STARTING:
    case MACHINE_REPLACING:
    case MACHINE_STOPPING:
    case MACHINE_BACKOFF:
    case MACHINE_STATE_COUNT:
        break;
    }
    return false;
}

/* A stop that came over the control channel may be taken back by a start, which a launcher that was
 * told of it would not know: it is told of the end then.  One that asked itself knows. */
static bool stops(const struct supervisor *sup)
{
    return sup->done ||
            (sup->stops_asked > 0 && machine_state(&sup->machine) == MACHINE_STOPPING &&
                    sup->machine.want_down);
}

static enum launcher_news what_is_new(const struct supervisor *sup)
{
    if (stops(sup) && !sup->news.is_stopping)
        return LAUNCHER_STOPPING;
    if (!sup->done && (sup->news.is_reloading || (is_up(sup) && !sup->news.is_ready)))
        return LAUNCHER_READY;
    return LAUNCHER_STATUS;
}

/* The guard has no deadline of its own. */
static int64_t guard_limit_ms(const struct supervisor *sup)
{
    return sup->service->config.probe_timeout_ms + 2 * sup->service->config.bind_timeout_ms +
            GUARD_CLEAR_LIMIT_MS + LAUNCHER_ASK_LIMIT_MS;
}

/* For how long the launcher should wait, if it waits. */
static int64_t wait_ms(const struct supervisor *sup)
{
    int64_t deadline_ms = machine_deadline(&sup->machine);
    int64_t now_ms = platform_now_ms();

    if (sup->service == NULL || sup->done || (sup->news.is_ready && !stops(sup)))
        return 0;
    for (int slot = 0; slot < MACHINE_SLOT_COUNT; slot++)
        if (sup->machine.generations[slot].kills >= MACHINE_KILL_TRIES)
            return 0; /* what cannot be killed is waited for no longer */
    if (deadline_ms == MACHINE_NEVER)
        return guard_limit_ms(sup) + SLACK_MS;
    return (deadline_ms > now_ms ? deadline_ms - now_ms : 0) + SLACK_MS;
}

static void told(struct supervisor *sup, bool done)
{
    sup->news.again_at_ms = done ? PLATFORM_NEVER : platform_now_ms() + AGAIN_MS;
}

void news_tell(struct supervisor *sup)
{
    struct news *news = &sup->news;
    char sentence[STATUS_SENTENCE_BYTES];
    enum launcher_news what;
    int64_t waits_ms;
    bool is_told;
    bool is_kept;

    if (!can_tell(sup))
        return;
    what = what_is_new(sup);
    publish_sentence(sup, sentence, sizeof sentence);
    news->deadline_ms = machine_deadline(&sup->machine);
    /* systemd would take what comes with READY for a longer time of its watchdog as well. */
    waits_ms = what == LAUNCHER_READY ? 0 : wait_ms(sup);
    is_told = sup->launcher->tell(what, sentence, waits_ms);
    news->extend_at_ms = waits_ms > 0 && news->deadline_ms == MACHINE_NEVER
            ? platform_now_ms() + waits_ms / 2
            : PLATFORM_NEVER;
    is_kept = given_keep(sup);
    told(sup, is_told && is_kept);
    if (!is_told)
        return;
    news->is_ready = news->is_ready || what == LAUNCHER_READY;
    news->is_reloading = false;
    news->is_stopping = news->is_stopping || what == LAUNCHER_STOPPING;
    news->is_over = sup->done;
}

void news_wait(struct supervisor *sup, const char *sentence, int64_t limit_ms)
{
    if (can_tell(sup))
        (void)sup->launcher->tell(LAUNCHER_STATUS, sentence, limit_ms + SLACK_MS);
}

void news_sockets(struct supervisor *sup)
{
    if (can_tell(sup) && !given_keep(sup))
        told(sup, false);
}

void news_reload_begins(struct supervisor *sup)
{
    /* READY=1 ends it, which before the end of the start would be taken for that. */
    if (can_tell(sup) && sup->news.is_ready && !sup->news.is_stopping)
        sup->news.is_reloading =
                sup->launcher->tell(LAUNCHER_RELOADING, "reloading the configuration", 0);
}

void news_reload_ends(struct supervisor *sup)
{
    if (sup->news.is_reloading)
        news_tell(sup);
}

void news_look(struct supervisor *sup)
{
    if (can_tell(sup) && machine_deadline(&sup->machine) != sup->news.deadline_ms &&
            wait_ms(sup) > 0)
        news_tell(sup);
}

void news_end(struct supervisor *sup)
{
    sup->news.is_over = true;
}

static void ping(struct supervisor *sup, int64_t now_ms)
{
    struct news *news = &sup->news;
    bool done = sup->launcher->ping();

    news->ping_at_ms =
            now_ms + (done || news->ping_every_ms < AGAIN_MS ? news->ping_every_ms : AGAIN_MS);
}

void news_on_time(struct supervisor *sup, int64_t now_ms)
{
    if (!can_tell(sup))
        return;
    if (now_ms >= sup->news.ping_at_ms)
        ping(sup, now_ms);
    if (now_ms >= sup->news.again_at_ms || now_ms >= sup->news.extend_at_ms)
        news_tell(sup);
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int64_t news_deadline(const struct supervisor *sup)
{
    const struct news *news = &sup->news;

    if (!can_tell(sup))
        return PLATFORM_NEVER;
    return smaller(smaller(news->ping_at_ms, news->again_at_ms), news->extend_at_ms);
}
