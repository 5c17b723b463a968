/* The end of a generation: how it is asked for, and what is said of it. */
#include "str.h"
#include "supervisor.h"

#include "banned.h"

/* So often is killed what the keeper says nothing of: then it is looked for, as nobody's child. */
#define KILLS_UNTOLD 2

static void signal_main(struct supervisor *sup, enum machine_slot slot, const char *name)
{
    const struct identity *process = &sup->record.generations[slot].process;
    struct err err;

    if (process->pid <= 0 || sup->machine.generations[slot].main_ended)
        return;
    if (platform_signal(process, name, &err) == -1)
        journal_write(
                &sup->journal, &(struct journal_event) { .event = "warning", .cause = err.text });
}

void instance_stop(struct supervisor *sup, enum machine_slot slot)
{
    struct instance *instance = &sup->instances[slot];
    const struct config *config = &instance->service->config;
    struct err err;

    health_stop(&instance->health);
    instance->settled_at_ms = PLATFORM_NEVER;
    instance->owner_look_ms = PLATFORM_NEVER;
    instance->watchdog_at_ms = PLATFORM_NEVER;
    instance->stops = true;
    listener_restore_queues(&sup->service->listeners);
    if (config->stop_command.count > 0 &&
            helper_start(sup, slot, HELPER_STOP, &config->stop_command, config->stop_timeout_ms,
                    &err) == 0)
        return; /* the signal follows when the command has ended */
    signal_main(sup, slot, config->stop_signal);
}

/* The main process is gone and others of its tree are not: they are asked the same way. */
void instance_stop_rest(struct supervisor *sup, enum machine_slot slot)
{
    int64_t except[INSTANCE_EXCEPT_MAX];
    struct platform_tree tree;

    instance_tree(sup, slot, except, &tree);
    (void)platform_tree_signal(&tree, sup->instances[slot].service->config.stop_signal);
}

void instance_kill(struct supervisor *sup, enum machine_slot slot)
{
    int64_t except[INSTANCE_EXCEPT_MAX];
    struct platform_tree tree;

    health_stop(&sup->instances[slot].health);
    helper_end_all(sup, slot);
    sup->had_to_kill = sup->had_to_kill ||
            (sup->instances[slot].stops && !sup->machine.generations[slot].main_ended);
    if (sup->machine.generations[slot].main_ended)
        return; /* the look at the tree that follows kills what is left, mostly nothing */
    instance_tree(sup, slot, except, &tree);
    (void)platform_tree_signal(&tree, "KILL");
    /* A keeper that is stopped, or hangs, tells nothing, and a stop has its limit all the same. */
    if (sup->machine.generations[slot].kills > KILLS_UNTOLD)
        sup->instances[slot].looked_at = true;
}

void instance_hint(
        const struct supervisor *sup, enum machine_slot slot, char *ret_text, size_t size)
{
    const struct instance *instance = &sup->instances[slot];
    const struct listener_set *set = &instance->service->listeners;
    char address[ADDRESS_TEXT_BYTES];

    ret_text[0] = '\0';
    if (sup->machine.generations[slot].phase != MACHINE_PHASE_STARTING ||
            instance->health.answered || instance->failure_text[0] != '\0')
        return;
    for (size_t i = 0; i < set->count; i++) {
        if (set->list[i].config.socket != CONFIG_SOCKET_INHERIT)
            continue;
        address_format(&set->list[i].bound, address, sizeof address);
        (void)str_format(ret_text, size, "; %s may bind %s itself; then set \"socket\": \"self\"",
                sup->options.name, address);
        return;
    }
}

/* By a signal that was not ours, where somebody counts what the kernel kills for want of memory. */
static bool may_be_out_of_memory(const struct supervisor *sup, enum machine_slot slot, int number)
{
    enum machine_phase phase = sup->machine.generations[slot].phase;

    return (sup->has_groups || sup->oom_kills != -1) && number == platform_signal_number("KILL") &&
            phase != MACHINE_PHASE_STOPPING && phase != MACHINE_PHASE_KILLING;
}

static void explain_exit(struct supervisor *sup, enum machine_slot slot,
        const struct platform_exit *how, char *ret_text, size_t size)
{
    const struct machine_generation *life = &sup->machine.generations[slot];
    const struct instance *instance = &sup->instances[slot];
    const char *when = life->phase == MACHINE_PHASE_STARTING ? " before it was ready" : "";
    char hint[RECORD_REASON_BYTES];

    instance_hint(sup, slot, hint, sizeof hint);
    if (instance->failure_text[0] != '\0')
        (void)str_format(ret_text, size, "%s", instance->failure_text);
    else if (may_be_out_of_memory(sup, slot, how->by_signal) && group_was_out_of_memory(sup, slot))
        (void)str_format(ret_text, size,
                "ended by SIGKILL%s: the kernel killed it, out of memory (limits.memory, or the "
                "machine's)",
                when);
    else if (how->by_signal > 0)
        (void)str_format(ret_text, size, "ended by SIG%s%s%s%s",
                platform_signal_name(how->by_signal), how->core_dumped ? " (core dumped)" : "",
                when, hint);
    else if (how->code >= 0)
        (void)str_format(ret_text, size, "exited with code %d%s%s", how->code, when, hint);
    else
        (void)str_format(ret_text, size, "ended, its exit status is unknown%s%s", when, hint);
}

static bool is_prevented(const struct config *config, int code)
{
    for (size_t i = 0; i < config->restart_prevent_count; i++)
        if (config->restart_prevent_on[i] == code)
            return true;
    return false;
}

static void leave_to_reap(struct supervisor *sup, int64_t pid)
{
    if (sup->reap_count == SUPERVISOR_REAP_MAX) {
        publish_record_now(sup);
        publish_reap(sup);
    }
    sup->reap[sup->reap_count++] = pid;
    platform_leave_unreaped(pid);
}

void instance_ended(struct supervisor *sup, enum machine_slot slot, const struct platform_exit *how)
{
    struct instance *instance = &sup->instances[slot];
    struct record_exit *last = &sup->record.last_exit;
    bool started = instance->failure_text[0] == '\0';
    int code = how->by_signal > 0 ? 128 + how->by_signal : how->code;

    if (sup->machine.generations[slot].main_ended)
        return;
    *last = (struct record_exit) {
        .known = true,
        .code = started && how->by_signal <= 0 ? how->code : -1,
        .by_signal = how->by_signal > 0 ? how->by_signal : 0,
        .wall_us = platform_wall_us(),
        .generation = sup->machine.generations[slot].number,
    };
    listener_restore_queues(&sup->service->listeners);
    explain_exit(sup, slot, how, last->reason, sizeof last->reason);
    if (instance->parent != INSTANCE_OF_NOBODY)
        leave_to_reap(sup, sup->record.generations[slot].process.pid);
    health_stop(&instance->health);
    supervisor_cause(sup, "%s", last->reason);
    journal_write(&sup->journal,
            &(struct journal_event) { .event = "exit",
                    .pid = sup->record.generations[slot].process.pid,
                    .generation = last->generation,
                    .cause = last->reason });
    publish_record(sup);
    supervisor_feed(sup,
            (struct machine_event) { .kind = MACHINE_EVENT_MAIN_ENDED,
                    .slot = slot,
                    .code = code,
                    .clean = started && how->code == 0,
                    .prevented = is_prevented(&instance->service->config, code) });
}
