#include <string.h>

#include "spawn.h"
#include "str.h"
#include "supervisor.h"

#include "banned.h"

static int new_instance_id(char ret_id[RECORD_ID_BYTES], struct err *err)
{
    unsigned char bytes[(RECORD_ID_BYTES - 1) / 2];

    if (platform_random(bytes, sizeof bytes, err) == -1)
        return -1;
    for (size_t i = 0; i < sizeof bytes; i++)
        (void)str_format(ret_id + 2 * i, 3, "%02x", bytes[i]);
    return 0;
}

static struct record_generation *recorded_of(struct supervisor *sup, const struct instance *instance)
{
    return &sup->record.generations[instance->slot];
}

static void notify_key(uint32_t generation, char *ret_key, size_t size)
{
    (void)str_format(ret_key, size, "notify:%u", generation);
}

/* The socket for READY=1 and the watchdog; held by the keeper, so that a message that comes while no
 * supervisor lives is not lost. */
static int open_notify(struct supervisor *sup, struct instance *instance, uint32_t generation,
        uint32_t uid, struct err *err)
{
    const struct config *config = &instance->service->config;
    platform_handle handle;
    char key[32];

    recorded_of(sup, instance)->notify_name[0] = '\0';
    if (config->ready != CONFIG_READY_NOTIFY && config->watchdog_ms == 0)
        return 0;
    if (platform_notify_listen(uid, &handle, recorded_of(sup, instance)->notify_name, err) == -1)
        return -1;
    notify_key(generation, key, sizeof key);
    link_hold(&sup->link, key, handle);
    instance->notify = platform_watch_notify(handle, ROLE_NOTIFY, instance);
    return instance->notify != NULL ? 0 : err_set(err, ERR_FAILED, 0, "too many open sources");
}

static uint32_t runs_as(const struct supervisor *sup, const struct config *config)
{
    struct platform_user user;
    struct err err;

    if (config->user != NULL && platform_user_by_name(config->user, &user, &err) == 0)
        return user.uid;
    return sup->user.uid;
}

static int open_output(struct supervisor *sup, uint32_t generation, const struct spawn_plan *plan,
        platform_handle *ret_output, platform_handle *ret_error, struct err *err)
{
    if (!sup->output.captured) {
        *ret_output = platform_standard_output();
        *ret_error = platform_standard_error();
        return 0;
    }
    output_open(&sup->output);
    if (output_add(&sup->output, generation, ROLE_OUTPUT, ret_output, ret_error, err) == -1)
        return -1;
    /* /dev/stdout is opened anew by some programs: that needs the pipe to be theirs. */
    if (plan->spec.switch_user) {
        platform_give_pipe(*ret_output, plan->spec.uid);
        platform_give_pipe(*ret_error, plan->spec.uid);
    }
    return 0;
}

/* Everything between the intent and the barrier.  On failure nothing is left but the notify socket,
 * which instance_forget() takes away. */
static int spawn_child(struct supervisor *sup, struct instance *instance,
        struct platform_child *ret_child, struct err *err)
{
    struct record_generation *recorded = &sup->record.generations[instance->slot];
    uint32_t generation = sup->machine.generations[instance->slot].number;
    struct spawn_request request = {
        .sup = sup,
        .service = instance->service,
        .command = &instance->service->config.command,
        .generation = generation,
        .instance = recorded->instance,
        .notify_name = recorded_of(sup, instance)->notify_name,
    };
    platform_handle output = PLATFORM_NO_HANDLE;
    platform_handle error_output = PLATFORM_NO_HANDLE;
    struct spawn_plan plan;
    int result = -1;

    if (open_notify(sup, instance, generation, runs_as(sup, &instance->service->config), err) ==
            -1)
        return -1;
    if (spawn_prepare(&request, &plan, err) == -1 ||
            open_output(sup, generation, &plan, &output, &error_output, err) == -1)
        goto out;
    plan.spec.output = output;
    plan.spec.error_output = error_output;
    recorded->log_at = output_position(&sup->output);
    listener_release_claims(&instance->service->listeners);
    result = platform_spawn(&plan.spec, ret_child, err);
    if (result == -1)
        output_generation_ended(&sup->output, generation, platform_now_ms());
out:
    if (sup->output.captured) {
        platform_close(output);
        if (error_output != output)
            platform_close(error_output);
    }
    spawn_free(&plan);
    return result;
}

int instance_spawn(struct supervisor *sup, enum machine_slot slot, struct err *err)
{
    struct instance *instance = &sup->instances[slot];
    struct record_generation *recorded = &sup->record.generations[slot];
    struct platform_child child;

    sup->instance_numbers[slot] = sup->machine.generations[slot].number;
    *instance = (struct instance){
        .used = true,
        .slot = slot,
        .service = sup->service,
        .settled_at_ms = PLATFORM_NEVER,
        .watchdog_at_ms = PLATFORM_NEVER,
        .owner_look_ms = PLATFORM_NEVER,
    };
    *recorded = (struct record_generation){ .spawned_wall_us = platform_wall_us(), .log_at = -1 };
    if (new_instance_id(recorded->instance, err) == -1)
        return -1;
    /* The intent is on disk before there is a process; what ended before is written with it. */
    publish_record(sup);
    publish_record_now(sup);
    if (spawn_child(sup, instance, &child, err) == -1)
        return -1;
    /* First the keeper knows the pid (with lock, sockets and pipes), then the record does: a recorded
     * process is one whose end the keeper keeps. */
    link_record(&sup->link, child.identity.pid);
    (void)link_sync(&sup->link);
    recorded->process = child.identity;
    publish_record(sup);
    publish_record_now(sup);
    instance->failure = platform_watch_failure(child.failure, ROLE_FAILURE, instance);
    /* If the barrier cannot be opened the child ends at it, which is told like any other end. */
    (void)platform_spawn_release(&child, err);
    readiness_begin(sup, slot);
    return 0;
}

void instance_on_failure_event(struct supervisor *sup, const struct platform_event *event)
{
    struct instance *instance = event->owner;
    const struct config *config = &instance->service->config;

    if (event->kind == PLATFORM_EVENT_CHILD_FAILED) {
        const char *what = event->stage == PLATFORM_STAGE_EXECUTE ? config->command.list[0]
                           : event->stage == PLATFORM_STAGE_DIRECTORY && config->directory != NULL
                                   ? config->directory
                                   : "";

        (void)str_format(instance->failure_text, sizeof instance->failure_text, "%s%s%s: %s",
                platform_stage_name(event->stage), what[0] != '\0' ? " " : "", what,
                platform_error_text(event->os_code));
    }
    platform_unwatch(instance->failure);
    instance->failure = NULL;
    (void)sup;
}

void instance_tree(const struct supervisor *sup, enum machine_slot slot,
        int64_t except[INSTANCE_EXCEPT_MAX], struct platform_tree *ret_tree)
{
    const struct record_generation *recorded = &sup->record.generations[slot];
    enum machine_slot other = slot == MACHINE_CURRENT ? MACHINE_NEXT : MACHINE_CURRENT;
    bool alone = sup->machine.generations[other].phase == MACHINE_PHASE_NONE;
    size_t count = 0;

    for (int i = 0; i < SUPERVISOR_HELPERS_MAX; i++)
        if (sup->helpers[i].used)
            except[count++] = sup->helpers[i].process.pid;
    if (!alone && sup->record.generations[other].process.pid > 0)
        except[count++] = sup->record.generations[other].process.pid;
    /* A main process that has ended still lies there as a zombie until that is written down. */
    if (sup->machine.generations[slot].main_ended && recorded->process.pid > 0)
        except[count++] = recorded->process.pid;
    *ret_tree = (struct platform_tree){
        .main_pid = sup->machine.generations[slot].main_ended ? 0 : recorded->process.pid,
        .main_start = recorded->process.start_time,
        .session = recorded->process.pid,
        .whole = alone,
        .scattered = sup->instances[slot].parent == INSTANCE_OF_NOBODY,
        .keeper_pid = sup->link.keeper.pid,
        .instance = recorded->instance,
        .except = except,
        .except_count = count,
    };
}

int instance_slot_of(const struct supervisor *sup, int64_t pid)
{
    for (int slot = 0; slot < MACHINE_SLOT_COUNT; slot++)
        if (sup->instances[slot].used && sup->record.generations[slot].process.pid == pid)
            return slot;
    return -1;
}

bool instance_is_inside(const struct supervisor *sup, int64_t pid)
{
    int64_t except[INSTANCE_EXCEPT_MAX];
    struct platform_tree tree;

    for (enum machine_slot slot = MACHINE_CURRENT; slot < MACHINE_SLOT_COUNT; slot++) {
        if (!sup->instances[slot].used)
            continue;
        instance_tree(sup, slot, except, &tree);
        if (platform_tree_contains(&tree, pid))
            return true;
    }
    return false;
}

static void signal_main(struct supervisor *sup, enum machine_slot slot, const char *name)
{
    const struct identity *process = &sup->record.generations[slot].process;
    struct err err;

    if (process->pid <= 0 || sup->machine.generations[slot].main_ended)
        return;
    if (platform_signal(process, name, &err) == -1)
        journal_write(&sup->journal,
                &(struct journal_event){ .event = "warning", .cause = err.text, .by_uid = -1 });
}

void instance_stop(struct supervisor *sup, enum machine_slot slot)
{
    struct instance *instance = &sup->instances[slot];
    const struct config *config = &instance->service->config;
    struct err err;

    health_stop(&instance->health);
    instance->settled_at_ms = PLATFORM_NEVER;
    instance->owner_look_ms = PLATFORM_NEVER;
    if (config->stop_command.count > 0 &&
            helper_start(sup, slot, true, &config->stop_command, config->stop_timeout_ms, &err) ==
                    0)
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
    instance_tree(sup, slot, except, &tree);
    (void)platform_tree_signal(&tree, "KILL");
}

static void explain_exit(const struct supervisor *sup, enum machine_slot slot,
        const struct platform_exit *how, char *ret_text, size_t size)
{
    const struct machine_generation *life = &sup->machine.generations[slot];
    const struct instance *instance = &sup->instances[slot];
    const char *when = life->phase == MACHINE_PHASE_STARTING ? " before it was ready" : "";

    if (instance->failure_text[0] != '\0')
        (void)str_format(ret_text, size, "%s", instance->failure_text);
    else if (how->by_signal > 0)
        (void)str_format(ret_text, size, "ended by SIG%s%s%s", platform_signal_name(how->by_signal),
                how->core_dumped ? " (core dumped)" : "", when);
    else if (how->code >= 0)
        (void)str_format(ret_text, size, "exited with code %d%s", how->code, when);
    else
        (void)str_format(ret_text, size, "ended, its exit status is unknown%s", when);
}

static bool is_prevented(const struct config *config, int code)
{
    for (size_t i = 0; i < config->restart_prevent_count; i++)
        if (config->restart_prevent_on[i] == code)
            return true;
    return false;
}

void instance_ended(struct supervisor *sup, enum machine_slot slot, const struct platform_exit *how)
{
    struct instance *instance = &sup->instances[slot];
    struct record_exit *last = &sup->record.last_exit;
    bool started = instance->failure_text[0] == '\0';
    int code = how->by_signal > 0 ? 128 + how->by_signal : how->code;

    if (sup->machine.generations[slot].main_ended)
        return;
    *last = (struct record_exit){
        .known = true,
        .code = started && how->by_signal <= 0 ? how->code : -1,
        .by_signal = how->by_signal > 0 ? how->by_signal : 0,
        .wall_us = platform_wall_us(),
        .generation = sup->machine.generations[slot].number,
    };
    explain_exit(sup, slot, how, last->reason, sizeof last->reason);
    if (instance->parent != INSTANCE_OF_NOBODY && sup->reap_count < SUPERVISOR_REAP_MAX)
        sup->reap[sup->reap_count++] = sup->record.generations[slot].process.pid;
    health_stop(&instance->health);
    supervisor_cause(sup, "%s", last->reason);
    journal_write(&sup->journal,
            &(struct journal_event){ .event = "exit",
                    .pid = sup->record.generations[slot].process.pid,
                    .generation = last->generation,
                    .cause = last->reason,
                    .by_uid = -1 });
    publish_record(sup);
    supervisor_feed(sup,
            (struct machine_event){ .kind = MACHINE_EVENT_MAIN_ENDED,
                    .slot = slot,
                    .code = code,
                    .clean = started && how->code == 0,
                    .prevented = is_prevented(&instance->service->config, code) });
}

void instance_set_main(
        struct supervisor *sup, enum machine_slot slot, const struct identity *identity)
{
    struct instance *instance = &sup->instances[slot];
    struct record_generation *recorded = &sup->record.generations[slot];

    link_record(&sup->link, identity->pid);
    link_reap(&sup->link, recorded->process.pid);
    recorded->process = *identity;
    /* It may be somebody else's child for now, whose end is not told to us. */
    platform_unwatch(instance->watch);
    instance->watch = platform_watch_process(identity, ROLE_PROCESS, instance);
    publish_record(sup);
}

/* Nothing of a generation is left: its handles go. */
void instance_forget(struct supervisor *sup, enum machine_slot slot)
{
    struct instance *instance = &sup->instances[slot];
    struct service *service = instance->service;
    char key[32];

    if (!instance->used)
        return;
    helper_end_all(sup, slot);
    health_stop(&instance->health);
    platform_unwatch(instance->failure);
    platform_unwatch(instance->watch);
    if (instance->notify != NULL) {
        notify_key(sup->instance_numbers[slot], key, sizeof key);
        link_drop(&sup->link, key);
        platform_unwatch(instance->notify);
        platform_notify_remove(recorded_of(sup, instance)->notify_name);
    }
    output_generation_ended(&sup->output, sup->instance_numbers[slot], platform_now_ms());
    *instance = (struct instance){ .slot = slot };
    sup->record.generations[slot] = (struct record_generation){ .log_at = -1 };
    supervisor_release_service(sup, service);
}

/* What was next is current now; whoever owns a source of it is told its new place. */
void instance_promote(struct supervisor *sup)
{
    struct instance *current = &sup->instances[MACHINE_CURRENT];
    struct instance *next = &sup->instances[MACHINE_NEXT];

    *current = *next;
    current->slot = MACHINE_CURRENT;
    *next = (struct instance){ .slot = MACHINE_NEXT };
    platform_set_owner(current->failure, current);
    platform_set_owner(current->notify, current);
    platform_set_owner(current->watch, current);
    if (current->health.probe.source != NULL)
        platform_set_owner(current->health.probe.source, &current->health.probe);
    for (int i = 0; i < SUPERVISOR_HELPERS_MAX; i++)
        if (sup->helpers[i].used && sup->helpers[i].slot == MACHINE_NEXT)
            sup->helpers[i].slot = MACHINE_CURRENT;
    sup->record.generations[MACHINE_CURRENT] = sup->record.generations[MACHINE_NEXT];
    sup->record.generations[MACHINE_NEXT] = (struct record_generation){ .log_at = -1 };
    sup->instance_numbers[MACHINE_CURRENT] = sup->instance_numbers[MACHINE_NEXT];
    publish_record(sup);
}
