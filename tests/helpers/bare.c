/* bare: what no service manager can beat.  Holds a listening socket, starts a program with it, and
 * starts it again whenever it ends; nothing else.
 *
 *     bare PORT -- COMMAND [ARGUMENT...]
 *
 * The program finds the socket, on 127.0.0.1, as descriptor 3, with LISTEN_FDS and LISTEN_PID. */
#define _POSIX_C_SOURCE 200809L

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define PASSED_FD    3
#define NOT_STARTED  127
#define PID_TEXT_MAX 24

static volatile pid_t child;
static volatile sig_atomic_t is_over;

/* Without this, the program would outlive what measures it. */
static void on_stop(int number)
{
    is_over = 1;
    if (child > 0)
        kill(child, number);
}

static int listen_on(const char *port_text)
{
    struct sockaddr_in address;
    char *end;
    long port = strtol(port_text, &end, 10);
    int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (*port_text == '\0' || *end != '\0' || port < 1 || port > 65535) {
        errno = EINVAL;
        return -1;
    }
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_port = htons((uint16_t)port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd == -1 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == -1 ||
            bind(fd, (const struct sockaddr *)&address, sizeof address) == -1 ||
            listen(fd, SOMAXCONN) == -1)
        return -1;
    if (fd == PASSED_FD)
        return 0;
    if (dup2(fd, PASSED_FD) == -1)
        return -1;
    return close(fd);
}

static _Noreturn void execute(char **command, const sigset_t *mask)
{
    char pid_text[PID_TEXT_MAX];

    snprintf(pid_text, sizeof pid_text, "%ld", (long)getpid());
    if (setenv("LISTEN_PID", pid_text, 1) == -1)
        _exit(NOT_STARTED);
    sigprocmask(SIG_SETMASK, mask, NULL); /* handlers end with the execution */
    execvp(command[0], command);
    _exit(NOT_STARTED);
}

int main(int argc, char **argv)
{
    struct sigaction action = { .sa_handler = on_stop };
    sigset_t stops, mask;
    int status = 0;

    if (argc < 4 || strcmp(argv[2], "--") != 0) {
        fputs("usage: bare PORT -- COMMAND [ARGUMENT...]\n", stderr);
        return 2;
    }
    if (listen_on(argv[1]) == -1 || setenv("LISTEN_FDS", "1", 1) == -1) {
        fprintf(stderr, "bare: cannot listen on port %s: %s\n", argv[1], strerror(errno));
        return 1;
    }
    sigemptyset(&action.sa_mask);
    sigemptyset(&stops);
    sigaddset(&stops, SIGTERM);
    sigaddset(&stops, SIGINT);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    while (!is_over) {
        pid_t pid;

        /* Held back until the handler can know whom to tell. */
        sigprocmask(SIG_BLOCK, &stops, &mask);
        pid = is_over ? -1 : fork();
        if (pid == 0)
            execute(argv + 3, &mask);
        child = pid;
        sigprocmask(SIG_SETMASK, &mask, NULL);
        while (pid != -1 && waitpid(pid, &status, 0) == -1 && errno == EINTR)
            ;
        child = 0;
        if (pid == -1 || (WIFEXITED(status) && WEXITSTATUS(status) == NOT_STARTED))
            return is_over ? 0 : 1;
    }
    return 0;
}
