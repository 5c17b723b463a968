#include "sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define FIRST_PASSED_FD 3
#define PASSED_MAX      8
#define ITEMS_MAX       1024

/* Written by the handler of SIGTERM and SIGINT. */
static int signal_pipe[2] = { -1, -1 };
static int handed_over[PASSED_MAX];
static int handed_over_count;

int net_begin(void)
{
    return 0;
}

int64_t net_now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

long net_pid(void)
{
    return (long)getpid();
}

void net_print(const char *text, size_t length)
{
    (void)!write(STDOUT_FILENO, text, length);
}

const char *net_problem(void)
{
    return strerror(errno);
}

/* ---- Listening ------------------------------------------------------------------------------- */

/* O_NONBLOCK belongs to the open socket, which the service manager and the next generation share
 * with us, not to our descriptor.  It is set all the same, since nothing else keeps accept() from
 * blocking for ever when the other generation takes the connection that poll() has shown to both:
 * a receive time-out travels with the socket too, accept() has no flag for one call, and a socket
 * cannot be opened a second time.  A service manager clears the flag before it starts a program
 * (svcmgr does), so that a next generation that wants to block can.  While both run, the flag may
 * therefore be off: accept() is only called right after poll() has said that somebody waits. */
int net_make_ready(net_handle fd, char *text, size_t size)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags == -1 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) == -1 ||
            fcntl(fd, F_SETFD, FD_CLOEXEC) == -1) {
        snprintf(text, size, "cannot set up socket %d: %s", fd, strerror(errno));
        return -1;
    }
    return 0;
}

/* As sd_listen_fds(3): LISTEN_FDS sockets from 3 on, meant for the process LISTEN_PID.  Without
 * LISTEN_PID they are taken as meant for us: that is how they come through a wrapper program.  This
 * is the only function that knows how sockets are handed over. */
int net_take_passed(net_socket *ret_sockets, int max, char *text, size_t size)
{
    const char *pid = getenv("LISTEN_PID");
    const char *number = getenv("LISTEN_FDS");
    char *end = NULL;
    long count = 0;

    errno = 0;
    if (number != NULL && number[0] != '\0')
        count = strtol(number, &end, 10);
    if (count == 0 && (end == NULL || *end == '\0'))
        return 0;
    if (pid != NULL && strtoll(pid, NULL, 10) != (long long)getpid())
        return 0;
    if (*end != '\0' || errno != 0 || count < 0 || count > max) {
        snprintf(text, size, "LISTEN_FDS='%s' is not a number from 0 to %d", number, max);
        return -1;
    }
    for (int i = 0; i < (int)count; i++) {
        int fd = FIRST_PASSED_FD + i;

        if (!net_is_listening_stream(fd)) {
            snprintf(text, size, "passed descriptor %d is not a listening socket", fd);
            return -1;
        }
        if (net_make_ready(fd, text, size) == -1)
            return -1;
        ret_sockets[i] = fd;
    }
    return (int)count;
}

void net_describe_other(const struct sockaddr_storage *address, char *ret_url, size_t size)
{
    const struct sockaddr_un *local = (const struct sockaddr_un *)address;

    if (address->ss_family == AF_UNIX)
        snprintf(ret_url, size, "unix:%.*s", (int)sizeof local->sun_path, local->sun_path);
}

/* ---- Connections ----------------------------------------------------------------------------- */

void net_close(net_socket s)
{
    close((int)s);
}

net_socket net_accept(net_socket listener, bool *ret_is_exhausted)
{
    int accepted = accept((int)listener, NULL, NULL);

    /* EAGAIN: the other generation was faster.  ECONNABORTED and the like: the peer has gone.  Only
     * for want of descriptors or memory would the loop spin. */
    *ret_is_exhausted = accepted == -1 &&
            (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM);
    return accepted;
}

bool net_is_readable(net_socket s)
{
    struct pollfd item = { .fd = (int)s, .events = POLLIN };

    return poll(&item, 1, 0) == 1 && (item.revents & POLLIN) != 0;
}

void net_no_delay(net_socket s)
{
    int on = 1;

    /* Fails on a Unix socket, which does not need it. */
    (void)setsockopt((int)s, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

static bool comes_later(void)
{
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

long net_receive(net_socket s, char *ret_data, size_t size)
{
    ssize_t got = recv((int)s, ret_data, size, MSG_DONTWAIT);

    if (got == -1)
        return comes_later() ? NET_LATER : NET_FAILED;
    return (long)got;
}

long net_send(net_socket s, const struct http_span *pieces, int count)
{
    /* How many is of another type on every system; what is left over is empty. */
    struct iovec list[NET_PIECES_MAX] = { { .iov_len = 0 } };
    struct msghdr message = { .msg_iov = list, .msg_iovlen = NET_PIECES_MAX };
    ssize_t sent;

    for (int i = 0; i < count; i++)
        /* iov_base is not const, since readv() has the same structure. */
        list[i] = (struct iovec) { (void *)(uintptr_t)pieces[i].text, pieces[i].length };
    sent = sendmsg((int)s, &message, MSG_DONTWAIT);
    if (sent == -1)
        return comes_later() ? NET_LATER : NET_FAILED;
    return (long)sent;
}

void net_end_sending(net_socket s)
{
    shutdown((int)s, SHUT_WR);
}

/* There is no item without a descriptor of its own, since poll() refuses more items than the
 * process may have descriptors; it passes over a negative one. */
bool net_wait(struct net_item *items, int count, int timeout_ms)
{
    static struct pollfd list[1 + ITEMS_MAX];
    bool good;

    list[0] = (struct pollfd) { .fd = signal_pipe[0], .events = POLLIN };
    for (int i = 0; i < count; i++)
        list[1 + i] = (struct pollfd) {
            .fd = (int)items[i].socket,
            .events = (short)((items[i].for_reading ? POLLIN : 0) |
                    (items[i].for_writing ? POLLOUT : 0)),
        };
    good = poll(list, 1 + (nfds_t)count, timeout_ms) != -1; /* a signal: the items say nothing */
    for (int i = 0; i < count; i++)
        items[i].happened = good && list[1 + i].revents != 0;
    return good;
}

/* ---- Stopping -------------------------------------------------------------------------------- */

/* Besides waking the loop, puts our end of the pipe in the place of each socket that was handed
 * over.  Such a socket may block (see net_make_ready()); if the signal comes between poll() and
 * accept(), accept() now fails instead of waiting for a connection that nobody may ever make. */
static void on_stop_signal(int number)
{
    unsigned char byte = (unsigned char)number;
    int saved_errno = errno;

    for (int i = 0; i < handed_over_count; i++)
        (void)dup2(signal_pipe[0], handed_over[i]);
    (void)!write(signal_pipe[1], &byte, 1);
    errno = saved_errno;
}

int net_catch_stop(const net_socket *passed, int count)
{
    struct sigaction action = { .sa_handler = on_stop_signal };

    if (pipe(signal_pipe) == -1 || fcntl(signal_pipe[0], F_SETFL, O_NONBLOCK) == -1 ||
            fcntl(signal_pipe[1], F_SETFL, O_NONBLOCK) == -1)
        return -1;
    for (int i = 0; i < count && i < PASSED_MAX; i++)
        handed_over[handed_over_count++] = (int)passed[i];
    /* Without SA_RESTART: whatever waits is to return. */
    sigemptyset(&action.sa_mask);
    if (sigaction(SIGTERM, &action, NULL) == -1 || sigaction(SIGINT, &action, NULL) == -1)
        return -1;
    action.sa_handler = SIG_IGN;
    return sigaction(SIGPIPE, &action, NULL);
}

int net_take_stops(void)
{
    unsigned char bytes[16];
    ssize_t got = read(signal_pipe[0], bytes, sizeof bytes);

    return got > 0 ? (int)got : 0;
}
