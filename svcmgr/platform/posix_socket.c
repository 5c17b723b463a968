#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "platform_sys.h"
#include "posix.h"
#include "str.h"

#include "banned.h"

static int local_address(int fd, struct address *ret_address)
{
    struct sockaddr_storage storage;
    socklen_t length = sizeof storage;

    memset(&storage, 0, sizeof storage);
    if (getsockname(fd, (struct sockaddr *)&storage, &length) == -1)
        return -1;
    return sockaddr_read(&storage, ret_address) ? 0 : -1;
}

static int set_flag(int fd, int level, int name, int value)
{
    return sys.setsockopt(fd, level, name, &value, sizeof value);
}

int posix_open_socket(const struct address *address)
{
    int domain = address->family == ADDRESS_IPV4 ? AF_INET
            : address->family == ADDRESS_IPV6    ? AF_INET6
                                                 : AF_UNIX;
    int fd = sys.socket(domain, SOCK_STREAM, 0);

    if (fd != -1 && posix_set_cloexec(fd) == -1) {
        sys.close(fd);
        return -1;
    }
    return fd;
}

static enum platform_bind_result result_of(int code)
{
    if (code == EADDRINUSE)
        return PLATFORM_BIND_TAKEN;
    if (code == EADDRNOTAVAIL || code == EAFNOSUPPORT)
        return PLATFORM_BIND_NO_ADDRESS;
    return PLATFORM_BIND_FAILED;
}

/* With SO_REUSEADDR connections in TIME_WAIT do not matter; on Linux two such sockets can be bound
 * to one address and only listen() is ownership: socket(7).  Never SO_REUSEPORT, with which two
 * listeners of one user share silently. */
static int bind_socket(int fd, const struct platform_bind *bind)
{
    struct sockaddr_storage storage;
    struct address address = bind->address;
    socklen_t length;

    if (bind->temporary != NULL)
        (void)str_copy(address.path, sizeof address.path, bind->temporary);
    length = sockaddr_make(&address, &storage);
    if (length == 0) {
        errno = ENAMETOOLONG;
        return -1;
    }
    if (address_is_ip(&address) && set_flag(fd, SOL_SOCKET, SO_REUSEADDR, 1) == -1)
        return -1;
    /* Said explicitly, so that net.ipv6.bindv6only does not decide. */
    if (address.family == ADDRESS_IPV6 &&
            set_flag(fd, IPPROTO_IPV6, IPV6_V6ONLY, bind->only_ipv6) == -1)
        return -1;
    if (posix_is_overlapped(bind, -1)) {
        errno = EADDRINUSE;
        return -1;
    }
    if (sys.bind(fd, (struct sockaddr *)&storage, length) == -1)
        return -1;
    /* Of two who looked and bound at once, each sees the other. */
    if (posix_is_overlapped(bind, fd)) {
        errno = EADDRINUSE;
        return -1;
    }
    if (bind->hold && set_flag(fd, SOL_SOCKET, SO_REUSEADDR, 0) == -1)
        return -1;
    return bind->listen ? sys.listen(fd, (int)bind->backlog) : 0;
}

static void explain_bind(const struct platform_bind *bind, int code, struct err *err)
{
    char text[ADDRESS_TEXT_BYTES];

    address_format(&bind->address, text, sizeof text);
    if (code == EACCES && address_is_ip(&bind->address) && bind->address.port < 1024)
        err_set(err, ERR_OCCUPIED, code,
                "cannot bind %s: ports below 1024 need root or CAP_NET_BIND_SERVICE; choose "
                "another port",
                text);
    else
        err_set(err, ERR_OCCUPIED, code, "cannot bind %s: %s", text, strerror(code));
}

enum platform_bind_result platform_bind(const struct platform_bind *bind,
        platform_handle *ret_handle, struct address *ret_bound, struct err *err)
{
    struct address bound = bind->address;
    mode_t former = 0;
    int fd = posix_open_socket(&bind->address);
    int code = 0;

    if (fd == -1) {
        code = errno;
        explain_bind(bind, code, err);
        return result_of(code);
    }
    /* The mode of a Unix socket's file comes from the umask, so it is right from birth. */
    if (bind->address.family == ADDRESS_UNIX)
        former = umask((mode_t)(~bind->mode & 0777));
    if (bind_socket(fd, bind) == -1)
        code = errno;
    if (bind->address.family == ADDRESS_UNIX)
        (void)umask(former);
    if (code == 0 && address_is_ip(&bind->address) && local_address(fd, &bound) == -1)
        code = errno;
    if (code != 0) {
        explain_bind(bind, code, err);
        sys.close(fd);
        return result_of(code);
    }
    *ret_handle = fd;
    *ret_bound = bound;
    return PLATFORM_BIND_OK;
}

void platform_peer(platform_handle handle, struct platform_peer *ret_peer)
{
    posix_peer((int)handle, ret_peer);
}

bool platform_check_listener(platform_handle handle, struct address *ret_bound)
{
    (void)posix_set_nonblocking((int)handle, false); /* no verdict about who listens */
    return local_address((int)handle, ret_bound) != -1 && posix_is_listening((int)handle);
}

void platform_set_backlog(platform_handle handle, uint32_t backlog)
{
    if (posix_is_listening((int)handle))
        (void)sys.listen((int)handle, (int)backlog);
}

size_t platform_own_addresses(struct address *ret_addresses, size_t max)
{
    struct ifaddrs *list;
    size_t count = 0;

    if (getifaddrs(&list) == -1)
        return 0;
    for (struct ifaddrs *at = list; at != NULL && count < max; at = at->ifa_next) {
        struct sockaddr_storage storage;
        int family = at->ifa_addr == NULL ? AF_UNSPEC : at->ifa_addr->sa_family;

        if (family != AF_INET && family != AF_INET6)
            continue;
        memset(&storage, 0, sizeof storage);
        memcpy(&storage, at->ifa_addr,
                family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6));
        if (sockaddr_read(&storage, &ret_addresses[count])) {
            ret_addresses[count].port = 0;
            count++;
        }
    }
    freeifaddrs(list);
    return count;
}

int platform_pipe(platform_handle *ret_read, platform_handle *ret_write, struct err *err)
{
    int fds[2];

    if (sys.pipe(fds) == -1)
        return err_set(err, ERR_FAILED, errno, "cannot make a pipe: %s", strerror(errno));
    if (posix_set_cloexec(fds[0]) == -1 || posix_set_cloexec(fds[1]) == -1) {
        err_set(err, ERR_FAILED, errno, "cannot make a pipe: %s", strerror(errno));
        sys.close(fds[0]);
        sys.close(fds[1]);
        return -1;
    }
    *ret_read = fds[0];
    *ret_write = fds[1];
    return 0;
}

int platform_input_pipe(platform_handle *ret_read, platform_handle *ret_write, struct err *err)
{
    return platform_pipe(ret_read, ret_write, err);
}

int platform_send_all(platform_handle handle, const void *data, size_t length, int64_t deadline_ms,
        struct err *err)
{
    size_t done = 0;

    while (done < length) {
        ssize_t sent = sys.send(
                (int)handle, (const char *)data + done, length - done, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (sent >= 0)
            done += (size_t)sent;
        else if (errno == EAGAIN && posix_poll_one((int)handle, POLLOUT, deadline_ms) != 1)
            return err_set(err, ERR_NO_ANSWER, ETIMEDOUT, "the other side does not read");
        else if (errno != EINTR && errno != EAGAIN)
            return err_set(err, ERR_NOT_RUNNING, errno, "cannot send: %s", strerror(errno));
    }
    return 0;
}

void platform_give_pipe(platform_handle handle, uint32_t uid)
{
    (void)!fchown((int)handle, (uid_t)uid, (gid_t)-1);
}

long platform_receive(platform_handle handle, void *ret_data, size_t size, int64_t deadline_ms)
{
    for (;;) {
        int ready = posix_poll_one((int)handle, POLLIN, deadline_ms);
        ssize_t got;

        if (ready == 0)
            return -1;
        got = ready == 1 ? sys.read((int)handle, ret_data, size) : 0;
        if (got >= 0)
            return (long)got;
        if (errno != EINTR && errno != EAGAIN)
            return 0;
    }
}

static int open_pair(int type, platform_handle ret_ends[2], struct err *err)
{
    int fds[2];

    if (sys.socketpair(AF_UNIX, type, 0, fds) == -1)
        return err_set(err, ERR_FAILED, errno, "cannot make a socket pair: %s", strerror(errno));
    if (posix_set_cloexec(fds[0]) == -1 || posix_set_cloexec(fds[1]) == -1) {
        err_set(err, ERR_FAILED, errno, "cannot make a socket pair: %s", strerror(errno));
        sys.close(fds[0]);
        sys.close(fds[1]);
        return -1;
    }
    ret_ends[0] = fds[0];
    ret_ends[1] = fds[1];
    return 0;
}

int platform_stream_pair(platform_handle ret_ends[2], struct err *err)
{
    return open_pair(SOCK_STREAM, ret_ends, err);
}

int platform_channel_pair(platform_handle ret_ends[2], struct err *err)
{
    return open_pair(posix_channel_type(), ret_ends, err);
}
