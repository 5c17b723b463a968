#define _POSIX_C_SOURCE 200809L
#define _DARWIN_C_SOURCE

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "misbehave.h"

#define FIRST_PASSED_FD 3

union any_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_un local;
};

static bool was_passed;
static int listen_fd = -1; /* where visitors come in; -1: not decided */

void listen_start(void)
{
    const char *count = getenv("LISTEN_FDS");
    const char *pid = getenv("LISTEN_PID");

    was_passed = count != NULL && strtol(count, NULL, 10) > 0 &&
            (pid == NULL || strtoll(pid, NULL, 10) == (long long)getpid());
}

int listen_current(void)
{
    if (listen_fd == -1) {
        if (!was_passed)
            fail("no socket: nothing is bound, and LISTEN_FDS names none for this process");
        listen_fd = FIRST_PASSED_FD;
    }
    return listen_fd;
}

static socklen_t parse_unix(const char *path, union any_address *ret_address)
{
    if (strlen(path) >= sizeof ret_address->local.sun_path)
        fail("'%s' is too long for a socket's path", path);
    ret_address->local.sun_family = AF_UNIX;
    memcpy(ret_address->local.sun_path, path, strlen(path));
    return sizeof ret_address->local;
}

static socklen_t parse_ip(const char *host, const char *port_text, union any_address *ret_address)
{
    in_port_t port = htons((uint16_t)script_number(port_text, 65535));

    if (strcmp(host, "localhost") == 0)
        host = "127.0.0.1";
    if (inet_pton(AF_INET, host, &ret_address->v4.sin_addr) == 1) {
        ret_address->v4.sin_family = AF_INET;
        ret_address->v4.sin_port = port;
        return sizeof ret_address->v4;
    }
    if (inet_pton(AF_INET6, host, &ret_address->v6.sin6_addr) == 1) {
        ret_address->v6.sin6_family = AF_INET6;
        ret_address->v6.sin6_port = port;
        return sizeof ret_address->v6;
    }
    fail("'%s' is not an address", host);
}

static socklen_t parse_address(const char *text, union any_address *ret_address)
{
    char host[64] = "127.0.0.1";
    const char *colon = strrchr(text, ':');
    size_t length;

    memset(ret_address, 0, sizeof *ret_address);
    if (strncmp(text, "unix:", 5) == 0)
        return parse_unix(text + 5, ret_address);
    if (strcmp(text, "env") == 0) {
        if (getenv("PORT") == NULL)
            fail("PORT is not set");
        return parse_ip(host, getenv("PORT"), ret_address);
    }
    if (colon == NULL)
        return parse_ip(host, text, ret_address);
    length = (size_t)(colon - text);
    if (text[0] == '[' && length >= 2 && text[length - 1] == ']') {
        text++;
        length -= 2;
    }
    if (length >= sizeof host)
        fail("'%s' is not an address", text);
    memcpy(host, text, length);
    host[length] = '\0';
    return parse_ip(host, colon + 1, ret_address);
}

int listen_open(const char *address, bool listening)
{
    union any_address parsed;
    socklen_t length = parse_address(address, &parsed);
    int on = 1;
    int fd = socket(parsed.any.sa_family, SOCK_STREAM, 0);

    if (fd == -1 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == -1 ||
            bind(fd, &parsed.any, length) == -1 || (listening && listen(fd, SOMAXCONN) == -1))
        fail("cannot %s %s: %s", listening ? "listen on" : "bind", address, strerror(errno));
    return fd;
}

void word_listen_fd(char **arguments)
{
    (void)arguments;
    listen_fd = -1;
    (void)listen_current();
}

void word_bind(char **arguments)
{
    listen_fd = listen_open(arguments[0], true);
}

void word_bind_only(char **arguments)
{
    (void)listen_open(arguments[0], false);
    settings.stay = true;
}

void word_listen_silent(char **arguments)
{
    (void)listen_open(arguments[0], true);
    settings.stay = true;
}

void word_stop_listening(char **arguments)
{
    (void)arguments;
    if (shutdown(FIRST_PASSED_FD, SHUT_RDWR) == -1)
        fail("cannot shut descriptor %d down: %s", FIRST_PASSED_FD, strerror(errno));
}

void word_set_nonblock(char **arguments)
{
    int fd = (int)script_number(arguments[0], 65535);
    int flags = fcntl(fd, F_GETFL);

    if (flags == -1 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) == -1)
        fail("cannot change descriptor %d: %s", fd, strerror(errno));
}
