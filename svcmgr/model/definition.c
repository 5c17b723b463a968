#include "definition.h"

#include <stdlib.h>
#include <string.h>

#include "machine.h"
#include "str.h"

#include "banned.h"

#define DIFF_LINES_MAX 512 /* of each text: longer ones are shown as a whole */
#define STOP_SLACK_MS  INT64_C(5000)
#define END_LINE_BYTES 1024

struct buffer *definition_add(struct definition *definition, const char *name)
{
    struct definition_file *file = &definition->files[definition->count++];

    (void)str_copy(file->name, sizeof file->name, name);
    return &file->text;
}

void definition_free(struct definition *definition)
{
    for (size_t i = 0; i < definition->count; i++)
        buffer_free(&definition->files[i].text);
    *definition = (struct definition) { .count = 0 };
}

int64_t definition_stop_ms(const struct config *config)
{
    return config->stop_timeout_ms + (int64_t)MACHINE_KILL_TRIES * MACHINE_KILL_AGAIN_MS +
            STOP_SLACK_MS;
}

/* ---- Differences ----------------------------------------------------------------------------- */

struct line {
    const char *text;
    size_t length;
};

struct lines {
    struct line list[DIFF_LINES_MAX];
    size_t count;
};

struct comparison {
    struct lines from;
    struct lines to;
    /* How many lines are common to what follows line i of the one and line j of the other. */
    uint16_t common[DIFF_LINES_MAX + 1][DIFF_LINES_MAX + 1];
};

static struct line next_line(const char **text)
{
    struct line line = { .text = *text, .length = strcspn(*text, "\n") };

    *text += line.length + ((*text)[line.length] == '\n' ? 1 : 0);
    return line;
}

static bool split(const char *text, struct lines *ret_lines)
{
    ret_lines->count = 0;
    while (*text != '\0') {
        if (ret_lines->count == DIFF_LINES_MAX)
            return false;
        ret_lines->list[ret_lines->count++] = next_line(&text);
    }
    return true;
}

static bool same(const struct line *a, const struct line *b)
{
    return a->length == b->length && memcmp(a->text, b->text, a->length) == 0;
}

static void tell(char sign, struct line line, struct buffer *out)
{
    buffer_append(out, &sign, 1);
    buffer_append(out, line.text, line.length);
    buffer_puts(out, "\n");
}

static void count_common(struct comparison *all)
{
    for (size_t i = all->from.count; i-- > 0;)
        for (size_t j = all->to.count; j-- > 0;) {
            uint16_t below = all->common[i + 1][j];
            uint16_t beside = all->common[i][j + 1];

            if (same(&all->from.list[i], &all->to.list[j]))
                all->common[i][j] = (uint16_t)(all->common[i + 1][j + 1] + 1);
            else
                all->common[i][j] = below > beside ? below : beside;
        }
}

static void walk(const struct comparison *all, struct buffer *out)
{
    size_t i = 0;
    size_t j = 0;

    while (i < all->from.count || j < all->to.count) {
        if (i < all->from.count && j < all->to.count &&
                same(&all->from.list[i], &all->to.list[j])) {
            i++;
            j++;
        } else if (j == all->to.count ||
                (i < all->from.count && all->common[i + 1][j] >= all->common[i][j + 1])) {
            tell('-', all->from.list[i++], out);
        } else {
            tell('+', all->to.list[j++], out);
        }
    }
}

bool definition_diff(const char *from, const char *to, struct buffer *out)
{
    struct comparison *all;

    if (strcmp(from, to) == 0)
        return false;
    all = calloc(1, sizeof *all);
    if (all != NULL && split(from, &all->from) && split(to, &all->to)) {
        count_common(all);
        walk(all, out);
    } else {
        while (*from != '\0')
            tell('-', next_line(&from), out);
        while (*to != '\0')
            tell('+', next_line(&to), out);
    }
    free(all);
    return true;
}

/* ---- How a run has ended --------------------------------------------------------------------- */

static void put_line(struct line line, char *ret_text, size_t size)
{
    (void)str_format(ret_text, size, "%.*s", (int)line.length, line.text);
}

bool definition_read_end(const char *log, uint64_t *ret_code, char *ret_sentence, size_t size)
{
    char text[END_LINE_BYTES];
    char before[END_LINE_BYTES] = "";
    char end[END_LINE_BYTES] = "";
    const char *code;

    while (*log != '\0') {
        put_line(next_line(&log), text, sizeof text);
        (void)str_copy(
                strstr(text, DEFINITION_END_WORDS) != NULL ? end : before, END_LINE_BYTES, text);
    }
    code = strstr(end, DEFINITION_END_WORDS);
    if (code == NULL)
        return false;
    code += strlen(DEFINITION_END_WORDS);
    (void)str_format(text, sizeof text, "%.*s", (int)strspn(code, "0123456789"), code);
    str_shorten(ret_sentence, size, before);
    return str_to_uint(text, INT32_MAX, ret_code);
}
