#include "fault.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include "platform_sys.h"

#define CALLS_MAX 2000 /* of one entry in one attempt: more is a loop that does not end */

enum entry {
    ENTRY_OPEN,
    ENTRY_CLOSE,
    ENTRY_READ,
    ENTRY_WRITE,
    ENTRY_PREAD,
    ENTRY_PWRITE,
    ENTRY_WRITEV,
    ENTRY_RENAME,
    ENTRY_UNLINK,
    ENTRY_MKDIR,
    ENTRY_FTRUNCATE,
    ENTRY_FLOCK,
    ENTRY_FCNTL,
    ENTRY_DUP,
    ENTRY_PIPE,
    ENTRY_FORK,
    ENTRY_KILL,
    ENTRY_WAITID,
    ENTRY_SOCKET,
    ENTRY_SOCKETPAIR,
    ENTRY_SETSOCKOPT,
    ENTRY_BIND,
    ENTRY_LISTEN,
    ENTRY_CONNECT,
    ENTRY_ACCEPT,
    ENTRY_SEND,
    ENTRY_SENDMSG,
    ENTRY_RECVMSG,
    ENTRY_GETENTROPY,
    ENTRY_POLL,
    ENTRY_COUNT
};

#define SHORT 0 /* instead of an error: only one byte is read or written */

/* What each call may fail with: its manual page, and what a full or busy machine does.  Calls on
 * files that the kernel takes up again after a signal (our handlers are SA_RESTART) have no EINTR.
 */
static const struct {
    const char *name;
    int codes[6];
    size_t count;
} entries[] = {
    [ENTRY_OPEN] = { "open", { EMFILE, ENOMEM, ENFILE }, 3 },
    [ENTRY_CLOSE] = { "close", { EINTR, EIO }, 2 },
    [ENTRY_READ] = { "read", { SHORT, EINTR, EIO }, 3 },
    [ENTRY_WRITE] = { "write", { SHORT, EINTR, ENOSPC, EIO }, 4 },
    [ENTRY_PREAD] = { "pread", { SHORT, EINTR, EIO }, 3 },
    [ENTRY_PWRITE] = { "pwrite", { SHORT, EINTR, ENOSPC, EIO }, 4 },
    [ENTRY_WRITEV] = { "writev", { SHORT, EINTR, ENOSPC, EIO }, 4 },
    [ENTRY_RENAME] = { "rename", { ENOSPC, EACCES }, 2 },
    [ENTRY_UNLINK] = { "unlink", { EACCES, EIO }, 2 },
    [ENTRY_MKDIR] = { "mkdir", { ENOSPC, EACCES }, 2 },
    [ENTRY_FTRUNCATE] = { "ftruncate", { EIO }, 1 },
    [ENTRY_FLOCK] = { "flock", { ENOLCK }, 1 },
    [ENTRY_FCNTL] = { "fcntl", { EMFILE }, 1 },
    [ENTRY_DUP] = { "dup", { EMFILE }, 1 },
    [ENTRY_PIPE] = { "pipe", { EMFILE, ENFILE }, 2 },
    [ENTRY_FORK] = { "fork", { EAGAIN, ENOMEM }, 2 },
    [ENTRY_KILL] = { "kill", { EPERM }, 1 },
    [ENTRY_WAITID] = { "waitid", { EINTR }, 1 },
    [ENTRY_SOCKET] = { "socket", { EMFILE, ENOMEM }, 2 },
    [ENTRY_SOCKETPAIR] = { "socketpair", { EMFILE, ENOMEM }, 2 },
    [ENTRY_SETSOCKOPT] = { "setsockopt", { ENOMEM }, 1 },
    [ENTRY_BIND] = { "bind", { EADDRINUSE, EACCES, ENOMEM }, 3 },
    [ENTRY_LISTEN] = { "listen", { EADDRINUSE }, 1 },
    [ENTRY_CONNECT] = { "connect", { EAGAIN, ECONNREFUSED, ENOMEM }, 3 },
    [ENTRY_ACCEPT] = { "accept", { EINTR, EMFILE, ECONNABORTED }, 3 },
    [ENTRY_SEND] = { "send", { SHORT, EINTR, EPIPE, ENOBUFS }, 4 },
    [ENTRY_SENDMSG] = { "sendmsg", { EINTR, EPIPE, ENOBUFS }, 3 },
    [ENTRY_RECVMSG] = { "recvmsg", { EINTR, ENOMEM }, 2 },
    [ENTRY_GETENTROPY] = { "getentropy", { EIO }, 1 },
    [ENTRY_POLL] = { "poll", { EINTR, ENOMEM }, 2 },
};
_Static_assert(sizeof entries / sizeof entries[0] == ENTRY_COUNT, "an entry has no row");

/* Shared with the children, whose calls count too. */
struct plan {
    enum entry entry;
    int code;
    int number; /* 0: nothing fails */
    int calls;
    bool hit;
};
static struct plan *plan;
static struct platform_sys real;

static bool fails(enum entry entry)
{
    if (plan->number == 0 || plan->entry != entry)
        return false;
    if (++plan->calls > CALLS_MAX)
        abort();
    if (plan->calls != plan->number)
        return false;
    plan->hit = true;
    errno = plan->code;
    return true;
}

static bool is_short(void)
{
    return plan->code == SHORT;
}

static int fail_open(const char *path, int flags, ...)
{
    mode_t mode = 0;
    va_list list;

    va_start(list, flags);
    if ((flags & O_CREAT) != 0)
        mode = va_arg(list, mode_t);
    va_end(list);
    return fails(ENTRY_OPEN) ? -1 : real.open(path, flags, mode);
}

/* Linux has closed the descriptor when close() fails: close(2). */
static int fail_close(int fd)
{
    if (!fails(ENTRY_CLOSE))
        return real.close(fd);
    (void)real.close(fd);
    errno = plan->code;
    return -1;
}

static ssize_t fail_read(int fd, void *data, size_t length)
{
    if (!fails(ENTRY_READ))
        return real.read(fd, data, length);
    return is_short() ? real.read(fd, data, length > 0 ? 1 : 0) : -1;
}

static ssize_t fail_write(int fd, const void *data, size_t length)
{
    if (!fails(ENTRY_WRITE))
        return real.write(fd, data, length);
    return is_short() ? real.write(fd, data, length > 0 ? 1 : 0) : -1;
}

static ssize_t fail_pread(int fd, void *data, size_t length, off_t offset)
{
    if (!fails(ENTRY_PREAD))
        return real.pread(fd, data, length, offset);
    return is_short() ? real.pread(fd, data, length > 0 ? 1 : 0, offset) : -1;
}

static ssize_t fail_pwrite(int fd, const void *data, size_t length, off_t offset)
{
    if (!fails(ENTRY_PWRITE))
        return real.pwrite(fd, data, length, offset);
    return is_short() ? real.pwrite(fd, data, length > 0 ? 1 : 0, offset) : -1;
}

static ssize_t fail_writev(int fd, const struct iovec *pieces, int count)
{
    if (!fails(ENTRY_WRITEV))
        return real.writev(fd, pieces, count);
    return is_short() ? real.write(fd, pieces[0].iov_base, pieces[0].iov_len > 0 ? 1 : 0) : -1;
}

static ssize_t fail_send(int fd, const void *data, size_t length, int flags)
{
    if (!fails(ENTRY_SEND))
        return real.send(fd, data, length, flags);
    return is_short() ? real.send(fd, data, length > 0 ? 1 : 0, flags) : -1;
}

static int fail_fcntl(int fd, int command, ...)
{
    long value;
    va_list list;

    va_start(list, command);
    value = va_arg(list, long);
    va_end(list);
    return fails(ENTRY_FCNTL) ? -1 : real.fcntl(fd, command, value);
}

/* clang-format off */
#define FAIL(result, name, entry, parameters, arguments)                                           \
    static result fail_##name parameters { return fails(entry) ? -1 : real.name arguments; }

FAIL(int, rename, ENTRY_RENAME, (const char *from, const char *to), (from, to))
FAIL(int, unlink, ENTRY_UNLINK, (const char *path), (path))
FAIL(int, mkdir, ENTRY_MKDIR, (const char *path, mode_t mode), (path, mode))
FAIL(int, ftruncate, ENTRY_FTRUNCATE, (int fd, off_t length), (fd, length))
FAIL(int, flock, ENTRY_FLOCK, (int fd, int operation), (fd, operation))
FAIL(int, dup, ENTRY_DUP, (int fd), (fd))
FAIL(int, pipe, ENTRY_PIPE, (int fds[2]), (fds))
FAIL(pid_t, fork, ENTRY_FORK, (void), ())
FAIL(int, kill, ENTRY_KILL, (pid_t pid, int number), (pid, number))
FAIL(int, waitid, ENTRY_WAITID, (idtype_t kind, id_t id, siginfo_t *info, int options),
        (kind, id, info, options))
FAIL(int, socket, ENTRY_SOCKET, (int domain, int type, int protocol), (domain, type, protocol))
FAIL(int, socketpair, ENTRY_SOCKETPAIR, (int domain, int type, int protocol, int fds[2]),
        (domain, type, protocol, fds))
FAIL(int, setsockopt, ENTRY_SETSOCKOPT,
        (int fd, int level, int name, const void *value, socklen_t length),
        (fd, level, name, value, length))
FAIL(int, bind, ENTRY_BIND, (int fd, const struct sockaddr *address, socklen_t length),
        (fd, address, length))
FAIL(int, listen, ENTRY_LISTEN, (int fd, int backlog), (fd, backlog))
FAIL(int, connect, ENTRY_CONNECT, (int fd, const struct sockaddr *address, socklen_t length),
        (fd, address, length))
FAIL(int, accept, ENTRY_ACCEPT, (int fd, struct sockaddr *address, socklen_t *length),
        (fd, address, length))
FAIL(ssize_t, sendmsg, ENTRY_SENDMSG, (int fd, const struct msghdr *message, int flags),
        (fd, message, flags))
FAIL(ssize_t, recvmsg, ENTRY_RECVMSG, (int fd, struct msghdr *message, int flags),
        (fd, message, flags))
FAIL(int, getentropy, ENTRY_GETENTROPY, (void *bytes, size_t length), (bytes, length))
FAIL(int, poll, ENTRY_POLL, (struct pollfd *fds, nfds_t count, int timeout), (fds, count, timeout))
/* clang-format on */

static const struct platform_sys failing = {
    .open = fail_open,
    .close = fail_close,
    .read = fail_read,
    .write = fail_write,
    .pread = fail_pread,
    .pwrite = fail_pwrite,
    .writev = fail_writev,
    .rename = fail_rename,
    .unlink = fail_unlink,
    .mkdir = fail_mkdir,
    .ftruncate = fail_ftruncate,
    .flock = fail_flock,
    .fcntl = fail_fcntl,
    .dup = fail_dup,
    .pipe = fail_pipe,
    .fork = fail_fork,
    .kill = fail_kill,
    .waitid = fail_waitid,
    .socket = fail_socket,
    .socketpair = fail_socketpair,
    .setsockopt = fail_setsockopt,
    .bind = fail_bind,
    .listen = fail_listen,
    .connect = fail_connect,
    .accept = fail_accept,
    .send = fail_send,
    .sendmsg = fail_sendmsg,
    .recvmsg = fail_recvmsg,
    .getentropy = fail_getentropy,
    .poll = fail_poll,
};
/* A new entry of the table needs a row and a function above. */
_Static_assert(sizeof(struct platform_sys) == ENTRY_COUNT * sizeof(void (*)(void)), "an entry");

static int count_descriptors(void)
{
    DIR *directory = opendir("/proc/self/fd");
    int count = 0;

    assert_non_null(directory);
    while (readdir(directory) != NULL)
        count++;
    (void)closedir(directory);
    return count;
}

static void run(const char *name, fault_attempt *attempt, enum entry entry, int code, int number)
{
    int descriptors = count_descriptors();
    struct err err = { 0 };
    char row[100];
    int result;

    (void)snprintf(row, sizeof row, "%s: %s number %d: %s", name, entries[entry].name, number,
            code == SHORT ? "short" : strerror(code));
    *plan = (struct plan) { .entry = entry, .code = code, .number = number };
    sys = failing;
    result = attempt(&err);
    sys = real;
    plan->number = 0;
    if (result == -1)
        CHECK(row, err.text[0] != '\0' && err.kind != 0);
    if (result == -1 && (code == EINTR || code == SHORT || !plan->hit))
        fail_msg("row \"%s\": %s", row, err.text);
    CHECK_INT(row, count_descriptors(), descriptors);
    if (waitpid(-1, NULL, WNOHANG) != -1 || errno != ECHILD)
        fail_msg("row \"%s\": a child is left", row);
}

bool fault_was_hit(void)
{
    return plan->hit;
}

void fault_try(const char *name, fault_attempt *attempt, int least)
{
    int hits = 0;

    if (plan == NULL) {
        plan = mmap(NULL, sizeof *plan, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        assert_true(plan != MAP_FAILED);
        real = sys;
    }
    for (enum entry entry = ENTRY_OPEN; entry < ENTRY_COUNT; entry++) {
        for (size_t i = 0; i < entries[entry].count; i++) {
            for (int number = 1;; number++, hits++) {
                run(name, attempt, entry, entries[entry].codes[i], number);
                if (!plan->hit)
                    break;
            }
        }
    }
    if (hits < least)
        fail_msg("%s: only %d calls failed, expected at least %d", name, hits, least);
}

/* ---- Files ----------------------------------------------------------------------------------- */

static char directory[64];

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *place)
{
    (void)info;
    (void)kind;
    (void)place;
    return remove(path);
}

static void remove_directory(void)
{
    (void)nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

const char *fault_path(const char *name)
{
    static char paths[4][128]; /* so that a few can be had at once */
    static unsigned next;
    char *path = paths[next++ % COUNT_OF(paths)];

    if (directory[0] == '\0') {
        (void)snprintf(directory, sizeof directory, "/tmp/svcmgr-fault-XXXXXX");
        assert_non_null(mkdtemp(directory));
        (void)atexit(remove_directory);
    }
    (void)snprintf(path, sizeof paths[0], "%s/%s", directory, name);
    return path;
}
