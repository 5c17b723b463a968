#include "start.h"

#include <stdio.h>
#include <string.h>

#include "peer.h"
#include "pidfile.h"
#include "spawn.h"
#include "str.h"
#include "version.h"

#include "banned.h"

#define LOCK_LOOK_MS     20   /* between two looks at a lock that somebody holds */
#define CLEAR_LIMIT_MS   5000 /* for ending what cannot be taken up */
#define FAILED_END_MS    5000 /* for telling a start's client why it failed */

static void fail(struct supervisor *sup, const struct err *err)
{
    sup->failure = *err;
    sup->done = true;
    sup->exit_code = err->kind;
    sup->end_by_ms = platform_now_ms() + FAILED_END_MS;
    if (!sup->options.background)
        (void)fprintf(stderr, "svcmgr: %s: %s\n", sup->options.name, err->text);
}

/* ---- Somebody else has the lock ----------------------------------------------------------------- */

static void explain_holder(const struct protocol_answer *hello, struct err *err)
{
    double supervisor_pid = 0;
    double pid = 0;

    (void)json_whole_number(
            json_member(hello->result, "supervisor_pid"), 1, 1e10, &supervisor_pid);
    if (json_whole_number(json_member(hello->result, "pid"), 1, 1e10, &pid))
        err_set(err, ERR_DUPLICATE, 0,
                "already running: pid %.0f, under the supervisor with pid %.0f; to replace it, type "
                "svcmgr restart",
                pid, supervisor_pid);
    else
        err_set(err, ERR_DUPLICATE, 0, "already supervised by the supervisor with pid %.0f",
                supervisor_pid);
}

/* Asks the holder who it is.  1: it answered (*err says who), 0: not now. */
static int ask_holder(const struct supervisor *sup, int64_t deadline_ms, struct err *err)
{
    struct protocol_answer hello;
    struct peer peer;
    int64_t left_ms = deadline_ms - platform_now_ms();
    int answered = 0;

    if (peer_connect(sup->options.state_directory, &peer, err) == -1)
        return 0;
    if (peer_call(&peer, "hello", NULL, left_ms > 0 ? left_ms : 0, &hello, err) == 0) {
        explain_holder(&hello, err);
        protocol_answer_free(&hello);
        answered = 1;
    }
    peer_close(&peer);
    return answered;
}

/* Takes the lock, or finds out who has it.  A holder that neither answers nor goes in time is an
 * error of its own. */
static int take_lock(struct supervisor *sup, struct err *err)
{
    int64_t deadline_ms = platform_now_ms() + PEER_HELLO_LIMIT_MS;
    struct err why;

    for (;;) {
        struct platform_event event;

        if (pidfile_take(sup->options.state_directory, &sup->lock, err) == 0)
            return 0;
        if (err->kind != ERR_DUPLICATE)
            return -1;
        /* In the background whoever started us asks the holder itself. */
        if (sup->options.background) {
            sup->lock_is_held = true;
            return -1;
        }
        if (ask_holder(sup, deadline_ms, &why) == 1) {
            *err = why;
            return -1;
        }
        if (platform_now_ms() >= deadline_ms)
            return err_set(err, ERR_NO_ANSWER, 0,
                    "another supervisor holds %s/pid and did not answer in %d s; look at it with "
                    "svcmgr doctor %s",
                    sup->options.state_directory, PEER_HELLO_LIMIT_MS / 1000, sup->options.name);
        platform_wait(platform_now_ms() + LOCK_LOOK_MS, &event);
    }
}

/* ---- Beginning ------------------------------------------------------------------------------------ */

static void print_faults(const struct supervisor *sup, const struct json_faults *faults)
{
    for (size_t i = 0; i < faults->count; i++)
        (void)fprintf(stderr, "%s:%zu:%zu: %s\n", sup->options.config_path, faults->list[i].line,
                faults->list[i].column, faults->list[i].text);
    if (faults->dropped > 0)
        (void)fprintf(stderr, "%s: and %zu more faults\n", sup->options.config_path,
                faults->dropped);
}

static int load_service(struct supervisor *sup, struct err *err)
{
    struct json_faults faults = { 0 };
    struct service *service;
    int result = service_load(sup->options.name, sup->options.config_path, &service, &faults, err);

    if (result == -1 && faults.count > 0 && !sup->options.background) {
        print_faults(sup, &faults);
        err_set(err, ERR_CONFIG, 0, "the configuration is invalid; nothing was started");
    }
    json_faults_free(&faults);
    if (result == 0 && spawn_check_scope(&service->config, sup->options.system_scope, err) == -1) {
        service_free(service);
        result = -1;
    }
    if (result == -1)
        return -1;
    if (sup->options.duplicate_set)
        service->config.duplicate = sup->options.duplicate;
    if (sup->is_init && !service->config.log_destination_set)
        service->config.log_destination = CONFIG_LOG_INHERIT;
    service->machine.by_hand = !sup->is_init && !sup->launcher->restarts;
    service->machine.exit_when_failed = sup->options.exit_when_failed;
    service->machine.exit_with_instance = sup->is_init || sup->options.exit_code_from_instance;
    sup->service = service;
    return 0;
}

static void init_output(struct supervisor *sup)
{
    output_init(&sup->output, sup->options.state_directory, &sup->service->config, &sup->link);
    if (!sup->options.background && platform_is_terminal(platform_standard_output()))
        sup->output.copy = platform_standard_output();
}

/* The handle that the keeper kept, or a new one in its place. */
static int open_control(struct supervisor *sup, struct err *err)
{
    platform_handle handle = link_take(&sup->link, "control");

    if (handle == PLATFORM_NO_HANDLE) {
        if (platform_control_listen(sup->options.state_directory, PEER_CONTROL_NAME, &handle, err) ==
                -1)
            return -1;
        link_hold(&sup->link, "control", handle);
    }
    return control_open(&sup->control, handle, ROLE_CONTROL, err);
}

static int hold_lock(struct supervisor *sup, struct err *err)
{
    link_hold(&sup->link, "lock", sup->lock);
    if (sup->link.source != NULL && !link_sync(&sup->link))
        return err_set(err, ERR_FAILED, 0, "the keeper does not answer");
    return pidfile_write(sup->lock, platform_pid(), err);
}

static void init_record(struct supervisor *sup)
{
    struct record *record = &sup->record;

    (void)str_copy(record->name, sizeof record->name, sup->options.name);
    (void)str_copy(record->version, sizeof record->version, SVCMGR_VERSION);
    (void)str_copy(record->launcher, sizeof record->launcher, sup->launcher->kind);
    (void)platform_identify(platform_pid(), true, &record->supervisor);
    record->keeper = sup->link.keeper;
    record->started_wall_us = platform_wall_us();
    for (int slot = 0; slot < MACHINE_SLOT_COUNT; slot++)
        record->generations[slot].log_at = -1;
}

static uint64_t random_seed(void)
{
    uint64_t seed = (uint64_t)platform_now_us();
    struct err err;

    (void)platform_random(&seed, sizeof seed, &err);
    return seed;
}

static int begin(struct supervisor *sup, struct err *err)
{
    if (load_service(sup, err) == -1)
        return -1;
    init_output(sup);
    if (sup->lock == PLATFORM_NO_HANDLE && take_lock(sup, err) == -1)
        return -1;
    if (hold_lock(sup, err) == -1 || open_control(sup, err) == -1)
        return -1;
    init_record(sup);
    (void)launcher_detect(sup->record.launcher_unit, sizeof sup->record.launcher_unit);
    adoption_read_record(sup);
    machine_init(&sup->machine, &sup->service->machine, random_seed());
    sup->told_state = MACHINE_STOPPED;
    publish_state(sup);
    supervisor_begin_guard(sup);
    return 0;
}

/* ---- Going on ------------------------------------------------------------------------------------- */

/* What cannot be taken up must not run beside what is started next. */
static void end_everything(struct supervisor *sup)
{
    int64_t deadline_ms = platform_now_ms() + CLEAR_LIMIT_MS;
    struct platform_tree tree = { .whole = true, .keeper_pid = sup->link.keeper.pid };

    while (platform_tree_signal(&tree, "KILL") > 0 && platform_now_ms() < deadline_ms) {
        struct platform_event event;

        platform_wait(platform_now_ms() + LOCK_LOOK_MS, &event);
        if (event.kind == PLATFORM_EVENT_EXIT)
            platform_reap(event.pid);
    }
    link_drop_rest(&sup->link);
}

static int go_on(struct supervisor *sup, struct err *err)
{
    if (load_service(sup, err) == -1) {
        /* Today's file is wrong: the copy of the one in use is what counts. */
        sup->service = NULL;
    } else {
        init_output(sup);
    }
    init_record(sup);
    if (adoption_revive(sup, err) == -1)
        return -1;
    (void)platform_identify(platform_pid(), true, &sup->record.supervisor);
    (void)str_copy(sup->record.version, sizeof sup->record.version, SVCMGR_VERSION);
    if (open_control(sup, err) == -1)
        return -1;
    (void)pidfile_write(sup->lock, platform_pid(), err);
    journal_open(&sup->journal);
    sup->told_state = machine_state(&sup->machine);
    journal_write(&sup->journal,
            &(struct journal_event){ .event = "supervisor",
                    .pid = platform_pid(),
                    .cause = "the supervisor had died and was started again by its keeper",
                    .by_uid = -1 });
    publish_record(sup);
    if (sup->machine.activity == MACHINE_GUARDS)
        supervisor_begin_guard(sup);
    return 0;
}

static int enter_loop(struct supervisor *sup, struct err *err)
{
    platform_leave_terminal_group();
    platform_become_reaper();
    if (platform_loop_open(err) == -1)
        return -1;
    platform_loop_take_signals(true);
    link_open(&sup->link, ROLE_KEEPER);
    if (sup->options.background && sup->link.former_lives == 0) {
        struct client *first = control_adopt(&sup->control, KEEPER_CLIENT_FD, ROLE_CONTROL);

        if (first != NULL)
            first->is_first = true;
    }
    journal_init(&sup->journal, sup->options.state_directory, sup->options.name,
            !sup->options.background);
    sup->is_init = sup->link.keeper.pid == 1;
    sup->launcher = launcher_detect(sup->record.launcher_unit, sizeof sup->record.launcher_unit);
    return platform_user_self(&sup->user, err);
}

void start_supervisor(struct supervisor *sup)
{
    struct err err;

    if (enter_loop(sup, &err) == -1) {
        fail(sup, &err);
        return;
    }
    sup->lock = link_take(&sup->link, "lock");
    if (sup->lock != PLATFORM_NO_HANDLE) {
        if (go_on(sup, &err) == 0)
            return;
        end_everything(sup);
    }
    if (begin(sup, &err) == -1)
        fail(sup, &err);
}

void start_clean_up(struct supervisor *sup)
{
    char path[PLATFORM_PATH_BYTES];
    struct err err;

    if (sup->lock == PLATFORM_NO_HANDLE)
        return;
    (void)str_format(
            path, sizeof path, "%s/%s", sup->options.state_directory, PEER_CONTROL_NAME);
    (void)platform_remove_file(path, &err);
}
