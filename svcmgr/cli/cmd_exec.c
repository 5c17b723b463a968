/* exec: runs a command in the service's environment, as if it were run here: its output is ours,
 * our input and terminal are its own if that is asked for, and its exit code is the command's. */
#include <stdlib.h>
#include <string.h>

#include "base64.h"
#include "duration.h"
#include "exec_delta.h"
#include "exec_params.h"
#include "peer.h"
#include "print.h"
#include "report.h"
#include "scope.h"
#include "str.h"
#include "wait.h"

#include "banned.h"

#define SIGNAL_OF_PIPE 13 /* POSIX: kill(1) */

/* One command on a connection, so one name for it is enough. */
#define PROCESS_ID "exec"

enum role { ROLE_CONNECTION, ROLE_INPUT };

struct exec_client {
    const struct cli *cli;
    const char *name;
    struct line_reader lines;
    struct buffer output; /* a piece of it */
    struct platform_source *connection;
    struct platform_source *input; /* NULL: nothing of ours goes there */
    int last_id;
    int exec_id;
    int write_id; /* of the write that is not answered yet; 0 none */
    int asked_by; /* the signal that asked us to end; 0 none */
    bool input_ended;
    bool cut[2]; /* standard output, standard error: the cap was reached */
    bool done;
    int code;
};

/* ---- Requests -------------------------------------------------------------------------------- */

static void send_request(
        struct exec_client *client, int id, const char *method, const struct buffer *params)
{
    struct buffer request = { 0 };
    struct json_writer writer;

    protocol_request_begin(&writer, &request, id, method);
    json_write_raw(&writer, "params", buffer_text(params));
    protocol_request_end(&writer);
    if (request.failed || params->failed ||
            platform_send(client->connection, request.data, request.length, SIZE_MAX) == -1)
        client->done = true;
    buffer_free(&request);
}

static void begin_params(struct json_writer *writer, struct buffer *params)
{
    *writer = (struct json_writer) { .out = params };
    json_write_object(writer, NULL);
    json_write_string(writer, "processId", PROCESS_ID);
}

static int send_control(struct exec_client *client, const char *method, struct json_writer *writer)
{
    int id = ++client->last_id;

    json_write_object_end(writer);
    send_request(client, id, method, writer->out);
    buffer_free(writer->out);
    return id;
}

static void write_size(struct json_writer *writer, const struct exec_size *size)
{
    json_write_object(writer, "size");
    json_write_int(writer, "rows", size->rows);
    json_write_int(writer, "cols", size->cols);
    json_write_object_end(writer);
}

static void add_terminal(struct json_writer *writer)
{
    const char *kind = platform_environment("TERM");
    struct exec_size size;

    json_write_bool(writer, "tty", true);
    if (platform_terminal_size(platform_standard_output(), &size.rows, &size.cols) ||
            platform_terminal_size(platform_standard_input(), &size.rows, &size.cols))
        write_size(writer, &size);
    if (kind == NULL)
        return;
    json_write_object(writer, "env");
    json_write_string(writer, "TERM", kind);
    json_write_object_end(writer);
}

static int add_limits(const struct cli *cli, struct json_writer *writer, struct err *err)
{
    uint64_t cap = 0;
    int64_t timeout_ms = 0;

    if (cli->timeout != NULL && !duration_parse(cli->timeout, &timeout_ms))
        return err_set(err, ERR_USAGE, 0, "--timeout must be a time as in 30s or 5m, not \"%s\"",
                cli->timeout);
    if (cli->output_cap != NULL && !duration_parse_size(cli->output_cap, &cap))
        return err_set(err, ERR_USAGE, 0,
                "--output-cap must be a number of bytes, as 4096 or 64KiB, not \"%s\"",
                cli->output_cap);
    if (cli->timeout != NULL)
        json_write_int(writer, "timeoutMs", timeout_ms);
    else
        json_write_bool(writer, "disableTimeout", true);
    if (cli->output_cap != NULL)
        json_write_int(writer, "outputBytesCap", (int64_t)cap);
    else
        json_write_bool(writer, "disableOutputCap", true);
    return 0;
}

static int write_params(const struct cli *cli, struct buffer *params, struct err *err)
{
    struct json_writer writer;

    begin_params(&writer, params);
    json_write_list(&writer, "command");
    for (size_t i = 0; i < cli->rest_count; i++)
        json_write_string(&writer, NULL, cli->rest[i]);
    json_write_list_end(&writer);
    if (add_limits(cli, &writer, err) == -1)
        return -1;
    if (cli->tty)
        add_terminal(&writer);
    json_write_bool(&writer, "streamStdin", cli->stdin_too);
    json_write_bool(&writer, "streamStdoutStderr", !cli->json);
    json_write_object_end(&writer);
    if (params->failed)
        return err_memory(err);
    if (params->length >= PROTOCOL_REQUEST_BYTES)
        return err_set(err, ERR_USAGE, 0, "the command is longer than 1 MiB");
    return 0;
}

/* ---- What we have for the command ------------------------------------------------------------ */

static void write_input(struct exec_client *client, const char *data, size_t length)
{
    struct buffer params = { 0 };
    struct buffer text = { 0 };
    struct json_writer writer;

    begin_params(&writer, &params);
    if (length > 0) {
        base64_encode(data, length, &text);
        json_write_string(&writer, "deltaBase64", buffer_text(&text));
    } else {
        json_write_bool(&writer, "closeStdin", true);
    }
    client->write_id = send_control(client, "command/exec/write", &writer);
    buffer_free(&text);
    /* The next piece goes when this one has been taken. */
    platform_pause(client->input, true);
}

static void on_input(struct exec_client *client, const struct platform_event *event)
{
    if (client->input_ended)
        return;
    if (event->kind == PLATFORM_EVENT_DATA) {
        write_input(client, event->data, event->length);
    } else if (event->kind == PLATFORM_EVENT_END) {
        client->input_ended = true;
        write_input(client, NULL, 0);
    }
}

static void resize(struct exec_client *client)
{
    struct buffer params = { 0 };
    struct json_writer writer;
    struct exec_size size;

    if (!platform_terminal_size(platform_standard_output(), &size.rows, &size.cols) &&
            !platform_terminal_size(platform_standard_input(), &size.rows, &size.cols))
        return;
    begin_params(&writer, &params);
    write_size(&writer, &size);
    (void)send_control(client, "command/exec/resize", &writer);
}

/* The first one ends the command and waits for what it says last; with the next one, or when the
 * terminal is gone, we end, and the command with its connection. */
static void on_signal(struct exec_client *client, const struct platform_event *event)
{
    struct buffer params = { 0 };
    struct json_writer writer;

    if (event->ask == PLATFORM_ASK_RESIZE) {
        resize(client);
        return;
    }
    if (client->asked_by != 0 || event->ask == PLATFORM_ASK_HANGUP) {
        client->asked_by = event->signal_number;
        client->done = true;
        return;
    }
    client->asked_by = event->signal_number;
    begin_params(&writer, &params);
    (void)send_control(client, "command/exec/terminate", &writer);
}

/* ---- What comes from the command ------------------------------------------------------------- */

static void take_output(struct exec_client *client, const struct exec_delta *delta)
{
    struct buffer *output = &client->output;
    struct err err;

    client->cut[delta->is_error] = client->cut[delta->is_error] || delta->reached;
    if (output->length > 0 &&
            platform_write(delta->is_error ? platform_standard_error() : platform_standard_output(),
                    output->data, output->length, &err) == -1) {
        /* As if the command itself had written there. */
        client->code = EXEC_EXIT_OF_SIGNAL + SIGNAL_OF_PIPE;
        client->done = true;
    }
    output->length = 0;
}

static void take_delta(struct exec_client *client, const cJSON *params)
{
    const cJSON *text = json_member(params, "deltaBase64");
    const cJSON *stream = json_member(params, "stream");
    struct exec_delta delta = {
        .is_error = cJSON_IsString(stream) && strcmp(stream->valuestring, "stderr") == 0,
        .reached = cJSON_IsTrue(json_member(params, "capReached")),
    };
    struct err err;

    if (cJSON_IsString(text))
        (void)base64_decode(text->valuestring, strlen(text->valuestring), &client->output, &err);
    take_output(client, &delta);
}

static void print_result(const struct exec_client *client, const cJSON *result)
{
    cJSON *document = cJSON_CreateObject();

    (void)cJSON_AddStringToObject(document, "name", client->name);
    (void)cJSON_AddNumberToObject(document, "exit_code", client->code);
    (void)cJSON_AddItemToObject(
            document, "stdout", cJSON_Duplicate(json_member(result, "stdout"), true));
    (void)cJSON_AddItemToObject(
            document, "stderr", cJSON_Duplicate(json_member(result, "stderr"), true));
    print_json(document);
    cJSON_Delete(document);
}

static void take_result(struct exec_client *client, struct protocol_answer *answer)
{
    const cJSON *code = json_member(answer->result, "exitCode");

    client->done = true;
    if (answer->result == NULL) {
        int kind = (int)answer->err.kind;

        (void)report_failure(client->name, NULL, &answer->err);
        client->code = kind == EXEC_EXIT_NOT_EXECUTED || kind == EXEC_EXIT_NOT_FOUND
                ? kind
                : EXEC_EXIT_FAILED;
        return;
    }
    client->code = cJSON_IsNumber(code) && code->valuedouble >= 0 ? (int)code->valuedouble
                                                                  : EXEC_EXIT_FAILED;
    if (client->cli->json)
        print_result(client, answer->result);
}

static void take_line(struct exec_client *client, const char *line, size_t length)
{
    struct protocol_answer answer;
    struct exec_delta delta;
    struct err err;

    if (exec_delta_read(line, length, PROCESS_ID, &delta, &client->output)) {
        take_output(client, &delta);
        return;
    }
    if (protocol_answer_parse(line, length, &answer, &err) == -1) {
        client->done = true;
        return;
    }
    if (answer.method != NULL && strcmp(answer.method, EXEC_DELTA_METHOD) == 0) {
        take_delta(client, answer.params);
    } else if (answer.id == client->exec_id || protocol_answer_is_refusal(&answer)) {
        take_result(client, &answer);
    } else if (answer.id == client->write_id && client->input != NULL) {
        client->write_id = 0;
        /* It does not read any more: what we have is of no use to it. */
        client->input_ended = client->input_ended || answer.result == NULL;
        platform_pause(client->input, client->input_ended);
    }
    protocol_answer_free(&answer);
}

static void on_connection(struct exec_client *client, const struct platform_event *event)
{
    size_t length;
    char *line;

    if (event->kind == PLATFORM_EVENT_END)
        client->done = true;
    if (event->kind != PLATFORM_EVENT_DATA)
        return;
    if (line_push(&client->lines, event->data, event->length) == -1)
        client->done = true;
    while (!client->done && (line = line_next(&client->lines, &length)) != NULL)
        take_line(client, line, length);
}

static void run(struct exec_client *client)
{
    while (!client->done) {
        struct platform_event event;

        platform_wait(PLATFORM_NEVER, &event);
        if (event.kind == PLATFORM_EVENT_SIGNAL)
            on_signal(client, &event);
        else if (event.source == NULL)
            continue;
        else if (event.role == ROLE_INPUT)
            on_input(client, &event);
        else
            on_connection(client, &event);
    }
}

/* ---- The command ----------------------------------------------------------------------------- */

static int open_streams(struct exec_client *client, struct peer *peer, struct err *err)
{
    const struct cli *cli = client->cli;

    if (platform_loop_open(true, err) == -1)
        return -1;
    client->connection = platform_watch_stream(peer->handle, ROLE_CONNECTION, NULL);
    peer->handle = PLATFORM_NO_HANDLE;
    if (cli->tty || cli->stdin_too)
        client->input = platform_watch_input(platform_standard_input(), ROLE_INPUT, NULL);
    if (client->connection == NULL || ((cli->tty || cli->stdin_too) && client->input == NULL))
        return err_set(err, ERR_FAILED, 0, "too many descriptors are open");
    if (cli->tty && platform_is_terminal(platform_standard_input()))
        return platform_terminal_raw(platform_standard_input(), err);
    return 0;
}

static int finish(struct exec_client *client)
{
    static const char *const names[] = { "standard output", "standard error" };
    struct err err;

    platform_terminal_restore();
    for (int i = 0; i < 2; i++)
        if (client->cut[i] && !client->cli->quiet)
            cli_warn(client->name, "its %s was cut at %s bytes", names[i], client->cli->output_cap);
    if (client->asked_by != 0)
        return EXEC_EXIT_OF_SIGNAL + client->asked_by;
    if (client->code >= 0)
        return client->code;
    err_set(&err, ERR_FAILED, 0,
            "the supervisor has ended, and the command with it; what it had done is unknown");
    (void)report_failure(client->name, NULL, &err);
    return EXEC_EXIT_FAILED;
}

static int exec_on(const struct cli *cli, const struct target *target, const struct buffer *params)
{
    struct exec_client client = {
        .cli = cli, .name = target->name, .code = -1, .lines.stays = true
    };
    struct peer peer;
    struct err err;
    int code = EXEC_EXIT_FAILED;

    if (peer_connect(target->state_path, &peer, &err) == -1) {
        (void)report_failure(target->name, NULL, &err);
        return EXEC_EXIT_FAILED;
    }
    if (open_streams(&client, &peer, &err) == -1) {
        platform_terminal_restore();
        (void)report_failure(target->name, NULL, &err);
    } else {
        client.exec_id = ++client.last_id;
        send_request(&client, client.exec_id, "command/exec", params);
        run(&client);
        code = finish(&client);
    }
    platform_unwatch(client.connection);
    line_free(&client.lines);
    buffer_free(&client.output);
    peer_close(&peer);
    return code;
}

static int check_usage(const struct cli *cli, struct err *err)
{
    if (cli->rest_count == 0)
        return err_set(err, ERR_USAGE, 0,
                "the command is missing; type svcmgr exec %s -- COMMAND ARG...", cli->names[0]);
    if (cli->json && (cli->tty || cli->stdin_too))
        return err_set(err, ERR_USAGE, 0, "--json does not go with --tty or --stdin");
    return 0;
}

int cli_exec(const struct cli *cli)
{
    struct buffer params = { 0 };
    struct protocol_answer hello;
    struct target target;
    struct err err;
    int code = EXEC_EXIT_FAILED;

    if (check_usage(cli, &err) == -1 || write_params(cli, &params, &err) == -1) {
        buffer_free(&params);
        code = report_failure(NULL, NULL, &err);
        return code == ERR_USAGE ? code : EXEC_EXIT_FAILED;
    }
    if (scope_find(cli, cli->names[0], &target, &err) == -1) {
        (void)report_failure(NULL, NULL, &err);
    } else if (wait_call(cli, &target, "hello", "{}", &hello, &err) == -1) {
        (void)report_failure(target.name, NULL, &err);
    } else {
        protocol_answer_free(&hello);
        code = exec_on(cli, &target, &params);
    }
    buffer_free(&params);
    return code;
}
