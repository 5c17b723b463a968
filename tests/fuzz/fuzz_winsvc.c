/* Bytes -> a service's record, which is written and read again as it is; a command line, whoever
 * wrote it; and words, which are found again in the line that is made of them. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "command_line.h"
#include "fuzz.h"
#include "winsvc_record.h"

#include "banned.h"

#define WORDS_MAX 16

static void read_record(const char *text)
{
    static struct scm_service service;
    static struct scm_service again;
    struct buffer once = { 0 };
    struct buffer twice = { 0 };
    struct err err;

    if (winsvc_record_read(text, &service, &err) == -1) {
        REQUIRE(err.text[0] != '\0');
        return;
    }
    winsvc_record_write(&service, &once);
    REQUIRE(winsvc_record_read(buffer_text(&once), &again, &err) == 0);
    winsvc_record_write(&again, &twice);
    REQUIRE(once.length == twice.length && strcmp(buffer_text(&once), buffer_text(&twice)) == 0);
    buffer_free(&once);
    buffer_free(&twice);
}

/* A word is never longer than what it was read from, and every step goes on. */
static void read_line(const char *line, size_t size)
{
    char *word = malloc(size + 1);
    const char *end = line + size;
    const char *at = line;

    if (word == NULL)
        return;
    for (bool is_program = true; command_line_next(&at, is_program, word, size + 1);
            is_program = false) {
        REQUIRE((at > line || is_program) && at <= end);
        REQUIRE(strlen(word) <= (size_t)(at - line));
        line = at;
    }
    REQUIRE(strspn(at, " \t") == strlen(at));
    free(word);
}

/* The text, cut where a line ends, as words. */
static void write_and_read(char *text, size_t size)
{
    const char *words[WORDS_MAX + 1] = { "C:\\a b\\x.exe" };
    char *word = malloc(size + sizeof "C:\\a b\\x.exe");
    struct buffer line = { 0 };
    const char *at;
    size_t count = 1;

    for (char *end; count < WORDS_MAX && text != NULL; text = end) {
        end = strchr(text, '\n');
        if (end != NULL)
            *end++ = '\0';
        words[count++] = text;
    }
    command_line_join(words, size % 2 == 0, &line);
    at = buffer_text(&line);
    for (size_t i = 0; i < count && word != NULL && !line.failed; i++) {
        REQUIRE(command_line_next(&at, i == 0, word, size + sizeof "C:\\a b\\x.exe"));
        REQUIRE(strcmp(word, words[i]) == 0);
    }
    REQUIRE(word == NULL || line.failed || *at == '\0');
    buffer_free(&line);
    free(word);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    char *text = fuzz_text(bytes, size);

    if (text == NULL)
        return 0;
    read_record(text);
    read_line(text, strlen(text));
    write_and_read(text, strlen(text));
    free(text);
    return 0;
}
