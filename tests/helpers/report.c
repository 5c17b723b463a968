#define _DEFAULT_SOURCE
#define _XOPEN_SOURCE 700
#define _DARWIN_C_SOURCE

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "misbehave.h"

#define FD_MAX     65536
#define SIGNAL_MAX 64
#define GROUPS_MAX 256
#define FILE_MAX   65536

extern char **environ;

/* The text of a small file; NULL if there is none (what is below /proc is there on Linux only). */
static char *read_file(const char *path)
{
    static char text[FILE_MAX];
    FILE *file = fopen(path, "re");
    size_t length;

    if (file == NULL)
        return NULL;
    length = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[length] = '\0';
    return text;
}

static void put_key(FILE *file, const char *key)
{
    fprintf(file, ",\n\"%s\":", key);
}

static void put_number(FILE *file, const char *key, long long value)
{
    put_key(file, key);
    fprintf(file, "%lld", value);
}

static void put_bool(FILE *file, const char *key, bool value)
{
    fprintf(file, ",\"%s\":%s", key, value ? "true" : "false");
}

static void put_text(FILE *file, const char *key, const char *value)
{
    put_key(file, key);
    json_put_string(file, value);
}

/* The number of a link in /proc/self/ns, as it stands between its brackets. */
static void put_namespaces(FILE *file)
{
    static const char *const names[] = { "pid", "net", "mnt", "user", "cgroup" };

    put_key(file, "namespaces");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[64], target[64];
        ssize_t length;

        snprintf(path, sizeof path, "/proc/self/ns/%s", names[i]);
        length = readlink(path, target, sizeof target - 1);
        target[length > 0 ? length : 0] = '\0';
        fprintf(file, "%s\"%s\":", i == 0 ? "{" : ",", names[i]);
        json_put_string(file, length > 0 ? target : NULL);
    }
    fputs("}", file);
}

static void put_process(FILE *file)
{
    char directory[PATH_MAX];
    mode_t mask = umask(0);

    umask(mask);
    fprintf(file, "{\"pid\":%ld", (long)getpid());
    put_number(file, "ppid", getppid());
    put_number(file, "pgid", getpgrp());
    put_number(file, "sid", getsid(0));
    put_number(file, "uid", getuid());
    put_number(file, "euid", geteuid());
    put_number(file, "gid", getgid());
    put_number(file, "egid", getegid());
    put_number(file, "nice", getpriority(PRIO_PROCESS, 0));
    put_number(file, "umask", mask);
    put_text(file, "cwd", getcwd(directory, sizeof directory));
    put_text(file, "cgroup", read_file("/proc/self/cgroup"));
    put_text(file, "oom_score_adj", read_file("/proc/self/oom_score_adj"));
    put_namespaces(file);
}

static void put_groups(FILE *file)
{
    gid_t groups[GROUPS_MAX];
    int count = getgroups(GROUPS_MAX, groups);

    put_key(file, "groups");
    fputs("[", file);
    for (int i = 0; i < count; i++)
        fprintf(file, "%s%ld", i == 0 ? "" : ",", (long)groups[i]);
    fputs("]", file);
}

static void put_list(FILE *file, const char *key, char **items)
{
    put_key(file, key);
    fputs("[", file);
    for (char **item = items; *item != NULL; item++) {
        if (item != items)
            fputs(",", file);
        json_put_string(file, *item);
    }
    fputs("]", file);
}

/* As an object, for reading; and as it is, since a name could come twice. */
static void put_environment(FILE *file)
{
    put_list(file, "environ", environ);
    put_key(file, "environment");
    fputs("{", file);
    for (char **item = environ; *item != NULL; item++) {
        char *equals = strchr(*item, '=');

        if (equals == NULL)
            continue;
        if (item != environ)
            fputs(",", file);
        *equals = '\0';
        json_put_string(file, *item);
        *equals = '=';
        fputs(":", file);
        json_put_string(file, equals + 1);
    }
    fputs("}", file);
}

static void put_signal(FILE *file, int number, bool *first)
{
    char text[16];

    snprintf(text, sizeof text, "%d", number);
    fputs(*first ? "" : ",", file);
    json_put_string(file, signals_name(number) ? signals_name(number) : text);
    *first = false;
}

static bool is_ignored(int number)
{
    struct sigaction action;

    if (number == SIGALRM)
        return limit_alarm_was_ignored();
    return sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

static bool is_blocked(int number, const sigset_t *mask)
{
    if (number == SIGALRM)
        return limit_alarm_was_blocked();
    return sigismember(mask, number) == 1;
}

/* As they were found, but for what the words have changed. */
static void put_signals(FILE *file)
{
    bool first = true;
    sigset_t mask;

    put_key(file, "signals_ignored");
    fputs("[", file);
    for (int number = 1; number <= SIGNAL_MAX; number++) {
        if (is_ignored(number))
            put_signal(file, number, &first);
    }
    fputs("]", file);

    first = true;
    sigprocmask(SIG_BLOCK, NULL, &mask);
    put_key(file, "signals_blocked");
    fputs("[", file);
    for (int number = 1; number <= SIGNAL_MAX; number++) {
        if (is_blocked(number, &mask))
            put_signal(file, number, &first);
    }
    fputs("]", file);
}

/* "Name:\tvalue" lines as an object. */
static void put_proc_status(FILE *file)
{
    char *text = read_file("/proc/self/status");
    char *line, *rest;
    bool first = true;

    put_key(file, "proc_status");
    if (text == NULL) {
        fputs("null", file);
        return;
    }
    fputs("{", file);
    for (line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
        char *colon = strchr(line, ':');

        if (colon == NULL)
            continue;
        *colon = '\0';
        fputs(first ? "" : ",", file);
        json_put_string(file, line);
        fputs(":", file);
        json_put_string(file, colon + 1 + strspn(colon + 1, " \t"));
        first = false;
    }
    fputs("}", file);
}

static void put_limit(FILE *file, rlim_t value)
{
    if (value == RLIM_INFINITY)
        fputs("null", file);
    else
        fprintf(file, "%llu", (unsigned long long)value);
}

/* null is 'unlimited'. */
static void put_limits(FILE *file)
{
    static const struct {
        const char *name;
        int resource;
    } limits[] = {
        { "nofile", RLIMIT_NOFILE },
        { "nproc", RLIMIT_NPROC },
        { "core", RLIMIT_CORE },
        { "as", RLIMIT_AS },
        { "data", RLIMIT_DATA },
        { "stack", RLIMIT_STACK },
        { "cpu", RLIMIT_CPU },
        { "fsize", RLIMIT_FSIZE },
        { "memlock", RLIMIT_MEMLOCK },
    };

    put_key(file, "rlimits");
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        struct rlimit limit = { 0 };

        (void)getrlimit(limits[i].resource, &limit);
        fprintf(file, "%s\"%s\":{\"soft\":", i == 0 ? "{" : ",", limits[i].name);
        put_limit(file, limit.rlim_cur);
        fputs(",\"hard\":", file);
        put_limit(file, limit.rlim_max);
        fputs("}", file);
    }
    fputs("}", file);
}

static void put_descriptor(FILE *file, int fd, int descriptor_flags)
{
    static const char *const modes[] = { "r", "w", "rw", "?" };
    char path[64], target[PATH_MAX];
    int flags = fcntl(fd, F_GETFL);
    int listening = 0;
    socklen_t size = sizeof listening;
    struct stat info;
    ssize_t length;

    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    length = readlink(path, target, sizeof target - 1);
    target[length > 0 ? length : 0] = '\0';
    fprintf(file, "{\"fd\":%d,\"target\":", fd);
    json_put_string(file, length > 0 ? target : NULL);
    fprintf(file, ",\"mode\":\"%s\"", modes[flags & O_ACCMODE & 3]);
    put_bool(file, "cloexec", (descriptor_flags & FD_CLOEXEC) != 0);
    put_bool(file, "nonblock", (flags & O_NONBLOCK) != 0);
    put_bool(file, "append", (flags & O_APPEND) != 0);
    put_bool(file, "tty", isatty(fd) == 1);
    if (fstat(fd, &info) == -1)
        memset(&info, 0, sizeof info);
    put_bool(file, "socket", S_ISSOCK(info.st_mode));
    put_bool(file, "pipe", S_ISFIFO(info.st_mode));
    put_bool(file, "listening",
            S_ISSOCK(info.st_mode) &&
                    getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) == 0 &&
                    listening != 0);
    fprintf(file, ",\"inode\":%llu}", (unsigned long long)info.st_ino);
}

static void put_descriptors(FILE *file)
{
    bool first = true;
    long max = sysconf(_SC_OPEN_MAX);

    /* A descriptor may lie above a limit that was lowered after it was opened. */
    if (max < 1024 || max > FD_MAX)
        max = FD_MAX;
    put_key(file, "fds");
    fputs("[", file);
    for (int fd = 0; fd < max; fd++) {
        int flags = fcntl(fd, F_GETFD);

        if (flags == -1)
            continue;
        fputs(first ? "\n" : ",\n", file);
        put_descriptor(file, fd, flags);
        first = false;
    }
    fputs("]", file);
}

void word_report(char **arguments)
{
    char temporary[PATH_MAX];
    char *text = NULL;
    size_t length = 0;
    /* In memory first: an open file would show up in the report. */
    FILE *file = open_memstream(&text, &length);
    int fd;

    if (file == NULL)
        fail("out of memory");
    put_process(file);
    put_groups(file);
    put_list(file, "argv", misbehave_argv);
    put_environment(file);
    put_signals(file);
    put_proc_status(file);
    put_limits(file);
    put_descriptors(file);
    fputs("}\n", file);
    if (fclose(file) != 0)
        fail("out of memory");

    snprintf(temporary, sizeof temporary, "%s.%ld", arguments[0], (long)getpid());
    fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd == -1)
        fail("cannot create %s: %s", temporary, strerror(errno));
    output_write(fd, text, length);
    close(fd);
    free(text);
    if (rename(temporary, arguments[0]) == -1)
        fail("cannot rename %s: %s", temporary, strerror(errno));
}
