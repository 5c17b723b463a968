/* Going on with an instance that a former supervisor started.
 *
 * Two ways lead here.  Under the same keeper a new supervisor gets lock, sockets and pipes back and
 * loses nothing.  When keeper and supervisor have both died, the record and what the kernel shows of
 * the process have to do. */
#include <stdlib.h>
#include <string.h>

#include "str.h"
#include "supervisor.h"

#include "banned.h"

/* What a child that waits at the barrier ends with when its supervisor dies. */
#define BARRIER_EXIT_CODE 127

static void config_copy_path(const struct supervisor *sup, char *ret_path, size_t size)
{
    (void)str_format(ret_path, size, "%s/config.json", sup->options.state_directory);
}

void adoption_save_config(struct supervisor *sup)
{
    char path[PLATFORM_PATH_BYTES];
    struct err err;

    config_copy_path(sup, path, sizeof path);
    if (platform_replace_file(path, buffer_text(&sup->service->text), sup->service->text.length,
                0600, &err) == -1)
        journal_write(&sup->journal,
                &(struct journal_event){ .event = "warning", .cause = err.text, .by_uid = -1 });
}

void adoption_read_record(struct supervisor *sup)
{
    char path[PLATFORM_PATH_BYTES];
    struct buffer text = { 0 };
    struct err err;

    (void)str_format(path, sizeof path, "%s/record", sup->options.state_directory);
    sup->former = calloc(1, sizeof *sup->former);
    if (sup->former != NULL &&
            (platform_read_file(path, RECORD_MAX_BYTES, &text, &err) == -1 ||
                    record_parse(buffer_text(&text), text.length, sup->former, &err) == -1))
        adoption_forget_record(sup);
    buffer_free(&text);
}

void adoption_forget_record(struct supervisor *sup)
{
    free(sup->former);
    sup->former = NULL;
}

/* The configuration that the instance was started with; today's file may say something else. */
static int load_config_copy(struct supervisor *sup, struct err *err)
{
    char path[PLATFORM_PATH_BYTES];
    struct service *service;
    struct platform_file today;

    config_copy_path(sup, path, sizeof path);
    if (service_load(sup->options.name, path, &service, NULL, err) == -1)
        return -1;
    /* Whether the file has changed is told by comparing it with the copy's text. */
    if (platform_stat_target(sup->options.config_path, &today)) {
        struct buffer text = { 0 };
        struct err ignored;

        if (platform_read_file(sup->options.config_path, CONFIG_MAX_BYTES, &text, &ignored) == 0 &&
                text.length == service->text.length &&
                memcmp(buffer_text(&text), buffer_text(&service->text), text.length) == 0)
            service->file = today;
        buffer_free(&text);
    }
    service->machine.by_hand = sup->service != NULL && sup->service->machine.by_hand;
    supervisor_use_service(sup, service);
    return 0;
}

/* The generation's handles and clocks, as they would be if it had been spawned here. */
static void resume_instance(
        struct supervisor *sup, enum machine_slot slot, enum instance_parent parent)
{
    struct instance *instance = &sup->instances[slot];
    const struct machine_generation *life = &sup->machine.generations[slot];
    const struct config *config = &sup->service->config;
    int64_t now_ms = platform_now_ms();

    *instance = (struct instance){
        .used = true,
        .slot = slot,
        .service = sup->service,
        .parent = parent,
        .settled_at_ms = PLATFORM_NEVER,
        .watchdog_at_ms = PLATFORM_NEVER,
        .owner_look_ms = PLATFORM_NEVER,
    };
    sup->instance_numbers[slot] = life->number;
    if (life->phase == MACHINE_PHASE_STARTING && !life->main_ended)
        readiness_begin(sup, slot);
    if (life->phase != MACHINE_PHASE_READY && life->phase != MACHINE_PHASE_UNHEALTHY)
        return;
    health_begin(&instance->health, config, now_ms);
    health_is_ready(&instance->health, config, now_ms);
    if (config->watchdog_ms > 0)
        instance->watchdog_at_ms = now_ms + config->watchdog_ms;
}

static void clear_slot(struct supervisor *sup, enum machine_slot slot)
{
    sup->machine.generations[slot] = (struct machine_generation){ .deadline_ms = MACHINE_NEVER };
    sup->record.generations[slot] = (struct record_generation){ .log_at = -1 };
}

static void end_recorded_helpers(struct supervisor *sup)
{
    for (size_t i = 0; i < sup->record.helper_count; i++) {
        const struct identity *helper = &sup->record.helpers[i];
        struct platform_tree tree = {
            .main_pid = helper->pid,
            .main_start = helper->start_time,
            .session = helper->pid,
            .keeper_pid = sup->link.keeper.pid,
        };

        (void)platform_tree_signal(&tree, "KILL");
    }
    sup->record.helper_count = 0;
}

/* ---- Under the same keeper ------------------------------------------------------------------ */

static void take_listeners(struct supervisor *sup)
{
    struct listener_set *set = &sup->service->listeners;

    for (size_t i = 0; i < set->count; i++) {
        struct listener *listener = &set->list[i];
        char name[32];

        (void)str_format(name, sizeof name, "listen:%zu", i);
        listener->handle = link_take(&sup->link, name);
        (void)str_format(name, sizeof name, "twin:%zu", i);
        listener->twin = link_take(&sup->link, name);
        if (i < sup->record.listener_count)
            listener->bound = sup->record.listeners[i].bound;
        (void)listener_check(listener);
    }
}

static void take_outputs(struct supervisor *sup)
{
    for (size_t i = 0; i < sup->link.restored_count; i++) {
        char name[OUTPUT_NAME_BYTES];

        if (strncmp(sup->link.rest->restored[i].name, "out:", 4) != 0 &&
                strncmp(sup->link.rest->restored[i].name, "err:", 4) != 0)
            continue;
        (void)str_format(name, sizeof name, "%.31s", sup->link.rest->restored[i].name);
        output_resume(&sup->output, name, link_take(&sup->link, name), ROLE_OUTPUT);
    }
    output_open(&sup->output);
}

static void take_notify(struct supervisor *sup, enum machine_slot slot)
{
    struct instance *instance = &sup->instances[slot];
    platform_handle handle;
    char name[32];

    (void)str_format(name, sizeof name, "notify:%u", sup->machine.generations[slot].number);
    handle = link_take(&sup->link, name);
    if (handle != PLATFORM_NO_HANDLE)
        instance->notify = platform_watch_notify(handle, ROLE_NOTIFY, instance);
}

/* Whether a process was recorded and never executed: its supervisor died before it had opened the
 * barrier.  The code is that of the barrier; a program that ends with the same one in the same
 * instant is started once more, which does no harm. */
static bool never_executed(const struct supervisor *sup, enum machine_slot slot)
{
    const struct machine_generation *life = &sup->machine.generations[slot];
    int64_t pid = sup->record.generations[slot].process.pid;

    if (life->phase != MACHINE_PHASE_STARTING || life->main_ended)
        return false;
    if (pid == 0)
        return true; /* only intended */
    for (size_t i = 0; i < sup->link.queue_count; i++)
        if (sup->link.rest->queue[i].kind == KEEPER_ENDED && sup->link.rest->queue[i].pid == pid)
            return sup->link.rest->queue[i].code == BARRIER_EXIT_CODE;
    return false;
}

static void spawn_again(struct supervisor *sup, enum machine_slot slot)
{
    if (sup->record.generations[slot].process.pid > 0)
        link_reap(&sup->link, sup->record.generations[slot].process.pid);
    clear_slot(sup, slot);
    if (slot == MACHINE_CURRENT)
        sup->machine.activity = MACHINE_GUARDS;
}

int adoption_revive(struct supervisor *sup, struct err *err)
{
    adoption_read_record(sup);
    if (sup->former == NULL)
        return err_set(err, ERR_FAILED, 0, "the record of the running instance cannot be read");
    if (load_config_copy(sup, err) == -1)
        return -1;
    sup->record = *sup->former;
    sup->machine = sup->former->machine;
    adoption_forget_record(sup);
    sup->may_record = true;
    sup->guarded_once = sup->machine.last_number > 0;
    sup->adopted = true;
    take_listeners(sup);
    for (enum machine_slot slot = MACHINE_CURRENT; slot < MACHINE_SLOT_COUNT; slot++) {
        if (sup->machine.generations[slot].phase == MACHINE_PHASE_NONE)
            continue;
        if (never_executed(sup, slot)) {
            spawn_again(sup, slot);
            continue;
        }
        resume_instance(sup, slot, INSTANCE_OF_KEEPER);
        take_notify(sup, slot);
    }
    take_outputs(sup);
    end_recorded_helpers(sup);
    link_drop_rest(&sup->link);
    return 0;
}

/* ---- After both have died --------------------------------------------------------------------- */

/* Takes the listening sockets back out of the instance, where the system permits that. */
static void rescue_listeners(struct supervisor *sup, int64_t pid)
{
    struct listener_set *set = &sup->service->listeners;

    for (size_t i = 0; i < set->count; i++) {
        struct listener *listener = &set->list[i];
        struct platform_listener found[PLATFORM_LISTENERS_MAX];
        int count;

        if (i < sup->record.listener_count)
            listener->bound = sup->record.listeners[i].bound;
        if (listener->config.socket != CONFIG_SOCKET_INHERIT)
            continue;
        count = listener->bound.family == ADDRESS_UNIX
                        ? platform_listeners_on_path(
                                  listener->bound.path, found, PLATFORM_LISTENERS_MAX)
                        : platform_listeners_on_port(
                                  listener->bound.port, found, PLATFORM_LISTENERS_MAX);
        for (int j = 0; j < count && listener->handle == PLATFORM_NO_HANDLE; j++)
            if (found[j].listening)
                listener->handle = platform_take_socket(pid, found[j].socket_id);
        (void)listener_check(listener);
    }
}

static void rescue_output(struct supervisor *sup, int64_t pid, uint32_t generation)
{
    static const struct {
        const char *name;
        int number;
    } streams[] = { { "out", 1 }, { "err", 2 } };

    output_open(&sup->output);
    for (size_t i = 0; i < (sup->output.separate ? 2 : 1); i++) {
        platform_handle handle = platform_take_output(pid, streams[i].number);
        char name[OUTPUT_NAME_BYTES];

        if (handle == PLATFORM_NO_HANDLE) {
            sup->output_lost = true;
            continue;
        }
        (void)str_format(name, sizeof name, "%s:%u", streams[i].name, generation);
        link_hold(&sup->link, name, handle);
        output_resume(&sup->output, name, handle, ROLE_OUTPUT);
    }
}

static void adopt_slot(struct supervisor *sup, enum machine_slot slot)
{
    const struct identity *process = &sup->record.generations[slot].process;
    struct instance *instance = &sup->instances[slot];

    resume_instance(sup, slot, INSTANCE_OF_NOBODY);
    instance->watch = platform_watch_process(process, ROLE_PROCESS, instance);
    rescue_output(sup, process->pid, sup->machine.generations[slot].number);
}

void adoption_adopt(struct supervisor *sup, enum decision_kind how)
{
    struct err err;

    if (load_config_copy(sup, &err) == -1)
        journal_write(&sup->journal,
                &(struct journal_event){ .event = "warning", .cause = err.text, .by_uid = -1 });
    sup->record = *sup->former;
    sup->machine = sup->former->machine;
    adoption_forget_record(sup);
    sup->machine.want_down = false;
    sup->machine.restart_asked = false;
    sup->machine.first = false;
    sup->may_record = true;
    sup->guarded_once = true;
    sup->adopted = true;
    for (enum machine_slot slot = MACHINE_CURRENT; slot < MACHINE_SLOT_COUNT; slot++)
        if (sup->machine.generations[slot].phase != MACHINE_PHASE_NONE &&
                !platform_is_same(&sup->record.generations[slot].process))
            clear_slot(sup, slot);
    if (sup->machine.generations[MACHINE_CURRENT].phase == MACHINE_PHASE_NONE) {
        sup->machine.generations[MACHINE_CURRENT] = sup->machine.generations[MACHINE_NEXT];
        sup->record.generations[MACHINE_CURRENT] = sup->record.generations[MACHINE_NEXT];
        clear_slot(sup, MACHINE_NEXT);
    }
    sup->machine.activity = MACHINE_RUNS;
    rescue_listeners(sup, sup->record.generations[MACHINE_CURRENT].process.pid);
    for (enum machine_slot slot = MACHINE_CURRENT; slot < MACHINE_SLOT_COUNT; slot++)
        if (sup->machine.generations[slot].phase != MACHINE_PHASE_NONE)
            adopt_slot(sup, slot);
    end_recorded_helpers(sup);
    supervisor_hold_listeners(sup);
    if (how == DECISION_FINISH_STOP)
        supervisor_feed_slot(sup, MACHINE_EVENT_REMOVE, MACHINE_CURRENT);
    if (how == DECISION_ADOPT_OLDER)
        supervisor_feed_slot(sup, MACHINE_EVENT_REMOVE, MACHINE_NEXT);
}
