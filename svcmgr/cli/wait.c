#include "wait.h"

#include <stdio.h>
#include <string.h>

#include "duration.h"
#include "methods.h"
#include "pidfile.h"
#include "str.h"

#include "banned.h"

#define HELLO_EVERY_MS   1000
#define SPIN_EVERY_MS    100
#define GONE_LIMIT_MS    5000
#define GONE_PAUSE_MS    2
#define AGAIN_PAUSE_MS   10

void wait_pause(int64_t ms)
{
    struct platform_event event;

    platform_wait(platform_now_ms() + ms, &event);
}

/* ---- The line on a terminal -------------------------------------------------------------------- */

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
            cJSON_IsString(state) ? state->valuestring : "",
            cJSON_IsString(text) ? ": " : "", cJSON_IsString(text) ? text->valuestring : "");
}

/* ---- One connection ------------------------------------------------------------------------------ */

static int send_request(struct peer *peer, const struct wait_request *request, double former,
        struct err *err)
{
    struct buffer params = { 0 };
    struct json_writer writer = { .out = &params };
    int id;

    json_write_object(&writer, NULL);
    json_write_bool(&writer, "progress", true);
    if (request->expect_pid != NULL)
        json_write_raw(&writer, "expect_pid", request->expect_pid);
    if (request->now)
        json_write_bool(&writer, "now", true);
    if (former > 0)
        json_write_int(&writer, "former_generation", (int64_t)former);
    json_write_object_end(&writer);
    id = peer_send(peer, request->method, buffer_text(&params), err);
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

static enum wait_result no_answer(const struct wait_request *request, struct err *err)
{
    err_set(err, ERR_NO_ANSWER, 0,
            "its supervisor did not answer in %d s; look at it with svcmgr doctor %s",
            PEER_HELLO_LIMIT_MS / 1000, request->target->name);
    return WAIT_FAILED;
}

/* Waits for the answer to request 'id', with a hello now and then so that a supervisor that hangs is
 * told from one that is busy. */
static enum wait_result receive(struct peer *peer, const struct wait_request *request, int id,
        struct progress *progress, struct protocol_answer *ret_answer, struct wait_log *ret_log,
        struct err *err)
{
    int64_t heard_ms = platform_now_ms();
    int64_t hello_ms = heard_ms + HELLO_EVERY_MS;

    for (;;) {
        int64_t now_ms = platform_now_ms();
        int64_t until_ms = hello_ms;
        struct protocol_answer answer;

        if (progress->shown && now_ms + SPIN_EVERY_MS < until_ms)
            until_ms = now_ms + SPIN_EVERY_MS;
        switch (peer_receive(peer, until_ms, &answer)) {
        case PEER_ENDED:
            return WAIT_NOT_RUNNING;
        case PEER_TIME_UP:
            now_ms = platform_now_ms();
            if (now_ms - heard_ms >= PEER_HELLO_LIMIT_MS)
                return no_answer(request, err);
            if (now_ms >= hello_ms && peer_send(peer, "hello", NULL, err) == -1)
                return WAIT_NOT_RUNNING;
            if (now_ms >= hello_ms)
                hello_ms = now_ms + HELLO_EVERY_MS;
            show_progress(progress, request->target->name);
            continue;
        case PEER_ANSWER:
            break;
        }
        heard_ms = platform_now_ms();
        if (answer.id == id)
            return take_answer(&answer, ret_answer, ret_log, err);
        if (answer.method != NULL && strcmp(answer.method, "progress") == 0)
            take_progress(progress, answer.params);
        protocol_answer_free(&answer);
    }
}

static enum wait_result ask(struct peer *peer, const struct wait_request *request, double former,
        struct protocol_answer *ret_answer, struct wait_log *ret_log, struct err *err)
{
    struct progress progress = {
        .shown = !request->cli->quiet && !request->cli->json &&
                 platform_is_terminal(platform_standard_error()),
        .since_ms = platform_now_ms(),
    };
    int id = send_request(peer, request, former, err);
    enum wait_result result = WAIT_NOT_RUNNING;

    if (id != -1)
        result = receive(peer, request, id, &progress, ret_answer, ret_log, err);
    end_progress(&progress);
    return result;
}

enum wait_result wait_on(struct peer *peer, const struct wait_request *request,
        struct protocol_answer *ret_answer, struct wait_log *ret_log, struct err *err)
{
    return ask(peer, request, 0, ret_answer, ret_log, err);
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

enum wait_result wait_for(const struct wait_request *request, struct protocol_answer *ret_answer,
        struct wait_log *ret_log, struct err *err)
{
    int64_t deadline_ms = platform_now_ms() + PEER_HELLO_LIMIT_MS;
    bool restarts = strcmp(request->method, "restart") == 0;
    bool asked = false;
    double former = 0;

    for (;;) {
        enum wait_result result = WAIT_NOT_RUNNING;
        struct peer peer;

        if (peer_connect(request->target->state_path, &peer, err) == 0) {
            if (restarts && former == 0 && !asked)
                former = ask_generation(&peer);
            result = ask(&peer, request, asked ? former : 0, ret_answer, ret_log, err);
            asked = true;
            if (result == WAIT_ANSWERED && strcmp(request->method, "stop") == 0)
                wait_until_gone(&peer, request->target);
            peer_close(&peer);
        } else if (err->kind == ERR_DENIED) {
            return WAIT_FAILED;
        }
        if (result != WAIT_NOT_RUNNING)
            return result;
        /* Nobody answers: either nobody is there, or one is being started again right now. */
        if (!pidfile_is_taken(request->target->state_path))
            return WAIT_NOT_RUNNING;
        if (platform_now_ms() >= deadline_ms)
            return no_answer(request, err);
        wait_pause(AGAIN_PAUSE_MS);
    }
}

void wait_until_gone(struct peer *peer, const struct target *target)
{
    int64_t deadline_ms = platform_now_ms() + GONE_LIMIT_MS;
    struct protocol_answer answer;

    while (peer_receive(peer, deadline_ms, &answer) == PEER_ANSWER)
        protocol_answer_free(&answer);
    while (pidfile_is_taken(target->state_path) && platform_now_ms() < deadline_ms)
        wait_pause(GONE_PAUSE_MS);
}
