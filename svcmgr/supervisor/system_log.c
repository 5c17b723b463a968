#include "system_log.h"

#include <string.h>

#include "platform_log.h"
#include "str.h"

#include "banned.h"

#define PRIORITY_USUAL 6 /* LOG_INFO: what the journal gives to what a unit prints */
#define PRIORITY_CHARS 3 /* "<4>" */
#define UTF8_BYTES_MAX 4

/* ---- Entries --------------------------------------------------------------------------------- */

static void keep_error(struct system_log *log, const struct err *err)
{
    log->missed++;
    (void)str_format(log->error, sizeof log->error, "%.100s; %llu %s in the log's files only",
            err->text, (unsigned long long)log->missed, log->missed == 1 ? "line is" : "lines are");
}

static int take_priority(const char **text, size_t *length)
{
    const char *at = *text;

    if (*length < PRIORITY_CHARS || at[0] != '<' || at[1] < '0' || at[1] > '7' || at[2] != '>')
        return PRIORITY_USUAL;
    *text += PRIORITY_CHARS;
    *length -= PRIORITY_CHARS;
    return at[1] - '0';
}

static void hand_over(struct system_log *log, struct system_log_source *source, const char *text,
        size_t length, bool is_whole)
{
    struct platform_entry entry = {
        .service = log->service,
        .generation = source->generation,
        .stream = source->name,
        .priority = source->goes_on ? PRIORITY_USUAL : take_priority(&text, &length),
        .text = text,
        .length = length,
    };
    struct err err;

    source->goes_on = !is_whole;
    if (platform_log_entry(&entry, &err) == -1) {
        keep_error(log, &err);
        return;
    }
    log->missed = 0;
    log->error[0] = '\0';
}

/* The first 'length' bytes of it. */
static void hand_over_begun(
        struct system_log *log, struct system_log_source *source, size_t length, bool is_whole)
{
    struct err err;

    if (source->begun.failed) {
        (void)err_memory(&err);
        keep_error(log, &err);
        buffer_free(&source->begun);
        return;
    }
    hand_over(log, source, buffer_text(&source->begun), length, is_whole);
    buffer_consume(&source->begun, length);
}

/* ---- Lines ----------------------------------------------------------------------------------- */

/* How many bytes there are without a last character that has only begun. */
static size_t whole_characters(const char *text, size_t length)
{
    for (size_t back = 1; back < UTF8_BYTES_MAX && back <= length; back++) {
        unsigned char byte = (unsigned char)text[length - back];
        size_t bytes = byte >= 0xF0u ? 4 : byte >= 0xE0u ? 3 : byte >= 0xC0u ? 2 : 1;

        if ((byte & 0xC0u) != 0x80u)
            return bytes > back ? length - back : length;
    }
    return length;
}

void system_log_piece(
        struct system_log *log, struct system_log_source *source, const char *data, size_t length)
{
    while (log->on && length > 0) {
        const char *newline = memchr(data, '\n', length);
        size_t line = newline != NULL ? (size_t)(newline - data) : length;
        size_t room = PLATFORM_ENTRY_BYTES - source->begun.length;
        size_t taken = line < room ? line : room;
        bool ends = newline != NULL && taken == line;
        bool is_full = taken < line;

        if (source->begun.length == 0 && (ends || is_full)) {
            taken = ends ? taken : whole_characters(data, taken);
            hand_over(log, source, data, taken, ends);
        } else {
            buffer_append(&source->begun, data, taken);
            if (ends)
                hand_over_begun(log, source, source->begun.length, true);
            else if (is_full)
                hand_over_begun(log, source,
                        whole_characters(buffer_text(&source->begun), source->begun.length), false);
        }
        data += taken + (ends ? 1 : 0);
        length -= taken + (ends ? 1 : 0);
    }
}

void system_log_end(struct system_log *log, struct system_log_source *source)
{
    if (source->begun.length > 0)
        hand_over_begun(log, source, source->begun.length, true);
    buffer_free(&source->begun);
}
