#include "machine.h"

#include "banned.h"

int64_t machine_deadline(const struct machine *machine)
{
    int64_t deadline_ms = MACHINE_NEVER;

    if (machine->activity == MACHINE_WAITS)
        deadline_ms = machine->wait_until_ms;
    for (int slot = 0; slot < MACHINE_SLOT_COUNT; slot++) {
        const struct machine_generation *generation = &machine->generations[slot];

        if (generation->phase != MACHINE_PHASE_NONE && generation->deadline_ms < deadline_ms)
            deadline_ms = generation->deadline_ms;
    }
    return deadline_ms;
}

static enum machine_state running_state(const struct machine *machine)
{
    const struct machine_generation *now = &machine->generations[MACHINE_CURRENT];

    if (machine->want_down)
        return MACHINE_STOPPING;
    if (machine->generations[MACHINE_NEXT].phase != MACHINE_PHASE_NONE)
        return MACHINE_REPLACING;
    switch (now->phase) {
    case MACHINE_PHASE_NONE:
    case MACHINE_PHASE_STARTING:
    case MACHINE_PHASE_COUNT:
        break;
    case MACHINE_PHASE_READY:
        return MACHINE_READY;
    case MACHINE_PHASE_UNHEALTHY:
        return MACHINE_UNHEALTHY;
    case MACHINE_PHASE_STOPPING:
    case MACHINE_PHASE_KILLING:
        return machine->restart_asked ? MACHINE_REPLACING : MACHINE_STOPPING;
    }
    return MACHINE_STARTING;
}

enum machine_state machine_state(const struct machine *machine)
{
    switch (machine->activity) {
    case MACHINE_GUARDS:
        return MACHINE_STARTING;
    case MACHINE_RUNS:
        return running_state(machine);
    case MACHINE_WAITS:
        return MACHINE_BACKOFF;
    case MACHINE_GAVE_UP:
        return MACHINE_FAILED;
    case MACHINE_STANDS_BY:
        return MACHINE_STANDBY;
    case MACHINE_DONE:
    case MACHINE_ACTIVITY_COUNT:
        break;
    }
    return MACHINE_STOPPED;
}

static const char *const state_names[] = {
    [MACHINE_STOPPED] = "stopped",
    [MACHINE_STANDBY] = "standby",
    [MACHINE_STARTING] = "starting",
    [MACHINE_READY] = "ready",
    [MACHINE_UNHEALTHY] = "unhealthy",
    [MACHINE_REPLACING] = "replacing",
    [MACHINE_STOPPING] = "stopping",
    [MACHINE_BACKOFF] = "backoff",
    [MACHINE_FAILED] = "failed",
};
_Static_assert(
        sizeof state_names / sizeof state_names[0] == MACHINE_STATE_COUNT, "a state has no name");

const char *machine_state_name(enum machine_state state)
{
    return state_names[state];
}

static const char *const phase_names[] = {
    [MACHINE_PHASE_NONE] = "none",
    [MACHINE_PHASE_STARTING] = "starting",
    [MACHINE_PHASE_READY] = "ready",
    [MACHINE_PHASE_UNHEALTHY] = "unhealthy",
    [MACHINE_PHASE_STOPPING] = "stopping",
    [MACHINE_PHASE_KILLING] = "killing",
};
_Static_assert(
        sizeof phase_names / sizeof phase_names[0] == MACHINE_PHASE_COUNT, "a phase has no name");

const char *machine_phase_name(enum machine_phase phase)
{
    return phase_names[phase];
}
