#include "peer.h"

#include <string.h>

#include "marker_file.h"
#include "pidfile.h"

#include "banned.h"

#define PIECE_BYTES 4096

static int no_supervisor(struct err *err)
{
    return err_set(err, ERR_NOT_RUNNING, 0, "no supervisor is there");
}

/* The next line within the limits of a proof; NULL: none comes. */
static char *receive_line(struct peer *peer, const char *directory, const struct marker *marker,
        int64_t deadline_ms, size_t *ret_length)
{
    for (;;) {
        char piece[PIECE_BYTES];
        char *line = line_next(&peer->lines, ret_length);
        int64_t now_ms = platform_now_ms();
        int64_t until_ms = now_ms + MARKER_FILE_LOOK_MS;
        long got;

        if (line != NULL || now_ms >= deadline_ms)
            return line;
        got = platform_receive(
                peer->handle, piece, sizeof piece, until_ms < deadline_ms ? until_ms : deadline_ms);
        if (got == 0 || (got > 0 && line_push(&peer->lines, piece, (size_t)got) == -1))
            return NULL;
        if (got == -1 && !marker_file_is_current(directory, marker))
            return NULL;
    }
}

static bool send_out(const struct peer *peer, const struct buffer *out, int64_t deadline_ms)
{
    struct err err;

    return !out->failed &&
            platform_send_all(peer->handle, out->data, out->length, deadline_ms, &err) == 0;
}

/* Both ends prove that they know the token.  Whoever has got a dead supervisor's port can answer
 * anything, or nothing: it is no supervisor then. */
static bool prove(struct peer *peer, const char *directory, const struct marker *marker)
{
    int64_t deadline_ms = platform_now_ms() + PROOF_LIMIT_MS;
    uint8_t nonce[PROOF_BYTES];
    struct buffer out = { 0 };
    struct proof proof;
    struct err err;
    bool proved = false;
    char *line;
    size_t length;

    if (platform_random(nonce, sizeof nonce, &err) == -1)
        return false;
    proof_begin_client(&proof, marker->token, nonce, &out);
    if (send_out(peer, &out, deadline_ms)) {
        buffer_free(&out);
        line = receive_line(peer, directory, marker, deadline_ms, &length);
        proved = line != NULL && proof_take(&proof, line, length, &out) == PROOF_DONE &&
                send_out(peer, &out, deadline_ms);
    }
    buffer_free(&out);
    return proved;
}

/* Where nobody holds the lock there is no supervisor, whatever the marker says, and whoever listens
 * on its port is not even connected to. */
static int connect_by_marker(const char *directory, struct peer *ret_peer, struct err *err)
{
    struct marker marker;
    struct address address;
    struct peer peer;
    platform_handle handle;

    if (!marker_file_read(directory, &marker) || !pidfile_is_taken(directory))
        return no_supervisor(err);
    address = address_ipv4(0x7f000001, marker.port);
    if (platform_tcp_connect(&address, platform_now_ms() + PROOF_LIMIT_MS, &handle, err) == -1)
        return no_supervisor(err);
    peer_adopt(handle, &peer);
    peer.lines.bytes.limit = PROOF_LINE_BYTES;
    if (!prove(&peer, directory, &marker)) {
        peer_close(&peer);
        return no_supervisor(err);
    }
    peer.lines.bytes.limit = 0;
    *ret_peer = peer;
    return 0;
}

int peer_connect(const char *directory, struct peer *ret_peer, struct err *err)
{
    platform_handle handle;

    if (!platform_has_control_sockets()) {
        (void)no_supervisor(err);
    } else if (platform_control_connect(directory, PEER_CONTROL_NAME, &handle, err) == 0) {
        peer_adopt(handle, ret_peer);
        return 0;
    }
    return err->kind == ERR_NOT_RUNNING ? connect_by_marker(directory, ret_peer, err) : -1;
}

void peer_adopt(platform_handle handle, struct peer *ret_peer)
{
    *ret_peer = (struct peer) { .handle = handle };
    line_init(&ret_peer->lines, 0);
}

void peer_close(struct peer *peer)
{
    platform_close(peer->handle);
    peer->handle = PLATFORM_NO_HANDLE;
    line_free(&peer->lines);
}

int peer_send(struct peer *peer, const char *method, const char *params, struct err *err)
{
    struct buffer request = { 0 };
    struct json_writer writer;
    int id = ++peer->last_id;

    protocol_request_begin(&writer, &request, id, method);
    if (params != NULL)
        json_write_raw(&writer, "params", params);
    protocol_request_end(&writer);
    if (request.failed)
        id = err_memory(err);
    else if (platform_send_all(peer->handle, request.data, request.length,
                     platform_now_ms() + PEER_HELLO_LIMIT_MS, err) == -1)
        id = -1;
    buffer_free(&request);
    return id;
}

enum peer_result peer_receive(
        struct peer *peer, int64_t deadline_ms, struct protocol_answer *ret_answer)
{
    for (;;) {
        char piece[PIECE_BYTES];
        size_t length;
        char *line = line_next(&peer->lines, &length);
        struct err err;
        long got;

        /* What cannot be read, be it for want of memory, may be what is waited for: only asking
         * again helps. */
        if (line != NULL)
            return protocol_answer_parse(line, length, ret_answer, &err) == 0 ? PEER_ANSWER
                                                                              : PEER_ENDED;
        got = platform_receive(peer->handle, piece, sizeof piece, deadline_ms);
        if (got == -1)
            return PEER_TIME_UP;
        if (got == 0 || line_push(&peer->lines, piece, (size_t)got) == -1)
            return PEER_ENDED;
    }
}

int peer_call(struct peer *peer, const char *method, const char *params, int64_t timeout_ms,
        struct protocol_answer *ret_answer, struct err *err)
{
    int64_t deadline_ms =
            timeout_ms == PLATFORM_NEVER ? PLATFORM_NEVER : platform_now_ms() + timeout_ms;
    int id = peer_send(peer, method, params, err);

    while (id != -1) {
        struct protocol_answer answer;

        switch (peer_receive(peer, deadline_ms, &answer)) {
        case PEER_TIME_UP:
            return err_set(err, ERR_NO_ANSWER, 0, "the supervisor did not answer in %lld s",
                    (long long)(timeout_ms / 1000));
        case PEER_ENDED:
            return err_set(err, ERR_NOT_RUNNING, 0, "the supervisor closed the connection");
        case PEER_ANSWER:
            break;
        }
        if (answer.id != id && !protocol_answer_is_refusal(&answer)) {
            protocol_answer_free(&answer);
            continue;
        }
        if (answer.result != NULL) {
            *ret_answer = answer;
            return 0;
        }
        *err = answer.err;
        protocol_answer_free(&answer);
        return -1;
    }
    return -1;
}
