/* Lock files: flock(2). */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "platform_sys.h"
#include "posix.h"

#include "banned.h"

#define LOOKER_PAUSE_MS 1
#define LOOKER_TRIES    2000

static int try_lock(int fd, int kind)
{
    int result;

    do
        result = sys.flock(fd, kind | LOCK_NB);
    while (result == -1 && errno == EINTR);
    return result;
}

/* Whoever looks whether a lock is held has it shared for an instant.  That must not be taken for an
 * owner, who has it exclusively: a shared lock that we get too shows that there is none. */
static int lock_for_us(int fd)
{
    for (int i = 0; i < LOOKER_TRIES; i++) {
        int result = try_lock(fd, LOCK_EX);

        if (result == 0 || errno != EWOULDBLOCK || try_lock(fd, LOCK_SH) == -1)
            return result;
        (void)sys.flock(fd, LOCK_UN); /* so that two who do this do not see each other for ever */
        (void)poll(NULL, 0, LOOKER_PAUSE_MS);
    }
    errno = EWOULDBLOCK;
    return -1;
}

int platform_lock(const char *path, platform_handle *ret_handle, struct err *err)
{
    struct stat info;
    int fd = sys.open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0644);
    int result = -1;

    if (fd == -1 && (errno == ELOOP || errno == EMLINK))
        return err_set(err, ERR_DENIED, errno,
                "%s is a symbolic link; svcmgr does not follow it; remove it", path);
    if (fd == -1)
        return err_set(err, posix_kind(errno), errno, "cannot open %s: %s", path, strerror(errno));
    if (fstat(fd, &info) == -1 || !S_ISREG(info.st_mode)) {
        err_set(err, ERR_DENIED, 0, "%s is not a regular file; remove it", path);
        goto out;
    }
    if (lock_for_us(fd) == -1) {
        if (errno == EWOULDBLOCK)
            err_set(err, ERR_DUPLICATE, errno, "%s is locked", path);
        else
            err_set(err, posix_kind(errno), errno, "cannot lock %s: %s", path, strerror(errno));
        goto out;
    }
    *ret_handle = fd;
    result = 0;
out:
    if (result == -1)
        sys.close(fd);
    return result;
}

bool platform_is_locked(const char *path)
{
    int tries = 0;
    bool locked;
    int fd;

    /* "Not locked" would be told as "not running". */
    do
        fd = sys.open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    while (fd == -1 && (errno == EINTR || posix_lacks_resources(errno, &tries)));
    if (fd == -1)
        return false;
    locked = try_lock(fd, LOCK_SH) == -1 && errno == EWOULDBLOCK;
    sys.close(fd); /* lets a lock that we got go again */
    return locked;
}

int platform_write_lock(platform_handle lock, const char *text, struct err *err)
{
    size_t length = strlen(text);

    /* Cut after writing, not before: a file that was emptied and written is written out when it is
     * closed (ext4(5), auto_da_alloc), and the close would wait for the disk. */
    if (platform_write_at(lock, 0, text, length, err) == -1)
        return err_prefix(err, "the pidfile");
    if (sys.ftruncate((int)lock, (off_t)length) == -1)
        return err_set(err, ERR_FAILED, errno, "cannot write the pidfile: %s", strerror(errno));
    return 0;
}
