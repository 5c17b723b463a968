#include "machine.h"

#include "banned.h"

static struct machine_generation *current(struct machine *machine)
{
    return &machine->generations[MACHINE_CURRENT];
}

static struct machine_generation *next(struct machine *machine)
{
    return &machine->generations[MACHINE_NEXT];
}

static void act(struct machine_actions *actions, struct machine_action action)
{
    if (actions->count < MACHINE_ACTIONS_MAX)
        actions->list[actions->count++] = action;
}

static void act_slot(
        struct machine_actions *actions, enum machine_action_kind kind, enum machine_slot slot)
{
    act(actions, (struct machine_action){ .kind = kind, .slot = slot });
}

static void answer(struct machine_actions *actions, enum machine_action_kind kind, bool ok)
{
    act(actions, (struct machine_action){ .kind = kind, .ok = ok });
}

static void answer_restart(struct machine *machine, struct machine_actions *actions, bool ok)
{
    if (machine->restart_asked)
        answer(actions, MACHINE_ACT_ANSWER_RESTART, ok);
    machine->restart_asked = false;
}

static void finish(struct machine *machine, struct machine_actions *actions, int code)
{
    machine->activity = MACHINE_DONE;
    act(actions, (struct machine_action){ .kind = MACHINE_ACT_EXIT, .code = code });
}

static void begin_guard(struct machine *machine, struct machine_actions *actions)
{
    machine->activity = MACHINE_GUARDS;
    act(actions, (struct machine_action){ .kind = MACHINE_ACT_GUARD });
}

static void spawn(const struct machine_config *config, struct machine *machine,
        enum machine_slot slot, int64_t now_ms, struct machine_actions *actions)
{
    machine->activity = MACHINE_RUNS;
    machine->generations[slot] = (struct machine_generation){
        .phase = MACHINE_PHASE_STARTING,
        .number = ++machine->last_number,
        .spawned_ms = now_ms,
        .deadline_ms = now_ms + config->start_timeout_ms,
        .exit_code = -1,
    };
    act_slot(actions, MACHINE_ACT_SPAWN, slot);
}

static void begin_stop(const struct machine_config *config, struct machine *machine,
        enum machine_slot slot, int64_t now_ms, struct machine_actions *actions)
{
    struct machine_generation *generation = &machine->generations[slot];

    generation->phase = MACHINE_PHASE_STOPPING;
    generation->deadline_ms = now_ms + config->stop_timeout_ms;
    act_slot(actions, MACHINE_ACT_STOP, slot);
}

static void begin_kill(struct machine *machine, enum machine_slot slot, int64_t now_ms,
        struct machine_actions *actions)
{
    struct machine_generation *generation = &machine->generations[slot];

    generation->phase = MACHINE_PHASE_KILLING;
    generation->deadline_ms = now_ms + MACHINE_KILL_AGAIN_MS;
    generation->kills++;
    act_slot(actions, MACHINE_ACT_KILL, slot);
}

/* A run was too short, or no run came about. */
static void count_failure(const struct machine_config *config, struct machine *machine,
        int64_t now_ms, struct machine_actions *actions)
{
    int64_t delay_ms;

    answer_restart(machine, actions, false);
    answer(actions, MACHINE_ACT_ANSWER_START, false);
    if (backoff_short_run(&config->backoff, &machine->backoff, now_ms, &delay_ms)) {
        machine->activity = MACHINE_WAITS;
        machine->wait_until_ms = now_ms + delay_ms;
        return;
    }
    machine->activity = MACHINE_GAVE_UP;
    act(actions, (struct machine_action){ .kind = MACHINE_ACT_CLOSE_SOCKETS });
    if (config->exit_when_failed)
        finish(machine, actions, 1);
}

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
        answer(actions, MACHINE_ACT_ANSWER_START, false);
        answer_restart(machine, actions, false);
        if (ended->end_code != 0)
            finish(machine, actions, ended->end_code);
        else
            finish(machine, actions,
                    config->exit_with_instance && ended->exit_code > 0 ? ended->exit_code : 1);
        return;
    }
    if (!policy_restarts(config, ended)) {
        answer(actions, MACHINE_ACT_ANSWER_START, false);
        answer_restart(machine, actions, false);
        finish(machine, actions,
                config->exit_with_instance && ended->exit_code >= 0 ? ended->exit_code
                                                                     : !ended->clean);
        return;
    }
    machine->restarts++;
    if (ended->ready_ms != 0 && now_ms - ended->ready_ms >= MACHINE_STABLE_MS) {
        backoff_clear(&machine->backoff);
        begin_guard(machine, actions);
        return;
    }
    count_failure(config, machine, now_ms, actions);
}

static void current_is_gone(const struct machine_config *config, struct machine *machine,
        int64_t now_ms, struct machine_actions *actions)
{
    struct machine_generation ended = *current(machine);

    *current(machine) = (struct machine_generation){ .deadline_ms = MACHINE_NEVER };
    if (next(machine)->phase != MACHINE_PHASE_NONE) {
        *current(machine) = *next(machine);
        *next(machine) = (struct machine_generation){ .deadline_ms = MACHINE_NEVER };
        act(actions, (struct machine_action){ .kind = MACHINE_ACT_PROMOTE });
        return;
    }
    if (machine->want_down) {
        answer(actions, MACHINE_ACT_ANSWER_STOP, true);
        finish(machine, actions, 0);
        return;
    }
    if (ended.asked) {
        answer(actions, MACHINE_ACT_ANSWER_STOP, true);
        begin_guard(machine, actions);
        return;
    }
    ended_by_itself(config, machine, &ended, now_ms, actions);
}

static void next_is_gone(struct machine *machine, struct machine_actions *actions)
{
    *next(machine) = (struct machine_generation){ .deadline_ms = MACHINE_NEVER };
    answer_restart(machine, actions, false);
}

static void main_ended(struct machine *machine, const struct machine_event *event,
        struct machine_actions *actions)
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
        begin_kill(machine, event->slot, event->now_ms, actions);
        break;
    case MACHINE_PHASE_STOPPING:
        act_slot(actions, MACHINE_ACT_STOP_REST, event->slot);
        break;
    }
}

static void tree_gone(const struct machine_config *config, struct machine *machine,
        const struct machine_event *event, struct machine_actions *actions)
{
    struct machine_generation *generation = &machine->generations[event->slot];

    if (generation->phase == MACHINE_PHASE_NONE || !generation->main_ended)
        return;
    if (event->slot == MACHINE_NEXT)
        next_is_gone(machine, actions);
    else
        current_is_gone(config, machine, event->now_ms, actions);
}

static void is_ready(const struct machine_config *config, struct machine *machine,
        const struct machine_event *event, struct machine_actions *actions)
{
    struct machine_generation *generation = &machine->generations[event->slot];

    if (generation->phase != MACHINE_PHASE_STARTING)
        return;
    generation->phase = MACHINE_PHASE_READY;
    generation->ready_ms = event->now_ms;
    generation->deadline_ms = MACHINE_NEVER;
    machine->first = false;
    if (event->slot == MACHINE_NEXT && current(machine)->phase != MACHINE_PHASE_STOPPING &&
            current(machine)->phase != MACHINE_PHASE_KILLING) {
        current(machine)->asked = true;
        begin_stop(config, machine, MACHINE_CURRENT, event->now_ms, actions);
    }
    answer(actions, MACHINE_ACT_ANSWER_START, true);
    answer_restart(machine, actions, true);
}

static void is_sick(const struct machine_config *config, struct machine *machine,
        const struct machine_event *event, struct machine_actions *actions)
{
    struct machine_generation *generation = &machine->generations[event->slot];

    if (generation->phase != MACHINE_PHASE_READY && generation->phase != MACHINE_PHASE_UNHEALTHY)
        return;
    generation->phase = MACHINE_PHASE_UNHEALTHY;
    /* While a restart is under way the sick one is either on its way out, or all there is. */
    if (!config->restart_on_unhealthy || next(machine)->phase != MACHINE_PHASE_NONE)
        return;
    /* Not 'asked': an instance that was sick before it was stable has to wait like a crashed one,
     * or a bad check would restart it for ever without a pause. */
    generation->failed = true;
    begin_stop(config, machine, event->slot, event->now_ms, actions);
}

/* A stranger answers where the generation should: ours goes, the stranger is left alone. */
static void displaced(const struct machine_config *config, struct machine *machine,
        const struct machine_event *event, struct machine_actions *actions)
{
    struct machine_generation *generation = &machine->generations[event->slot];

    if (generation->phase != MACHINE_PHASE_STARTING && generation->phase != MACHINE_PHASE_READY &&
            generation->phase != MACHINE_PHASE_UNHEALTHY)
        return;
    generation->failed = true;
    generation->end_code = event->code;
    begin_stop(config, machine, event->slot, event->now_ms, actions);
}

static void slot_timer(const struct machine_config *config, struct machine *machine,
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
        begin_stop(config, machine, slot, now_ms, actions);
        break;
    case MACHINE_PHASE_STOPPING:
        begin_kill(machine, slot, now_ms, actions);
        break;
    case MACHINE_PHASE_KILLING:
        begin_kill(machine, slot, now_ms, actions);
        if (generation->kills == MACHINE_KILL_TRIES)
            answer(actions, MACHINE_ACT_ANSWER_STOP, false);
        break;
    }
}

static void timer(const struct machine_config *config, struct machine *machine, int64_t now_ms,
        struct machine_actions *actions)
{
    if (machine->activity == MACHINE_WAITS && now_ms >= machine->wait_until_ms)
        begin_guard(machine, actions);
    for (enum machine_slot slot = MACHINE_CURRENT; slot < MACHINE_SLOT_COUNT; slot++)
        slot_timer(config, machine, slot, now_ms, actions);
}

static void refused(const struct machine_config *config, struct machine *machine,
        const struct machine_event *event, struct machine_actions *actions)
{
    if (machine->activity != MACHINE_GUARDS)
        return;
    if (machine->last_number > 0) {
        /* Not the first start: somebody took the place meanwhile, and may go again. */
        count_failure(config, machine, event->now_ms, actions);
        return;
    }
    answer(actions, MACHINE_ACT_ANSWER_START, false);
    answer_restart(machine, actions, false);
    finish(machine, actions, event->code);
}

static void ask_start(struct machine *machine, struct machine_actions *actions)
{
    switch (machine->activity) {
    case MACHINE_WAITS:
    case MACHINE_GAVE_UP:
        backoff_clear(&machine->backoff);
        begin_guard(machine, actions);
        break;
    case MACHINE_RUNS:
        if (machine->want_down) {
            machine->want_down = false;
            for (int slot = 0; slot < MACHINE_SLOT_COUNT; slot++)
                machine->generations[slot].asked = true;
        } else if (current(machine)->phase == MACHINE_PHASE_READY ||
                   current(machine)->phase == MACHINE_PHASE_UNHEALTHY) {
            answer(actions, MACHINE_ACT_ANSWER_START, true);
        }
        break;
    case MACHINE_GUARDS:
    case MACHINE_STANDS_BY:
    case MACHINE_DONE:
    case MACHINE_ACTIVITY_COUNT:
        break;
    }
}

static void ask_restart(const struct machine_config *config, struct machine *machine,
        const struct machine_event *event, struct machine_actions *actions)
{
    enum machine_phase phase = current(machine)->phase;
    bool serves = phase == MACHINE_PHASE_READY || phase == MACHINE_PHASE_UNHEALTHY;

    if (machine->activity == MACHINE_DONE || machine->restart_asked)
        return;
    machine->restart_asked = true;
    if (machine->activity != MACHINE_RUNS || machine->want_down) {
        ask_start(machine, actions);
        return;
    }
    if (next(machine)->phase != MACHINE_PHASE_NONE)
        return; /* the former restart's old generation is still going: its successor is the answer */
    if (serves && config->overlap) {
        spawn(config, machine, MACHINE_NEXT, event->now_ms, actions);
        return;
    }
    current(machine)->asked = true;
    if (serves || phase == MACHINE_PHASE_STARTING)
        begin_stop(config, machine, MACHINE_CURRENT, event->now_ms, actions);
}

static void ask_stop(const struct machine_config *config, struct machine *machine,
        const struct machine_event *event, struct machine_actions *actions)
{
    bool kill = event->kind == MACHINE_EVENT_ASK_KILL;

    if (machine->activity == MACHINE_DONE)
        return;
    machine->want_down = true;
    answer(actions, MACHINE_ACT_ANSWER_START, false);
    answer_restart(machine, actions, false);
    if (machine->activity != MACHINE_RUNS) {
        if (machine->activity == MACHINE_GUARDS || machine->activity == MACHINE_STANDS_BY)
            act(actions, (struct machine_action){ .kind = MACHINE_ACT_GUARD_CANCEL });
        answer(actions, MACHINE_ACT_ANSWER_STOP, true);
        finish(machine, actions, 0);
        return;
    }
    for (enum machine_slot slot = MACHINE_CURRENT; slot < MACHINE_SLOT_COUNT; slot++) {
        struct machine_generation *generation = &machine->generations[slot];

        if (generation->phase == MACHINE_PHASE_NONE)
            continue;
        generation->asked = true;
        if (kill)
            begin_kill(machine, slot, event->now_ms, actions);
        else if (generation->phase != MACHINE_PHASE_STOPPING &&
                 generation->phase != MACHINE_PHASE_KILLING)
            begin_stop(config, machine, slot, event->now_ms, actions);
    }
}

static void extend(struct machine *machine, const struct machine_event *event)
{
    struct machine_generation *generation = &machine->generations[event->slot];
    bool timed = generation->phase == MACHINE_PHASE_STARTING ||
                 generation->phase == MACHINE_PHASE_STOPPING;

    if (timed && event->now_ms + event->ms > generation->deadline_ms)
        generation->deadline_ms = event->now_ms + event->ms;
}

void machine_init(struct machine *machine, const struct machine_config *config, uint64_t random)
{
    *machine = (struct machine){ .activity = MACHINE_GUARDS, .first = config->by_hand };
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
            spawn(config, machine, MACHINE_CURRENT, event->now_ms, actions);
        break;
    case MACHINE_EVENT_REFUSED:
        refused(config, machine, event, actions);
        break;
    case MACHINE_EVENT_DISPLACED:
        displaced(config, machine, event, actions);
        break;
    case MACHINE_EVENT_STAND_BY:
        if (machine->activity == MACHINE_GUARDS)
            machine->activity = MACHINE_STANDS_BY;
        break;
    case MACHINE_EVENT_GUARD_AGAIN:
        if (machine->activity == MACHINE_STANDS_BY)
            begin_guard(machine, actions);
        break;
    case MACHINE_EVENT_SPAWN_FAILED:
    case MACHINE_EVENT_MAIN_ENDED:
        main_ended(machine, event, actions);
        break;
    case MACHINE_EVENT_TREE_GONE:
        tree_gone(config, machine, event, actions);
        break;
    case MACHINE_EVENT_IS_READY:
        is_ready(config, machine, event, actions);
        break;
    case MACHINE_EVENT_IS_SICK:
        is_sick(config, machine, event, actions);
        break;
    case MACHINE_EVENT_IS_WELL:
        if (machine->generations[event->slot].phase == MACHINE_PHASE_UNHEALTHY)
            machine->generations[event->slot].phase = MACHINE_PHASE_READY;
        break;
    case MACHINE_EVENT_REMOVE:
        if (machine->generations[event->slot].phase != MACHINE_PHASE_NONE) {
            machine->generations[event->slot].asked = true;
            begin_stop(config, machine, event->slot, event->now_ms, actions);
        }
        break;
    case MACHINE_EVENT_EXTEND:
        extend(machine, event);
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
