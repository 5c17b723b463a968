#include "log.h"

#include "chain.h"
#include "str.h"

#include "banned.h"

#define LOG_FOLDER "log"

void log_init(struct log *log, const char *state_directory)
{
    *log = (struct log) {
        .state_directory = state_directory,
        .handle = PLATFORM_NO_HANDLE,
    };
}

/* The path of a file of the log, or with "" of its folder; false if it is too long. */
static bool log_path(const struct log *log, const char *name, char *ret_path, size_t size)
{
    return str_format(ret_path, size, "%s/" LOG_FOLDER "%s%s", log->state_directory,
            name[0] == '\0' ? "" : "/", name);
}

static void keep_error(struct log *log, const struct err *err)
{
    (void)str_format(log->error, sizeof log->error, "%.140s", err->text);
}

static bool ends_inside_a_line(const struct log *log)
{
    char path[PLATFORM_PATH_BYTES];
    struct buffer last = { 0 };
    struct err err;
    bool inside = log_path(log, "current", path, sizeof path) &&
            platform_read_tail(path, 0, 1, &last, &err) == 0 && last.length == 1 &&
            last.data[0] != '\n';

    buffer_free(&last);
    return inside;
}

void log_open(struct log *log)
{
    char path[PLATFORM_PATH_BYTES];
    struct platform_file file;
    struct err err;

    if (log->handle != PLATFORM_NO_HANDLE)
        return;
    (void)log_path(log, "", path, sizeof path);
    if (platform_make_directory(path, 0700, &err) == -1 ||
            !log_path(log, "current", path, sizeof path) ||
            platform_open_log(path, &log->handle, &err) == -1) {
        log->handle = PLATFORM_NO_HANDLE;
        keep_error(log, &err);
        return;
    }
    log->size = platform_stat_handle(log->handle, &file) ? file.size : 0;
    log->torn = log->torn || (log->ends_lines && ends_inside_a_line(log));
    log->error[0] = '\0';
}

/* ---- Rotation -------------------------------------------------------------------------------- */

/* Of the files that were there before the last one was put aside. */
static void remove_oldest(
        const struct log *log, const struct chain *chain, const struct chain_list *list)
{
    char path[PLATFORM_PATH_BYTES];
    struct err err;

    for (size_t i = 0; i < list->count && i + (size_t)log->keep < list->count + 1; i++)
        if (chain_path(chain, list->names[i], path, sizeof path))
            (void)platform_remove_file(path, &err);
}

bool log_is_full(const struct log *log, size_t more, bool at_line_start)
{
    int64_t limit = at_line_start ? log->max_bytes : log->max_bytes * 2;

    return log->handle != PLATFORM_NO_HANDLE && !log->torn && log->size + (int64_t)more >= limit;
}

/* Puts the file aside under a name and opens a new one. */
static int put_aside(struct log *log, const char *name, struct err *err)
{
    char current[PLATFORM_PATH_BYTES];
    char aside[PLATFORM_PATH_BYTES];
    struct platform_file file;
    platform_handle fresh;
    struct err ignored;

    (void)log_path(log, "current", current, sizeof current);
    (void)log_path(log, name, aside, sizeof aside);
    if (platform_rename(current, aside, err) == -1 && platform_stat(current, &file))
        return -1;
    if (platform_open_log(current, &fresh, err) == -1) {
        (void)platform_rename(aside, current, &ignored);
        return -1;
    }
    platform_close(log->handle);
    log->handle = fresh;
    log->size = 0;
    log->turns++;
    log->changes++;
    if (log->keep == 0)
        (void)platform_remove_file(aside, &ignored);
    return 0;
}

bool log_rotate(struct log *log)
{
    char name[CHAIN_NAME_BYTES];
    struct chain_list list = { .count = 0 };
    struct chain chain;
    struct err err;

    chain_init(&chain, CHAIN_LOG, log->state_directory);
    (void)chain_list(&chain, &list, &err); /* those that are not seen now are removed next time */
    chain_name(platform_wall_us(), chain_newest(&list), name, sizeof name);
    log->cannot_rotate = put_aside(log, name, &err) == -1;
    if (log->cannot_rotate)
        keep_error(log, &err); /* better one log that is too long than none */
    else
        remove_oldest(log, &chain, &list);
    chain_list_free(&list);
    return !log->cannot_rotate;
}

/* ---- Writing --------------------------------------------------------------------------------- */

static bool append(struct log *log, const struct platform_piece *pieces, size_t count, size_t bytes)
{
    struct platform_file file;
    struct err err;

    log->changes++;
    if (platform_write_pieces(log->handle, pieces, count, &err) == 0) {
        log->size += (int64_t)bytes;
        return true;
    }
    keep_error(log, &err);
    log->lost_bytes += (int64_t)bytes;
    if (platform_stat_handle(log->handle, &file)) {
        log->lost_bytes -= file.size - log->size;
        log->size = file.size;
    }
    log->torn = ends_inside_a_line(log);
    return false;
}

bool log_write(struct log *log, const struct platform_piece *pieces, size_t count, size_t bytes)
{
    static const struct platform_piece newline = { .data = "\n", .length = 1 };

    if (log->handle == PLATFORM_NO_HANDLE)
        log_open(log); /* what was in the way may have gone */
    if (log->handle == PLATFORM_NO_HANDLE || (log->torn && !append(log, &newline, 1, 1))) {
        log->lost_bytes += (int64_t)bytes;
        return false;
    }
    log->torn = false;
    if (!append(log, pieces, count, bytes))
        return false;
    if (!log->cannot_rotate)
        log->error[0] = '\0';
    return true;
}
