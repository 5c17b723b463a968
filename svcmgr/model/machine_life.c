/* What becomes of the generations. */
#include "machine_parts.h"

#include "banned.h"

static bool policy_restarts(
        const struct machine_config *config, const struct machine_generation *ended)
{
    if (ended->prevented)
        return false;
    switch (config->restart) {
    case MACHINE_RESTART_ALWAYS:
        return true;
    case MACHINE_RESTART_ON_FAILURE:
        return !ended->clean;
    case MACHINE_RESTART_NEVER:
        return false;
    }
    return false;
}

/* The current generation ended and nobody had asked for that. */
static void ended_by_itself(const struct machine_config *config, struct machine *machine,
        const struct machine_generation *ended, int64_t now_ms, struct machine_actions *actions)
{
    if (machine->first) {
        machine_answer(actions, MACHINE_ACT_ANSWER_START, false);
        machine_answer_restart(machine, actions, false);
        if (ended->end_code != 0)
            machine_finish(machine, actions, ended->end_code);
        else
            machine_finish(machine, actions,
                    config->exit_with_instance && ended->exit_code > 0 ? ended->exit_code : 1);
        return;
    }
    if (!policy_restarts(config, ended)) {
        machine_answer(actions, MACHINE_ACT_ANSWER_START, false);
        machine_answer_restart(machine, actions, false);
        machine_finish(machine, actions,
                config->exit_with_instance && ended->exit_code >= 0 ? ended->exit_code
                                                                    : !ended->clean);
        return;
    }
    machine->restarts++;
    if (ended->stable) {
        backoff_clear(&machine->backoff);
        machine_begin_guard(machine, actions);
        return;
    }
    machine_count_failure(config, machine, now_ms, actions);
}

static void current_is_gone(const struct machine_config *config, struct machine *machine,
        int64_t now_ms, struct machine_actions *actions)
{
    struct machine_generation ended = *machine_current(machine);

    *machine_current(machine) = (struct machine_generation) { .deadline_ms = MACHINE_NEVER };
    if (machine_next(machine)->phase != MACHINE_PHASE_NONE) {
        *machine_current(machine) = *machine_next(machine);
        *machine_next(machine) = (struct machine_generation) { .deadline_ms = MACHINE_NEVER };
        machine_act(actions, (struct machine_action) { .kind = MACHINE_ACT_PROMOTE });
        /* One that serves has answered its own restart: this one was asked for since. */
        if (machine->restart_asked && machine_serves(machine_current(machine)))
            machine_begin_restart(config, machine, now_ms, actions);
        return;
    }
    if (machine->want_down) {
        machine_answer(actions, MACHINE_ACT_ANSWER_STOP, true);
        machine_finish(machine, actions, 0);
        return;
    }
    if (ended.asked) {
        machine_answer(actions, MACHINE_ACT_ANSWER_STOP, true);
        machine_begin_guard(machine, actions);
        return;
    }
    ended_by_itself(config, machine, &ended, now_ms, actions);
}

static void next_is_gone(const struct machine_config *config, struct machine *machine,
        int64_t now_ms, struct machine_actions *actions)
{
    struct machine_generation ended = *machine_next(machine);

    *machine_next(machine) = (struct machine_generation) { .deadline_ms = MACHINE_NEVER };
    if (!ended.asked && ended.ready_ms == 0)
        machine_answer_restart(machine, actions, false);
    else if (machine->restart_asked) /* since it was ready, or asked to go */
        machine_begin_restart(config, machine, now_ms, actions);
}

void machine_main_ended(
        struct machine *machine, const struct machine_event *event, struct machine_actions *actions)
{
    struct machine_generation *generation = &machine->generations[event->slot];

    if (generation->phase == MACHINE_PHASE_NONE || generation->main_ended)
        return;
    generation->main_ended = true;
    generation->clean = event->clean && !generation->failed;
    generation->prevented = event->prevented;
    generation->exit_code = event->code;
    switch (generation->phase) {
    case MACHINE_PHASE_NONE:
    case MACHINE_PHASE_KILLING:
    case MACHINE_PHASE_COUNT:
        break;
    case MACHINE_PHASE_STARTING:
    case MACHINE_PHASE_READY:
    case MACHINE_PHASE_UNHEALTHY:
        machine_note_end(generation, event->now_ms);
        machine_begin_kill(machine, event->slot, event->now_ms, actions);
        break;
    case MACHINE_PHASE_STOPPING:
        machine_act_slot(actions, MACHINE_ACT_STOP_REST, event->slot);
        break;
    }
}

void machine_tree_gone(const struct machine_config *config, struct machine *machine,
        const struct machine_event *event, struct machine_actions *actions)
{
    struct machine_generation *generation = &machine->generations[event->slot];

    if (generation->phase == MACHINE_PHASE_NONE || !generation->main_ended)
        return;
    if (event->slot == MACHINE_NEXT)
        next_is_gone(config, machine, event->now_ms, actions);
    else
        current_is_gone(config, machine, event->now_ms, actions);
}

void machine_is_ready(const struct machine_config *config, struct machine *machine,
        const struct machine_event *event, struct machine_actions *actions)
{
    struct machine_generation *generation = &machine->generations[event->slot];

    if (generation->phase != MACHINE_PHASE_STARTING)
        return;
    generation->phase = MACHINE_PHASE_READY;
    generation->ready_ms = event->now_ms - event->ms;
    generation->deadline_ms = MACHINE_NEVER;
    machine->first = false;
    if (event->slot == MACHINE_NEXT && machine_current(machine)->phase != MACHINE_PHASE_STOPPING &&
            machine_current(machine)->phase != MACHINE_PHASE_KILLING) {
        machine_current(machine)->asked = true;
        machine_begin_stop(config, machine, MACHINE_CURRENT, event->now_ms, actions);
    }
    machine_answer(actions, MACHINE_ACT_ANSWER_START, true);
    machine_answer_restart(machine, actions, true);
}

void machine_is_sick(const struct machine_config *config, struct machine *machine,
        const struct machine_event *event, struct machine_actions *actions)
{
    struct machine_generation *generation = &machine->generations[event->slot];

    if (generation->phase != MACHINE_PHASE_READY && generation->phase != MACHINE_PHASE_UNHEALTHY)
        return;
    generation->phase = MACHINE_PHASE_UNHEALTHY;
    /* While a restart is under way the sick one is either on its way out, or all there is. */
    if (!config->restart_on_unhealthy || machine_next(machine)->phase != MACHINE_PHASE_NONE)
        return;
    /* Not 'asked': an instance that was sick before it was stable has to wait like a crashed one,
     * or a bad check would restart it for ever without a pause. */
    generation->failed = true;
    machine_note_end(generation, event->now_ms);
    machine_begin_stop(config, machine, event->slot, event->now_ms, actions);
}

void machine_displaced(const struct machine_config *config, struct machine *machine,
        const struct machine_event *event, struct machine_actions *actions)
{
    struct machine_generation *generation = &machine->generations[event->slot];

    if (generation->phase != MACHINE_PHASE_STARTING && generation->phase != MACHINE_PHASE_READY &&
            generation->phase != MACHINE_PHASE_UNHEALTHY)
        return;
    generation->failed = true;
    generation->end_code = event->code;
    machine_note_end(generation, event->now_ms);
    machine_begin_stop(config, machine, event->slot, event->now_ms, actions);
}

void machine_slot_timer(const struct machine_config *config, struct machine *machine,
        enum machine_slot slot, int64_t now_ms, struct machine_actions *actions)
{
    struct machine_generation *generation = &machine->generations[slot];

    if (generation->phase == MACHINE_PHASE_NONE || now_ms < generation->deadline_ms)
        return;
    switch (generation->phase) {
    case MACHINE_PHASE_NONE:
    case MACHINE_PHASE_READY:
    case MACHINE_PHASE_UNHEALTHY:
    case MACHINE_PHASE_COUNT:
        generation->deadline_ms = MACHINE_NEVER;
        break;
    case MACHINE_PHASE_STARTING:
        generation->failed = true;
        machine_begin_stop(config, machine, slot, now_ms, actions);
        break;
    case MACHINE_PHASE_STOPPING:
        machine_begin_kill(machine, slot, now_ms, actions);
        break;
    case MACHINE_PHASE_KILLING:
        machine_begin_kill(machine, slot, now_ms, actions);
        if (generation->kills >= MACHINE_KILL_TRIES)
            machine_answer(actions, MACHINE_ACT_ANSWER_STOP, false);
        break;
    }
}

void machine_remove_generation(const struct machine_config *config, struct machine *machine,
        const struct machine_event *event, struct machine_actions *actions)
{
    struct machine_generation *generation = &machine->generations[event->slot];

    if (generation->phase == MACHINE_PHASE_NONE)
        return;
    generation->asked = true;
    if (!generation->main_ended)
        machine_begin_stop(config, machine, event->slot, event->now_ms, actions);
}

void machine_extend(struct machine *machine, const struct machine_event *event)
{
    struct machine_generation *generation = &machine->generations[event->slot];
    bool timed = generation->phase == MACHINE_PHASE_STARTING ||
            generation->phase == MACHINE_PHASE_STOPPING;

    if (timed && event->now_ms + event->ms > generation->deadline_ms)
        generation->deadline_ms = event->now_ms + event->ms;
}
