#include "control.h"

#include <stdlib.h>

#include "banned.h"

/* Says one thing to somebody who is not let in, or not any more. */
static void refuse(struct platform_source *source, int code, const char *message)
{
    struct buffer text = { 0 };
    struct protocol_id nobody = { .json = "" };

    protocol_answer_error(&text, &nobody, code, message, NULL);
    if (!text.failed)
        (void)platform_send(source, text.data, text.length, 0);
    buffer_free(&text);
    platform_unwatch(source);
}

static struct client *add_client(
        struct control *control, struct platform_source *source, struct platform_peer peer)
{
    struct client *client = calloc(1, sizeof *client);

    for (int i = 0; client != NULL && i < CONTROL_CLIENTS_MAX; i++) {
        if (control->clients[i] != NULL)
            continue;
        client->source = source;
        client->peer = peer;
        line_init(&client->lines, PROTOCOL_REQUEST_BYTES);
        control->clients[i] = client;
        return client;
    }
    free(client);
    refuse(source, PROTOCOL_OVERLOADED, "too many connections; try again later");
    return NULL;
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
    for (int i = 0; i < CONTROL_CLIENTS_MAX; i++)
        if (control->clients[i] != NULL)
            control_drop(control, control->clients[i]);
}

struct client *control_adopt(struct control *control, platform_handle handle, int role)
{
    struct platform_source *source = platform_watch_stream(handle, role, NULL);
    struct platform_peer peer;

    if (source == NULL)
        return NULL;
    platform_peer(handle, &peer);
    return add_client(control, source, peer);
}

void control_drop(struct control *control, struct client *client)
{
    for (int i = 0; i < CONTROL_CLIENTS_MAX; i++)
        if (control->clients[i] == client)
            control->clients[i] = NULL;
    platform_unwatch(client->source);
    line_free(&client->lines);
    free(client);
}

static struct client *find(struct control *control, const struct platform_source *source)
{
    for (int i = 0; i < CONTROL_CLIENTS_MAX; i++)
        if (control->clients[i] != NULL && control->clients[i]->source == source)
            return control->clients[i];
    return NULL;
}

/* The socket's mode and directory keep others out already; the kernel's word on who connected is
 * asked all the same: only our own user and root. */
static void accept_client(struct control *control, const struct platform_event *event)
{
    if (event->peer.uid != 0 && event->peer.uid != (int64_t)platform_uid())
        refuse(event->accepted, PROTOCOL_INVALID_REQUEST, "unauthorized");
    else
        (void)add_client(control, event->accepted, event->peer);
}

static bool is_waiting(const struct client *client)
{
    for (int i = 0; i < CONTROL_WAITS_MAX; i++)
        if (client->pending[i].wait != CLIENT_WAIT_NONE)
            return true;
    return false;
}

struct client *control_on_event(struct control *control, const struct platform_event *event)
{
    struct client *client;

    if (event->kind == PLATFORM_EVENT_ACCEPTED) {
        accept_client(control, event);
        return NULL;
    }
    client = find(control, event->source);
    if (client == NULL)
        return NULL;
    if (event->kind == PLATFORM_EVENT_DATA && !client->closing) {
        if (line_push(&client->lines, event->data, event->length) == 0)
            return client;
        /* No end of the line in sight: whatever follows would be read in the wrong place. */
        client->source = NULL;
        refuse(event->source, PROTOCOL_INVALID_REQUEST, "a request is longer than 1 MiB");
        client->broken = true;
    } else if (event->kind == PLATFORM_EVENT_END) {
        /* Whoever has only closed its sending side still gets what it waits for. */
        client->broken = event->os_code != 0 || !is_waiting(client);
    }
    return NULL;
}

void control_send(struct client *client, const struct buffer *message)
{
    if (client->closing || client->broken)
        return;
    client->broken = message->failed || platform_send(client->source, message->data,
                                                message->length, CONTROL_UNSENT_BYTES) == -1;
}

void control_sweep(struct control *control)
{
    for (int i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        struct client *client = control->clients[i];

        if (client != NULL &&
                (client->broken || (client->closing && platform_unsent(client->source) == 0)))
            control_drop(control, client);
    }
}

bool control_wait(struct client *client, enum client_wait wait, const struct protocol_id *id,
        uint32_t generation)
{
    for (int i = 0; i < CONTROL_WAITS_MAX; i++) {
        if (client->pending[i].wait != CLIENT_WAIT_NONE)
            continue;
        client->pending[i] =
                (struct client_pending){ .wait = wait, .id = *id, .generation = generation };
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
                platform_unsent(control->clients[i]->source) > 0)
            return false;
    return true;
}
