#include "supervisor.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "start.h"
#include "str.h"

#include "banned.h"

#define TREE_LOOK_MS          20   /* while something that was killed is still there */
#define TREE_LOOK_TOLD_MS     100  /* the same where exits are told */
#define PROCESS_LOOK_MS       200  /* an adopted process that cannot be watched */
#define LAST_WORDS_MS         2500 /* for output and answers after the end was decided */
#define STANDBY_FIRST_MS      1000
#define STANDBY_MAX_MS        30000

void supervisor_cause(struct supervisor *sup, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(sup->cause, sizeof sup->cause, format, arguments);
    va_end(arguments);
}

/* ---- Sockets and configurations ------------------------------------------------------------- */

void supervisor_hold_listeners(struct supervisor *sup)
{
    const struct listener_set *set = &sup->service->listeners;

    for (size_t i = 0; i < CONFIG_LISTENERS_MAX; i++) {
        bool held = i < set->count && set->list[i].config.socket == CONFIG_SOCKET_INHERIT;
        char name[32];

        (void)str_format(name, sizeof name, "listen:%zu", i);
        if (held && set->list[i].handle != PLATFORM_NO_HANDLE)
            link_hold(&sup->link, name, set->list[i].handle);
        else if (i < sup->listeners_held)
            link_drop(&sup->link, name);
        (void)str_format(name, sizeof name, "twin:%zu", i);
        if (held && set->list[i].twin != PLATFORM_NO_HANDLE)
            link_hold(&sup->link, name, set->list[i].twin);
        else if (i < sup->listeners_held)
            link_drop(&sup->link, name);
    }
    sup->listeners_held = set->count;
}

static void close_sockets(struct supervisor *sup)
{
    listener_close_all(&sup->service->listeners);
    supervisor_hold_listeners(sup);
}

void supervisor_release_service(struct supervisor *sup, struct service *service)
{
    if (service == NULL || service == sup->service)
        return;
    for (int slot = 0; slot < MACHINE_SLOT_COUNT; slot++)
        if (sup->instances[slot].used && sup->instances[slot].service == service)
            return;
    service_free(service);
}

void supervisor_use_service(struct supervisor *sup, struct service *service)
{
    struct service *former = sup->service;

    if (former != NULL) {
        service->machine.by_hand = former->machine.by_hand;
        service->machine.exit_when_failed = former->machine.exit_when_failed;
        service->machine.exit_with_instance = former->machine.exit_with_instance;
        listener_take_over(&service->listeners, &former->listeners);
    }
    sup->service = service;
    sup->needs_restart = false;
    output_configure(&sup->output, &service->config);
    supervisor_release_service(sup, former);
}

/* A restart by overlap failed: the old generation goes on, and so does its configuration. */
static void go_back_to_current_service(struct supervisor *sup)
{
    const struct instance *current = &sup->instances[MACHINE_CURRENT];

    if (!current->used || current->service == sup->service ||
            sup->machine.generations[MACHINE_NEXT].phase != MACHINE_PHASE_NONE ||
            (sup->machine.generations[MACHINE_CURRENT].phase != MACHINE_PHASE_READY &&
                    sup->machine.generations[MACHINE_CURRENT].phase != MACHINE_PHASE_UNHEALTHY))
        return;
    supervisor_use_service(sup, current->service);
    adoption_save_config(sup);
    supervisor_hold_listeners(sup);
}

/* ---- The guard ------------------------------------------------------------------------------ */

void supervisor_begin_guard(struct supervisor *sup)
{
    sup->standby_at_ms = PLATFORM_NEVER;
    platform_unwatch(sup->standby_watch);
    sup->standby_watch = NULL;
    guard_begin(&sup->guard, &sup->service->config, &sup->service->listeners,
            sup->former, !sup->guarded_once, ROLE_GUARD_PROBE);
}

static void stand_by(struct supervisor *sup)
{
    struct identity stranger;

    sup->failure = sup->guard.err;
    sup->standby_pause_ms = sup->standby_pause_ms == 0 ? STANDBY_FIRST_MS
                            : sup->standby_pause_ms * 2 > STANDBY_MAX_MS
                                    ? STANDBY_MAX_MS
                                    : sup->standby_pause_ms * 2;
    sup->standby_at_ms = platform_now_ms() + sup->standby_pause_ms;
    if (sup->guard.other.pid > 0 && platform_identify(sup->guard.other.pid, true, &stranger))
        sup->standby_watch = platform_watch_process(&stranger, ROLE_STRANGER, NULL);
    listener_close_all(&sup->service->listeners);
    supervisor_cause(sup, "%s", sup->failure.text);
    supervisor_feed(sup, (struct machine_event){ .kind = MACHINE_EVENT_STAND_BY });
    methods_answer(sup, CLIENT_WAIT_START, true);
}

static void guard_allows(struct supervisor *sup)
{
    bool first = !sup->guarded_once;

    sup->guarded_once = true;
    sup->may_record = true;
    sup->standby_pause_ms = 0;
    sup->failure.text[0] = '\0';
    if (first) {
        journal_open(&sup->journal);
        adoption_save_config(sup);
    }
    if (first || sup->guard.facts.sockets != DECISION_SOCKETS_HELD)
        supervisor_hold_listeners(sup);
    if (sup->guard.cleared)
        journal_write(&sup->journal,
                &(struct journal_event){ .event = "leftovers",
                        .cause = "processes of the last run were left and have been stopped",
                        .by_uid = -1 });
    supervisor_feed(sup, (struct machine_event){ .kind = MACHINE_EVENT_CLEARED });
}

/* The guard of a restart whose configuration adds addresses. */
static void change_is_guarded(struct supervisor *sup)
{
    struct service *service = sup->next_service;

    sup->next_service = NULL;
    if (sup->guard.decision.kind != DECISION_START) {
        sup->failure = sup->guard.err;
        listener_free(&sup->added);
        service_free(service);
        methods_answer(sup, CLIENT_WAIT_RESTART, false);
        return;
    }
    listener_take_over(&service->listeners, &sup->added);
    listener_free(&sup->added);
    supervisor_use_service(sup, service);
    adoption_save_config(sup);
    supervisor_hold_listeners(sup);
    supervisor_feed(sup, (struct machine_event){ .kind = MACHINE_EVENT_ASK_RESTART });
}

static void look_at_guard(struct supervisor *sup)
{
    if (!sup->guard.done || sup->done)
        return;
    sup->guard.done = false;
    if (sup->next_service != NULL) {
        change_is_guarded(sup);
        return;
    }
    switch (sup->guard.decision.kind) {
    case DECISION_START:
        adoption_forget_record(sup);
        guard_allows(sup);
        break;
    case DECISION_ADOPT:
    case DECISION_ADOPT_OLDER:
    case DECISION_FINISH_STOP:
        journal_open(&sup->journal);
        supervisor_cause(sup, "taken up by its record: keeper and supervisor had died");
        adoption_adopt(sup, sup->guard.decision.kind);
        supervisor_feed(sup, (struct machine_event){ .kind = MACHINE_EVENT_ASK_START });
        break;
    case DECISION_STAND_BY:
        stand_by(sup);
        break;
    case DECISION_TAKE_LOCK:
    case DECISION_ASK_LAUNCHERS:
    case DECISION_READ_RECORD:
    case DECISION_LOOK_FOR_LEFTOVERS:
    case DECISION_PROBE:
    case DECISION_BIND:
    case DECISION_RETRY:
    case DECISION_CLEAR_LEFTOVERS:
    case DECISION_ALREADY_RUNNING:
    case DECISION_TAKE_OVER:
    case DECISION_REFUSED:
    case DECISION_COUNT:
        sup->failure = sup->guard.err;
        listener_close_all(&sup->service->listeners);
        supervisor_cause(sup, "%s", sup->failure.text);
        supervisor_feed(sup, (struct machine_event){ .kind = MACHINE_EVENT_REFUSED,
                                     .code = sup->guard.err.kind });
        break;
    }
}

static bool is_asked_already(const struct listener_set *set, const struct listener *wanted)
{
    for (size_t i = 0; i < set->count; i++)
        if (config_same_listener(&set->list[i].config, &wanted->config))
            return true;
    return false;
}

void supervisor_restart(struct supervisor *sup, struct service *service)
{
    struct err err;

    if (listener_init(&sup->added, &service->config, &err) == -1) {
        sup->failure = err;
        service_free(service);
        methods_answer(sup, CLIENT_WAIT_RESTART, false);
        return;
    }
    sup->added.count = 0;
    for (size_t i = 0; i < service->listeners.count; i++)
        if (!is_asked_already(&sup->service->listeners, &service->listeners.list[i]))
            sup->added.list[sup->added.count++] = service->listeners.list[i];
    sup->next_service = service;
    if (sup->added.count > 0 && sup->machine.activity == MACHINE_RUNS) {
        guard_begin(&sup->guard, &service->config, &sup->added, NULL, false, ROLE_GUARD_PROBE);
        return; /* look_at_guard() goes on */
    }
    sup->guard.decision.kind = DECISION_START;
    change_is_guarded(sup);
}

/* ---- Doing what the machine says ------------------------------------------------------------- */

static void perform_spawn(struct supervisor *sup, enum machine_slot slot)
{
    struct instance *instance = &sup->instances[slot];
    struct err err;

    if (instance_spawn(sup, slot, &err) == 0) {
        methods_tell_progress(sup);
        return;
    }
    (void)str_format(instance->failure_text, sizeof instance->failure_text, "%.250s", err.text);
    instance_ended(sup, slot, &(struct platform_exit){ .code = -1, .by_signal = -1 });
}

static void exit_with(struct supervisor *sup, int code)
{
    sup->done = true;
    sup->exit_code = code;
    sup->end_by_ms = platform_now_ms() + LAST_WORDS_MS;
    guard_cancel(&sup->guard);
    close_sockets(sup);
}

static void perform(struct supervisor *sup, const struct machine_action *action)
{
    switch (action->kind) {
    case MACHINE_ACT_GUARD:
        supervisor_begin_guard(sup);
        break;
    case MACHINE_ACT_GUARD_CANCEL:
        guard_cancel(&sup->guard);
        break;
    case MACHINE_ACT_SPAWN:
        perform_spawn(sup, action->slot);
        break;
    case MACHINE_ACT_STOP:
        instance_stop(sup, action->slot);
        break;
    case MACHINE_ACT_STOP_REST:
        instance_stop_rest(sup, action->slot);
        break;
    case MACHINE_ACT_KILL:
        instance_kill(sup, action->slot);
        break;
    case MACHINE_ACT_PROMOTE:
        instance_promote(sup);
        break;
    case MACHINE_ACT_CLOSE_SOCKETS:
        close_sockets(sup);
        break;
    case MACHINE_ACT_ANSWER_START:
        methods_answer(sup, CLIENT_WAIT_START, action->ok);
        break;
    case MACHINE_ACT_ANSWER_STOP:
        methods_answer(sup, CLIENT_WAIT_STOP, action->ok);
        break;
    case MACHINE_ACT_ANSWER_RESTART:
        methods_answer(sup, CLIENT_WAIT_RESTART, action->ok);
        break;
    case MACHINE_ACT_EXIT:
        exit_with(sup, action->code);
        break;
    case MACHINE_ACT_COUNT:
        break;
    }
}

void supervisor_feed(struct supervisor *sup, struct machine_event event)
{
    struct machine_actions actions = { .count = 0 };

    event.now_ms = platform_now_ms();
    machine_step(&sup->service->machine, &sup->machine, &event, &actions);
    publish_record(sup);
    for (size_t i = 0; i < actions.count; i++)
        perform(sup, &actions.list[i]);
}

void supervisor_feed_slot(
        struct supervisor *sup, enum machine_event_kind kind, enum machine_slot slot)
{
    supervisor_feed(sup, (struct machine_event){ .kind = kind, .slot = slot });
}

/* ---- Trees ------------------------------------------------------------------------------------ */

static void look_at_tree(struct supervisor *sup, enum machine_slot slot, int64_t now_ms)
{
    const struct machine_generation *life = &sup->machine.generations[slot];
    int64_t except[INSTANCE_EXCEPT_MAX];
    struct platform_tree tree;
    int64_t look_ms;

    if (life->phase == MACHINE_PHASE_NONE || !life->main_ended)
        return;
    instance_tree(sup, slot, except, &tree);
    if (platform_tree_count(&tree) == 0) {
        instance_forget(sup, slot);
        supervisor_feed_slot(sup, MACHINE_EVENT_TREE_GONE, slot);
        go_back_to_current_service(sup);
        return;
    }
    if (life->phase == MACHINE_PHASE_KILLING)
        (void)platform_tree_signal(&tree, "KILL"); /* what was forked meanwhile */
    look_ms = now_ms + (platform_tree_is_told() ? TREE_LOOK_TOLD_MS : TREE_LOOK_MS);
    if (look_ms < sup->tree_look_ms)
        sup->tree_look_ms = look_ms;
}

/* A process of nobody that cannot be watched is looked at. */
static void look_at_process(struct supervisor *sup, enum machine_slot slot, int64_t now_ms)
{
    const struct instance *instance = &sup->instances[slot];

    if (!instance->used || instance->parent != INSTANCE_OF_NOBODY || instance->watch != NULL ||
            sup->machine.generations[slot].main_ended)
        return;
    if (!platform_is_same(&sup->record.generations[slot].process))
        instance_ended(sup, slot, &(struct platform_exit){ .code = -1, .by_signal = -1 });
    else if (now_ms + PROCESS_LOOK_MS < sup->tree_look_ms)
        sup->tree_look_ms = now_ms + PROCESS_LOOK_MS;
}

void supervisor_look_at_trees(struct supervisor *sup)
{
    int64_t now_ms = platform_now_ms();

    sup->tree_look_ms = PLATFORM_NEVER;
    for (enum machine_slot slot = MACHINE_CURRENT; slot < MACHINE_SLOT_COUNT; slot++) {
        look_at_process(sup, slot, now_ms);
        look_at_tree(sup, slot, now_ms);
    }
}

/* ---- Events ------------------------------------------------------------------------------------ */

static void ask_stop(struct supervisor *sup, bool kill)
{
    sup->stops_asked++;
    supervisor_cause(sup, "asked to stop");
    supervisor_feed(sup, (struct machine_event){
            .kind = kill || sup->stops_asked > 1 ? MACHINE_EVENT_ASK_KILL : MACHINE_EVENT_ASK_STOP });
}

static void forward_signal(struct supervisor *sup, int number)
{
    const struct identity *process = &sup->record.generations[MACHINE_CURRENT].process;
    struct err err;

    if (process->pid > 0)
        (void)platform_signal(process, platform_signal_name(number), &err);
}

static void on_ask(struct supervisor *sup, enum keeper_ask ask, int number)
{
    switch (ask) {
    case KEEPER_ASK_STOP:
        ask_stop(sup, false);
        break;
    case KEEPER_ASK_KILL:
        ask_stop(sup, true);
        break;
    case KEEPER_ASK_RELOAD:
        methods_reload(sup);
        break;
    case KEEPER_ASK_FORWARD:
        forward_signal(sup, number);
        break;
    }
}

/* A signal straight to our pid means the same as one to the keeper. */
static void on_signal(struct supervisor *sup, const struct platform_event *event)
{
    switch (event->ask) {
    case PLATFORM_ASK_STOP:
        ask_stop(sup, false);
        break;
    case PLATFORM_ASK_HANGUP:
        methods_reload(sup);
        break;
    case PLATFORM_ASK_FORWARD:
        forward_signal(sup, event->signal_number);
        break;
    case PLATFORM_ASK_RESIZE:
        break;
    }
}

static void on_end_of(struct supervisor *sup, int64_t pid, const struct platform_exit *how)
{
    int slot = instance_slot_of(sup, pid);

    if (slot != -1)
        instance_ended(sup, (enum machine_slot)slot, how);
}

static void on_keeper_message(struct supervisor *sup, const struct keeper_message *message)
{
    struct platform_exit how = { .code = message->code, .by_signal = message->by_signal };

    switch ((enum keeper_message_kind)message->kind) {
    case KEEPER_ENDED:
        if (instance_slot_of(sup, message->pid) != -1)
            on_end_of(sup, message->pid, &how);
        else
            link_reap(&sup->link, message->pid);
        break;
    case KEEPER_ASK:
        link_heard(&sup->link);
        on_ask(sup, (enum keeper_ask)message->number, message->by_signal);
        break;
    case KEEPER_HELLO:
    case KEEPER_HOLD:
    case KEEPER_DROP:
    case KEEPER_RECORD:
    case KEEPER_REAP:
    case KEEPER_SYNC:
    case KEEPER_DECIDED:
    case KEEPER_HEARD:
    case KEEPER_HELD:
    case KEEPER_WELCOME:
    case KEEPER_ACK:
    case KEEPER_ORPHAN: /* the trees are looked at after every event */
        break;
    }
}

static void on_keeper_gone(struct supervisor *sup)
{
    link_lost(&sup->link);
    for (enum machine_slot slot = MACHINE_CURRENT; slot < MACHINE_SLOT_COUNT; slot++) {
        struct instance *instance = &sup->instances[slot];

        if (!instance->used || instance->parent != INSTANCE_OF_KEEPER)
            continue;
        instance->parent = INSTANCE_OF_NOBODY; /* it is the init process's child now */
        instance->watch = platform_watch_process(
                &sup->record.generations[slot].process, ROLE_PROCESS, instance);
    }
    publish_record(sup);
    journal_write(&sup->journal,
            &(struct journal_event){ .event = "keeper",
                    .cause = "the keeper has died; the service goes on without one", .by_uid = -1 });
}

static void on_exit_event(struct supervisor *sup, const struct platform_event *event)
{
    if (helper_on_exit(sup, event->pid, &event->exit))
        return;
    if (instance_slot_of(sup, event->pid) != -1)
        on_end_of(sup, event->pid, &event->exit); /* reaped when it is written down */
    else
        platform_reap(event->pid);
}

static void on_gone(struct supervisor *sup, const struct platform_event *event)
{
    struct instance *instance = event->owner;
    struct platform_exit how = event->exit;

    platform_unwatch(event->source);
    if (event->role == ROLE_STRANGER) {
        sup->standby_watch = NULL;
        sup->standby_pause_ms = 0;
        sup->standby_at_ms = 0;
        return;
    }
    instance->watch = NULL;
    (void)platform_child_ended(event->pid, &how); /* ours after all: then the status is known */
    on_end_of(sup, event->pid, &how);
}

static void on_control(struct supervisor *sup, const struct platform_event *event)
{
    struct client *client = control_on_event(&sup->control, event);
    size_t length;
    char *line;

    while (client != NULL && !client->broken && (line = line_next(&client->lines, &length)) != NULL)
        methods_line(sup, client, line, length);
}

static void dispatch_source(struct supervisor *sup, const struct platform_event *event)
{
    struct keeper_message message;

    switch ((enum supervisor_role)event->role) {
    case ROLE_KEEPER:
        if (event->kind == PLATFORM_EVENT_MESSAGE) {
            memcpy(&message, event->data, sizeof message);
            platform_close(event->handle);
            on_keeper_message(sup, &message);
        } else {
            on_keeper_gone(sup);
        }
        break;
    case ROLE_CONTROL:
        on_control(sup, event);
        break;
    case ROLE_GUARD_PROBE:
        guard_on_event(&sup->guard, event);
        break;
    case ROLE_HEALTH_PROBE:
        probe_on_event(event->owner, event);
        for (enum machine_slot slot = MACHINE_CURRENT; slot < MACHINE_SLOT_COUNT; slot++)
            if (sup->instances[slot].used)
                readiness_look_at_probe(sup, slot);
        break;
    case ROLE_OUTPUT:
        output_on_event(&sup->output, event);
        break;
    case ROLE_NOTIFY:
        readiness_on_notify(sup, event);
        break;
    case ROLE_FAILURE:
        instance_on_failure_event(sup, event);
        break;
    case ROLE_HELPER:
        helper_on_failure_event(event);
        break;
    case ROLE_PROCESS:
    case ROLE_STRANGER:
        on_gone(sup, event);
        break;
    }
}

static void dispatch(struct supervisor *sup, const struct platform_event *event)
{
    if (event->source != NULL)
        dispatch_source(sup, event);
    else if (event->kind == PLATFORM_EVENT_SIGNAL)
        on_signal(sup, event);
    else if (event->kind == PLATFORM_EVENT_EXIT)
        on_exit_event(sup, event);
}

/* ---- Time --------------------------------------------------------------------------------------- */

static int64_t earliest(const int64_t *times, size_t count)
{
    int64_t earliest_ms = PLATFORM_NEVER;

    for (size_t i = 0; i < count; i++)
        if (times[i] < earliest_ms)
            earliest_ms = times[i];
    return earliest_ms;
}

static int64_t next_deadline(const struct supervisor *sup)
{
    const int64_t times[] = {
        machine_deadline(&sup->machine),
        guard_deadline(&sup->guard),
        readiness_deadline(sup),
        helper_deadline(sup),
        output_deadline(&sup->output),
        sup->tree_look_ms,
        sup->standby_at_ms,
    };

    if (sup->done) {
        const int64_t last[] = { output_deadline(&sup->output), sup->end_by_ms };

        return earliest(last, sizeof last / sizeof last[0]);
    }
    return earliest(times, sizeof times / sizeof times[0]);
}

/* Why a start or restart fails that is about to fail since its time is up. */
static void explain_timeouts(struct supervisor *sup, int64_t now_ms)
{
    for (int slot = 0; slot < MACHINE_SLOT_COUNT; slot++) {
        const struct machine_generation *life = &sup->machine.generations[slot];
        const struct instance *instance = &sup->instances[slot];

        if (life->phase != MACHINE_PHASE_STARTING || now_ms < life->deadline_ms)
            continue;
        err_set(&sup->failure, ERR_FAILED, 0, "it was not ready in %lld ms%s%s",
                (long long)instance->service->config.start_timeout_ms,
                instance->health.ever ? ": " : "",
                instance->health.ever ? instance->health.text : "");
        supervisor_cause(sup, "%s", sup->failure.text);
    }
}

static void on_time(struct supervisor *sup)
{
    int64_t now_ms = platform_now_ms();

    output_on_time(&sup->output, now_ms);
    if (sup->done)
        return;
    guard_on_time(&sup->guard, now_ms);
    readiness_on_time(sup, now_ms);
    helper_on_time(sup, now_ms);
    if (now_ms >= sup->standby_at_ms) {
        sup->standby_at_ms = PLATFORM_NEVER;
        supervisor_feed(sup, (struct machine_event){ .kind = MACHINE_EVENT_GUARD_AGAIN });
    }
    if (now_ms >= machine_deadline(&sup->machine)) {
        explain_timeouts(sup, now_ms);
        supervisor_feed(sup, (struct machine_event){ .kind = MACHINE_EVENT_TIMER });
    }
}

/* ---- Life ---------------------------------------------------------------------------------------- */

static bool is_finished(const struct supervisor *sup)
{
    return sup->done &&
           ((!control_owes_first(&sup->control) && output_is_drained(&sup->output) && control_is_flushed(&sup->control)) ||
                   platform_now_ms() >= sup->end_by_ms);
}

/* What follows from the last event, until nothing follows any more. */
static void settle(struct supervisor *sup)
{
    struct keeper_message message;

    if (sup->service != NULL) {
        while (link_next_queued(&sup->link, &message))
            on_keeper_message(sup, &message);
        on_time(sup);
        look_at_guard(sup);
    }
    if (!sup->done)
        supervisor_look_at_trees(sup);
    look_at_guard(sup); /* a tree that is gone may have begun a new guard, which may be done */
    if (sup->service != NULL)
        publish_state(sup);
    publish_record_now(sup);
    control_sweep(&sup->control);
}

static void run(struct supervisor *sup)
{
    settle(sup);
    while (!is_finished(sup)) {
        struct platform_event event;

        if (sup->may_shrink)
            platform_trim_stack();
        sup->may_shrink = false;
        platform_wait(next_deadline(sup), &event);
        dispatch(sup, &event);
        settle(sup);
    }
}

int supervisor_run(const struct supervisor_options *options)
{
    static struct supervisor the_supervisor;
    struct supervisor *sup = &the_supervisor;

    sup->options = *options;
    sup->lock = PLATFORM_NO_HANDLE;
    sup->tree_look_ms = PLATFORM_NEVER;
    sup->standby_at_ms = PLATFORM_NEVER;
    sup->asked_by.uid = -1;
    start_supervisor(sup);
    run(sup);
    publish_record_now(sup);
    control_close(&sup->control);
    start_clean_up(sup);
    link_decided(&sup->link, sup->exit_code);
    return sup->exit_code;
}
