/* Messages with descriptors between keeper and supervisor, control sockets, notification. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "platform_sys.h"
#include "posix.h"
#include "str.h"

#include "banned.h"

#define CONTROL_BACKLOG 128

union control_space {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(sizeof(int))];
};

int platform_channel_send(platform_handle channel, const void *message, platform_handle passed,
        int64_t timeout_ms, struct err *err)
{
    struct iovec piece = { .iov_base = (void *)(uintptr_t)message,
        .iov_len = PLATFORM_MESSAGE_BYTES };
    struct msghdr header = { .msg_iov = &piece, .msg_iovlen = 1 };
    union control_space space;
    int64_t deadline_ms = platform_now_ms() + timeout_ms;

    memset(&space, 0, sizeof space);
    if (passed != PLATFORM_NO_HANDLE) {
        struct cmsghdr *control;
        int fd = (int)passed;

        header.msg_control = space.bytes;
        header.msg_controllen = sizeof space.bytes;
        control = CMSG_FIRSTHDR(&header);
        control->cmsg_level = SOL_SOCKET;
        control->cmsg_type = SCM_RIGHTS;
        control->cmsg_len = CMSG_LEN(sizeof fd);
        memcpy(CMSG_DATA(control), &fd, sizeof fd);
    }
    while (piece.iov_len > 0) {
        ssize_t sent = sys.sendmsg((int)channel, &header, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (sent == -1 && errno == EINTR)
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

/* Takes the descriptor out of a received message; a second one that nobody asked for is closed. */
static int take_descriptor(struct msghdr *header)
{
    int taken = -1;

    for (struct cmsghdr *control = CMSG_FIRSTHDR(header); control != NULL;
            control = CMSG_NXTHDR(header, control)) {
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

int platform_channel_receive(platform_handle channel, int64_t timeout_ms, void *ret_message,
        platform_handle *ret_passed)
{
    int64_t deadline_ms = platform_now_ms() + timeout_ms;
    size_t have = 0;
    int passed = -1;

    while (have < PLATFORM_MESSAGE_BYTES) {
        struct iovec piece = { .iov_base = (char *)ret_message + have,
            .iov_len = PLATFORM_MESSAGE_BYTES - have };
        union control_space space;
        struct msghdr header = { .msg_iov = &piece, .msg_iovlen = 1, .msg_control = space.bytes,
            .msg_controllen = sizeof space.bytes };
        int ready = posix_poll_one((int)channel, POLLIN, deadline_ms);
        ssize_t got;
        int fd;

        if (ready == 0 && have == 0)
            return 0;
        got = ready == 1 ? sys.recvmsg((int)channel, &header, MSG_DONTWAIT) : -1;
        if (got == -1 && ready == 1 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (got <= 0) {
            if (passed != -1)
                sys.close(passed);
            return -1;
        }
        fd = take_descriptor(&header);
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
    struct platform_bind bind = { .address = { .family = ADDRESS_UNIX }, .listen = true,
        .backlog = CONTROL_BACKLOG, .mode = 0600, .temporary = temporary };
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
    socklen_t length = posix_to_sockaddr(address, &storage);
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

void platform_notify_send(const char *name, const char *text)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    size_t length = name != NULL ? strlen(name) : 0;
    int fd;

    if (length < 2 || length >= sizeof address.sun_path || (name[0] != '/' && name[0] != '@'))
        return;
    memcpy(address.sun_path, name, length);
    if (name[0] == '@')
        address.sun_path[0] = '\0'; /* abstract: unix(7) */
    fd = sys.socket(AF_UNIX, SOCK_DGRAM, 0);
    if (fd == -1)
        return;
    (void)posix_set_cloexec(fd);
    (void)!sendto(fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT, (struct sockaddr *)&address,
            (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length));
    sys.close(fd);
}

/* A name that cannot be guessed, abstract where there is such a thing (so that directory modes do
 * not stand in the instance's way and nothing is left behind), else a file that belongs to it. */
int platform_notify_listen(uint32_t uid, platform_handle *ret_handle,
        char ret_name[PLATFORM_NOTIFY_BYTES], struct err *err)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    unsigned char random[12];
    char hex[2 * sizeof random + 1];
    char name[PLATFORM_NOTIFY_BYTES];
    socklen_t length;
    mode_t former;
    int code = 0;
    int fd;

    if (platform_random(random, sizeof random, err) == -1)
        return -1;
    for (size_t i = 0; i < sizeof random; i++)
        (void)str_format(hex + 2 * i, 3, "%02x", random[i]);
#if defined(__linux__) && !defined(SVCMGR_PORTABLE)
    (void)str_format(name, sizeof name, "@svcmgr-notify-%s", hex);
#else
    (void)str_format(name, sizeof name, "/tmp/svcmgr-notify-%s", hex);
#endif
    (void)str_copy(address.sun_path, sizeof address.sun_path, name);
    length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name));
    if (name[0] == '@')
        address.sun_path[0] = '\0';
    fd = sys.socket(AF_UNIX, SOCK_DGRAM, 0);
    former = umask(0177);
    if (fd == -1 || posix_set_cloexec(fd) == -1 || posix_pass_credentials(fd) == -1 ||
            sys.bind(fd, (struct sockaddr *)&address, length) == -1 ||
            (name[0] == '/' && uid != platform_uid() &&
                    chown(name, (uid_t)uid, (gid_t)-1) == -1))
        code = errno;
    (void)umask(former);
    if (code != 0) {
        errno = code;
        err_set(err, ERR_FAILED, errno, "cannot make the notification socket: %s",
                strerror(errno));
        if (fd != -1)
            sys.close(fd);
        platform_notify_remove(name);
        return -1;
    }
    *ret_handle = fd;
    memcpy(ret_name, name, sizeof name);
    return 0;
}

void platform_notify_remove(const char *name)
{
    if (name[0] == '/')
        (void)sys.unlink(name);
}
