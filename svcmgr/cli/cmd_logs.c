/* logs: prints and follows what a service has printed, across rotations. */
#include <stdio.h>
#include <string.h>

#include "entry.h"
#include "reader.h"
#include "report.h"
#include "scope.h"
#include "str.h"
#include "wait.h"

#include "banned.h"

#define FOLLOW_PAUSE_MS 100
#define PIECE_BYTES     65536

/* What of the lines is printed. */
struct printer {
    struct since since;
    bool in_line;            /* the last piece did not end with a newline */
    char start[SINCE_BYTES]; /* the beginning of a line that is not long enough to judge yet */
    size_t start_length;
};

/* ---- Printing -------------------------------------------------------------------------------- */

/* With --json a line is an object: a value of the document, or one for itself while following. */
static struct {
    bool wanted;
    bool follows;
    struct buffer line;
} json;

static void tell_line(void)
{
    struct buffer text = { 0 };
    struct json_writer writer = { .out = &text };

    entry_write_line(&writer, buffer_text(&json.line), json.line.length,
            (struct entry_part) { .begins = true, .ends = true });
    if (json.follows)
        (void)printf("%s\n", buffer_text(&text));
    else
        report_document(buffer_text(&text));
    buffer_free(&text);
    json.line.length = 0;
}

static void print_bytes(const char *data, size_t length)
{
    if (!json.wanted) {
        (void)fwrite(data, 1, length, stdout);
        return;
    }
    while (length > 0) {
        const char *newline = memchr(data, '\n', length);
        size_t part = newline != NULL ? (size_t)(newline - data) : length;

        buffer_append(&json.line, data, part);
        if (newline != NULL)
            tell_line();
        part += newline != NULL;
        data += part;
        length -= part;
    }
}

static void judge_line(struct printer *printer)
{
    if (since_wants(&printer->since, printer->start, printer->start_length))
        print_bytes(printer->start, printer->start_length);
}

static void print_line_part(struct printer *printer, const char *data, size_t length, bool ends)
{
    size_t wanted_length = since_needs(&printer->since);

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
    if (printer->since.wanted)
        print_bytes(data, length);
    if (ends)
        printer->in_line = false;
}

static void print_piece(struct printer *printer, const char *data, size_t length)
{
    if (printer->since.text[0] == '\0') {
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

static void print_rest(struct printer *printer, struct reader *reader)
{
    static char piece[PIECE_BYTES];
    size_t got;

    while ((got = reader_look(reader, 0, piece, sizeof piece)) > 0) {
        reader_take(reader, piece, got);
        print_piece(printer, piece, got);
    }
}

/* Up to the end of the file that was written to when this began, however fast it grows. */
static void print_files(
        struct printer *printer, struct reader *reader, const struct platform_file *last)
{
    do
        print_rest(printer, reader);
    while (!reader_is_in(reader, last) && reader_next(reader));
}

/* Until the output cannot be written any more, which is said at the end of every command. */
static void follow(struct printer *printer, struct reader *reader)
{
    for (;;) {
        do
            print_rest(printer, reader);
        while (reader_next(reader));
        if (fflush(stdout) == EOF || ferror(stdout) != 0)
            return;
        wait_pause(FOLLOW_PAUSE_MS);
    }
}

/* Opens the log where it is printed from, and says which file is written to now. */
static int begin(const struct cli *cli, const struct target *target, const struct since *since,
        uint64_t lines, struct reader *reader, struct platform_file *ret_last, struct err *err)
{
    char path[PLATFORM_PATH_BYTES];
    bool cut;

    reader_init(reader, CHAIN_LOG, target->state_path, NULL);
    *ret_last = (struct platform_file) { .size = 0 };
    (void)(chain_path(&reader->chain, chain_current(&reader->chain), path, sizeof path) &&
            platform_stat(path, ret_last));
    if (cli->lines != NULL)
        return reader_begin_last(reader, lines, READER_ALL, &cut, err);
    return reader_begin_since(reader, since, err);
}

int cli_logs(const struct cli *cli)
{
    struct printer printer = { .in_line = false };
    struct reader reader = { .handle = PLATFORM_NO_HANDLE };
    struct platform_file last;
    struct target target;
    uint64_t lines = 0;
    struct err err;
    int result = -1;

    if (cli->lines != NULL && !str_to_uint(cli->lines, UINT32_MAX, &lines)) {
        err_set(&err, ERR_USAGE, 0, "-n needs a number, not \"%s\"", cli->lines);
        goto out;
    }
    if ((cli->since != NULL && since_parse("--since", cli->since, &printer.since, &err) == -1) ||
            scope_find(cli, cli->names[0], &target, &err) == -1 ||
            begin(cli, &target, &printer.since, lines, &reader, &last, &err) == -1)
        goto out;
    json.wanted = cli->json;
    json.follows = cli->follow;
    result = 0;
    if (cli->follow) {
        follow(&printer, &reader);
        goto out;
    }
    print_files(&printer, &reader, &last);
    if (json.line.length > 0)
        tell_line(); /* the last one, whose end has not come yet */
    if (reader.handle == PLATFORM_NO_HANDLE && !cli->quiet)
        cli_warn(target.name, "has printed nothing yet");
out:
    if (result == -1)
        (void)report_failure(cli->names[0], NULL, &err);
    reader_close(&reader);
    return result == 0 ? 0 : (int)err.kind;
}
