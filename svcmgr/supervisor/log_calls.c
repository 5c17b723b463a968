#include "log_calls.h"

#include "follow.h"
#include "str.h"
#include "supervisor.h"

#include "banned.h"

/* ---- Parameters ------------------------------------------------------------------------------ */

/* What of a log is asked for. */
struct wish {
    bool has_lines;
    uint64_t lines;
    struct since since;
    const char *from; /* NULL: not given; borrowed from the request */
};

static bool is_given(const cJSON *item)
{
    return item != NULL && !cJSON_IsNull(item);
}

static bool read_lines(const struct call *call, struct wish *wish)
{
    const cJSON *item = json_member(call->request->params, "lines");
    char text[80];
    double lines = 0;

    wish->has_lines = is_given(item);
    if (wish->has_lines && !json_whole_number(item, 0, LOG_CALLS_LINES_MAX, &lines)) {
        (void)str_format(text, sizeof text, "lines must be a whole number from 0 to %d",
                LOG_CALLS_LINES_MAX);
        answer_error(call, PROTOCOL_INVALID_PARAMS, text);
        return false;
    }
    wish->lines = (uint64_t)lines;
    return true;
}

static bool read_since(const struct call *call, struct wish *wish)
{
    const cJSON *item = json_member(call->request->params, "since");
    struct err err;

    if (!is_given(item))
        return true;
    if (!cJSON_IsString(item))
        err_set(&err, ERR_USAGE, 0, "since must be a time as text");
    else if (since_parse("since", item->valuestring, &wish->since, &err) == 0)
        return true;
    answer_error(call, PROTOCOL_INVALID_PARAMS, err.text);
    return false;
}

static bool read_from(const struct call *call, struct wish *wish)
{
    const cJSON *item = json_member(call->request->params, "from");

    if (is_given(item) && !cJSON_IsString(item)) {
        answer_error(call, PROTOCOL_INVALID_PARAMS, "from must be a position as text");
        return false;
    }
    wish->from = is_given(item) ? item->valuestring : NULL;
    return true;
}

/* False when the call is answered. */
static bool read_wish(const struct call *call, struct wish *ret_wish)
{
    struct wish wish = { .since = { .wanted = true } };

    if (!read_lines(call, &wish) || !read_from(call, &wish) || !read_since(call, &wish))
        return false;
    *ret_wish = wish;
    return true;
}

/* Puts a reader where the wish says; without a word of it at the last 'fallback' lines.  False when
 * the call is answered. */
static bool place_reader(const struct call *call, enum chain_kind kind, const struct wish *wish,
        uint64_t fallback, struct reader *reader, bool *ret_cut)
{
    struct supervisor *sup = call->sup;
    struct err err;
    int result;

    *ret_cut = false;
    reader_init(reader, kind, sup->options.state_directory,
            kind == CHAIN_LOG ? &sup->output.log.turns : &sup->journal.turns);
    if (wish->from != NULL)
        result = reader_resume(reader, wish->from, &err);
    else if (wish->since.text[0] != '\0' && !wish->has_lines)
        result = reader_begin_since(reader, &wish->since, &err);
    else
        result = reader_begin_last(
                reader, wish->has_lines ? wish->lines : fallback, LOG_CALLS_BYTES, ret_cut, &err);
    if (result == 0)
        return true;
    if (err.kind == ERR_USAGE)
        answer_error(call, PROTOCOL_INVALID_PARAMS, "from must be a position that was given");
    else
        answer_fail(call, &err);
    return false;
}

/* ---- logs/read ------------------------------------------------------------------------------- */

/* Writes what the reader has, within the limits.  Returns whether they have left something out. */
static bool write_all(
        struct reader *reader, struct follow_lines *lines, const struct buffer *message)
{
    int64_t scanned = 0;
    int64_t looked = 0;

    for (;;) {
        char byte;
        size_t taken;

        if (reader_look(reader, 0, &byte, 1) == 0) {
            if (!reader_next(reader))
                return false;
            continue;
        }
        if (lines->left == 0 || message->failed || lines->bytes > LOG_CALLS_BYTES ||
                looked >= LOG_CALLS_SCAN_BYTES)
            return true;
        taken = follow_take_lines(reader, lines, &scanned, true);
        looked += (int64_t)taken;
    }
}

void log_calls_read(const struct call *call)
{
    struct buffer message = { 0 };
    struct json_writer writer;
    struct wish wish;
    struct reader reader;
    struct follow_lines lines = { .writer = &writer, .since = &wish.since };
    char position[READER_POSITION_BYTES];
    bool left_out;
    bool cut;

    if (!read_wish(call, &wish) ||
            !place_reader(call, CHAIN_LOG, &wish, LOG_CALLS_LINES, &reader, &cut))
        return;
    lines.left = wish.from != NULL && wish.has_lines ? wish.lines : LOG_CALLS_LINES_MAX;
    protocol_answer_begin(&writer, &message, &call->request->id);
    json_write_object(&writer, "result");
    json_write_list(&writer, "lines");
    left_out = write_all(&reader, &lines, &message);
    json_write_list_end(&writer);
    json_write_bool(&writer, "cut", cut || left_out);
    json_write_bool(&writer, "skipped", reader.lost || reader.files_lost > 0);
    reader_position(&reader, position, sizeof position);
    json_write_string(&writer, "from", position);
    json_write_object_end(&writer);
    protocol_answer_end(&writer);
    reader_close(&reader);
    answer_send(call->client, &call->request->id, &message);
}

/* ---- Following ------------------------------------------------------------------------------- */

static void follow(const struct call *call, enum chain_kind kind)
{
    struct wish wish;
    struct reader reader;
    bool cut;

    if (read_wish(call, &wish) && place_reader(call, kind, &wish, 0, &reader, &cut))
        follow_begin(call, &reader, &wish.since, cut);
}

void log_calls_follow(const struct call *call)
{
    follow(call, CHAIN_LOG);
}

void log_calls_follow_events(const struct call *call)
{
    follow(call, CHAIN_EVENTS);
}
