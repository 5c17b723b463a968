#include "output.h"

#include <stdlib.h>
#include <string.h>

#include "str.h"

#include "banned.h"

#define ROTATED_MAX       4096 /* rotated files that are looked at */
#define ROTATED_NAME_BYTES 40

#define LOG_FOLDER "log"

void output_init(struct output *output, const char *state_directory, const struct config *config,
        struct link *link)
{
    *output = (struct output){
        .state_directory = state_directory,
        .log = PLATFORM_NO_HANDLE,
        .copy = PLATFORM_NO_HANDLE,
        .link = link,
    };
    output_configure(output, config);
}

void output_configure(struct output *output, const struct config *config)
{
    output->max_bytes = config->log_max_bytes;
    output->keep = config->log_keep;
    output->timestamps = config->log_timestamps;
    output->separate = config->log_separate;
    output->captured = config->log_destination != CONFIG_LOG_INHERIT;
}

static void cannot_write(struct output *output, const struct err *err, size_t lost)
{
    output->lost_bytes += (int64_t)lost;
    (void)str_format(output->error, sizeof output->error, "%.140s", err->text);
}

void output_open(struct output *output)
{
    char path[PLATFORM_PATH_BYTES];
    struct platform_file file;
    struct err err;

    if (output->log != PLATFORM_NO_HANDLE || !output->captured)
        return;
    (void)str_format(path, sizeof path, "%s/" LOG_FOLDER, output->state_directory);
    if (platform_make_directory(path, 0700, &err) == -1 ||
            !str_format(path, sizeof path, "%s/" LOG_FOLDER "/current", output->state_directory) ||
            platform_open_log(path, &output->log, &err) == -1) {
        output->log = PLATFORM_NO_HANDLE;
        cannot_write(output, &err, 0);
        return;
    }
    output->size = platform_stat_handle(output->log, &file) ? file.size : 0;
    output->error[0] = '\0';
}

/* ---- Rotation ------------------------------------------------------------------------------- */

struct rotated {
    char (*names)[ROTATED_NAME_BYTES]; /* owned */
    size_t count;
};

static void add_rotated(void *context, const char *name)
{
    struct rotated *rotated = context;
    char(*names)[ROTATED_NAME_BYTES];

    if (name[0] != '@' || strlen(name) >= ROTATED_NAME_BYTES || rotated->count == ROTATED_MAX)
        return;
    names = realloc(rotated->names, (rotated->count + 1) * sizeof *names);
    if (names == NULL)
        return;
    rotated->names = names;
    (void)str_copy(names[rotated->count++], ROTATED_NAME_BYTES, name);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* Names carry their time, so their order is their age. */
static void remove_oldest(const struct output *output)
{
    struct rotated rotated = { 0 };
    char path[PLATFORM_PATH_BYTES];
    struct err err;

    (void)str_format(path, sizeof path, "%s/" LOG_FOLDER, output->state_directory);
    (void)platform_list_directory(path, add_rotated, &rotated, &err);
    if (rotated.count > 0)
        qsort(rotated.names, rotated.count, sizeof *rotated.names, compare_names);
    for (size_t i = 0; i + (size_t)output->keep < rotated.count; i++) {
        (void)str_format(path, sizeof path, "%s/" LOG_FOLDER "/%s", output->state_directory, rotated.names[i]);
        (void)platform_remove_file(path, &err);
    }
    free(rotated.names);
}

/* "@20261122T100000.123456Z": without colons, which not every file system takes. */
static void rotated_name(int64_t wall_us, char *ret_name, size_t size)
{
    char time[STAMP_TIME_BYTES];
    size_t at = 0;

    stamp_time(wall_us, time, sizeof time);
    ret_name[at++] = '@';
    for (const char *from = time; *from != '\0' && at + 1 < size; from++)
        if (*from != '-' && *from != ':')
            ret_name[at++] = *from;
    ret_name[at] = '\0';
}

static void rotate(struct output *output)
{
    char current[PLATFORM_PATH_BYTES];
    char aside[PLATFORM_PATH_BYTES];
    char name[ROTATED_NAME_BYTES];
    platform_handle fresh;
    struct err err;

    rotated_name(platform_wall_us(), name, sizeof name);
    (void)str_format(
            current, sizeof current, "%s/" LOG_FOLDER "/current", output->state_directory);
    (void)str_format(aside, sizeof aside, "%s/" LOG_FOLDER "/%s", output->state_directory, name);
    if (platform_rename(current, aside, &err) == -1 ||
            platform_open_log(current, &fresh, &err) == -1) {
        /* Better one log that is too long than none. */
        (void)str_format(output->error, sizeof output->error, "%.140s", err.text);
        return;
    }
    platform_close(output->log);
    output->log = fresh;
    output->size = 0;
    remove_oldest(output);
}

/* ---- Writing -------------------------------------------------------------------------------- */

struct batch {
    struct platform_piece pieces[PLATFORM_PIECES_MAX];
    size_t count;
    size_t bytes;
    char prefix[STAMP_PREFIX_BYTES];
    size_t prefix_length;
};

static void flush(struct output *output, struct batch *batch)
{
    struct err err;

    if (batch->count == 0)
        return;
    if (output->copy != PLATFORM_NO_HANDLE)
        (void)platform_write_pieces(output->copy, batch->pieces, batch->count, &err);
    if (output->log == PLATFORM_NO_HANDLE)
        output_open(output); /* what was in the way may have gone */
    if (output->log == PLATFORM_NO_HANDLE) {
        output->lost_bytes += (int64_t)batch->bytes;
    } else if (platform_write_pieces(output->log, batch->pieces, batch->count, &err) == -1) {
        cannot_write(output, &err, batch->bytes);
    } else {
        output->size += (int64_t)batch->bytes;
        output->error[0] = '\0';
    }
    batch->count = 0;
    batch->bytes = 0;
}

static void put(struct output *output, struct batch *batch, const void *data, size_t length)
{
    if (batch->count == PLATFORM_PIECES_MAX)
        flush(output, batch);
    batch->pieces[batch->count].data = data;
    batch->pieces[batch->count].length = length;
    batch->count++;
    batch->bytes += length;
}

static void make_prefix(
        const struct output *output, const struct output_stream *stream, struct batch *batch)
{
    char time[STAMP_TIME_BYTES];

    stamp_time(platform_wall_us(), time, sizeof time);
    (void)str_format(batch->prefix, sizeof batch->prefix, "%s %s", time,
            !output->separate ? "" : stream->is_error ? "err "
                                                      : "out ");
    batch->prefix_length = strlen(batch->prefix);
}

/* Another stream begins: what the former one left unfinished is ended, so that every line of the log
 * belongs to one stream, and its rest is stamped anew. */
static void change_stream(struct output *output, struct output_stream *stream, struct batch *batch)
{
    struct output_stream *last = output->last;

    output->last = stream;
    if (last == NULL || last == stream || !last->stamp.in_line || !output->timestamps)
        return;
    put(output, batch, "\n", 1);
    last->stamp.in_line = false;
}

static void write_piece(
        struct output *output, struct output_stream *stream, const char *data, size_t length)
{
    struct batch batch = { .count = 0 };
    struct stamp_part part;

    if (output->size >= output->max_bytes && output->log != PLATFORM_NO_HANDLE &&
            (output->last == NULL || !output->last->stamp.in_line))
        rotate(output);
    if (output->timestamps)
        make_prefix(output, stream, &batch); /* one time for all lines of a piece */
    change_stream(output, stream, &batch);
    while (stamp_next(&stream->stamp, &data, &length, &part)) {
        if (output->timestamps && part.stamped)
            put(output, &batch, batch.prefix, batch.prefix_length);
        put(output, &batch, part.data, part.length);
    }
    flush(output, &batch);
}

/* ---- Streams -------------------------------------------------------------------------------- */

static struct output_stream *free_stream(struct output *output)
{
    for (int i = 0; i < OUTPUT_STREAMS_MAX; i++)
        if (output->streams[i].source == NULL)
            return &output->streams[i];
    return NULL;
}

static void close_stream(struct output *output, struct output_stream *stream)
{
    link_drop(output->link, stream->name);
    platform_unwatch(stream->source);
    stream->source = NULL;
    drain_end(&stream->drain);
}

static int add_stream(struct output *output, const char *name, uint32_t generation, bool is_error,
        platform_handle handle, int role)
{
    struct output_stream *stream = free_stream(output);

    if (stream == NULL) {
        platform_close(handle);
        return -1;
    }
    if (output->last == stream && stream->stamp.in_line && output->timestamps &&
            output->log != PLATFORM_NO_HANDLE) {
        /* Its place is used again: the unfinished line of the former one ends here. */
        struct err err;

        if (platform_write(output->log, "\n", 1, &err) == 0)
            output->size++;
    }
    *stream = (struct output_stream){ .generation = generation, .is_error = is_error };
    (void)str_copy(stream->name, sizeof stream->name, name);
    stream->source = platform_watch_stream(handle, role, stream);
    return stream->source == NULL ? -1 : 0;
}

static int add_pipe(struct output *output, uint32_t generation, bool is_error, int role,
        platform_handle *ret_write, struct err *err)
{
    char name[OUTPUT_NAME_BYTES];
    platform_handle read_end;
    platform_handle write_end;

    if (platform_pipe(&read_end, &write_end, err) == -1)
        return -1;
    (void)str_format(name, sizeof name, "%s:%u", is_error ? "err" : "out", generation);
    link_hold(output->link, name, read_end);
    if (add_stream(output, name, generation, is_error, read_end, role) == -1) {
        link_drop(output->link, name);
        platform_close(write_end);
        return err_set(err, ERR_FAILED, 0, "too many output pipes are open");
    }
    *ret_write = write_end;
    return 0;
}

int output_add(struct output *output, uint32_t generation, int role, platform_handle *ret_output,
        platform_handle *ret_error, struct err *err)
{
    platform_handle out;
    platform_handle error;

    if (add_pipe(output, generation, false, role, &out, err) == -1)
        return -1;
    error = out;
    if (output->separate && add_pipe(output, generation, true, role, &error, err) == -1) {
        platform_close(out);
        return -1;
    }
    *ret_output = out;
    *ret_error = error;
    return 0;
}

void output_resume(struct output *output, const char *name, platform_handle handle, int role)
{
    uint64_t generation = 0;
    const char *colon = strchr(name, ':');

    if (colon != NULL)
        (void)str_to_uint(colon + 1, UINT32_MAX, &generation);
    if (add_stream(output, name, (uint32_t)generation, name[0] == 'e', handle, role) == -1)
        link_drop(output->link, name);
}

void output_on_event(struct output *output, const struct platform_event *event)
{
    struct output_stream *stream = event->owner;

    if (event->kind == PLATFORM_EVENT_DATA) {
        write_piece(output, stream, event->data, event->length);
        drain_piece(&drain_defaults, &stream->drain, platform_now_ms());
    } else if (event->kind == PLATFORM_EVENT_END) {
        close_stream(output, stream);
    }
}

static void last_pass(struct output *output, struct output_stream *stream)
{
    const char *data;
    size_t length;

    for (int i = 0; i < DRAIN_LAST_CHUNKS; i++) {
        length = platform_read_now(stream->source, &data);
        if (length == 0)
            break;
        write_piece(output, stream, data, length);
    }
}

void output_on_time(struct output *output, int64_t now_ms)
{
    for (int i = 0; i < OUTPUT_STREAMS_MAX; i++) {
        struct output_stream *stream = &output->streams[i];

        if (stream->source == NULL || !stream->drain.running)
            continue;
        switch (drain_check(&stream->drain, now_ms)) {
        case DRAIN_WAIT:
            break;
        case DRAIN_LAST_PASS:
            last_pass(output, stream);
            close_stream(output, stream);
            break;
        case DRAIN_DONE:
            close_stream(output, stream);
            break;
        }
    }
}

int64_t output_deadline(const struct output *output)
{
    int64_t deadline_ms = PLATFORM_NEVER;

    for (int i = 0; i < OUTPUT_STREAMS_MAX; i++)
        if (output->streams[i].source != NULL &&
                drain_deadline(&output->streams[i].drain) < deadline_ms)
            deadline_ms = drain_deadline(&output->streams[i].drain);
    return deadline_ms;
}

void output_generation_ended(struct output *output, uint32_t generation, int64_t now_ms)
{
    for (int i = 0; i < OUTPUT_STREAMS_MAX; i++)
        if (output->streams[i].source != NULL && output->streams[i].generation == generation)
            drain_begin(&drain_defaults, &output->streams[i].drain, now_ms);
}

bool output_is_drained(const struct output *output)
{
    for (int i = 0; i < OUTPUT_STREAMS_MAX; i++)
        if (output->streams[i].source != NULL && output->streams[i].drain.running)
            return false;
    return true;
}

int64_t output_position(const struct output *output)
{
    return output->log == PLATFORM_NO_HANDLE ? -1 : output->size;
}
