/* Short-lived commands beside an instance: health commands, the stop command, what clients run, and
 * a new svcmgr that proves itself.
 *
 * Each is recorded, with its own session, before it may execute, so that a supervisor that dies
 * leaves nothing running: the next one ends what is recorded. */
#include <string.h>

#include "spawn.h"
#include "str.h"
#include "supervisor.h"

#include "banned.h"

static struct helper *free_helper(struct supervisor *sup)
{
    for (int i = 0; i < SUPERVISOR_HELPERS_MAX; i++)
        if (!sup->helpers[i].used)
            return &sup->helpers[i];
    return NULL;
}

static const char *const roles[] = {
    [HELPER_HEALTH] = "health",
    [HELPER_STOP] = "stop",
    [HELPER_CHECK] = "check",
    [HELPER_EXEC] = HELPER_ROLE_EXEC,
};

static void record_helpers(struct supervisor *sup)
{
    sup->record.helper_count = 0;
    for (int i = 0; i < SUPERVISOR_HELPERS_MAX; i++) {
        struct record_helper *recorded = &sup->record.helpers[sup->record.helper_count];

        if (!sup->helpers[i].used)
            continue;
        recorded->process = sup->helpers[i].process;
        (void)str_copy(recorded->role, sizeof recorded->role, roles[sup->helpers[i].kind]);
        sup->record.helper_count++;
    }
    publish_record(sup);
}

int helper_spawn(struct supervisor *sup, enum machine_slot slot, enum helper_kind kind,
        const struct platform_spawn *spec, int64_t timeout_ms, struct helper **ret_helper,
        struct err *err)
{
    struct helper *helper = free_helper(sup);
    struct platform_child child;

    if (helper == NULL)
        return err_set(err, ERR_FAILED, 0, "too many commands are running");
    if (platform_spawn(spec, &child, err) == -1)
        return -1;
    *helper = (struct helper) {
        .used = true,
        .kind = kind,
        .process = child.identity,
        .slot = slot,
        .deadline_ms =
                timeout_ms == PLATFORM_NEVER ? PLATFORM_NEVER : platform_now_ms() + timeout_ms,
    };
    record_helpers(sup);
    publish_record_now(sup);
    helper->failure = platform_watch_failure(child.failure, ROLE_HELPER, helper);
    (void)platform_spawn_release(&child, err);
    if (ret_helper != NULL)
        *ret_helper = helper;
    return 0;
}

int helper_start(struct supervisor *sup, enum machine_slot slot, enum helper_kind kind,
        const struct config_words *command, int64_t timeout_ms, struct err *err)
{
    struct spawn_request request = {
        .sup = sup,
        .service = sup->instances[slot].service,
        .command = command,
        .generation = sup->machine.generations[slot].number,
        .instance = sup->record.generations[slot].instance,
        .notify_name = "",
        .main_pid = sup->record.generations[slot].process.pid,
    };
    struct spawn_plan plan;
    int result = spawn_prepare(&request, &plan, err);

    if (result == 0)
        result = helper_spawn(sup, slot, kind, &plan.spec, timeout_ms, NULL, err);
    spawn_free(&plan);
    return result;
}

void helper_kill(struct supervisor *sup, struct helper *helper)
{
    struct platform_tree tree = {
        .main_pid = helper->process.pid,
        .main_start = helper->process.start_time,
        .session = helper->process.pid,
        .keeper_pid = sup->link.keeper.pid,
    };

    helper->killed = true;
    helper->deadline_ms = PLATFORM_NEVER;
    (void)platform_tree_signal(&tree, "KILL");
}

static void health_command_ended(
        struct supervisor *sup, const struct helper *helper, const struct platform_exit *how)
{
    const struct instance *instance = &sup->instances[helper->slot];
    bool good = how->code == 0 && !helper->killed;
    char text[HEALTH_TEXT_BYTES];

    if (!instance->used || !instance->health.active)
        return;
    if (helper->failure_text[0] != '\0')
        (void)str_format(text, sizeof text, "health.command: %.150s", helper->failure_text);
    else if (helper->killed)
        (void)str_format(text, sizeof text, "health.command did not end in time");
    else if (how->by_signal > 0)
        (void)str_format(text, sizeof text, "health.command was ended by SIG%s",
                platform_signal_name(how->by_signal));
    else
        (void)str_format(text, sizeof text, "health.command exited with code %d", how->code);
    readiness_checked(sup, helper->slot, good, text);
}

static void stop_command_ended(struct supervisor *sup, enum machine_slot slot)
{
    const struct machine_generation *life = &sup->machine.generations[slot];
    struct err err;

    if (life->phase != MACHINE_PHASE_STOPPING || life->main_ended)
        return;
    (void)platform_signal(&sup->record.generations[slot].process,
            sup->instances[slot].service->config.stop_signal, &err);
}

void helper_on_failure_event(const struct platform_event *event)
{
    struct helper *helper = event->owner;

    if (event->kind == PLATFORM_EVENT_CHILD_FAILED) {
        helper->failure_stage = event->stage;
        helper->failure_code = event->os_code;
        (void)str_format(helper->failure_text, sizeof helper->failure_text, "%s: %s",
                platform_stage_name(event->stage), platform_error_text(event->os_code));
    }
    platform_unwatch(helper->failure);
    helper->failure = NULL;
}

bool helper_on_exit(struct supervisor *sup, int64_t pid, const struct platform_exit *how)
{
    for (int i = 0; i < SUPERVISOR_HELPERS_MAX; i++) {
        struct helper ended = sup->helpers[i];

        if (!ended.used || ended.ended || ended.process.pid != pid)
            continue;
        if (ended.kind == HELPER_EXEC) {
            /* Its output is read to the end first, also what others of its session print. */
            sup->helpers[i].ended = true;
            sup->helpers[i].deadline_ms = PLATFORM_NEVER;
            platform_reap(pid);
            exec_ended(sup, &sup->helpers[i], how);
            return true;
        }
        helper_kill(sup, &ended); /* what it left behind in its session */
        ended.killed = sup->helpers[i].killed;
        sup->helpers[i] = (struct helper) { .used = false };
        platform_unwatch(ended.failure);
        platform_reap(pid);
        record_helpers(sup);
        switch (ended.kind) {
        case HELPER_HEALTH:
            health_command_ended(sup, &ended, how);
            break;
        case HELPER_STOP:
            stop_command_ended(sup, ended.slot);
            break;
        case HELPER_CHECK:
            upgrade_checked(sup, &ended, how);
            break;
        case HELPER_EXEC:
            break;
        }
        return true;
    }
    return false;
}

void helper_forget(struct supervisor *sup, struct helper *helper)
{
    helper_kill(sup, helper);
    platform_unwatch(helper->failure);
    *helper = (struct helper) { .used = false };
    record_helpers(sup);
}

void helper_on_time(struct supervisor *sup, int64_t now_ms)
{
    for (int i = 0; i < SUPERVISOR_HELPERS_MAX; i++)
        if (sup->helpers[i].used && now_ms >= sup->helpers[i].deadline_ms)
            helper_kill(sup, &sup->helpers[i]);
}

int64_t helper_deadline(const struct supervisor *sup)
{
    int64_t deadline_ms = PLATFORM_NEVER;

    for (int i = 0; i < SUPERVISOR_HELPERS_MAX; i++)
        if (sup->helpers[i].used && sup->helpers[i].deadline_ms < deadline_ms)
            deadline_ms = sup->helpers[i].deadline_ms;
    return deadline_ms;
}

void helper_end_all(struct supervisor *sup, enum machine_slot slot)
{
    for (int i = 0; i < SUPERVISOR_HELPERS_MAX; i++)
        if (sup->helpers[i].used && sup->helpers[i].slot == slot && !sup->helpers[i].killed)
            helper_kill(sup, &sup->helpers[i]);
}

void helper_end_kind(struct supervisor *sup, enum helper_kind kind)
{
    for (int i = 0; i < SUPERVISOR_HELPERS_MAX; i++)
        if (sup->helpers[i].used && sup->helpers[i].kind == kind && !sup->helpers[i].killed)
            helper_kill(sup, &sup->helpers[i]);
}
