/* What the methods of the control channel do. */
#include "methods.h"

#include <stdlib.h>
#include <string.h>

#include "config_diff.h"
#include "signal_name.h"
#include "spawn.h"
#include "stamp.h"
#include "str.h"
#include "supervisor.h"
#include "version.h"

#include "banned.h"

/* One request that is being answered. */
struct call {
    struct supervisor *sup;
    struct client *client;
    const struct protocol_request *request;
};

/* ---- Answers ------------------------------------------------------------------------------------- */

static void send(struct client *client, struct buffer *message)
{
    client->answered = true;
    control_send(client, message);
    buffer_free(message);
}

static void answer_error(const struct call *call, int code, const char *text)
{
    struct buffer message = { 0 };

    if (call->request->id.json[0] == '\0')
        return; /* a notification is never answered */
    protocol_answer_error(&message, &call->request->id, code, text, NULL);
    send(call->client, &message);
}

static void answer_failure(struct client *client, const struct protocol_id *id, int code,
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
    send(client, &message);
}

static void fail(const struct call *call, const struct err *err)
{
    answer_failure(call->client, &call->request->id, PROTOCOL_FAILED, err, call->sup);
}

static void answer_status(struct supervisor *sup, struct client *client,
        const struct protocol_id *id, bool already, uint32_t former_generation)
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
    send(client, &message);
}

static void answer_empty(struct client *client, const struct protocol_id *id, bool accepted)
{
    struct buffer message = { 0 };
    struct json_writer writer;

    protocol_answer_begin(&writer, &message, id);
    json_write_object(&writer, "result");
    if (accepted)
        json_write_bool(&writer, "accepted", true);
    json_write_object_end(&writer);
    protocol_answer_end(&writer);
    send(client, &message);
}

static void answer_one(
        struct supervisor *sup, struct client *client, struct client_pending *pending, bool ok)
{
    enum client_wait wait = pending->wait;

    pending->wait = CLIENT_WAIT_NONE;
    if (!ok)
        answer_failure(client, &pending->id, PROTOCOL_FAILED, &sup->failure, sup);
    else if (wait == CLIENT_WAIT_STOP)
        answer_empty(client, &pending->id, false);
    else
        answer_status(sup, client, &pending->id, false, pending->generation);
}

void methods_answer(struct supervisor *sup, enum client_wait wait, bool ok)
{
    if (!ok && sup->failure.text[0] == '\0')
        err_set(&sup->failure, ERR_FAILED, 0, "%s",
                wait == CLIENT_WAIT_STOP ? "a process could not be ended"
                : sup->machine.want_down ? "it was asked to stop meanwhile"
                : sup->record.last_exit.known ? sup->record.last_exit.reason
                                              : "it did not become ready");
    for (int i = 0; i < CONTROL_CLIENTS_MAX; i++)
        for (int j = 0; sup->control.clients[i] != NULL && j < CONTROL_WAITS_MAX; j++)
            if (sup->control.clients[i]->pending[j].wait == wait)
                answer_one(sup, sup->control.clients[i], &sup->control.clients[i]->pending[j], ok);
}

void methods_tell_progress(struct supervisor *sup)
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

/* ---- Parameters ------------------------------------------------------------------------------------ */

static bool flag(const struct call *call, const char *name)
{
    return cJSON_IsTrue(json_member(call->request->params, name));
}

static double number(const struct call *call, const char *name)
{
    double value = 0;

    (void)json_whole_number(json_member(call->request->params, name), 1, 9e15, &value);
    return value;
}

/* --expect-pid: only if the instance still is that process.  False when the call is answered. */
static bool pid_is_expected(const struct call *call)
{
    const struct supervisor *sup = call->sup;
    const struct machine_generation *life = &sup->machine.generations[MACHINE_CURRENT];
    int64_t pid = sup->record.generations[MACHINE_CURRENT].process.pid;
    const cJSON *item = json_member(call->request->params, "expect_pid");
    double expected;
    struct err err;

    if (item == NULL || cJSON_IsNull(item))
        return true;
    if (!json_whole_number(item, 1, 2147483647, &expected)) {
        answer_error(call, PROTOCOL_INVALID_PARAMS, "expect_pid must be a pid");
        return false;
    }
    if (life->phase != MACHINE_PHASE_NONE && !life->main_ended && pid == (int64_t)expected)
        return true;
    if (life->phase == MACHINE_PHASE_NONE || pid <= 0)
        err_set(&err, ERR_OTHER_PID, 0, "pid %.0f was expected and no instance runs; nothing was done",
                expected);
    else
        err_set(&err, ERR_OTHER_PID, 0,
                "pid %.0f was expected and the instance is pid %lld; nothing was done", expected,
                (long long)pid);
    fail(call, &err);
    return false;
}

static void note_asker(const struct call *call, const char *what)
{
    call->sup->asked_by = call->client->peer;
    supervisor_cause(call->sup, "%s", what);
    call->client->wants_progress = flag(call, "progress");
}

static bool wait_for(const struct call *call, enum client_wait wait)
{
    uint32_t generation = wait == CLIENT_WAIT_RESTART ? call->sup->machine.last_number : 0;

    if (control_wait(call->client, wait, &call->request->id, generation))
        return true;
    answer_error(call, PROTOCOL_OVERLOADED, "too many requests wait on this connection");
    return false;
}

/* Somebody inside the instance's own tree cannot wait for its own end. */
static bool is_from_inside(const struct call *call)
{
    return call->client->peer.pid > 0 && !call->client->is_first &&
           instance_is_inside(call->sup, call->client->peer.pid);
}

/* ---- Methods ---------------------------------------------------------------------------------------- */

static void call_hello(const struct call *call)
{
    struct supervisor *sup = call->sup;
    const struct record_generation *generation = &sup->record.generations[MACHINE_CURRENT];
    struct buffer message = { 0 };
    struct json_writer writer;
    char time[STAMP_TIME_BYTES];

    protocol_answer_begin(&writer, &message, &call->request->id);
    json_write_object(&writer, "result");
    if (generation->process.pid > 0)
        json_write_int(&writer, "pid", generation->process.pid);
    else
        json_write_null(&writer, "pid");
    if (sup->link.keeper.pid > 0)
        json_write_int(&writer, "keeper_pid", sup->link.keeper.pid);
    else
        json_write_null(&writer, "keeper_pid");
    json_write_int(&writer, "supervisor_pid", platform_pid());
    stamp_time_ms(generation->spawned_wall_us, time, sizeof time);
    json_write_string(&writer, "started_at", generation->spawned_wall_us > 0 ? time : NULL);
    if (sup->machine.last_number > 0)
        json_write_int(&writer, "generation", sup->machine.last_number);
    else
        json_write_null(&writer, "generation");
    json_write_string(
            &writer, "instance", generation->instance[0] != '\0' ? generation->instance : NULL);
    json_write_int(&writer, "protocol", PROTOCOL_VERSION);
    json_write_string(&writer, "version", SVCMGR_VERSION);
    json_write_string(&writer, "state", machine_state_name(machine_state(&sup->machine)));
    json_write_object_end(&writer);
    protocol_answer_end(&writer);
    send(call->client, &message);
}

static void call_status(const struct call *call)
{
    struct buffer message = { 0 };
    struct json_writer writer;

    protocol_answer_begin(&writer, &message, &call->request->id);
    publish_status(call->sup, &writer, "result");
    protocol_answer_end(&writer);
    send(call->client, &message);
}

static void call_start(const struct call *call)
{
    struct supervisor *sup = call->sup;
    enum machine_state state = machine_state(&sup->machine);

    if (state == MACHINE_STANDBY || ((state == MACHINE_READY || state == MACHINE_UNHEALTHY) &&
                                            !sup->machine.want_down)) {
        answer_status(sup, call->client, &call->request->id, true, 0);
        return;
    }
    note_asker(call, "asked to start");
    if (!wait_for(call, CLIENT_WAIT_START))
        return;
    sup->stops_asked = 0;
    supervisor_feed(sup, (struct machine_event){ .kind = MACHINE_EVENT_ASK_START });
    methods_tell_progress(sup);
}

static void call_stop(const struct call *call)
{
    struct supervisor *sup = call->sup;

    if (!pid_is_expected(call))
        return;
    note_asker(call, "asked to stop");
    sup->failure.text[0] = '\0';
    if (is_from_inside(call))
        answer_empty(call->client, &call->request->id, true);
    else if (!wait_for(call, CLIENT_WAIT_STOP))
        return;
    supervisor_feed(sup, (struct machine_event){
            .kind = flag(call, "now") ? MACHINE_EVENT_ASK_KILL : MACHINE_EVENT_ASK_STOP });
}

/* A command that lost its connection asks again: what it asked for may have happened meanwhile. */
static bool restart_is_known(const struct call *call)
{
    struct supervisor *sup = call->sup;
    uint32_t former = (uint32_t)number(call, "former_generation");
    enum machine_state state = machine_state(&sup->machine);

    if (former == 0 || sup->machine.restart_asked || sup->next_service != NULL)
        return false;
    if (sup->machine.last_number > former && (state == MACHINE_READY || state == MACHINE_REPLACING)) {
        answer_status(sup, call->client, &call->request->id, false, former);
        return true;
    }
    return false;
}

static void call_restart(const struct call *call)
{
    struct supervisor *sup = call->sup;
    struct service *service;
    struct err err;

    if (!pid_is_expected(call) || restart_is_known(call))
        return;
    if (!sup->machine.restart_asked && sup->next_service == NULL) {
        if (service_load(sup->options.name, sup->options.config_path, &service, NULL, &err) == -1) {
            err_append(&err, "; the running instance goes on; see svcmgr check %s",
                    sup->options.name);
            fail(call, &err);
            return;
        }
        if (spawn_check_scope(&service->config, sup->options.system_scope, &err) == -1) {
            service_free(service);
            fail(call, &err);
            return;
        }
    } else {
        service = NULL; /* joins the one that is under way */
    }
    note_asker(call, "asked to restart");
    if (is_from_inside(call))
        answer_empty(call->client, &call->request->id, true);
    else if (!wait_for(call, CLIENT_WAIT_RESTART)) {
        service_free(service);
        return;
    }
    sup->failure.text[0] = '\0';
    sup->stops_asked = 0;
    if (service != NULL)
        supervisor_restart(sup, service);
    methods_tell_progress(sup);
}

static int reload(struct supervisor *sup, struct config_diff *ret_diff, struct err *err)
{
    struct service *newer;

    if (service_load(sup->options.name, sup->options.config_path, &newer, NULL, err) == -1 ||
            sup->service == NULL)
        return -1;
    config_diff(&sup->service->config, &newer->config, ret_diff);
    sup->needs_restart = ret_diff->restart_count > 0;
    service_apply_live(sup->service, newer);
    output_configure(&sup->output, &sup->service->config);
    journal_write(&sup->journal,
            &(struct journal_event){ .event = "reload",
                    .cause = sup->needs_restart ? "a part of it needs a restart" : "applied",
                    .by_uid = -1 });
    return 0;
}

void methods_reload(struct supervisor *sup)
{
    struct config_diff diff;
    struct err err;

    if (sup->service != NULL && reload(sup, &diff, &err) == -1)
        journal_write(&sup->journal,
                &(struct journal_event){ .event = "reload", .cause = err.text, .by_uid = -1 });
}

static void write_keys(
        struct json_writer *writer, const char *key, const char *const *keys, size_t count)
{
    json_write_list(writer, key);
    for (size_t i = 0; i < count; i++)
        json_write_string(writer, NULL, keys[i]);
    json_write_list_end(writer);
}

static void call_reload(const struct call *call)
{
    struct buffer message = { 0 };
    struct json_writer writer;
    struct config_diff diff;
    struct err err;

    if (reload(call->sup, &diff, &err) == -1) {
        err_append(&err, "; nothing was changed");
        fail(call, &err);
        return;
    }
    protocol_answer_begin(&writer, &message, &call->request->id);
    json_write_object(&writer, "result");
    write_keys(&writer, "applied", diff.live, diff.live_count);
    write_keys(&writer, "needs_restart", diff.restart, diff.restart_count);
    json_write_object_end(&writer);
    protocol_answer_end(&writer);
    send(call->client, &message);
}

static void call_signal(const struct call *call)
{
    const cJSON *item = json_member(call->request->params, "signal");
    const char *name = cJSON_IsString(item) ? signal_name_find(item->valuestring) : NULL;
    const struct supervisor *sup = call->sup;
    const struct identity *process = &sup->record.generations[MACHINE_CURRENT].process;
    struct err err;

    if (name == NULL) {
        answer_error(call, PROTOCOL_INVALID_PARAMS, "signal must be the name of a signal, as in HUP");
        return;
    }
    if (process->pid <= 0 || sup->machine.generations[MACHINE_CURRENT].main_ended) {
        err_set(&err, ERR_NOT_RUNNING, 0, "no instance runs");
        fail(call, &err);
        return;
    }
    if (platform_signal(process, name, &err) == -1)
        fail(call, &err);
    else
        answer_empty(call->client, &call->request->id, false);
}

static void call_initialize(const struct call *call)
{
    call_hello(call);
}

static void call_nothing(const struct call *call)
{
    if (call->request->id.json[0] != '\0')
        answer_empty(call->client, &call->request->id, false);
}

static const struct {
    const char *name;
    void (*call)(const struct call *call);
} methods[] = {
    { "hello", call_hello },
    { "status", call_status },
    { "start", call_start },
    { "stop", call_stop },
    { "restart", call_restart },
    { "reload", call_reload },
    { "signal", call_signal },
    { "initialize", call_initialize },
    { "initialized", call_nothing },
};

/* A supervisor that is about to end answers with why, and no method does anything any more. */
static void answer_at_the_end(const struct call *call)
{
    struct supervisor *sup = call->sup;

    if (sup->lock_is_held) {
        struct err held;

        err_set(&held, ERR_DUPLICATE, 0, "another supervisor holds the lock");
        answer_failure(call->client, &call->request->id, METHODS_LOCK_IS_HELD, &held, sup);
    } else if (strcmp(call->request->method, "stop") == 0 && sup->exit_code == 0) {
        answer_empty(call->client, &call->request->id, false);
    } else {
        if (sup->failure.text[0] == '\0')
            err_set(&sup->failure, ERR_NOT_RUNNING, 0, "the supervisor is about to end");
        fail(call, &sup->failure);
    }
}

static void run_call(const struct call *call)
{
    if (call->sup->done) {
        answer_at_the_end(call);
        return;
    }
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        if (strcmp(methods[i].name, call->request->method) == 0) {
            methods[i].call(call);
            return;
        }
    }
    {
        char text[160];

        (void)str_format(text, sizeof text, "unknown method \"%.100s\"", call->request->method);
        answer_error(call, PROTOCOL_NO_METHOD, text);
    }
}

void methods_line(struct supervisor *sup, struct client *client, const char *line, size_t length)
{
    struct protocol_request request;
    struct call call = { .sup = sup, .client = client, .request = &request };
    struct err err;
    int code = protocol_request_parse(line, length, &request, &err);

    if (code != 0) {
        struct buffer message = { 0 };

        protocol_answer_error(&message, &request.id, code, err.text, NULL);
        send(client, &message);
        return;
    }
    run_call(&call);
    protocol_request_free(&request);
}
