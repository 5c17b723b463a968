/* Command lines, which Windows hands over as one text, and blocks of environment variables. */
#include <stdlib.h>
#include <string.h>

#include "windows_parts.h"

#include "banned.h"

/* ---- Command lines --------------------------------------------------------------------------- */

/* How the other side takes a line apart: CommandLineToArgvW(), and "Parsing C command-line
 * arguments" in the C library's manual.  A quote is written as \", and backslashes are doubled in
 * front of a quote only.  The first word is taken as it is between its quotes. */
struct line {
    WCHAR *at;
};

static void add(struct line *line, WCHAR c, size_t count)
{
    for (size_t i = 0; i < count; i++)
        *line->at++ = c;
}

static bool needs_quotes(const WCHAR *word)
{
    return word[0] == L'\0' || wcspbrk(word, L" \t\n\v\"") != NULL;
}

static void add_word(struct line *line, const WCHAR *word, bool is_first)
{
    bool quoted = needs_quotes(word);
    size_t backslashes = 0;

    if (quoted)
        add(line, L'"', 1);
    for (; *word != L'\0'; word++) {
        if (*word == L'"' && is_first)
            continue; /* cannot be written there, and no path has one */
        if (*word == L'"')
            add(line, L'\\', backslashes + 1);
        backslashes = *word == L'\\' ? backslashes + 1 : 0;
        add(line, *word, 1);
    }
    if (quoted && !is_first)
        add(line, L'\\', backslashes);
    if (quoted)
        add(line, L'"', 1);
}

static size_t wide_count(const char *text)
{
    int count = MultiByteToWideChar(CP_UTF8, 0, text, -1, NULL, 0);

    return count > 0 ? (size_t)count : 1;
}

WCHAR *windows_join_words(const char *const *words)
{
    size_t longest = 1;
    size_t total = 1;
    struct line line;
    WCHAR *joined;
    WCHAR *word;

    for (size_t i = 0; words[i] != NULL; i++) {
        size_t count = wide_count(words[i]);

        longest = count > longest ? count : longest;
        total += 2 * count + 3; /* each of its characters with a backslash, quotes, a blank */
    }
    joined = malloc((total + longest) * sizeof *joined);
    if (joined == NULL)
        return NULL;
    word = joined + total;
    line.at = joined;
    for (size_t i = 0; words[i] != NULL; i++) {
        if (i > 0)
            add(&line, L' ', 1);
        (void)windows_to_wide(words[i], word, longest);
        add_word(&line, word, i == 0);
    }
    *line.at = L'\0';
    return joined;
}

static bool is_blank(WCHAR c)
{
    return c == L' ' || c == L'\t';
}

/* Takes the next word into 'word', which is as large as the line. */
static const WCHAR *take_first(const WCHAR *line, WCHAR *word)
{
    bool quoted = false;

    for (; *line != L'\0' && (quoted || !is_blank(*line)); line++)
        if (*line == L'"')
            quoted = !quoted;
        else
            *word++ = *line;
    *word = L'\0';
    return line;
}

static const WCHAR *take_word(const WCHAR *line, WCHAR *word)
{
    bool quoted = false;

    while (*line != L'\0' && (quoted || !is_blank(*line))) {
        size_t backslashes = wcsspn(line, L"\\");
        bool before_quote = line[backslashes] == L'"';

        line += backslashes;
        for (size_t i = 0; i < (before_quote ? backslashes / 2 : backslashes); i++)
            *word++ = L'\\';
        if (before_quote && backslashes % 2 == 1) {
            *word++ = *line++;
        } else if (before_quote && quoted && line[1] == L'"') {
            *word++ = L'"'; /* "" between quotes is one */
            line += 2;
        } else if (before_quote) {
            quoted = !quoted;
            line++;
        } else if (*line != L'\0' && (quoted || !is_blank(*line))) {
            *word++ = *line++;
        }
    }
    *word = L'\0';
    return line;
}

long windows_split_words(const WCHAR *line, char *ret_text, size_t size)
{
    WCHAR *word = malloc((wcslen(line) + 1) * sizeof *word);
    size_t used = 0;
    long result = -1;

    if (word == NULL)
        return -1;
    for (bool is_first = true; *line != L'\0'; is_first = false) {
        line = is_first ? take_first(line, word) : take_word(line, word);
        while (is_blank(*line))
            line++;
        if (!windows_from_wide(word, ret_text + used, size - used))
            goto out;
        used += strlen(ret_text + used) + 1;
    }
    result = (long)used;
out:
    free(word);
    return result;
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
        total += wide_count(environment[number]);
    list = malloc((number + 1) * sizeof *list);
    texts = malloc((total + 1) * sizeof *texts);
    block = malloc((total + 2) * sizeof *block);
    if (list != NULL && texts != NULL && block != NULL) {
        WCHAR *at = texts;
        size_t used = 0;

        for (size_t i = 0; i < number; i++) {
            if (is_skipped(environment[i], skipped, count))
                continue;
            (void)windows_to_wide(environment[i], at, wide_count(environment[i]));
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
