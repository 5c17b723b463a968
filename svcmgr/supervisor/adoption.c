/* Going on with an instance that a former supervisor started.
 *
 * Two ways lead here.  Under the same keeper a new supervisor gets lock, sockets and pipes back and
 * loses nothing; so it does, where there is no keeper, from a supervisor that hands over.  When
 * keeper and supervisor have both died, the record and what the kernel shows of the process have to
 * do. */
#include <stdlib.h>
#include <string.h>

#include "handover.h"
#include "listening.h"
#include "record_file.h"
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
    struct buffer present = { 0 };
    struct err err;
    bool same = false;

    config_copy_path(sup, path, sizeof path);
    /* Mostly it is there already; replacing a file costs milliseconds on some file systems. */
    if (platform_read_file(path, CONFIG_MAX_BYTES, &present, &err) == 0 &&
            present.length == sup->service->text.length &&
            memcmp(buffer_text(&present), buffer_text(&sup->service->text), present.length) == 0)
        same = true;
    buffer_free(&present);
    if (same)
        return;
    if (platform_replace_file(path, buffer_text(&sup->service->text), sup->service->text.length,
                0600, &err) == -1)
        journal_write(
                &sup->journal, &(struct journal_event) { .event = "warning", .cause = err.text });
}

void adoption_read_record(struct supervisor *sup)
{
    struct err err;

    sup->former = calloc(1, sizeof *sup->former);
    if (sup->former != NULL &&
            record_file_read(
                    sup->options.state_directory, sup->former, &sup->record_number, &err) == -1)
        adoption_forget_record(sup);
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
    if (supervisor_load_service(sup, path, &service, NULL, err) == -1)
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
    claim_use_service(sup, service);
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

    *instance = (struct instance) {
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
    /* What made it unhealthy is not recorded: it is well again when each of the two says so. */
    if (life->phase == MACHINE_PHASE_UNHEALTHY && config->health != CONFIG_HEALTH_NONE)
        instance->health.failures = config->health_failures;
    if (life->phase == MACHINE_PHASE_READY && config->watchdog_ms > 0)
        instance->watchdog_at_ms = now_ms + config->watchdog_ms;
}

static void clear_slot(struct supervisor *sup, enum machine_slot slot)
{
    sup->machine.generations[slot] = (struct machine_generation) { .deadline_ms = MACHINE_NEVER };
    sup->record.generations[slot] = (struct record_generation) { .log_at = -1 };
}

/* Where there is no keeper they have ended with the supervisor, or do so when it goes. */
static void end_recorded_helpers(struct supervisor *sup)
{
    for (size_t i = 0; i < sup->record.helper_count; i++) {
        const struct identity *helper = &sup->record.helpers[i].process;
        struct platform_tree tree = {
            .main_pid = helper->pid,
            .main_start = helper->start_time,
            .session = helper->pid,
            .keeper_pid = sup->link.keeper.pid,
        };

        if (platform_has_keeper())
            (void)platform_tree_signal(&tree, "KILL");
        sup->ended_commands += strcmp(sup->record.helpers[i].role, HELPER_ROLE_EXEC) == 0;
    }
    sup->record.helper_count = 0;
}

/* What only the record knows of a listener. */
static void recall_listener(struct supervisor *sup, size_t index)
{
    struct listener *listener = &sup->service->listeners.list[index];

    if (index >= sup->record.listener_count)
        return;
    listener->bound = sup->record.listeners[index].bound;
    listener->file_id = sup->record.listeners[index].file_id;
}

/* ---- Under the same keeper ------------------------------------------------------------------- */

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
        recall_listener(sup, i);
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

/* Whether a process never executed: its supervisor died before it had opened the barrier.  That is
 * so when it was only intended; when the keeper does not know it, which it does before the barrier
 * opens; and when it ended with the barrier's code (a program that ends with the same one in the
 * same instant is started once more, which does no harm).  But whatever carries its instance id
 * shows that it did: what is left of its tree has to go first, and the keeper does not know what
 * was taken up by its record. */
static bool never_executed(const struct supervisor *sup, enum machine_slot slot)
{
    const struct machine_generation *life = &sup->machine.generations[slot];
    const struct identity *process = &sup->record.generations[slot].process;
    int64_t pids[1];

    if (life->phase != MACHINE_PHASE_STARTING || life->main_ended)
        return false;
    if (process->pid == 0)
        return true;
    if (platform_find_instance(sup->record.generations[slot].instance, pids, 1) > 0)
        return false;
    for (size_t i = 0; i < sup->link.queue_count; i++)
        if (sup->link.rest->queue[i].kind == KEEPER_ENDED &&
                sup->link.rest->queue[i].pid == process->pid)
            return sup->link.rest->queue[i].code == BARRIER_EXIT_CODE;
    return platform_is_gone(process);
}

/* What a former supervisor had taken up by its record has never become the keeper's child; nor does
 * any orphan where there is no sub-reaper. */
static enum instance_parent parent_of(const struct supervisor *sup, enum machine_slot slot)
{
    struct platform_process_info info;

    if (sup->machine.generations[slot].main_ended)
        return INSTANCE_OF_KEEPER;
    return platform_process_info(sup->record.generations[slot].process.pid, &info) &&
                    info.parent == sup->link.keeper.pid
            ? INSTANCE_OF_KEEPER
            : INSTANCE_OF_NOBODY;
}

/* It is a child of the former supervisor's, which ours becomes with all that is known of it. */
static int take_child(struct supervisor *sup, enum machine_slot slot, struct err *err)
{
    const struct identity *process = &sup->record.generations[slot].process;
    struct platform_lent lent;
    char name[HANDOVER_NAME_BYTES];

    if (process->pid == 0)
        return 0;
    handover_name(HANDOVER_PROCESS, slot, name);
    lent.process = link_take_numbered(&sup->link, name, &lent.state);
    handover_name(HANDOVER_TREE, slot, name);
    lent.tree = link_take(&sup->link, name);
    return platform_child_take(process, &lent, err);
}

static void spawn_again(struct supervisor *sup, enum machine_slot slot)
{
    if (sup->record.generations[slot].process.pid > 0)
        link_reap(&sup->link, sup->record.generations[slot].process.pid);
    clear_slot(sup, slot);
    if (slot == MACHINE_CURRENT)
        sup->machine.activity = MACHINE_GUARDS;
}

/* What was, but not who supervised it then. */
static void take_record(struct supervisor *sup)
{
    struct record *former = sup->former;
    const struct record *own = &sup->record;

    former->supervisor = own->supervisor;
    (void)str_copy(former->version, sizeof former->version, own->version);
    (void)str_copy(former->launcher, sizeof former->launcher, own->launcher);
    (void)str_copy(former->launcher_unit, sizeof former->launcher_unit, own->launcher_unit);
    sup->record = *former;
    sup->machine = former->machine;
    adoption_forget_record(sup);
}

/* What the keeper had for us. */
static void take_kept(struct supervisor *sup, enum machine_slot slot)
{
    if (never_executed(sup, slot)) {
        spawn_again(sup, slot);
        return;
    }
    resume_instance(sup, slot, parent_of(sup, slot));
    if (sup->instances[slot].parent == INSTANCE_OF_NOBODY) {
        link_reap(&sup->link, sup->record.generations[slot].process.pid);
        instance_watch(sup, slot);
    }
    take_notify(sup, slot);
}

int adoption_revive(struct supervisor *sup, struct err *err)
{
    adoption_read_record(sup);
    if (sup->former == NULL)
        return err_set(err, ERR_FAILED, 0, "the record of the running instance cannot be read");
    /* Killed before its guard had said yes, a supervisor has written none.  One that hands over has
     * written it just now. */
    if (platform_has_keeper() && !identity_equal(&sup->former->keeper, &sup->link.keeper)) {
        adoption_forget_record(sup);
        return err_set(err, ERR_FAILED, 0, "the record was written under another keeper");
    }
    if (load_config_copy(sup, err) == -1)
        return -1;
    take_record(sup);
    sup->may_record = true;
    sup->guarded_once = sup->machine.last_number > 0;
    sup->adopted = true;
    take_listeners(sup);
    for (enum machine_slot slot = MACHINE_CURRENT; slot < MACHINE_SLOT_COUNT; slot++) {
        if (sup->machine.generations[slot].phase == MACHINE_PHASE_NONE)
            continue;
        if (platform_has_keeper()) {
            take_kept(sup, slot);
            continue;
        }
        if (take_child(sup, slot, err) == -1)
            return -1;
        resume_instance(sup, slot, INSTANCE_OF_OURS);
    }
    take_outputs(sup);
    end_recorded_helpers(sup);
    return 0;
}

/* ---- After both have died -------------------------------------------------------------------- */

/* Takes the listening sockets back out of the instance, where the system permits that. */
static void rescue_listeners(struct supervisor *sup, int64_t pid)
{
    struct listener_set *set = &sup->service->listeners;

    for (size_t i = 0; i < set->count; i++) {
        struct listener *listener = &set->list[i];
        struct platform_listener found[PLATFORM_LISTENERS_MAX];
        int count;

        recall_listener(sup, i);
        if (listener->config.socket != CONFIG_SOCKET_INHERIT)
            continue;
        count = listening_near(&listener->bound, found, PLATFORM_LISTENERS_MAX);
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
    resume_instance(sup, slot, INSTANCE_OF_NOBODY);
    instance_watch(sup, slot);
    instance_listen_again(sup, slot);
    rescue_output(
            sup, sup->record.generations[slot].process.pid, sup->machine.generations[slot].number);
}

static bool is_recorded_alive(const struct record *record, enum machine_slot slot)
{
    return record->machine.generations[slot].phase != MACHINE_PHASE_NONE &&
            !platform_is_gone(&record->generations[slot].process);
}

bool adoption_adopt(struct supervisor *sup, enum decision_kind how)
{
    bool alive[MACHINE_SLOT_COUNT];
    struct err err;

    for (enum machine_slot slot = MACHINE_CURRENT; slot < MACHINE_SLOT_COUNT; slot++)
        alive[slot] = is_recorded_alive(sup->former, slot);
    if (!alive[MACHINE_CURRENT] && !alive[MACHINE_NEXT])
        return false;
    if (load_config_copy(sup, &err) == -1)
        journal_write(
                &sup->journal, &(struct journal_event) { .event = "warning", .cause = err.text });
    take_record(sup);
    sup->machine.want_down = false;
    sup->machine.restart_asked = false;
    sup->machine.first = false;
    sup->may_record = true;
    sup->guarded_once = true;
    sup->adopted = true;
    for (enum machine_slot slot = MACHINE_CURRENT; slot < MACHINE_SLOT_COUNT; slot++)
        if (!alive[slot])
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
    output_open(&sup->output);
    end_recorded_helpers(sup);
    claim_hold_listeners(sup);
    if (how == DECISION_FINISH_STOP)
        supervisor_feed_slot(sup, MACHINE_EVENT_REMOVE, MACHINE_CURRENT);
    if (how == DECISION_ADOPT_OLDER)
        supervisor_feed_slot(sup, MACHINE_EVENT_REMOVE, MACHINE_NEXT);
    return true;
}
