#include "env_file.h"

#include <stdbool.h>
#include <string.h>

#include "str.h"

#include "banned.h"

#define SHOWN_BYTES 64

struct reader {
    const char *at;
    const char *end;
    size_t line;
    struct arena *arena;
    struct err *err;
    size_t capacity; /* of the list of entries */
};

static char peek(const struct reader *reader)
{
    return (char)(reader->at < reader->end ? *reader->at : '\0');
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static void skip_blanks(struct reader *reader)
{
    while (is_blank(peek(reader)))
        reader->at++;
}

/* At the end of the text, or of a line however it ends. */
static bool at_line_end(const struct reader *reader)
{
    size_t left = (size_t)(reader->end - reader->at);

    return left == 0 || *reader->at == '\n' ||
            (*reader->at == '\r' && (left == 1 || reader->at[1] == '\n'));
}

static bool at_comment(const struct reader *reader)
{
    return peek(reader) == '#' || peek(reader) == ';';
}

static void skip_line(struct reader *reader)
{
    while (peek(reader) != '\n' && reader->at < reader->end)
        reader->at++;
    if (reader->at < reader->end)
        reader->at++;
    reader->line++;
}

static int fail(const struct reader *reader, size_t line, const char *text)
{
    return err_set(reader->err, ERR_CONFIG, 0, "line %zu: %s", line, text);
}

/* A copy in the arena; NULL with *err set when there is no memory. */
static char *take_text(struct reader *reader, const char *from, size_t length)
{
    char *text = arena_take(reader->arena, length + 1);

    if (text == NULL)
        err_memory(reader->err);
    else
        memcpy(text, from, length);
    return text;
}

/* "NAME=" */
static char *read_name(struct reader *reader)
{
    const char *start = reader->at;
    char found[SHOWN_BYTES];
    char *name;

    while (str_is_letter(peek(reader)) || peek(reader) == '_' ||
            (reader->at > start && str_is_digit(peek(reader))))
        reader->at++;
    if (reader->at > start && peek(reader) == '=') {
        name = take_text(reader, start, (size_t)(reader->at - start));
        reader->at++;
        return name;
    }
    while (!at_line_end(reader) && *reader->at != '=')
        reader->at++;
    if (peek(reader) != '=') {
        fail(reader, reader->line, "there is no '='; write NAME=value, or # before a comment");
        return NULL;
    }
    name = take_text(reader, start, (size_t)(reader->at - start));
    if (name == NULL)
        return NULL;
    str_shorten(found, sizeof found, name);
    err_set(reader->err, ERR_CONFIG, 0,
            "line %zu: \"%s\" is not a name; a name has letters, digits and '_', does not begin "
            "with a digit, and '=' follows at once",
            reader->line, found);
    return NULL;
}

static char *read_plain_value(struct reader *reader)
{
    const char *start;
    const char *end;

    skip_blanks(reader);
    start = reader->at;
    end = start;
    while (!at_line_end(reader)) {
        /* A comment begins behind a blank, and here the blank may be before the value. */
        if (at_comment(reader) && is_blank(reader->at[-1]))
            break;
        if (!is_blank(*reader->at))
            end = reader->at + 1;
        reader->at++;
    }
    return take_text(reader, start, (size_t)(end - start));
}

static char unescaped(char c)
{
    if (c == 'n')
        return '\n';
    if (c == 't')
        return '\t';
    return (char)(c == '"' || c == '\\' || c == '$' ? c : '\0');
}

/* The value between quotes, which may go over lines. */
static char *read_quoted_value(struct reader *reader, char quote)
{
    size_t opened_line = reader->line;
    size_t length = 0;
    const char *closing = ++reader->at;
    char *value;

    while (closing < reader->end && *closing != quote)
        closing += quote == '"' && *closing == '\\' && closing + 1 < reader->end ? 2 : 1;
    if (closing >= reader->end) {
        fail(reader, opened_line, "this quote is never closed");
        return NULL;
    }
    value = take_text(reader, reader->at, (size_t)(closing - reader->at));
    if (value == NULL)
        return NULL;
    for (; reader->at < closing; reader->at++) {
        char c = *reader->at;

        if (c == '\n')
            reader->line++;
        if (quote == '"' && c == '\\' && unescaped(reader->at[1]) != '\0')
            c = unescaped(*++reader->at);
        value[length++] = c;
    }
    value[length] = '\0';
    reader->at++;
    return value;
}

static char *read_value(struct reader *reader)
{
    const char *start = reader->at;
    char *value;
    bool behind_blank;

    skip_blanks(reader);
    if (peek(reader) != '"' && peek(reader) != '\'') {
        reader->at = start;
        return read_plain_value(reader);
    }
    value = read_quoted_value(reader, *reader->at);
    if (value == NULL)
        return NULL;
    behind_blank = is_blank(peek(reader));
    skip_blanks(reader);
    if (at_line_end(reader) || (behind_blank && at_comment(reader)))
        return value;
    fail(reader, reader->line, "there is text behind the closing quote");
    return NULL;
}

static int add_entry(
        struct reader *reader, struct env_file *file, const char *name, const char *value)
{
    struct env_file_entry *entries = file->entries;

    if (entries == NULL || file->count == reader->capacity) {
        reader->capacity = reader->capacity == 0 ? 16 : reader->capacity * 2;
        entries = arena_take(reader->arena, reader->capacity * sizeof *entries);
        if (entries == NULL)
            return err_memory(reader->err);
        if (file->count > 0)
            memcpy(entries, file->entries, file->count * sizeof *entries);
        file->entries = entries;
    }
    entries[file->count++] = (struct env_file_entry) { .name = name, .value = value };
    return 0;
}

static bool is_read_only(const char *name)
{
    static const char *const names[] = { "UID", "EUID", "GID", "EGID", "PPID" };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

static int read_line(struct reader *reader, struct env_file *file)
{
    static const char export_word[] = "export";
    size_t length = sizeof export_word - 1;
    const char *name;
    const char *value;

    skip_blanks(reader);
    if (at_line_end(reader) || at_comment(reader))
        return 0;
    if ((size_t)(reader->end - reader->at) > length &&
            memcmp(reader->at, export_word, length) == 0 && is_blank(reader->at[length])) {
        reader->at += length;
        skip_blanks(reader);
    }
    name = read_name(reader);
    value = name == NULL ? NULL : read_value(reader);
    if (value == NULL)
        return -1;
    return is_read_only(name) ? 0 : add_entry(reader, file, name, value);
}

/* Refuses what no variable can hold, before anything is read. */
static int check_bytes(struct reader *reader)
{
    size_t line = 1;

    for (const char *at = reader->at; at < reader->end;) {
        size_t step = str_utf8_length(at, (size_t)(reader->end - at));

        if (*at == '\0')
            return fail(reader, line, "NUL byte");
        if (step == 0)
            return fail(reader, line, "invalid UTF-8");
        if (*at == '\n')
            line++;
        at += step;
    }
    return 0;
}

int env_file_parse(const char *text, size_t length, struct arena *arena, struct env_file *ret_file,
        struct err *err)
{
    struct reader reader = {
        .at = text, .end = text + length, .line = 1, .arena = arena, .err = err
    };
    struct env_file file = { 0 };

    if (length > ENV_FILE_MAX_BYTES)
        return err_set(err, ERR_CONFIG, 0, "longer than %d bytes", ENV_FILE_MAX_BYTES);
    if (check_bytes(&reader) == -1)
        return -1;
    if (length >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0)
        reader.at += 3;
    while (reader.at < reader.end) {
        if (read_line(&reader, &file) == -1)
            return -1;
        skip_line(&reader);
    }
    *ret_file = file;
    return 0;
}
