#define _XOPEN_SOURCE 700

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "misbehave.h"

static const struct {
    int number;
    const char *name;
} signals[] = {
    { SIGHUP, "HUP" },
    { SIGINT, "INT" },
    { SIGQUIT, "QUIT" },
    { SIGILL, "ILL" },
    { SIGTRAP, "TRAP" },
    { SIGABRT, "ABRT" },
    { SIGBUS, "BUS" },
    { SIGFPE, "FPE" },
    { SIGKILL, "KILL" },
    { SIGUSR1, "USR1" },
    { SIGSEGV, "SEGV" },
    { SIGUSR2, "USR2" },
    { SIGPIPE, "PIPE" },
    { SIGALRM, "ALRM" },
    { SIGTERM, "TERM" },
    { SIGCHLD, "CHLD" },
    { SIGCONT, "CONT" },
    { SIGSTOP, "STOP" },
    { SIGTSTP, "TSTP" },
    { SIGTTIN, "TTIN" },
    { SIGTTOU, "TTOU" },
    { SIGURG, "URG" },
    { SIGXCPU, "XCPU" },
    { SIGXFSZ, "XFSZ" },
    { SIGVTALRM, "VTALRM" },
    { SIGPROF, "PROF" },
    { SIGSYS, "SYS" },
};

#define NUMBER_MAX 64

/* trap: what to do, by signal. */
static volatile sig_atomic_t trap_ms[NUMBER_MAX + 1];
static volatile sig_atomic_t trap_code[NUMBER_MAX + 1];

const char *signals_name(int number)
{
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        if (signals[i].number == number)
            return signals[i].name;
    }
    return NULL;
}

int signals_number(const char *name)
{
    if (name[0] >= '1' && name[0] <= '9')
        return (int)script_number(name, NUMBER_MAX);
    if (strncmp(name, "SIG", 3) == 0)
        name += 3;
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        if (strcmp(signals[i].name, name) == 0)
            return signals[i].number;
    }
    return 0;
}

static int need_number(const char *name)
{
    int number = signals_number(name);

    if (number == 0)
        fail("'%s' is not a signal", name);
    return number;
}

void signals_set(int number, void (*handler)(int))
{
    struct sigaction action = { .sa_handler = handler, .sa_flags = SA_RESTART };

    if (number == SIGALRM)
        fail("ALRM is what ends this program in time");
    sigemptyset(&action.sa_mask);
    if (sigaction(number, &action, NULL) == -1)
        fail("cannot change what signal %d does", number);
}

/* The signal in arguments, and those that follow it in the script. */
static void set_listed(char **arguments, void (*handler)(int))
{
    signals_set(need_number(arguments[0]), handler);
    while (script_peek() != NULL && signals_number(script_peek()) != 0)
        signals_set(signals_number(script_next()), handler);
}

void word_ignore(char **arguments)
{
    set_listed(arguments, SIG_IGN);
}

void word_die(char **arguments)
{
    int number = need_number(arguments[0]);
    struct sigaction action = { .sa_handler = SIG_DFL };
    sigset_t set;

    /* Fails for KILL and STOP, which need no help. */
    sigemptyset(&action.sa_mask);
    (void)sigaction(number, &action, NULL);
    sigemptyset(&set);
    sigaddset(&set, number);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    raise(number);
}

static void on_trapped(int number)
{
    if (trap_ms[number] == 0)
        _exit(trap_code[number]);
    limit_exit_after(trap_ms[number], trap_code[number]);
}

void word_trap(char **arguments)
{
    int number = need_number(arguments[0]);

    trap_ms[number] = (sig_atomic_t)script_number(arguments[1], 3600000);
    trap_code[number] = (sig_atomic_t)script_number(arguments[2], 255);
    signals_set(number, on_trapped);
}

static void on_noted(int number)
{
    const char *name = signals_name(number);
    char text[32] = "caught ";

    /* Put together by hand: printf() is not for handlers. */
    strncat(text, name ? name : "?", sizeof text - strlen(text) - 2);
    strncat(text, "\n", sizeof text - strlen(text) - 1);
    (void)!write(settings.output_fd, text, strlen(text));
}

void word_note(char **arguments)
{
    set_listed(arguments, on_noted);
}
