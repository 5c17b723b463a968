#define _XOPEN_SOURCE 700
#define _DARWIN_C_SOURCE

#include <signal.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "misbehave.h"

#define TIME_IS_UP 124

/* Written by limit_exit_after(), which a handler may call: with 64 bits these are written whole. */
static volatile int64_t last_ms; /* the end of --max-seconds */
static volatile int64_t exit_ms; /* the end that was asked for */
static volatile sig_atomic_t exit_code;
static volatile sig_atomic_t exit_is_set;
static bool was_ignored, was_blocked, was_seen;

int64_t limit_now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void arm(void)
{
    int64_t at_ms = exit_is_set && exit_ms < last_ms ? exit_ms : last_ms;
    int64_t left_ms = at_ms - limit_now_ms();
    struct itimerval timer;

    if (left_ms < 1)
        left_ms = 1; /* 0 would switch the timer off */
    memset(&timer, 0, sizeof timer);
    timer.it_value.tv_sec = (time_t)(left_ms / 1000);
    timer.it_value.tv_usec = (suseconds_t)(left_ms % 1000 * 1000);
    /* Again and again: this timer and the clock above are not the same, and it may be early. */
    timer.it_interval.tv_usec = 50000;
    setitimer(ITIMER_REAL, &timer, NULL);
}

static void on_alarm(int number)
{
    static const char text[] = "misbehave: time is up\n";
    int64_t now_ms = limit_now_ms();

    (void)number;
    if (exit_is_set && now_ms >= exit_ms)
        _exit(exit_code);
    if (now_ms < last_ms)
        return;
    (void)!write(STDERR_FILENO, text, sizeof text - 1);
    _exit(TIME_IS_UP);
}

void limit_start(long long max_ms)
{
    struct sigaction action = { .sa_handler = on_alarm, .sa_flags = SA_RESTART }, before;
    sigset_t alarm_only, mask;

    sigemptyset(&action.sa_mask);
    sigemptyset(&alarm_only);
    sigaddset(&alarm_only, SIGALRM);
    sigaction(SIGALRM, &action, &before);
    sigprocmask(SIG_UNBLOCK, &alarm_only, &mask);
    if (!was_seen) {
        was_seen = true;
        was_ignored = before.sa_handler == SIG_IGN;
        was_blocked = sigismember(&mask, SIGALRM) == 1;
    }
    last_ms = limit_now_ms() + max_ms;
    arm();
}

void limit_inherit(bool with_exit)
{
    if (!with_exit)
        exit_is_set = 0;
    arm();
}

void limit_exit_after(long long ms, int code)
{
    exit_ms = limit_now_ms() + ms;
    exit_code = code;
    exit_is_set = 1;
    arm();
}

bool limit_get_exit(long long *ret_left_ms, int *ret_code)
{
    if (!exit_is_set)
        return false;
    *ret_left_ms = exit_ms - limit_now_ms();
    *ret_code = exit_code;
    return true;
}

long long limit_left_ms(void)
{
    return last_ms - limit_now_ms();
}

void limit_sleep_us(long long us)
{
    struct timespec left = { .tv_sec = (time_t)(us / 1000000), .tv_nsec = us % 1000000 * 1000 };

    /* Signals that are noted do not shorten it. */
    while (nanosleep(&left, &left) == -1)
        ;
}

_Noreturn void limit_sleep_forever(void)
{
    for (;;)
        pause();
}

bool limit_alarm_was_ignored(void)
{
    return was_ignored;
}

bool limit_alarm_was_blocked(void)
{
    return was_blocked;
}
