#include "wait.h"

#include <stdio.h>
#include <string.h>

#include "duration.h"
#include "methods.h"
#include "patience.h"
#include "pidfile.h"
#include "str.h"

#include "banned.h"

#define HELLO_EVERY_MS 1000
#define SPIN_EVERY_MS  100
#define GONE_LIMIT_MS  5000
#define GONE_PAUSE_MS  2
#define GONE_HELLO_MS  100
#define AGAIN_PAUSE_MS 10
#define BUSY_LIMIT_MS  60000 /* with a supervisor that has too many who wait already */

void wait_pause(int64_t ms)
{
    struct platform_event event;

    patience_keep();
    platform_wait(platform_now_ms() + ms, &event);
}

/* ---- The line on a terminal ------------------------------------------------------------------ */

struct progress {
    bool shown;
    int64_t since_ms;
    int64_t next_ms;
    char text[256];
    bool on_line; /* something stands on the terminal's line */
};

static void show_progress(struct progress *progress, const char *name)
{
    char time[DURATION_TEXT_BYTES];
    int width = platform_terminal_width(platform_standard_error());
    char line[400];

    if (!progress->shown || progress->text[0] == '\0')
        return;
    duration_format_rough(platform_now_ms() - progress->since_ms, time, sizeof time);
    (void)str_format(line, sizeof line, "%s: %s (%s)", name, progress->text, time);
    (void)fprintf(stderr, "\r\033[K%.*s", width - 1, line);
    (void)fflush(stderr);
    progress->on_line = true;
}

static void end_progress(struct progress *progress)
{
    if (progress->on_line)
        (void)fprintf(stderr, "\r\033[K");
    progress->on_line = false;
}

static void take_progress(struct progress *progress, const cJSON *params)
{
    const cJSON *status = json_member(params, "status");
    const cJSON *state = json_member(status, "state");
    const cJSON *text = json_member(status, "status_text");

    (void)str_format(progress->text, sizeof progress->text, "%s%s%s",
            cJSON_IsString(state) ? state->valuestring : "", cJSON_IsString(text) ? ": " : "",
            cJSON_IsString(text) ? text->valuestring : "");
}

/* What is known of a supervisor over several connections. */
struct hearing {
    int64_t heard_ms;      /* when one answered last */
    int64_t busy_until_ms; /* how long one may say that it has no room for us */
};

static struct hearing begin_hearing(const struct wait_request *request)
{
    int64_t now_ms = platform_now_ms();

    return (struct hearing) {
        .heard_ms = now_ms,
        .busy_until_ms = request->waits_for_room ? now_ms + BUSY_LIMIT_MS : now_ms,
    };
}

/* ---- One connection -------------------------------------------------------------------------- */

static int send_request(
        struct peer *peer, const struct wait_request *request, double former, struct err *err)
{
    struct buffer params = { 0 };
    struct json_writer writer = { .out = &params };
    int id;

    if (request->params != NULL)
        return peer_send(peer, request->method, request->params, err);
    json_write_object(&writer, NULL);
    json_write_bool(&writer, "progress", true);
    json_write_int(&writer, "caller_pid", platform_pid());
    if (request->expect_pid != NULL)
        json_write_raw(&writer, "expect_pid", request->expect_pid);
    if (request->now)
        json_write_bool(&writer, "now", true);
    if (request->keep_standby)
        json_write_bool(&writer, "keep_standby", true);
    if (former > 0)
        json_write_int(&writer, "former_generation", (int64_t)former);
    json_write_object_end(&writer);
    id = params.failed ? err_memory(err)
                       : peer_send(peer, request->method, buffer_text(&params), err);
    buffer_free(&params);
    return id;
}

static enum wait_result take_answer(struct protocol_answer *answer,
        struct protocol_answer *ret_answer, struct wait_log *ret_log, struct err *err)
{
    const cJSON *log = json_member(answer->error_data, "log");
    const cJSON *code = json_member(json_member(answer->document.root, "error"), "code");
    double from = 0;
    bool held = cJSON_IsNumber(code) && (int)code->valuedouble == METHODS_LOCK_IS_HELD;

    if (answer->result != NULL) {
        *ret_answer = *answer;
        return WAIT_ANSWERED;
    }
    *err = answer->err;
    ret_log->directory[0] = '\0';
    if (cJSON_IsString(log))
        (void)str_copy(ret_log->directory, sizeof ret_log->directory, log->valuestring);
    (void)json_whole_number(json_member(answer->error_data, "log_at"), 0, 9e15, &from);
    ret_log->from = (int64_t)from;
    protocol_answer_free(answer);
    return held ? WAIT_LOCK_IS_HELD : WAIT_FAILED;
}

static int64_t patience_ms(const struct wait_request *request)
{
    return request->patience_ms > 0 ? request->patience_ms : PEER_HELLO_LIMIT_MS;
}

static int no_answer(const struct wait_request *request, struct err *err)
{
    return err_set(err, ERR_NO_ANSWER, 0,
            "its supervisor holds the lock and did not answer in %lld s; look at it with "
            "svcmgr doctor %s",
            (long long)(patience_ms(request) / 1000), request->target->name);
}

/* Others wait there, as many as there is room for; when they have their answers there is room. */
static bool has_no_room(const struct protocol_answer *answer)
{
    const cJSON *code = json_member(json_member(answer->document.root, "error"), "code");

    return protocol_answer_is_refusal(answer) && cJSON_IsNumber(code) &&
            (int)code->valuedouble == PROTOCOL_OVERLOADED;
}

/* Waits for the answer to request 'id', with a hello now and then so that a supervisor that hangs
 * is told from one that is busy. */
static enum wait_result receive(struct peer *peer, const struct wait_request *request, int id,
        struct hearing *hearing, struct progress *progress, struct protocol_answer *ret_answer,
        struct wait_log *ret_log, struct err *err)
{
    int64_t hello_ms = platform_now_ms() + HELLO_EVERY_MS;

    for (;;) {
        int64_t now_ms = platform_now_ms();
        int64_t until_ms = hello_ms;
        struct protocol_answer answer;

        patience_keep();
        if (progress->shown && now_ms + SPIN_EVERY_MS < until_ms)
            until_ms = now_ms + SPIN_EVERY_MS;
        switch (peer_receive(peer, until_ms, &answer)) {
        case PEER_ENDED:
            return WAIT_NOT_RUNNING;
        case PEER_TIME_UP:
            now_ms = platform_now_ms();
            if (now_ms - hearing->heard_ms >= patience_ms(request)) {
                (void)no_answer(request, err);
                return WAIT_FAILED;
            }
            if (now_ms >= hello_ms && peer_send(peer, "hello", NULL, err) == -1)
                return WAIT_NOT_RUNNING;
            if (now_ms >= hello_ms)
                hello_ms = now_ms + HELLO_EVERY_MS;
            show_progress(progress, request->target->name);
            continue;
        case PEER_ANSWER:
            break;
        }
        hearing->heard_ms = platform_now_ms();
        if (has_no_room(&answer) && hearing->heard_ms < hearing->busy_until_ms) {
            protocol_answer_free(&answer);
            return WAIT_NOT_RUNNING;
        }
        if (answer.id == id || protocol_answer_is_refusal(&answer))
            return take_answer(&answer, ret_answer, ret_log, err);
        if (answer.method != NULL && strcmp(answer.method, "progress") == 0)
            take_progress(progress, answer.params);
        protocol_answer_free(&answer);
    }
}

static enum wait_result ask(struct peer *peer, const struct wait_request *request, double former,
        struct hearing *hearing, struct protocol_answer *ret_answer, struct wait_log *ret_log,
        struct err *err)
{
    struct progress progress = {
        .shown = !request->cli->quiet && !request->cli->json &&
                platform_is_terminal(platform_standard_error()),
        .since_ms = platform_now_ms(),
    };
    int id = send_request(peer, request, former, err);
    enum wait_result result = WAIT_NOT_RUNNING;

    if (id != -1)
        result = receive(peer, request, id, hearing, &progress, ret_answer, ret_log, err);
    end_progress(&progress);
    return result;
}

enum wait_result wait_on(struct peer *peer, const struct wait_request *request,
        struct protocol_answer *ret_answer, struct wait_log *ret_log, struct err *err)
{
    struct hearing hearing = begin_hearing(request);

    return ask(peer, request, 0, &hearing, ret_answer, ret_log, err);
}

/* The generation before a restart, so that asking again finds out whether it has happened. */
static double ask_generation(struct peer *peer)
{
    struct protocol_answer hello;
    struct err err;
    double generation = 0;

    if (peer_call(peer, "hello", NULL, PEER_HELLO_LIMIT_MS, &hello, &err) == -1)
        return 0;
    (void)json_whole_number(json_member(hello.result, "generation"), 1, 4e9, &generation);
    protocol_answer_free(&hello);
    return generation;
}

/* From inside the service's own tree: the stop that we ask for reaches us too, and we have yet to
 * say what we were told. */
static void outlive_polite_stop(const struct target *target)
{
    const char *inside = platform_environment("SVCMGR_NAME");

    if (inside != NULL && strcmp(inside, target->name) == 0)
        platform_ignore_stops();
}

enum wait_result wait_for(const struct wait_request *request, struct protocol_answer *ret_answer,
        struct wait_log *ret_log, struct err *err)
{
    struct hearing hearing = begin_hearing(request);
    bool restarts = strcmp(request->method, "restart") == 0;
    bool asked = false;
    double former = 0;

    outlive_polite_stop(request->target);
    for (;;) {
        enum wait_result result = WAIT_NOT_RUNNING;
        struct peer peer;

        if (peer_connect(request->target->state_path, &peer, err) == 0) {
            if (restarts && former == 0 && !asked)
                former = ask_generation(&peer);
            result = ask(&peer, request, asked ? former : 0, &hearing, ret_answer, ret_log, err);
            asked = true;
            if (result == WAIT_ANSWERED && strcmp(request->method, "stop") == 0)
                wait_until_gone(&peer, request->target, ret_answer);
            peer_close(&peer);
        } else if (err->kind == ERR_DENIED) {
            return WAIT_FAILED;
        }
        if (result != WAIT_NOT_RUNNING)
            return result;
        /* Nobody answers: either nobody is there, or one is being started again right now. */
        if (!pidfile_is_taken(request->target->state_path))
            return WAIT_NOT_RUNNING;
        if (platform_now_ms() - hearing.heard_ms >= patience_ms(request)) {
            (void)no_answer(request, err);
            return WAIT_FAILED;
        }
        wait_pause(AGAIN_PAUSE_MS);
    }
}

int wait_not_running(const struct target *target, struct err *err)
{
    return err_set(
            err, ERR_NOT_RUNNING, 0, "it is not running; type svcmgr start %s", target->name);
}

int wait_call(const struct cli *cli, const struct target *target, const char *method,
        const char *params, struct protocol_answer *ret_answer, struct err *err)
{
    struct wait_request request = {
        .cli = cli,
        .target = target,
        .method = method,
        .params = params,
    };
    struct wait_log log;

    switch (wait_for(&request, ret_answer, &log, err)) {
    case WAIT_ANSWERED:
        return 0;
    case WAIT_FAILED:
    case WAIT_LOCK_IS_HELD:
        return -1;
    case WAIT_NOT_RUNNING:
        break;
    }
    return wait_not_running(target, err);
}

/* Whether a supervisor answers: after the end of one this is another one. */
static bool another_answers(const struct target *target)
{
    struct protocol_answer hello;
    struct peer peer;
    struct err err;
    bool answers;

    if (peer_connect(target->state_path, &peer, &err) == -1)
        return false;
    answers = peer_call(&peer, "hello", NULL, GONE_HELLO_MS, &hello, &err) == 0;
    if (answers)
        protocol_answer_free(&hello);
    peer_close(&peer);
    return answers;
}

void wait_until_free(const struct target *target)
{
    int64_t deadline_ms = platform_now_ms() + GONE_LIMIT_MS;

    while (pidfile_is_taken(target->state_path) && !another_answers(target) &&
            platform_now_ms() < deadline_ms)
        wait_pause(GONE_PAUSE_MS);
}

void wait_until_gone(
        struct peer *peer, const struct target *target, const struct protocol_answer *answer)
{
    int64_t deadline_ms = platform_now_ms() + GONE_LIMIT_MS;
    struct protocol_answer more;

    if (!cJSON_IsTrue(json_member(answer->result, "ends")))
        return;
    while (peer_receive(peer, deadline_ms, &more) == PEER_ANSWER)
        protocol_answer_free(&more);
    wait_until_free(target);
}
