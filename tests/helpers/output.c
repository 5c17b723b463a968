#include "script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STANDARD_ERROR 2
#define LINE_BYTES     8192
#define FLOOD_LINE     64 /* bytes, of which 15 are the offset */
#define WAIT_MS_MAX    30000

/* With a new line, in a buffer of LINE_BYTES; 'what' is for who hears that it has no room. */
static size_t make_line(char *ret_line, const char *text, const char *what)
{
    int length = snprintf(ret_line, LINE_BYTES, "%s\n", text);

    if (length < 0 || length >= LINE_BYTES)
        script_refuse((struct fault) { REFUSAL_TOO_LONG, .about = what });
    return (size_t)length;
}

static void write_line(int fd, const char *text)
{
    char line[LINE_BYTES];
    size_t length = make_line(line, text, "line");

    output_write(fd, line, length);
}

void word_print(char **arguments)
{
    write_line(settings.output_fd, arguments[0]);
}

void word_print_err(char **arguments)
{
    write_line(STANDARD_ERROR, arguments[0]);
}

void word_no_newline(char **arguments)
{
    output_write(settings.output_fd, arguments[0], strlen(arguments[0]));
}

static bool is_number(const char *text)
{
    return text != NULL && text[0] != '\0' && strspn(text, "0123456789") == strlen(text);
}

void word_lines(char **arguments)
{
    long long count = script_number(arguments[0], 1000000000);
    long long every_us = is_number(script_peek()) ? script_number(script_next(), 60000000) : 0;
    char line[32];

    for (long long i = 1; i <= count; i++) {
        snprintf(line, sizeof line, "line %lld", i);
        write_line(settings.output_fd, line);
        if (every_us > 0)
            limit_sleep_us(every_us);
    }
}

void word_long_line(char **arguments)
{
    static char piece[65536];
    long long left = script_number(arguments[0], 1LL << 40);

    memset(piece, 'x', sizeof piece);
    while (left > 0) {
        size_t length = left < (long long)sizeof piece ? (size_t)left : sizeof piece;

        output_write(settings.output_fd, piece, length);
        left -= (long long)length;
    }
    output_write(settings.output_fd, "\n", 1);
}

void word_binary(char **arguments)
{
    char bytes[256];

    (void)arguments;
    for (int i = 0; i < 256; i++)
        bytes[i] = (char)i;
    output_write(settings.output_fd, bytes, sizeof bytes);
}

void word_flood(char **arguments)
{
    static char piece[1024 * FLOOD_LINE];
    long long total = script_number(arguments[0], 1LL << 40);
    char offset[24];

    memset(piece, '.', sizeof piece);
    for (size_t i = FLOOD_LINE - 1; i < sizeof piece; i += FLOOD_LINE)
        piece[i] = '\n';
    for (long long at = 0; at < total; at += (long long)sizeof piece) {
        long long left = total - at;

        for (size_t i = 0; i < sizeof piece; i += FLOOD_LINE) {
            snprintf(offset, sizeof offset, "%015lld", at + (long long)i);
            memcpy(piece + i, offset, 15);
        }
        output_write(settings.output_fd, piece,
                left < (long long)sizeof piece ? (size_t)left : sizeof piece);
    }
}

void word_append(char **arguments)
{
    char line[LINE_BYTES];

    (void)make_line(line, arguments[1], "append");
    output_append(arguments[0], line);
}

void word_touch(char **arguments)
{
    output_append(arguments[0], "");
}

void word_own_pid(char **arguments)
{
    char line[32];

    snprintf(line, sizeof line, "%lld\n", output_own_pid());
    output_append(arguments[0], line);
}

void word_wait_for(char **arguments)
{
    int64_t end_ms = limit_now_ms() + WAIT_MS_MAX;

    while (!output_is_there(arguments[0])) {
        if (limit_now_ms() >= end_ms)
            script_refuse((struct fault) {
                    REFUSAL_DID_NOT_COME, .about = arguments[0], .max = WAIT_MS_MAX });
        limit_sleep_us(2000);
    }
}

void word_exit_if(char **arguments)
{
    if (output_is_there(arguments[0]))
        exit((int)script_number(arguments[1], 255));
}

void word_exit_unless(char **arguments)
{
    if (!output_is_there(arguments[0]))
        exit((int)script_number(arguments[1], 255));
}
