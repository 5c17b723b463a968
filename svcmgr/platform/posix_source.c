#include "posix_source.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "platform_sys.h"

#include "banned.h"

/* A socket holds twice that, but at most twice /proc/sys/net/core/wmem_max: socket(7).  All pipes
 * of a user without privileges together may have 64 MiB: pipe(7). */
#define WIDE_BYTES (512 * 1024)

/* Bytes of events live here until the next platform_wait().  Only as much of it is ever touched as
 * came in one piece. */
static char piece[PLATFORM_PIECE_BYTES];

static struct platform_source *add(enum source_kind kind, int fd, int role, void *owner)
{
    struct platform_loop_state *loop = &platform_loop;
    size_t place = 0;

    while (place < loop->used && loop->sources[place].kind != SOURCE_FREE)
        place++;
    if (place == PLATFORM_SOURCES_MAX || fd == -1) {
        platform_close(fd);
        return NULL;
    }
    if (place == loop->used)
        loop->used++;
    loop->sources[place] = (struct platform_source) {
        .kind = kind,
        .fd = fd,
        .role = role,
        .owner = owner,
        .fresh = true,
        .close_watch = -1,
    };
    return &loop->sources[place];
}

static struct platform_source *add_nonblocking(
        enum source_kind kind, platform_handle handle, int role, void *owner)
{
    (void)posix_set_nonblocking((int)handle, true);
    return add(kind, (int)handle, role, owner);
}

struct platform_source *platform_watch_stream(platform_handle handle, int role, void *owner)
{
    return add_nonblocking(SOURCE_STREAM, handle, role, owner);
}

struct platform_source *platform_watch_pipe(platform_handle handle, int role, void *owner)
{
    struct platform_source *source = add_nonblocking(SOURCE_STREAM, handle, role, owner);

    if (source != NULL)
        source->is_pipe = true;
    return source;
}

struct platform_source *platform_watch_input(platform_handle handle, int role, void *owner)
{
    return add(SOURCE_STREAM, (int)handle, role, owner);
}

struct platform_source *platform_watch_listener(platform_handle handle, int role, void *owner)
{
    return add_nonblocking(SOURCE_LISTENER, handle, role, owner);
}

struct platform_source *platform_watch_notify(platform_handle handle, int role, void *owner)
{
    return add_nonblocking(SOURCE_NOTIFY, handle, role, owner);
}

struct platform_source *platform_watch_channel(platform_handle handle, int role, void *owner)
{
    return add(SOURCE_CHANNEL, (int)handle, role, owner);
}

struct platform_source *platform_watch_failure(platform_handle handle, int role, void *owner)
{
    return add_nonblocking(SOURCE_FAILURE, handle, role, owner);
}

struct platform_source *platform_watch_process(
        const struct identity *identity, int role, void *owner)
{
    int fd = posix_open_process(identity);
    struct platform_source *source = fd == -1 ? NULL : add(SOURCE_PROCESS, fd, role, owner);

    if (source != NULL)
        source->pid = identity->pid;
    return source;
}

/* Whether a connection that is being made has failed already: on loopback the refusal is there when
 * connect() returns, which says EINPROGRESS all the same. */
static bool has_failed(int fd)
{
    int code = 0;
    socklen_t length = sizeof code;

    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &length) == -1 || code == 0)
        return false;
    errno = code;
    return true;
}

struct platform_source *platform_connect(
        const struct address *address, int role, void *owner, struct err *err)
{
    struct sockaddr_storage storage;
    socklen_t length = sockaddr_make(address, &storage);
    int fd = length == 0 ? -1 : posix_open_socket(address);
    struct platform_source *source;

    if (fd == -1) {
        err_set(err, ERR_FAILED, errno, "cannot make a socket: %s", strerror(errno));
        return NULL;
    }
    (void)posix_set_nonblocking(fd, true);
    if (sys.connect(fd, (struct sockaddr *)&storage, length) == -1 &&
            ((errno != EINPROGRESS && errno != EINTR) || has_failed(fd))) {
        err_set(err, ERR_FAILED, errno, "cannot connect: %s", strerror(errno));
        sys.close(fd);
        return NULL;
    }
    source = add(SOURCE_CONNECTING, fd, role, owner);
    if (source == NULL)
        err_set(err, ERR_FAILED, EMFILE, "cannot connect: too many connections");
    return source;
}

bool platform_means_nobody(long os_code)
{
    return os_code == ECONNREFUSED || os_code == ENOENT || os_code == ENETUNREACH ||
            os_code == EHOSTUNREACH || os_code == EADDRNOTAVAIL || os_code == EAFNOSUPPORT ||
            os_code == ENOTSOCK || os_code == ECONNRESET;
}

void platform_unwatch(struct platform_source *source)
{
    struct platform_loop_state *loop = &platform_loop;

    if (source == NULL || source->kind == SOURCE_FREE)
        return;
    sys.close(source->fd);
    platform_close(source->close_watch);
    send_queue_free(&source->queue);
    source->kind = SOURCE_FREE;
    while (loop->used > 0 && loop->sources[loop->used - 1].kind == SOURCE_FREE)
        loop->used--;
}

void platform_set_owner(struct platform_source *source, void *owner)
{
    if (source != NULL)
        source->owner = owner;
}

platform_handle platform_source_handle(const struct platform_source *source)
{
    return source->fd;
}

static bool both_ends(
        const struct platform_source *source, struct address *ret_own, struct address *ret_peer)
{
    struct sockaddr_storage own;
    struct sockaddr_storage peer;
    socklen_t own_length = sizeof own;
    socklen_t peer_length = sizeof peer;

    memset(&own, 0, sizeof own);
    memset(&peer, 0, sizeof peer);
    return getsockname(source->fd, (struct sockaddr *)&own, &own_length) == 0 &&
            getpeername(source->fd, (struct sockaddr *)&peer, &peer_length) == 0 &&
            sockaddr_read(&own, ret_own) && sockaddr_read(&peer, ret_peer) &&
            address_is_ip(ret_own);
}

bool platform_is_self_connected(const struct platform_source *source)
{
    struct address own;
    struct address peer;

    return both_ends(source, &own, &peer) && address_equal(&own, &peer);
}

void platform_end_by_reset(struct platform_source *source)
{
    struct linger at_once = { .l_onoff = 1, .l_linger = 0 };

    (void)sys.setsockopt(source->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

int platform_is_accepted(const struct platform_source *source)
{
    struct address own;
    struct address peer;

    /* Without a peer it was reset meanwhile, which its end tells. */
    return both_ends(source, &own, &peer) ? posix_connection_accepted(&peer, &own) : 0;
}

size_t platform_unsent(const struct platform_source *source)
{
    return send_queue_left(&source->queue);
}

void platform_widen(struct platform_source *source)
{
    struct sockaddr_storage own;
    socklen_t length = sizeof own;
    int bytes = WIDE_BYTES;

    if (source->is_pipe) {
        posix_widen_pipe(source->fd, WIDE_BYTES);
        return;
    }
    /* TCP widens by itself, unless it has been told how much: tcp(7). */
    if (getsockname(source->fd, (struct sockaddr *)&own, &length) == 0 && own.ss_family == AF_UNIX)
        (void)sys.setsockopt(source->fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
}

void platform_pause(struct platform_source *source, bool pause)
{
    source->paused = pause;
}

void platform_await_close(struct platform_source *source)
{
    source->awaits_close = true;
    source->close_watch = posix_open_close_watch(source->fd);
}

static ssize_t put(const struct platform_source *source, const char *data, size_t length)
{
    ssize_t sent;

    do
        sent = source->is_pipe ? sys.write(source->fd, data, length)
                               : sys.send(source->fd, data, length, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (sent == -1 && errno == EINTR);
    return sent;
}

/* 1 all gone, 0 some is left, -1 the stream is broken. */
static int flush(struct platform_source *source)
{
    ssize_t sent = 0;

    while (sent != -1 && platform_unsent(source) > 0) {
        sent = put(source, send_queue_next(&source->queue), platform_unsent(source));
        if (sent != -1)
            send_queue_advance(&source->queue, (size_t)sent);
    }
    if (sent == -1 && errno != EAGAIN)
        return -1;
    return sent != -1;
}

int platform_send(struct platform_source *source, const void *data, size_t length, size_t limit)
{
    size_t done = 0;

    while (platform_unsent(source) == 0 && done < length) {
        ssize_t sent = put(source, (const char *)data + done, length - done);

        if (sent == -1 && errno != EAGAIN)
            return -1;
        if (sent == -1)
            break;
        done += (size_t)sent;
    }
    if (done == length)
        return 0;
    if (platform_unsent(source) + (length - done) > limit)
        return -1;
    return send_queue_add(&source->queue, (const char *)data + done, length - done);
}

short posix_source_interest(const struct platform_source *source)
{
    short events = source->ended || source->paused ? 0 : POLLIN;

    switch (source->kind) {
    case SOURCE_FREE:
        return 0;
    case SOURCE_CONNECTING:
        return POLLOUT;
    case SOURCE_STREAM:
        if (platform_unsent(source) > 0)
            events |= POLLOUT;
        /* It is told whether asked for or not: poll(2). */
        if (events == 0 && source->awaits_close)
            return source->close_watch == -1 ? POLLHUP : POLLIN;
        return events;
    case SOURCE_LISTENER:
    case SOURCE_NOTIFY:
    case SOURCE_CHANNEL:
    case SOURCE_FAILURE:
    case SOURCE_PROCESS:
        break;
    }
    return events;
}

/* While something is left to send, poll(2) says with POLLOUT as well that nobody will read it. */
static bool is_close_watched(const struct platform_source *source)
{
    return source->awaits_close && source->ended && source->close_watch != -1 &&
            platform_unsent(source) == 0;
}

int posix_source_fd(const struct platform_source *source)
{
    return is_close_watched(source) ? source->close_watch : source->fd;
}

static bool tell_end(struct platform_source *source, int code, struct platform_event *event)
{
    source->ended = true;
    event->kind = PLATFORM_EVENT_END;
    event->os_code = code;
    return true;
}

static bool handle_stream(
        struct platform_source *source, short revents, struct platform_event *event)
{
    ssize_t got;

    if ((revents & POLLOUT) != 0) {
        int flushed = flush(source);

        if (flushed == -1)
            return tell_end(source, errno, event);
        if (flushed == 1) {
            event->kind = PLATFORM_EVENT_WRITTEN;
            return true;
        }
    }
    if (source->ended && source->awaits_close &&
            (is_close_watched(source) ? posix_is_closed(source->close_watch)
                                      : (revents & (POLLHUP | POLLERR)) != 0)) {
        source->awaits_close = false;
        return tell_end(source, EPIPE, event);
    }
    /* POLLNVAL is what macOS says of a device that it cannot watch, such as the null device; it can
     * be read all the same: poll(2) there, BUGS. */
    if ((revents & (POLLIN | POLLHUP | POLLERR | POLLNVAL)) == 0 || source->ended || source->paused)
        return false;
    got = sys.read(source->fd, piece, sizeof piece);
    if (got == -1 && (errno == EINTR || errno == EAGAIN))
        return false;
    if (got <= 0)
        return tell_end(source, got == 0 ? 0 : errno, event);
    event->kind = PLATFORM_EVENT_DATA;
    event->data = piece;
    event->length = (size_t)got;
    return true;
}

size_t platform_read_now(struct platform_source *source, const char **ret_data)
{
    ssize_t got;

    if (source->ended)
        return 0;
    do
        got = sys.read(source->fd, piece, sizeof piece);
    while (got == -1 && errno == EINTR);
    if (got == 0)
        source->ended = true;
    *ret_data = piece;
    return got > 0 ? (size_t)got : 0;
}

static bool handle_connecting(struct platform_source *source, struct platform_event *event)
{
    int code = 0;
    socklen_t length = sizeof code;

    if (getsockopt(source->fd, SOL_SOCKET, SO_ERROR, &code, &length) == -1)
        code = errno;
    if (code != 0)
        return tell_end(source, code, event);
    source->kind = SOURCE_STREAM;
    event->kind = PLATFORM_EVENT_CONNECTED;
    return true;
}

static bool handle_listener(struct platform_source *source, struct platform_event *event)
{
    int fd = sys.accept(source->fd, NULL, NULL);

    if (fd == -1)
        return false;
    (void)posix_set_cloexec(fd);
    posix_send_at_once(fd);
    posix_peer(fd, &event->peer);
    event->accepted = platform_watch_stream(fd, source->role, source->owner);
    event->kind = PLATFORM_EVENT_ACCEPTED;
    return event->accepted != NULL;
}

static bool handle_notify(struct platform_source *source, struct platform_event *event)
{
    long got =
            posix_receive_notify(source->fd, piece, sizeof piece - 1, &event->peer, &event->handle);

    if (got < 0)
        return false;
    piece[got] = '\0';
    event->kind = PLATFORM_EVENT_NOTIFY;
    event->data = piece;
    event->length = (size_t)got;
    return true;
}

static bool handle_channel(struct platform_source *source, struct platform_event *event)
{
    int got = platform_channel_receive(source->fd, 0, piece, &event->handle);

    if (got == 0)
        return false;
    if (got == -1)
        return tell_end(source, 0, event);
    event->kind = PLATFORM_EVENT_MESSAGE;
    event->data = piece;
    event->length = PLATFORM_MESSAGE_BYTES;
    return true;
}

static bool handle_failure(struct platform_source *source, struct platform_event *event)
{
    struct posix_failure failure;
    ssize_t got = sys.read(source->fd, &failure, sizeof failure);

    if (got == -1 && (errno == EINTR || errno == EAGAIN))
        return false;
    if (got != (ssize_t)sizeof failure)
        return tell_end(source, 0, event);
    source->ended = true;
    event->kind = PLATFORM_EVENT_CHILD_FAILED;
    event->stage = (enum platform_stage)failure.stage;
    event->os_code = failure.code;
    return true;
}

static bool handle_process(struct platform_source *source, struct platform_event *event)
{
    source->ended = true;
    event->kind = PLATFORM_EVENT_GONE;
    event->pid = source->pid;
    posix_process_exit(source->fd, &event->exit);
    return true;
}

bool posix_source_handle(
        struct platform_source *source, short revents, struct platform_event *event)
{
    event->source = source;
    event->role = source->role;
    event->owner = source->owner;
    switch (source->kind) {
    case SOURCE_FREE:
        return false;
    case SOURCE_STREAM:
        return handle_stream(source, revents, event);
    case SOURCE_CONNECTING:
        return handle_connecting(source, event);
    case SOURCE_LISTENER:
        return handle_listener(source, event);
    case SOURCE_NOTIFY:
        return handle_notify(source, event);
    case SOURCE_CHANNEL:
        return handle_channel(source, event);
    case SOURCE_FAILURE:
        return handle_failure(source, event);
    case SOURCE_PROCESS:
        return handle_process(source, event);
    }
    return false;
}
