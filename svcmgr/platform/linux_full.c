/* What Linux alone can do, beside the sub-reaper (linux_walk.c); portable.c stands in its place
 * elsewhere. */
#include "linux.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "platform_sys.h"
#include "str.h"

#include "banned.h"

/* As much of the stack as is given back: with what the kernel maps for it at the start, stack_guard
 * gap and all, this stays inside its mapping or fails without harm: madvise(2). */
#define STACK_TRIM_BYTES ((uintptr_t)96 * 1024)

/* ---- What a configuration can ask for -------------------------------------------------------- */

const struct abilities *platform_abilities(void)
{
    static const char *const logs[] = { "file", "journal", "inherit", NULL };
    static const struct abilities of_linux = {
        .name = "Linux",
        .notifies = true,
        .users = true,
        .groups = true,
        .umasks = true,
        .logs = logs,
        .logs_text = "\"file\", \"journal\" and \"inherit\"",
    };

    return &of_linux;
}

/* ---- Processes ------------------------------------------------------------------------------- */

/* Opened first and compared after, so the number cannot change hands in between: pidfd_open(2). */
int posix_open_process(const struct identity *identity)
{
    int fd = (int)syscall(SYS_pidfd_open, (pid_t)identity->pid, 0);

    if (fd == -1)
        return -1;
    (void)posix_set_cloexec(fd);
    if (posix_is_same(identity))
        return fd;
    sys.close(fd);
    errno = ESRCH;
    return -1;
}

void posix_process_exit(int fd, struct platform_exit *ret_exit)
{
    /* struct pidfd_info of linux/pidfd.h (Linux 6.13; the exit code since 6.15), spelled out since
     * older headers lack it. */
    struct {
        uint64_t mask;
        uint64_t cgroup_id;
        uint32_t ids[11]; /* pid ... fsgid */
        int32_t exit_code;
    } info = { .mask = 8 /* PIDFD_INFO_EXIT */ };
    /* _IOWR(0xFF, 11, struct pidfd_info): the size is part of the number. */
    unsigned long request = 3ul << 30 | (unsigned long)sizeof info << 16 | 0xFFul << 8 | 11ul;

    *ret_exit = (struct platform_exit) { .code = -1, .by_signal = -1 };
    if (syscall(SYS_ioctl, fd, request, &info) == -1 || (info.mask & 8u) == 0)
        return;
    posix_fill_exit(info.exit_code, ret_exit);
}

int posix_signal(const struct identity *identity, int number)
{
    int fd = posix_open_process(identity);
    int sent = -1;
    int code;

    if (fd != -1) {
        sent = (int)syscall(SYS_pidfd_send_signal, fd, number, NULL, 0);
        code = errno;
        sys.close(fd);
        errno = code;
    } else if (errno != ESRCH && posix_is_same(identity)) {
        sent = sys.kill((pid_t)identity->pid, number);
    } else {
        errno = ESRCH;
    }
    return sent;
}

int64_t posix_start_clock(void)
{
    return linux_boot_clock();
}

/* If the tick has not changed since before the fork, it is the one that the child has.  Reading it
 * from /proc/PID/stat takes about as long as half a fork. */
bool posix_identify_child(int64_t pid, int64_t before_fork, struct identity *ret_identity)
{
    int64_t tick = LINUX_NANOSECONDS / sysconf(_SC_CLK_TCK);
    int64_t after_fork = posix_start_clock();

    if (before_fork / tick != after_fork / tick)
        return platform_identify(pid, false, ret_identity);
    *ret_identity = (struct identity) {
        .pid = pid,
        .start_time = (uint64_t)(after_fork / tick),
        .pid_namespace = posix_pid_namespace(0),
    };
    (void)str_copy(ret_identity->boot_id, sizeof ret_identity->boot_id, posix_boot_id());
    return true;
}

void platform_trim_stack(void)
{
    char here;
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    /* What lies below the present frame, and the red zone and a page more, is nobody's any more. */
    uintptr_t end = ((uintptr_t)&here - page) / page * page;

    (void)madvise((void *)(end - STACK_TRIM_BYTES), STACK_TRIM_BYTES, MADV_DONTNEED);
}

void posix_end_with_parent(void)
{
    /* Interactive shells ignore SIGTERM: bash(1), SIGNALS. */
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
}

platform_handle platform_take_socket(int64_t pid, uint64_t socket_id)
{
    int number = posix_find_socket(pid, socket_id);
    int process = number < 0 ? -1 : (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);
    struct stat info;
    int taken;

    if (process == -1)
        return PLATFORM_NO_HANDLE;
    taken = (int)syscall(SYS_pidfd_getfd, process, number, 0);
    sys.close(process);
    if (taken == -1)
        return PLATFORM_NO_HANDLE;
    (void)posix_set_cloexec(taken);
    if (fstat(taken, &info) == 0 && S_ISSOCK(info.st_mode) && (uint64_t)info.st_ino == socket_id)
        return taken; /* not what took the number's place meanwhile */
    sys.close(taken);
    return PLATFORM_NO_HANDLE;
}

platform_handle platform_take_output(int64_t pid, int number)
{
    char path[64];
    struct stat info;
    int fd;

    /* Opening a pipe through /proc gives its other end: proc(5), /proc/PID/fd. */
    (void)str_format(path, sizeof path, "/proc/%lld/fd/%d", (long long)pid, number);
    fd = linux_open(path, O_NONBLOCK);
    if (fd == -1)
        return PLATFORM_NO_HANDLE;
    if (fstat(fd, &info) == 0 && S_ISFIFO(info.st_mode))
        return fd;
    sys.close(fd);
    return PLATFORM_NO_HANDLE;
}

/* ---- Pipes and sockets ------------------------------------------------------------------------
 */

void posix_widen_pipe(int fd, int bytes)
{
    (void)sys.fcntl(fd, F_SETPIPE_SZ, bytes);
}

int posix_channel_type(void)
{
    return SOCK_SEQPACKET;
}

const char *posix_notify_prefix(void)
{
    return "@svcmgr-notify-";
}

int posix_pass_credentials(int fd)
{
    int on = 1;

    return sys.setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on);
}

long posix_receive_notify(int fd, char *ret_data, size_t size, struct platform_peer *ret_peer,
        platform_handle *ret_handle)
{
    struct iovec piece = { .iov_base = ret_data, .iov_len = size };
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(sizeof(int) * 16)];
    } space;
    struct msghdr header = { .msg_iov = &piece,
        .msg_iovlen = 1,
        .msg_control = space.bytes,
        .msg_controllen = sizeof space.bytes };
    ssize_t got = sys.recvmsg(fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

    if (got == -1)
        return -1;
    *ret_peer = (struct platform_peer) { .uid = -1 };
    for (struct cmsghdr *control = CMSG_FIRSTHDR(&header); control != NULL;
            control = posix_next_control(&header, control)) {
        struct ucred credentials;

        if (control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_CREDENTIALS)
            continue;
        memcpy(&credentials, CMSG_DATA(control), sizeof credentials);
        ret_peer->pid = credentials.pid;
        ret_peer->uid = (int64_t)credentials.uid;
    }
    /* Kept until the message is done: BARRIER=1 waits for that. */
    *ret_handle = posix_take_descriptor(&header);
    return (long)got;
}

/* The kernel refuses a bind beside one that overlaps: socket(7), SO_REUSEADDR. */
bool posix_is_overlapped(const struct platform_bind *bind, int own)
{
    (void)bind;
    (void)own;
    return false;
}
