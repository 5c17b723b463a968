/* Command lines, which Windows hands over as one text, and blocks of environment variables. */
#include <stdlib.h>
#include <string.h>

#include "command_line.h"
#include "windows_parts.h"

#include "banned.h"

#define UTF8_PER_UNIT 3 /* bytes that a unit of UTF-16 takes at most */

/* ---- Command lines --------------------------------------------------------------------------- */

WCHAR *windows_join_words(const char *const *words)
{
    struct buffer line = { 0 };
    WCHAR *joined = NULL;

    command_line_join(words, false, &line);
    if (!line.failed)
        joined = malloc((line.length + 1) * sizeof *joined); /* a byte is at most a unit */
    if (joined != NULL)
        (void)windows_to_wide(buffer_text(&line), joined, line.length + 1);
    buffer_free(&line);
    return joined;
}

static long split(const char *line, char *ret_text, size_t size)
{
    size_t used = 0;
    bool is_program = true;

    while (used < size && command_line_next(&line, is_program, ret_text + used, size - used)) {
        used += strlen(ret_text + used) + 1;
        is_program = false;
    }
    return line[strspn(line, " \t")] == '\0' ? (long)used : -1;
}

long windows_split_words(const WCHAR *line, char *ret_text, size_t size)
{
    size_t room = wcslen(line) * UTF8_PER_UNIT + 1;
    char *text = malloc(room);
    long length = -1;

    if (text != NULL && windows_from_wide(line, text, room))
        length = split(text, ret_text, size);
    free(text);
    return length;
}

/* ---- Environments ---------------------------------------------------------------------------- */

struct variable {
    WCHAR *text;
    size_t name_length;
    size_t place; /* in the list */
};

/* By name as the system compares them, the last one of a name first. */
static int compare(const void *a, const void *b)
{
    const struct variable *left = a;
    const struct variable *right = b;
    int order = CompareStringOrdinal(
            left->text, (int)left->name_length, right->text, (int)right->name_length, TRUE);

    if (order != CSTR_EQUAL)
        return order - CSTR_EQUAL;
    return (left->place < right->place) - (left->place > right->place);
}

static bool is_same_name(const struct variable *a, const struct variable *b)
{
    return CompareStringOrdinal(a->text, (int)a->name_length, b->text, (int)b->name_length, TRUE) ==
            CSTR_EQUAL;
}

static bool is_skipped(const char *text, const char *const *skipped, size_t count)
{
    uintptr_t begin = (uintptr_t)text;

    for (size_t i = 0; i < count; i++)
        if (skipped[i] != NULL && (uintptr_t)skipped[i] >= begin &&
                (uintptr_t)skipped[i] <= begin + strlen(text))
            return true;
    return false;
}

/* The names of some are "=C:", and the sign that ends one is behind the first character. */
static size_t name_length(const WCHAR *text)
{
    return text[0] == L'\0' ? 0 : 1 + wcscspn(text + 1, L"=");
}

static void write_block(struct variable *list, size_t count, WCHAR *block)
{
    qsort(list, count, sizeof *list, compare);
    for (size_t i = 0; i < count; i++) {
        size_t length = wcslen(list[i].text) + 1;

        if (i > 0 && is_same_name(&list[i - 1], &list[i]))
            continue;
        memcpy(block, list[i].text, length * sizeof *block);
        block += length;
    }
    block[0] = block[1] = L'\0'; /* an empty block has two */
}

WCHAR *windows_make_block(char *const *environment, const char *const skipped[], size_t count)
{
    size_t total = 0;
    size_t number = 0;
    struct variable *list;
    WCHAR *texts;
    WCHAR *block;

    for (; environment[number] != NULL; number++)
        total += strlen(environment[number]) + 1;
    list = malloc((number + 1) * sizeof *list);
    texts = malloc((total + 1) * sizeof *texts);
    block = malloc((total + 2) * sizeof *block);
    if (list != NULL && texts != NULL && block != NULL) {
        WCHAR *at = texts;
        size_t used = 0;

        for (size_t i = 0; i < number; i++) {
            if (is_skipped(environment[i], skipped, count))
                continue;
            (void)windows_to_wide(environment[i], at, strlen(environment[i]) + 1);
            list[used++] =
                    (struct variable) { .text = at, .name_length = name_length(at), .place = i };
            at += wcslen(at) + 1;
        }
        write_block(list, used, block);
    } else {
        free(block);
        block = NULL;
    }
    free(list);
    free(texts);
    return block;
}
