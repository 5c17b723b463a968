#include "control.h"

#include <stdlib.h>

#include "follow.h"

#include "banned.h"

static bool is_waiting(const struct client *client)
{
    for (int i = 0; i < CONTROL_WAITS_MAX; i++)
        if (client->pending[i].wait != CLIENT_WAIT_NONE)
            return true;
    return client->commands > 0;
}

static void drop(struct control *control, struct client *client)
{
    for (int i = 0; i < CONTROL_CLIENTS_MAX; i++)
        if (control->clients[i] == client)
            control->clients[i] = NULL;
    platform_unwatch(client->source);
    line_free(&client->lines);
    follow_free(client->followers);
    free(client);
}

/* Connections that say nothing must not keep a stop out: the one that has been silent for longest
 * and waits for nothing gives its place up.  -1: all of them wait. */
static int make_room(struct control *control)
{
    struct client *silent = NULL;
    int place = -1;

    for (int i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        struct client *client = control->clients[i];

        if (client == NULL)
            return i;
        if (is_waiting(client) || client->standby.since_wall_us != 0 || client->followers != NULL ||
                (client->is_first && !client->answered) ||
                (silent != NULL && client->heard_ms >= silent->heard_ms))
            continue;
        silent = client;
        place = i;
    }
    if (silent == NULL)
        return -1;
    stranger_refuse(
            silent->source, PROTOCOL_OVERLOADED, "too many connections; this one was silent");
    silent->source = NULL;
    drop(control, silent);
    return place;
}

static struct client *add_client(
        struct control *control, struct platform_source *source, struct platform_peer peer)
{
    struct client *client = calloc(1, sizeof *client);
    int place = client != NULL ? make_room(control) : -1;

    if (place == -1) {
        free(client);
        stranger_refuse(source, PROTOCOL_OVERLOADED, "too many connections; try again later");
        return NULL;
    }
    client->source = source;
    client->peer = peer;
    client->heard_ms = platform_now_ms();
    line_init(&client->lines, PROTOCOL_REQUEST_BYTES);
    control->clients[place] = client;
    return client;
}

int control_open(struct control *control, platform_handle listener, int role, struct err *err)
{
    control->listener = platform_watch_listener(listener, role, NULL);
    if (control->listener == NULL)
        return err_set(err, ERR_FAILED, 0, "cannot watch the control socket");
    return 0;
}

void control_close(struct control *control)
{
    platform_unwatch(control->listener);
    control->listener = NULL;
    stranger_drop_all(&control->strangers);
    for (int i = 0; i < CONTROL_CLIENTS_MAX; i++)
        if (control->clients[i] != NULL)
            drop(control, control->clients[i]);
}

struct client *control_adopt(struct control *control, platform_handle handle, int role)
{
    struct platform_source *source = platform_watch_stream(handle, role, NULL);
    struct platform_peer peer;

    if (source == NULL)
        return NULL;
    platform_peer(handle, &peer);
    if (peer.uid == -1) /* whoever has passed it on to us is our own user */
        peer.uid = (int64_t)platform_uid();
    return add_client(control, source, peer);
}

static struct client *find(struct control *control, const struct platform_source *source)
{
    for (int i = 0; i < CONTROL_CLIENTS_MAX; i++)
        if (control->clients[i] != NULL && control->clients[i]->source == source)
            return control->clients[i];
    return NULL;
}

/* The socket's mode and directory keep others out already; the kernel's word on who connected is
 * asked all the same: only our own user and root.  Over TCP it has none. */
static void accept_client(struct control *control, const struct platform_event *event)
{
    if (control->over_tcp)
        stranger_add(&control->strangers, event->accepted, control->marker.token);
    else if (event->peer.uid != 0 && event->peer.uid != (int64_t)platform_uid())
        stranger_refuse(event->accepted, PROTOCOL_INVALID_REQUEST, "unauthorized");
    else
        (void)add_client(control, event->accepted, event->peer);
}

/* Says why, behind what it has not been sent yet.  What else comes is dropped, but it is read: a
 * connection closed over unread bytes is reset, and the other side loses what is under way to it
 * (RFC 2525, 2.17). */
static void send_off(struct client *client, int code, const char *message)
{
    struct buffer text = { 0 };
    struct protocol_id nobody = { .json = "" };

    protocol_answer_error(&text, &nobody, code, message, NULL);
    control_send_whole(client, &text);
    buffer_free(&text);
    for (int i = 0; i < CONTROL_WAITS_MAX; i++)
        client->pending[i].wait = CLIENT_WAIT_NONE;
    client->closing = true;
}

static struct client *take_data(struct client *client, const char *data, size_t length)
{
    client->heard_ms = platform_now_ms();
    if (line_push(&client->lines, data, length) == 0)
        return client;
    /* No end of the line in sight: whatever follows would be read in the wrong place. */
    send_off(client, PROTOCOL_INVALID_REQUEST, "a request is longer than 1 MiB");
    return NULL;
}

/* Whoever has only closed its sending side still gets what it waits for. */
static void take_end(struct client *client, const struct platform_event *event)
{
    client->broken = event->os_code != 0;
    client->ended = true;
    follow_free(client->followers);
    client->followers = NULL;
    if (!client->broken)
        platform_await_close(client->source);
}

/* Whoever knows the token can read the owner's files: it is our own user, or root.  Which process
 * it is the system does not say. */
static struct client *let_in(
        struct control *control, const struct platform_event *event, size_t taken)
{
    struct platform_peer owner = { .uid = (int64_t)platform_uid() };
    struct client *client = add_client(control, event->source, owner);

    return client == NULL ? NULL : take_data(client, event->data + taken, event->length - taken);
}

struct client *control_on_event(struct control *control, const struct platform_event *event)
{
    struct client *client;
    size_t taken = 0;

    if (event->kind == PLATFORM_EVENT_ACCEPTED) {
        accept_client(control, event);
        return NULL;
    }
    switch (stranger_on_event(&control->strangers, event, &taken)) {
    case STRANGER_PROVED:
        return let_in(control, event, taken);
    case STRANGER_HEARD:
        return NULL;
    case STRANGER_NONE:
        break;
    }
    client = find(control, event->source);
    if (client == NULL)
        return NULL;
    if (event->kind == PLATFORM_EVENT_DATA && !client->closing) {
        return take_data(client, event->data, event->length);
    } else if (event->kind == PLATFORM_EVENT_END) {
        take_end(client, event);
    }
    return NULL;
}

static void send_within(struct client *client, const struct buffer *message, size_t limit)
{
    bool is_too_much;

    if (client->closing || client->broken)
        return;
    is_too_much = platform_unsent(client->source) + message->length > limit;
    client->broken = message->failed ||
            platform_send(client->source, message->data, message->length, limit) == -1;
    client->deaf = client->broken && is_too_much;
}

void control_send(struct client *client, const struct buffer *message)
{
    send_within(client, message, CONTROL_UNSENT_BYTES);
}

void control_send_whole(struct client *client, const struct buffer *message)
{
    send_within(client, message, SIZE_MAX);
}

int64_t control_deadline(const struct control *control)
{
    return stranger_deadline(&control->strangers);
}

void control_sweep(struct control *control)
{
    if (control->over_tcp)
        stranger_on_time(&control->strangers, platform_now_ms());
    for (int i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        struct client *client = control->clients[i];

        if (client == NULL)
            continue;
        client->closing = client->closing || (client->ended && !is_waiting(client));
        if (client->broken || (client->closing && platform_unsent(client->source) == 0))
            drop(control, client);
    }
}

bool control_wait(struct client *client, enum client_wait wait, const struct protocol_id *id,
        uint32_t generation)
{
    for (int i = 0; i < CONTROL_WAITS_MAX; i++) {
        if (client->pending[i].wait != CLIENT_WAIT_NONE)
            continue;
        client->pending[i] =
                (struct client_pending) { .wait = wait, .id = *id, .generation = generation };
        return true;
    }
    return false;
}

bool control_owes_first(const struct control *control)
{
    for (int i = 0; i < CONTROL_CLIENTS_MAX; i++)
        if (control->clients[i] != NULL && control->clients[i]->is_first &&
                !control->clients[i]->answered && !control->clients[i]->broken)
            return true;
    return false;
}

bool control_is_flushed(const struct control *control)
{
    for (int i = 0; i < CONTROL_CLIENTS_MAX; i++)
        if (control->clients[i] != NULL && !control->clients[i]->broken &&
                control->clients[i]->followers == NULL &&
                platform_unsent(control->clients[i]->source) > 0)
            return false;
    return true;
}
