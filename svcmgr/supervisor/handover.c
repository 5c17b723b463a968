#include "handover.h"

#include <string.h>

#include "marker_file.h"
#include "str.h"
#include "supervisor.h"

#include "banned.h"

#define SEND_LIMIT_MS 1000 /* to who does not read what it asked for */
#define LOCK_LIMIT_MS 1000 /* for the lock that the former supervisor has let go of */

void handover_name(
        enum handover_part part, enum machine_slot slot, char ret_name[HANDOVER_NAME_BYTES])
{
    (void)str_format(ret_name, HANDOVER_NAME_BYTES, "%s:%d",
            part == HANDOVER_PROCESS ? "process" : "tree", (int)slot);
}

/* ---- The trial ------------------------------------------------------------------------------- */

int handover_begin(struct supervisor *sup, platform_handle program, struct err *err)
{
    struct handover *handover = &sup->handover;
    platform_handle ends[2];
    int result;

    *handover = (struct handover) { .until_ms = PLATFORM_NEVER };
    if (platform_channel_pair(ends, err) == -1)
        return -1;
    handover->channel = platform_watch_channel(ends[0], ROLE_SUCCESSOR, NULL);
    if (handover->channel == NULL) {
        platform_close(ends[1]);
        return err_set(err, ERR_FAILED, 0, "too many open sources");
    }
    result = platform_spawn_supervisor(
            program, sup->options.words, &ends[1], 1, &handover->successor, err);
    platform_close(ends[1]);
    if (result == 0) {
        handover->until_ms = platform_now_ms() + KEEPER_TRIAL_MS;
    } else {
        platform_unwatch(handover->channel);
        handover->channel = NULL;
    }
    return result;
}

static void end_successor(struct supervisor *sup)
{
    struct identity successor;
    struct err err;

    sup->handover.until_ms = PLATFORM_NEVER;
    if (platform_identify(sup->handover.successor, true, &successor))
        (void)platform_signal(&successor, "KILL", &err);
}

void handover_on_event(struct supervisor *sup, const struct platform_event *event)
{
    struct keeper_message message;

    if (event->kind != PLATFORM_EVENT_MESSAGE)
        return; /* its end follows, or its time is up */
    memcpy(&message, event->data, sizeof message);
    platform_close(event->handle);
    if (message.kind == KEEPER_HELLO)
        sup->handover.was_greeted = sup->handover.waits = true;
}

void handover_time_is_up(struct supervisor *sup)
{
    sup->handover.is_late = true;
    end_successor(sup);
}

void handover_on_exit(struct supervisor *sup, const struct platform_exit *how)
{
    char text[KEEPER_TRIAL_END_BYTES];
    struct err err;

    platform_reap(sup->handover.successor);
    platform_unwatch(sup->handover.channel);
    if (sup->handover.was_greeted &&
            marker_file_write(sup->options.state_directory, &sup->control.marker, &err) == -1)
        journal_write(
                &sup->journal, &(struct journal_event) { .event = "warning", .cause = err.text });
    keeper_trial_text(!sup->handover.is_late, how, text);
    sup->handover = (struct handover) { .until_ms = PLATFORM_NEVER };
    if (!sup->done) /* else everybody has been told why */
        upgrade_not_taken(sup, text);
}

void handover_give_up(struct supervisor *sup)
{
    sup->handover.waits = false;
    end_successor(sup);
}

/* ---- Giving ---------------------------------------------------------------------------------- */

static bool send_to(
        const struct supervisor *sup, const struct keeper_message *message, platform_handle handle)
{
    struct err err;

    return platform_channel_send(platform_source_handle(sup->handover.channel), message, handle,
                   SEND_LIMIT_MS, &err) == 0;
}

static bool give_handle(
        const struct supervisor *sup, const char *name, platform_handle handle, int32_t number)
{
    struct keeper_message message = { .kind = KEEPER_HELD, .number = number };

    (void)str_copy(message.name, sizeof message.name, name);
    return handle == PLATFORM_NO_HANDLE || send_to(sup, &message, handle);
}

static bool give_listeners(const struct supervisor *sup)
{
    const struct listener_set *set = &sup->service->listeners;
    bool given = true;

    for (size_t i = 0; i < set->count && given; i++) {
        char name[32];

        if (set->list[i].config.socket != CONFIG_SOCKET_INHERIT)
            continue;
        (void)str_format(name, sizeof name, "listen:%zu", i);
        given = give_handle(sup, name, set->list[i].handle, 0);
        (void)str_format(name, sizeof name, "twin:%zu", i);
        given = given && give_handle(sup, name, set->list[i].twin, 0);
    }
    return given;
}

static bool give_outputs(const struct supervisor *sup)
{
    bool given = true;

    for (int i = 0; i < OUTPUT_STREAMS_MAX && given; i++) {
        const struct output_stream *stream = &sup->output.streams[i];

        if (stream->source != NULL)
            given = give_handle(sup, stream->name, platform_source_handle(stream->source), 0);
    }
    return given;
}

static bool give_processes(const struct supervisor *sup)
{
    bool given = true;

    for (enum machine_slot slot = MACHINE_CURRENT; slot < MACHINE_SLOT_COUNT && given; slot++) {
        struct platform_lent lent;
        char name[HANDOVER_NAME_BYTES];

        if (sup->machine.generations[slot].phase == MACHINE_PHASE_NONE ||
                !platform_child_lend(sup->record.generations[slot].process.pid, &lent))
            continue;
        handover_name(HANDOVER_PROCESS, slot, name);
        given = give_handle(sup, name, lent.process, lent.state);
        handover_name(HANDOVER_TREE, slot, name);
        given = given && give_handle(sup, name, lent.tree, 0);
    }
    return given;
}

static bool welcome(const struct supervisor *sup)
{
    struct keeper_message message = {
        .kind = KEEPER_WELCOME,
        .number = 1,
        .code = KEEPER_CAME_UPGRADED,
    };

    return send_to(sup, &message, PLATFORM_NO_HANDLE);
}

static bool has_taken(struct supervisor *sup)
{
    platform_handle channel = platform_source_handle(sup->handover.channel);
    struct keeper_message message = { .kind = KEEPER_HELLO };
    int got = 1;

    while (got == 1 && message.kind != KEEPER_TAKEN) {
        int64_t left_ms = sup->handover.until_ms - platform_now_ms();
        platform_handle handle = PLATFORM_NO_HANDLE;

        got = platform_channel_receive(channel, left_ms > 0 ? left_ms : 0, &message, &handle);
        if (got == 1)
            platform_close(handle);
    }
    sup->handover.is_late = got == 0;
    return got == 1;
}

/* What a successor would not find anywhere. */
static bool write_down(struct supervisor *sup)
{
    publish_state(sup);
    publish_record(sup);
    publish_record_now(sup);
    publish_reap(sup);
    journal_flush(&sup->journal);
    return !sup->record_dirty;
}

void handover_give(struct supervisor *sup)
{
    sup->handover.waits = false;
    sup->handover.has_taken = write_down(sup) && give_listeners(sup) && give_outputs(sup) &&
            give_processes(sup) && welcome(sup) && has_taken(sup);
    sup->upgrade.gives_up = sup->handover.has_taken;
    if (!sup->handover.has_taken)
        end_successor(sup); /* handover_on_exit() follows */
}

/* ---- Leaving --------------------------------------------------------------------------------- */

/* The console's signals are its own, which has the same console. */
static int wait_for_successor(const struct supervisor *sup)
{
    struct platform_event event = { .kind = PLATFORM_EVENT_TIMER };

    while (event.kind != PLATFORM_EVENT_EXIT || event.pid != sup->handover.successor)
        platform_wait(PLATFORM_NEVER, &event);
    return event.exit.by_signal > 0 ? 128 + event.exit.by_signal : event.exit.code;
}

int handover_leave(struct supervisor *sup)
{
    control_close(&sup->control);
    change_give_up(sup);
    guard_cancel(&sup->guard);
    listener_leave_all(&sup->service->listeners);
    output_leave(&sup->output);
    for (enum machine_slot slot = MACHINE_CURRENT; slot < MACHINE_SLOT_COUNT; slot++)
        health_stop(&sup->instances[slot].health);
    platform_children_leave();
    platform_close(sup->lock);
    platform_unwatch(sup->handover.channel);
    return sup->options.background ? 0 : wait_for_successor(sup);
}

/* ---- The other side -------------------------------------------------------------------------- */

int handover_take(struct supervisor *sup, struct err *err)
{
    if (!link_take_place(&sup->link))
        return err_set(err, ERR_FAILED, 0, "the supervisor before this one did not let go");
    /* Else it stays the heir, which nobody gets past either. */
    (void)platform_lock_inherit(sup->lock, platform_now_ms() + LOCK_LIMIT_MS);
    return 0;
}
