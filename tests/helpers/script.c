#include "script.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct word *words;
static size_t words_count;
static char **script; /* the words that are left, NULL at the end */

void script_begin(const struct word *given, size_t count, char **given_script)
{
    words = given;
    words_count = count;
    script = given_script;
}

const char *script_peek(void)
{
    return *script;
}

const char *script_next(void)
{
    return *script != NULL ? *script++ : NULL;
}

char **script_rest(void)
{
    return script;
}

long long script_number(const char *text, long long max)
{
    char *end;
    long long value;

    errno = 0;
    value = strtoll(text, &end, 10);
    if (*text == '\0' || *end != '\0' || errno != 0 || value < 0 || value > max)
        script_refuse((struct fault) { REFUSAL_NOT_A_NUMBER, .about = text, .max = max });
    return value;
}

void script_print_words(void)
{
    for (size_t i = 0; i < words_count; i++)
        printf("  %-14s %-18s %s\n", words[i].name, words[i].arguments, words[i].help);
}

static const struct word *find_word(const char *name)
{
    for (size_t i = 0; i < words_count; i++) {
        if (strcmp(words[i].name, name) == 0)
            return &words[i];
    }
    return NULL;
}

/* Those that are not in brackets. */
static int count_arguments(const struct word *word)
{
    int count = 0;

    for (const char *at = word->arguments; *at != '\0' && *at != '['; at++)
        count += at == word->arguments || (at[-1] == ' ' && *at != '[');
    return count;
}

static void run_next(void)
{
    const struct word *word = find_word(script[0]);
    char **arguments = ++script;

    if (word == NULL)
        script_refuse((struct fault) { REFUSAL_NOT_A_WORD, .about = script[-1] });
    for (int left = count_arguments(word); left > 0; left--) {
        if (*script == NULL)
            script_refuse((struct fault) {
                    REFUSAL_NEEDS_WORDS, .about = word->name, .detail = word->arguments });
        script++;
    }
    word->run(arguments);
}

void script_run(void)
{
    while (*script != NULL)
        run_next();
}

void script_run_options(void)
{
    while (*script != NULL) {
        const struct word *word = find_word(*script);

        if (word == NULL || word->kind != OPTION)
            script_refuse((struct fault) { REFUSAL_AFTER_SERVER, .about = *script });
        run_next();
    }
}
