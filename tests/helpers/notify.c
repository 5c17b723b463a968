#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "misbehave.h"

void notify_send(const char *text)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    size_t length;
    ssize_t sent;
    int fd;

    if (path == NULL)
        fail("NOTIFY_SOCKET is not set");
    length = strlen(path);
    if (length >= sizeof address.sun_path)
        fail("NOTIFY_SOCKET is too long");
    memcpy(address.sun_path, path, length);
    if (path[0] == '@')
        address.sun_path[0] = '\0';
    fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    if (fd == -1)
        fail("cannot make a socket: %s", strerror(errno));
    do
        sent = sendto(fd, text, strlen(text), 0, (const struct sockaddr *)&address,
                (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length));
    while (sent == -1 && errno == EINTR);
    if (sent == -1)
        fail("cannot send to NOTIFY_SOCKET: %s", strerror(errno));
    close(fd);
}

void word_notify(char **arguments)
{
    char text[4096];
    size_t used = 0;

    for (const char *at = arguments[0]; *at != '\0'; at++) {
        if (used == sizeof text - 1)
            fail("the text is too long");
        if (at[0] == '\\' && at[1] == 'n') {
            text[used++] = '\n';
            at++;
        } else {
            text[used++] = *at;
        }
    }
    text[used] = '\0';
    notify_send(text);
}

void word_notify_ready(char **arguments)
{
    (void)arguments;
    if (script_peek() != NULL && strcmp(script_peek(), "after") == 0) {
        (void)script_next();
        if (script_peek() == NULL)
            fail("'notify-ready after' needs MS");
        limit_sleep_us(script_number(script_next(), 3600000) * 1000);
    }
    notify_send("READY=1");
}

void word_watchdog_ping(char **arguments)
{
    long long every_ms = script_number(arguments[0], 3600000);
    long long count = script_number(arguments[1], 1000000000);

    for (long long i = 0; i < count || count == 0; i++) {
        limit_sleep_us(every_ms * 1000);
        notify_send("WATCHDOG=1");
    }
}
