#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "misbehave.h"

#define FLOOD_LINE  64 /* bytes, of which 15 are the offset */
#define WAIT_MS_MAX 30000

void output_write(int fd, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t written = write(fd, bytes, length);

        if (written == -1 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            struct pollfd item = { .fd = fd, .events = POLLOUT };

            (void)poll(&item, 1, -1);
        } else if (written == -1 && errno != EINTR) {
            fail("cannot write to descriptor %d: %s", fd, strerror(errno));
        } else if (written > 0) {
            bytes += written;
            length -= (size_t)written;
        }
    }
}

static void write_line(int fd, const char *text)
{
    char line[8192];
    int length = snprintf(line, sizeof line, "%s\n", text);

    if (length < 0 || length >= (int)sizeof line)
        fail("the text is too long");
    output_write(fd, line, (size_t)length);
}

void word_print(char **arguments)
{
    write_line(settings.output_fd, arguments[0]);
}

void word_print_err(char **arguments)
{
    write_line(STDERR_FILENO, arguments[0]);
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
    long long left = script_number(arguments[0], 1LL << 40);
    char piece[65536];

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
    long long total = script_number(arguments[0], 1LL << 40);
    char piece[1024 * FLOOD_LINE], offset[24];

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

void word_cat(char **arguments)
{
    char bytes[65536];
    ssize_t got;

    (void)arguments;
    while ((got = read(STDIN_FILENO, bytes, sizeof bytes)) != 0) {
        if (got == -1 && errno != EINTR)
            fail("cannot read standard input: %s", strerror(errno));
        if (got > 0)
            output_write(settings.output_fd, bytes, (size_t)got);
    }
}

void output_append(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);

    if (fd == -1)
        fail("cannot open %s: %s", path, strerror(errno));
    output_write(fd, text, strlen(text));
    close(fd);
}

void word_append(char **arguments)
{
    char line[8192];

    if (snprintf(line, sizeof line, "%s\n", arguments[1]) >= (int)sizeof line)
        fail("the text is too long");
    output_append(arguments[0], line);
}

void word_touch(char **arguments)
{
    output_append(arguments[0], "");
}

void word_own_pid(char **arguments)
{
    char line[32];

    snprintf(line, sizeof line, "%ld\n", (long)getpid());
    output_append(arguments[0], line);
}

/* Held as long as this process lives. */
void word_alone(char **arguments)
{
    int fd = open(arguments[0], O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    if (fd == -1)
        fail("%s: %s", arguments[0], strerror(errno));
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        return;
    if (errno != EWOULDBLOCK)
        fail("%s: %s", arguments[0], strerror(errno));
    word_own_pid(arguments + 1);
}

void word_wait_for(char **arguments)
{
    int64_t end_ms = limit_now_ms() + WAIT_MS_MAX;
    struct stat unused;

    while (stat(arguments[0], &unused) == -1) {
        if (limit_now_ms() >= end_ms)
            fail("%s did not come in %d ms", arguments[0], WAIT_MS_MAX);
        limit_sleep_us(2000);
    }
}

void word_exit_if(char **arguments)
{
    struct stat unused;

    if (stat(arguments[0], &unused) == 0)
        exit((int)script_number(arguments[1], 255));
}

void word_exit_unless(char **arguments)
{
    struct stat unused;

    if (stat(arguments[0], &unused) == -1)
        exit((int)script_number(arguments[1], 255));
}
