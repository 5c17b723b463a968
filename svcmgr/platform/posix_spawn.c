#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "platform_sys.h"
#include "posix.h"
#include "str.h"

#include "banned.h"

static const struct {
    const char *name;
    int resource;
} resources[] = {
    { "nofile", RLIMIT_NOFILE },
    { "nproc", RLIMIT_NPROC },
    { "core", RLIMIT_CORE },
    { "memory", RLIMIT_AS },
    { "cpu", RLIMIT_CPU },
    { "fsize", RLIMIT_FSIZE },
    { "stack", RLIMIT_STACK },
    { "data", RLIMIT_DATA },
    { "memlock", RLIMIT_MEMLOCK },
};

/* ---- In the child: only async-signal-safe calls from here, fork(2) --------------------------- */

static void child_fail(int failure_fd, enum platform_stage stage)
{
    struct posix_failure failure = { .stage = (int)stage, .code = errno };

    (void)!write(failure_fd, &failure, sizeof failure);
    _exit(127);
}

/* Puts copies of the descriptors at 'first' and the numbers behind, closes all others from 'first'
 * on, and tells in 'sources' where each one is, also when it fails.  The last two are not for the
 * program: execve(2) closes them.  What is in the way goes out of it first, since places and
 * sources may overlap in any way. */
static bool place(int *sources, int count, int first)
{
    int end = first + count;

    for (int i = 0; i < count; i++) {
        /* A copy is closed with the others. */
        int copy = sources[i] >= end ? sources[i] : fcntl(sources[i], F_DUPFD, end);

        if (copy == -1)
            return false;
        sources[i] = copy;
    }
    for (int i = 0; i < count; i++)
        if (dup2(sources[i], first + i) == -1)
            return false;
    for (int i = 0; i < count; i++)
        sources[i] = first + i;
    if (posix_set_cloexec(end - 2) == -1 || posix_set_cloexec(end - 1) == -1)
        return false;
    posix_close_from(end);
    return true;
}

/* 0, 1, 2, the passed descriptors, and the two that the child itself still needs. */
static bool child_descriptors(const struct platform_spawn *spawn, int *failure_fd, int *barrier_fd)
{
    int sources[3 + PLATFORM_PASSED_MAX + 2];
    int count = 3;
    int null = open("/dev/null", O_RDWR);
    bool done;

    if (null == -1)
        return false;
    sources[0] = spawn->input == PLATFORM_NO_HANDLE ? null : (int)spawn->input;
    sources[1] = spawn->output == PLATFORM_NO_HANDLE ? null : (int)spawn->output;
    sources[2] = spawn->error_output == PLATFORM_NO_HANDLE ? null : (int)spawn->error_output;
    for (size_t i = 0; i < spawn->passed_count; i++)
        sources[count++] = (int)spawn->passed[i];
    sources[count] = *failure_fd;
    sources[count + 1] = *barrier_fd;
    done = place(sources, count + 2, 0);
    *failure_fd = sources[count];
    *barrier_fd = sources[count + 1];
    return done;
}

static bool set_limit(const struct platform_limit *limit)
{
    struct rlimit value;

    for (size_t i = 0; i < sizeof resources / sizeof resources[0]; i++) {
        if (strcmp(resources[i].name, limit->name) != 0)
            continue;
        value.rlim_cur = limit->value == PLATFORM_UNLIMITED ? RLIM_INFINITY : (rlim_t)limit->value;
        value.rlim_max = value.rlim_cur;
        return setrlimit(resources[i].resource, &value) == 0;
    }
    errno = EINVAL;
    return false;
}

static bool child_limits(const struct platform_spawn *spawn)
{
    struct rlimit files;

    if (spawn->raise_open_files_to != 0 && getrlimit(RLIMIT_NOFILE, &files) == 0) {
        rlim_t wanted = (rlim_t)spawn->raise_open_files_to;

        if (files.rlim_max != RLIM_INFINITY && wanted > files.rlim_max)
            wanted = files.rlim_max;
        if (files.rlim_cur != RLIM_INFINITY && files.rlim_cur < wanted) {
            files.rlim_cur = wanted;
            (void)setrlimit(RLIMIT_NOFILE, &files);
        }
    }
    for (size_t i = 0; i < spawn->limit_count; i++)
        if (!set_limit(&spawn->limits[i]))
            return false;
    return true;
}

static bool child_groups(const struct platform_spawn *spawn)
{
    return posix_set_groups(spawn) == 0 && setgid((gid_t)spawn->gid) == 0;
}

static void write_pid(char *hole)
{
    char digits[16];
    int count = 0;

    if (hole == NULL)
        return;
    for (long pid = (long)getpid(); pid > 0; pid /= 10)
        digits[count++] = (char)('0' + pid % 10);
    while (count > 0)
        *hole++ = digits[--count];
    *hole = '\0';
}

static void child_main(
        const struct platform_spawn *spawn, pid_t parent, int failure_fd, int barrier_fd)
{
    sigset_t none;
    char go;
    ssize_t got;

    if (setsid() == -1)
        child_fail(failure_fd, PLATFORM_STAGE_SESSION);
    if (!child_descriptors(spawn, &failure_fd, &barrier_fd))
        child_fail(failure_fd, PLATFORM_STAGE_DESCRIPTORS);
    if (spawn->on_terminal && ioctl(STDIN_FILENO, TIOCSCTTY, 0) == -1)
        child_fail(failure_fd, PLATFORM_STAGE_TERMINAL);
    if (!child_limits(spawn))
        child_fail(failure_fd, PLATFORM_STAGE_LIMITS);
    if (spawn->nice_set && setpriority(PRIO_PROCESS, 0, spawn->nice) == -1)
        child_fail(failure_fd, PLATFORM_STAGE_NICE);
    (void)umask((mode_t)spawn->umask);
    if (spawn->switch_user && !child_groups(spawn))
        child_fail(failure_fd, PLATFORM_STAGE_GROUP);
    if (spawn->switch_user && setuid((uid_t)spawn->uid) == -1)
        child_fail(failure_fd, PLATFORM_STAGE_USER);
    if (spawn->directory != NULL && chdir(spawn->directory) == -1)
        child_fail(failure_fd, PLATFORM_STAGE_DIRECTORY);
    posix_reset_changed_signals(); /* the others were reset when we were started */
    if (spawn->ends_with_parent)
        posix_end_with_parent();
    /* The barrier.  End of file means that the supervisor died before it had recorded us. */
    do
        got = read(barrier_fd, &go, 1);
    while (got == -1 && errno == EINTR);
    if (got != 1 || (spawn->ends_with_parent && getppid() != parent))
        _exit(127);
    write_pid(spawn->listen_pid_hole);
    write_pid(spawn->watchdog_pid_hole);
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    execve(spawn->file, (char *const *)(uintptr_t)spawn->words, spawn->environment);
    child_fail(failure_fd, PLATFORM_STAGE_EXECUTE);
}

/* ---- In the parent --------------------------------------------------------------------------- */

static void close_pair(int pair[2])
{
    for (int i = 0; i < 2; i++)
        if (pair[i] != -1)
            sys.close(pair[i]);
}

static int open_pipe(int pair[2])
{
    if (sys.pipe(pair) == -1) {
        pair[0] = pair[1] = -1;
        return -1;
    }
    return posix_set_cloexec(pair[0]) == -1 || posix_set_cloexec(pair[1]) == -1 ? -1 : 0;
}

int platform_spawn(
        const struct platform_spawn *spawn, struct platform_child *ret_child, struct err *err)
{
    int failure[2] = { -1, -1 };
    int barrier[2] = { -1, -1 };
    struct platform_child child;
    int64_t before_fork;
    pid_t parent = getpid();
    sigset_t mask;
    pid_t pid;

    if (spawn->passed_count > PLATFORM_PASSED_MAX)
        return err_set(err, ERR_FAILED, 0, "too many sockets to pass");
    if (open_pipe(failure) == -1 || open_pipe(barrier) == -1) {
        err_set(err, ERR_FAILED, errno, "cannot make a pipe: %s", strerror(errno));
        goto out;
    }
    posix_block_signals(&mask);
    before_fork = posix_start_clock();
    pid = sys.fork();
    if (pid == 0)
        child_main(spawn, parent, failure[1], barrier[0]);
    posix_restore_signals(&mask);
    if (pid == -1) {
        err_set(err, ERR_FAILED, errno, "%s: %s", platform_stage_name(PLATFORM_STAGE_FORK),
                strerror(errno));
        goto out;
    }
    child.barrier = barrier[1];
    child.failure = failure[0];
    if (!posix_identify_child(pid, before_fork, &child.identity)) {
        err_set(err, ERR_FAILED, errno, "cannot find out who process %ld is: %s", (long)pid,
                strerror(errno));
        child.identity = (struct identity) { .pid = pid };
        barrier[1] = failure[0] = -1;
        platform_spawn_abandon(&child);
        goto out;
    }
    sys.close(failure[1]);
    sys.close(barrier[0]);
    *ret_child = child;
    return 0;
out:
    close_pair(failure);
    close_pair(barrier);
    return -1;
}

int platform_spawn_release(struct platform_child *child, struct err *err)
{
    char go = 'g';
    int result = platform_write(child->barrier, &go, 1, err);

    /* A new child often stands in line for its parent's processor. */
    (void)sched_yield();
    sys.close((int)child->barrier);
    child->barrier = PLATFORM_NO_HANDLE;
    /* EPIPE: it failed before it came to the barrier; why is in the failure pipe. */
    return result == -1 && err->os_code == EPIPE ? 0 : result;
}

void platform_spawn_abandon(struct platform_child *child)
{
    siginfo_t info;

    platform_close(child->barrier);
    platform_close(child->failure);
    child->barrier = child->failure = PLATFORM_NO_HANDLE;
    /* It ends at once: it reads end of file, or has failed already. */
    while (sys.waitid(P_PID, (id_t)child->identity.pid, &info, WEXITED) == -1 && errno == EINTR)
        ;
}

int platform_open_program(const char *path, platform_handle *ret_handle, struct err *err)
{
    int fd = sys.open(path, O_RDONLY | O_CLOEXEC);

    if (fd == -1)
        return err_set(err, posix_kind(errno), errno, "cannot open %s: %s", path, strerror(errno));
    *ret_handle = fd;
    return 0;
}

/* Descriptors of a program of ours: 0 to 2 as they are, 'passed' from 3 on, no others. */
static bool place_passed(const platform_handle *passed, size_t count, int *keep_a, int *keep_b)
{
    int sources[PLATFORM_PASSED_MAX + 2];
    bool done;

    for (size_t i = 0; i < count; i++)
        sources[i] = (int)passed[i];
    sources[count] = *keep_a;
    sources[count + 1] = *keep_b;
    done = place(sources, (int)count + 2, 3);
    *keep_a = sources[count];
    *keep_b = sources[count + 1];
    return done;
}

static void execute_program(int executable, const char *const *words, char *const *environment)
{
    sigset_t none;

    posix_reset_signals();
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    posix_execute(executable, words, environment);
}

extern char **environ;

static bool set_passed_on(platform_handle handle, bool passed_on)
{
    return sys.fcntl((int)handle, F_SETFD, passed_on ? 0 : FD_CLOEXEC) != -1;
}

void platform_keep_private(platform_handle handle)
{
    if (handle != PLATFORM_NO_HANDLE)
        (void)set_passed_on(handle, false);
}

int platform_become(platform_handle program, const char *const *words, const platform_handle *kept,
        size_t kept_count, struct err *err)
{
    bool passed_on = true;
    sigset_t mask;
    int code;

    posix_block_signals(&mask);
    if (posix_signal_waits()) {
        posix_restore_signals(&mask);
        return 0;
    }
    for (size_t i = 0; i < kept_count; i++)
        passed_on = passed_on && set_passed_on(kept[i], true);
    /* With a handle less the next image would be deaf, and its supervisor's end untold. */
    if (passed_on)
        posix_execute((int)program, words, environ);
    code = errno;
    for (size_t i = 0; i < kept_count; i++)
        (void)set_passed_on(kept[i], false);
    posix_restore_signals(&mask);
    return err_set(err, posix_kind(code), code, "cannot execute %s: %s", words[0], strerror(code));
}

int platform_spawn_supervisor(platform_handle executable, const char *const *words,
        const platform_handle *passed, size_t count, int64_t *ret_pid, struct err *err)
{
    sigset_t mask;
    pid_t pid;

    posix_block_signals(&mask);
    pid = sys.fork();
    if (pid == 0) {
        int program = (int)executable;
        int spare = STDERR_FILENO;

        (void)setpgid(0, 0);
        if (place_passed(passed, count, &program, &spare))
            execute_program(program, words, environ);
        _exit(127);
    }
    posix_restore_signals(&mask);
    if (pid == -1)
        return err_set(err, ERR_FAILED, errno, "%s: %s", platform_stage_name(PLATFORM_STAGE_FORK),
                strerror(errno));
    *ret_pid = (int64_t)pid;
    return 0;
}

static void background_main(const char *const *words, const platform_handle *passed, size_t count,
        int failure_fd, int program)
{
    static char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    char *environment[] = { path, NULL };
    int null;

    if (setsid() == -1)
        child_fail(failure_fd, PLATFORM_STAGE_SESSION);
    if (chdir("/") == -1)
        child_fail(failure_fd, PLATFORM_STAGE_DIRECTORY);
    (void)umask(022);
    if (!place_passed(passed, count, &failure_fd, &program))
        child_fail(failure_fd, PLATFORM_STAGE_DESCRIPTORS);
    null = open("/dev/null", O_RDWR);
    if (null == -1 || dup2(null, 0) == -1 || dup2(null, 1) == -1 || dup2(null, 2) == -1)
        child_fail(failure_fd, PLATFORM_STAGE_DESCRIPTORS);
    if (null > 2)
        (void)close(null);
    execute_program(program, words, environment);
    child_fail(failure_fd, PLATFORM_STAGE_EXECUTE);
}

/* Reads what a child says of its failure; returns 0 if it executed. */
static int read_failure(int fd, const char *file, struct err *err)
{
    struct posix_failure failure;
    ssize_t got;

    do
        got = sys.read(fd, &failure, sizeof failure);
    while (got == -1 && errno == EINTR);
    if (got != (ssize_t)sizeof failure)
        return 0;
    return err_set(err, posix_kind(failure.code), failure.code, "%s %s: %s",
            platform_stage_name((enum platform_stage)failure.stage), file, strerror(failure.code));
}

int platform_spawn_background(const char *const *words, const platform_handle *passed,
        size_t passed_count, struct err *err)
{
    int failure[2] = { -1, -1 };
    int program = (int)platform_open_executable();
    sigset_t mask;
    pid_t pid;
    int result = -1;

    if (program == -1 || open_pipe(failure) == -1) {
        err_set(err, ERR_FAILED, errno, "cannot start the supervisor: %s", strerror(errno));
        goto out;
    }
    posix_block_signals(&mask);
    pid = sys.fork();
    if (pid == 0)
        background_main(words, passed, passed_count, failure[1], program);
    posix_restore_signals(&mask);
    if (pid == -1) {
        err_set(err, ERR_FAILED, errno, "cannot start the supervisor: %s", strerror(errno));
        goto out;
    }
    sys.close(failure[1]);
    failure[1] = -1;
    result = read_failure(failure[0], words[0], err);
out:
    close_pair(failure);
    if (program != -1)
        sys.close(program);
    return result;
}
