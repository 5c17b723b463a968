#define _XOPEN_SOURCE 700
#define _DARWIN_C_SOURCE

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "misbehave.h"

#define TREE_MAX    2000 /* processes */
#define ALIVE_MAX   200
#define COUNT_MAX   100000
#define WORDS_MAX   256
#define NUMBER_TEXT 24

enum heritage { WITHOUT_EXIT, WITH_EXIT };

/* fork() with the time limit kept and the pid noted. */
static pid_t fork_noted(enum heritage heritage)
{
    char text[NUMBER_TEXT];
    pid_t pid = fork();

    if (pid == -1)
        fail("cannot fork: %s", strerror(errno));
    if (pid > 0)
        return pid;
    limit_inherit(heritage == WITH_EXIT);
    if (settings.pids != NULL) {
        snprintf(text, sizeof text, "%ld\n", (long)getpid());
        output_append(settings.pids, text);
    }
    return 0;
}

/* Which file we are.  argv[0] need not be a path. */
static const char *own_path(void)
{
    static char path[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);

    if (length <= 0)
        return settings.argv0;
    path[length] = '\0';
    return path;
}

/* A pipe whose reading end says when all who have the writing end have closed it or executed. */
static void make_gate(int gate[2])
{
    if (pipe(gate) == -1 || fcntl(gate[0], F_SETFD, FD_CLOEXEC) == -1 ||
            fcntl(gate[1], F_SETFD, FD_CLOEXEC) == -1)
        fail("cannot make a pipe: %s", strerror(errno));
}

static void wait_at_gate(int gate[2])
{
    char byte;

    close(gate[1]);
    while (read(gate[0], &byte, 1) == -1 && errno == EINTR)
        ;
    close(gate[0]);
}

static void wait_for_child(pid_t pid)
{
    while (waitpid(pid, NULL, 0) == -1 && errno == EINTR)
        ;
}

/* Becomes 'misbehave sleep-forever' without an environment.  Executing is what clears it for those
 * who look from outside: clearenv() leaves what the system shows of it as it was. */
static _Noreturn void become_nameless(void)
{
    char seconds[NUMBER_TEXT];
    char name[] = "misbehave", limit[] = "--max-seconds", sleeper[] = "sleep-forever";
    char *words[] = { name, limit, seconds, sleeper, NULL };
    char *nothing[] = { NULL };

    snprintf(seconds, sizeof seconds, "%lld", limit_left_ms() / 1000 + 1);
    execve(own_path(), words, nothing);
    _exit(127);
}

void word_double_fork(char **arguments)
{
    int gate[2];
    pid_t child;

    (void)arguments;
    make_gate(gate);
    child = fork_noted(WITHOUT_EXIT);
    if (child == 0) {
        setsid();
        if (fork_noted(WITHOUT_EXIT) > 0)
            _exit(0);
        signals_set(SIGTERM, SIG_IGN);
        signals_set(SIGHUP, SIG_IGN);
        signals_set(SIGINT, SIG_IGN);
        become_nameless();
    }
    wait_for_child(child);
    wait_at_gate(gate);
}

void word_leak_listener(char **arguments)
{
    bool held = strcmp(arguments[0], "-") == 0;
    int fd = held ? listen_current() : listen_open(arguments[0], true);
    int gate[2];
    pid_t child;

    make_gate(gate);
    child = fork_noted(WITHOUT_EXIT);
    if (child == 0) {
        int null = open("/dev/null", O_RDWR);

        setsid();
        if (fork_noted(WITHOUT_EXIT) > 0)
            _exit(0);
        /* It holds the socket and nothing that anybody waits for. */
        for (int i = STDIN_FILENO; i <= STDERR_FILENO && fd > STDERR_FILENO; i++)
            (void)dup2(null, i);
        close(gate[1]);
        limit_sleep_forever();
    }
    wait_for_child(child);
    wait_at_gate(gate);
    exit(0);
}

/* The gate's writing end is closed by each process when it is as it will stay. */
static void grow(long long depth, long long width, int gate)
{
    for (long long i = 0; i < width && depth > 0; i++) {
        if (fork_noted(WITHOUT_EXIT) > 0)
            continue;
        signals_set(SIGTERM, SIG_IGN);
        grow(depth - 1, width, gate);
        close(gate);
        limit_sleep_forever();
    }
}

void word_fork_tree(char **arguments)
{
    long long depth = script_number(arguments[0], 100);
    long long width = script_number(arguments[1], TREE_MAX);
    long long row = 1, all = 0;
    int gate[2];

    for (long long i = 0; i < depth && all <= TREE_MAX; i++) {
        row *= width;
        all += row;
    }
    if (all > TREE_MAX)
        fail("that would be more than %d processes", TREE_MAX);
    make_gate(gate);
    grow(depth, width, gate[1]);
    wait_at_gate(gate);
}

void word_spam_fork(char **arguments)
{
    long long count = script_number(arguments[0], COUNT_MAX);
    long long life_us = script_number(arguments[1], 60000) * 1000;
    int alive = 0;

    for (; count > 0; count--) {
        if (fork_noted(WITHOUT_EXIT) == 0) {
            limit_sleep_us(life_us);
            _exit(0);
        }
        alive++;
        while (alive > 0 && waitpid(-1, NULL, alive < ALIVE_MAX ? WNOHANG : 0) > 0)
            alive--;
    }
    while (alive > 0 && (waitpid(-1, NULL, 0) > 0 || errno == EINTR))
        alive--;
}

/* Each is the parent of the next and is gone a moment later: who walks the tree from its root, or
 * kills one pid after the other, comes too late. */
void word_runaway(char **arguments)
{
    long long count = script_number(arguments[0], COUNT_MAX);
    long long life_us = script_number(arguments[1], 60000000);

    if (count == 0 || fork_noted(WITHOUT_EXIT) > 0)
        return;
    signals_set(SIGTERM, SIG_IGN);
    for (;;) {
        if (--count > 0 && fork_noted(WITHOUT_EXIT) == 0)
            continue;
        limit_sleep_us(life_us);
        _exit(0);
    }
}

void word_leave(char **arguments)
{
    int code = (int)script_number(arguments[0], 255);

    if (fork_noted(WITH_EXIT) > 0)
        _exit(code);
}

void word_mainpid(char **arguments)
{
    char text[NUMBER_TEXT + 16];
    pid_t child = fork_noted(WITH_EXIT);

    (void)arguments;
    if (child == 0)
        return;
    snprintf(text, sizeof text, "MAINPID=%ld", (long)child);
    notify_send(text);
    _exit(0);
}

void word_reexec(char **arguments)
{
    char seconds[NUMBER_TEXT], exit_left[NUMBER_TEXT], code_text[NUMBER_TEXT];
    char limit[] = "--max-seconds", exit_word[] = "exit-after-ms";
    char *words[WORDS_MAX] = { NULL };
    char **rest = script_rest();
    long long left_ms;
    int code, count = 0;

    (void)arguments;
    words[count++] = (char *)(uintptr_t)settings.argv0;
    snprintf(seconds, sizeof seconds, "%lld", limit_left_ms() / 1000 + 1);
    words[count++] = limit;
    words[count++] = seconds;
    if (limit_get_exit(&left_ms, &code)) {
        snprintf(exit_left, sizeof exit_left, "%lld", left_ms > 0 ? left_ms : 0);
        snprintf(code_text, sizeof code_text, "%d", code);
        words[count++] = exit_word;
        words[count++] = exit_left;
        words[count++] = code_text;
    }
    for (; *rest != NULL; rest++) {
        if (count == WORDS_MAX - 1)
            fail("too many words to execute with");
        words[count++] = *rest;
    }
    execv(own_path(), words);
    fail("cannot execute %s: %s", own_path(), strerror(errno));
}
