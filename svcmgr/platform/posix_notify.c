/* Notification sockets: sd_notify(3), both sides. */
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "platform_sys.h"
#include "posix.h"
#include "str.h"

#include "banned.h"

/* "@name" is abstract: unix(7), a first byte that is NUL.  0: not a name of either kind. */
static socklen_t notify_address(const char *name, struct sockaddr_un *ret_address)
{
    size_t length = strlen(name);

    *ret_address = (struct sockaddr_un) { .sun_family = AF_UNIX };
    if ((name[0] != '@' && name[0] != '/') || name[1] == '\0' ||
            length > sizeof ret_address->sun_path)
        return 0;
    memcpy(ret_address->sun_path, name, length); /* one of full length has no NUL behind it */
    if (name[0] == '@')
        ret_address->sun_path[0] = '\0';
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
}

int platform_notify_send(
        const char *name, const char *text, size_t length, platform_handle passed, struct err *err)
{
    struct sockaddr_un address;
    union posix_control space;
    struct iovec piece = { .iov_base = (void *)(uintptr_t)text, .iov_len = length };
    struct msghdr header = { .msg_name = &address, .msg_iov = &piece, .msg_iovlen = 1 };
    ssize_t sent;
    int code;
    int fd;

    header.msg_namelen = notify_address(name, &address);
    if (header.msg_namelen == 0)
        return err_set(err, ERR_CONFIG, 0, "cannot notify %s: not a socket's name", name);
    fd = sys.socket(AF_UNIX, SOCK_DGRAM, 0);
    if (fd == -1 || posix_set_cloexec(fd) == -1) {
        code = errno;
        if (fd != -1)
            sys.close(fd);
        return err_set(err, ERR_NO_ANSWER, code, "cannot make a socket: %s", strerror(code));
    }
    posix_attach(&header, &space, passed);
    do
        sent = sys.sendmsg(fd, &header, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (sent == -1 && errno == EINTR);
    code = errno;
    sys.close(fd);
    if (sent != -1)
        return 0;
    return err_set(err,
            code == EAGAIN || code == ENOBUFS || code == ENOMEM ? ERR_NO_ANSWER : posix_kind(code),
            code, "cannot notify %s: %s", name, strerror(code));
}

/* A name that cannot be guessed, abstract where there is such a thing (so that directory modes do
 * not stand in the instance's way and nothing is left behind), else a file that belongs to it. */
static int listen_for_notify(
        const char *name, uint32_t uid, platform_handle *ret_handle, struct err *err)
{
    struct sockaddr_un address;
    socklen_t length = notify_address(name, &address);
    mode_t former;
    int code = 0;
    int fd;

    fd = sys.socket(AF_UNIX, SOCK_DGRAM, 0);
    former = umask(0177);
    if (fd == -1 || posix_set_cloexec(fd) == -1 || posix_pass_credentials(fd) == -1 ||
            sys.bind(fd, (struct sockaddr *)&address, length) == -1 ||
            (name[0] == '/' && uid != platform_uid() && chown(name, (uid_t)uid, (gid_t)-1) == -1))
        code = errno;
    (void)umask(former);
    if (code == 0) {
        *ret_handle = fd;
        return 0;
    }
    if (fd != -1)
        sys.close(fd);
    platform_notify_remove(name);
    return err_set(
            err, ERR_FAILED, code, "cannot make the notification socket: %s", strerror(code));
}

int platform_notify_listen(uint32_t uid, platform_handle *ret_handle,
        char ret_name[PLATFORM_NOTIFY_BYTES], struct err *err)
{
    unsigned char random[12];
    char hex[2 * sizeof random + 1];
    char name[PLATFORM_NOTIFY_BYTES];

    if (platform_random(random, sizeof random, err) == -1)
        return -1;
    str_hex(hex, random, sizeof random);
    (void)str_format(name, sizeof name, "%s%s", posix_notify_prefix(), hex);
    if (listen_for_notify(name, uid, ret_handle, err) == -1)
        return -1;
    memcpy(ret_name, name, sizeof name);
    return 0;
}

int platform_notify_listen_again(
        const char *name, uint32_t uid, platform_handle *ret_handle, struct err *err)
{
    platform_notify_remove(name);
    return listen_for_notify(name, uid, ret_handle, err);
}

void platform_notify_remove(const char *name)
{
    if (name[0] == '/')
        (void)sys.unlink(name);
}
