/* events: prints and follows what has happened to services, and who asked for it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "entry.h"
#include "json.h"
#include "reader.h"
#include "report.h"
#include "scope.h"
#include "str.h"
#include "wait.h"

#include "banned.h"

#define FOLLOW_PAUSE_MS 100
#define PIECE_BYTES     65536
#define NAME_WIDTH      12
#define STATE_WIDTH     10

/* Where the history of one service is read. */
struct history {
    const struct target *target;
    struct reader reader;
    struct buffer partly; /* a line whose end has not been written yet */
};

/* One event, as the file has it. */
struct entry {
    char *line; /* owned */
    size_t length;
    size_t order; /* of the same time: as they were read */
};

struct entries {
    struct entry *list; /* owned */
    size_t count;
    bool failed;
};

/* ---- Printing -------------------------------------------------------------------------------- */

static const char *text_of(const cJSON *object, const char *name)
{
    const cJSON *item = json_member(object, name);

    return cJSON_IsString(item) ? item->valuestring : "";
}

static void print_number(const cJSON *event, const char *name, const char **separator)
{
    const cJSON *item = json_member(event, name);

    if (!cJSON_IsNumber(item))
        return;
    (void)printf("%s%s %.0f", *separator, name, item->valuedouble);
    *separator = ", ";
}

static void print_asker(const cJSON *by)
{
    const cJSON *pid = json_member(by, "pid");
    const char *command = text_of(by, "command");
    const char *user = text_of(by, "user");
    const char *launcher = text_of(by, "launcher");

    if (!cJSON_IsObject(by))
        return;
    (void)printf("; asked by %s", user[0] != '\0' ? user : "somebody");
    if (command[0] != '\0')
        (void)printf(", \"%s\"", command);
    if (cJSON_IsNumber(pid))
        (void)printf(", pid %.0f", pid->valuedouble);
    if (launcher[0] != '\0')
        (void)printf(", %s", launcher);
}

static void print_event(const cJSON *event, bool with_name)
{
    const char *to = text_of(event, "to");
    const char *cause = text_of(event, "cause");
    const char *separator = " (";

    (void)printf("%s  ", text_of(event, "at"));
    if (with_name)
        (void)printf("%-*s  ", NAME_WIDTH, text_of(event, "name"));
    (void)printf("%-*s  %s", STATE_WIDTH, to[0] != '\0' ? to : text_of(event, "event"), cause);
    print_number(event, "pid", &separator);
    print_number(event, "generation", &separator);
    (void)printf("%s", separator[0] == ',' ? ")" : "");
    print_asker(json_member(event, "by"));
    (void)printf("\n");
}

static void print_line(const struct cli *cli, const char *line)
{
    struct json_document document;
    struct json_faults faults = { 0 };
    int parsed = json_parse(line, strlen(line), JSON_STRICT, &document, &faults);

    json_faults_free(&faults);
    if (parsed == -1)
        return;
    if (cli->json && cli->follow)
        (void)printf("%s\n", line);
    else if (cli->json)
        report_document(line);
    else
        print_event(document.root, cli->name_count != 1);
    json_document_free(&document);
}

/* ---- Reading --------------------------------------------------------------------------------- */

typedef void take_line(void *context, const char *line, size_t length);

/* Hands on the lines that are whole; what is half written now is kept for later. */
static void read_lines(struct history *history, take_line *take, void *context)
{
    static char piece[PIECE_BYTES];
    size_t got;

    while ((got = reader_look(&history->reader, 0, piece, sizeof piece)) > 0) {
        const char *data = piece;
        const char *newline;

        reader_take(&history->reader, piece, got);
        while ((newline = memchr(data, '\n', got)) != NULL) {
            size_t part = (size_t)(newline - data);
            const char *line;

            buffer_append(&history->partly, data, part);
            line = entry_event(buffer_text(&history->partly), history->partly.length);
            take(context, line, strlen(line));
            history->partly.length = 0;
            data += part + 1;
            got -= part + 1;
        }
        buffer_append(&history->partly, data, got);
    }
}

/* Goes on in the next file if there is one; no line goes on there. */
static bool next_file(struct history *history)
{
    if (!reader_next(&history->reader))
        return false;
    history->partly.length = 0;
    return true;
}

static void keep_line(void *context, const char *line, size_t length)
{
    struct entries *entries = context;
    struct entry *list = realloc(entries->list, (entries->count + 1) * sizeof *list);
    char *copy = malloc(length + 1);

    if (list != NULL)
        entries->list = list;
    if (list == NULL || copy == NULL) {
        entries->failed = true;
        free(copy);
        return;
    }
    memcpy(copy, line, length);
    copy[length] = '\0';
    list[entries->count] =
            (struct entry) { .line = copy, .length = length, .order = entries->count };
    entries->count++;
}

/* The file that was put aside, then the one that was written to when this began. */
static int read_history(struct history *history, struct entries *entries, struct err *err)
{
    struct reader *reader = &history->reader;
    struct platform_file last = { .size = 0 };
    char path[PLATFORM_PATH_BYTES];

    (void)(chain_path(&reader->chain, chain_current(&reader->chain), path, sizeof path) &&
            platform_stat(path, &last));
    if (reader_begin(reader, err) == -1)
        return -1;
    do
        read_lines(history, keep_line, entries);
    while (!reader_is_in(reader, &last) && next_file(history));
    return 0;
}

/* ---- All of it ------------------------------------------------------------------------------- */

/* Every line begins with its time, in a form that sorts as text: {"at":"2026-... */
static int compare_entries(const void *a, const void *b)
{
    const struct entry *one = a;
    const struct entry *other = b;
    size_t shorter = one->length < other->length ? one->length : other->length;
    size_t time = sizeof "{\"at\":\"2026-01-31T12:00:00.000Z" - 1;
    int order = memcmp(one->line, other->line, shorter < time ? shorter : time);

    if (order != 0)
        return order;
    return one->order < other->order ? -1 : one->order > other->order;
}

static void print_entries(const struct cli *cli, struct entries *entries, uint64_t wanted)
{
    size_t first = entries->count > wanted ? entries->count - (size_t)wanted : 0;

    if (entries->count > 0)
        qsort(entries->list, entries->count, sizeof *entries->list, compare_entries);
    for (size_t i = first; i < entries->count; i++)
        print_line(cli, entries->list[i].line);
}

static void print_taken(void *context, const char *line, size_t length)
{
    (void)length;
    print_line(context, line);
}

static void catch_up(const struct cli *cli, struct history *history)
{
    do
        read_lines(history, print_taken, (void *)(uintptr_t)cli);
    while (next_file(history));
}

/* Until the output cannot be written any more, which is said at the end of every command. */
static void follow(const struct cli *cli, struct history *histories, size_t count)
{
    for (;;) {
        for (size_t i = 0; i < count; i++)
            if (histories[i].target->code == 0)
                catch_up(cli, &histories[i]);
        if (fflush(stdout) == EOF || ferror(stdout) != 0)
            return;
        wait_pause(FOLLOW_PAUSE_MS);
    }
}

static int print_histories(const struct cli *cli, struct history *histories, size_t count,
        uint64_t wanted, struct err *err)
{
    struct entries entries = { .count = 0 };
    int result = 0;

    for (size_t i = 0; result == 0 && i < count; i++)
        if (histories[i].target->code == 0)
            result = read_history(&histories[i], &entries, err);
    if (!entries.failed && result == 0)
        print_entries(cli, &entries, wanted);
    for (size_t i = 0; i < entries.count; i++)
        free(entries.list[i].line);
    free(entries.list);
    if (result == -1)
        return -1;
    if (entries.failed)
        return err_memory(err);
    if (entries.count == 0 && !cli->json && !cli->quiet && !cli->follow)
        (void)printf("nothing has happened yet\n");
    return 0;
}

static int show(const struct cli *cli, const struct target *targets, size_t count, uint64_t wanted)
{
    struct history *histories = calloc(count + 1, sizeof *histories);
    struct err err;
    int result;

    for (size_t i = 0; histories != NULL && i < count; i++) {
        histories[i].target = &targets[i];
        reader_init(&histories[i].reader, CHAIN_EVENTS, targets[i].state_path, NULL);
    }
    result = histories == NULL ? err_memory(&err)
                               : print_histories(cli, histories, count, wanted, &err);
    if (result == 0 && cli->follow)
        follow(cli, histories, count);
    for (size_t i = 0; histories != NULL && i < count; i++) {
        reader_close(&histories[i].reader);
        buffer_free(&histories[i].partly);
    }
    free(histories);
    return result == 0 ? 0 : report_failure(NULL, NULL, &err);
}

int cli_events(const struct cli *cli)
{
    struct target *targets;
    uint64_t wanted = UINT32_MAX;
    size_t count;
    struct err err;
    int code;

    if (cli->lines != NULL && !str_to_uint(cli->lines, UINT32_MAX, &wanted)) {
        err_set(&err, ERR_USAGE, 0, "-n needs a number, not \"%s\"", cli->lines);
        return report_failure(NULL, NULL, &err);
    }
    if ((cli->name_count == 0 ? scope_list(cli, &targets, &count, &err)
                              : scope_targets(cli, &targets, &count, &err)) == -1)
        return report_failure(NULL, NULL, &err);
    code = show(cli, targets, count, wanted);
    for (size_t i = 0; i < count && code == 0; i++)
        code = targets[i].code;
    free(targets);
    return code;
}
