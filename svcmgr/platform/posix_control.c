/* What a control channel over TCP needs: a file for the owner alone, and a connect with a limit. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "platform_sys.h"
#include "posix.h"
#include "str.h"

#include "banned.h"

bool platform_has_control_sockets(void)
{
    return true;
}

static int make_path(
        const char *directory, const char *name, char path[PLATFORM_PATH_BYTES], struct err *err)
{
    if (!str_format(path, PLATFORM_PATH_BYTES, "%s/%s", directory, name))
        return err_set(err, ERR_FAILED, 0, "the path %s/%s is too long", directory, name);
    return 0;
}

int platform_write_private(
        const char *directory, const char *name, const char *data, size_t length, struct err *err)
{
    char path[PLATFORM_PATH_BYTES];

    if (make_path(directory, name, path, err) == -1)
        return -1;
    return posix_replace_file(path, data, length, 0600, true, err);
}

/* Its owner is the directory's, who is us unless we are root: nobody else could have put it there
 * by right. */
static bool is_private(int fd, const char *directory)
{
    struct stat place;
    struct stat info;

    return stat(directory, &place) == 0 && fstat(fd, &info) == 0 && S_ISREG(info.st_mode) &&
            (info.st_mode & 022) == 0 && info.st_uid == place.st_uid &&
            (info.st_uid == geteuid() || geteuid() == 0);
}

int platform_read_private(const char *directory, const char *name, char *ret_data, size_t size,
        size_t *ret_length, struct err *err)
{
    char path[PLATFORM_PATH_BYTES];
    int result = -1;
    int fd;

    if (make_path(directory, name, path, err) == -1)
        return -1;
    fd = sys.open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd == -1)
        return err_set(err, ERR_FAILED, errno, "cannot open %s: %s", path, strerror(errno));
    if (is_private(fd, directory))
        result = platform_read_all(fd, ret_data, size, ret_length, err);
    else
        err_set(err, ERR_FAILED, 0, "%s is not a file of its owner's alone", path);
    sys.close(fd);
    return result;
}

void posix_send_at_once(int fd)
{
    int on = 1;

    (void)sys.setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

static int finish_connect(int fd, int64_t deadline_ms)
{
    int code = 0;
    socklen_t length = sizeof code;

    if (posix_poll_one(fd, POLLOUT, deadline_ms) != 1)
        return ETIMEDOUT;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &length) == -1 ? errno : code;
}

int platform_tcp_connect(const struct address *address, int64_t deadline_ms,
        platform_handle *ret_handle, struct err *err)
{
    struct sockaddr_storage storage;
    socklen_t length = sockaddr_make(address, &storage);
    int code = 0;
    int fd = posix_open_socket(address);

    if (fd == -1)
        return err_set(err, ERR_FAILED, errno, "cannot make a socket: %s", strerror(errno));
    if (posix_set_nonblocking(fd, true) == -1 ||
            sys.connect(fd, (struct sockaddr *)&storage, length) == -1)
        code = errno;
    if (code == EINPROGRESS || code == EINTR)
        code = finish_connect(fd, deadline_ms);
    if (code != 0) {
        sys.close(fd);
        return err_set(err, ERR_NOT_RUNNING, code, "cannot connect: %s", strerror(code));
    }
    posix_send_at_once(fd);
    *ret_handle = fd;
    return 0;
}
