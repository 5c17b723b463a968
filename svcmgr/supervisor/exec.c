#include "exec.h"

#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "drained.h"
#include "exec_delta.h"
#include "str.h"
#include "supervisor.h"

#include "banned.h"

#define EXIT_UNKNOWN (-1)

/* ---- Places ---------------------------------------------------------------------------------- */

struct exec_session *exec_add(struct supervisor *sup)
{
    for (int i = 0; i < EXEC_SESSIONS_MAX; i++) {
        struct exec_session *session;

        if (sup->exec.sessions[i] != NULL)
            continue;
        session = calloc(1, sizeof *session);
        if (session == NULL)
            return NULL;
        for (int j = 0; j < EXEC_STREAM_COUNT; j++)
            session->streams[j].session = session;
        sup->exec.sessions[i] = session;
        return session;
    }
    return NULL;
}

void exec_remove(struct supervisor *sup, struct exec_session *session)
{
    for (int i = 0; i < EXEC_SESSIONS_MAX; i++)
        if (sup->exec.sessions[i] == session)
            sup->exec.sessions[i] = NULL;
    for (int i = 0; i < EXEC_STREAM_COUNT; i++) {
        platform_unwatch(session->streams[i].source);
        buffer_free(&session->streams[i].kept);
    }
    buffer_free(&session->message);
    if (session->client != NULL)
        session->client->commands--;
    free(session);
}

struct exec_session *exec_find(struct supervisor *sup, const struct client *client, const char *id)
{
    for (int i = 0; i < EXEC_SESSIONS_MAX; i++) {
        struct exec_session *session = sup->exec.sessions[i];

        if (session != NULL && session->client == client && session->has_id &&
                strcmp(session->id, id) == 0)
            return session;
    }
    return NULL;
}

bool exec_watch(struct exec_session *session, platform_handle handles[EXEC_STREAM_COUNT])
{
    bool complete = true;

    for (int i = 0; i < EXEC_STREAM_COUNT; i++) {
        struct exec_stream *stream = &session->streams[i];

        if (handles[i] == PLATFORM_NO_HANDLE)
            continue;
        stream->source = platform_watch_pipe(handles[i], ROLE_EXEC, stream);
        handles[i] = PLATFORM_NO_HANDLE; /* the loop's now, or closed */
        complete = complete && stream->source != NULL;
    }
    return complete;
}

/* ---- Output ---------------------------------------------------------------------------------- */

static void send_delta(struct exec_session *session, const struct exec_stream *stream,
        const char *data, size_t length)
{
    struct buffer *message = &session->message;

    message->length = 0;
    exec_delta_write(message,
            &(struct exec_delta) {
                    .process_id = session->id,
                    .is_error = stream == &session->streams[EXEC_ERROR],
                    .reached = stream->reached,
                    .data = data,
                    .length = length,
            });
    control_send(session->client, message);
}

static bool is_behind(const struct client *client)
{
    return client != NULL && !client->broken && platform_unsent(client->source) > 0;
}

static void set_paused(struct exec_session *session, bool paused)
{
    for (int i = EXEC_OUTPUT; i < EXEC_STREAM_COUNT; i++)
        if (session->streams[i].source != NULL)
            platform_pause(session->streams[i].source, paused);
}

static void take_piece(struct exec_stream *stream, const char *data, size_t length)
{
    struct exec_session *session = stream->session;
    size_t taken;

    if (stream->reached || session->client == NULL)
        return;
    taken = exec_cap(session->cap, stream->taken, length, &stream->reached);
    stream->taken += taken;
    if (session->stream_output)
        send_delta(session, stream, data, taken);
    else
        buffer_append(&stream->kept, data, taken);
    if (session->stream_output && is_behind(session->client))
        set_paused(session, true);
}

static void widen(struct exec_stream *stream)
{
    stream->wide = true;
    platform_widen(stream->source);
    if (stream->session->client != NULL)
        platform_widen(stream->session->client->source);
}

static void on_data(struct exec_stream *stream, const struct platform_event *event)
{
    if (event->length == PLATFORM_PIECE_BYTES && !stream->wide)
        widen(stream);
    take_piece(stream, event->data, event->length);
    drain_piece(&drain_defaults, &stream->drain, platform_now_ms());
}

static void close_stream(struct exec_stream *stream)
{
    platform_unwatch(stream->source);
    stream->source = NULL;
    drain_end(&stream->drain);
}

static bool take_last(void *context, const char *data, size_t length)
{
    struct exec_stream *stream = context;

    take_piece(stream, data, length);
    return !is_behind(stream->session->client);
}

static void drain_stream(struct exec_stream *stream, int64_t now_ms)
{
    /* Who reads slowly is waited for: its command is over, and so nobody else is kept waiting. */
    if (stream->source != NULL && stream->drain.running && !is_behind(stream->session->client) &&
            !drained_read(stream->source, &stream->drain, now_ms, take_last, stream))
        close_stream(stream);
}

void exec_source_has_room(struct supervisor *sup, const struct platform_source *source)
{
    for (int i = 0; i < EXEC_SESSIONS_MAX; i++) {
        struct exec_session *session = sup->exec.sessions[i];

        if (session != NULL && session->client != NULL && session->client->source == source)
            set_paused(session, false);
    }
}

/* ---- Input ----------------------------------------------------------------------------------- */

struct platform_source *exec_input(const struct exec_session *session)
{
    return session->streams[session->tty ? EXEC_OUTPUT : EXEC_INPUT].source;
}

static void answer_write(struct exec_session *session)
{
    if (session->write_waits && session->client != NULL)
        answer_empty(session->client, &session->write_request, false);
    session->write_waits = false;
}

void exec_close_input(struct exec_session *session)
{
    struct platform_source *input = exec_input(session);
    char eof;

    session->input_closed = true;
    if (input == NULL)
        return;
    if (session->tty) {
        eof = platform_terminal_eof(platform_source_handle(input));
        (void)platform_send(input, &eof, 1, SIZE_MAX);
    } else if (platform_unsent(input) == 0) {
        close_stream(&session->streams[EXEC_INPUT]);
    }
}

static void on_input_event(struct exec_stream *stream, const struct platform_event *event)
{
    struct exec_session *session = stream->session;

    if (event->kind == PLATFORM_EVENT_END) {
        session->input_closed = true; /* the command does not read it any more */
        close_stream(stream);
    } else if (event->kind == PLATFORM_EVENT_WRITTEN && session->input_closed) {
        close_stream(stream);
    }
    if (event->kind == PLATFORM_EVENT_END || event->kind == PLATFORM_EVENT_WRITTEN)
        answer_write(session);
}

void exec_on_event(struct supervisor *sup, const struct platform_event *event)
{
    struct exec_stream *stream = event->owner;

    (void)sup;
    if (stream == &stream->session->streams[EXEC_INPUT])
        on_input_event(stream, event);
    else if (event->kind == PLATFORM_EVENT_DATA)
        on_data(stream, event);
    else if (event->kind == PLATFORM_EVENT_WRITTEN)
        answer_write(stream->session);
    else if (event->kind == PLATFORM_EVENT_END && stream->session->tty &&
            !stream->session->helper->ended)
        stream->hung_up = true;
    else if (event->kind == PLATFORM_EVENT_END)
        close_stream(stream);
}

/* ---- The end --------------------------------------------------------------------------------- */

static int exit_code(const struct exec_session *session)
{
    if (session->timed_out)
        return EXEC_EXIT_TIMED_OUT;
    if (session->how.by_signal > 0)
        return EXEC_EXIT_OF_SIGNAL + session->how.by_signal;
    return session->how.code >= 0 ? session->how.code : EXIT_UNKNOWN;
}

static int exit_of_failure(const struct helper *helper)
{
    if (helper->failure_stage != PLATFORM_STAGE_EXECUTE)
        return EXEC_EXIT_FAILED;
    return platform_means_missing(helper->failure_code) ? EXEC_EXIT_NOT_FOUND
                                                        : EXEC_EXIT_NOT_EXECUTED;
}

static void answer_result(struct exec_session *session)
{
    struct buffer message = { 0 };
    struct json_writer writer;
    static const char *const names[] = { [EXEC_OUTPUT] = "stdout", [EXEC_ERROR] = "stderr" };

    protocol_answer_begin(&writer, &message, &session->request);
    json_write_object(&writer, "result");
    json_write_int(&writer, "exitCode", exit_code(session));
    for (int i = EXEC_OUTPUT; i < EXEC_STREAM_COUNT; i++) {
        struct buffer *kept = &session->streams[i].kept;

        message.failed = message.failed || kept->failed;
        json_write_bytes(&writer, names[i], buffer_text(kept), kept->length);
        buffer_free(kept);
    }
    json_write_object_end(&writer);
    protocol_answer_end(&writer);
    control_send_whole(session->client, &message);
    buffer_free(&message);
}

static void answer_failed(struct supervisor *sup, struct exec_session *session)
{
    const struct helper *helper = session->helper;
    bool is_file = helper->failure_stage == PLATFORM_STAGE_EXECUTE;
    struct err err;

    err_set(&err, (enum err_kind)exit_of_failure(helper), helper->failure_code,
            "failed to spawn command: %s%s%s: %s", platform_stage_name(helper->failure_stage),
            is_file ? " " : "", is_file ? session->file : "",
            platform_error_text(helper->failure_code));
    answer_failure(session->client, &session->request, PROTOCOL_INTERNAL, &err, sup);
}

static void finish(struct supervisor *sup, struct exec_session *session)
{
    answer_write(session);
    if (session->client != NULL && session->request.json[0] != '\0') {
        if (session->helper->failure_text[0] != '\0')
            answer_failed(sup, session);
        else
            answer_result(session);
    }
    helper_forget(sup, session->helper);
    exec_remove(sup, session);
}

static bool is_drained(const struct exec_session *session)
{
    return session->streams[EXEC_OUTPUT].source == NULL &&
            session->streams[EXEC_ERROR].source == NULL;
}

void exec_ended(struct supervisor *sup, struct helper *helper, const struct platform_exit *how)
{
    struct exec_session *session = helper->session;
    int64_t now_ms = platform_now_ms();

    session->how = *how;
    session->timed_out = helper->killed && !session->terminated;
    session->input_closed = true;
    if (!session->tty)
        close_stream(&session->streams[EXEC_INPUT]);
    for (int i = EXEC_OUTPUT; i < EXEC_STREAM_COUNT; i++) {
        drain_begin(&drain_defaults, &session->streams[i].drain, now_ms);
        if (session->streams[i].hung_up)
            close_stream(&session->streams[i]);
    }
    /* Without anybody who reads it there is nothing to wait for. */
    if (session->client == NULL || is_drained(session))
        finish(sup, session);
}

void exec_on_time(struct supervisor *sup, int64_t now_ms)
{
    for (int i = 0; i < EXEC_SESSIONS_MAX; i++) {
        struct exec_session *session = sup->exec.sessions[i];

        if (session == NULL || !session->helper->ended)
            continue;
        for (int j = EXEC_OUTPUT; j < EXEC_STREAM_COUNT; j++)
            drain_stream(&session->streams[j], now_ms);
        if (is_drained(session))
            finish(sup, session);
    }
}

int64_t exec_deadline(const struct supervisor *sup)
{
    int64_t deadline_ms = PLATFORM_NEVER;

    for (int i = 0; i < EXEC_SESSIONS_MAX; i++) {
        const struct exec_session *session = sup->exec.sessions[i];

        for (int j = EXEC_OUTPUT; session != NULL && j < EXEC_STREAM_COUNT; j++)
            if (session->streams[j].source != NULL && !is_behind(session->client) &&
                    drain_deadline(&session->streams[j].drain) < deadline_ms)
                deadline_ms = drain_deadline(&session->streams[j].drain);
    }
    return deadline_ms;
}

static void kill_session(struct supervisor *sup, struct exec_session *session)
{
    session->terminated = session->terminated || !session->helper->killed;
    helper_kill(sup, session->helper);
}

/* Whether nobody waits for its commands any more.  Over TCP the end of a whole connection looks
 * like the end of its sending side; a command could go on for ever, so it ends with either. */
static bool is_left(const struct supervisor *sup, const struct client *client)
{
    return client->broken || client->closing || (client->ended && sup->control.over_tcp);
}

void exec_sweep(struct supervisor *sup)
{
    for (int i = 0; i < EXEC_SESSIONS_MAX; i++) {
        struct exec_session *session = sup->exec.sessions[i];

        if (session == NULL || session->client == NULL || !is_left(sup, session->client))
            continue;
        session->client->commands--;
        session->client = NULL;
        set_paused(session, false); /* what it still prints is read and dropped */
        kill_session(sup, session);
        if (session->helper->ended)
            finish(sup, session);
    }
}

size_t exec_end_all(struct supervisor *sup)
{
    size_t count = 0;

    for (int i = 0; i < EXEC_SESSIONS_MAX; i++)
        if (sup->exec.sessions[i] != NULL && !sup->exec.sessions[i]->helper->ended) {
            kill_session(sup, sup->exec.sessions[i]);
            count++;
        }
    return count;
}

bool exec_is_idle(const struct supervisor *sup)
{
    for (int i = 0; i < EXEC_SESSIONS_MAX; i++)
        if (sup->exec.sessions[i] != NULL)
            return false;
    return true;
}
