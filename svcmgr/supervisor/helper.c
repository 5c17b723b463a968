/* Short-lived commands beside an instance: health commands and the stop command.
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

static void record_helpers(struct supervisor *sup)
{
    sup->record.helper_count = 0;
    for (int i = 0; i < SUPERVISOR_HELPERS_MAX; i++)
        if (sup->helpers[i].used)
            sup->record.helpers[sup->record.helper_count++] = sup->helpers[i].process;
    publish_record(sup);
}

int helper_start(struct supervisor *sup, enum machine_slot slot, bool is_stop,
        const struct config_words *command, int64_t timeout_ms, struct err *err)
{
    struct helper *helper = free_helper(sup);
    struct spawn_request request = {
        .sup = sup,
        .service = sup->instances[slot].service,
        .command = command,
        .generation = sup->machine.generations[slot].number,
        .instance = sup->record.generations[slot].instance,
        .notify_name = "",
        .main_pid = sup->record.generations[slot].process.pid,
    };
    struct platform_child child;
    struct spawn_plan plan;
    int result = -1;

    if (helper == NULL)
        return err_set(err, ERR_FAILED, 0, "too many commands are running");
    if (spawn_prepare(&request, &plan, err) == -1 ||
            platform_spawn(&plan.spec, &child, err) == -1)
        goto out;
    *helper = (struct helper){
        .used = true,
        .process = child.identity,
        .slot = slot,
        .is_stop = is_stop,
        .deadline_ms = platform_now_ms() + timeout_ms,
    };
    record_helpers(sup);
    publish_record_now(sup);
    helper->failure = platform_watch_failure(child.failure, ROLE_HELPER, helper);
    (void)platform_spawn_release(&child, err);
    result = 0;
out:
    spawn_free(&plan);
    return result;
}

static void kill_helper(struct supervisor *sup, struct helper *helper)
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

static void health_command_ended(struct supervisor *sup, const struct helper *helper,
        const struct platform_exit *how)
{
    struct instance *instance = &sup->instances[helper->slot];
    const struct config *config = &instance->service->config;
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
    readiness_take_health(sup, helper->slot,
            health_result(&instance->health, config, good, text, platform_now_ms()));
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

    if (event->kind == PLATFORM_EVENT_CHILD_FAILED)
        (void)str_format(helper->failure_text, sizeof helper->failure_text, "%s: %s",
                platform_stage_name(event->stage), platform_error_text(event->os_code));
    platform_unwatch(helper->failure);
    helper->failure = NULL;
}

bool helper_on_exit(struct supervisor *sup, int64_t pid, const struct platform_exit *how)
{
    for (int i = 0; i < SUPERVISOR_HELPERS_MAX; i++) {
        struct helper ended = sup->helpers[i];

        if (!ended.used || ended.process.pid != pid)
            continue;
        kill_helper(sup, &ended); /* what it left behind in its session */
        ended.killed = sup->helpers[i].killed;
        sup->helpers[i] = (struct helper){ .used = false };
        platform_unwatch(ended.failure);
        platform_reap(pid);
        record_helpers(sup);
        if (ended.is_stop)
            stop_command_ended(sup, ended.slot);
        else
            health_command_ended(sup, &ended, how);
        return true;
    }
    return false;
}

void helper_on_time(struct supervisor *sup, int64_t now_ms)
{
    for (int i = 0; i < SUPERVISOR_HELPERS_MAX; i++)
        if (sup->helpers[i].used && now_ms >= sup->helpers[i].deadline_ms)
            kill_helper(sup, &sup->helpers[i]);
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
            kill_helper(sup, &sup->helpers[i]);
}
