#include "command_line.h"

#include <string.h>

#include "banned.h"

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* ---- Writing --------------------------------------------------------------------------------- */

static bool needs_quotes(const char *word)
{
    return *word == '\0' || strpbrk(word, " \t\n\v\"") != NULL;
}

static void put_program(const char *word, bool quoted, struct buffer *out)
{
    const char *quote = quoted || needs_quotes(word) ? "\"" : "";

    buffer_puts(out, quote);
    for (; *word != '\0'; word++)
        if (*word != '"')
            buffer_append(out, word, 1);
    buffer_puts(out, quote);
}

static void put_backslashes(size_t count, struct buffer *out)
{
    for (size_t i = 0; i < count; i++)
        buffer_puts(out, "\\");
}

static void put_word(const char *word, struct buffer *out)
{
    bool quoted = needs_quotes(word);
    size_t backslashes = 0; /* just written */

    if (quoted)
        buffer_puts(out, "\"");
    for (; *word != '\0'; word++) {
        if (*word == '"')
            put_backslashes(backslashes + 1, out);
        backslashes = *word == '\\' ? backslashes + 1 : 0;
        buffer_append(out, word, 1);
    }
    if (quoted) {
        put_backslashes(backslashes, out);
        buffer_puts(out, "\"");
    }
}

void command_line_join(const char *const *words, bool quotes_program, struct buffer *out)
{
    for (size_t i = 0; words[i] != NULL; i++) {
        if (i == 0) {
            put_program(words[i], quotes_program, out);
            continue;
        }
        buffer_puts(out, " ");
        put_word(words[i], out);
    }
}

/* ---- Reading --------------------------------------------------------------------------------- */

struct word {
    char *text;
    size_t size;
    size_t length;
};

static bool add(struct word *word, char c, size_t times)
{
    if (times >= word->size - word->length)
        return false;
    memset(word->text + word->length, c, times);
    word->length += times;
    word->text[word->length] = '\0';
    return true;
}

static bool next_program(const char **line, struct word *word)
{
    bool quoted = **line == '"';
    const char *at = *line + (quoted ? 1 : 0);

    for (; *at != '\0' && (quoted ? *at != '"' : !is_blank(*at)); at++)
        if (!add(word, *at, 1))
            return false;
    *line = at + (quoted && *at == '"' ? 1 : 0);
    return true;
}

bool command_line_next(const char **line, bool is_program, char *ret_word, size_t size)
{
    struct word word = { .text = ret_word, .size = size };
    bool quoted = false;
    const char *at = *line;

    ret_word[0] = '\0';
    if (is_program)
        return *at != '\0' && next_program(line, &word);
    while (is_blank(*at))
        at++;
    if (*at == '\0')
        return false;
    while (*at != '\0' && (quoted || !is_blank(*at))) {
        size_t backslashes = strspn(at, "\\");
        bool before_quote = at[backslashes] == '"';

        if (!add(&word, '\\', before_quote ? backslashes / 2 : backslashes))
            return false;
        at += backslashes;
        if (before_quote && backslashes % 2 == 0 && !(quoted && at[1] == '"')) {
            quoted = !quoted;
            at++;
        } else if (before_quote || backslashes == 0) {
            if (!add(&word, *at, 1))
                return false;
            at += before_quote && backslashes % 2 == 0 ? 2 : 1;
        }
    }
    *line = at;
    return true;
}
