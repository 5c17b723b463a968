#include "link.h"

#include <string.h>

#include "str.h"

#include "banned.h"

#define IDENTIFY_TRIES 5

static void send_now(
        struct link *link, const struct keeper_message *message, platform_handle handle)
{
    struct err err;

    /* A keeper that died is noticed by the end of the channel. */
    if (link->source != NULL)
        (void)platform_channel_send(
                platform_source_handle(link->source), message, handle, LINK_ANSWER_MS, &err);
}

void link_flush(struct link *link)
{
    if (!link->is_urgent)
        return;
    link->is_urgent = false;
    for (size_t i = 0; i < link->unsent_count; i++)
        send_now(link, &link->rest->unsent[i].message, link->rest->unsent[i].handle);
    link->is_unheard = link->is_unheard || link->unsent_count > 0;
    link->unsent_count = 0;
}

void link_ring(struct link *link)
{
    if (link->is_unheard && link->source != NULL)
        platform_ring(platform_given(KEEPER_BELL_FD - KEEPER_FIRST_FD));
    link->is_unheard = false;
}

void link_record(struct link *link, int64_t pid)
{
    struct keeper_message message = { .kind = KEEPER_RECORD, .pid = pid };

    link->is_urgent = link->unsent_count > 0;
    link_flush(link);
    link->is_unheard = true;
    send_now(link, &message, PLATFORM_NO_HANDLE);
}

static void send_message(
        struct link *link, const struct keeper_message *message, platform_handle handle)
{
    if (link->source == NULL)
        return;
    if (link->unsent_count == LINK_UNSENT_MAX) {
        link->is_urgent = true;
        link_flush(link);
    }
    link->rest->unsent[link->unsent_count++] =
            (struct link_unsent) { .message = *message, .handle = handle };
}

static void send_named(
        struct link *link, enum keeper_message_kind kind, const char *name, platform_handle handle)
{
    struct keeper_message message = { .kind = kind };

    (void)str_copy(message.name, sizeof message.name, name);
    send_message(link, &message, handle);
}

static void send_pid(struct link *link, enum keeper_message_kind kind, int64_t pid)
{
    struct keeper_message message = { .kind = kind, .pid = pid };

    send_message(link, &message, PLATFORM_NO_HANDLE);
    link->is_urgent = true;
}

void link_keep(struct link *link, const struct keeper_message *message)
{
    if (link->queue_count < LINK_QUEUE_MAX)
        link->rest->queue[link->queue_count++] = *message;
}

bool link_next_queued(struct link *link, struct keeper_message *ret_message)
{
    if (link->queue_count == 0)
        return false;
    *ret_message = link->rest->queue[0];
    link->queue_count--;
    memmove(link->rest->queue, link->rest->queue + 1,
            link->queue_count * sizeof link->rest->queue[0]);
    return true;
}

bool link_stop_waits(const struct link *link)
{
    for (size_t i = 0; i < link->queue_count; i++)
        if (link->rest->queue[i].kind == KEEPER_ASK &&
                (link->rest->queue[i].number == KEEPER_ASK_STOP ||
                        link->rest->queue[i].number == KEEPER_ASK_KILL))
            return true;
    return false;
}

/* It has just spoken, so it is there: what the system does not say for want of memory or of
 * descriptors it says a moment later. */
static void identify_keeper(struct link *link, int64_t pid)
{
    for (int i = 0; i < IDENTIFY_TRIES; i++)
        if (platform_identify(pid, true, &link->keeper))
            return;
}

/* Reads until a message of this kind comes; others are kept for later. */
static bool wait_for(struct link *link, enum keeper_message_kind kind, int64_t limit_ms)
{
    int64_t deadline_ms = platform_now_ms() + limit_ms;

    while (link->source != NULL) {
        int64_t left_ms = deadline_ms - platform_now_ms();
        struct keeper_message message;
        platform_handle handle;
        int got = platform_channel_receive(
                platform_source_handle(link->source), left_ms > 0 ? left_ms : 0, &message, &handle);

        if (got != 1)
            return false;
        if (message.kind == KEEPER_HELD && link->restored_count < KEEPER_HELD_MAX) {
            (void)str_format(link->rest->restored[link->restored_count].name, KEEPER_NAME_BYTES,
                    "%.*s", KEEPER_NAME_BYTES - 1, message.name);
            link->rest->restored[link->restored_count].number = message.number;
            link->rest->restored[link->restored_count++].handle = handle;
            continue;
        }
        platform_close(handle);
        if (message.kind == kind) {
            if (kind == KEEPER_WELCOME) {
                if (message.pid > 0)
                    identify_keeper(link, message.pid);
                link->former_lives = message.number;
                link->came = (enum keeper_came)message.code;
                (void)str_format(link->trial_end, sizeof link->trial_end, "%.*s",
                        KEEPER_TRIAL_END_BYTES - 1, message.name);
            }
            return true;
        }
        link_keep(link, &message);
    }
    return false;
}

void link_open(struct link *link, int role, bool is_alone)
{
    /* A supervisor that hands over does so when it has done what it was at. */
    const int64_t limit_ms = platform_has_keeper() ? LINK_ANSWER_MS : KEEPER_TRIAL_MS;
    static struct link_rest rest;

    link->rest = &rest;
    if (is_alone)
        return;
    link->source =
            platform_watch_channel(platform_given(KEEPER_CHANNEL_FD - KEEPER_FIRST_FD), role, NULL);
    platform_take_bell(platform_given(KEEPER_BELL_FD - KEEPER_FIRST_FD));
    send_pid(link, KEEPER_HELLO, platform_pid());
    link_flush(link);
    link_ring(link);
    if (!wait_for(link, KEEPER_WELCOME, limit_ms))
        link_lost(link);
}

void link_lost(struct link *link)
{
    platform_unwatch(link->source);
    link->source = NULL;
    link->unsent_count = 0;
    link->keeper = (struct identity) { 0 };
}

void link_hold(struct link *link, const char *name, platform_handle handle)
{
    send_named(link, KEEPER_HOLD, name, handle);
    link->is_urgent = true;
}

void link_drop_later(struct link *link, const char *name)
{
    send_named(link, KEEPER_DROP, name, PLATFORM_NO_HANDLE);
}

void link_drop(struct link *link, const char *name)
{
    link_drop_later(link, name);
    link->is_urgent = true;
}

void link_reap(struct link *link, int64_t pid)
{
    send_pid(link, KEEPER_REAP, pid);
}

void link_heard(struct link *link)
{
    send_pid(link, KEEPER_HEARD, 0);
}

void link_up(struct link *link)
{
    send_pid(link, KEEPER_UP, 0);
}

void link_upgrade(struct link *link, platform_handle program)
{
    struct keeper_message message = { .kind = KEEPER_UPGRADE };

    send_message(link, &message, program);
    link->is_urgent = true;
    link_flush(link);
}

void link_taken(struct link *link)
{
    send_pid(link, KEEPER_TAKEN, 0);
}

bool link_take_place(struct link *link)
{
    int64_t deadline_ms = platform_now_ms() + LINK_LET_GO_MS;
    int got = 1;

    link_taken(link);
    link_flush(link);
    while (got == 1) {
        int64_t left_ms = deadline_ms - platform_now_ms();
        struct keeper_message message;
        platform_handle handle = PLATFORM_NO_HANDLE;

        got = platform_channel_receive(
                platform_source_handle(link->source), left_ms > 0 ? left_ms : 0, &message, &handle);
        if (got == 1)
            platform_close(handle);
    }
    if (got == -1)
        link_lost(link);
    return got == -1;
}

void link_decided(struct link *link, int code)
{
    struct keeper_message message = { .kind = KEEPER_DECIDED, .code = code };

    send_message(link, &message, PLATFORM_NO_HANDLE);
    link->is_urgent = true;
    link_flush(link);
}

platform_handle link_take_numbered(struct link *link, const char *name, int32_t *ret_number)
{
    for (size_t i = 0; i < link->restored_count; i++) {
        platform_handle handle = link->rest->restored[i].handle;

        if (strcmp(link->rest->restored[i].name, name) != 0)
            continue;
        link->rest->restored[i].handle = PLATFORM_NO_HANDLE;
        link->rest->restored[i].name[0] = '\0';
        *ret_number = link->rest->restored[i].number;
        return handle;
    }
    return PLATFORM_NO_HANDLE;
}

platform_handle link_take(struct link *link, const char *name)
{
    int32_t ignored;

    return link_take_numbered(link, name, &ignored);
}

void link_drop_rest(struct link *link)
{
    for (size_t i = 0; i < link->restored_count; i++) {
        if (link->rest->restored[i].name[0] == '\0')
            continue;
        platform_close(link->rest->restored[i].handle);
        link_drop(link, link->rest->restored[i].name);
    }
    link->restored_count = 0;
}
