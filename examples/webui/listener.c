#define _POSIX_C_SOURCE 200809L

#include "listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define FIRST_PASSED_FD 3

union any_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_un local;
};

static int number_from_env(const char *name, int fallback, int max)
{
    const char *text = getenv(name);
    char *end;
    long value;

    if (text == NULL || text[0] == '\0')
        return fallback;
    errno = 0;
    value = strtol(text, &end, 10);
    return *end != '\0' || errno != 0 || value < 0 || value > max ? -1 : (int)value;
}

static bool is_listening_stream(int fd)
{
    int type = 0, listening = 0;
    socklen_t type_size = sizeof type, listening_size = sizeof listening;

    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_size) == 0 && type == SOCK_STREAM &&
            getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &listening_size) == 0 &&
            listening != 0;
}

/* O_NONBLOCK belongs to the open socket, which the service manager and the next generation share
 * with us, not to our descriptor.  It is set all the same, since nothing else keeps accept() from
 * blocking for ever when the other generation takes the connection that poll() has shown to both:
 * a receive time-out travels with the socket too, accept() has no flag for one call, and a socket
 * cannot be opened a second time.  A service manager clears the flag before it starts a program
 * (svcmgr does), so that a next generation that wants to block can.  While both run, the flag may
 * therefore be off: accept() is only called right after poll() has said that somebody waits. */
static int make_ready(int fd, char *text, size_t size)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags == -1 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) == -1 ||
            fcntl(fd, F_SETFD, FD_CLOEXEC) == -1) {
        snprintf(text, size, "cannot set up socket %d: %s", fd, strerror(errno));
        return -1;
    }
    return 0;
}

static void describe(struct listener *listener)
{
    union any_address address;
    socklen_t length = sizeof address;
    char host[INET6_ADDRSTRLEN] = "?";

    memset(&address, 0, sizeof address);
    snprintf(listener->url, sizeof listener->url, "unknown");
    if (getsockname(listener->fds[0], &address.any, &length) == -1)
        return;
    if (address.any.sa_family == AF_INET) {
        listener->port = ntohs(address.v4.sin_port);
        inet_ntop(AF_INET, &address.v4.sin_addr, host, sizeof host);
        snprintf(listener->url, sizeof listener->url, "http://%s:%u", host, listener->port);
    } else if (address.any.sa_family == AF_INET6) {
        listener->port = ntohs(address.v6.sin6_port);
        inet_ntop(AF_INET6, &address.v6.sin6_addr, host, sizeof host);
        snprintf(listener->url, sizeof listener->url, "http://[%s]:%u", host, listener->port);
    } else if (address.any.sa_family == AF_UNIX) {
        snprintf(listener->url, sizeof listener->url, "unix:%.*s",
                (int)sizeof address.local.sun_path, address.local.sun_path);
    }
}

/* As sd_listen_fds(3): LISTEN_FDS sockets from 3 on, meant for the process LISTEN_PID.  Without
 * LISTEN_PID they are taken as meant for us: that is how they come through a wrapper program.
 *
 * Returns how many there are, 0 if none are meant for us, -1 with a sentence in text.  This is the
 * only function that knows how sockets are handed over. */
static int adopt_passed_sockets(struct listener *listener, char *text, size_t size)
{
    const char *pid = getenv("LISTEN_PID");
    int count = number_from_env("LISTEN_FDS", 0, LISTENER_MAX);

    if (count == 0 || (pid != NULL && strtoll(pid, NULL, 10) != (long long)getpid()))
        return 0;
    if (count == -1) {
        snprintf(text, size, "LISTEN_FDS='%s' is not a number from 0 to %d", getenv("LISTEN_FDS"),
                LISTENER_MAX);
        return -1;
    }
    for (int i = 0; i < count; i++) {
        int fd = FIRST_PASSED_FD + i;

        if (!is_listening_stream(fd)) {
            snprintf(text, size, "passed descriptor %d is not a listening socket", fd);
            return -1;
        }
        if (make_ready(fd, text, size) == -1)
            return -1;
        listener->fds[i] = fd;
    }
    listener->inherited = true;
    return count;
}

static socklen_t parse_address(const char *host, int port, union any_address *ret_address)
{
    memset(ret_address, 0, sizeof *ret_address);
    if (inet_pton(AF_INET, host, &ret_address->v4.sin_addr) == 1) {
        ret_address->v4.sin_family = AF_INET;
        ret_address->v4.sin_port = htons((uint16_t)port);
        return sizeof ret_address->v4;
    }
    if (inet_pton(AF_INET6, host, &ret_address->v6.sin6_addr) == 1) {
        ret_address->v6.sin6_family = AF_INET6;
        ret_address->v6.sin6_port = htons((uint16_t)port);
        return sizeof ret_address->v6;
    }
    return 0;
}

static int bind_own_socket(struct listener *listener, char *text, size_t size)
{
    const char *host = getenv("HOST") ? getenv("HOST") : "127.0.0.1";
    int port = number_from_env("PORT", 8787, 65535);
    int on = 1;
    union any_address address;
    socklen_t length;
    int fd = -1;

    if (port == -1) {
        snprintf(text, size, "PORT='%s' is not a port", getenv("PORT"));
        return -1;
    }
    length = parse_address(host, port, &address);
    if (length == 0) {
        snprintf(text, size, "HOST='%s' is not an IPv4 or IPv6 address", host);
        return -1;
    }
    /* SO_REUSEADDR for what a predecessor left in TIME_WAIT.  It lets nobody share the port. */
    fd = socket(address.any.sa_family, SOCK_STREAM, 0);
    if (fd == -1 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == -1 ||
            bind(fd, &address.any, length) == -1 || listen(fd, SOMAXCONN) == -1) {
        snprintf(text, size, "cannot listen on %s port %d: %s", host, port, strerror(errno));
        goto failed;
    }
    if (make_ready(fd, text, size) == -1)
        goto failed;
    listener->fds[0] = fd;
    return 1;
failed:
    if (fd != -1)
        close(fd);
    return -1;
}

int listener_open(struct listener *ret_listener, char *text, size_t size)
{
    struct listener listener = { .count = 0 };

    listener.count = adopt_passed_sockets(&listener, text, size);
    if (listener.count == 0)
        listener.count = bind_own_socket(&listener, text, size);
    if (listener.count == -1)
        return -1;
    describe(&listener);
    *ret_listener = listener;
    return 0;
}

void listener_close(struct listener *listener)
{
    for (int i = 0; i < listener->count; i++)
        close(listener->fds[i]);
    listener->count = 0;
}

bool listener_is_readable(int fd)
{
    struct pollfd item = { .fd = fd, .events = POLLIN };

    return poll(&item, 1, 0) == 1 && (item.revents & POLLIN) != 0;
}
