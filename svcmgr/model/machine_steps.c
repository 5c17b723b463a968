#include "machine_parts.h"

#include "banned.h"

void machine_act(struct machine_actions *actions, struct machine_action action)
{
    if (actions->count < MACHINE_ACTIONS_MAX)
        actions->list[actions->count++] = action;
}

void machine_act_slot(
        struct machine_actions *actions, enum machine_action_kind kind, enum machine_slot slot)
{
    machine_act(actions, (struct machine_action) { .kind = kind, .slot = slot });
}

void machine_answer(struct machine_actions *actions, enum machine_action_kind kind, bool ok)
{
    machine_act(actions, (struct machine_action) { .kind = kind, .ok = ok });
}

void machine_answer_restart(struct machine *machine, struct machine_actions *actions, bool ok)
{
    if (machine->restart_asked)
        machine_answer(actions, MACHINE_ACT_ANSWER_RESTART, ok);
    machine->restart_asked = false;
}

void machine_finish(struct machine *machine, struct machine_actions *actions, int code)
{
    machine->activity = MACHINE_DONE;
    machine_act(actions, (struct machine_action) { .kind = MACHINE_ACT_EXIT, .code = code });
}

void machine_begin_guard(struct machine *machine, struct machine_actions *actions)
{
    machine->activity = MACHINE_GUARDS;
    machine_act(actions, (struct machine_action) { .kind = MACHINE_ACT_GUARD });
}

void machine_spawn(const struct machine_config *config, struct machine *machine,
        enum machine_slot slot, int64_t now_ms, struct machine_actions *actions)
{
    machine->activity = MACHINE_RUNS;
    machine->generations[slot] = (struct machine_generation) {
        .phase = MACHINE_PHASE_STARTING,
        .number = ++machine->last_number,
        .spawned_ms = now_ms,
        .deadline_ms = now_ms + config->start_timeout_ms,
        .exit_code = -1,
    };
    machine_act_slot(actions, MACHINE_ACT_SPAWN, slot);
}

void machine_begin_stop(const struct machine_config *config, struct machine *machine,
        enum machine_slot slot, int64_t now_ms, struct machine_actions *actions)
{
    struct machine_generation *generation = &machine->generations[slot];

    generation->phase = MACHINE_PHASE_STOPPING;
    generation->deadline_ms = now_ms + config->stop_timeout_ms;
    machine_act_slot(actions, MACHINE_ACT_STOP, slot);
}

void machine_begin_kill(struct machine *machine, enum machine_slot slot, int64_t now_ms,
        struct machine_actions *actions)
{
    struct machine_generation *generation = &machine->generations[slot];

    generation->phase = MACHINE_PHASE_KILLING;
    generation->deadline_ms = now_ms + MACHINE_KILL_AGAIN_MS;
    generation->kills++;
    machine_act_slot(actions, MACHINE_ACT_KILL, slot);
}

void machine_note_end(struct machine_generation *generation, int64_t now_ms)
{
    generation->stable =
            generation->ready_ms != 0 && now_ms - generation->ready_ms >= MACHINE_STABLE_MS;
}

void machine_count_failure(const struct machine_config *config, struct machine *machine,
        int64_t now_ms, struct machine_actions *actions)
{
    int64_t delay_ms;

    machine_answer_restart(machine, actions, false);
    machine_answer(actions, MACHINE_ACT_ANSWER_START, false);
    if (backoff_short_run(&config->backoff, &machine->backoff, now_ms, &delay_ms)) {
        machine->activity = MACHINE_WAITS;
        machine->wait_until_ms = now_ms + delay_ms;
        return;
    }
    machine->activity = MACHINE_GAVE_UP;
    machine_act(actions, (struct machine_action) { .kind = MACHINE_ACT_CLOSE_SOCKETS });
    if (config->exit_when_failed)
        machine_finish(machine, actions, 1);
}

bool machine_serves(const struct machine_generation *generation)
{
    return generation->phase == MACHINE_PHASE_READY || generation->phase == MACHINE_PHASE_UNHEALTHY;
}

void machine_begin_restart(const struct machine_config *config, struct machine *machine,
        int64_t now_ms, struct machine_actions *actions)
{
    if (machine_serves(machine_current(machine)) && config->overlap) {
        machine_spawn(config, machine, MACHINE_NEXT, now_ms, actions);
        return;
    }
    machine_current(machine)->asked = true;
    if (machine_serves(machine_current(machine)) ||
            machine_current(machine)->phase == MACHINE_PHASE_STARTING)
        machine_begin_stop(config, machine, MACHINE_CURRENT, now_ms, actions);
}
