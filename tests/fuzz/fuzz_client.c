#include "fuzz_client.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fake_machine.h"
#include "json.h"

#define SHOWN_BYTES 1000

/* SVCMGR_FUZZ_SHOW=1 shows what is said, for who looks into an input. */
static void show(const char *arrow, const char *line, size_t length)
{
    if (getenv("SVCMGR_FUZZ_SHOW") != NULL)
        (void)fprintf(stderr, "%s %.*s\n", arrow,
                (int)(length < SHOWN_BYTES ? length : SHOWN_BYTES), line);
}

void client_open(struct client_end *client, int fd, const uint8_t *token, bool proves)
{
    static const uint8_t nonce[PROOF_BYTES] = { 1 };

    *client = (struct client_end) {
        .fd = fd, .over_tcp = token != NULL, .is_stranger = token != NULL
    };
    (void)fcntl(fd, F_SETFL, O_NONBLOCK);
    if (token == NULL || !proves)
        return;
    client->proves = true;
    proof_begin_client(&client->proof, token, nonce, &client->line);
    (void)!send(fd, client->line.data, client->line.length, MSG_NOSIGNAL);
    client->line.length = 0;
}

void client_close(struct client_end *client)
{
    if (client->fd != -1)
        (void)close(client->fd);
    buffer_free(&client->out);
    buffer_free(&client->line);
    buffer_free(&client->in);
    free(client->pending);
    *client = (struct client_end) { .fd = -1 };
}

void client_send(struct client_end *client, const char *bytes, size_t length)
{
    if (client->fd != -1 && !client->half_closed)
        buffer_append(&client->out, bytes, length);
}

bool client_has_unsent(const struct client_end *client)
{
    return client->fd != -1 && client->out.length > 0;
}

void client_half_close(struct client_end *client)
{
    if (client->fd == -1)
        return;
    buffer_free(&client->out);
    client->half_closed = true;
    (void)shutdown(client->fd, SHUT_WR);
}

/* ---- What it asks ---------------------------------------------------------------------------- */

static void add_pending(struct client_end *client, const struct protocol_id *id, bool is_command)
{
    client->pending =
            realloc(client->pending, (client->pending_count + 1) * sizeof *client->pending);
    REQUIRE(client->pending != NULL);
    client->pending[client->pending_count++] =
            (struct client_pending_id) { .id = *id, .is_command = is_command };
}

static void note_request(struct client_end *client)
{
    struct protocol_request request = { 0 };
    struct err err;

    show("-->", client->line.data, client->line.length - 1);
    if (protocol_request_parse(client->line.data, client->line.length - 1, &request, &err) == 0) {
        client->may_be_closed = client->may_be_closed || strcmp(request.method, "standby") == 0;
        if (request.id.json[0] != '\0')
            add_pending(client, &request.id, strcmp(request.method, "command/exec") == 0);
        protocol_request_free(&request);
        return;
    }
    if (request.id.json[0] == '\0')
        memcpy(request.id.json, "null", sizeof "null");
    add_pending(client, &request.id, false);
}

static void note_sent(struct client_end *client, const char *bytes, size_t length)
{
    if (client->is_stranger || client->is_too_long)
        return;
    for (size_t at = 0; at < length;) {
        const char *newline = memchr(bytes + at, '\n', length - at);
        size_t part = newline != NULL ? (size_t)(newline - (bytes + at)) + 1 : length - at;

        buffer_append(&client->line, bytes + at, part);
        at += part;
        if (client->line.length - (newline != NULL) > PROTOCOL_REQUEST_BYTES) {
            client->is_too_long = true;
            return;
        }
        if (newline != NULL) {
            note_request(client);
            client->line.length = 0;
        }
    }
}

static bool send_some(struct client_end *client)
{
    ssize_t sent = send(client->fd, client->out.data, client->out.length, MSG_NOSIGNAL);

    if (sent == -1) {
        if (errno != EAGAIN)
            buffer_free(&client->out);
        return errno != EAGAIN;
    }
    note_sent(client, client->out.data, (size_t)sent);
    buffer_consume(&client->out, (size_t)sent);
    return true;
}

/* ---- What it is told ------------------------------------------------------------------------- */

/* Whether a line is the answer to a request with this id. */
static bool answers(const char *line, const struct protocol_id *id)
{
    static const char version[] = "{\"jsonrpc\":\"2.0\",\"id\":";
    static const char none[] = "{\"id\":";
    const char *begin = id->with_version ? version : none;
    size_t length = strlen(id->json);

    if (strncmp(line, begin, strlen(begin)) != 0)
        return false;
    line += strlen(begin);
    return strncmp(line, id->json, length) == 0 && line[length] == ',';
}

static void check_answer(struct client_end *client, const char *line, const cJSON *root)
{
    const cJSON *error = json_member(root, "error");
    const cJSON *result = json_member(root, "result");
    double code = 0;

    REQUIRE((error != NULL) != (result != NULL) && json_member(root, "id") != NULL);
    if (error != NULL) {
        REQUIRE(json_whole_number(json_member(error, "code"), -33000, 0, &code));
        REQUIRE(cJSON_IsString(json_member(error, "message")));
    }
    for (size_t i = 0; i < client->pending_count; i++) {
        if (!answers(line, &client->pending[i].id))
            continue;
        client->pending[i] = client->pending[--client->pending_count];
        return;
    }
    /* No request's: the reason why the connection is closed. */
    REQUIRE(cJSON_IsNull(json_member(root, "id")));
    REQUIRE(code == PROTOCOL_INVALID_REQUEST || code == PROTOCOL_OVERLOADED);
    client->refused = true;
}

static void check_notification(const cJSON *root)
{
    static const char *const names[] = { "progress", "logs/lines", "logs/skipped", "events/event",
        "events/skipped", "command/exec/outputDelta", "standby/serves", "standby/end" };
    const char *name = json_member(root, "method")->valuestring;
    bool known = false;

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        known = known || strcmp(names[i], name) == 0;
    REQUIRE(known && json_member(root, "id") == NULL);
}

/* Who has not proved itself hears one nonce and one refusal, and nothing else. */
static void check_told_to_stranger(
        struct client_end *client, const char *line, size_t length, const cJSON *root)
{
    REQUIRE(++client->told_to_stranger <= 2);
    REQUIRE(json_member(root, "result") == NULL && json_member(root, "method") == NULL);
    if (json_member(root, "error") != NULL) {
        check_answer(client, line, root);
        return;
    }
    REQUIRE(json_member(root, "nonce") != NULL && json_member(root, "proof") != NULL);
    if (!client->proves)
        return;
    REQUIRE(proof_take(&client->proof, line, length, &client->line) == PROOF_DONE);
    (void)!send(client->fd, client->line.data, client->line.length, MSG_NOSIGNAL);
    client->line.length = 0;
    client->proves = false;
    client->is_stranger = false;
}

/* Our own reader takes no text with a NUL in it, which RFC 8259 allows and a log may have. */
static void replace_nuls(char *line, size_t length)
{
    static const char nul[] = "\\u0000";
    char *end = line + length;

    while ((line = memmem(line, (size_t)(end - line), nul, sizeof nul - 1)) != NULL)
        line[5] = '1';
}

static void take_line(struct client_end *client, char *line, size_t length)
{
    struct json_document document;
    struct json_faults faults = { 0 };

    REQUIRE(!client->refused); /* nothing follows the reason */
    show("<--", line, length);
    replace_nuls(line, length);
    REQUIRE(json_parse(line, length, JSON_STRICT, &document, &faults) == 0);
    REQUIRE(cJSON_IsObject(document.root));
    line[length] = '\0';
    if (client->is_stranger)
        check_told_to_stranger(client, line, length, document.root);
    else if (json_member(document.root, "method") != NULL)
        check_notification(document.root);
    else
        check_answer(client, line, document.root);
    json_document_free(&document);
}

/* Over TCP a command ends with the sending side of who has asked for it, unanswered: exec.c. */
static bool has_its_answers(const struct client_end *client)
{
    for (size_t i = 0; i < client->pending_count; i++)
        if (!client->over_tcp || !client->pending[i].is_command)
            return false;
    return true;
}

static void take_end(struct client_end *client, bool ends)
{
    if (!ends) {
        REQUIRE(client->in.length == 0); /* not in the middle of a line */
        if (!client->is_stranger && !client->may_be_closed && !client->is_too_long &&
                !client->refused)
            REQUIRE(client->half_closed && has_its_answers(client));
    }
    client_close(client);
}

static bool read_some(struct client_end *client, bool ends)
{
    static char bytes[65536];
    ssize_t got = recv(client->fd, bytes, sizeof bytes, 0);
    char *newline;

    if (got == -1 && errno == EAGAIN)
        return false;
    if (got <= 0) {
        take_end(client, ends);
        return true;
    }
    buffer_append(&client->in, bytes, (size_t)got);
    while (client->in.length > 0 &&
            (newline = memchr(client->in.data, '\n', client->in.length)) != NULL) {
        size_t length = (size_t)(newline - client->in.data);

        take_line(client, client->in.data, length);
        buffer_consume(&client->in, length + 1);
    }
    return true;
}

bool client_pump(struct client_end *client, bool ends)
{
    bool any = false;

    if (client->fd != -1 && client->out.length > 0 && !client->proves)
        any = send_some(client);
    while (client->fd != -1 && !client->is_deaf && read_some(client, ends))
        any = true;
    return any;
}
