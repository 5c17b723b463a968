/* Running a program to its end: for lookups and for starting dependencies. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "platform_sys.h"
#include "posix.h"

#include "banned.h"

extern char **environ;

static int exit_code(pid_t pid)
{
    siginfo_t info;

    memset(&info, 0, sizeof info);
    while (sys.waitid(P_PID, (id_t)pid, &info, WEXITED) == -1)
        if (errno != EINTR)
            return 127;
    return info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
}

/* Its errors go to the null device, or with its output. */
static void run_child(const char *const *words, int output, bool all)
{
    sigset_t none;
    int null = open("/dev/null", O_RDWR);

    if (output != -1 &&
            (null == -1 || dup2(null, 0) == -1 || dup2(output, 1) == -1 ||
                    dup2(all ? output : null, 2) == -1))
        _exit(127);
    posix_reset_signals();
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    execve(words[0], (char *const *)(uintptr_t)words, environ);
    _exit(127);
}

static pid_t start(const char *const *words, int output, bool all, struct err *err)
{
    sigset_t mask;
    pid_t pid;

    posix_block_signals(&mask);
    pid = sys.fork();
    if (pid == 0)
        run_child(words, output, all);
    posix_restore_signals(&mask);
    if (pid == -1)
        err_set(err, ERR_FAILED, errno, "cannot run %s: %s", words[0], strerror(errno));
    return pid;
}

int platform_run(const char *const *words, int *ret_code, struct err *err)
{
    pid_t pid = start(words, -1, false, err);

    if (pid == -1)
        return -1;
    *ret_code = exit_code(pid);
    return 0;
}

static int capture(const char *const *words, bool all, int64_t timeout_ms, size_t limit,
        struct buffer *out, int *ret_code, struct err *err)
{
    int64_t deadline_ms = platform_now_ms() + timeout_ms;
    platform_handle ends[2];
    pid_t pid;
    bool whole = false;

    if (platform_pipe(&ends[0], &ends[1], err) == -1)
        return -1;
    pid = start(words, (int)ends[1], all, err);
    platform_close(ends[1]);
    if (pid == -1) {
        platform_close(ends[0]);
        return -1;
    }
    while (out->length < limit && posix_poll_one((int)ends[0], POLLIN, deadline_ms) == 1) {
        char piece[1024];
        ssize_t got = sys.read((int)ends[0], piece, sizeof piece);

        if (got == -1 && (errno == EINTR || errno == EAGAIN))
            continue;
        whole = got == 0;
        if (got <= 0)
            break;
        buffer_append(out, piece, (size_t)got);
    }
    platform_close(ends[0]);
    if (!whole)
        (void)sys.kill(pid, SIGKILL);
    *ret_code = exit_code(pid);
    if (!whole || out->failed)
        return err_set(err, ERR_FAILED, 0, "%s did not end in time", words[0]);
    return 0;
}

int platform_capture(const char *const *words, int64_t timeout_ms, size_t limit, struct buffer *out,
        int *ret_code, struct err *err)
{
    return capture(words, false, timeout_ms, limit, out, ret_code, err);
}

int platform_capture_all(const char *const *words, int64_t timeout_ms, size_t limit,
        struct buffer *out, int *ret_code, struct err *err)
{
    return capture(words, true, timeout_ms, limit, out, ret_code, err);
}
