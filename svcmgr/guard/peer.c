#include "peer.h"

#include "banned.h"

#define PIECE_BYTES 4096

int peer_connect(const char *directory, struct peer *ret_peer, struct err *err)
{
    platform_handle handle;

    if (platform_control_connect(directory, PEER_CONTROL_NAME, &handle, err) == -1)
        return -1;
    peer_adopt(handle, ret_peer);
    return 0;
}

void peer_adopt(platform_handle handle, struct peer *ret_peer)
{
    *ret_peer = (struct peer){ .handle = handle };
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

        if (line != NULL && protocol_answer_parse(line, length, ret_answer, &err) == 0)
            return PEER_ANSWER;
        if (line != NULL)
            continue; /* not for us: a newer protocol may say more than we know */
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
        if (answer.id != id) {
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
