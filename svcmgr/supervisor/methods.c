/* What the methods of the control channel do. */
#include "methods.h"

#include <string.h>

#include "answer.h"
#include "config_diff.h"
#include "log_calls.h"
#include "signal_name.h"
#include "spawn.h"
#include "stamp.h"
#include "str.h"
#include "supervisor.h"
#include "version.h"

#include "banned.h"

/* ---- Parameters ------------------------------------------------------------------------------ */

static bool flag(const struct call *call, const char *name)
{
    return cJSON_IsTrue(json_member(call->request->params, name));
}

/* A parameter of the wrong type is refused, not taken for a missing one.  False when the call is
 * answered. */
static bool parameters_are_right(const struct call *call)
{
    static const struct {
        const char *name;
        double max; /* of a whole number from 1; 0: a flag */
        const char *what;
    } rows[] = {
        { "caller_pid", 2147483647, "caller_pid must be a pid" },
        { "expect_pid", 2147483647, "expect_pid must be a pid" },
        { "keep_standby", 0, "keep_standby must be true or false" },
        { "keeper_pid", 2147483647, "keeper_pid must be a pid" },
        { "former_generation", UINT32_MAX, "former_generation must be a generation's number" },
        { "former_supervisor", 2147483647, "former_supervisor must be a pid" },
        { "now", 0, "now must be true or false" },
        { "progress", 0, "progress must be true or false" },
        { "supervisor_pid", 2147483647, "supervisor_pid must be a pid" },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const cJSON *item = json_member(call->request->params, rows[i].name);
        double value;

        if (item == NULL || cJSON_IsNull(item) ||
                (rows[i].max > 0 ? json_whole_number(item, 1, rows[i].max, &value)
                                 : cJSON_IsBool(item)))
            continue;
        answer_error(call, PROTOCOL_INVALID_PARAMS, rows[i].what);
        return false;
    }
    return true;
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
    double expected = number(call, "expect_pid");
    struct err err;

    if (expected == 0)
        return true;
    if (life->phase != MACHINE_PHASE_NONE && !life->main_ended && pid == (int64_t)expected)
        return true;
    if (life->phase == MACHINE_PHASE_NONE || pid <= 0)
        err_set(&err, ERR_OTHER_PID, 0,
                "pid %.0f was expected and no instance runs; nothing was done", expected);
    else
        err_set(&err, ERR_OTHER_PID, 0,
                "pid %.0f was expected and the instance is pid %lld; nothing was done", expected,
                (long long)pid);
    answer_fail(call, &err);
    return false;
}

/* Which process calls, it says itself where the system does not; 0: nobody says. */
static int64_t caller_pid(const struct call *call)
{
    return call->client->peer.pid > 0 ? call->client->peer.pid
                                      : (int64_t)number(call, "caller_pid");
}

static void note_asker(const struct call *call, const char *what)
{
    struct platform_peer asker = call->client->peer;

    asker.pid = caller_pid(call);
    publish_note_asker(call->sup, &asker);
    supervisor_cause(call->sup, "%s", what);
    call->client->wants_progress = flag(call, "progress");
}

/* Stops that were asked for before are over: the next one is a first one again. */
static void want_up(struct supervisor *sup)
{
    sup->stops_asked = 0;
    link_up(&sup->link);
}

/* Somebody inside the instance's own tree cannot wait for its own end. */
static bool is_from_inside(const struct call *call)
{
    int64_t pid = caller_pid(call);

    return pid > 0 && !call->client->is_first && instance_is_inside(call->sup, pid);
}

/* ---- Methods --------------------------------------------------------------------------------- */

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
    answer_send(call->client, &call->request->id, &message);
}

static void call_status(const struct call *call)
{
    struct buffer message = { 0 };
    struct json_writer writer;

    protocol_answer_begin(&writer, &message, &call->request->id);
    publish_status(call->sup, &writer, "result");
    protocol_answer_end(&writer);
    answer_send(call->client, &call->request->id, &message);
}

static void call_start(const struct call *call)
{
    struct supervisor *sup = call->sup;
    enum machine_state state = machine_state(&sup->machine);

    if (state == MACHINE_STANDBY ||
            ((state == MACHINE_READY || state == MACHINE_UNHEALTHY) && !sup->machine.want_down)) {
        answer_status(sup, call->client, &call->request->id, true, 0);
        return;
    }
    note_asker(call, "asked to start");
    if (!answer_later(call, CLIENT_WAIT_START))
        return;
    want_up(sup);
    supervisor_feed(sup, (struct machine_event) { .kind = MACHINE_EVENT_ASK_START });
    answer_progress(sup);
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
    else if (!answer_later(call, CLIENT_WAIT_STOP))
        return;
    sup->had_to_kill = false;
    sup->had_to_search = false;
    if (!flag(call, "keep_standby"))
        standby_end_others(sup);
    supervisor_stop(sup, flag(call, "now"));
}

/* A command that lost its connection asks again: what it asked for may have happened meanwhile. */
static bool restart_is_known(const struct call *call)
{
    struct supervisor *sup = call->sup;
    uint32_t former = (uint32_t)number(call, "former_generation");
    enum machine_state state = machine_state(&sup->machine);

    if (former == 0 || sup->machine.restart_asked || sup->next_service != NULL)
        return false;
    if (sup->machine.last_number > former &&
            (state == MACHINE_READY || state == MACHINE_REPLACING)) {
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
        if (supervisor_load_service(sup, sup->options.config_path, &service, NULL, &err) == -1) {
            err_append(
                    &err, "; the running instance goes on; see svcmgr check %s", sup->options.name);
            answer_fail(call, &err);
            return;
        }
    } else {
        service = NULL; /* joins the one that is under way */
    }
    note_asker(call, "asked to restart");
    if (is_from_inside(call))
        answer_empty(call->client, &call->request->id, true);
    else if (!answer_later(call, CLIENT_WAIT_RESTART)) {
        service_free(service);
        return;
    }
    if (machine_state(&sup->machine) != MACHINE_STANDBY) /* there it says who serves */
        sup->failure.text[0] = '\0';
    want_up(sup);
    (void)publish_asker(sup); /* now, while the old generation serves: then nothing may take time */
    if (service != NULL)
        change_begin(sup, service);
    answer_progress(sup);
}

static int apply_file(struct supervisor *sup, struct config_diff *ret_diff, struct err *err)
{
    struct service *newer;

    if (supervisor_load_service(sup, sup->options.config_path, &newer, NULL, err) == -1)
        return -1;
    config_diff(&sup->service->config, &newer->config, ret_diff);
    sup->needs_restart = ret_diff->restart_count > 0;
    service_apply_live(sup->service, newer);
    output_configure(&sup->output, &sup->service->config);
    journal_write(&sup->journal,
            &(struct journal_event) { .event = "reload",
                    .cause = sup->needs_restart ? "a part of it needs a restart" : "applied" });
    return 0;
}

static int reload(struct supervisor *sup, struct config_diff *ret_diff, struct err *err)
{
    int result;

    news_reload_begins(sup);
    result = apply_file(sup, ret_diff, err);
    news_reload_ends(sup);
    return result;
}

void methods_reload(struct supervisor *sup)
{
    struct config_diff diff;
    struct err err;

    if (sup->service != NULL && reload(sup, &diff, &err) == -1)
        journal_write(
                &sup->journal, &(struct journal_event) { .event = "reload", .cause = err.text });
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
        answer_fail(call, &err);
        return;
    }
    protocol_answer_begin(&writer, &message, &call->request->id);
    json_write_object(&writer, "result");
    write_keys(&writer, "applied", diff.live, diff.live_count);
    write_keys(&writer, "needs_restart", diff.restart, diff.restart_count);
    json_write_object_end(&writer);
    protocol_answer_end(&writer);
    answer_send(call->client, &call->request->id, &message);
}

static void call_signal(const struct call *call)
{
    const cJSON *item = json_member(call->request->params, "signal");
    const char *name = cJSON_IsString(item) ? signal_name_find(item->valuestring) : NULL;
    const struct supervisor *sup = call->sup;
    const struct identity *process = &sup->record.generations[MACHINE_CURRENT].process;
    struct err err;

    if (name == NULL) {
        answer_error(
                call, PROTOCOL_INVALID_PARAMS, "signal must be the name of a signal, as in HUP");
        return;
    }
    if (process->pid <= 0 || sup->machine.generations[MACHINE_CURRENT].main_ended) {
        err_set(&err, ERR_NOT_RUNNING, 0, "no instance runs");
        answer_fail(call, &err);
        return;
    }
    if (platform_signal(process, name, &err) == -1)
        answer_fail(call, &err);
    else
        answer_empty(call->client, &call->request->id, false);
}

static void call_standby(const struct call *call)
{
    if (standby_register(call->sup, call->client, call->request->params)) {
        call_hello(call);
        return;
    }
    answer_error(call, PROTOCOL_OVERLOADED, "too many supervisors stand in line");
    call->client->closing = true;
}

static void call_initialize(const struct call *call)
{
    call_hello(call);
}

static void call_nothing(const struct call *call)
{
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
    { "standby", call_standby },
    { "upgrade", upgrade_call },
    { "command/exec", exec_call },
    { "command/exec/write", exec_write_call },
    { "command/exec/resize", exec_resize_call },
    { "command/exec/terminate", exec_terminate_call },
    { "logs/read", log_calls_read },
    { "logs/follow", log_calls_follow },
    { "events/follow", log_calls_follow_events },
    { "initialize", call_initialize },
    { "initialized", call_nothing },
};

/* Whether a supervisor that is about to end has seen to it that nothing of the service is left: its
 * guard had cleared what there was before it refused, or its instance has ended. */
static bool has_stopped(const struct supervisor *sup)
{
    return sup->exit_code == 0 || sup->guarded_once ||
            sup->guard.facts.leftovers == DECISION_LEFTOVERS_NONE;
}

/* A supervisor that is about to end answers with why, and no method does anything any more. */
static void answer_at_the_end(const struct call *call)
{
    struct supervisor *sup = call->sup;

    if (sup->lock_is_held) {
        struct err held;

        err_set(&held, ERR_DUPLICATE, 0, "another supervisor holds the lock");
        answer_failure(call->client, &call->request->id, METHODS_LOCK_IS_HELD, &held, sup);
    } else if (strcmp(call->request->method, "stop") == 0 && has_stopped(sup)) {
        answer_empty(call->client, &call->request->id, false);
    } else {
        if (sup->failure.text[0] == '\0')
            err_set(&sup->failure, ERR_NOT_RUNNING, 0, "the supervisor is about to end");
        answer_fail(call, &sup->failure);
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
            if (parameters_are_right(call))
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
        client->answered = true;
        control_send(client, &message);
        buffer_free(&message);
        return;
    }
    run_call(&call);
    protocol_request_free(&request);
}
