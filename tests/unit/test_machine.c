/* The machine, in scripts: each row is an event, and what must follow from it. */
#include "unit.h"

#include "machine.h"

#include "banned.h"

#define C   MACHINE_CURRENT
#define N   MACHINE_NEXT
#define OFF (-1) /* no timer runs */

/* Short names for the rows' columns. */
#define CLEARED      MACHINE_EVENT_CLEARED
#define REFUSED      MACHINE_EVENT_REFUSED
#define DISPLACED    MACHINE_EVENT_DISPLACED
#define STAND_BY     MACHINE_EVENT_STAND_BY
#define AGAIN        MACHINE_EVENT_GUARD_AGAIN
#define SPAWN_FAILED MACHINE_EVENT_SPAWN_FAILED
#define ENDED        MACHINE_EVENT_MAIN_ENDED
#define GONE         MACHINE_EVENT_TREE_GONE
#define READY        MACHINE_EVENT_IS_READY
#define SICK         MACHINE_EVENT_IS_SICK
#define WELL         MACHINE_EVENT_IS_WELL
#define REMOVE       MACHINE_EVENT_REMOVE
#define EXTEND       MACHINE_EVENT_EXTEND
#define TIMER        MACHINE_EVENT_TIMER
#define START        MACHINE_EVENT_ASK_START
#define STOP         MACHINE_EVENT_ASK_STOP
#define KILL         MACHINE_EVENT_ASK_KILL
#define RESTART      MACHINE_EVENT_ASK_RESTART

struct row {
    enum machine_event_kind event;
    enum machine_slot slot;
    int64_t at_ms;
    int value; /* ENDED: the code, 75 is in prevent_on; REFUSED, DISPLACED: the code; EXTEND: ms */
    enum machine_state state;
    int64_t timer_ms;    /* from now on; a pause may be up to a fifth shorter */
    const char *actions; /* as text_of() writes them */
};

static const struct machine_config unit = {
    .start_timeout_ms = 30000,
    .stop_timeout_ms = 10000,
    .restart = MACHINE_RESTART_ON_FAILURE,
    .backoff = { .delay_ms = 100,
            .max_delay_ms = 300,
            .factor_thousandths = 2000,
            .burst = 4,
            .within_ms = 60000 },
    .restart_on_unhealthy = true,
};

static struct machine_config with(bool overlap, bool by_hand)
{
    struct machine_config config = unit;

    config.overlap = overlap;
    config.by_hand = by_hand;
    return config;
}

static void add_text(char *text, size_t size, const struct machine_action *action)
{
    static const char *const names[] = {
        [MACHINE_ACT_GUARD] = "guard",
        [MACHINE_ACT_GUARD_CANCEL] = "cancel guard",
        [MACHINE_ACT_SPAWN] = "spawn",
        [MACHINE_ACT_STOP] = "stop",
        [MACHINE_ACT_STOP_REST] = "stop rest of",
        [MACHINE_ACT_KILL] = "kill",
        [MACHINE_ACT_PROMOTE] = "promote",
        [MACHINE_ACT_CLOSE_SOCKETS] = "close",
        [MACHINE_ACT_ANSWER_START] = "start",
        [MACHINE_ACT_ANSWER_STOP] = "stopped",
        [MACHINE_ACT_ANSWER_RESTART] = "restart",
        [MACHINE_ACT_EXIT] = "exit",
    };
    size_t used = strlen(text);

    (void)snprintf(text + used, size - used, "%s%s", used > 0 ? ", " : "", names[action->kind]);
    used = strlen(text);
    switch (action->kind) {
    case MACHINE_ACT_SPAWN:
    case MACHINE_ACT_STOP:
    case MACHINE_ACT_STOP_REST:
    case MACHINE_ACT_KILL:
        (void)snprintf(text + used, size - used, " %s", action->slot == C ? "current" : "next");
        break;
    case MACHINE_ACT_ANSWER_START:
    case MACHINE_ACT_ANSWER_STOP:
    case MACHINE_ACT_ANSWER_RESTART:
        (void)snprintf(text + used, size - used, " %s", action->ok ? "ok" : "failed");
        break;
    case MACHINE_ACT_EXIT:
        (void)snprintf(text + used, size - used, " %d", action->code);
        break;
    case MACHINE_ACT_GUARD:
    case MACHINE_ACT_GUARD_CANCEL:
    case MACHINE_ACT_PROMOTE:
    case MACHINE_ACT_CLOSE_SOCKETS:
    case MACHINE_ACT_COUNT:
        break;
    }
}

static const char *script = ""; /* which one runs, for the message */

static void run_row(const struct machine_config *config, struct machine *machine,
        const struct row *row, size_t number)
{
    struct machine_event event = {
        .kind = row->event,
        .slot = row->slot,
        .now_ms = row->at_ms,
        .code = row->value,
        .clean = row->value == 0,
        .prevented = row->value == 75,
        .ms = row->value,
    };
    struct machine_actions actions = { .count = 0 };
    char text[400] = "";
    char name[64];
    int64_t timer_ms;

    (void)snprintf(name, sizeof name, "%s %zu", script, number + 1);
    machine_step(config, machine, &event, &actions);
    for (size_t i = 0; i < actions.count; i++)
        add_text(text, sizeof text, &actions.list[i]);
    CHECK_TEXT(name, text, row->actions);
    CHECK_TEXT(name, machine_state_name(machine_state(machine)), machine_state_name(row->state));
    timer_ms = machine_deadline(machine);
    if (timer_ms != MACHINE_NEVER)
        timer_ms -= row->at_ms;
    if (row->timer_ms == OFF)
        CHECK_INT(name, timer_ms, MACHINE_NEVER);
    else if (row->state == MACHINE_BACKOFF)
        CHECK(name, timer_ms <= row->timer_ms && timer_ms >= row->timer_ms - row->timer_ms / 5);
    else
        CHECK_INT(name, timer_ms, row->timer_ms);
}

static struct machine run_rows(
        const char *name, const struct machine_config *config, const struct row *rows, size_t count)
{
    struct machine machine;

    script = name;
    machine_init(&machine, config, 7);
    for (size_t i = 0; i < count; i++)
        run_row(config, &machine, &rows[i], i);
    return machine;
}

#define RUN(config, rows) run_rows(#rows, &(config), rows, COUNT_OF(rows))

/* ---- One generation -------------------------------------------------------------------------- */

static void starts_and_stops(void **state)
{
    static const struct row rows[] = {
        { CLEARED, C, 1000, 0, MACHINE_STARTING, 30000, "spawn current" },
        { START, C, 1001, 0, MACHINE_STARTING, 29999, "" },
        { READY, C, 1200, 0, MACHINE_READY, OFF, "start ok" },
        { START, C, 1300, 0, MACHINE_READY, OFF, "start ok" },
        { STOP, C, 2000, 0, MACHINE_STOPPING, 10000, "start failed, stop current" },
        { STOP, C, 2001, 0, MACHINE_STOPPING, 9999, "start failed" },
        { ENDED, C, 2100, 0, MACHINE_STOPPING, 9900, "stop rest of current" },
        { GONE, C, 2200, 0, MACHINE_STOPPED, OFF, "stopped ok, exit 0" },
        { START, C, 2300, 0, MACHINE_STOPPED, OFF, "" },
        { RESTART, C, 2300, 0, MACHINE_STOPPED, OFF, "" },
        { STOP, C, 2300, 0, MACHINE_STOPPED, OFF, "" },
        { CLEARED, C, 2300, 0, MACHINE_STOPPED, OFF, "" },
        { TIMER, C, 99999, 0, MACHINE_STOPPED, OFF, "" },
    };
    struct machine_config by_hand = with(false, true);
    struct machine machine = RUN(by_hand, rows);

    assert_int_equal(machine.restarts, 0);
    assert_int_equal(machine.last_number, 1);
}

static void climbs_the_ladder_of_a_stop(void **state)
{
    static const struct row rows[] = {
        { CLEARED, C, 1000, 0, MACHINE_STARTING, 30000, "spawn current" },
        { READY, C, 2000, 0, MACHINE_READY, OFF, "start ok" },
        { STOP, C, 3000, 0, MACHINE_STOPPING, 10000, "start failed, stop current" },
        { TIMER, C, 12999, 0, MACHINE_STOPPING, 1, "" },
        { TIMER, C, 13000, 0, MACHINE_STOPPING, 1000, "kill current" },
        { ENDED, C, 13010, 137, MACHINE_STOPPING, 990, "" },
        { TIMER, C, 14000, 0, MACHINE_STOPPING, 1000, "kill current" },
        { TIMER, C, 15000, 0, MACHINE_STOPPING, 1000, "kill current" },
        { TIMER, C, 16000, 0, MACHINE_STOPPING, 1000, "kill current" },
        { TIMER, C, 17000, 0, MACHINE_STOPPING, 1000, "kill current" },
        { TIMER, C, 18000, 0, MACHINE_STOPPING, 1000, "kill current" },
        { TIMER, C, 19000, 0, MACHINE_STOPPING, 1000, "kill current" },
        { TIMER, C, 20000, 0, MACHINE_STOPPING, 1000, "kill current" },
        { TIMER, C, 21000, 0, MACHINE_STOPPING, 1000, "kill current" },
        { TIMER, C, 22000, 0, MACHINE_STOPPING, 1000, "kill current, stopped failed" },
        { TIMER, C, 23000, 0, MACHINE_STOPPING, 1000, "kill current, stopped failed" },
        { GONE, C, 23100, 0, MACHINE_STOPPED, OFF, "stopped ok, exit 0" },
    };

    (void)RUN(unit, rows);
}

/* A kill that somebody asks for is a try too: the answer must not be stepped over. */
static void counts_kills_that_were_asked_for(void **state)
{
    static const struct row rows[] = {
        { CLEARED, C, 1000, 0, MACHINE_STARTING, 30000, "spawn current" },
        { KILL, C, 1000, 0, MACHINE_STOPPING, 1000, "start failed, kill current" },
        { KILL, C, 1000, 0, MACHINE_STOPPING, 1000, "start failed, kill current" },
        { KILL, C, 1000, 0, MACHINE_STOPPING, 1000, "start failed, kill current" },
        { KILL, C, 1000, 0, MACHINE_STOPPING, 1000, "start failed, kill current" },
        { KILL, C, 1000, 0, MACHINE_STOPPING, 1000, "start failed, kill current" },
        { KILL, C, 1000, 0, MACHINE_STOPPING, 1000, "start failed, kill current" },
        { KILL, C, 1000, 0, MACHINE_STOPPING, 1000, "start failed, kill current" },
        { KILL, C, 1000, 0, MACHINE_STOPPING, 1000, "start failed, kill current" },
        { KILL, C, 1000, 0, MACHINE_STOPPING, 1000, "start failed, kill current" },
        { KILL, C, 1000, 0, MACHINE_STOPPING, 1000, "start failed, kill current" },
        { TIMER, C, 2000, 0, MACHINE_STOPPING, 1000, "kill current, stopped failed" },
    };

    (void)RUN(unit, rows);
}

static void stops_whatever_is_under_way(void **state)
{
    static const struct row guards[] = {
        { STOP, C, 1, 0, MACHINE_STOPPED, OFF, "start failed, cancel guard, stopped ok, exit 0" },
    };
    static const struct row stands_by[] = {
        { STAND_BY, C, 1, 0, MACHINE_STANDBY, OFF, "start ok" },
        { STOP, C, 1, 0, MACHINE_STOPPED, OFF, "start failed, cancel guard, stopped ok, exit 0" },
    };
    static const struct row starts[] = {
        { CLEARED, C, 1, 0, MACHINE_STARTING, 30000, "spawn current" },
        { STOP, C, 2, 0, MACHINE_STOPPING, 10000, "start failed, stop current" },
        { READY, C, 3, 0, MACHINE_STOPPING, 9999, "" },
        { KILL, C, 3, 0, MACHINE_STOPPING, 1000, "start failed, kill current" },
        { SPAWN_FAILED, C, 4, -1, MACHINE_STOPPING, 999, "" },
        { GONE, C, 5, 0, MACHINE_STOPPED, OFF, "stopped ok, exit 0" },
    };
    static const struct row crashed[] = {
        { CLEARED, C, 1, 0, MACHINE_STARTING, 30000, "spawn current" },
        { READY, C, 2, 0, MACHINE_READY, OFF, "start ok" },
        { ENDED, C, 3, 1, MACHINE_STOPPING, 1000, "kill current" },
        { STOP, C, 4, 0, MACHINE_STOPPING, 999, "start failed" },
        { GONE, C, 5, 0, MACHINE_STOPPED, OFF, "stopped ok, exit 0" },
    };
    static const struct row waits[] = {
        { CLEARED, C, 1, 0, MACHINE_STARTING, 30000, "spawn current" },
        { ENDED, C, 3, 1, MACHINE_STOPPING, 1000, "kill current" },
        { GONE, C, 5, 0, MACHINE_BACKOFF, 100, "start failed" },
        { STOP, C, 5, 0, MACHINE_STOPPED, OFF, "start failed, stopped ok, exit 0" },
    };
    static const struct row restarts[] = {
        { CLEARED, C, 1, 0, MACHINE_STARTING, 30000, "spawn current" },
        { READY, C, 2, 0, MACHINE_READY, OFF, "start ok" },
        { RESTART, C, 3, 0, MACHINE_REPLACING, 10000, "stop current" },
        { STOP, C, 4, 0, MACHINE_STOPPING, 9999, "start failed, restart failed" },
        { ENDED, C, 5, 0, MACHINE_STOPPING, 9998, "stop rest of current" },
        { GONE, C, 6, 0, MACHINE_STOPPED, OFF, "stopped ok, exit 0" },
    };

    (void)RUN(unit, guards);
    (void)RUN(unit, stands_by);
    (void)RUN(unit, starts);
    (void)RUN(unit, crashed);
    (void)RUN(unit, waits);
    (void)RUN(unit, restarts);
}

static void starts_again_after_a_stop_that_is_under_way(void **state)
{
    static const struct row rows[] = {
        { CLEARED, C, 1000, 0, MACHINE_STARTING, 30000, "spawn current" },
        { READY, C, 1100, 0, MACHINE_READY, OFF, "start ok" },
        { STOP, C, 2000, 0, MACHINE_STOPPING, 10000, "start failed, stop current" },
        { START, C, 2100, 0, MACHINE_STOPPING, 9900, "" },
        { ENDED, C, 2200, 0, MACHINE_STOPPING, 9800, "stop rest of current" },
        { GONE, C, 2300, 0, MACHINE_STARTING, OFF, "stopped ok, guard" },
        { CLEARED, C, 2400, 0, MACHINE_STARTING, 30000, "spawn current" },
        { READY, C, 2500, 0, MACHINE_READY, OFF, "start ok" },
    };
    struct machine machine = RUN(unit, rows);

    assert_int_equal(machine.restarts, 0);
    assert_int_equal(machine.generations[C].number, 2);
}

static void gives_more_time_when_asked(void **state)
{
    static const struct row rows[] = {
        { CLEARED, C, 1000, 0, MACHINE_STARTING, 30000, "spawn current" },
        { EXTEND, C, 2000, 10000, MACHINE_STARTING, 29000, "" }, /* less than it has */
        { EXTEND, C, 2000, 60000, MACHINE_STARTING, 60000, "" },
        { TIMER, C, 31000, 0, MACHINE_STARTING, 31000, "" },
        { READY, C, 40000, 0, MACHINE_READY, OFF, "start ok" },
        { EXTEND, C, 41000, 60000, MACHINE_READY, OFF, "" },
        { STOP, C, 50000, 0, MACHINE_STOPPING, 10000, "start failed, stop current" },
        { EXTEND, C, 59000, 30000, MACHINE_STOPPING, 30000, "" },
        { TIMER, C, 89000, 0, MACHINE_STOPPING, 1000, "kill current" },
        { EXTEND, C, 89000, 30000, MACHINE_STOPPING, 1000, "" },
        { EXTEND, N, 89000, 30000, MACHINE_STOPPING, 1000, "" },
    };

    (void)RUN(unit, rows);
}

/* ---- Restart by policy ----------------------------------------------------------------------- */

static void restarts_a_good_run_at_once(void **state)
{
    static const struct row rows[] = {
        { CLEARED, C, 1000, 0, MACHINE_STARTING, 30000, "spawn current" },
        { READY, C, 1500, 0, MACHINE_READY, OFF, "start ok" },
        { ENDED, C, 2500, 1, MACHINE_STOPPING, 1000, "kill current" },
        { GONE, C, 2501, 0, MACHINE_STARTING, OFF, "guard" },
        { CLEARED, C, 2502, 0, MACHINE_STARTING, 30000, "spawn current" },
        { READY, C, 3000, 0, MACHINE_READY, OFF, "start ok" },
    };
    struct machine machine = RUN(unit, rows);

    assert_int_equal(machine.restarts, 1);
    assert_int_equal(machine.backoff.count, 0);
}

/* What counts is how long it served, not how long its end took. */
static void pauses_after_a_short_run_with_a_slow_end(void **state)
{
    static const struct row crashed[] = {
        { CLEARED, C, 1000, 0, MACHINE_STARTING, 30000, "spawn current" },
        { READY, C, 1500, 0, MACHINE_READY, OFF, "start ok" },
        { ENDED, C, 2499, 1, MACHINE_STOPPING, 1000, "kill current" },
        { GONE, C, 9000, 0, MACHINE_BACKOFF, 100, "start failed" },
    };
    static const struct row sick[] = {
        { CLEARED, C, 1000, 0, MACHINE_STARTING, 30000, "spawn current" },
        { READY, C, 1500, 0, MACHINE_READY, OFF, "start ok" },
        { SICK, C, 2499, 0, MACHINE_STOPPING, 10000, "stop current" },
        { ENDED, C, 9000, 0, MACHINE_STOPPING, 3499, "stop rest of current" },
        { GONE, C, 9000, 0, MACHINE_BACKOFF, 100, "start failed" },
    };
    static const struct row displaced[] = {
        { CLEARED, C, 1000, 0, MACHINE_STARTING, 30000, "spawn current" },
        { READY, C, 1500, 0, MACHINE_READY, OFF, "start ok" },
        { DISPLACED, C, 2499, 10, MACHINE_STOPPING, 10000, "stop current" },
        { ENDED, C, 9000, 0, MACHINE_STOPPING, 3499, "stop rest of current" },
        { GONE, C, 9000, 0, MACHINE_BACKOFF, 100, "start failed" },
    };

    (void)RUN(unit, crashed);
    (void)RUN(unit, sick);
    (void)RUN(unit, displaced);
}

/* A program whose readiness is known only later was ready all that while. */
static void counts_the_time_before_readiness_was_known(void **state)
{
    static const struct row rows[] = {
        { CLEARED, C, 1000, 0, MACHINE_STARTING, 30000, "spawn current" },
        { READY, C, 1200, 200, MACHINE_READY, OFF, "start ok" },
        { ENDED, C, 2000, 1, MACHINE_STOPPING, 1000, "kill current" },
        { GONE, C, 2001, 0, MACHINE_STARTING, OFF, "guard" },
    };

    (void)RUN(unit, rows);
}

static void backs_off_doubling_then_fails(void **state)
{
    static const struct row rows[] = {
        { CLEARED, C, 1000, 0, MACHINE_STARTING, 30000, "spawn current" },
        { ENDED, C, 1010, 1, MACHINE_STOPPING, 1000, "kill current" },
        { GONE, C, 1020, 0, MACHINE_BACKOFF, 100, "start failed" },
        { TIMER, C, 1030, 0, MACHINE_BACKOFF, 90, "" },
        { TIMER, C, 1120, 0, MACHINE_STARTING, OFF, "guard" },
        { CLEARED, C, 1200, 0, MACHINE_STARTING, 30000, "spawn current" },
        { ENDED, C, 1210, 1, MACHINE_STOPPING, 1000, "kill current" },
        { GONE, C, 1220, 0, MACHINE_BACKOFF, 200, "start failed" },
        { TIMER, C, 1420, 0, MACHINE_STARTING, OFF, "guard" },
        { CLEARED, C, 1500, 0, MACHINE_STARTING, 30000, "spawn current" },
        { ENDED, C, 1510, 1, MACHINE_STOPPING, 1000, "kill current" },
        { GONE, C, 1520, 0, MACHINE_BACKOFF, 300, "start failed" },
        { TIMER, C, 1820, 0, MACHINE_STARTING, OFF, "guard" },
        { REFUSED, C, 1900, 11, MACHINE_BACKOFF, 300, "start failed" },
        { TIMER, C, 2200, 0, MACHINE_STARTING, OFF, "guard" },
        { CLEARED, C, 2300, 0, MACHINE_STARTING, 30000, "spawn current" },
        { ENDED, C, 2310, 1, MACHINE_STOPPING, 1000, "kill current" },
        { GONE, C, 2320, 0, MACHINE_FAILED, OFF, "start failed, close" },
        { TIMER, C, 9999, 0, MACHINE_FAILED, OFF, "" },
        { CLEARED, C, 9999, 0, MACHINE_FAILED, OFF, "" },
        { START, C, 10000, 0, MACHINE_STARTING, OFF, "guard" },
        { CLEARED, C, 10001, 0, MACHINE_STARTING, 30000, "spawn current" },
        { ENDED, C, 10002, 1, MACHINE_STOPPING, 1000, "kill current" },
        { GONE, C, 10003, 0, MACHINE_BACKOFF, 100, "start failed" },
        { RESTART, C, 10004, 0, MACHINE_STARTING, OFF, "guard" },
        { CLEARED, C, 10005, 0, MACHINE_STARTING, 30000, "spawn current" },
        { READY, C, 10006, 0, MACHINE_READY, OFF, "start ok, restart ok" },
    };

    (void)RUN(unit, rows);
}

static void ends_when_failed_if_told_so(void **state)
{
    static const struct row rows[] = {
        { CLEARED, C, 1000, 0, MACHINE_STARTING, 30000, "spawn current" },
        { ENDED, C, 1010, 1, MACHINE_STOPPING, 1000, "kill current" },
        { GONE, C, 1020, 0, MACHINE_BACKOFF, 100, "start failed" },
        { TIMER, C, 1120, 0, MACHINE_STARTING, OFF, "guard" },
        { REFUSED, C, 1120, 10, MACHINE_STOPPED, OFF, "start failed, close, exit 1" },
    };
    struct machine_config config = unit;

    config.backoff.burst = 1;
    config.exit_when_failed = true;
    (void)RUN(config, rows);
}

/* The exit codes of contract 2: a clean end is code 0 only. */
static void follows_the_policy(void **state)
{
    static const struct {
        const char *name;
        enum machine_restart restart;
        bool with_instance;
        int code;
        const char *actions; /* when the tree is gone, after a good run */
    } rows[] = {
        { "always, clean", MACHINE_RESTART_ALWAYS, false, 0, "guard" },
        { "always, code 1", MACHINE_RESTART_ALWAYS, false, 1, "guard" },
        { "always, prevented", MACHINE_RESTART_ALWAYS, false, 75, "start failed, exit 1" },
        { "on failure, clean", MACHINE_RESTART_ON_FAILURE, false, 0, "start failed, exit 0" },
        { "on failure, code 1", MACHINE_RESTART_ON_FAILURE, false, 1, "guard" },
        { "on failure, signal", MACHINE_RESTART_ON_FAILURE, false, 137, "guard" },
        { "on failure, unknown", MACHINE_RESTART_ON_FAILURE, false, -1, "guard" },
        { "on failure, prevented", MACHINE_RESTART_ON_FAILURE, false, 75, "start failed, exit 1" },
        { "never, clean", MACHINE_RESTART_NEVER, false, 0, "start failed, exit 0" },
        { "never, code 3", MACHINE_RESTART_NEVER, false, 3, "start failed, exit 1" },
        { "never, signal", MACHINE_RESTART_NEVER, false, 143, "start failed, exit 1" },
        { "its own, clean", MACHINE_RESTART_NEVER, true, 0, "start failed, exit 0" },
        { "its own, code 3", MACHINE_RESTART_NEVER, true, 3, "start failed, exit 3" },
        { "its own, signal", MACHINE_RESTART_NEVER, true, 143, "start failed, exit 143" },
        { "its own, unknown", MACHINE_RESTART_NEVER, true, -1, "start failed, exit 1" },
        { "its own, prevented", MACHINE_RESTART_ALWAYS, true, 75, "start failed, exit 75" },
        { "no policy", (enum machine_restart)99, false, 0, "start failed, exit 0" },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        bool again = strcmp(rows[i].actions, "guard") == 0;
        const struct row life[] = {
            { CLEARED, C, 1000, 0, MACHINE_STARTING, 30000, "spawn current" },
            { READY, C, 1500, 0, MACHINE_READY, OFF, "start ok" },
            { ENDED, C, 9000, rows[i].code, MACHINE_STOPPING, 1000, "kill current" },
            { GONE, C, 9001, 0, again ? MACHINE_STARTING : MACHINE_STOPPED, OFF, rows[i].actions },
        };
        struct machine_config config = unit;

        config.restart = rows[i].restart;
        config.exit_with_instance = rows[i].with_instance;
        (void)run_rows(rows[i].name, &config, life, COUNT_OF(life));
    }
}

/* ---- A first start by hand ------------------------------------------------------------------- */

static void tries_once_by_hand(void **state)
{
    static const struct row refused[] = {
        { REFUSED, C, 1, 10, MACHINE_STOPPED, OFF, "start failed, exit 10" },
    };
    static const struct row ended[] = {
        { CLEARED, C, 1000, 0, MACHINE_STARTING, 30000, "spawn current" },
        { ENDED, C, 1010, 0, MACHINE_STOPPING, 1000, "kill current" },
        { GONE, C, 1020, 0, MACHINE_STOPPED, OFF, "start failed, exit 1" },
    };
    static const struct row late[] = {
        { CLEARED, C, 1000, 0, MACHINE_STARTING, 30000, "spawn current" },
        { TIMER, C, 31000, 0, MACHINE_STOPPING, 10000, "stop current" },
        { ENDED, C, 31001, 0, MACHINE_STOPPING, 9999, "stop rest of current" },
        { GONE, C, 31002, 0, MACHINE_STOPPED, OFF, "start failed, exit 1" },
    };
    static const struct row displaced[] = {
        { CLEARED, C, 1000, 0, MACHINE_STARTING, 30000, "spawn current" },
        { DISPLACED, C, 1001, 10, MACHINE_STOPPING, 10000, "stop current" },
        { DISPLACED, C, 1001, 10, MACHINE_STOPPING, 10000, "" },
        { ENDED, C, 1002, 143, MACHINE_STOPPING, 9999, "stop rest of current" },
        { GONE, C, 1003, 0, MACHINE_STOPPED, OFF, "start failed, exit 10" },
    };
    /* A restart during the first start is still the first start. */
    static const struct row restarted[] = {
        { CLEARED, C, 1000, 0, MACHINE_STARTING, 30000, "spawn current" },
        { RESTART, C, 1001, 0, MACHINE_REPLACING, 10000, "stop current" },
        { ENDED, C, 1002, 143, MACHINE_REPLACING, 9999, "stop rest of current" },
        { GONE, C, 1003, 0, MACHINE_STARTING, OFF, "stopped ok, guard" },
        { REFUSED, C, 1004, 11, MACHINE_STOPPED, OFF, "start failed, restart failed, exit 11" },
    };
    struct machine_config config = with(false, true);

    (void)RUN(config, refused);
    (void)RUN(config, ended);
    (void)RUN(config, late);
    (void)RUN(config, displaced);
    (void)RUN(config, restarted);
}

static void passes_on_the_code_of_a_first_run(void **state)
{
    static const struct row code_3[] = {
        { CLEARED, C, 1000, 0, MACHINE_STARTING, 30000, "spawn current" },
        { ENDED, C, 1010, 3, MACHINE_STOPPING, 1000, "kill current" },
        { GONE, C, 1020, 0, MACHINE_STOPPED, OFF, "start failed, exit 3" },
    };
    static const struct row code_0[] = {
        { CLEARED, C, 1000, 0, MACHINE_STARTING, 30000, "spawn current" },
        { ENDED, C, 1010, 0, MACHINE_STOPPING, 1000, "kill current" },
        { GONE, C, 1020, 0, MACHINE_STOPPED, OFF, "start failed, exit 1" },
    };
    struct machine_config config = with(false, true);

    config.exit_with_instance = true;
    (void)RUN(config, code_3);
    (void)RUN(config, code_0);
}

static void keeps_a_service_that_was_ready_once(void **state)
{
    static const struct row rows[] = {
        { CLEARED, C, 1000, 0, MACHINE_STARTING, 30000, "spawn current" },
        { READY, C, 1500, 0, MACHINE_READY, OFF, "start ok" },
        { ENDED, C, 9000, 1, MACHINE_STOPPING, 1000, "kill current" },
        { GONE, C, 9001, 0, MACHINE_STARTING, OFF, "guard" },
        { REFUSED, C, 9002, 10, MACHINE_BACKOFF, 100, "start failed" },
    };
    struct machine_config config = with(false, true);

    (void)RUN(config, rows);
}

static void ends_a_units_start_that_is_refused(void **state)
{
    static const struct row rows[] = {
        { REFUSED, C, 1, 11, MACHINE_STOPPED, OFF, "start failed, exit 11" },
        { REFUSED, C, 1, 11, MACHINE_STOPPED, OFF, "" },
    };

    (void)RUN(unit, rows);
}

/* ---- Health ---------------------------------------------------------------------------------- */

static void restarts_what_is_sick(void **state)
{
    static const struct row rows[] = {
        { CLEARED, C, 1000, 0, MACHINE_STARTING, 30000, "spawn current" },
        { SICK, C, 1400, 0, MACHINE_STARTING, 29600, "" },
        { WELL, C, 1400, 0, MACHINE_STARTING, 29600, "" },
        { READY, C, 1500, 0, MACHINE_READY, OFF, "start ok" },
        { SICK, C, 9000, 0, MACHINE_STOPPING, 10000, "stop current" },
        { WELL, C, 9001, 0, MACHINE_STOPPING, 9999, "" },
        { ENDED, C, 9100, 0, MACHINE_STOPPING, 9900, "stop rest of current" },
        { GONE, C, 9200, 0, MACHINE_STARTING, OFF, "guard" },
    };
    struct machine machine = RUN(unit, rows);

    assert_int_equal(machine.restarts, 1);
}

static void leaves_the_sick_alone_if_told_so(void **state)
{
    static const struct row rows[] = {
        { CLEARED, C, 1000, 0, MACHINE_STARTING, 30000, "spawn current" },
        { READY, C, 1500, 0, MACHINE_READY, OFF, "start ok" },
        { SICK, C, 9000, 0, MACHINE_UNHEALTHY, OFF, "" },
        { SICK, C, 9001, 0, MACHINE_UNHEALTHY, OFF, "" },
        { START, C, 9002, 0, MACHINE_UNHEALTHY, OFF, "start ok" },
        { WELL, C, 9003, 0, MACHINE_READY, OFF, "" },
        { SICK, C, 9004, 0, MACHINE_UNHEALTHY, OFF, "" },
        { ENDED, C, 9005, 1, MACHINE_STOPPING, 1000, "kill current" },
    };
    struct machine_config config = unit;

    config.restart_on_unhealthy = false;
    (void)RUN(config, rows);
}

static void keeps_the_clean_end_of_a_sick_one_a_failure(void **state)
{
    static const struct row rows[] = {
        { CLEARED, C, 1000, 0, MACHINE_STARTING, 30000, "spawn current" },
        { READY, C, 1500, 0, MACHINE_READY, OFF, "start ok" },
        { SICK, C, 9000, 0, MACHINE_STOPPING, 10000, "stop current" },
        { ENDED, C, 9100, 0, MACHINE_STOPPING, 9900, "stop rest of current" },
        { GONE, C, 9200, 0, MACHINE_STOPPED, OFF, "start failed, exit 1" },
    };
    struct machine_config config = unit;

    config.restart = MACHINE_RESTART_NEVER;
    (void)RUN(config, rows);
}

/* ---- Restart that somebody asks for ---------------------------------------------------------- */

static void restarts_one_after_the_other(void **state)
{
    static const struct row rows[] = {
        { CLEARED, C, 1000, 0, MACHINE_STARTING, 30000, "spawn current" },
        { READY, C, 1500, 0, MACHINE_READY, OFF, "start ok" },
        { RESTART, C, 1600, 0, MACHINE_REPLACING, 10000, "stop current" },
        { RESTART, C, 1601, 0, MACHINE_REPLACING, 9999, "" }, /* joins */
        { START, C, 1602, 0, MACHINE_REPLACING, 9998, "" },
        { ENDED, C, 1700, 1, MACHINE_REPLACING, 9900, "stop rest of current" },
        { GONE, C, 1701, 0, MACHINE_STARTING, OFF, "stopped ok, guard" },
        { CLEARED, C, 1702, 0, MACHINE_STARTING, 30000, "spawn current" },
        { READY, C, 1800, 0, MACHINE_READY, OFF, "start ok, restart ok" },
    };
    struct machine machine = RUN(unit, rows);

    assert_int_equal(machine.restarts, 0);
    assert_int_equal(machine.generations[C].number, 2);
}

static void restarts_what_is_starting_or_ending(void **state)
{
    static const struct row starting[] = {
        { RESTART, C, 999, 0, MACHINE_STARTING, OFF, "" },
        { CLEARED, C, 1000, 0, MACHINE_STARTING, 30000, "spawn current" },
        { READY, C, 1001, 0, MACHINE_READY, OFF, "start ok, restart ok" },
    };
    static const struct row ending[] = {
        { CLEARED, C, 1000, 0, MACHINE_STARTING, 30000, "spawn current" },
        { ENDED, C, 1001, 1, MACHINE_STOPPING, 1000, "kill current" },
        { RESTART, C, 1002, 0, MACHINE_REPLACING, 999, "" },
        { GONE, C, 1003, 0, MACHINE_STARTING, OFF, "stopped ok, guard" },
        { CLEARED, C, 1004, 0, MACHINE_STARTING, 30000, "spawn current" },
        { ENDED, C, 1005, 1, MACHINE_REPLACING, 1000, "kill current" },
        { GONE, C, 1006, 0, MACHINE_BACKOFF, 100, "restart failed, start failed" },
    };

    (void)RUN(unit, starting);
    (void)RUN(unit, ending);
}

static void restarts_by_overlap(void **state)
{
    static const struct row rows[] = {
        { CLEARED, C, 1000, 0, MACHINE_STARTING, 30000, "spawn current" },
        { READY, C, 1500, 0, MACHINE_READY, OFF, "start ok" },
        { RESTART, C, 2000, 0, MACHINE_REPLACING, 30000, "spawn next" },
        { RESTART, C, 2001, 0, MACHINE_REPLACING, 29999, "" }, /* joins */
        { START, C, 2002, 0, MACHINE_REPLACING, 29998, "start ok" },
        { READY, N, 2100, 0, MACHINE_REPLACING, 10000, "stop current, start ok, restart ok" },
        { START, C, 2101, 0, MACHINE_REPLACING, 9999, "start ok" },
        { ENDED, C, 2200, 0, MACHINE_REPLACING, 9900, "stop rest of current" },
        { GONE, C, 2300, 0, MACHINE_READY, OFF, "promote" },
        { GONE, C, 2300, 0, MACHINE_READY, OFF, "" },
    };
    struct machine_config config = with(true, false);
    struct machine machine = RUN(config, rows);

    assert_int_equal(machine.restarts, 0);
    assert_int_equal(machine.generations[C].number, 2);
    assert_int_equal(machine.generations[N].phase, MACHINE_PHASE_NONE);
}

static void removes_a_next_that_fails(void **state)
{
    static const struct row ended[] = {
        { CLEARED, C, 1000, 0, MACHINE_STARTING, 30000, "spawn current" },
        { READY, C, 1500, 0, MACHINE_READY, OFF, "start ok" },
        { RESTART, C, 2000, 0, MACHINE_REPLACING, 30000, "spawn next" },
        { ENDED, N, 2100, 1, MACHINE_REPLACING, 1000, "kill next" },
        { GONE, N, 2200, 0, MACHINE_READY, OFF, "restart failed" },
        { RESTART, C, 2300, 0, MACHINE_REPLACING, 30000, "spawn next" },
    };
    static const struct row late[] = {
        { CLEARED, C, 1000, 0, MACHINE_STARTING, 30000, "spawn current" },
        { READY, C, 1500, 0, MACHINE_READY, OFF, "start ok" },
        { RESTART, C, 2000, 0, MACHINE_REPLACING, 30000, "spawn next" },
        { SICK, C, 2500, 0, MACHINE_REPLACING, 29500, "" },
        { TIMER, C, 32000, 0, MACHINE_REPLACING, 10000, "stop next" },
        { TIMER, C, 42000, 0, MACHINE_REPLACING, 1000, "kill next" },
        { ENDED, N, 42001, 137, MACHINE_REPLACING, 999, "" },
        { GONE, N, 42002, 0, MACHINE_UNHEALTHY, OFF, "restart failed" },
        { SICK, C, 42003, 0, MACHINE_STOPPING, 10000, "stop current" },
    };
    static const struct row displaced[] = {
        { CLEARED, C, 1000, 0, MACHINE_STARTING, 30000, "spawn current" },
        { READY, C, 1500, 0, MACHINE_READY, OFF, "start ok" },
        { RESTART, C, 2000, 0, MACHINE_REPLACING, 30000, "spawn next" },
        { DISPLACED, N, 2500, 10, MACHINE_REPLACING, 10000, "stop next" },
        { ENDED, N, 2600, 0, MACHINE_REPLACING, 9900, "stop rest of next" },
        { GONE, N, 2700, 0, MACHINE_READY, OFF, "restart failed" },
    };
    struct machine_config config = with(true, false);
    struct machine machine = RUN(config, ended);

    assert_int_equal(machine.generations[C].number, 1);
    assert_int_equal(machine.generations[N].number, 3);
    (void)RUN(config, late);
    (void)RUN(config, displaced);
}

static void goes_on_with_next_when_current_dies(void **state)
{
    static const struct row becomes_ready[] = {
        { CLEARED, C, 1000, 0, MACHINE_STARTING, 30000, "spawn current" },
        { READY, C, 1500, 0, MACHINE_READY, OFF, "start ok" },
        { RESTART, C, 2000, 0, MACHINE_REPLACING, 30000, "spawn next" },
        { ENDED, C, 2100, 1, MACHINE_REPLACING, 1000, "kill current" },
        { READY, N, 2200, 0, MACHINE_REPLACING, 900, "start ok, restart ok" },
        { GONE, C, 2300, 0, MACHINE_READY, OFF, "promote" },
    };
    static const struct row is_promoted_first[] = {
        { CLEARED, C, 1000, 0, MACHINE_STARTING, 30000, "spawn current" },
        { READY, C, 1500, 0, MACHINE_READY, OFF, "start ok" },
        { RESTART, C, 2000, 0, MACHINE_REPLACING, 30000, "spawn next" },
        { ENDED, C, 2100, 1, MACHINE_REPLACING, 1000, "kill current" },
        { GONE, C, 2200, 0, MACHINE_STARTING, 29800, "promote" },
        { READY, C, 2300, 0, MACHINE_READY, OFF, "start ok, restart ok" },
    };
    static const struct row fails_too[] = {
        { CLEARED, C, 1000, 0, MACHINE_STARTING, 30000, "spawn current" },
        { READY, C, 1500, 0, MACHINE_READY, OFF, "start ok" },
        { RESTART, C, 2000, 0, MACHINE_REPLACING, 30000, "spawn next" },
        { ENDED, C, 2000, 1, MACHINE_REPLACING, 1000, "kill current" },
        { ENDED, N, 2100, 1, MACHINE_REPLACING, 900, "kill next" },
        { GONE, N, 2200, 0, MACHINE_STOPPING, 800, "restart failed" },
        { GONE, C, 2300, 0, MACHINE_BACKOFF, 100, "start failed" },
    };
    static const struct row fails_after_promotion[] = {
        { CLEARED, C, 1000, 0, MACHINE_STARTING, 30000, "spawn current" },
        { READY, C, 1500, 0, MACHINE_READY, OFF, "start ok" },
        { RESTART, C, 2000, 0, MACHINE_REPLACING, 30000, "spawn next" },
        { ENDED, C, 2000, 1, MACHINE_REPLACING, 1000, "kill current" },
        { ENDED, N, 2100, 1, MACHINE_REPLACING, 900, "kill next" },
        { GONE, C, 2200, 0, MACHINE_REPLACING, 900, "promote" },
        { GONE, C, 2300, 0, MACHINE_BACKOFF, 100, "restart failed, start failed" },
    };
    struct machine_config config = with(true, false);

    (void)RUN(config, becomes_ready);
    (void)RUN(config, is_promoted_first);
    (void)RUN(config, fails_too);
    (void)RUN(config, fails_after_promotion);
}

/* The new one is ready and the old one still goes: this restart is another one. */
static void restarts_again_when_the_old_one_is_gone(void **state)
{
    static const struct row overlap[] = {
        { CLEARED, C, 1000, 0, MACHINE_STARTING, 30000, "spawn current" },
        { READY, C, 1500, 0, MACHINE_READY, OFF, "start ok" },
        { RESTART, C, 2000, 0, MACHINE_REPLACING, 30000, "spawn next" },
        { READY, N, 2100, 0, MACHINE_REPLACING, 10000, "stop current, start ok, restart ok" },
        { RESTART, C, 2200, 0, MACHINE_REPLACING, 9900, "" },
        { ENDED, C, 2300, 0, MACHINE_REPLACING, 9800, "stop rest of current" },
        { GONE, C, 2400, 0, MACHINE_REPLACING, 30000, "promote, spawn next" },
        { READY, N, 2500, 0, MACHINE_REPLACING, 10000, "stop current, start ok, restart ok" },
    };
    static const struct row next_crashes[] = {
        { CLEARED, C, 1000, 0, MACHINE_STARTING, 30000, "spawn current" },
        { READY, C, 1500, 0, MACHINE_READY, OFF, "start ok" },
        { RESTART, C, 2000, 0, MACHINE_REPLACING, 30000, "spawn next" },
        { READY, N, 2100, 0, MACHINE_REPLACING, 10000, "stop current, start ok, restart ok" },
        { RESTART, C, 2200, 0, MACHINE_REPLACING, 9900, "" },
        { ENDED, N, 2300, 1, MACHINE_REPLACING, 1000, "kill next" },
        { GONE, N, 2400, 0, MACHINE_REPLACING, 9700, "" },
        { ENDED, C, 2500, 0, MACHINE_REPLACING, 9600, "stop rest of current" },
        { GONE, C, 2600, 0, MACHINE_STARTING, OFF, "stopped ok, guard" },
        { CLEARED, C, 2700, 0, MACHINE_STARTING, 30000, "spawn current" },
        { READY, C, 2800, 0, MACHINE_READY, OFF, "start ok, restart ok" },
    };
    struct machine_config config = with(true, false);

    (void)RUN(config, overlap);
    (void)RUN(config, next_crashes);
}

/* The configuration that the second restart brings may not allow to overlap. */
static void restarts_again_one_after_the_other(void **state)
{
    static const struct row before[] = {
        { CLEARED, C, 1000, 0, MACHINE_STARTING, 30000, "spawn current" },
        { READY, C, 1500, 0, MACHINE_READY, OFF, "start ok" },
        { RESTART, C, 2000, 0, MACHINE_REPLACING, 30000, "spawn next" },
        { READY, N, 2100, 0, MACHINE_REPLACING, 10000, "stop current, start ok, restart ok" },
    };
    static const struct row after[] = {
        { RESTART, C, 2200, 0, MACHINE_REPLACING, 9900, "" },
        { ENDED, C, 2300, 0, MACHINE_REPLACING, 9800, "stop rest of current" },
        { GONE, C, 2400, 0, MACHINE_REPLACING, 10000, "promote, stop current" },
        { ENDED, C, 2500, 0, MACHINE_REPLACING, 9900, "stop rest of current" },
        { GONE, C, 2600, 0, MACHINE_STARTING, OFF, "stopped ok, guard" },
    };
    struct machine_config config = with(true, false);
    struct machine machine = RUN(config, before);

    config.overlap = false;
    for (size_t i = 0; i < COUNT_OF(after); i++)
        run_row(&config, &machine, &after[i], i);
}

static void stops_both_of_an_overlap(void **state)
{
    static const struct row stopped[] = {
        { CLEARED, C, 1000, 0, MACHINE_STARTING, 30000, "spawn current" },
        { READY, C, 1500, 0, MACHINE_READY, OFF, "start ok" },
        { RESTART, C, 2000, 0, MACHINE_REPLACING, 30000, "spawn next" },
        { STOP, C, 2100, 0, MACHINE_STOPPING, 10000,
                "start failed, restart failed, stop current, stop next" },
        { ENDED, C, 2200, 0, MACHINE_STOPPING, 9900, "stop rest of current" },
        { GONE, C, 2300, 0, MACHINE_STOPPING, 9800, "promote" },
        { TIMER, C, 12100, 0, MACHINE_STOPPING, 1000, "kill current" },
        { ENDED, C, 12101, 137, MACHINE_STOPPING, 999, "" },
        { GONE, C, 12102, 0, MACHINE_STOPPED, OFF, "stopped ok, exit 0" },
    };
    static const struct row killed[] = {
        { CLEARED, C, 1000, 0, MACHINE_STARTING, 30000, "spawn current" },
        { READY, C, 1500, 0, MACHINE_READY, OFF, "start ok" },
        { RESTART, C, 2000, 0, MACHINE_REPLACING, 30000, "spawn next" },
        { KILL, C, 2100, 0, MACHINE_STOPPING, 1000,
                "start failed, restart failed, kill current, kill next" },
        { ENDED, N, 2200, 137, MACHINE_STOPPING, 900, "" },
        { GONE, N, 2300, 0, MACHINE_STOPPING, 800, "" },
        { ENDED, C, 2400, 137, MACHINE_STOPPING, 700, "" },
        { GONE, C, 2500, 0, MACHINE_STOPPED, OFF, "stopped ok, exit 0" },
    };
    /* A restart that was asked for during the stop is not the one whose next went with it. */
    static const struct row restarted[] = {
        { CLEARED, C, 1000, 0, MACHINE_STARTING, 30000, "spawn current" },
        { READY, C, 1500, 0, MACHINE_READY, OFF, "start ok" },
        { RESTART, C, 2000, 0, MACHINE_REPLACING, 30000, "spawn next" },
        { STOP, C, 2100, 0, MACHINE_STOPPING, 10000,
                "start failed, restart failed, stop current, stop next" },
        { RESTART, C, 2150, 0, MACHINE_REPLACING, 9950, "" },
        { ENDED, N, 2200, 0, MACHINE_REPLACING, 9900, "stop rest of next" },
        { GONE, N, 2300, 0, MACHINE_REPLACING, 9800, "" },
        { ENDED, C, 2400, 0, MACHINE_REPLACING, 9700, "stop rest of current" },
        { GONE, C, 2500, 0, MACHINE_STARTING, OFF, "stopped ok, guard" },
        { CLEARED, C, 2600, 0, MACHINE_STARTING, 30000, "spawn current" },
        { READY, C, 2700, 0, MACHINE_READY, OFF, "start ok, restart ok" },
    };
    struct machine_config config = with(true, false);

    (void)RUN(config, stopped);
    (void)RUN(config, killed);
    (void)RUN(config, restarted);
}

/* ---- Standby --------------------------------------------------------------------------------- */

static void stands_by_and_takes_over(void **state)
{
    static const struct row rows[] = {
        { RESTART, C, 1, 0, MACHINE_STARTING, OFF, "" },
        { STAND_BY, C, 2, 0, MACHINE_STANDBY, OFF, "start ok, restart failed" },
        { STAND_BY, C, 2, 0, MACHINE_STANDBY, OFF, "" },
        { START, C, 3, 0, MACHINE_STANDBY, OFF, "start ok" },
        { RESTART, C, 4, 0, MACHINE_STANDBY, OFF, "restart failed" },
        { CLEARED, C, 5, 0, MACHINE_STANDBY, OFF, "" },
        { AGAIN, C, 6, 0, MACHINE_STARTING, OFF, "guard" },
        { AGAIN, C, 6, 0, MACHINE_STARTING, OFF, "" },
        { STAND_BY, C, 7, 0, MACHINE_STANDBY, OFF, "start ok" },
        { AGAIN, C, 8, 0, MACHINE_STARTING, OFF, "guard" },
        { CLEARED, C, 9, 0, MACHINE_STARTING, 30000, "spawn current" },
    };

    (void)RUN(unit, rows);
}

/* ---- What was taken up by a record ----------------------------------------------------------- */

static struct machine taken_up(enum machine_phase current, enum machine_phase next)
{
    struct machine machine;

    machine_init(&machine, &unit, 7);
    machine.activity = MACHINE_RUNS;
    machine.last_number = 2;
    machine.generations[C] = (struct machine_generation) { .phase = current,
        .number = 1,
        .ready_ms = 500,
        .deadline_ms = MACHINE_NEVER,
        .exit_code = -1 };
    machine.generations[N] = (struct machine_generation) {
        .phase = next, .number = 2, .deadline_ms = MACHINE_NEVER, .exit_code = -1
    };
    return machine;
}

static void removes_one_of_two(void **state)
{
    static const struct row rows[] = {
        { REMOVE, N, 1000, 0, MACHINE_REPLACING, 10000, "stop next" },
        { START, C, 1001, 0, MACHINE_REPLACING, 9999, "start ok" },
        { RESTART, C, 1002, 0, MACHINE_REPLACING, 9998, "" },
        { ENDED, N, 1003, 0, MACHINE_REPLACING, 9997, "stop rest of next" },
        { REMOVE, N, 1004, 0, MACHINE_REPLACING, 9996, "" },
        { GONE, N, 1005, 0, MACHINE_REPLACING, 10000, "stop current" },
        { REMOVE, N, 1006, 0, MACHINE_REPLACING, 9999, "" },
    };
    struct machine machine = taken_up(MACHINE_PHASE_READY, MACHINE_PHASE_STARTING);

    for (size_t i = 0; i < COUNT_OF(rows); i++)
        run_row(&unit, &machine, &rows[i], i);
}

static void finishes_a_stop_then_starts(void **state)
{
    static const struct row rows[] = {
        { REMOVE, C, 1000, 0, MACHINE_STOPPING, 10000, "stop current" },
        { START, C, 1001, 0, MACHINE_STOPPING, 9999, "" },
        { ENDED, C, 1002, -1, MACHINE_STOPPING, 9998, "stop rest of current" },
        { GONE, C, 1003, 0, MACHINE_STARTING, OFF, "stopped ok, guard" },
        { CLEARED, C, 1004, 0, MACHINE_STARTING, 30000, "spawn current" },
    };
    struct machine machine = taken_up(MACHINE_PHASE_STOPPING, MACHINE_PHASE_NONE);

    for (size_t i = 0; i < COUNT_OF(rows); i++)
        run_row(&unit, &machine, &rows[i], i);
    assert_int_equal(machine.generations[C].number, 3);
}

/* A deadline in a phase that has none: nothing is done, and it goes. */
static void forgets_a_deadline_without_a_meaning(void **state)
{
    static const struct row rows[] = {
        { TIMER, C, 1000, 0, MACHINE_READY, OFF, "" },
    };
    struct machine machine = taken_up(MACHINE_PHASE_READY, MACHINE_PHASE_NONE);

    machine.generations[C].deadline_ms = 1000;
    run_row(&unit, &machine, &rows[0], 0);
}

/* ---- Small things ---------------------------------------------------------------------------- */

static void ignores_what_makes_no_sense(void **state)
{
    static const struct row rows[] = {
        { READY, C, 1, 0, MACHINE_STARTING, OFF, "" },
        { SICK, C, 1, 0, MACHINE_STARTING, OFF, "" },
        { WELL, C, 1, 0, MACHINE_STARTING, OFF, "" },
        { ENDED, C, 1, 0, MACHINE_STARTING, OFF, "" },
        { GONE, C, 1, 0, MACHINE_STARTING, OFF, "" },
        { DISPLACED, C, 1, 0, MACHINE_STARTING, OFF, "" },
        { REMOVE, C, 1, 0, MACHINE_STARTING, OFF, "" },
        { EXTEND, C, 1, 0, MACHINE_STARTING, OFF, "" },
        { TIMER, C, 1, 0, MACHINE_STARTING, OFF, "" },
        { AGAIN, C, 1, 0, MACHINE_STARTING, OFF, "" },
        { MACHINE_EVENT_COUNT, C, 1, 0, MACHINE_STARTING, OFF, "" },
        { CLEARED, C, 1000, 0, MACHINE_STARTING, 30000, "spawn current" },
        { CLEARED, C, 1000, 0, MACHINE_STARTING, 30000, "" },
        { REFUSED, C, 1000, 0, MACHINE_STARTING, 30000, "" },
        { STAND_BY, C, 1000, 0, MACHINE_STARTING, 30000, "" },
        { GONE, C, 1000, 0, MACHINE_STARTING, 30000, "" },
        { ENDED, N, 1000, 0, MACHINE_STARTING, 30000, "" },
        { READY, N, 1000, 0, MACHINE_STARTING, 30000, "" },
        { READY, C, 1000, 0, MACHINE_READY, OFF, "start ok" },
        { READY, C, 1000, 0, MACHINE_READY, OFF, "" },
        { ENDED, C, 2000, 1, MACHINE_STOPPING, 1000, "kill current" },
        { ENDED, C, 2000, 0, MACHINE_STOPPING, 1000, "" },
        { GONE, C, 2000, 0, MACHINE_STARTING, OFF, "guard" },
    };

    (void)RUN(unit, rows);
}

/* A state that no value of its own stands for is a mistake of ours, told as the safest one. */
static void names_states_and_phases(void **state)
{
    struct machine machine = { .activity = MACHINE_ACTIVITY_COUNT };

    for (int i = 0; i < MACHINE_STATE_COUNT; i++)
        assert_true(machine_state_name((enum machine_state)i)[0] != '\0');
    for (int i = 0; i < MACHINE_PHASE_COUNT; i++)
        assert_true(machine_phase_name((enum machine_phase)i)[0] != '\0');
    assert_string_equal(machine_phase_name(MACHINE_PHASE_UNHEALTHY), "unhealthy");
    assert_int_equal(machine_state(&machine), MACHINE_STOPPED);
    machine = (struct machine) { .activity = MACHINE_RUNS };
    assert_int_equal(machine_state(&machine), MACHINE_STARTING);
    machine.generations[C].phase = MACHINE_PHASE_COUNT;
    assert_int_equal(machine_state(&machine), MACHINE_STARTING);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(starts_and_stops),
        cmocka_unit_test(climbs_the_ladder_of_a_stop),
        cmocka_unit_test(counts_kills_that_were_asked_for),
        cmocka_unit_test(stops_whatever_is_under_way),
        cmocka_unit_test(starts_again_after_a_stop_that_is_under_way),
        cmocka_unit_test(gives_more_time_when_asked),
        cmocka_unit_test(restarts_a_good_run_at_once),
        cmocka_unit_test(pauses_after_a_short_run_with_a_slow_end),
        cmocka_unit_test(counts_the_time_before_readiness_was_known),
        cmocka_unit_test(backs_off_doubling_then_fails),
        cmocka_unit_test(ends_when_failed_if_told_so),
        cmocka_unit_test(follows_the_policy),
        cmocka_unit_test(tries_once_by_hand),
        cmocka_unit_test(passes_on_the_code_of_a_first_run),
        cmocka_unit_test(keeps_a_service_that_was_ready_once),
        cmocka_unit_test(ends_a_units_start_that_is_refused),
        cmocka_unit_test(restarts_what_is_sick),
        cmocka_unit_test(leaves_the_sick_alone_if_told_so),
        cmocka_unit_test(keeps_the_clean_end_of_a_sick_one_a_failure),
        cmocka_unit_test(restarts_one_after_the_other),
        cmocka_unit_test(restarts_what_is_starting_or_ending),
        cmocka_unit_test(restarts_by_overlap),
        cmocka_unit_test(removes_a_next_that_fails),
        cmocka_unit_test(goes_on_with_next_when_current_dies),
        cmocka_unit_test(restarts_again_when_the_old_one_is_gone),
        cmocka_unit_test(restarts_again_one_after_the_other),
        cmocka_unit_test(stops_both_of_an_overlap),
        cmocka_unit_test(stands_by_and_takes_over),
        cmocka_unit_test(removes_one_of_two),
        cmocka_unit_test(finishes_a_stop_then_starts),
        cmocka_unit_test(forgets_a_deadline_without_a_meaning),
        cmocka_unit_test(ignores_what_makes_no_sense),
        cmocka_unit_test(names_states_and_phases),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
