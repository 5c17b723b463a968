/* Messages with descriptors between keeper and supervisor, control sockets. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "platform_sys.h"
#include "posix.h"
#include "str.h"

#include "banned.h"

#define CONTROL_BACKLOG 128

void posix_attach(struct msghdr *message, union posix_control *space, platform_handle passed)
{
    struct cmsghdr *control;
    int fd = (int)passed;

    if (passed == PLATFORM_NO_HANDLE)
        return;
    memset(space, 0, sizeof *space);
    message->msg_control = space->bytes;
    message->msg_controllen = sizeof space->bytes;
    control = CMSG_FIRSTHDR(message);
    control->cmsg_level = SOL_SOCKET;
    control->cmsg_type = SCM_RIGHTS;
    control->cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(control), &fd, sizeof fd);
}

int platform_channel_send(platform_handle channel, const void *message, platform_handle passed,
        int64_t timeout_ms, struct err *err)
{
    struct iovec piece = { .iov_base = (void *)(uintptr_t)message,
        .iov_len = PLATFORM_MESSAGE_BYTES };
    struct msghdr header = { .msg_iov = &piece, .msg_iovlen = 1 };
    union posix_control space;
    int64_t deadline_ms = platform_now_ms() + timeout_ms;
    int tries = 0;

    posix_attach(&header, &space, passed);
    while (piece.iov_len > 0) {
        ssize_t sent = sys.sendmsg((int)channel, &header, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (sent == -1 && (errno == EINTR || posix_lacks_resources(errno, &tries)))
            continue;
        if (sent == -1 && errno == EAGAIN &&
                posix_poll_one((int)channel, POLLOUT, deadline_ms) == 1)
            continue;
        if (sent == -1)
            return err_set(err, ERR_FAILED, errno, "the channel failed: %s", strerror(errno));
        /* A stream socket may take a part; the descriptor went with the first byte. */
        header.msg_control = NULL;
        header.msg_controllen = 0;
        piece.iov_base = (char *)piece.iov_base + sent;
        piece.iov_len -= (size_t)sent;
    }
    return 0;
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wsign-conversion"
struct cmsghdr *posix_next_control(struct msghdr *message, struct cmsghdr *control)
{
    return CMSG_NXTHDR(message, control);
}
#pragma GCC diagnostic pop

int posix_take_descriptor(struct msghdr *header)
{
    int taken = -1;

    for (struct cmsghdr *control = CMSG_FIRSTHDR(header); control != NULL;
            control = posix_next_control(header, control)) {
        size_t count;

        if (control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_RIGHTS)
            continue;
        count = (control->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int fd;

            memcpy(&fd, CMSG_DATA(control) + i * sizeof fd, sizeof fd);
            if (taken == -1)
                taken = fd;
            else
                sys.close(fd);
        }
    }
    if (taken != -1)
        (void)posix_set_cloexec(taken);
    return taken;
}

int platform_channel_receive(
        platform_handle channel, int64_t timeout_ms, void *ret_message, platform_handle *ret_passed)
{
    int64_t deadline_ms = platform_now_ms() + timeout_ms;
    size_t have = 0;
    int passed = -1;
    int tries = 0;

    while (have < PLATFORM_MESSAGE_BYTES) {
        struct iovec piece = { .iov_base = (char *)ret_message + have,
            .iov_len = PLATFORM_MESSAGE_BYTES - have };
        union posix_control space;
        struct msghdr header = { .msg_iov = &piece,
            .msg_iovlen = 1,
            .msg_control = space.bytes,
            .msg_controllen = sizeof space.bytes };
        ssize_t got = sys.recvmsg((int)channel, &header, MSG_DONTWAIT);
        int fd;

        if (got == -1 && (errno == EINTR || posix_lacks_resources(errno, &tries)))
            continue;
        if (got == -1 && errno == EAGAIN) {
            int ready = posix_poll_one((int)channel, POLLIN, deadline_ms);

            if (ready == 1)
                continue;
            if (ready == 0 && have == 0)
                return 0;
        }
        if (got <= 0) {
            if (passed != -1)
                sys.close(passed);
            return -1;
        }
        fd = posix_take_descriptor(&header);
        if (fd != -1 && passed == -1)
            passed = fd;
        else if (fd != -1)
            sys.close(fd);
        have += (size_t)got;
    }
    *ret_passed = passed;
    return 1;
}

/* A path in sun_path has little room; seen from inside its directory the name always fits.  The
 * process has one thread, so nobody is surprised by the moment elsewhere. */

static int enter(const char *directory, int *ret_former, struct err *err)
{
    int former = sys.open(".", O_RDONLY | O_CLOEXEC | O_DIRECTORY);

    if (former == -1)
        former = sys.open("/", O_RDONLY | O_CLOEXEC | O_DIRECTORY);
    if (former == -1 || chdir(directory) == -1) {
        err_set(err, errno == ENOENT || errno == ENOTDIR ? ERR_NOT_RUNNING : posix_kind(errno),
                errno, "cannot enter %s: %s", directory, strerror(errno));
        if (former != -1)
            sys.close(former);
        return -1;
    }
    *ret_former = former;
    return 0;
}

static void leave(int former)
{
    if (fchdir(former) == -1)
        (void)!chdir("/");
    sys.close(former);
}

static int listen_inside(const char *name, platform_handle *ret_handle, struct err *err)
{
    char temporary[64];
    struct platform_bind bind = { .address = { .family = ADDRESS_UNIX },
        .listen = true,
        .backlog = CONTROL_BACKLOG,
        .mode = 0600,
        .temporary = temporary };
    struct address bound;
    platform_handle handle;

    (void)str_format(temporary, sizeof temporary, "%s.new", name);
    (void)sys.unlink(temporary);
    if (platform_bind(&bind, &handle, &bound, err) != PLATFORM_BIND_OK)
        return -1;
    if (platform_rename(temporary, name, err) == -1) {
        platform_close(handle);
        return -1;
    }
    *ret_handle = handle;
    return 0;
}

int platform_control_listen(
        const char *directory, const char *name, platform_handle *ret_handle, struct err *err)
{
    int former;
    int result;

    if (enter(directory, &former, err) == -1)
        return -1;
    result = listen_inside(name, ret_handle, err);
    leave(former);
    if (result == -1) {
        err->kind = posix_kind((int)err->os_code);
        return err_prefix(err, "cannot make the control socket in %s", directory);
    }
    return 0;
}

static int connect_to(const struct address *address, platform_handle *ret_handle, struct err *err)
{
    struct sockaddr_storage storage;
    socklen_t length = sockaddr_make(address, &storage);
    int fd = posix_open_socket(address);

    if (fd == -1)
        return err_set(err, ERR_FAILED, errno, "cannot make a socket: %s", strerror(errno));
    /* Not blocking: with a full backlog connect(2) would wait for a supervisor that may hang. */
    if (posix_set_nonblocking(fd, true) == -1 ||
            sys.connect(fd, (struct sockaddr *)&storage, length) == -1) {
        int code = errno;

        sys.close(fd);
        if (code == EAGAIN)
            return err_set(err, ERR_NO_ANSWER, code, "the supervisor accepts no connection");
        return err_set(err,
                code == ENOENT || code == ECONNREFUSED ? ERR_NOT_RUNNING : posix_kind(code), code,
                "cannot connect to the supervisor: %s", strerror(code));
    }
    *ret_handle = fd;
    return 0;
}

bool platform_unix_is_live(const char *path)
{
    struct address address = { .family = ADDRESS_UNIX };
    platform_handle handle;
    struct err err;

    if (!str_copy(address.path, sizeof address.path, path))
        return false;
    if (connect_to(&address, &handle, &err) == -1)
        return err.kind != ERR_NOT_RUNNING; /* full, or not ours to say: somebody may be there */
    platform_close(handle);
    return true;
}

int platform_control_connect(
        const char *directory, const char *name, platform_handle *ret_handle, struct err *err)
{
    struct address address = { .family = ADDRESS_UNIX };
    int former;
    int result;

    if (str_format(address.path, sizeof address.path, "%s/%s", directory, name))
        return connect_to(&address, ret_handle, err);
    (void)str_copy(address.path, sizeof address.path, name);
    if (enter(directory, &former, err) == -1)
        return -1;
    result = connect_to(&address, ret_handle, err);
    leave(former);
    return result;
}

void platform_take_bell(platform_handle handle)
{
    (void)posix_set_cloexec((int)handle);
    (void)posix_set_nonblocking((int)handle, true);
}

void platform_ring(platform_handle handle)
{
    char byte = 0;

    (void)!sys.write((int)handle, &byte, 1); /* a full pipe rings already */
}
