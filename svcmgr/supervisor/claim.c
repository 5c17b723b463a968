/* What the service may have: its configurations, its sockets, and the guard that allows them. */
#include "supervisor.h"

#include "str.h"

#include "banned.h"

#define STANDBY_FIRST_MS 1000
#define STANDBY_MAX_MS   30000

/* ---- Sockets and configurations -------------------------------------------------------------- */

void claim_hold_listeners(struct supervisor *sup)
{
    const struct listener_set *set = &sup->service->listeners;

    for (size_t i = 0; i < CONFIG_LISTENERS_MAX; i++) {
        bool held = i < set->count && set->list[i].config.socket == CONFIG_SOCKET_INHERIT;
        char name[32];

        (void)str_format(name, sizeof name, "listen:%zu", i);
        if (held && set->list[i].handle != PLATFORM_NO_HANDLE)
            link_hold(&sup->link, name, set->list[i].handle);
        else if (i < sup->listeners_held)
            link_drop(&sup->link, name);
        (void)str_format(name, sizeof name, "twin:%zu", i);
        if (held && set->list[i].twin != PLATFORM_NO_HANDLE)
            link_hold(&sup->link, name, set->list[i].twin);
        else if (i < sup->listeners_held)
            link_drop(&sup->link, name);
    }
    sup->listeners_held = set->count;
    given_settle(sup);
    news_sockets(sup);
}

void claim_close_sockets(struct supervisor *sup)
{
    if (sup->done && sup->stops_asked > 0)
        given_leave_paths(sup);
    listener_close_all(&sup->service->listeners);
    claim_hold_listeners(sup);
}

void claim_release_service(struct supervisor *sup, struct service *service)
{
    if (service == NULL || service == sup->service)
        return;
    for (int slot = 0; slot < MACHINE_SLOT_COUNT; slot++)
        if (sup->instances[slot].used && sup->instances[slot].service == service)
            return;
    service_free(service);
}

void claim_use_service(struct supervisor *sup, struct service *service)
{
    struct service *former = sup->service;
    bool is_guarded = former != NULL && sup->guard.running && sup->guard.config == &former->config;

    if (former != NULL)
        listener_take_over(&service->listeners, &former->listeners);
    sup->service = service;
    sup->needs_restart = false;
    output_configure(&sup->output, &service->config);
    claim_release_service(sup, former);
    if (is_guarded)
        claim_begin_guard(sup); /* what it had found out was about other addresses */
}

/* A restart by overlap failed: the old generation goes on, and so does its configuration. */
void claim_go_back(struct supervisor *sup)
{
    const struct instance *current = &sup->instances[MACHINE_CURRENT];

    if (!current->used || current->service == sup->service ||
            sup->machine.generations[MACHINE_NEXT].phase != MACHINE_PHASE_NONE ||
            (sup->machine.generations[MACHINE_CURRENT].phase != MACHINE_PHASE_READY &&
                    sup->machine.generations[MACHINE_CURRENT].phase != MACHINE_PHASE_UNHEALTHY))
        return;
    claim_use_service(sup, current->service);
    adoption_save_config(sup);
    claim_hold_listeners(sup);
}

/* ---- The guard ------------------------------------------------------------------------------- */

void claim_begin_guard(struct supervisor *sup)
{
    sup->standby_at_ms = PLATFORM_NEVER;
    platform_unwatch(sup->standby_watch);
    sup->standby_watch = NULL;
    given_fill(sup, &sup->service->listeners);
    guard_begin(&sup->guard, &sup->service->config, &sup->service->listeners, sup->former,
            !sup->guarded_once);
}

static void stand_by(struct supervisor *sup)
{
    struct identity stranger;

    sup->failure = sup->guard.err;
    sup->standby_pause_ms = sup->standby_pause_ms == 0   ? STANDBY_FIRST_MS
            : sup->standby_pause_ms * 2 > STANDBY_MAX_MS ? STANDBY_MAX_MS
                                                         : sup->standby_pause_ms * 2;
    sup->standby_at_ms = platform_now_ms() + sup->standby_pause_ms;
    if (sup->guard.other.pid > 0 && platform_identify(sup->guard.other.pid, true, &stranger))
        sup->standby_watch = platform_watch_process(&stranger, ROLE_STRANGER, NULL);
    claim_close_sockets(sup);
    supervisor_cause(sup, "%s", sup->failure.text);
    supervisor_feed(sup, (struct machine_event) { .kind = MACHINE_EVENT_STAND_BY });
}

static void note_leftovers(struct supervisor *sup)
{
    char cause[GUARD_LEFTOVERS_BYTES + 64];

    if (!sup->guard.cleared)
        return;
    (void)str_format(
            cause, sizeof cause, "left of the last run and stopped: %s", sup->guard.leftovers);
    journal_write(&sup->journal, &(struct journal_event) { .event = "leftovers", .cause = cause });
}

static void guard_allows(struct supervisor *sup)
{
    bool first = !sup->guarded_once;

    sup->guarded_once = true;
    sup->may_record = true;
    sup->standby_pause_ms = 0;
    sup->failure.text[0] = '\0';
    if (first) {
        journal_open(&sup->journal);
        adoption_save_config(sup);
        /* Ours before the keeper holds a socket: a successor would take that one for a stranger's.
         */
        publish_record(sup);
        publish_record_now(sup);
    }
    if (first || sup->guard.facts.sockets != DECISION_SOCKETS_HELD)
        claim_hold_listeners(sup);
    given_tell_rest(sup);
    note_leftovers(sup);
    publish_lost_ports(sup);
    supervisor_feed(sup, (struct machine_event) { .kind = MACHINE_EVENT_CLEARED });
}

/* A stop that came while leftovers were being cleared. */
static void stop_at_last(struct supervisor *sup)
{
    bool failed = sup->guard.done && sup->guard.decision.kind == DECISION_REFUSED;

    if (!sup->stop_deferred || guard_is_clearing(&sup->guard))
        return;
    sup->stop_deferred = false;
    sup->guard.done = false;
    journal_open(&sup->journal);
    note_leftovers(sup);
    if (failed && sup->guard.clear_since_ms != 0) {
        sup->failure = sup->guard.err;
        answer_waiting(sup, CLIENT_WAIT_STOP, false);
    }
    supervisor_feed(sup, (struct machine_event) { .kind = MACHINE_EVENT_ASK_STOP });
}

static void start_is_guarded(struct supervisor *sup)
{
    switch (sup->guard.decision.kind) {
    case DECISION_START:
        adoption_forget_record(sup);
        guard_allows(sup);
        break;
    case DECISION_ADOPT:
    case DECISION_ADOPT_OLDER:
    case DECISION_FINISH_STOP:
        journal_open(&sup->journal);
        if (!adoption_adopt(sup, sup->guard.decision.kind)) {
            claim_begin_guard(sup); /* it has ended since the guard saw it */
            break;
        }
        supervisor_cause(sup, "taken up by its record: keeper and supervisor had died");
        supervisor_feed(sup, (struct machine_event) { .kind = MACHINE_EVENT_ASK_START });
        break;
    case DECISION_STAND_BY:
        stand_by(sup);
        break;
    case DECISION_TAKE_LOCK:
    case DECISION_ASK_LAUNCHERS:
    case DECISION_AWAIT_LAUNCHER:
    case DECISION_READ_RECORD:
    case DECISION_LOOK_FOR_LEFTOVERS:
    case DECISION_PROBE:
    case DECISION_BIND:
    case DECISION_RETRY:
    case DECISION_CLEAR_LEFTOVERS:
    case DECISION_ALREADY_RUNNING:
    case DECISION_TAKE_OVER:
    case DECISION_REFUSED:
    case DECISION_COUNT:
        sup->failure = sup->guard.err;
        claim_close_sockets(sup);
        supervisor_cause(sup, "%s", sup->failure.text);
        supervisor_feed(sup,
                (struct machine_event) {
                        .kind = MACHINE_EVENT_REFUSED, .code = (int)sup->guard.err.kind });
        break;
    }
}

void claim_look_at_guard(struct supervisor *sup)
{
    stop_at_last(sup);
    /* What follows from a guard may be the next one, which may be done at once. */
    while (sup->guard.done && !sup->done) {
        sup->guard.done = false;
        if (change_is_looked_at(sup)) {
            change_is_guarded(sup);
            continue;
        }
        start_is_guarded(sup);
        /* The instance had ended while the guard looked at what a restart adds, and went first. */
        if (sup->next_service != NULL && !sup->guard.running && !sup->guard.done && !sup->done)
            change_begin_again(sup);
    }
}
