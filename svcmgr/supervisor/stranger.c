#include "stranger.h"

#include <stdlib.h>
#include <string.h>

#include "line.h"
#include "protocol.h"

#include "banned.h"

struct stranger {
    struct platform_source *source;
    struct line_reader lines;
    struct proof proof;
    int64_t until_ms;
};

void stranger_refuse(struct platform_source *source, int code, const char *message)
{
    struct buffer text = { 0 };
    struct protocol_id nobody = { .json = "" };

    protocol_answer_error(&text, &nobody, code, message, NULL);
    if (!text.failed)
        (void)platform_send(source, text.data, text.length, 0);
    buffer_free(&text);
    platform_unwatch(source);
}

/* Gives the place back; what becomes of the source is the caller's business. */
static struct platform_source *take_out(struct stranger_set *set, int place)
{
    struct stranger *stranger = set->list[place];
    struct platform_source *source = stranger->source;

    set->list[place] = NULL;
    line_free(&stranger->lines);
    free(stranger);
    return source;
}

static void send_away(struct stranger_set *set, int place)
{
    stranger_refuse(take_out(set, place), PROTOCOL_INVALID_REQUEST, "unauthorized");
}

static int make_room(struct stranger_set *set)
{
    int first = 0;

    for (int i = 0; i < STRANGERS_MAX; i++) {
        if (set->list[i] == NULL)
            return i;
        if (set->list[i]->until_ms < set->list[first]->until_ms)
            first = i;
    }
    stranger_refuse(take_out(set, first), PROTOCOL_OVERLOADED,
            "too many connections that have not proved themselves; try again later");
    return first;
}

void stranger_add(
        struct stranger_set *set, struct platform_source *source, const uint8_t token[PROOF_BYTES])
{
    struct stranger *stranger = calloc(1, sizeof *stranger);
    uint8_t nonce[PROOF_BYTES];
    struct err err;

    if (stranger == NULL || platform_random(nonce, sizeof nonce, &err) == -1) {
        free(stranger);
        stranger_refuse(source, PROTOCOL_OVERLOADED, "try again later");
        return;
    }
    stranger->source = source;
    stranger->until_ms = platform_now_ms() + PROOF_LIMIT_MS;
    line_init(&stranger->lines, PROOF_LINE_BYTES);
    proof_begin_server(&stranger->proof, token, nonce);
    set->list[make_room(set)] = stranger;
}

static int find(const struct stranger_set *set, const struct platform_source *source)
{
    for (int i = 0; i < STRANGERS_MAX; i++)
        if (set->list[i] != NULL && set->list[i]->source == source)
            return i;
    return -1;
}

static enum proof_result take_line(struct stranger *stranger, const char *line, size_t length)
{
    struct buffer out = { 0 };
    enum proof_result result = proof_take(&stranger->proof, line, length, &out);

    /* One answer fits into every socket. */
    if (out.length > 0 && platform_send(stranger->source, out.data, out.length, 0) == -1)
        result = PROOF_REFUSED;
    buffer_free(&out);
    return result;
}

/* Takes line after line, and no byte of what comes behind the proof. */
static enum proof_result take_data(
        struct stranger *stranger, const char *data, size_t length, size_t *ret_taken)
{
    enum proof_result result = PROOF_MORE;
    size_t taken = 0;

    while (result == PROOF_MORE && taken < length) {
        const char *newline = memchr(data + taken, '\n', length - taken);
        size_t part = newline != NULL ? (size_t)(newline - (data + taken)) + 1 : length - taken;
        size_t line_length;
        char *line;

        if (line_push(&stranger->lines, data + taken, part) == -1)
            return PROOF_REFUSED;
        taken += part;
        line = line_next(&stranger->lines, &line_length);
        if (line != NULL)
            result = take_line(stranger, line, line_length);
    }
    *ret_taken = taken;
    return result;
}

enum stranger_result stranger_on_event(
        struct stranger_set *set, const struct platform_event *event, size_t *ret_taken)
{
    int place = find(set, event->source);

    if (place == -1)
        return STRANGER_NONE;
    if (event->kind == PLATFORM_EVENT_END) {
        platform_unwatch(take_out(set, place));
        return STRANGER_HEARD;
    }
    if (event->kind != PLATFORM_EVENT_DATA)
        return STRANGER_HEARD;
    switch (take_data(set->list[place], event->data, event->length, ret_taken)) {
    case PROOF_MORE:
        return STRANGER_HEARD;
    case PROOF_DONE:
        (void)take_out(set, place);
        return STRANGER_PROVED;
    case PROOF_REFUSED:
        break;
    }
    send_away(set, place);
    return STRANGER_HEARD;
}

void stranger_on_time(struct stranger_set *set, int64_t now_ms)
{
    for (int i = 0; i < STRANGERS_MAX; i++)
        if (set->list[i] != NULL && now_ms >= set->list[i]->until_ms)
            send_away(set, i);
}

int64_t stranger_deadline(const struct stranger_set *set)
{
    int64_t earliest_ms = PLATFORM_NEVER;

    for (int i = 0; i < STRANGERS_MAX; i++)
        if (set->list[i] != NULL && set->list[i]->until_ms < earliest_ms)
            earliest_ms = set->list[i]->until_ms;
    return earliest_ms;
}

void stranger_drop_all(struct stranger_set *set)
{
    for (int i = 0; i < STRANGERS_MAX; i++)
        if (set->list[i] != NULL)
            platform_unwatch(take_out(set, i));
}
