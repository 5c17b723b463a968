/* What the loop brings, and whose it is. */
#include "supervisor.h"

#include <string.h>

#include "banned.h"

/* ---- Events ---------------------------------------------------------------------------------- */

static void ask_stop(struct supervisor *sup, bool kill)
{
    if (sup->done) /* perhaps for want of a configuration: then there is nothing to feed it to */
        return;
    sup->stops_asked++;
    supervisor_cause(sup, "asked to stop");
    supervisor_stop(sup, kill || sup->stops_asked > 1);
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

void events_on_keeper_message(struct supervisor *sup, const struct keeper_message *message)
{
    struct platform_exit how = { .code = message->code, .by_signal = message->by_signal };

    switch ((enum keeper_message_kind)message->kind) {
    case KEEPER_ENDED:
        if (instance_slot_of(sup, message->pid) != -1)
            on_end_of(sup, message->pid, &how);
        else
            link_reap(&sup->link, message->pid);
        break;
    case KEEPER_ORPHAN: /* the trees are looked at after every event */
        /* Its supervisor had recorded it and died before the keeper heard of it and the barrier
         * opened: we came while it was on its way out. */
        how = (struct platform_exit) { .code = -1, .by_signal = -1 };
        if (message->pid > 0)
            on_end_of(sup, message->pid, &how);
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
    case KEEPER_DECIDED:
    case KEEPER_HEARD:
    case KEEPER_UP:
    case KEEPER_UPGRADE:
    case KEEPER_TAKEN:
    case KEEPER_HELD:
    case KEEPER_WELCOME:
        break;
    }
}

void events_keeper_gone(struct supervisor *sup)
{
    link_lost(&sup->link);
    news_end(sup);
    for (enum machine_slot slot = MACHINE_CURRENT; slot < MACHINE_SLOT_COUNT; slot++) {
        struct instance *instance = &sup->instances[slot];

        if (!instance->used || instance->parent != INSTANCE_OF_KEEPER)
            continue;
        instance->parent = INSTANCE_OF_NOBODY; /* it is the init process's child now */
        instance_watch(sup, slot);
    }
    publish_record(sup);
    journal_write(&sup->journal,
            &(struct journal_event) { .event = "keeper",
                    .cause = sup->launcher->ends_with_keeper
                            ? "the keeper has died, and with it the job: the service stops"
                            : "the keeper has died; the service goes on without one" });
    if (sup->launcher->ends_with_keeper && !sup->done) {
        supervisor_cause(sup, "the keeper has died, and with it the job that %s had started",
                sup->launcher->kind);
        supervisor_stop(sup, false);
    }
}

static void on_exit_event(struct supervisor *sup, const struct platform_event *event)
{
    if (event->pid == sup->handover.successor) {
        handover_on_exit(sup, &event->exit);
        return;
    }
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

    if (event->kind == PLATFORM_EVENT_WRITTEN)
        exec_source_has_room(sup, event->source);
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
            events_on_keeper_message(sup, &message);
        } else {
            events_keeper_gone(sup);
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
    case ROLE_HOLDER:
        standby_on_event(sup, event);
        break;
    case ROLE_CHECK:
        upgrade_on_event(sup, event);
        break;
    case ROLE_SUCCESSOR:
        handover_on_event(sup, event);
        break;
    case ROLE_EXEC:
        exec_on_event(sup, event);
        break;
    case ROLE_PROCESS:
    case ROLE_STRANGER:
        on_gone(sup, event);
        break;
    }
}

void events_dispatch(struct supervisor *sup, const struct platform_event *event)
{
    if (event->source != NULL)
        dispatch_source(sup, event);
    else if (event->kind == PLATFORM_EVENT_SIGNAL)
        on_signal(sup, event);
    else if (event->kind == PLATFORM_EVENT_EXIT)
        on_exit_event(sup, event);
}
