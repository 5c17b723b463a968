#include "start.h"

#include <stdio.h>
#include <string.h>

#include "endpoint.h"
#include "peer.h"
#include "pidfile.h"
#include "spawn.h"
#include "standby.h"
#include "str.h"
#include "version.h"

#include "banned.h"

#define LOCK_LOOK_MS   20   /* between two looks at a lock that somebody holds */
#define CLEAR_LIMIT_MS 5000 /* for ending what cannot be taken up */
#define FAILED_END_MS  5000 /* for telling a start's client why it failed */

void start_fail(struct supervisor *sup, const struct err *err)
{
    sup->failure = *err;
    sup->done = true;
    sup->exit_code = (int)err->kind;
    sup->end_by_ms = platform_now_ms() + FAILED_END_MS;
    if (!sup->options.background)
        (void)fprintf(stderr, "svcmgr: %s: %s\n", sup->options.name, err->text);
}

/* ---- Somebody else has the lock -------------------------------------------------------------- */

static void explain_holder(const cJSON *hello, struct err *err)
{
    double supervisor_pid = 0;
    double pid = 0;

    (void)json_whole_number(json_member(hello, "supervisor_pid"), 1, 1e10, &supervisor_pid);
    if (json_whole_number(json_member(hello, "pid"), 1, 1e10, &pid))
        err_set(err, ERR_DUPLICATE, 0,
                "already running: pid %.0f, under the supervisor with pid %.0f; to replace it, "
                "type svcmgr restart",
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
        explain_holder(hello.result, err);
        protocol_answer_free(&hello);
        answered = 1;
    }
    peer_close(&peer);
    return answered;
}

/* A moment of the loop before the supervisor is in it: what it is asked meanwhile is kept. */
static void look_on(struct supervisor *sup)
{
    struct keeper_message message = { .kind = KEEPER_ASK, .number = KEEPER_ASK_STOP };
    struct platform_event event;

    platform_wait(platform_now_ms() + LOCK_LOOK_MS, &event);
    if (event.kind == PLATFORM_EVENT_EXIT) {
        platform_reap(event.pid);
    } else if (event.kind == PLATFORM_EVENT_SIGNAL && event.ask == PLATFORM_ASK_STOP) {
        link_keep(&sup->link, &message);
    } else if (event.kind == PLATFORM_EVENT_MESSAGE && event.source == sup->link.source) {
        memcpy(&message, event.data, sizeof message);
        platform_close(event.handle);
        link_keep(&sup->link, &message);
    } else if (event.kind == PLATFORM_EVENT_END && event.source == sup->link.source) {
        link_lost(&sup->link);
    }
}

enum lock_result { LOCK_TAKEN, LOCK_IN_LINE, LOCK_NOT_WANTED, LOCK_FAILED };

/* Asks a holder that is in the way who it is, as long as it may be on its way out.  One that
 * neither answers nor goes in time is an error of its own. */
static enum lock_result wait_for_lock(struct supervisor *sup, struct err *err)
{
    int64_t deadline_ms = platform_now_ms() + PEER_HELLO_LIMIT_MS;
    struct err why;

    while (!link_stop_waits(&sup->link)) {
        if (ask_holder(sup, deadline_ms, &why) == 1) {
            *err = why;
            return LOCK_FAILED;
        }
        if (platform_now_ms() >= deadline_ms) {
            err_set(err, ERR_NO_ANSWER, 0,
                    "another supervisor holds %s/pid and did not answer in %d s; look at it with "
                    "svcmgr doctor %s",
                    sup->options.state_directory, PEER_HELLO_LIMIT_MS / 1000, sup->options.name);
            return LOCK_FAILED;
        }
        look_on(sup);
        if (pidfile_take(sup->options.state_directory, &sup->lock, err) == 0)
            return LOCK_TAKEN;
        if (err->kind != ERR_DUPLICATE)
            return LOCK_FAILED;
    }
    return LOCK_NOT_WANTED;
}

/* Takes the lock, or does what is to be done when somebody else has it. */
static enum lock_result take_lock(struct supervisor *sup, struct err *err)
{
    struct decision_facts facts = {
        .foreground = !sup->options.background,
        .duplicate = (enum decision_duplicate)sup->service->config.duplicate,
        .lock = DECISION_LOCK_HELD,
    };
    enum decision_kind decision;

    if (sup->lock != PLATFORM_NO_HANDLE ||
            pidfile_take(sup->options.state_directory, &sup->lock, err) == 0)
        return LOCK_TAKEN;
    if (err->kind != ERR_DUPLICATE)
        return LOCK_FAILED;
    decision = decision_make(&facts).kind;
    if (decision == DECISION_STAND_BY || decision == DECISION_TAKE_OVER) {
        standby_begin(sup, decision == DECISION_TAKE_OVER);
        return LOCK_IN_LINE;
    }
    if (decision == DECISION_REFUSED) {
        news_wait(sup, "another supervisor holds the lock", PEER_HELLO_LIMIT_MS);
        return wait_for_lock(sup, err);
    }
    /* Running already: whoever started us in the background asks the holder itself. */
    sup->lock_is_held = true;
    return LOCK_FAILED;
}

/* ---- Beginning ------------------------------------------------------------------------------- */

static void print_faults(const struct supervisor *sup, const struct json_faults *faults)
{
    for (size_t i = 0; i < faults->count; i++)
        (void)fprintf(stderr, "%s:%zu:%zu: %s\n", sup->options.config_path, faults->list[i].line,
                faults->list[i].column, faults->list[i].text);
    if (faults->dropped > 0)
        (void)fprintf(
                stderr, "%s: and %zu more faults\n", sup->options.config_path, faults->dropped);
}

int supervisor_load_service(struct supervisor *sup, const char *path, struct service **ret_service,
        struct json_faults *faults, struct err *err)
{
    struct service *service;

    if (service_load(sup->options.name, path, &service, faults, err) == -1)
        return -1;
    if (spawn_check_scope(&service->config, sup->options.system_scope, err) == -1) {
        service_free(service);
        return -1;
    }
    if (sup->options.duplicate_set)
        service->config.duplicate = sup->options.duplicate;
    if (sup->is_init && !service->config.log_destination_set)
        service->config.log_destination = CONFIG_LOG_INHERIT;
    given_decide(sup, &service->config, &service->listeners);
    service->machine.by_hand = !sup->is_init && !sup->launcher->restarts;
    service->machine.exit_when_failed = sup->options.exit_when_failed;
    service->machine.exit_with_instance = sup->is_init || sup->options.exit_code_from_instance;
    *ret_service = service;
    return 0;
}

static int load_first_service(struct supervisor *sup, struct err *err)
{
    struct json_faults faults = { 0 };
    struct service *service;
    int result = supervisor_load_service(sup, sup->options.config_path, &service, &faults, err);

    if (result == -1 && faults.count > 0 && !sup->options.background) {
        print_faults(sup, &faults);
        err_set(err, ERR_CONFIG, 0, "the configuration is invalid; nothing was started");
    }
    json_faults_free(&faults);
    if (result == 0)
        claim_use_service(sup, service);
    return result;
}

static void init_output(struct supervisor *sup)
{
    output_init(&sup->output, sup->options.name, sup->options.state_directory, &sup->link);
    if (!sup->options.background && platform_is_terminal(platform_standard_output()))
        sup->output.copy = platform_standard_output();
}

static int hold_lock(struct supervisor *sup, struct err *err)
{
    link_hold(&sup->link, "lock", sup->lock);
    link_flush(&sup->link);
    if (pidfile_write(sup->lock, platform_pid(), err) == -1)
        return err_prefix(err, "%s", sup->options.state_directory);
    return 0;
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

static int prepare_place(struct supervisor *sup, struct err *err)
{
    if (hold_lock(sup, err) == -1 || endpoint_open(sup, err) == -1)
        return -1;
    init_record(sup);
    adoption_read_record(sup);
    return 0;
}

int start_take_place(struct supervisor *sup, struct err *err)
{
    if (prepare_place(sup, err) == -1)
        return -1;
    supervisor_feed(sup, (struct machine_event) { .kind = MACHINE_EVENT_GUARD_AGAIN });
    return 0;
}

static int begin(struct supervisor *sup, struct err *err)
{
    if (load_first_service(sup, err) == -1)
        return -1;
    machine_init(&sup->machine, &sup->service->machine, random_seed());
    sup->told_state = MACHINE_STOPPED;
    given_fill(sup, &sup->service->listeners);
    switch (take_lock(sup, err)) {
    case LOCK_FAILED:
        return -1;
    case LOCK_IN_LINE:
        return 0;
    case LOCK_NOT_WANTED: /* asked to stop before there was anything to stop */
        sup->done = true;
        sup->end_by_ms = platform_now_ms();
        return 0;
    case LOCK_TAKEN:
        break;
    }
    if (prepare_place(sup, err) == -1)
        return -1;
    publish_state(sup);
    claim_begin_guard(sup);
    return 0;
}

/* ---- Going on -------------------------------------------------------------------------------- */

/* The supervisor before us hands over: there is no keeper. */
static bool takes_place(const struct supervisor *sup)
{
    return !platform_has_keeper() && !sup->options.is_alone;
}

/* What cannot be taken up must not run beside what is started next. */
static void end_everything(struct supervisor *sup)
{
    int64_t deadline_ms = platform_now_ms() + CLEAR_LIMIT_MS;
    struct platform_tree tree = { .whole = true, .keeper_pid = sup->link.keeper.pid };

    while (platform_tree_signal(&tree, "KILL") > 0 && platform_now_ms() < deadline_ms)
        look_on(sup);
    link_drop_rest(&sup->link);
}

static void tell_why_we_came(struct supervisor *sup)
{
    char cause[RECORD_REASON_BYTES];

    switch (sup->link.came) {
    case KEEPER_CAME_FIRST:
    case KEEPER_CAME_REVIVED:
        (void)str_copy(cause, sizeof cause,
                "the supervisor had died and was started again by its keeper; of the output at "
                "most the 64 KiB that it had in hand are lost");
        break;
    case KEEPER_CAME_UPGRADED:
        (void)str_copy(cause, sizeof cause, "upgraded: svcmgr " SVCMGR_VERSION " has taken over");
        break;
    case KEEPER_CAME_RESTORED:
        (void)str_format(cause, sizeof cause,
                "the new svcmgr did not take over: %s; svcmgr " SVCMGR_VERSION " goes on",
                sup->link.trial_end);
        break;
    }
    journal_write(&sup->journal,
            &(struct journal_event) {
                    .event = "supervisor", .pid = platform_pid(), .cause = cause });
}

static int go_on(struct supervisor *sup, struct err *err)
{
    init_record(sup);
    if (adoption_revive(sup, err) == -1)
        return -1;
    if (endpoint_open(sup, err) == -1)
        return -1;
    link_drop_rest(&sup->link);
    if (takes_place(sup) && handover_take(sup, err) == -1)
        return -1;
    (void)pidfile_write(sup->lock, platform_pid(), err);
    journal_open(&sup->journal);
    sup->told_state = machine_state(&sup->machine);
    tell_why_we_came(sup);
    publish_record(sup);
    if (sup->machine.activity == MACHINE_GUARDS)
        claim_begin_guard(sup);
    if (sup->machine.activity == MACHINE_STANDS_BY)
        sup->standby_at_ms = platform_now_ms();  /* whom it waited for may be gone */
    if (sup->machine.activity == MACHINE_DONE) { /* the word to the keeper was lost */
        sup->done = true;
        sup->exit_code = sup->machine.want_down ? 0 : ERR_FAILED;
    }
    if (sup->link.came == KEEPER_CAME_UPGRADED)
        link_taken(&sup->link);
    given_settle(sup);
    news_tell(sup);
    return 0;
}

/* The connection of a start that waits; behind what a keeper passes on, if there is one. */
static void adopt_first_client(struct supervisor *sup)
{
    size_t place = platform_has_keeper() ? KEEPER_CLIENT_FD - KEEPER_FIRST_FD : 0;
    struct client *first = control_adopt(&sup->control, platform_given(place), ROLE_CONTROL);

    if (first == NULL)
        return;
    first->is_first = true;
    publish_note_asker(sup, &first->peer);
}

static int enter_loop(struct supervisor *sup, struct err *err)
{
    int64_t main_pid;

    platform_leave_terminal_group();
    platform_become_reaper();
    if (platform_loop_open(true, err) == -1)
        return -1;
    link_open(&sup->link, ROLE_KEEPER, sup->options.is_alone);
    if (takes_place(sup) && sup->link.came != KEEPER_CAME_UPGRADED)
        return err_set(err, ERR_FAILED, 0, "the supervisor before this one does not answer");
    if (sup->options.background && sup->link.former_lives == 0)
        adopt_first_client(sup);
    journal_init(&sup->journal, sup->options.state_directory, sup->options.name,
            !sup->options.background);
    sup->is_init = sup->link.keeper.pid == 1;
    main_pid = platform_has_keeper() ? sup->link.keeper.pid : platform_pid();
    sup->launcher =
            launcher_detect(main_pid, sup->record.launcher_unit, sizeof sup->record.launcher_unit);
    sup->oom_kills = -1;
    if (sup->launcher->restarts || sup->is_init)
        group_open(sup);
    sup->journal.to_terminal = sup->journal.to_terminal && !sup->launcher->keeps_output;
    sup->journal.with_levels = sup->launcher->reads_levels != NULL && sup->launcher->reads_levels();
    news_begin(sup);
    given_begin(sup);
    return platform_user_self(&sup->user, err);
}

void start_supervisor(struct supervisor *sup)
{
    struct err err;

    if (enter_loop(sup, &err) == -1) {
        start_fail(sup, &err);
        return;
    }
    init_output(sup);
    if (takes_place(sup))
        sup->upgrade.gives_up =
                pidfile_take_as_heir(sup->options.state_directory, &sup->lock, &err) == -1;
    else
        sup->lock = link_take(&sup->link, "lock");
    if (sup->upgrade.gives_up)
        return;
    if (sup->lock != PLATFORM_NO_HANDLE) {
        if (go_on(sup, &err) == 0)
            return;
        sup->upgrade.gives_up = sup->link.came == KEEPER_CAME_UPGRADED;
        if (sup->upgrade.gives_up)
            return;
        end_everything(sup);
    }
    if (begin(sup, &err) == -1)
        start_fail(sup, &err);
    else if (sup->link.source == NULL && sup->launcher->ends_with_keeper)
        events_keeper_gone(sup); /* while the lock was waited for */
}

void start_clean_up(struct supervisor *sup)
{
    if (sup->lock != PLATFORM_NO_HANDLE)
        endpoint_remove(sup);
}
