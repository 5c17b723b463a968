/* logs: prints and follows what a service has printed, across rotations. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "duration.h"
#include "scope.h"
#include "stamp.h"
#include "str.h"
#include "wait.h"

#include "banned.h"

#define FOLLOW_PAUSE_MS  100
#define PIECE_BYTES      65536
#define FILE_NAME_BYTES  64
#define FILES_MAX        4096
#define SINCE_BYTES      40

struct log_files {
    char directory[PLATFORM_PATH_BYTES];
    char (*names)[FILE_NAME_BYTES]; /* owned; oldest first, "current" last */
    size_t count;
};

/* What of the lines is printed. */
struct printer {
    char since[SINCE_BYTES]; /* "" from the beginning */
    bool in_line;            /* the last piece did not end with a newline */
    bool wanted;             /* the line that is under way is printed */
    char start[SINCE_BYTES]; /* the beginning of a line that is not long enough to judge yet */
    size_t start_length;
};

/* ---- Files --------------------------------------------------------------------------------------- */

static void add_file(void *context, const char *name)
{
    struct log_files *files = context;
    char(*names)[FILE_NAME_BYTES];

    if (name[0] != '@' || strlen(name) >= FILE_NAME_BYTES || files->count == FILES_MAX)
        return;
    names = realloc(files->names, (files->count + 2) * sizeof *names);
    if (names == NULL)
        return;
    files->names = names;
    (void)str_copy(names[files->count++], FILE_NAME_BYTES, name);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(a, b);
}

static int find_files(const struct target *target, struct log_files *files, struct err *err)
{
    (void)str_format(files->directory, sizeof files->directory, "%s/log", target->state_path);
    files->names = calloc(1, sizeof *files->names);
    if (files->names == NULL)
        return err_memory(err);
    if (platform_list_directory(files->directory, add_file, files, err) == -1)
        return -1;
    qsort(files->names, files->count, sizeof *files->names, compare_names);
    (void)str_copy(files->names[files->count++], FILE_NAME_BYTES, "current");
    return 0;
}

static FILE *open_file(const struct log_files *files, size_t index)
{
    char path[PLATFORM_PATH_BYTES];

    (void)str_format(path, sizeof path, "%s/%s", files->directory, files->names[index]);
    return fopen(path, "rb");
}

/* ---- Printing -------------------------------------------------------------------------------------- */

static void print_bytes(const char *data, size_t length)
{
    (void)fwrite(data, 1, length, stdout);
}

/* Stamps sort as text; a line without one (a continued line, a log without stamps) goes with the one
 * before it. */
static void judge_line(struct printer *printer)
{
    size_t length = strlen(printer->since);

    if (printer->since[0] == '\0')
        printer->wanted = true;
    else if (printer->start_length >= length && str_is_digit(printer->start[0]) &&
             printer->start[4] == '-')
        printer->wanted = memcmp(printer->start, printer->since, length) >= 0;
    if (printer->wanted)
        print_bytes(printer->start, printer->start_length);
}

static void print_line_part(struct printer *printer, const char *data, size_t length, bool ends)
{
    size_t wanted_length = strlen(printer->since);

    if (!printer->in_line) {
        size_t take = wanted_length - printer->start_length;

        if (take > length)
            take = length;
        memcpy(printer->start + printer->start_length, data, take);
        printer->start_length += take;
        data += take;
        length -= take;
        if (printer->start_length < wanted_length && !ends)
            return;
        judge_line(printer);
        printer->start_length = 0;
        printer->in_line = true;
    }
    if (printer->wanted)
        print_bytes(data, length);
    if (ends)
        printer->in_line = false;
}

static void print_piece(struct printer *printer, const char *data, size_t length)
{
    if (printer->since[0] == '\0') {
        print_bytes(data, length);
        return;
    }
    while (length > 0) {
        const char *newline = memchr(data, '\n', length);
        size_t part = newline != NULL ? (size_t)(newline - data) + 1 : length;

        print_line_part(printer, data, part, newline != NULL);
        data += part;
        length -= part;
    }
}

static void print_rest(struct printer *printer, FILE *file)
{
    static char piece[PIECE_BYTES];
    size_t got;

    clearerr(file);
    while ((got = fread(piece, 1, sizeof piece, file)) > 0)
        print_piece(printer, piece, got);
}

static uint64_t count_lines(FILE *file)
{
    static char piece[PIECE_BYTES];
    uint64_t lines = 0;
    char last = '\n';
    size_t got;

    while ((got = fread(piece, 1, sizeof piece, file)) > 0) {
        for (size_t i = 0; i < got; i++)
            lines += piece[i] == '\n';
        last = piece[got - 1];
    }
    return lines + (last != '\n');
}

static void skip_lines(FILE *file, uint64_t lines)
{
    int c;

    rewind(file);
    while (lines > 0 && (c = getc(file)) != EOF)
        lines -= c == '\n';
}

/* Prints all files from 'first' on, leaving out some lines of the first; the last file stays open. */
static FILE *print_files(
        const struct log_files *files, struct printer *printer, size_t first, uint64_t skip)
{
    FILE *file = NULL;

    for (size_t i = first; i < files->count; i++) {
        if (file != NULL)
            (void)fclose(file);
        file = open_file(files, i);
        if (file == NULL)
            continue;
        if (i == first)
            skip_lines(file, skip);
        print_rest(printer, file);
    }
    return file;
}

/* Where the last 'lines' lines begin: a file, and how many of its lines come before. */
static void find_last(const struct log_files *files, uint64_t lines, size_t *ret_first,
        uint64_t *ret_skip)
{
    uint64_t have = 0;
    size_t i = files->count;

    *ret_skip = 0;
    while (i > 0 && have < lines) {
        FILE *file = open_file(files, --i);

        if (file == NULL)
            continue;
        have += count_lines(file);
        (void)fclose(file);
    }
    *ret_first = i;
    if (have > lines)
        *ret_skip = have - lines;
}

/* ---- Following --------------------------------------------------------------------------------------- */

static bool was_rotated(const struct log_files *files, FILE *file)
{
    char path[PLATFORM_PATH_BYTES];
    struct platform_file now;
    struct platform_file open;

    (void)str_format(path, sizeof path, "%s/current", files->directory);
    if (!platform_stat(path, &now))
        return false; /* in the middle of it, or removed: what comes next is seen then */
    return file == NULL || !platform_stat_handle(fileno(file), &open) ||
           open.file_id != now.file_id || open.device_id != now.device_id;
}

static int follow(const struct log_files *files, struct printer *printer, FILE *file)
{
    for (;;) {
        if (was_rotated(files, file)) {
            if (file != NULL) {
                print_rest(printer, file); /* what was written before it was put aside */
                (void)fclose(file);
            }
            file = open_file(files, files->count - 1);
        }
        if (file != NULL)
            print_rest(printer, file);
        if (fflush(stdout) == EOF)
            return ERR_FAILED;
        wait_pause(FOLLOW_PAUSE_MS);
    }
}

/* ---- Options ------------------------------------------------------------------------------------------ */

/* "10m" is ten minutes ago; anything that begins like a date is taken as the beginning of a stamp. */
static int read_since(const char *text, char *ret_since, size_t size, struct err *err)
{
    int64_t ago_ms;

    if (duration_parse(text, &ago_ms)) {
        stamp_time(platform_wall_us() - ago_ms * 1000, ret_since, size);
        ret_since[strlen(ret_since) - 1] = '\0'; /* compared up to the microsecond */
        return 0;
    }
    for (size_t i = 0; i < 4; i++)
        if (!str_is_digit(text[i]))
            return err_set(err, ERR_USAGE, 0,
                    "--since needs a time as in 2026-01-31T12:00:00Z, or 10m for ten minutes ago");
    if (!str_copy(ret_since, size, text))
        return err_set(err, ERR_USAGE, 0, "--since %s is too long", text);
    if (ret_since[strlen(ret_since) - 1] == 'Z')
        ret_since[strlen(ret_since) - 1] = '\0';
    return 0;
}

int cli_logs(const struct cli *cli)
{
    struct log_files files = { .count = 0 };
    struct printer printer = { .wanted = false };
    struct target target;
    uint64_t lines = 0;
    uint64_t skip = 0;
    size_t first = 0;
    struct err err;
    FILE *file;

    if (cli->lines != NULL && !str_to_uint(cli->lines, UINT32_MAX, &lines)) {
        err_set(&err, ERR_USAGE, 0, "-n needs a number, not \"%s\"", cli->lines);
        goto failed;
    }
    if ((cli->since != NULL && read_since(cli->since, printer.since, sizeof printer.since, &err) ==
                                       -1) ||
            scope_find(cli, cli->names[0], &target, &err) == -1 ||
            find_files(&target, &files, &err) == -1)
        goto failed;
    if (cli->lines != NULL)
        find_last(&files, lines, &first, &skip);
    file = print_files(&files, &printer, first, skip);
    if (cli->follow)
        return follow(&files, &printer, file);
    if (file == NULL && files.count == 1 && !cli->quiet)
        cli_warn(target.name, "has printed nothing yet");
    if (file != NULL)
        (void)fclose(file);
    free(files.names);
    return 0;
failed:
    cli_complain(cli->names[0], &err);
    free(files.names);
    return (int)err.kind;
}
