#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "platform_sys.h"
#include "posix.h"
#include "str.h"

#include "banned.h"

#define READ_STEP_BYTES 4096

enum err_kind posix_kind(int code)
{
    return code == EACCES || code == EPERM ? ERR_DENIED : ERR_FAILED;
}

int posix_set_cloexec(int fd)
{
    return sys.fcntl(fd, F_SETFD, FD_CLOEXEC); /* a new descriptor has no other flag */
}

int posix_set_nonblocking(int fd, bool nonblocking)
{
    int flags = sys.fcntl(fd, F_GETFL);
    int wanted = nonblocking ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;

    if (flags == -1)
        return -1;
    return wanted == flags ? 0 : sys.fcntl(fd, F_SETFL, wanted);
}

int platform_duplicate(platform_handle handle, platform_handle *ret_handle, struct err *err)
{
    int fd = sys.fcntl((int)handle, F_DUPFD_CLOEXEC, 0);

    if (fd == -1)
        return err_set(err, ERR_FAILED, errno, "cannot duplicate a handle: %s", strerror(errno));
    *ret_handle = fd;
    return 0;
}

int platform_read_all(
        platform_handle handle, char *ret_data, size_t size, size_t *ret_length, struct err *err)
{
    size_t length = 0;
    ssize_t got;

    do {
        got = sys.read((int)handle, ret_data + length, size - length);
        if (got > 0)
            length += (size_t)got;
    } while ((got > 0 && length < size) || (got == -1 && errno == EINTR));
    if (got != 0)
        return err_set(err, ERR_FAILED, errno, "cannot read to the end of a pipe");
    *ret_length = length;
    return 0;
}

static int read_all(int fd, size_t limit, struct buffer *out)
{
    size_t start = out->length;

    for (;;) {
        char *room = buffer_reserve(out, READ_STEP_BYTES);
        ssize_t got;

        if (room == NULL) {
            errno = ENOMEM;
            return -1;
        }
        got = sys.read(fd, room, READ_STEP_BYTES);
        if (got == -1 && errno == EINTR)
            continue;
        if (got == -1)
            return -1;
        room[got] = '\0';
        out->length += (size_t)got;
        if (got == 0)
            return 0;
        if (out->length - start > limit) {
            errno = EFBIG;
            return -1;
        }
    }
}

int platform_read_file(const char *path, size_t limit, struct buffer *out, struct err *err)
{
    int fd = sys.open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat info;
    int result = -1;

    if (fd == -1)
        return err_set(err, errno == ENOENT ? ERR_NO_SERVICE : posix_kind(errno), errno,
                "cannot open %s: %s", path, strerror(errno));
    /* Not a pipe or a device: reading one could block or never end. */
    if (fstat(fd, &info) == -1 || !S_ISREG(info.st_mode)) {
        err_set(err, ERR_FAILED, 0, "%s is not a regular file", path);
        goto out;
    }
    if (read_all(fd, limit, out) == -1) {
        if (errno == EFBIG)
            err_set(err, ERR_FAILED, EFBIG, "%s is larger than %zu bytes", path, limit);
        else
            err_set(err, ERR_FAILED, errno, "cannot read %s: %s", path, strerror(errno));
        goto out;
    }
    result = 0;
out:
    sys.close(fd);
    return result;
}

int platform_read_tail(
        const char *path, int64_t from, size_t limit, struct buffer *out, struct err *err)
{
    int fd = sys.open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat info;
    off_t start;
    int result = -1;

    if (fd == -1)
        return err_set(err, errno == ENOENT ? ERR_NO_SERVICE : posix_kind(errno), errno,
                "cannot open %s: %s", path, strerror(errno));
    if (fstat(fd, &info) == -1 || !S_ISREG(info.st_mode)) {
        err_set(err, ERR_FAILED, 0, "%s is not a regular file", path);
        goto out;
    }
    start = info.st_size > (off_t)limit ? info.st_size - (off_t)limit : 0;
    if (from > (int64_t)start && from <= (int64_t)info.st_size)
        start = (off_t)from;
    if (lseek(fd, start, SEEK_SET) == -1 || (read_all(fd, limit, out) == -1 && errno != EFBIG)) {
        err_set(err, ERR_FAILED, errno, "cannot read %s: %s", path, strerror(errno));
        goto out;
    }
    result = 0;
out:
    sys.close(fd);
    return result;
}

int platform_write(platform_handle handle, const void *data, size_t length, struct err *err)
{
    struct platform_piece piece = { .data = data, .length = length };

    return platform_write_pieces(handle, &piece, 1, err);
}

int platform_write_pieces(
        platform_handle handle, const struct platform_piece *pieces, size_t count, struct err *err)
{
    struct iovec vectors[PLATFORM_PIECES_MAX];
    struct iovec *at = vectors;

    for (size_t i = 0; i < count; i++) {
        vectors[i].iov_base = (void *)(uintptr_t)pieces[i].data;
        vectors[i].iov_len = pieces[i].length;
    }
    while (count > 0) {
        ssize_t wrote = sys.writev((int)handle, at, (int)count);

        if (wrote == -1 && errno == EINTR)
            continue;
        if (wrote == -1 && errno == EAGAIN) {
            if (posix_poll_one((int)handle, POLLOUT, PLATFORM_NEVER) == 1)
                continue;
        }
        if (wrote == -1)
            return err_set(err, ERR_FAILED, errno, "cannot write: %s", strerror(errno));
        while (count > 0 && (size_t)wrote >= at->iov_len) {
            wrote -= (ssize_t)at->iov_len;
            at++;
            count--;
        }
        if (count > 0) {
            at->iov_base = (char *)at->iov_base + wrote;
            at->iov_len -= (size_t)wrote;
        }
    }
    return 0;
}

int posix_replace_file(const char *path, const char *data, size_t length, unsigned mode,
        bool is_private, struct err *err)
{
    char temporary[PLATFORM_PATH_BYTES];
    int fd = -1;
    int result = -1;

    if (!str_format(temporary, sizeof temporary, "%s.new", path))
        return err_set(err, ERR_FAILED, 0, "the path %s is too long", path);
    if (is_private) /* of one that was killed here; what will not go is in the way */
        (void)sys.unlink(temporary);
    fd = sys.open(temporary,
            O_WRONLY | O_CREAT | (is_private ? O_EXCL : O_TRUNC) | O_CLOEXEC | O_NOFOLLOW,
            (mode_t)mode);
    if (fd == -1)
        return err_set(
                err, posix_kind(errno), errno, "cannot create %s: %s", temporary, strerror(errno));
    if (platform_write(fd, data, length, err) == -1) {
        err_prefix(err, "%s", temporary);
        goto out;
    }
    if (sys.rename(temporary, path) == -1) {
        err_set(err, posix_kind(errno), errno, "cannot rename %s: %s", temporary, strerror(errno));
        goto out;
    }
    result = 0;
out:
    sys.close(fd);
    if (result == -1)
        (void)sys.unlink(temporary);
    return result;
}

int platform_replace_file(
        const char *path, const char *data, size_t length, unsigned mode, struct err *err)
{
    return posix_replace_file(path, data, length, mode, false, err);
}

int platform_make_directory(const char *path, unsigned mode, struct err *err)
{
    char parent[PLATFORM_PATH_BYTES];
    struct stat info;
    char *slash;

    if (sys.mkdir(path, (mode_t)mode) == 0)
        return 0;
    if (errno == EEXIST) {
        if (stat(path, &info) == 0 && S_ISDIR(info.st_mode))
            return 0;
        return err_set(err, ERR_FAILED, EEXIST, "%s is in the way: it is not a directory", path);
    }
    if (errno != ENOENT)
        return err_set(err, posix_kind(errno), errno, "cannot create the directory %s: %s", path,
                strerror(errno));
    if (!str_copy(parent, sizeof parent, path))
        return err_set(err, ERR_FAILED, 0, "the path %s is too long", path);
    slash = strrchr(parent, '/');
    if (slash == NULL || slash == parent)
        return err_set(err, ERR_FAILED, ENOENT, "cannot create the directory %s", path);
    *slash = '\0';
    /* Parents are ordinary directories, readable for everybody as mkdir -p makes them. */
    if (platform_make_directory(parent, mode == 0700 ? 0755 : mode, err) == -1)
        return -1;
    if (sys.mkdir(path, (mode_t)mode) == -1 && errno != EEXIST)
        return err_set(err, posix_kind(errno), errno, "cannot create the directory %s: %s", path,
                strerror(errno));
    return 0;
}

int platform_check_private(const char *path, struct err *err)
{
    struct stat info;

    if (lstat(path, &info) == -1)
        return err_set(
                err, posix_kind(errno), errno, "cannot look at %s: %s", path, strerror(errno));
    if (!S_ISDIR(info.st_mode))
        return err_set(err, ERR_DENIED, 0, "%s is not a directory", path);
    /* For root too: the owner could put another file in the lock's place. */
    if (info.st_uid != geteuid())
        return err_set(err, ERR_DENIED, 0, "%s belongs to another user (uid %u)", path,
                (unsigned)info.st_uid);
    if ((info.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return err_set(
                err, ERR_DENIED, 0, "others can write to %s; type: chmod go-w '%s'", path, path);
    return 0;
}

int platform_remove_file(const char *path, struct err *err)
{
    if (sys.unlink(path) == -1 && errno != ENOENT)
        return err_set(
                err, posix_kind(errno), errno, "cannot remove %s: %s", path, strerror(errno));
    return 0;
}

void platform_remove_directory(const char *path)
{
    (void)rmdir(path);
}

int platform_rename(const char *from, const char *to, struct err *err)
{
    if (sys.rename(from, to) == -1)
        return err_set(err, posix_kind(errno), errno, "cannot rename %s to %s: %s", from, to,
                strerror(errno));
    return 0;
}

int platform_list_directory(const char *path, void (*each)(void *context, const char *name),
        void *context, struct err *err)
{
    DIR *directory = opendir(path);
    struct dirent *entry;

    if (directory == NULL && errno == ENOENT)
        return 0;
    if (directory == NULL)
        return err_set(err, posix_kind(errno), errno, "cannot read the directory %s: %s", path,
                strerror(errno));
    while ((entry = readdir(directory)) != NULL)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            each(context, entry->d_name);
    (void)closedir(directory);
    return 0;
}

static void fill_file(const struct stat *info, struct platform_file *ret_file)
{
#ifdef __APPLE__
    const struct timespec *modified = &info->st_mtimespec;
#else
    const struct timespec *modified = &info->st_mtim;
#endif

    *ret_file = (struct platform_file) {
        .size = (int64_t)info->st_size,
        .modified_ns = (int64_t)modified->tv_sec * 1000000000 + modified->tv_nsec,
        .file_id = (uint64_t)info->st_ino,
        .device_id = (uint64_t)info->st_dev,
        .is_directory = S_ISDIR(info->st_mode),
        .is_symlink = S_ISLNK(info->st_mode),
        .is_socket = S_ISSOCK(info->st_mode),
        .owner = (int64_t)info->st_uid,
        .mode = (unsigned)(info->st_mode & 07777),
    };
}

bool platform_stat(const char *path, struct platform_file *ret_file)
{
    struct stat info;

    if (lstat(path, &info) == -1)
        return false;
    fill_file(&info, ret_file);
    return true;
}

bool platform_stat_target(const char *path, struct platform_file *ret_file)
{
    struct stat info;

    if (stat(path, &info) == -1)
        return false;
    fill_file(&info, ret_file);
    return true;
}

bool platform_is_same_file(const char *a, const char *b)
{
    struct platform_file one;
    struct platform_file other;

    return strcmp(a, b) == 0 ||
            (platform_stat_target(a, &one) && platform_stat_target(b, &other) &&
                    one.file_id == other.file_id && one.device_id == other.device_id);
}

bool platform_stat_handle(platform_handle handle, struct platform_file *ret_file)
{
    struct stat info;

    if (fstat((int)handle, &info) == -1)
        return false;
    fill_file(&info, ret_file);
    return true;
}

bool platform_is_executable(const char *path)
{
    struct stat info;

    return stat(path, &info) == 0 && S_ISREG(info.st_mode) && access(path, X_OK) == 0;
}

int platform_open_to_read(const char *path, platform_handle *ret_handle, struct err *err)
{
    int fd = sys.open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat info;

    if (fd == -1)
        return err_set(err, errno == ENOENT ? ERR_NO_SERVICE : posix_kind(errno), errno,
                "cannot open %s: %s", path, strerror(errno));
    if (fstat(fd, &info) == -1 || !S_ISREG(info.st_mode)) {
        sys.close(fd);
        return err_set(err, ERR_FAILED, 0, "%s is not a regular file", path);
    }
    *ret_handle = fd;
    return 0;
}

long platform_read_at(platform_handle handle, int64_t offset, void *ret_data, size_t size)
{
    size_t done = 0;

    while (done < size) {
        ssize_t got = sys.pread(
                (int)handle, (char *)ret_data + done, size - done, (off_t)offset + (off_t)done);

        if (got == -1 && errno == EINTR)
            continue;
        if (got == -1)
            return -1;
        if (got == 0)
            break;
        done += (size_t)got;
    }
    return (long)done;
}

int platform_open_log(const char *path, platform_handle *ret_handle, struct err *err)
{
    int fd = sys.open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd == -1)
        return err_set(err, posix_kind(errno), errno, "cannot open %s: %s", path, strerror(errno));
    *ret_handle = fd;
    return 0;
}

int platform_open_state(const char *path, platform_handle *ret_handle, struct err *err)
{
    int fd = sys.open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd == -1)
        return err_set(err, posix_kind(errno), errno, "cannot open %s: %s", path, strerror(errno));
    *ret_handle = fd;
    return 0;
}

int platform_write_at(
        platform_handle handle, size_t offset, const void *data, size_t length, struct err *err)
{
    size_t done = 0;

    while (done < length) {
        ssize_t wrote = sys.pwrite(
                (int)handle, (const char *)data + done, length - done, (off_t)(offset + done));

        if (wrote == -1 && errno == EINTR)
            continue;
        if (wrote == -1)
            return err_set(err, ERR_FAILED, errno, "cannot write: %s", strerror(errno));
        done += (size_t)wrote;
    }
    return 0;
}

void platform_empty(platform_handle handle)
{
    (void)sys.ftruncate((int)handle, 0);
}

void platform_close(platform_handle handle)
{
    if (handle != PLATFORM_NO_HANDLE)
        sys.close((int)handle);
}

platform_handle platform_standard_input(void)
{
    return STDIN_FILENO;
}

platform_handle platform_standard_output(void)
{
    return STDOUT_FILENO;
}

platform_handle platform_standard_error(void)
{
    return STDERR_FILENO;
}
