#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "misbehave.h"

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

void word_to(char **arguments)
{
    settings.output_fd = (int)script_number(arguments[0], 65535);
}

void word_close_input(char **arguments)
{
    (void)arguments;
    (void)close(STDIN_FILENO);
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

bool output_is_there(const char *path)
{
    struct stat unused;

    return stat(path, &unused) == 0;
}

long long output_own_pid(void)
{
    return getpid();
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
