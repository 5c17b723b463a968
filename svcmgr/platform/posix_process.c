#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "platform_sys.h"
#include "posix.h"
#include "signals.h"
#include "str.h"

#include "banned.h"

const struct signal_entry platform_signals[] = {
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
    { NULL, 0 },
};

int64_t platform_pid(void)
{
    return (int64_t)getpid();
}

/* The signals whose disposition this process has changed. */
static sigset_t changed;

static int set_signal(int number, void (*handler)(int))
{
    struct sigaction action;

    memset(&action, 0, sizeof action);
    action.sa_handler = handler;
    action.sa_flags = SA_RESTART;
    sigfillset(&action.sa_mask);
    return sigaction(number, &action, NULL);
}

int posix_set_signal(int number, void (*handler)(int))
{
    (void)sigaddset(&changed, number);
    return set_signal(number, handler);
}

void posix_reset_signals(void)
{
    struct sigaction action;

    memset(&action, 0, sizeof action);
    action.sa_handler = SIG_DFL;
    for (int number = 1; number < NSIG; number++)
        (void)sigaction(number, &action, NULL); /* KILL, STOP and gaps fail: fine */
    posix_reset_reserved_signals();
}

void posix_reset_changed_signals(void)
{
    for (int number = 1; number < NSIG; number++)
        if (sigismember(&changed, number) == 1)
            (void)set_signal(number, SIG_DFL);
}

void platform_begin(void)
{
    struct sigaction action;

    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) == -1 && errno == EBADF)
            (void)sys.open("/dev/null", O_RDWR); /* the lowest that is free, so this one */
    memset(&action, 0, sizeof action);
    action.sa_handler = SIG_DFL;
    (void)sigaction(SIGCHLD, &action, NULL);
}

bool platform_missing_interpreter(const char *path, char *ret_interpreter, size_t size)
{
    char text[256];
    int fd = sys.open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t got = fd == -1 ? -1 : sys.read(fd, text, sizeof text - 1);
    const char *name;

    if (fd != -1)
        sys.close(fd);
    if (got < 3 || memcmp(text, "#!", 2) != 0)
        return false;
    text[got] = '\0';
    name = text + 2 + strspn(text + 2, " \t");
    return str_format(ret_interpreter, size, "%.*s", (int)strcspn(name, " \t\r\n"), name) &&
            access(ret_interpreter, F_OK) == -1;
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

void platform_ignore_stops(void)
{
    static const int stops[] = { SIGTERM, SIGINT, SIGHUP, SIGQUIT };

    for (size_t i = 0; i < sizeof stops / sizeof stops[0]; i++)
        (void)posix_set_signal(stops[i], SIG_IGN);
}

void platform_leave_terminal_group(void)
{
    (void)setpgid(0, 0);
    /* From a group in the background a message to the terminal would stop us: termios(3), TOSTOP.
     */
    (void)posix_set_signal(SIGTTOU, SIG_IGN);
    (void)posix_set_signal(SIGTTIN, SIG_IGN);
    (void)posix_set_signal(SIGTSTP, SIG_IGN);
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
