#include "answer.h"

#include "str.h"
#include "supervisor.h"

#include "banned.h"

void answer_send(struct client *client, const struct protocol_id *id, struct buffer *message)
{
    if (id->json[0] != '\0') {
        client->answered = true;
        control_send(client, message);
    }
    buffer_free(message);
}

void answer_error(const struct call *call, int code, const char *text)
{
    struct buffer message = { 0 };

    protocol_answer_error(&message, &call->request->id, code, text, NULL);
    answer_send(call->client, &call->request->id, &message);
}

bool answer_later(const struct call *call, enum client_wait wait)
{
    uint32_t generation = wait == CLIENT_WAIT_RESTART ? call->sup->machine.last_number : 0;

    if (control_wait(call->client, wait, &call->request->id, generation))
        return true;
    answer_error(call, PROTOCOL_OVERLOADED, "too many requests wait on this connection");
    return false;
}

void answer_failure(struct client *client, const struct protocol_id *id, int code,
        const struct err *err, const struct supervisor *sup)
{
    struct buffer message = { 0 };
    struct json_writer writer;
    char log[PLATFORM_PATH_BYTES];

    (void)str_format(log, sizeof log, "%s/log", sup->options.state_directory);
    protocol_answer_begin(&writer, &message, id);
    json_write_object(&writer, "error");
    json_write_int(&writer, "code", code);
    json_write_string(&writer, "message", err->text);
    json_write_object(&writer, "data");
    json_write_int(&writer, "exit", err->kind);
    json_write_string(&writer, "log", sup->output.captured ? log : NULL);
    json_write_int(&writer, "log_at", sup->failure_log_at);
    json_write_object_end(&writer);
    json_write_object_end(&writer);
    protocol_answer_end(&writer);
    answer_send(client, id, &message);
}

void answer_fail(const struct call *call, const struct err *err)
{
    answer_failure(call->client, &call->request->id, PROTOCOL_FAILED, err, call->sup);
}

void answer_status(struct supervisor *sup, struct client *client, const struct protocol_id *id,
        bool already, uint32_t former_generation)
{
    struct buffer message = { 0 };
    struct json_writer writer;

    protocol_answer_begin(&writer, &message, id);
    json_write_object(&writer, "result");
    json_write_bool(&writer, "already", already);
    if (former_generation > 0)
        json_write_int(&writer, "former_generation", former_generation);
    else
        json_write_null(&writer, "former_generation");
    json_write_bool(&writer, "output_lost", sup->output_lost);
    publish_status(sup, &writer, "status");
    json_write_object_end(&writer);
    protocol_answer_end(&writer);
    answer_send(client, id, &message);
}

void answer_empty(struct client *client, const struct protocol_id *id, bool accepted)
{
    struct buffer message = { 0 };
    struct json_writer writer;

    protocol_answer_begin(&writer, &message, id);
    json_write_object(&writer, "result");
    if (accepted)
        json_write_bool(&writer, "accepted", true);
    json_write_object_end(&writer);
    protocol_answer_end(&writer);
    answer_send(client, id, &message);
}

/* 'ends': whether this supervisor ends now; it goes on when somebody has asked to start meanwhile.
 * 'killed': whether asking was not enough.  'searched': whether the system did not know all of the
 * tree.  'standby': who takes over then. */
static void answer_stopped(
        const struct supervisor *sup, struct client *client, const struct protocol_id *id)
{
    struct buffer message = { 0 };
    struct json_writer writer;

    protocol_answer_begin(&writer, &message, id);
    json_write_object(&writer, "result");
    json_write_bool(&writer, "ends", sup->machine.activity == MACHINE_DONE);
    json_write_bool(&writer, "killed", sup->had_to_kill);
    json_write_bool(&writer, "searched", sup->had_to_search);
    if (standby_next(sup) > 0)
        json_write_int(&writer, "standby", standby_next(sup));
    else
        json_write_null(&writer, "standby");
    json_write_object_end(&writer);
    protocol_answer_end(&writer);
    answer_send(client, id, &message);
}

static void answer_one(struct supervisor *sup, struct client *client,
        struct client_pending *pending, const struct err *failure)
{
    enum client_wait wait = pending->wait;

    pending->wait = CLIENT_WAIT_NONE;
    if (failure != NULL)
        answer_failure(client, &pending->id, PROTOCOL_FAILED, failure, sup);
    else if (wait == CLIENT_WAIT_STOP)
        answer_stopped(sup, client, &pending->id);
    else
        answer_status(sup, client, &pending->id, false, pending->generation);
}

void answer_waiting(struct supervisor *sup, enum client_wait wait, bool ok)
{
    struct err unended;
    const struct err *failure = ok ? NULL : &sup->failure;

    if (!ok && wait == CLIENT_WAIT_STOP) {
        err_set(&unended, ERR_FAILED, 0,
                "a process of it is still there, though it was killed %d times",
                MACHINE_KILL_TRIES);
        failure = &unended;
    } else if (!ok && sup->failure.text[0] == '\0') {
        err_set(&sup->failure, ERR_FAILED, 0, "%s",
                sup->machine.want_down                ? "it was asked to stop meanwhile"
                        : sup->record.last_exit.known ? sup->record.last_exit.reason
                                                      : "it did not become ready");
    }
    (void)publish_asker(sup);
    sup->child_first_ms = PLATFORM_NEVER; /* what an answer says can be looked up right away */
    for (int i = 0; i < CONTROL_CLIENTS_MAX; i++)
        for (int j = 0; sup->control.clients[i] != NULL && j < CONTROL_WAITS_MAX; j++)
            if (sup->control.clients[i]->pending[j].wait == wait)
                answer_one(sup, sup->control.clients[i], &sup->control.clients[i]->pending[j],
                        failure);
}

void answer_progress(struct supervisor *sup)
{
    for (int i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        struct client *client = sup->control.clients[i];
        struct buffer message = { 0 };
        struct json_writer writer;

        if (client == NULL || !client->wants_progress)
            continue;
        protocol_request_begin(&writer, &message, 0, "progress");
        json_write_object(&writer, "params");
        publish_status(sup, &writer, "status");
        json_write_object_end(&writer);
        protocol_request_end(&writer);
        control_send(client, &message);
        buffer_free(&message);
    }
}

void answer_tell_deaf(struct supervisor *sup)
{
    for (int i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        const struct client *client = sup->control.clients[i];
        char who[64] = "";
        char cause[160];

        if (client == NULL || !client->broken || !client->deaf)
            continue;
        if (client->peer.pid > 0)
            (void)str_format(who, sizeof who, ", pid %lld", (long long)client->peer.pid);
        (void)str_format(cause, sizeof cause,
                "a client of the control channel was cut off%s: it had left more than %zu MiB "
                "unread",
                who, CONTROL_UNSENT_BYTES / 1024 / 1024);
        journal_write(&sup->journal, &(struct journal_event) { .event = "client", .cause = cause });
    }
}
