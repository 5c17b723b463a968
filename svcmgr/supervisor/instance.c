#include <string.h>

#include "spawn.h"
#include "str.h"
#include "supervisor.h"

#include "banned.h"

#define CHILD_FIRST_MS 3

int instance_new_id(char ret_id[RECORD_ID_BYTES], struct err *err)
{
    unsigned char bytes[(RECORD_ID_BYTES - 1) / 2];

    if (platform_random(bytes, sizeof bytes, err) == -1)
        return -1;
    str_hex(ret_id, bytes, sizeof bytes);
    return 0;
}

static struct record_generation *recorded_of(
        struct supervisor *sup, const struct instance *instance)
{
    return &sup->record.generations[instance->slot];
}

static void notify_key(uint32_t generation, char *ret_key, size_t size)
{
    (void)str_format(ret_key, size, "notify:%u", generation);
}

/* The socket for READY=1 and the watchdog; held by the keeper, so that a message that comes while
 * no supervisor lives is not lost. */
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

void instance_listen_again(struct supervisor *sup, enum machine_slot slot)
{
    struct instance *instance = &sup->instances[slot];
    const char *name = recorded_of(sup, instance)->notify_name;
    platform_handle handle;
    struct err err;
    char key[32];

    if (name[0] == '\0' ||
            platform_notify_listen_again(
                    name, runs_as(sup, &instance->service->config), &handle, &err) == -1)
        return;
    notify_key(sup->machine.generations[slot].number, key, sizeof key);
    link_hold(&sup->link, key, handle);
    instance->notify = platform_watch_notify(handle, ROLE_NOTIFY, instance);
}

/* What a spawn needs until the barrier opens, and nobody after that. */
struct preparation {
    struct spawn_plan plan;
    platform_handle output;
    platform_handle error_output;
};

static void clear_away(struct supervisor *sup, struct preparation *preparation)
{
    if (sup->output.captured) {
        platform_close(preparation->output);
        if (preparation->error_output != preparation->output)
            platform_close(preparation->error_output);
    }
    spawn_free(&preparation->plan);
}

/* Everything up to the barrier.  On failure nothing is left but what clear_away() takes, and the
 * notify socket, which instance_forget() takes away. */
static int spawn_child(struct supervisor *sup, struct instance *instance,
        struct preparation *ret_preparation, struct platform_child *ret_child, struct err *err)
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
        .is_instance = true,
    };
    struct spawn_plan *plan = &ret_preparation->plan;
    bool has_group = false;
    int result;

    if (sup->has_groups || instance->service->config.limits[CONFIG_LIMIT_MEMORY] > 0)
        has_group = group_make(sup, instance->slot, &request.is_grouped);
    if (open_notify(sup, instance, generation, runs_as(sup, &instance->service->config), err) == -1)
        return -1;
    if (spawn_prepare(&request, plan, err) == -1 ||
            open_output(sup, generation, plan, &ret_preparation->output,
                    &ret_preparation->error_output, err) == -1)
        return -1;
    plan->spec.output = ret_preparation->output;
    plan->spec.error_output = ret_preparation->error_output;
    recorded->log_at = output_position(&sup->output);
    listener_release_claims(&instance->service->listeners);
    link_flush(&sup->link);
    result = platform_spawn(&plan->spec, ret_child, err);
    if (result == 0 && has_group) {
        result = platform_group_enter(generation, ret_child->identity.pid, err);
        if (result == -1)
            platform_spawn_abandon(ret_child);
    }
    if (result == -1)
        output_generation_ended(&sup->output, generation, platform_now_ms());
    return result;
}

/* Keeper and record know the pid before the barrier opens; the keeper first, since the end of what
 * is recorded is told only by a keeper that knows it.  The record also says how the former
 * generation ended, whose zombie lies there until now.  On failure nothing is left of the child. */
static int record_child(struct supervisor *sup, struct instance *instance,
        struct platform_child *child, struct err *err)
{
    link_record(&sup->link, child->identity.pid);
    recorded_of(sup, instance)->process = child->identity;
    if (publish_record_for_spawn(sup, err) == 0)
        return 0;
    platform_spawn_abandon(child);
    link_reap(&sup->link, child->identity.pid);
    recorded_of(sup, instance)->process = (struct identity) { .pid = 0 };
    output_generation_ended(
            &sup->output, sup->machine.generations[instance->slot].number, platform_now_ms());
    return -1;
}

int instance_spawn(struct supervisor *sup, enum machine_slot slot, struct err *err)
{
    struct instance *instance = &sup->instances[slot];
    struct record_generation *recorded = &sup->record.generations[slot];
    struct preparation preparation = {
        .output = PLATFORM_NO_HANDLE,
        .error_output = PLATFORM_NO_HANDLE,
    };
    struct platform_child child;
    int result;

    sup->instance_numbers[slot] = sup->machine.generations[slot].number;
    *instance = (struct instance) {
        .used = true,
        .slot = slot,
        .service = sup->service,
        .settled_at_ms = PLATFORM_NEVER,
        .watchdog_at_ms = PLATFORM_NEVER,
        .owner_look_ms = PLATFORM_NEVER,
    };
    *recorded = (struct record_generation) { .spawned_wall_us = platform_wall_us(), .log_at = -1 };
    listener_restore_queues(&sup->service->listeners);
    if (instance_new_id(recorded->instance, err) == -1)
        return -1;
    /* While the child is at the barrier there is nothing but what it waits for. */
    result = spawn_child(sup, instance, &preparation, &child, err);
    if (result == 0)
        result = record_child(sup, instance, &child, err);
    if (result == 0) /* if it cannot be opened the child ends at it: told like any other end */
        (void)platform_spawn_release(&child, err);
    clear_away(sup, &preparation);
    if (result == -1)
        return -1;
    instance->failure = platform_watch_failure(child.failure, ROLE_FAILURE, instance);
    sup->child_first_ms = platform_now_ms() + CHILD_FIRST_MS;
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
        char interpreter[PLATFORM_PATH_BYTES];
        bool missing = event->stage == PLATFORM_STAGE_EXECUTE &&
                platform_missing_interpreter(what, interpreter, sizeof interpreter);

        (void)str_format(instance->failure_text, sizeof instance->failure_text, "%s%s%s: %s%s%s%s",
                platform_stage_name(event->stage), what[0] != '\0' ? " " : "", what,
                missing ? "its interpreter " : "", missing ? interpreter : "", missing ? ": " : "",
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
    size_t sessions;

    /* A helper that was killed has to be gone with the rest. */
    for (int i = 0; i < SUPERVISOR_HELPERS_MAX; i++)
        if (sup->helpers[i].used && !sup->helpers[i].killed)
            except[count++] = sup->helpers[i].process.pid;
    sessions = count;
    if (!alone && sup->record.generations[other].process.pid > 0)
        except[count++] = sup->record.generations[other].process.pid;
    /* A main process that has ended still lies there as a zombie until that is written down. */
    if (sup->machine.generations[slot].main_ended && recorded->process.pid > 0)
        except[count++] = recorded->process.pid;
    *ret_tree = (struct platform_tree) {
        .main_pid = sup->machine.generations[slot].main_ended ? 0 : recorded->process.pid,
        .main_start = recorded->process.start_time,
        .session = recorded->process.pid,
        .whole = alone,
        .scattered = sup->instances[slot].parent == INSTANCE_OF_NOBODY,
        /* What a tree below us leaves comes to us, not to the keeper above. */
        .keeper_pid = sup->instances[slot].parent == INSTANCE_OF_OURS ? 0 : sup->link.keeper.pid,
        .instance = recorded->instance,
        .except = except,
        .except_count = count,
        .except_sessions = sessions,
        .group = sup->has_groups ? sup->instance_numbers[slot] : 0,
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

void instance_watch(struct supervisor *sup, enum machine_slot slot)
{
    struct instance *instance = &sup->instances[slot];

    platform_unwatch(instance->watch);
    instance->watch =
            platform_watch_process(&sup->record.generations[slot].process, ROLE_PROCESS, instance);
    instance->looked_at = instance->watch == NULL;
}

void instance_set_main(
        struct supervisor *sup, enum machine_slot slot, const struct identity *identity)
{
    struct record_generation *recorded = &sup->record.generations[slot];

    link_record(&sup->link, identity->pid);
    link_reap(&sup->link, recorded->process.pid);
    recorded->process = *identity;
    /* It may be somebody else's child for now, whose end is not told to us. */
    instance_watch(sup, slot);
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
    if (sup->has_groups)
        platform_group_remove(sup->instance_numbers[slot]);
    *instance = (struct instance) { .slot = slot };
    sup->record.generations[slot] = (struct record_generation) { .log_at = -1 };
    claim_release_service(sup, service);
}

/* What was next is current now; whoever owns a source of it is told its new place. */
void instance_promote(struct supervisor *sup)
{
    struct instance *current = &sup->instances[MACHINE_CURRENT];
    struct instance *next = &sup->instances[MACHINE_NEXT];

    *current = *next;
    current->slot = MACHINE_CURRENT;
    *next = (struct instance) { .slot = MACHINE_NEXT };
    platform_set_owner(current->failure, current);
    platform_set_owner(current->notify, current);
    platform_set_owner(current->watch, current);
    if (current->health.probe.source != NULL)
        platform_set_owner(current->health.probe.source, &current->health.probe);
    for (int i = 0; i < SUPERVISOR_HELPERS_MAX; i++)
        if (sup->helpers[i].used && sup->helpers[i].slot == MACHINE_NEXT)
            sup->helpers[i].slot = MACHINE_CURRENT;
    sup->record.generations[MACHINE_CURRENT] = sup->record.generations[MACHINE_NEXT];
    sup->record.generations[MACHINE_NEXT] = (struct record_generation) { .log_at = -1 };
    sup->instance_numbers[MACHINE_CURRENT] = sup->instance_numbers[MACHINE_NEXT];
    publish_record(sup);
}
