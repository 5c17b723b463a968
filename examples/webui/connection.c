#include "connection.h"

#include <stdio.h>
#include <string.h>

#define IDLE_LIMIT_MS  15000 /* between requests, from a request's first byte to its last, ... */
#define WRITE_LIMIT_MS 15000 /* ... and for a peer that does not read */
#define LINGER_MS      1000
#define FIRST_GRACE_MS 500
#define TARGET_LOG_MAX 512
#define STEPS_MAX      96 /* for one connection before the others have their turn */

void connection_open(struct connection *connection, net_socket socket, int64_t now_ms)
{
    net_no_delay(socket);
    connection->phase = CONNECTION_READING;
    connection->socket = socket;
    connection->deadline_ms = now_ms + IDLE_LIMIT_MS;
    connection->answered_before = false;
    connection->unread = false;
    connection->in_used = 0;
}

void connection_close(struct connection *connection)
{
    net_close(connection->socket);
    connection->phase = CONNECTION_FREE;
}

/* One line per request, out at once: what is in a buffer when a process is killed is lost. */
static void write_access_line(const struct connection *connection, int64_t now_ms)
{
    char text[TARGET_LOG_MAX + 100];
    size_t length =
            connection->line.length < TARGET_LOG_MAX ? connection->line.length : TARGET_LOG_MAX;
    int written = snprintf(text, sizeof text, "\"%.*s%s\" %d %zu %lldms\n", (int)length,
            connection->line.text, length < connection->line.length ? "..." : "",
            connection->answer.status,
            connection->answer.part[0].length + connection->answer.part[1].length,
            (long long)(now_ms - connection->asked_ms));

    if (written > 0)
        net_print(text, (size_t)written);
}

static void begin_answer(struct connection *connection, struct server *server, int64_t now_ms)
{
    server->facts.requests++;
    connection->asked_ms = now_ms;
    connection->phase = CONNECTION_WAITING;
    connection->deadline_ms = now_ms + connection->answer.delay_ms;
}

static void refuse(struct connection *connection, struct server *server, int status, int64_t now_ms)
{
    answer_error(status, &connection->answer);
    connection->line = (struct http_span) { "-", 1 };
    connection->in_taken = connection->in_used;
    connection->keep_alive = false;
    connection->head_only = false;
    connection->unread = true;
    begin_answer(connection, server, now_ms);
}

/* Returns whether there is something more to do now. */
static bool read_some(struct connection *connection, int64_t now_ms)
{
    long got = net_receive(connection->socket, connection->in + connection->in_used,
            sizeof connection->in - connection->in_used);

    if (got == NET_LATER) {
        if (now_ms >= connection->deadline_ms)
            connection_close(connection);
        return false;
    }
    if (got <= 0) {
        connection_close(connection);
        return false;
    }
    /* Set once for a request, so that one byte now and then does not keep it going for ever. */
    if (connection->in_used == 0)
        connection->deadline_ms = now_ms + IDLE_LIMIT_MS;
    connection->in_used += (size_t)got;
    return true;
}

static bool advance_reading(struct connection *connection, struct server *server, int64_t now_ms)
{
    struct http_request request;
    int found = 0;

    if (connection->in_used > 0)
        found = http_parse(connection->in, connection->in_used, &request, &connection->in_taken);
    if (found == -1) {
        refuse(connection, server, 400, now_ms);
    } else if (found == 1) {
        answer_request(&request, &server->facts, now_ms, &connection->answer);
        connection->line = request.line;
        connection->head_only = request.method == HTTP_HEAD;
        connection->unread = request.has_body;
        connection->keep_alive = request.keep_alive && !request.has_body;
        begin_answer(connection, server, now_ms);
    } else if (connection->in_used == sizeof connection->in) {
        refuse(connection, server, 431, now_ms);
    } else {
        return read_some(connection, now_ms);
    }
    return true;
}

static bool advance_waiting(struct connection *connection, struct server *server, int64_t now_ms)
{
    if (now_ms < connection->deadline_ms)
        return false;
    /* Decided as late as possible: a stop may have come while the answer was waiting. */
    if (server->facts.stopping || server->full)
        connection->keep_alive = false;
    connection->head_length = answer_format_head(
            &connection->answer, connection->keep_alive, connection->head, sizeof connection->head);
    connection->sent = 0;
    connection->phase = CONNECTION_WRITING;
    connection->deadline_ms = now_ms + WRITE_LIMIT_MS;
    return true;
}

static void finish_answer(struct connection *connection, struct server *server, int64_t now_ms)
{
    if (!server->quiet)
        write_access_line(connection, now_ms);
    connection->answered_before = true;
    connection->in_used -= connection->in_taken;
    if (connection->keep_alive && !server->facts.stopping) {
        memmove(connection->in, connection->in + connection->in_taken, connection->in_used);
        connection->phase = CONNECTION_READING;
        connection->deadline_ms = now_ms + IDLE_LIMIT_MS;
    } else if (connection->unread || connection->in_used > 0) {
        /* Closing with bytes unread resets the connection, and the peer may lose the answer. */
        net_end_sending(connection->socket);
        connection->phase = CONNECTION_LINGERING;
        connection->deadline_ms = now_ms + LINGER_MS;
    } else {
        connection_close(connection);
    }
}

/* Leaves out the first *skip bytes of it. */
static struct http_span piece(const char *text, size_t length, size_t *skip)
{
    size_t skipped = *skip < length ? *skip : length;

    *skip -= skipped;
    return (struct http_span) { text + skipped, length - skipped };
}

static bool advance_writing(struct connection *connection, struct server *server, int64_t now_ms)
{
    const struct answer *answer = &connection->answer;
    size_t skip = connection->sent;
    struct http_span pieces[NET_PIECES_MAX];
    size_t left;
    long sent;

    pieces[0] = piece(connection->head, connection->head_length, &skip);
    pieces[1] = piece(answer->part[0].text, answer->part[0].length, &skip);
    pieces[2] = piece(answer->part[1].text, answer->part[1].length, &skip);
    left = pieces[0].length;
    if (!connection->head_only)
        left += pieces[1].length + pieces[2].length;

    sent = net_send(connection->socket, pieces, connection->head_only ? 1 : 3);
    if (sent == NET_LATER) {
        if (now_ms >= connection->deadline_ms)
            connection_close(connection);
        return false;
    }
    if (sent == NET_FAILED) {
        connection_close(connection);
        return false;
    }
    connection->sent += (size_t)sent;
    connection->deadline_ms = now_ms + WRITE_LIMIT_MS;
    if ((size_t)sent == left)
        finish_answer(connection, server, now_ms);
    return true;
}

static bool advance_lingering(struct connection *connection, int64_t now_ms)
{
    long got = net_receive(connection->socket, connection->in, sizeof connection->in);

    if (now_ms >= connection->deadline_ms || (got <= 0 && got != NET_LATER))
        connection_close(connection);
    return false;
}

void connection_advance(struct connection *connection, struct server *server, int64_t now_ms)
{
    bool more = true;

    /* A peer that sends request after request must not keep all others waiting.  It is left where
     * the deadline that has passed brings us back, since net_wait() may have nothing to report. */
    for (int step = 0; more; step++) {
        if (step >= STEPS_MAX && connection->phase == CONNECTION_WAITING)
            break;
        switch (connection->phase) {
        case CONNECTION_FREE:
            more = false;
            break;
        case CONNECTION_READING:
            more = advance_reading(connection, server, now_ms);
            break;
        case CONNECTION_WAITING:
            more = advance_waiting(connection, server, now_ms);
            break;
        case CONNECTION_WRITING:
            more = advance_writing(connection, server, now_ms);
            break;
        case CONNECTION_LINGERING:
            more = advance_lingering(connection, now_ms);
            break;
        }
    }
}

void connection_stopping(struct connection *connection, struct server *server, int64_t now_ms)
{
    if (connection->phase != CONNECTION_READING)
        return;
    /* A request that has arrived but was not read yet is answered. */
    connection_advance(connection, server, now_ms);
    if (connection->phase != CONNECTION_READING || connection->in_used > 0)
        return;
    /* A client knows that a connection that has been used can be closed at any time, and tries
     * again.  One that has just connected is about to send its first request: it gets a moment. */
    if (connection->answered_before)
        connection_close(connection);
    else if (connection->deadline_ms > now_ms + FIRST_GRACE_MS)
        connection->deadline_ms = now_ms + FIRST_GRACE_MS;
}
