#include "machine.h"

#include "machine_parts.h"

#include "banned.h"

static void timer(const struct machine_config *config, struct machine *machine, int64_t now_ms,
        struct machine_actions *actions)
{
    if (machine->activity == MACHINE_WAITS && now_ms >= machine->wait_until_ms)
        machine_begin_guard(machine, actions);
    for (enum machine_slot slot = MACHINE_CURRENT; slot < MACHINE_SLOT_COUNT; slot++)
        machine_slot_timer(config, machine, slot, now_ms, actions);
}

static void refused(const struct machine_config *config, struct machine *machine,
        const struct machine_event *event, struct machine_actions *actions)
{
    if (machine->activity != MACHINE_GUARDS)
        return;
    if (machine->last_number > 0 && !machine->first) {
        /* Not the first start: somebody took the place meanwhile, and may go again. */
        machine_count_failure(config, machine, event->now_ms, actions);
        return;
    }
    machine_answer(actions, MACHINE_ACT_ANSWER_START, false);
    machine_answer_restart(machine, actions, false);
    machine_finish(machine, actions, event->code);
}

/* Nobody knows when the other one ends: who waits is not kept waiting for it. */
static void stand_by(struct machine *machine, struct machine_actions *actions)
{
    if (machine->activity != MACHINE_GUARDS)
        return;
    machine->activity = MACHINE_STANDS_BY;
    machine_answer(actions, MACHINE_ACT_ANSWER_START, true);
    machine_answer_restart(machine, actions, false);
}

static void ask_start(struct machine *machine, struct machine_actions *actions)
{
    switch (machine->activity) {
    case MACHINE_WAITS:
    case MACHINE_GAVE_UP:
        backoff_clear(&machine->backoff);
        machine_begin_guard(machine, actions);
        break;
    case MACHINE_RUNS:
        if (machine->want_down)
            machine->want_down = false;
        else if (machine_serves(machine_current(machine)) || machine_serves(machine_next(machine)))
            machine_answer(actions, MACHINE_ACT_ANSWER_START, true);
        break;
    case MACHINE_STANDS_BY:
        machine_answer(actions, MACHINE_ACT_ANSWER_START, true);
        break;
    case MACHINE_GUARDS:
    case MACHINE_DONE:
    case MACHINE_ACTIVITY_COUNT:
        break;
    }
}

static void ask_restart(const struct machine_config *config, struct machine *machine,
        const struct machine_event *event, struct machine_actions *actions)
{
    if (machine->activity == MACHINE_DONE || machine->restart_asked)
        return;
    machine->restart_asked = true;
    if (machine->activity == MACHINE_STANDS_BY)
        machine_answer_restart(machine, actions, false);
    else if (machine->activity != MACHINE_RUNS || machine->want_down)
        ask_start(machine, actions);
    else if (machine_next(machine)->phase == MACHINE_PHASE_NONE)
        machine_begin_restart(config, machine, event->now_ms, actions);
    /* Else the former restart's old generation is still going: this one begins after it. */
}

static void ask_stop(const struct machine_config *config, struct machine *machine,
        const struct machine_event *event, struct machine_actions *actions)
{
    bool kill = event->kind == MACHINE_EVENT_ASK_KILL;

    if (machine->activity == MACHINE_DONE)
        return;
    machine->want_down = true;
    machine_answer(actions, MACHINE_ACT_ANSWER_START, false);
    machine_answer_restart(machine, actions, false);
    if (machine->activity != MACHINE_RUNS) {
        if (machine->activity == MACHINE_GUARDS || machine->activity == MACHINE_STANDS_BY)
            machine_act(actions, (struct machine_action) { .kind = MACHINE_ACT_GUARD_CANCEL });
        machine_answer(actions, MACHINE_ACT_ANSWER_STOP, true);
        machine_finish(machine, actions, 0);
        return;
    }
    for (enum machine_slot slot = MACHINE_CURRENT; slot < MACHINE_SLOT_COUNT; slot++) {
        struct machine_generation *generation = &machine->generations[slot];

        if (generation->phase == MACHINE_PHASE_NONE)
            continue;
        generation->asked = true;
        if (kill)
            machine_begin_kill(machine, slot, event->now_ms, actions);
        else if (generation->phase != MACHINE_PHASE_STOPPING &&
                generation->phase != MACHINE_PHASE_KILLING)
            machine_begin_stop(config, machine, slot, event->now_ms, actions);
    }
}

void machine_init(struct machine *machine, const struct machine_config *config, uint64_t random)
{
    *machine = (struct machine) { .activity = MACHINE_GUARDS, .first = config->by_hand };
    machine->backoff.random = random;
    for (int slot = 0; slot < MACHINE_SLOT_COUNT; slot++)
        machine->generations[slot].deadline_ms = MACHINE_NEVER;
}

void machine_step(const struct machine_config *config, struct machine *machine,
        const struct machine_event *event, struct machine_actions *actions)
{
    switch (event->kind) {
    case MACHINE_EVENT_CLEARED:
        if (machine->activity == MACHINE_GUARDS)
            machine_spawn(config, machine, MACHINE_CURRENT, event->now_ms, actions);
        break;
    case MACHINE_EVENT_REFUSED:
        refused(config, machine, event, actions);
        break;
    case MACHINE_EVENT_DISPLACED:
        machine_displaced(config, machine, event, actions);
        break;
    case MACHINE_EVENT_STAND_BY:
        stand_by(machine, actions);
        break;
    case MACHINE_EVENT_GUARD_AGAIN:
        if (machine->activity == MACHINE_STANDS_BY)
            machine_begin_guard(machine, actions);
        break;
    case MACHINE_EVENT_SPAWN_FAILED:
    case MACHINE_EVENT_MAIN_ENDED:
        machine_main_ended(machine, event, actions);
        break;
    case MACHINE_EVENT_TREE_GONE:
        machine_tree_gone(config, machine, event, actions);
        break;
    case MACHINE_EVENT_IS_READY:
        machine_is_ready(config, machine, event, actions);
        break;
    case MACHINE_EVENT_IS_SICK:
        machine_is_sick(config, machine, event, actions);
        break;
    case MACHINE_EVENT_IS_WELL:
        if (machine->generations[event->slot].phase == MACHINE_PHASE_UNHEALTHY)
            machine->generations[event->slot].phase = MACHINE_PHASE_READY;
        break;
    case MACHINE_EVENT_REMOVE:
        machine_remove_generation(config, machine, event, actions);
        break;
    case MACHINE_EVENT_EXTEND:
        machine_extend(machine, event);
        break;
    case MACHINE_EVENT_TIMER:
        timer(config, machine, event->now_ms, actions);
        break;
    case MACHINE_EVENT_ASK_START:
        ask_start(machine, actions);
        break;
    case MACHINE_EVENT_ASK_STOP:
    case MACHINE_EVENT_ASK_KILL:
        ask_stop(config, machine, event, actions);
        break;
    case MACHINE_EVENT_ASK_RESTART:
        ask_restart(config, machine, event, actions);
        break;
    case MACHINE_EVENT_COUNT:
        break;
    }
}
