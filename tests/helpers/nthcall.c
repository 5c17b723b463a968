/* nthcall: the n-th system call of one process is its last (kill: before it is made; stop: after it
 * was made, by SIGSTOP), brings a SIGTERM, is the last thing that another process lives to see, or
 * fails.
 *
 *     nthcall REPORT TARGET [before-exec] count                      -- COMMAND...
 *     nthcall REPORT TARGET [before-exec] kill CALL NUMBER           -- COMMAND...
 *     nthcall REPORT TARGET [before-exec] stop CALL NUMBER           -- COMMAND...
 *     nthcall REPORT TARGET [before-exec] term CALL NUMBER           -- COMMAND...
 *     nthcall REPORT TARGET [before-exec] slay CALL NUMBER PID       -- COMMAND...
 *     nthcall REPORT TARGET [before-exec] fail CALL NUMBER ERROR     -- COMMAND...
 *
 * CALL is a name or a number, and NUMBER counts the calls of that name: how many files of /proc a
 * process reads differs from run to run, the order of what it writes does not.
 *
 * TARGET is 'command', which counts from its execve() on, or the pid of a process that runs
 * already.
 * '/1' behind it is the first process that it forks from now on, '/2' the first one of that one,
 * and so on; these count from their first call, with 'before-exec' until they execute a program.
 *
 * It ends when COMMAND has ended, and TARGET has been met, has ended, or has been idle for a while.
 * REPORT then has a line for each thing that happened: 'call NAME' (count only), 'acted NAME', and
 * 'code N', what COMMAND ended with (128 + the signal's number).  Whatever it started goes on. */
#define _GNU_SOURCE

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define IDLE_MS      100   /* without a call, after COMMAND has ended */
#define LIMIT_MS     60000 /* for all of it */
#define TRACEES_MAX  64
#define NO_CALL      (-1)
#define PREPARED     0 /* what a newly forked process stops with */
#define EXIT_TROUBLE 3

static const struct {
    long number;
    const char *name;
} calls[] = {
#define CALL(name)                                                                                 \
    {                                                                                              \
        SYS_##name, #name                                                                          \
    }
#ifdef SYS_open /* the older half of these is missing on younger machines */
    CALL(open),
    CALL(pipe),
    CALL(dup2),
    CALL(fork),
    CALL(vfork),
    CALL(poll),
    CALL(select),
    CALL(mkdir),
    CALL(rename),
    CALL(unlink),
    CALL(symlink),
    CALL(chmod),
    CALL(chown),
    CALL(link),
    CALL(readlink),
    CALL(stat),
    CALL(lstat),
    CALL(getdents64),
    CALL(epoll_create),
    CALL(epoll_wait),
    CALL(inotify_init),
    CALL(access),
#endif
    CALL(openat),
    CALL(close),
    CALL(read),
    CALL(write),
    CALL(readv),
    CALL(writev),
    CALL(pread64),
    CALL(pwrite64),
    CALL(lseek),
    CALL(fcntl),
    CALL(ioctl),
    CALL(dup),
    CALL(dup3),
    CALL(pipe2),
    CALL(clone),
    CALL(clone3),
    CALL(execve),
    CALL(execveat),
    CALL(wait4),
    CALL(waitid),
    CALL(ppoll),
    CALL(pselect6),
    CALL(epoll_create1),
    CALL(epoll_ctl),
    CALL(epoll_pwait),
    CALL(inotify_init1),
    CALL(inotify_add_watch),
    CALL(socket),
    CALL(socketpair),
    CALL(bind),
    CALL(listen),
    CALL(accept),
    CALL(accept4),
    CALL(connect),
    CALL(sendto),
    CALL(recvfrom),
    CALL(sendmsg),
    CALL(recvmsg),
    CALL(getsockopt),
    CALL(setsockopt),
    CALL(getsockname),
    CALL(getpeername),
    CALL(shutdown),
    CALL(flock),
    CALL(fsync),
    CALL(fdatasync),
    CALL(ftruncate),
    CALL(fallocate),
    CALL(fstat),
    CALL(newfstatat),
    CALL(statx),
    CALL(mkdirat),
    CALL(renameat),
    CALL(renameat2),
    CALL(unlinkat),
    CALL(linkat),
    CALL(symlinkat),
    CALL(readlinkat),
    CALL(fchmod),
    CALL(fchmodat),
    CALL(fchown),
    CALL(fchownat),
    CALL(faccessat),
    CALL(chdir),
    CALL(setsid),
    CALL(setpgid),
    CALL(prctl),
    CALL(prlimit64),
    CALL(getrandom),
    CALL(kill),
    CALL(tgkill),
    CALL(rt_sigaction),
    CALL(rt_sigprocmask),
    CALL(pidfd_open),
    CALL(pidfd_getfd),
    CALL(pidfd_send_signal),
    CALL(memfd_create),
    CALL(mmap),
    CALL(mremap),
    CALL(mprotect),
    CALL(munmap),
    CALL(brk),
    CALL(madvise),
    CALL(nanosleep),
    CALL(clock_nanosleep),
    CALL(exit_group),
#undef CALL
};

static const struct {
    const char *name;
    int number;
} errors[] = {
    { "EACCES", EACCES },
    { "EADDRINUSE", EADDRINUSE },
    { "EAGAIN", EAGAIN },
    { "ECONNREFUSED", ECONNREFUSED },
    { "EINTR", EINTR },
    { "EIO", EIO },
    { "EMFILE", EMFILE },
    { "ENFILE", ENFILE },
    { "ENOBUFS", ENOBUFS },
    { "ENOLCK", ENOLCK },
    { "ENOMEM", ENOMEM },
    { "ENOSPC", ENOSPC },
};

enum action { ACTION_COUNT, ACTION_KILL, ACTION_STOP, ACTION_TERM, ACTION_SLAY, ACTION_FAIL };

/* level: generations below the process that the target is counted from. */
struct tracee {
    pid_t pid;    /* 0: free */
    int level;    /* -1: its parent has not told yet that it forked it */
    bool stopped; /* waits for that */
    bool begun;
    bool executed; /* a program, since it was met */
};

static struct {
    const char *report_path;
    pid_t root; /* 0: the command */
    int depth;
    bool before_exec;
    enum action action;
    long call;
    long number;
    pid_t victim;
    int error;
} plan;

static struct {
    FILE *report;
    struct tracee tracees[TRACEES_MAX];
    bool met[TRACEES_MAX]; /* by level: the first one of each counts */
    bool ended;            /* the target, or it will not be traced any further */
    bool failing;          /* at the call's exit the error is to be put in */
    long seen;
    pid_t command;
    bool command_ended;
    int command_status;
} state;

__attribute__((format(printf, 1, 2))) static _Noreturn void trouble(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)fputs("nthcall: ", stderr);
    (void)vfprintf(stderr, format, arguments);
    (void)fputs("\n", stderr);
    va_end(arguments);
    exit(EXIT_TROUBLE);
}

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static const char *call_name(long number)
{
    static char other[32];

    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++)
        if (calls[i].number == number)
            return calls[i].name;
    (void)snprintf(other, sizeof other, "%ld", number);
    return other;
}

/* ---- The command line ------------------------------------------------------------------------ */

static long whole_number(const char *text)
{
    char *end;
    long value = strtol(text, &end, 10);

    if (end == text || *end != '\0' || value < 0)
        trouble("'%s' is not a number", text);
    return value;
}

static const char *word(char ***at)
{
    if (**at == NULL || strcmp(**at, "--") == 0)
        trouble("a word is missing");
    return *(*at)++;
}

static void parse_target(char *text)
{
    char *slash = strchr(text, '/');

    if (slash != NULL) {
        *slash = '\0';
        plan.depth = (int)whole_number(slash + 1);
        if (plan.depth >= TRACEES_MAX)
            trouble("that is too deep");
    }
    plan.root = strcmp(text, "command") == 0 ? 0 : (pid_t)whole_number(text);
}

static void parse_call(char ***at)
{
    const char *call = word(at);

    plan.call = NO_CALL;
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++)
        if (strcmp(calls[i].name, call) == 0)
            plan.call = calls[i].number;
    if (plan.call == NO_CALL)
        plan.call = whole_number(call);
    plan.number = whole_number(word(at));
}

static void parse_error(char ***at)
{
    const char *error = word(at);

    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++)
        if (strcmp(errors[i].name, error) == 0)
            plan.error = errors[i].number;
    if (plan.error == 0)
        trouble("'%s' is no error that it knows", error);
}

/* Returns the command's words. */
static char **parse(char **at)
{
    const char *action;

    plan.report_path = word(&at);
    (void)word(&at);
    parse_target(at[-1]);
    action = word(&at);
    if (strcmp(action, "before-exec") == 0) {
        plan.before_exec = true;
        action = word(&at);
    }
    plan.call = NO_CALL;
    if (strcmp(action, "kill") == 0 || strcmp(action, "stop") == 0) {
        plan.action = action[0] == 'k' ? ACTION_KILL : ACTION_STOP;
        parse_call(&at);
    } else if (strcmp(action, "term") == 0) {
        plan.action = ACTION_TERM;
        parse_call(&at);
    } else if (strcmp(action, "slay") == 0) {
        plan.action = ACTION_SLAY;
        parse_call(&at);
        plan.victim = (pid_t)whole_number(word(&at));
    } else if (strcmp(action, "fail") == 0) {
        plan.action = ACTION_FAIL;
        parse_call(&at);
        parse_error(&at);
    } else if (strcmp(action, "count") != 0) {
        trouble("'%s' is not count, kill, stop, term, slay or fail", action);
    }
    if (*at == NULL || strcmp(*at, "--") != 0 || at[1] == NULL)
        trouble("there is no command");
    return at + 1;
}

/* ---- Tracing --------------------------------------------------------------------------------- */

static struct tracee *find(pid_t pid)
{
    for (int i = 0; i < TRACEES_MAX; i++)
        if (state.tracees[i].pid == pid)
            return &state.tracees[i];
    return NULL;
}

static struct tracee *add(pid_t pid, int level)
{
    struct tracee *tracee = find(0);

    if (tracee == NULL)
        trouble("too many processes");
    *tracee = (struct tracee) { .pid = pid, .level = level };
    return tracee;
}

static void forget(struct tracee *tracee)
{
    if (tracee->level == plan.depth)
        state.ended = true;
    tracee->pid = 0;
}

static void let_go(struct tracee *tracee, int signal_number)
{
    (void)ptrace(PTRACE_DETACH, tracee->pid, NULL, (void *)(intptr_t)signal_number);
    forget(tracee);
}

static bool counts(const struct tracee *tracee)
{
    return tracee->level == plan.depth && (tracee->executed || plan.root != 0 || plan.depth > 0);
}

static void go_on(struct tracee *tracee, int signal_number)
{
    (void)ptrace(counts(tracee) ? PTRACE_SYSCALL : PTRACE_CONT, tracee->pid, NULL,
            (void *)(intptr_t)signal_number);
}

static long options_at(int level)
{
    long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXEC;

    if (level < plan.depth)
        options |= PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE;
    return options;
}

/* A forked process whose parent is known, where it begins. */
static void begin_tracee(struct tracee *tracee)
{
    tracee->begun = true;
    if (tracee->level > plan.depth || state.met[tracee->level] ||
            ptrace(PTRACE_SETOPTIONS, tracee->pid, NULL, (void *)options_at(tracee->level)) == -1) {
        tracee->level = -1; /* not the target */
        let_go(tracee, 0);
        return;
    }
    state.met[tracee->level] = true;
    go_on(tracee, 0);
}

static void on_fork(const struct tracee *parent)
{
    unsigned long pid = 0;
    struct tracee *child;

    if (ptrace(PTRACE_GETEVENTMSG, parent->pid, NULL, &pid) == -1)
        return;
    child = find((pid_t)pid);
    if (child == NULL)
        child = add((pid_t)pid, parent->level + 1);
    child->level = parent->level + 1;
    if (child->stopped)
        begin_tracee(child);
}

#if defined(__x86_64__)
static void drop_call(pid_t pid)
{
    (void)ptrace(PTRACE_POKEUSER, pid, (void *)offsetof(struct user_regs_struct, orig_rax),
            (void *)(intptr_t)-1);
}

static void set_result(pid_t pid, long value)
{
    (void)ptrace(PTRACE_POKEUSER, pid, (void *)offsetof(struct user_regs_struct, rax),
            (void *)(intptr_t)value);
}
#elif defined(__aarch64__)
#define REGISTERS   1     /* NT_PRSTATUS */
#define SYSTEM_CALL 0x404 /* NT_ARM_SYSTEM_CALL */

static void drop_call(pid_t pid)
{
    int none = -1;
    struct iovec piece = { .iov_base = &none, .iov_len = sizeof none };

    (void)ptrace(PTRACE_SETREGSET, pid, (void *)(intptr_t)SYSTEM_CALL, &piece);
}

static void set_result(pid_t pid, long value)
{
    struct user_regs_struct registers;
    struct iovec piece = { .iov_base = &registers, .iov_len = sizeof registers };

    if (ptrace(PTRACE_GETREGSET, pid, (void *)(intptr_t)REGISTERS, &piece) == -1)
        return;
    registers.regs[0] = (unsigned long long)value;
    (void)ptrace(PTRACE_SETREGSET, pid, (void *)(intptr_t)REGISTERS, &piece);
}
#else
static void drop_call(pid_t pid)
{
    trouble("it cannot make calls of process %ld fail on this machine", (long)pid);
}

static void set_result(pid_t pid, long value)
{
    (void)pid;
    (void)value;
}
#endif

/* At the entry to a call or its exit; the target is let go or goes on. */
/* It is gone, or a zombie, when this returns. */
static void slay(void)
{
    const struct timespec pause = { .tv_nsec = 1000000 };
    char path[64];
    char text[512];

    (void)snprintf(path, sizeof path, "/proc/%d/stat", (int)plan.victim);
    kill(plan.victim, SIGKILL);
    for (int waited_ms = 0; waited_ms < LIMIT_MS; waited_ms++) {
        FILE *file = fopen(path, "r");
        size_t length = file != NULL ? fread(text, 1, sizeof text - 1, file) : 0;
        const char *behind;

        if (file != NULL)
            (void)fclose(file);
        text[length] = '\0';
        behind = strrchr(text, ')');
        if (behind == NULL || strncmp(behind, ") Z", 3) == 0 || strncmp(behind, ") X", 3) == 0)
            return;
        (void)nanosleep(&pause, NULL);
    }
    trouble("pid %d does not end", (int)plan.victim);
}

static void on_call(struct tracee *tracee)
{
    struct __ptrace_syscall_info info;
    long call;

    memset(&info, 0, sizeof info);
    if (ptrace(PTRACE_GET_SYSCALL_INFO, tracee->pid, (void *)sizeof info, &info) == -1) {
        go_on(tracee, 0);
        return;
    }
    if (info.op == PTRACE_SYSCALL_INFO_EXIT && state.failing) {
        set_result(tracee->pid, -plan.error);
        let_go(tracee, 0);
        return;
    }
    call = (long)info.entry.nr;
    if (info.op != PTRACE_SYSCALL_INFO_ENTRY || (plan.call != NO_CALL && plan.call != call)) {
        go_on(tracee, 0);
        return;
    }
    state.seen++;
    if (plan.action == ACTION_COUNT)
        (void)fprintf(state.report, "call %s\n", call_name(call));
    if (plan.action != ACTION_COUNT && state.seen == plan.number) {
        (void)fprintf(state.report, "acted %s\n", call_name(call));
        if (plan.action == ACTION_KILL) {
            kill(tracee->pid, SIGKILL); /* the call is not made any more */
            return;
        }
        if (plan.action == ACTION_STOP || plan.action == ACTION_TERM) {
            kill(tracee->pid, plan.action == ACTION_STOP ? SIGSTOP : SIGTERM);
        } else if (plan.action == ACTION_SLAY) {
            slay();
        } else {
            state.failing = true;
            drop_call(tracee->pid);
        }
    }
    go_on(tracee, 0);
}

static void on_exec(struct tracee *tracee)
{
    tracee->executed = true;
    if (tracee->level == plan.depth && plan.before_exec)
        let_go(tracee, 0);
    else
        go_on(tracee, 0);
}

static void on_event(struct tracee *tracee, int event, int signal_number)
{
    switch (event) {
    case PTRACE_EVENT_STOP:
        if (tracee->level == -1)
            tracee->stopped = true;
        else if (!tracee->begun)
            begin_tracee(tracee);
        else if (signal_number == SIGTRAP)
            go_on(tracee, 0);
        else
            (void)ptrace(PTRACE_LISTEN, tracee->pid, NULL, NULL);
        break;
    case PTRACE_EVENT_FORK:
    case PTRACE_EVENT_VFORK:
    case PTRACE_EVENT_CLONE:
        on_fork(tracee);
        go_on(tracee, 0);
        break;
    case PTRACE_EVENT_EXEC:
        on_exec(tracee);
        break;
    default:
        go_on(tracee, 0);
        break;
    }
}

static void on_status(pid_t pid, int status)
{
    struct tracee *tracee = find(pid);

    if (WIFEXITED(status) || WIFSIGNALED(status)) {
        if (tracee != NULL)
            forget(tracee);
        if (pid == state.command) {
            state.command_ended = true;
            state.command_status = status;
        }
        return;
    }
    if (tracee == NULL)
        tracee = add(pid, -1);
    if (status >> 16 != 0)
        on_event(tracee, status >> 16, WSTOPSIG(status));
    else if (WSTOPSIG(status) == (SIGTRAP | 0x80))
        on_call(tracee);
    else
        go_on(tracee, WSTOPSIG(status));
}

/* ---- All of it ------------------------------------------------------------------------------- */

static void start_command(char **words, const sigset_t *mask)
{
    int barrier[2];
    char go = 'g';

    if (pipe(barrier) == -1)
        trouble("%s", strerror(errno));
    state.command = fork();
    if (state.command == -1)
        trouble("%s", strerror(errno));
    if (state.command == 0) {
        sigprocmask(SIG_SETMASK, mask, NULL);
        close(barrier[1]);
        if (read(barrier[0], &go, 1) != 1)
            _exit(EXIT_TROUBLE);
        close(barrier[0]);
        execv(words[0], words);
        _exit(EXIT_TROUBLE);
    }
    if (plan.root == 0) {
        add(state.command, 0)->begun = true;
        state.met[0] = true;
        if (ptrace(PTRACE_SEIZE, state.command, NULL, (void *)options_at(0)) == -1)
            trouble("the command cannot be traced: %s", strerror(errno));
    }
    if (write(barrier[1], &go, 1) != 1)
        trouble("%s", strerror(errno));
    close(barrier[0]);
    close(barrier[1]);
}

static void seize_root(void)
{
    int status;

    add(plan.root, 0)->begun = true;
    state.met[0] = true;
    if (ptrace(PTRACE_SEIZE, plan.root, NULL, (void *)options_at(0)) == -1 ||
            ptrace(PTRACE_INTERRUPT, plan.root, NULL, NULL) == -1 ||
            waitpid(plan.root, &status, __WALL) == -1)
        trouble("process %ld cannot be traced: %s", (long)plan.root, strerror(errno));
    on_status(plan.root, status);
}

static bool is_over(void)
{
    return state.command_ended && (state.ended || !state.met[plan.depth]);
}

/* Takes what happens until it is over; false: the target only idles now, or too long. */
static bool wait_for_all(const sigset_t *child_signal)
{
    int64_t limit_ms = now_ms() + LIMIT_MS;
    int64_t idle_ms = limit_ms;

    while (!is_over()) {
        struct timespec left;
        int64_t left_ms;
        int status;
        pid_t pid = waitpid(-1, &status, __WALL | WNOHANG);

        if (pid > 0) {
            on_status(pid, status);
            if (state.command_ended)
                idle_ms = now_ms() + IDLE_MS;
            continue;
        }
        if (pid == -1 && errno != EINTR)
            return true; /* nobody is left */
        left_ms = (state.command_ended && idle_ms < limit_ms ? idle_ms : limit_ms) - now_ms();
        if (left_ms <= 0)
            return state.command_ended;
        left.tv_sec = (time_t)(left_ms / 1000);
        left.tv_nsec = (long)(left_ms % 1000 * 1000000);
        (void)sigtimedwait(child_signal, NULL, &left);
    }
    return true;
}

int main(int count, char **words)
{
    sigset_t child_signal, mask;
    char **command = parse(words + (count > 0));
    int status;

    state.report = fopen(plan.report_path, "we");
    if (state.report == NULL)
        trouble("%s: %s", plan.report_path, strerror(errno));
    sigemptyset(&child_signal);
    sigaddset(&child_signal, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child_signal, &mask);
    if (plan.root != 0)
        seize_root();
    start_command(command, &mask);
    if (!wait_for_all(&child_signal))
        trouble("the command did not end in %d s", LIMIT_MS / 1000);
    status = state.command_status;
    (void)fprintf(state.report, "code %d\n",
            WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
    return fclose(state.report) == 0 ? 0 : EXIT_TROUBLE; /* whoever is traced goes on by itself */
}
