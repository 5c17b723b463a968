#include "link.h"

#include <string.h>

#include "str.h"

#include "banned.h"

static void send_message(
        struct link *link, const struct keeper_message *message, platform_handle handle)
{
    struct err err;

    if (link->source == NULL)
        return;
    /* A keeper that died is noticed by the end of the channel. */
    (void)platform_channel_send(
            platform_source_handle(link->source), message, handle, LINK_ANSWER_MS, &err);
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
}

static void enqueue(struct link *link, const struct keeper_message *message)
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
    memmove(link->rest->queue, link->rest->queue + 1, link->queue_count * sizeof link->rest->queue[0]);
    return true;
}

/* Reads until a message of this kind comes; others are kept for later. */
static bool wait_for(struct link *link, enum keeper_message_kind kind)
{
    int64_t deadline_ms = platform_now_ms() + LINK_ANSWER_MS;

    while (link->source != NULL) {
        int64_t left_ms = deadline_ms - platform_now_ms();
        struct keeper_message message;
        platform_handle handle;
        int got = platform_channel_receive(platform_source_handle(link->source),
                left_ms > 0 ? left_ms : 0, &message, &handle);

        if (got != 1)
            return false;
        if (message.kind == KEEPER_HELD && link->restored_count < KEEPER_HELD_MAX) {
            (void)str_format(link->rest->restored[link->restored_count].name, KEEPER_NAME_BYTES, "%.*s",
                    KEEPER_NAME_BYTES - 1, message.name);
            link->rest->restored[link->restored_count++].handle = handle;
            continue;
        }
        platform_close(handle);
        if (message.kind == kind) {
            if (kind == KEEPER_WELCOME) {
                (void)platform_identify(message.pid, true, &link->keeper);
                link->former_lives = message.number;
            }
            return true;
        }
        if (message.kind != KEEPER_ACK)
            enqueue(link, &message);
    }
    return false;
}

void link_open(struct link *link, int role)
{
    static struct link_rest rest;

    link->rest = &rest;
    link->source = platform_watch_channel(KEEPER_CHANNEL_FD, role, NULL);
    send_pid(link, KEEPER_HELLO, platform_pid());
    if (!wait_for(link, KEEPER_WELCOME))
        link_lost(link);
}

void link_lost(struct link *link)
{
    platform_unwatch(link->source);
    link->source = NULL;
    link->keeper = (struct identity){ 0 };
}

void link_hold(struct link *link, const char *name, platform_handle handle)
{
    send_named(link, KEEPER_HOLD, name, handle);
}

void link_drop(struct link *link, const char *name)
{
    send_named(link, KEEPER_DROP, name, PLATFORM_NO_HANDLE);
}

void link_record(struct link *link, int64_t pid)
{
    send_pid(link, KEEPER_RECORD, pid);
}

void link_reap(struct link *link, int64_t pid)
{
    send_pid(link, KEEPER_REAP, pid);
}

void link_heard(struct link *link)
{
    send_pid(link, KEEPER_HEARD, 0);
}

bool link_sync(struct link *link)
{
    if (link->source == NULL)
        return false;
    send_pid(link, KEEPER_SYNC, 0);
    return wait_for(link, KEEPER_ACK);
}

void link_decided(struct link *link, int code)
{
    struct keeper_message message = { .kind = KEEPER_DECIDED, .code = code };

    if (link->source == NULL)
        return;
    send_message(link, &message, PLATFORM_NO_HANDLE);
    (void)wait_for(link, KEEPER_ACK);
}

platform_handle link_take(struct link *link, const char *name)
{
    for (size_t i = 0; i < link->restored_count; i++) {
        platform_handle handle = link->rest->restored[i].handle;

        if (strcmp(link->rest->restored[i].name, name) != 0)
            continue;
        link->rest->restored[i].handle = PLATFORM_NO_HANDLE;
        link->rest->restored[i].name[0] = '\0';
        return handle;
    }
    return PLATFORM_NO_HANDLE;
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
