#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "platform_sys.h"
#include "posix.h"

#include "banned.h"

static const struct {
    const char *name;
    int number;
} signals[] = {
    { "HUP", SIGHUP },
    { "INT", SIGINT },
    { "QUIT", SIGQUIT },
    { "ILL", SIGILL },
    { "TRAP", SIGTRAP },
    { "ABRT", SIGABRT },
    { "BUS", SIGBUS },
    { "FPE", SIGFPE },
    { "KILL", SIGKILL },
    { "USR1", SIGUSR1 },
    { "SEGV", SIGSEGV },
    { "USR2", SIGUSR2 },
    { "PIPE", SIGPIPE },
    { "ALRM", SIGALRM },
    { "TERM", SIGTERM },
    { "CHLD", SIGCHLD },
    { "CONT", SIGCONT },
    { "STOP", SIGSTOP },
    { "TSTP", SIGTSTP },
    { "TTIN", SIGTTIN },
    { "TTOU", SIGTTOU },
    { "URG", SIGURG },
    { "XCPU", SIGXCPU },
    { "XFSZ", SIGXFSZ },
    { "VTALRM", SIGVTALRM },
    { "PROF", SIGPROF },
    { "WINCH", SIGWINCH },
    { "IO", SIGIO },
    { "SYS", SIGSYS },
};

int platform_signal_number(const char *name)
{
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
        if (strcmp(signals[i].name, name) == 0)
            return signals[i].number;
    return 0;
}

const char *platform_signal_name(int number)
{
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
        if (signals[i].number == number)
            return signals[i].name;
    return "?";
}

int64_t platform_pid(void)
{
    return (int64_t)getpid();
}

int64_t platform_parent_pid(void)
{
    return (int64_t)getppid();
}

void posix_reset_signals(void)
{
    struct sigaction action;

    memset(&action, 0, sizeof action);
    action.sa_handler = SIG_DFL;
    for (int number = 1; number < NSIG; number++)
        (void)sigaction(number, &action, NULL); /* KILL, STOP and gaps fail: fine */
}

void posix_block_signals(void *ret_mask)
{
    sigset_t all;

    sigfillset(&all);
    (void)sigprocmask(SIG_SETMASK, &all, ret_mask);
}

void posix_restore_signals(const void *mask)
{
    (void)sigprocmask(SIG_SETMASK, mask, NULL);
}

void platform_leave_terminal_group(void)
{
    struct sigaction action;

    memset(&action, 0, sizeof action);
    action.sa_handler = SIG_IGN;
    (void)setpgid(0, 0);
    /* From a group in the background a message to the terminal would stop us: termios(3), TOSTOP. */
    (void)sigaction(SIGTTOU, &action, NULL);
    (void)sigaction(SIGTTIN, &action, NULL);
    (void)sigaction(SIGTSTP, &action, NULL);
}

bool platform_has_terminal(void)
{
    /* ENXIO without a controlling terminal; a hang-up takes it away: tty(4). */
    int fd = sys.open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);

    if (fd == -1)
        return false;
    sys.close(fd);
    return true;
}
