/* The loop: poll over a self-pipe, connections, pipes, datagrams and processes.
 *
 * One event at a time.  The pipe of signals is looked at last, and after a child's end everything
 * is polled once more before the end is told, so that what the child sent before it died comes
 * first. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "platform_sys.h"
#include "posix_source.h"

#include "banned.h"

/* What is used of it with few sources is on one page: after a fork each page that is written to is
 * copied. */
_Alignas(PLATFORM_PAGE_BYTES) struct platform_loop_state platform_loop;

static struct platform_loop_state *const loop = &platform_loop;

/* Writes one byte and keeps errno; a full pipe already says "wake up". */
static void on_signal(int number)
{
    unsigned char byte = (unsigned char)number;
    int saved = errno;

    (void)!write(loop->signal_pipe[1], &byte, 1);
    errno = saved;
}

static int take_signal(int number)
{
    return posix_set_signal(number, on_signal);
}

void posix_take_signal(int number)
{
    (void)take_signal(number);
}

int platform_loop_open(bool takes_signals, struct err *err)
{
    static const int asks[] = { SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2 };
    sigset_t none;

    if (sys.pipe(loop->signal_pipe) == -1)
        return err_set(err, ERR_FAILED, errno, "cannot make a pipe: %s", strerror(errno));
    for (int i = 0; i < 2; i++)
        if (posix_set_cloexec(loop->signal_pipe[i]) == -1 ||
                posix_set_nonblocking(loop->signal_pipe[i], true) == -1)
            return err_set(err, ERR_FAILED, errno, "cannot make a pipe: %s", strerror(errno));
    (void)posix_set_signal(SIGPIPE, SIG_IGN);
    if (take_signal(SIGCHLD) == -1)
        return err_set(err, ERR_FAILED, errno, "cannot take SIGCHLD: %s", strerror(errno));
    for (size_t i = 0; takes_signals && i < sizeof asks / sizeof asks[0]; i++)
        (void)take_signal(asks[i]);
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL); /* whatever the launcher had blocked */
    loop->children_may_have_ended = true;
    loop->is_open = true;
    return 0;
}

static void read_signals(void)
{
    unsigned char bytes[64];
    ssize_t got;

    while ((got = sys.read(loop->signal_pipe[0], bytes, sizeof bytes)) > 0)
        for (ssize_t i = 0; i < got; i++) {
            if (bytes[i] == SIGCHLD) {
                loop->children_may_have_ended = true;
                loop->left_unreaped = 0;
            } else if (loop->signal_count < LOOP_SIGNALS_MAX) {
                loop->signals[loop->signal_count++] = bytes[i];
            }
        }
}

bool posix_signal_waits(void)
{
    read_signals();
    return loop->signal_count > 0;
}

static bool next_signal(struct platform_event *event)
{
    int number;

    if (loop->signal_count == 0)
        return false;
    number = loop->signals[0];
    loop->signal_count--;
    memmove(loop->signals, loop->signals + 1, loop->signal_count);
    event->kind = PLATFORM_EVENT_SIGNAL;
    event->signal_number = number;
    event->ask = number == SIGTERM || number == SIGINT ? PLATFORM_ASK_STOP
            : number == SIGHUP                         ? PLATFORM_ASK_HANGUP
            : number == SIGWINCH                       ? PLATFORM_ASK_RESIZE
                                                       : PLATFORM_ASK_FORWARD;
    return true;
}

static void fill_exit(const siginfo_t *info, struct platform_exit *ret_exit)
{
    ret_exit->code = info->si_code == CLD_EXITED ? info->si_status : -1;
    ret_exit->by_signal = info->si_code == CLD_EXITED ? 0 : info->si_status;
    ret_exit->core_dumped = info->si_code == CLD_DUMPED;
}

/* Fills info, whose pid is 0 where nobody has ended.  Reaps nobody. */
static bool look_for_end(idtype_t kind, id_t id, siginfo_t *info)
{
    int result;

    memset(info, 0, sizeof *info);
    do
        result = sys.waitid(kind, id, info, WEXITED | WNOHANG | WNOWAIT);
    while (result == -1 && errno == EINTR);
    return result == 0 && info->si_pid != 0;
}

/* Looks without reaping: until whoever waits has written down how it ended, the zombie keeps both
 * the status and the number. */
static bool next_child(struct platform_event *event)
{
    siginfo_t info;

    if (!loop->children_may_have_ended)
        return false;
    if (!look_for_end(P_ALL, 0, &info) || info.si_pid == loop->left_unreaped) {
        loop->children_may_have_ended = false;
        return false;
    }
    event->kind = PLATFORM_EVENT_EXIT;
    event->pid = (int64_t)info.si_pid;
    fill_exit(&info, &event->exit);
    return true;
}

bool platform_child_ended(int64_t pid, struct platform_exit *ret_exit)
{
    siginfo_t info;

    if (!look_for_end(P_PID, (id_t)pid, &info))
        return false;
    fill_exit(&info, ret_exit);
    return true;
}

void platform_reap(int64_t pid)
{
    siginfo_t info;

    while (sys.waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG) == -1 && errno == EINTR)
        ;
    if (loop->left_unreaped == (pid_t)pid)
        loop->left_unreaped = 0;
    if (loop->polled_since_end == pid)
        loop->polled_since_end = 0;
    loop->children_may_have_ended = true; /* it may have hidden another one */
}

void platform_leave_unreaped(int64_t pid)
{
    loop->left_unreaped = (pid_t)pid;
}

void platform_hush(unsigned roles)
{
    loop->hushed = roles;
}

/* Puts everything that is watched into the poll set, the signals last. */
static void poll_all(int timeout_ms)
{
    nfds_t count = 0;

    for (size_t i = 0; i < loop->used; i++) {
        struct platform_source *source = &loop->sources[i];
        short events = posix_source_interest(source);

        source->fresh = false;
        if (source->kind == SOURCE_FREE || events == 0 ||
                (timeout_ms != 0 && (loop->hushed >> source->role & 1) != 0))
            continue;
        loop->polled[count] = source;
        loop->fds[count] = (struct pollfd) { .fd = posix_source_fd(source), .events = events };
        count++;
    }
    loop->fds[count] = (struct pollfd) {
        .fd = loop->is_open ? loop->signal_pipe[0] : -1,
        .events = POLLIN,
    };
    loop->polled_count = count;
    loop->next = 0;
    if (sys.poll(loop->fds, count + 1, timeout_ms) <= 0) {
        loop->polled_count = 0;
        loop->fds[0].revents = 0;
        loop->fds[count].revents = 0;
        return;
    }
    if (loop->fds[count].revents != 0)
        read_signals();
}

static bool next_ready(struct platform_event *event)
{
    while (loop->next < loop->polled_count) {
        size_t i = loop->next;
        struct platform_source *source = loop->polled[i];

        /* It may have been unwatched, and its place taken, since the poll. */
        if (loop->fds[i].revents == 0 || source->kind == SOURCE_FREE ||
                posix_source_fd(source) != loop->fds[i].fd || source->fresh) {
            loop->next++;
            continue;
        }
        if (!posix_source_handle(source, loop->fds[i].revents, event)) {
            loop->next++;
            continue;
        }
        /* One piece a round: a busy stream does not keep the others waiting. */
        loop->next++;
        return true;
    }
    return false;
}

static int timeout_until(int64_t deadline_ms)
{
    int64_t left;

    if (deadline_ms == PLATFORM_NEVER)
        return -1;
    left = deadline_ms - platform_now_ms();
    return left <= 0 ? 0 : left > 86400000 ? 86400000 : (int)left;
}

void platform_wait(int64_t deadline_ms, struct platform_event *ret_event)
{
    for (;;) {
        *ret_event = (struct platform_event) { .handle = PLATFORM_NO_HANDLE };
        if (next_ready(ret_event) || next_signal(ret_event))
            return;
        if (next_child(ret_event)) {
            if (ret_event->pid == loop->polled_since_end)
                return;
            loop->polled_since_end = ret_event->pid;
            poll_all(0);
            continue;
        }
        if (deadline_ms != PLATFORM_NEVER && platform_now_ms() >= deadline_ms &&
                !loop->told_timer) {
            ret_event->kind = PLATFORM_EVENT_TIMER;
            loop->told_timer = true; /* next time something else has its turn first */
            return;
        }
        loop->told_timer = false;
        poll_all(timeout_until(deadline_ms));
    }
}
