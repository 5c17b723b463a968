/* The methods command/exec, command/exec/write, command/exec/resize and command/exec/terminate. */
#include "exec.h"

#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "base64.h"
#include "spawn.h"
#include "str.h"
#include "supervisor.h"

#include "banned.h"

/* ---- Spawning -------------------------------------------------------------------------------- */

/* Our ends of a command's streams, and its own. */
struct ends {
    platform_handle ours[EXEC_STREAM_COUNT];
    platform_handle child[EXEC_STREAM_COUNT];
};

static void close_all(platform_handle handles[EXEC_STREAM_COUNT])
{
    for (int i = 0; i < EXEC_STREAM_COUNT; i++) {
        platform_close(handles[i]);
        handles[i] = PLATFORM_NO_HANDLE;
    }
}

static int open_terminal(
        const struct exec_params *params, uint32_t uid, struct ends *ends, struct err *err)
{
    if (platform_terminal_pair(uid, &ends->ours[EXEC_OUTPUT], &ends->child[EXEC_OUTPUT], err) == -1)
        return -1;
    return platform_terminal_resize(
            ends->ours[EXEC_OUTPUT], params->size.rows, params->size.cols, err);
}

static int open_pipes(
        const struct exec_params *params, uint32_t uid, struct ends *ends, struct err *err)
{
    if (params->stream_input &&
            platform_input_pipe(&ends->child[EXEC_INPUT], &ends->ours[EXEC_INPUT], err) == -1)
        return -1;
    for (int i = EXEC_OUTPUT; i < EXEC_STREAM_COUNT; i++)
        if (platform_pipe(&ends->ours[i], &ends->child[i], err) == -1)
            return -1;
    /* /dev/stdout and its like are opened anew by some programs: that needs them to be theirs. */
    for (int i = 0; i < EXEC_STREAM_COUNT; i++)
        if (uid != platform_uid() && ends->child[i] != PLATFORM_NO_HANDLE)
            platform_give_pipe(ends->child[i], uid);
    return 0;
}

static void use_ends(const struct ends *ends, bool tty, struct platform_spawn *spec)
{
    spec->ends_with_parent = true;
    spec->on_terminal = tty;
    spec->input = ends->child[tty ? EXEC_OUTPUT : EXEC_INPUT];
    spec->output = ends->child[EXEC_OUTPUT];
    spec->error_output = ends->child[tty ? EXEC_OUTPUT : EXEC_ERROR];
}

static int spawn_planned(struct supervisor *sup, struct exec_session *session,
        const struct exec_params *params, struct spawn_plan *plan, struct err *err)
{
    struct ends ends;
    uint32_t uid = plan->spec.switch_user ? plan->spec.uid : platform_uid();
    int64_t timeout_ms =
            params->timeout_ms == EXEC_NO_TIMEOUT ? PLATFORM_NEVER : params->timeout_ms;
    int result;

    for (int i = 0; i < EXEC_STREAM_COUNT; i++)
        ends.ours[i] = ends.child[i] = PLATFORM_NO_HANDLE;
    result = params->tty ? open_terminal(params, uid, &ends, err)
                         : open_pipes(params, uid, &ends, err);
    if (result == 0 && !exec_watch(session, ends.ours))
        result = err_set(err, ERR_FAILED, 0, "too many connections and pipes are open");
    if (result == 0) {
        use_ends(&ends, params->tty, &plan->spec);
        result = helper_spawn(sup, MACHINE_SLOT_COUNT, HELPER_EXEC, &plan->spec, timeout_ms,
                &session->helper, err);
    }
    if (result == 0) {
        session->helper->session = session;
        (void)str_copy(session->file, sizeof session->file, plan->file);
    }
    close_all(ends.ours);
    close_all(ends.child);
    return result;
}

/* Where the request and the configuration come together. */
static int spawn_words(struct supervisor *sup, struct exec_session *session,
        const struct exec_params *params, const struct config_words *words,
        const struct environment_change *changes, size_t change_count, struct err *err)
{
    const struct instance *current = &sup->instances[MACHINE_CURRENT];
    const struct machine_generation *life = &sup->machine.generations[MACHINE_CURRENT];
    char id[RECORD_ID_BYTES];
    struct spawn_plan plan;
    struct spawn_request request = {
        .sup = sup,
        .service = current->used ? current->service : sup->service,
        .command = words,
        .generation = sup->machine.last_number,
        .instance = id,
        .notify_name = "",
        .main_pid = current->used && !life->main_ended
                ? sup->record.generations[MACHINE_CURRENT].process.pid
                : 0,
        .is_literal = true,
        .directory = params->directory,
        .changes = changes,
        .change_count = change_count,
    };
    int result;

    /* Not the instance's: by that one what is left of the instance is found. */
    if (instance_new_id(id, err) == -1)
        return -1;
    result = spawn_prepare(&request, &plan, err);
    if (result == 0)
        result = spawn_planned(sup, session, params, &plan, err);
    spawn_free(&plan);
    return result;
}

static int spawn_command(struct supervisor *sup, struct exec_session *session,
        const struct exec_params *params, struct err *err)
{
    size_t word_count = (size_t)cJSON_GetArraySize(params->command);
    size_t change_count = (size_t)cJSON_GetArraySize(params->variables);
    const char **words = calloc(word_count + 1, sizeof *words);
    struct environment_change *changes = calloc(change_count + 1, sizeof *changes);
    struct config_words command = { .list = words, .count = word_count };
    const cJSON *item;
    size_t at = 0;
    int result;

    if (words == NULL || changes == NULL) {
        result = err_memory(err);
    } else {
        cJSON_ArrayForEach(item, params->command) words[at++] = item->valuestring;
        at = 0;
        cJSON_ArrayForEach(item, params->variables) changes[at++] =
                (struct environment_change) { .name = item->string,
                    .value = cJSON_IsString(item) ? item->valuestring : NULL };
        result = spawn_words(sup, session, params, &command, changes, change_count, err);
    }
    free(changes);
    free((void *)(uintptr_t)words);
    return result;
}

/* ---- command/exec ---------------------------------------------------------------------------- */

static void refuse(const struct call *call, const char *before, const char *id, const char *behind)
{
    struct err err;

    err_set(&err, ERR_FAILED, 0, "%s\"%s\"%s", before, id, behind);
    answer_error(call, PROTOCOL_INVALID_REQUEST, err.text);
}

static struct exec_session *add_session(const struct call *call, const struct exec_params *params)
{
    struct exec_session *session = exec_add(call->sup);

    if (session == NULL)
        return NULL;
    session->client = call->client;
    session->client->commands++;
    session->request = call->request->id;
    session->has_id = params->process_id != NULL;
    if (session->has_id)
        (void)str_copy(session->id, sizeof session->id, params->process_id);
    session->tty = params->tty;
    session->stream_input = params->stream_input;
    session->stream_output = params->stream_output;
    session->input_closed = !params->stream_input;
    session->cap = params->cap;
    return session;
}

static int exit_of_failure(const struct err *err)
{
    if (!platform_is_about_stage(err->text, PLATFORM_STAGE_EXECUTE))
        return EXEC_EXIT_FAILED;
    return platform_means_missing(err->os_code)           ? EXEC_EXIT_NOT_FOUND
            : platform_means_not_executable(err->os_code) ? EXEC_EXIT_NOT_EXECUTED
                                                          : EXEC_EXIT_FAILED;
}

void exec_call(const struct call *call)
{
    struct supervisor *sup = call->sup;
    struct exec_session *session;
    struct exec_params params;
    struct err err;
    int code = exec_params_read(call->request->params, &params, &err);

    if (code != 0) {
        answer_error(call, code, err.text);
        return;
    }
    if (params.process_id != NULL && exec_find(sup, call->client, params.process_id) != NULL) {
        refuse(call, "duplicate active command/exec process id: ", params.process_id, "");
        return;
    }
    session = sup->service != NULL ? add_session(call, &params) : NULL;
    if (session == NULL) {
        answer_error(call, PROTOCOL_OVERLOADED, "too many commands are running; try again later");
        return;
    }
    if (spawn_command(sup, session, &params, &err) == -1) {
        err.kind = (enum err_kind)exit_of_failure(&err);
        err_prefix(&err, "failed to spawn command");
        answer_failure(call->client, &call->request->id, PROTOCOL_INTERNAL, &err, sup);
        exec_remove(sup, session);
    }
}

/* ---- The others ------------------------------------------------------------------------------ */

/* The command that a request is about, which could be read if code is 0; NULL: it is answered. */
static struct exec_session *session_of(
        const struct call *call, int code, const struct err *err, const char *id)
{
    struct exec_session *session = code == 0 ? exec_find(call->sup, call->client, id) : NULL;

    if (code != 0)
        answer_error(call, code, err->text);
    else if (session == NULL)
        refuse(call, "no active command/exec for process id ", id, "");
    else if (session->helper->ended)
        refuse(call, "command/exec ", id, " is no longer running");
    else
        return session;
    return NULL;
}

static void write_input(const struct call *call, struct exec_session *session,
        const struct buffer *data, bool close)
{
    struct platform_source *input = exec_input(session);

    if (session->write_waits) {
        answer_error(call, PROTOCOL_OVERLOADED,
                "the command has not read what was written before; wait for the answer");
        return;
    }
    if (input != NULL && data->length > 0 &&
            platform_send(input, data->data, data->length, SIZE_MAX) == -1)
        session->input_closed = true; /* it reads no more; its end will say why */
    if (close)
        exec_close_input(session);
    input = exec_input(session);
    if (input == NULL || platform_unsent(input) <= EXEC_INPUT_BYTES) {
        answer_empty(call->client, &call->request->id, false);
        return;
    }
    session->write_waits = true;
    session->write_request = call->request->id;
}

void exec_write_call(const struct call *call)
{
    struct exec_session *session;
    struct buffer data = { 0 };
    const char *text = NULL;
    const char *id;
    bool close;
    struct err err;
    int code = exec_read_id(call->request->params, &id, &err);

    if (code == 0)
        code = exec_read_write(call->request->params, &text, &close, &err);
    if (code == 0 && text != NULL && base64_decode(text, strlen(text), &data, &err) == -1) {
        err_prefix(&err, "invalid deltaBase64");
        code = PROTOCOL_INVALID_PARAMS;
    }
    session = session_of(call, code, &err, id);
    if (session != NULL && !session->stream_input)
        answer_error(call, PROTOCOL_INVALID_REQUEST,
                "stdin streaming is not enabled for this command/exec");
    else if (session != NULL && session->input_closed)
        answer_error(call, PROTOCOL_INVALID_REQUEST, "stdin is already closed");
    else if (session != NULL)
        write_input(call, session, &data, close);
    buffer_free(&data);
}

void exec_resize_call(const struct call *call)
{
    struct exec_session *session;
    struct exec_size size;
    const char *id;
    struct err err;
    int code = exec_read_id(call->request->params, &id, &err);

    if (code == 0)
        code = exec_read_size(call->request->params, &size, &err);
    session = session_of(call, code, &err, id);
    if (session == NULL)
        return;
    if (!session->tty || exec_input(session) == NULL)
        answer_error(call, PROTOCOL_INVALID_REQUEST,
                "failed to resize PTY: process is not attached to a PTY");
    else if (platform_terminal_resize(platform_source_handle(exec_input(session)), size.rows,
                     size.cols, &err) == -1) {
        err_prefix(&err, "failed to resize PTY");
        answer_error(call, PROTOCOL_INVALID_REQUEST, err.text);
    } else {
        answer_empty(call->client, &call->request->id, false);
    }
}

void exec_terminate_call(const struct call *call)
{
    struct exec_session *session;
    const char *id;
    struct err err;
    int code = exec_read_id(call->request->params, &id, &err);

    session = session_of(call, code, &err, id);
    if (session == NULL)
        return;
    session->terminated = true;
    helper_kill(call->sup, session->helper);
    answer_empty(call->client, &call->request->id, false);
}
