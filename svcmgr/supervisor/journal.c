#include "journal.h"

#include <string.h>

#include "stamp.h"
#include "str.h"

#include "banned.h"

void journal_init(
        struct journal *journal, const char *directory, const char *name, bool to_terminal)
{
    *journal = (struct journal) {
        .directory = directory,
        .name = name,
        .file = PLATFORM_NO_HANDLE,
        .to_terminal = to_terminal,
    };
}

void journal_open(struct journal *journal)
{
    char path[PLATFORM_PATH_BYTES];
    struct platform_file file;
    struct err err;

    if (journal->file != PLATFORM_NO_HANDLE)
        return;
    (void)str_format(path, sizeof path, "%s/events", journal->directory);
    if (platform_open_log(path, &journal->file, &err) == -1) {
        journal->file = PLATFORM_NO_HANDLE;
        return;
    }
    journal->size = platform_stat_handle(journal->file, &file) ? file.size : 0;
}

static void rotate(struct journal *journal)
{
    char path[PLATFORM_PATH_BYTES];
    char old[PLATFORM_PATH_BYTES];
    struct err err;

    (void)str_format(path, sizeof path, "%s/events", journal->directory);
    (void)str_format(old, sizeof old, "%s/events.old", journal->directory);
    if (platform_rename(path, old, &err) == -1)
        return;
    platform_close(journal->file);
    journal->file = PLATFORM_NO_HANDLE;
    journal->turns++;
    journal_open(journal);
}

static void add_asker(struct json_writer *writer, const struct journal_asker *asker)
{
    if (asker == NULL) {
        json_write_null(writer, "by");
        return;
    }
    json_write_object(writer, "by");
    json_write_int(writer, "uid", asker->uid);
    json_write_string(writer, "user", asker->user[0] != '\0' ? asker->user : NULL);
    if (asker->pid > 0)
        json_write_int(writer, "pid", asker->pid);
    else
        json_write_null(writer, "pid");
    json_write_string(writer, "command", asker->command[0] != '\0' ? asker->command : NULL);
    json_write_string(writer, "launcher", asker->launcher[0] != '\0' ? asker->launcher : NULL);
    json_write_object_end(writer);
}

static void add_line(struct journal *journal, const struct journal_event *event)
{
    struct buffer *line = &journal->pending;
    struct json_writer writer = { .out = line };
    char time[STAMP_TIME_BYTES];

    stamp_time_ms(platform_wall_us(), time, sizeof time);
    json_write_object(&writer, NULL);
    json_write_string(&writer, "at", time);
    json_write_string(&writer, "name", journal->name);
    json_write_string(&writer, "event", event->event);
    json_write_string(&writer, "from", event->from);
    json_write_string(&writer, "to", event->to);
    if (event->pid > 0)
        json_write_int(&writer, "pid", event->pid);
    else
        json_write_null(&writer, "pid");
    if (event->generation > 0)
        json_write_int(&writer, "generation", event->generation);
    else
        json_write_null(&writer, "generation");
    json_write_string(&writer, "cause", event->cause);
    add_asker(&writer, event->by);
    json_write_object_end(&writer);
    buffer_puts(line, "\n");
}

/* Levels of syslog(3): what people should look at is a warning. */
static const char *level_of(const struct journal_event *event)
{
    static const char *const bad[] = { "warning", "keeper", "leftovers", "backoff", "failed",
        "unhealthy" };
    const char *word = event->to != NULL ? event->to : event->event;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (strcmp(word, bad[i]) == 0)
            return "<4>";
    return "<6>";
}

static void tell_terminal(const struct journal *journal, const struct journal_event *event)
{
    char line[1024];
    struct err err;

    (void)str_format(line, sizeof line, "%ssvcmgr: %s: %s%s%s\n",
            journal->with_levels ? level_of(event) : "", journal->name,
            event->to != NULL ? event->to : event->event,
            event->cause != NULL && event->cause[0] != '\0' ? ": " : "",
            event->cause != NULL ? event->cause : "");
    (void)platform_write(platform_standard_error(), line, strlen(line), &err);
}

void journal_write(struct journal *journal, const struct journal_event *event)
{
    if (journal->to_terminal)
        tell_terminal(journal, event);
    if (journal->file != PLATFORM_NO_HANDLE)
        add_line(journal, event);
}

void journal_flush(struct journal *journal)
{
    struct err err;

    if (journal->pending.length == 0)
        return;
    journal->changes++;
    if (journal->size >= JOURNAL_MAX_BYTES)
        rotate(journal);
    /* What cannot be written is dropped: history must not stop the service. */
    if (journal->file != PLATFORM_NO_HANDLE && !journal->pending.failed &&
            platform_write(journal->file, journal->pending.data, journal->pending.length, &err) ==
                    0)
        journal->size += (int64_t)journal->pending.length;
    buffer_free(&journal->pending);
}
