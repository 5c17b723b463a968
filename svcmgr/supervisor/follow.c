#include "follow.h"

#include <stdlib.h>
#include <string.h>

#include "entry.h"
#include "json.h"
#include "str.h"
#include "supervisor.h"

#include "banned.h"

#define STEPS_A_ROUND 4 /* messages to one follower before others have their turn */

struct follower {
    struct follower *next; /* of the same client */
    int number;
    struct reader reader;
    struct since since;
    int64_t scanned; /* bytes behind the reader's place that hold no newline */
    uint64_t seen;   /* the changes of the files up to which everything was read */
    bool has_seen;   /* false: it has not looked yet */
};

/* What is read of a file lives here until it is sent. */
static char piece[FOLLOW_PIECE_BYTES];

/* ---- Lines ----------------------------------------------------------------------------------- */

/* Without the first bytes of a character whose others are still to come. */
static size_t whole_characters(const char *data, size_t length)
{
    size_t back = 1;

    while (back < 4 && back < length && ((unsigned char)data[length - back] & 0xC0) == 0x80)
        back++;
    if (back >= length || ((unsigned char)data[length - back] & 0xC0) != 0xC0 ||
            str_utf8_length(data + length - back, back) > 0)
        return length;
    return length - back;
}

static void write_line(
        struct follow_lines *lines, const char *line, size_t length, struct entry_part part)
{
    bool wanted = lines->since->wanted;

    if (part.begins)
        wanted = since_wants(lines->since, line, length);
    if (!wanted)
        return;
    entry_write_line(lines->writer, line, length, part);
    lines->entries++;
    lines->bytes += (int64_t)length;
    lines->left -= part.ends;
}

/* How much of a piece is told now: up to its last newline, or all of it where no more of the line
 * comes into the same message. */
static size_t tellable(size_t length, bool rest_too)
{
    size_t end = length;

    while (end > 0 && piece[end - 1] != '\n')
        end--;
    if (end > 0 || !rest_too)
        return end;
    return length == FOLLOW_PIECE_BYTES ? whole_characters(piece, length) : length;
}

static size_t write_lines(const struct reader *reader, struct follow_lines *lines, size_t length)
{
    bool begins = !reader->in_line;
    size_t at = 0;

    while (at < length && lines->left > 0) {
        const char *newline = memchr(piece + at, '\n', length - at);
        size_t part = newline != NULL ? (size_t)(newline - piece) - at : length - at;

        write_line(lines, piece + at, part,
                (struct entry_part) { .begins = begins, .ends = newline != NULL });
        at += part + (newline != NULL);
        begins = true;
    }
    return at;
}

/* Whether the line that the reader stands in has its end, or is as good as ended: then it is told.
 */
static bool has_end(struct reader *reader, int64_t *scanned)
{
    size_t got = reader_look(reader, *scanned, piece, sizeof piece - (size_t)*scanned);

    if (got > 0 && memchr(piece, '\n', got) != NULL)
        return true;
    *scanned += (int64_t)got;
    return *scanned == FOLLOW_PIECE_BYTES || (*scanned > 0 && reader_is_aside(reader));
}

size_t follow_take_lines(
        struct reader *reader, struct follow_lines *lines, int64_t *scanned, bool whole)
{
    size_t length;

    if (!whole && !has_end(reader, scanned))
        return 0;
    *scanned = 0;
    length = tellable(reader_look(reader, 0, piece, sizeof piece), true);
    length = write_lines(reader, lines, length);
    reader_take(reader, piece, length);
    return length;
}

/* ---- Notifications --------------------------------------------------------------------------- */

static bool follows_log(const struct follower *follower)
{
    return follower->reader.chain.kind == CHAIN_LOG;
}

static void begin_message(struct json_writer *writer, struct buffer *message,
        const struct follower *follower, const char *method)
{
    protocol_request_begin(writer, message, 0, method);
    json_write_object(writer, "params");
    json_write_int(writer, "subscription", follower->number);
}

static void end_message(struct json_writer *writer, const struct follower *follower)
{
    char position[READER_POSITION_BYTES];

    reader_position(&follower->reader, position, sizeof position);
    json_write_string(writer, "from", position);
    json_write_object_end(writer);
    protocol_request_end(writer);
}

/* Says that rotation has removed what was not read yet. */
static void tell_loss(struct client *client, struct follower *follower)
{
    struct reader *reader = &follower->reader;
    struct buffer message = { 0 };
    struct json_writer writer;

    if (!reader->lost && reader->files_lost == 0)
        return;
    begin_message(
            &writer, &message, follower, follows_log(follower) ? "logs/skipped" : "events/skipped");
    if (reader->lost)
        json_write_null(&writer, "files");
    else
        json_write_int(&writer, "files", reader->files_lost);
    end_message(&writer, follower);
    control_send(client, &message);
    buffer_free(&message);
    reader->lost = false;
    reader->files_lost = 0;
}

/* Sends the lines of one piece.  Returns false if there were none. */
static bool send_lines(struct client *client, struct follower *follower)
{
    struct buffer message = { 0 };
    struct json_writer writer;
    struct follow_lines lines = {
        .writer = &writer, .since = &follower->since, .left = UINT64_MAX
    };
    size_t taken;

    begin_message(&writer, &message, follower, "logs/lines");
    json_write_list(&writer, "lines");
    taken = follow_take_lines(&follower->reader, &lines, &follower->scanned, false);
    json_write_list_end(&writer);
    end_message(&writer, follower);
    if (lines.entries > 0)
        control_send(client, &message);
    buffer_free(&message);
    return taken > 0;
}

static bool is_json(const char *text)
{
    struct json_document document;
    struct json_faults faults = { 0 };
    int parsed = json_parse(text, strlen(text), JSON_STRICT, &document, &faults);

    json_faults_free(&faults);
    if (parsed == 0)
        json_document_free(&document);
    return parsed == 0;
}

static void send_event(struct client *client, const struct follower *follower, const char *event)
{
    struct buffer message = { 0 };
    struct json_writer writer;

    begin_message(&writer, &message, follower, "events/event");
    json_write_raw(&writer, "event", event);
    end_message(&writer, follower);
    control_send(client, &message);
    buffer_free(&message);
}

/* Sends the events of one piece.  Returns false if there were none. */
static bool send_events(struct client *client, struct follower *follower)
{
    struct reader *reader = &follower->reader;
    size_t got = reader_look(reader, 0, piece, sizeof piece);
    size_t length = tellable(got, got == sizeof piece || reader_is_aside(reader));
    size_t at = 0;

    while (at < length) {
        char *newline = memchr(piece + at, '\n', length - at);
        size_t part = newline != NULL ? (size_t)(newline - piece) + 1 - at : length - at;
        const char *event;

        reader_take(reader, piece + at, part);
        if (newline != NULL) {
            *newline = '\0';
            event = entry_event(piece + at, part - 1);
            if (is_json(event))
                send_event(client, follower, event);
        }
        at += part;
    }
    return length > 0;
}

/* ---- Going on -------------------------------------------------------------------------------- */

static uint64_t changes(const struct supervisor *sup, const struct follower *follower)
{
    return follows_log(follower) ? sup->output.log.changes : sup->journal.changes;
}

static bool has_news(const struct supervisor *sup, const struct follower *follower)
{
    return !follower->has_seen || follower->seen != changes(sup, follower);
}

static bool can_take(const struct client *client)
{
    return !client->broken && !client->closing &&
            platform_unsent(client->source) <= FOLLOW_UNSENT_BYTES;
}

static bool can_be_sent_more(const struct supervisor *sup, const struct client *client)
{
    bool news = false;

    for (const struct follower *one = client->followers; one != NULL; one = one->next)
        news = news || has_news(sup, one);
    return news && can_take(client);
}

/* Sends one message; false when the follower has everything. */
static bool step(struct client *client, struct follower *follower)
{
    tell_loss(client, follower);
    if (follows_log(follower) ? send_lines(client, follower) : send_events(client, follower))
        return true;
    if (!reader_next(&follower->reader))
        return false;
    tell_loss(client, follower);
    return true;
}

static void serve(const struct supervisor *sup, struct client *client, struct follower *follower)
{
    for (int i = 0; i < STEPS_A_ROUND; i++) {
        if (!has_news(sup, follower) || !can_take(client))
            return;
        if (step(client, follower))
            continue;
        follower->has_seen = true;
        follower->seen = changes(sup, follower);
    }
}

void follow_pump(struct supervisor *sup)
{
    for (int i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        struct client *client = sup->control.clients[i];

        for (struct follower *one = client != NULL ? client->followers : NULL; one != NULL;
                one = one->next)
            serve(sup, client, one);
    }
}

int64_t follow_deadline(const struct supervisor *sup)
{
    for (int i = 0; i < CONTROL_CLIENTS_MAX; i++)
        if (sup->control.clients[i] != NULL && can_be_sent_more(sup, sup->control.clients[i]))
            return 0;
    return PLATFORM_NEVER;
}

bool follow_is_done(const struct supervisor *sup)
{
    for (int i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        const struct client *client = sup->control.clients[i];

        for (const struct follower *one = client != NULL ? client->followers : NULL; one != NULL;
                one = one->next)
            if (!client->broken && (has_news(sup, one) || platform_unsent(client->source) > 0))
                return false;
    }
    return true;
}

/* ---- Beginning and end ----------------------------------------------------------------------- */

static int count_all(const struct supervisor *sup)
{
    int count = 0;

    for (int i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        const struct client *client = sup->control.clients[i];

        for (const struct follower *one = client != NULL ? client->followers : NULL; one != NULL;
                one = one->next)
            count++;
    }
    return count;
}

static void answer_subscription(const struct call *call, const struct follower *follower, bool cut)
{
    struct buffer message = { 0 };
    struct json_writer writer;
    char position[READER_POSITION_BYTES];

    reader_position(&follower->reader, position, sizeof position);
    protocol_answer_begin(&writer, &message, &call->request->id);
    json_write_object(&writer, "result");
    json_write_int(&writer, "subscription", follower->number);
    json_write_bool(&writer, "cut", cut);
    json_write_string(&writer, "from", position);
    json_write_object_end(&writer);
    protocol_answer_end(&writer);
    answer_send(call->client, &call->request->id, &message);
}

void follow_begin(
        const struct call *call, struct reader *reader, const struct since *since, bool cut)
{
    struct follower *follower =
            count_all(call->sup) < FOLLOW_MAX ? calloc(1, sizeof *follower) : NULL;

    if (follower == NULL) {
        reader_close(reader);
        answer_error(call, PROTOCOL_OVERLOADED, "too many connections follow this service");
        return;
    }
    follower->reader = *reader;
    follower->since = *since;
    follower->next = call->client->followers;
    follower->number = follower->next != NULL ? follower->next->number + 1 : 1;
    call->client->followers = follower;
    answer_subscription(call, follower, cut);
}

void follow_free(struct follower *followers)
{
    while (followers != NULL) {
        struct follower *next = followers->next;

        reader_close(&followers->reader);
        free(followers);
        followers = next;
    }
}
