#include "output.h"

#include <string.h>

#include "drained.h"
#include "str.h"

#include "banned.h"

void output_init(
        struct output *output, const char *service, const char *state_directory, struct link *link)
{
    *output = (struct output) {
        .copy = PLATFORM_NO_HANDLE,
        .system_log = { .service = service },
        .link = link,
    };
    log_init(&output->log, state_directory);
}

void output_configure(struct output *output, const struct config *config)
{
    output->log.max_bytes = config->log_max_bytes;
    output->log.keep = config->log_keep;
    output->log.ends_lines = config->log_timestamps;
    output->timestamps = config->log_timestamps;
    output->separate = config->log_separate;
    output->system_log.on = config->log_destination == CONFIG_LOG_JOURNAL ||
            config->log_destination == CONFIG_LOG_EVENTLOG;
    output->captured = config->log_destination != CONFIG_LOG_INHERIT;
}

/* The only stream there is, if all of the log's last line can only have come from it. */
static struct output_stream *only_stream(struct output *output)
{
    struct output_stream *only = NULL;

    for (int i = 0; i < OUTPUT_STREAMS_MAX; i++) {
        if (output->streams[i].source == NULL)
            continue;
        if (only != NULL)
            return NULL;
        only = &output->streams[i];
    }
    return only;
}

void output_open(struct output *output)
{
    struct output_stream *only;

    if (!output->captured || output->log.handle != PLATFORM_NO_HANDLE)
        return;
    log_open(&output->log);
    only = only_stream(output);
    if (!output->log.torn || only == NULL)
        return;
    /* A former supervisor wrote the beginning of a line, and the rest of it is still to come. */
    output->log.torn = false;
    output->last = only;
    only->stamp.in_line = true;
}

/* ---- Writing --------------------------------------------------------------------------------- */

struct batch {
    struct platform_piece pieces[PLATFORM_PIECES_MAX];
    size_t count;
    size_t bytes;
    char prefix[STAMP_PREFIX_BYTES];
    size_t prefix_length;
};

static void flush(struct output *output, struct output_stream *stream, struct batch *batch)
{
    struct err err;

    if (batch->count == 0)
        return;
    if (output->copy != PLATFORM_NO_HANDLE)
        (void)platform_write_pieces(output->copy, batch->pieces, batch->count, &err);
    /* What comes after something that was lost is stamped anew, in the middle of a line too. */
    if (!log_write(&output->log, batch->pieces, batch->count, batch->bytes))
        stream->stamp.in_line = false;
    batch->count = 0;
    batch->bytes = 0;
}

static void put(struct batch *batch, const void *data, size_t length)
{
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
            !output->separate          ? ""
                    : stream->is_error ? "err "
                                       : "out ");
    batch->prefix_length = strlen(batch->prefix);
}

/* Another stream begins: what the former one left unfinished is ended, so that every line of the
 * log belongs to one stream, and its rest is stamped anew. */
static void change_stream(struct output *output, struct output_stream *stream, struct batch *batch)
{
    struct output_stream *last = output->last;

    output->last = stream;
    if (last == NULL || last == stream || !last->stamp.in_line || !output->timestamps)
        return;
    put(batch, "\n", 1);
    last->stamp.in_line = false;
}

static void write_piece(
        struct output *output, struct output_stream *stream, const char *data, size_t length)
{
    struct batch batch = { .count = 0 };
    struct stamp_part part;
    bool may_rotate = true;

    if (output->system_log.on)
        system_log_piece(&output->system_log, &stream->lines, data, length);
    if (output->timestamps)
        make_prefix(output, stream, &batch); /* one time for all lines of a piece */
    change_stream(output, stream, &batch);
    while (length > 0) {
        if (batch.count + 2 > PLATFORM_PIECES_MAX)
            flush(output, stream, &batch);
        if (may_rotate && log_is_full(&output->log, batch.bytes, !stream->stamp.in_line)) {
            flush(output, stream, &batch);
            may_rotate = log_rotate(&output->log);
        }
        (void)stamp_next(&stream->stamp, &data, &length, &part);
        if (output->timestamps && part.stamped)
            put(&batch, batch.prefix, batch.prefix_length);
        put(&batch, part.data, part.length);
    }
    flush(output, stream, &batch);
}

/* ---- Streams --------------------------------------------------------------------------------- */

static struct output_stream *free_stream(struct output *output)
{
    for (int i = 0; i < OUTPUT_STREAMS_MAX; i++)
        if (output->streams[i].source == NULL)
            return &output->streams[i];
    return NULL;
}

/* Nothing more is read of it. */
static void end_line(struct output *output, struct output_stream *stream)
{
    if (stream->lines.begun.data != NULL)
        system_log_end(&output->system_log, &stream->lines);
}

static void close_stream(struct output *output, struct output_stream *stream)
{
    link_drop_later(output->link, stream->name);
    platform_unwatch(stream->source);
    stream->source = NULL;
    drain_end(&stream->drain);
    end_line(output, stream);
}

static int add_stream(struct output *output, const char *name, uint32_t generation, bool is_error,
        platform_handle handle, int role)
{
    struct output_stream *stream = free_stream(output);

    if (stream == NULL) {
        platform_close(handle);
        return -1;
    }
    if (output->last == stream) {
        /* Its place is used again: the unfinished line of the former one ends here. */
        output->last = NULL;
        output->log.torn = output->log.torn || (stream->stamp.in_line && output->timestamps);
    }
    *stream = (struct output_stream) { .generation = generation, .is_error = is_error };
    (void)str_copy(stream->name, sizeof stream->name, name);
    stream->lines.generation = generation;
    stream->lines.name = !output->separate ? NULL : is_error ? "err" : "out";
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

struct target {
    struct output *output;
    struct output_stream *stream;
};

static bool take_piece(void *context, const char *data, size_t length)
{
    const struct target *target = context;

    write_piece(target->output, target->stream, data, length);
    return true;
}

void output_on_time(struct output *output, int64_t now_ms)
{
    for (int i = 0; i < OUTPUT_STREAMS_MAX; i++) {
        struct output_stream *stream = &output->streams[i];
        struct target target = { .output = output, .stream = stream };

        if (stream->source != NULL && stream->drain.running &&
                !drained_read(stream->source, &stream->drain, now_ms, take_piece, &target))
            close_stream(output, stream);
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

void output_leave(struct output *output)
{
    for (int i = 0; i < OUTPUT_STREAMS_MAX; i++) {
        platform_unwatch(output->streams[i].source);
        output->streams[i].source = NULL;
        end_line(output, &output->streams[i]);
    }
}

const char *output_error(const struct output *output)
{
    const char *error = output->log.error[0] != '\0' ? output->log.error : output->system_log.error;

    return error[0] != '\0' ? error : NULL;
}

int64_t output_position(const struct output *output)
{
    return output->log.handle == PLATFORM_NO_HANDLE ? -1 : output->log.size;
}
