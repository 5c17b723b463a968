#include "world.h"

#include <stdio.h>
#include <string.h>

#include "banned.h"

#define SETTLE_STEPS_MAX 500

/* The first broken rule is the one that is told. */
static void check(struct world *world, bool holds, const char *rule)
{
    if (!holds && world->broken[0] == '\0')
        (void)snprintf(world->broken, sizeof world->broken, "%s", rule);
}

static bool exists(const struct world_slot *slot)
{
    return slot->life != WORLD_NOTHING;
}

/* Its end has begun, whoever began it. */
static bool is_ending(const struct world_slot *slot)
{
    return slot->life == WORLD_REST || slot->stopped || slot->kills > 0;
}

static bool is_empty(const struct world *world)
{
    return !exists(&world->slots[MACHINE_CURRENT]) && !exists(&world->slots[MACHINE_NEXT]);
}

static bool somebody_serves(const struct world *world)
{
    return world->slots[MACHINE_CURRENT].ready || world->slots[MACHINE_NEXT].ready;
}

static bool is_first(const struct world *world)
{
    return world->config->by_hand && !world->ever_ready;
}

/* Nothing runs, is asked or was given up: a time has to pass. */
static bool is_waiting(const struct world *world)
{
    return is_empty(world) && !world->guard_runs && !world->stands_by && !world->gave_up &&
            !world->done;
}

void world_init(struct world *world, const struct machine_config *config)
{
    memset(world, 0, sizeof *world);
    world->config = config;
    world->now_ms = 1000000;
    world->guard_runs = true;
    machine_init(&world->machine, config, 1);
}

static void adopt_slot(struct world *world, enum machine_slot slot, enum machine_phase phase)
{
    bool serves = phase == MACHINE_PHASE_READY || phase == MACHINE_PHASE_UNHEALTHY;
    bool starts = phase == MACHINE_PHASE_STARTING;

    if (phase == MACHINE_PHASE_NONE)
        return;
    world->last_number++;
    world->machine.generations[slot] = (struct machine_generation) {
        .phase = phase,
        .number = world->last_number,
        .spawned_ms = world->now_ms,
        .ready_ms = starts ? 0 : world->now_ms,
        .deadline_ms = serves ? MACHINE_NEVER : world->now_ms + world->config->stop_timeout_ms,
        .kills = phase == MACHINE_PHASE_KILLING,
        .asked = !serves && !starts,
        .exit_code = -1,
    };
    world->slots[slot] = (struct world_slot) {
        .life = WORLD_RUNS,
        .number = world->last_number,
        .ready = serves,
        .was_ready = !starts,
        .ready_ms = world->now_ms,
        .sick = phase == MACHINE_PHASE_UNHEALTHY,
        .stopped = !serves && !starts,
        .kills = phase == MACHINE_PHASE_KILLING,
        .all_kills = phase == MACHINE_PHASE_KILLING,
        .unwanted = !serves && !starts,
    };
}

void world_adopt(struct world *world, const struct machine_config *config,
        enum machine_phase current, enum machine_phase next)
{
    world_init(world, config);
    world->guard_runs = false;
    world->ever_ready = true;
    world->machine.activity = MACHINE_RUNS;
    world->machine.first = false;
    adopt_slot(world, MACHINE_CURRENT, current);
    adopt_slot(world, MACHINE_NEXT, next);
    world->machine.last_number = world->last_number;
}

bool world_makes_sense(const struct world *world, const struct machine_event *event)
{
    const struct world_slot *slot = &world->slots[event->slot];

    if (world->done)
        return false;
    switch (event->kind) {
    case MACHINE_EVENT_CLEARED:
    case MACHINE_EVENT_REFUSED:
    case MACHINE_EVENT_STAND_BY:
        return world->guard_runs;
    case MACHINE_EVENT_GUARD_AGAIN:
        return world->stands_by;
    case MACHINE_EVENT_SPAWN_FAILED:
    case MACHINE_EVENT_MAIN_ENDED:
        return slot->life == WORLD_RUNS;
    case MACHINE_EVENT_TREE_GONE:
        return slot->life == WORLD_REST;
    case MACHINE_EVENT_IS_READY:
        return slot->life == WORLD_RUNS && !slot->ready && !is_ending(slot);
    case MACHINE_EVENT_IS_SICK:
        return slot->ready;
    case MACHINE_EVENT_IS_WELL:
        return slot->ready && slot->sick;
    case MACHINE_EVENT_DISPLACED:
        return slot->life == WORLD_RUNS && !is_ending(slot);
    case MACHINE_EVENT_REMOVE:
        return exists(slot);
    case MACHINE_EVENT_EXTEND:
        return exists(slot) && !slot->ready && slot->kills == 0;
    case MACHINE_EVENT_TIMER:
        return world->now_ms >= machine_deadline(&world->machine);
    case MACHINE_EVENT_ASK_START:
    case MACHINE_EVENT_ASK_STOP:
    case MACHINE_EVENT_ASK_KILL:
    case MACHINE_EVENT_ASK_RESTART:
        return true;
    case MACHINE_EVENT_COUNT:
        break;
    }
    return false;
}

/* ---- What an event means before the machine has said anything -------------------------------- */

static void end_begins(const struct world *world, struct world_slot *slot)
{
    if (is_ending(slot))
        return;
    slot->stable = slot->was_ready && world->now_ms - slot->ready_ms >= MACHINE_STABLE_MS;
}

/* The one generation that there is has to make room, unless another one can be started beside it.
 */
static void take_restart(const struct world *world, struct world_slot *only)
{
    if (!(world->config->overlap && only->ready))
        only->unwanted = true;
}

/* A restart that could not begin while there were two begins with the one that is left. */
static void take_gone(struct world *world, enum machine_slot number)
{
    struct world_slot *current = &world->slots[MACHINE_CURRENT];
    struct world_slot *next = &world->slots[MACHINE_NEXT];

    world->slots[number].life = WORLD_NOTHING;
    if (!world->restart_waits)
        return;
    if (number == MACHINE_NEXT && (next->was_ready || next->unwanted))
        take_restart(world, current);
    if (number == MACHINE_CURRENT && next->ready)
        take_restart(world, next);
}

static void take_ask(struct world *world, enum machine_event_kind kind)
{
    bool starts = kind == MACHINE_EVENT_ASK_START || kind == MACHINE_EVENT_ASK_RESTART;
    bool joins = kind == MACHINE_EVENT_ASK_RESTART && world->restart_waits;

    if (kind == MACHINE_EVENT_ASK_START)
        world->start_waits = true;
    if (kind == MACHINE_EVENT_ASK_RESTART)
        world->restart_waits = true;
    if (starts && !joins) {
        if (is_waiting(world) || world->gave_up)
            world->short_runs = 0;
        if (kind == MACHINE_EVENT_ASK_RESTART && !world->stop_wanted &&
                exists(&world->slots[MACHINE_CURRENT]) && !exists(&world->slots[MACHINE_NEXT]))
            take_restart(world, &world->slots[MACHINE_CURRENT]);
        world->gave_up = false;
        world->stop_wanted = false;
    }
    if (kind == MACHINE_EVENT_ASK_STOP || kind == MACHINE_EVENT_ASK_KILL) {
        world->stop_waits = true;
        world->stop_wanted = true;
        world->gave_up = false;
        for (int i = 0; i < MACHINE_SLOT_COUNT; i++)
            world->slots[i].unwanted = true;
    }
}

static void take_end(struct world *world, const struct machine_event *event)
{
    struct world_slot *slot = &world->slots[event->slot];

    end_begins(world, slot);
    slot->life = WORLD_REST;
    slot->ready = false;
    slot->code = event->code;
    slot->clean = event->clean;
    slot->prevented = event->prevented;
}

static void take_event(struct world *world, const struct machine_event *event)
{
    struct world_slot *slot = &world->slots[event->slot];

    switch (event->kind) {
    case MACHINE_EVENT_CLEARED:
    case MACHINE_EVENT_REFUSED:
        world->guard_runs = false;
        break;
    case MACHINE_EVENT_STAND_BY:
        world->guard_runs = false;
        world->stands_by = true;
        break;
    case MACHINE_EVENT_GUARD_AGAIN:
        world->stands_by = false;
        break;
    case MACHINE_EVENT_SPAWN_FAILED:
    case MACHINE_EVENT_MAIN_ENDED:
        take_end(world, event);
        break;
    case MACHINE_EVENT_TREE_GONE:
        take_gone(world, event->slot);
        break;
    case MACHINE_EVENT_IS_READY:
        slot->ready = slot->was_ready = true;
        slot->ready_ms = world->now_ms - event->ms;
        world->ever_ready = true;
        if (event->slot == MACHINE_NEXT && !is_ending(&world->slots[MACHINE_CURRENT]))
            world->slots[MACHINE_CURRENT].unwanted = true;
        break;
    case MACHINE_EVENT_IS_SICK:
        slot->sick = true;
        break;
    case MACHINE_EVENT_IS_WELL:
        slot->sick = false;
        break;
    case MACHINE_EVENT_DISPLACED:
        slot->end_code = event->code;
        break;
    case MACHINE_EVENT_REMOVE:
        slot->unwanted = true;
        break;
    case MACHINE_EVENT_ASK_START:
    case MACHINE_EVENT_ASK_STOP:
    case MACHINE_EVENT_ASK_KILL:
    case MACHINE_EVENT_ASK_RESTART:
        take_ask(world, event->kind);
        break;
    case MACHINE_EVENT_EXTEND:
    case MACHINE_EVENT_TIMER:
    case MACHINE_EVENT_COUNT:
        break;
    }
}

/* ---- Actions --------------------------------------------------------------------------------- */

static void do_spawn(struct world *world, const struct machine_event *event, enum machine_slot slot)
{
    const struct world_slot *current = &world->slots[MACHINE_CURRENT];

    check(world, !world->stop_wanted, "a stop wins: nothing is spawned after it");
    check(world, !exists(&world->slots[slot]), "nothing is spawned into an occupied slot");
    if (slot == MACHINE_CURRENT) {
        check(world, event->kind == MACHINE_EVENT_CLEARED, "current is spawned when cleared");
        check(world, is_empty(world), "current is spawned when nothing is left");
    } else {
        check(world, world->config->overlap, "next is spawned in an overlap only");
        check(world, current->ready, "next is spawned beside one that serves");
        check(world, world->restart_waits, "next is spawned for a restart");
    }
    world->last_number++;
    world->slots[slot] = (struct world_slot) { .life = WORLD_RUNS, .number = world->last_number };
    check(world, world->machine.generations[slot].number == world->last_number,
            "generations are numbered one by one");
}

static void do_stop(
        struct world *world, const struct machine_event *event, enum machine_slot number)
{
    struct world_slot *slot = &world->slots[number];
    bool late = event->kind == MACHINE_EVENT_TIMER && !slot->was_ready;
    bool sick = event->kind == MACHINE_EVENT_IS_SICK && world->config->restart_on_unhealthy;
    bool displaced = event->kind == MACHINE_EVENT_DISPLACED;

    check(world, slot->life == WORLD_RUNS, "what is told to stop runs");
    check(world, slot->unwanted || late || sick || displaced,
            "nothing is stopped without a reason");
    check(world, !is_ending(slot) || event->kind == MACHINE_EVENT_REMOVE,
            "what is told to stop was not ending already");
    end_begins(world, slot);
    slot->stopped = true;
    slot->ready = false;
    slot->kills = 0;
    slot->failed = slot->failed || !slot->unwanted;
}

static void do_kill(
        struct world *world, const struct machine_event *event, enum machine_slot number)
{
    struct world_slot *slot = &world->slots[number];
    bool asked = event->kind == MACHINE_EVENT_ASK_KILL;

    check(world, exists(slot), "what is killed exists");
    check(world, asked || is_ending(slot), "what is killed was told to stop, or has ended");
    check(world, asked || event->kind == MACHINE_EVENT_TIMER || slot->kills == 0,
            "killing again waits for the timer");
    end_begins(world, slot);
    slot->ready = false;
    slot->kills++;
    slot->all_kills++;
}

static void do_answer(
        struct world *world, const struct machine_event *event, const struct machine_action *action)
{
    uint32_t kills = 0;

    for (int i = 0; i < MACHINE_SLOT_COUNT; i++)
        if (exists(&world->slots[i]) && world->slots[i].all_kills > kills)
            kills = world->slots[i].all_kills;
    if (action->kind == MACHINE_ACT_ANSWER_START) {
        bool good = !world->stop_wanted && (somebody_serves(world) || world->stands_by);

        check(world, action->ok == good, "a start succeeds when somebody serves, and only then");
        world->start_waits = false;
    } else if (action->kind == MACHINE_ACT_ANSWER_STOP) {
        check(world, !action->ok || is_empty(world), "a stop succeeds when nothing is left");
        check(world, action->ok || kills >= MACHINE_KILL_TRIES,
                "a stop fails after all tries to kill");
        world->stop_waits = false;
    } else {
        check(world, world->restart_waits, "a restart that was asked for is answered");
        check(world, !action->ok || event->kind == MACHINE_EVENT_IS_READY,
                "a restart succeeds when a generation becomes ready");
        check(world, action->ok || event->kind != MACHINE_EVENT_IS_READY,
                "a restart does not fail when a generation becomes ready");
        world->restart_waits = false;
    }
}

static void do_action(
        struct world *world, const struct machine_event *event, const struct machine_action *action)
{
    struct world_slot *slot = &world->slots[action->slot];

    check(world, !world->done, "nothing is done after the end");
    switch (action->kind) {
    case MACHINE_ACT_GUARD:
        check(world, is_empty(world), "the guard begins when nothing is left");
        check(world, !world->guard_runs && !world->stands_by, "the guard begins once");
        check(world, !world->stop_wanted, "a stop wins: the guard does not begin");
        check(world, !world->gave_up, "who gave up does not begin again");
        world->guard_runs = true;
        break;
    case MACHINE_ACT_GUARD_CANCEL:
        check(world, world->guard_runs || world->stands_by, "a guard that runs is cancelled");
        check(world, world->stop_wanted, "the guard is cancelled for a stop");
        world->guard_runs = world->stands_by = false;
        break;
    case MACHINE_ACT_SPAWN:
        do_spawn(world, event, action->slot);
        break;
    case MACHINE_ACT_STOP:
        do_stop(world, event, action->slot);
        break;
    case MACHINE_ACT_STOP_REST:
        check(world, slot->life == WORLD_REST, "the rest is told to stop after the main process");
        check(world, slot->stopped && slot->kills == 0, "the rest of a stop that is under way");
        break;
    case MACHINE_ACT_KILL:
        do_kill(world, event, action->slot);
        break;
    case MACHINE_ACT_PROMOTE:
        check(world, !exists(&world->slots[MACHINE_CURRENT]), "the place of current is free");
        check(world, exists(&world->slots[MACHINE_NEXT]), "there is one to promote");
        world->slots[MACHINE_CURRENT] = world->slots[MACHINE_NEXT];
        world->slots[MACHINE_NEXT] = (struct world_slot) { .life = WORLD_NOTHING };
        break;
    case MACHINE_ACT_CLOSE_SOCKETS:
        check(world, is_empty(world), "nobody needs the sockets any more");
        world->gave_up = true;
        break;
    case MACHINE_ACT_ANSWER_START:
    case MACHINE_ACT_ANSWER_STOP:
    case MACHINE_ACT_ANSWER_RESTART:
        do_answer(world, event, action);
        break;
    case MACHINE_ACT_EXIT:
        check(world, is_empty(world), "the end comes when no process is left");
        check(world, !world->start_waits && !world->stop_waits && !world->restart_waits,
                "everybody is answered before the end");
        world->done = true;
        world->exit_code = action->code;
        break;
    case MACHINE_ACT_COUNT:
        check(world, false, "an action has a kind");
        break;
    }
}

/* ---- What must have followed ----------------------------------------------------------------- */

static bool is_restarted(const struct world *world, const struct world_slot *ended)
{
    bool clean = ended->clean && !ended->failed;

    if (ended->prevented)
        return false;
    return world->config->restart == MACHINE_RESTART_ALWAYS ||
            (world->config->restart == MACHINE_RESTART_ON_FAILURE && !clean);
}

static void expect_end(struct world *world, int code)
{
    check(world, world->done, "this was the end");
    check(world, world->exit_code == code, "the exit code says how it ended");
}

static void expect_pause(struct world *world)
{
    world->short_runs++;
    if (world->config->backoff.burst > 0 && world->short_runs > world->config->backoff.burst) {
        check(world, world->gave_up, "too many short runs are given up");
        if (world->config->exit_when_failed)
            expect_end(world, 1);
        else
            check(world, !world->done, "a supervisor that gave up stays");
    } else {
        check(world, is_waiting(world), "a short run is followed by a pause");
    }
    check(world, !world->start_waits && !world->restart_waits,
            "who waits for a start is told before the pause");
}

static int expected_code(const struct world *world, const struct world_slot *ended)
{
    if (is_first(world)) {
        if (ended->end_code != 0)
            return ended->end_code;
        return world->config->exit_with_instance && ended->code > 0 ? ended->code : 1;
    }
    if (world->config->exit_with_instance && ended->code >= 0)
        return ended->code;
    return ended->clean && !ended->failed ? 0 : 1;
}

/* The last generation is gone. */
static void check_last_gone(struct world *world, const struct world_slot *ended)
{
    if (world->stop_wanted) {
        expect_end(world, 0);
    } else if (ended->unwanted) {
        check(world, world->guard_runs, "a restart goes on with the guard");
    } else if (is_first(world) || !is_restarted(world, ended)) {
        expect_end(world, expected_code(world, ended));
    } else if (ended->stable) {
        world->restarts++;
        world->short_runs = 0;
        check(world, world->guard_runs, "a good run is restarted at once");
    } else {
        world->restarts++;
        expect_pause(world);
    }
}

static void check_refused(struct world *world, const struct machine_event *event)
{
    if (world->last_number == 0 || is_first(world))
        expect_end(world, event->code);
    else
        expect_pause(world);
}

static void check_sick(struct world *world, const struct machine_event *event)
{
    const struct world_slot *slot = &world->slots[event->slot];
    bool alone = !exists(&world->slots[MACHINE_NEXT]);

    check(world, is_ending(slot) == (alone && world->config->restart_on_unhealthy),
            "a sick one is restarted if it is alone and the policy says so");
}

static void check_asked(struct world *world, enum machine_event_kind kind)
{
    for (int i = 0; i < MACHINE_SLOT_COUNT; i++) {
        const struct world_slot *slot = &world->slots[i];

        if (world->stop_wanted)
            check(world, !exists(slot) || is_ending(slot), "a stop reaches every generation");
        if (kind == MACHINE_EVENT_ASK_KILL)
            check(world, !exists(slot) || slot->kills > 0, "a kill reaches every generation");
    }
    if (world->stop_wanted && is_empty(world))
        expect_end(world, 0);
    if (kind == MACHINE_EVENT_ASK_START || kind == MACHINE_EVENT_ASK_RESTART)
        check(world, !is_waiting(world) && !world->gave_up, "an asked start begins at once");
    if (kind == MACHINE_EVENT_ASK_START)
        check(world, !world->start_waits || !somebody_serves(world),
                "who asks for a start of what serves is answered");
}

static void check_timer(struct world *world, const struct world *before)
{
    check(world, machine_deadline(&world->machine) > world->now_ms, "time that is up is used");
    if (is_waiting(before))
        check(world, world->guard_runs, "a pause ends with the guard");
    for (int i = 0; i < MACHINE_SLOT_COUNT; i++) {
        const struct world_slot *slot = &world->slots[i];
        const struct machine_generation *life = &before->machine.generations[i];

        if (!exists(slot) || slot->ready || life->deadline_ms > world->now_ms)
            continue;
        check(world, is_ending(slot), "what is not ready in time is stopped");
        if (is_ending(&before->slots[i]))
            check(world, slot->kills > 0, "what does not stop in time is killed");
    }
}

static void check_event(
        struct world *world, const struct world *before, const struct machine_event *event)
{
    struct world_slot ended = before->slots[event->slot];

    switch (event->kind) {
    case MACHINE_EVENT_CLEARED:
        check(world, world->slots[MACHINE_CURRENT].life == WORLD_RUNS, "cleared means go");
        break;
    case MACHINE_EVENT_REFUSED:
        check_refused(world, event);
        break;
    case MACHINE_EVENT_STAND_BY:
        check(world, !world->start_waits && !world->restart_waits,
                "nobody waits for a standby's turn");
        break;
    case MACHINE_EVENT_GUARD_AGAIN:
        check(world, world->guard_runs, "a standby whose turn it is guards");
        break;
    case MACHINE_EVENT_TREE_GONE:
        if (is_empty(world))
            check_last_gone(world, &ended);
        break;
    case MACHINE_EVENT_IS_READY:
        check(world, !world->start_waits && !world->restart_waits, "ready answers who waits");
        if (event->slot == MACHINE_NEXT)
            check(world, is_ending(&world->slots[MACHINE_CURRENT]), "the old one goes");
        break;
    case MACHINE_EVENT_IS_SICK:
        check_sick(world, event);
        break;
    case MACHINE_EVENT_DISPLACED:
    case MACHINE_EVENT_SPAWN_FAILED:
    case MACHINE_EVENT_MAIN_ENDED:
    case MACHINE_EVENT_REMOVE:
        check(world, is_ending(&world->slots[event->slot]), "this is the end of a generation");
        break;
    case MACHINE_EVENT_ASK_START:
    case MACHINE_EVENT_ASK_STOP:
    case MACHINE_EVENT_ASK_KILL:
    case MACHINE_EVENT_ASK_RESTART:
        check_asked(world, event->kind);
        break;
    case MACHINE_EVENT_TIMER:
        check_timer(world, before);
        break;
    case MACHINE_EVENT_EXTEND:
        check(world, world->actions.count == 0, "more time is all that it gets");
        check(world,
                world->machine.generations[event->slot].deadline_ms >=
                        before->machine.generations[event->slot].deadline_ms,
                "more time is not less");
        check(world,
                world->machine.generations[event->slot].deadline_ms >= world->now_ms + event->ms,
                "it gets the time that it asks for");
        break;
    case MACHINE_EVENT_IS_WELL:
    case MACHINE_EVENT_COUNT:
        break;
    }
}

/* What concerns 'next' alone is not noticed by 'current'. */
static void check_quiet_current(struct world *world, const struct machine_event *event)
{
    bool alone = event->kind == MACHINE_EVENT_MAIN_ENDED ||
            event->kind == MACHINE_EVENT_SPAWN_FAILED || event->kind == MACHINE_EVENT_IS_SICK ||
            event->kind == MACHINE_EVENT_IS_WELL || event->kind == MACHINE_EVENT_DISPLACED ||
            event->kind == MACHINE_EVENT_REMOVE;

    for (size_t i = 0; alone && event->slot == MACHINE_NEXT && i < world->actions.count; i++)
        check(world, world->actions.list[i].slot == MACHINE_NEXT, "current does not notice next");
}

static enum machine_state expected_state(const struct world *world)
{
    const struct world_slot *current = &world->slots[MACHINE_CURRENT];

    if (world->done)
        return MACHINE_STOPPED;
    if (world->stands_by)
        return MACHINE_STANDBY;
    if (world->guard_runs)
        return MACHINE_STARTING;
    if (world->gave_up)
        return MACHINE_FAILED;
    if (is_waiting(world))
        return MACHINE_BACKOFF;
    if (world->stop_wanted)
        return MACHINE_STOPPING;
    if (exists(&world->slots[MACHINE_NEXT]))
        return MACHINE_REPLACING;
    if (is_ending(current))
        return world->restart_waits ? MACHINE_REPLACING : MACHINE_STOPPING;
    if (!current->ready)
        return MACHINE_STARTING;
    return current->sick ? MACHINE_UNHEALTHY : MACHINE_READY;
}

static void check_always(struct world *world)
{
    bool timed = is_waiting(world);

    for (int i = 0; i < MACHINE_SLOT_COUNT; i++)
        timed = timed || (exists(&world->slots[i]) && !world->slots[i].ready);
    check(world, (machine_deadline(&world->machine) != MACHINE_NEVER) == timed,
            "a timer runs for what may not come, and for nothing else");
    check(world, machine_state(&world->machine) == expected_state(world),
            "the state says what there is");
    check(world, world->machine.restarts == world->restarts,
            "restarts are counted that nobody asked for");
    check(world, !exists(&world->slots[MACHINE_NEXT]) || exists(&world->slots[MACHINE_CURRENT]),
            "next alone is current");
    check(world, world->actions.count < MACHINE_ACTIONS_MAX, "all actions have room");
    check(world, !is_first(world) || !(is_waiting(world) || world->gave_up),
            "a first start by hand is not tried again");
    check(world, world->done || world->stop_waits || !world->stop_wanted || !is_empty(world),
            "a stop ends");
}

bool world_step(struct world *world, struct machine_event event)
{
    struct world before = *world;
    bool sensible = world_makes_sense(world, &event);

    event.now_ms = world->now_ms;
    world->actions.count = 0;
    memcpy(&before.machine, &world->machine, sizeof before.machine);
    machine_step(world->config, &world->machine, &event, &world->actions);
    if (!sensible) {
        check(world, world->actions.count == 0, "what makes no sense has no consequence");
        check(world, memcmp(&before.machine, &world->machine, sizeof before.machine) == 0,
                "what makes no sense changes nothing");
        return world->broken[0] == '\0';
    }
    take_event(world, &event);
    for (size_t i = 0; i < world->actions.count; i++)
        do_action(world, &event, &world->actions.list[i]);
    check_event(world, &before, &event);
    check_quiet_current(world, &event);
    check_always(world);
    return world->broken[0] == '\0';
}

/* ---- Going on -------------------------------------------------------------------------------- */

static bool slot_goes_on(const struct world *world, enum machine_slot number,
        enum world_manner manner, struct machine_event *ret_event)
{
    const struct world_slot *slot = &world->slots[number];
    bool dies = manner == WORLD_HANGS ? slot->kills > 0 : manner != WORLD_IMMORTAL;

    *ret_event = (struct machine_event) { .slot = number };
    if (slot->life == WORLD_REST && dies) {
        ret_event->kind = MACHINE_EVENT_TREE_GONE;
        return true;
    }
    if (slot->life != WORLD_RUNS)
        return false;
    if (is_ending(slot) && dies) {
        ret_event->kind = MACHINE_EVENT_MAIN_ENDED;
        ret_event->clean = true;
        return true;
    }
    if (is_ending(slot) || slot->ready || manner == WORLD_HANGS || manner == WORLD_IMMORTAL)
        return false;
    ret_event->kind = MACHINE_EVENT_MAIN_ENDED;
    ret_event->code = 1;
    if (manner != WORLD_CRASHES)
        ret_event->kind = MACHINE_EVENT_IS_READY;
    return true;
}

/* What happens next by itself; false when nothing does. */
static bool goes_on(struct world *world, enum world_manner manner, struct machine_event *ret_event)
{
    int64_t deadline_ms = machine_deadline(&world->machine);

    if (world->done)
        return false;
    if (world->guard_runs) {
        *ret_event = (struct machine_event) {
            .kind = manner == WORLD_REFUSES ? MACHINE_EVENT_REFUSED : MACHINE_EVENT_CLEARED,
            .code = 10,
        };
        return true;
    }
    for (enum machine_slot slot = MACHINE_CURRENT; slot < MACHINE_SLOT_COUNT; slot++)
        if (slot_goes_on(world, slot, manner, ret_event))
            return true;
    if (deadline_ms == MACHINE_NEVER)
        return false;
    if (deadline_ms > world->now_ms)
        world->now_ms = deadline_ms;
    *ret_event = (struct machine_event) { .kind = MACHINE_EVENT_TIMER };
    return true;
}

static bool somebody_waits(const struct world *world, enum world_manner manner)
{
    if (world->stop_waits)
        return true;
    if (manner == WORLD_IMMORTAL && !is_empty(world))
        return false; /* what never goes keeps the next one waiting */
    return world->start_waits || world->restart_waits || (world->stop_wanted && !world->done);
}

bool world_settle(struct world *world, enum world_manner manner)
{
    for (int steps = 0; steps < SETTLE_STEPS_MAX; steps++) {
        struct machine_event event;

        if (manner == WORLD_IMMORTAL && !is_empty(world) && !world->stop_waits)
            return true; /* nothing but more kills follows */
        if (!goes_on(world, manner, &event)) {
            check(world, !somebody_waits(world, manner), "nothing happens and somebody waits");
            check(world,
                    world->done || world->gave_up || world->stands_by ||
                            world->slots[MACHINE_CURRENT].ready,
                    "nothing happens and nobody serves");
            return world->broken[0] == '\0';
        }
        if (!world_step(world, event))
            return false;
    }
    check(world, !somebody_waits(world, manner), "somebody is never answered");
    return world->broken[0] == '\0';
}
