#include "linux.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "platform_sys.h"
#include "posix.h"
#include "str.h"

#include "banned.h"

#define PROC_PATH_BYTES 64
#define STAT_BYTES      1024
#define ENVIRON_BYTES   (128 * 1024)
/* As much of the stack as is given back: with what the kernel maps for it at the start, stack_guard
 * gap and all, this stays inside its mapping or fails without harm: madvise(2). */
#define STACK_TRIM_BYTES ((uintptr_t)96 * 1024)

long linux_read_proc(int64_t pid, const char *name, char *ret_text, size_t size)
{
    char path[PROC_PATH_BYTES];
    size_t length = 0;
    int fd;

    if (pid == 0)
        (void)str_format(path, sizeof path, "/proc/self/%s", name);
    else
        (void)str_format(path, sizeof path, "/proc/%lld/%s", (long long)pid, name);
    fd = sys.open(path, O_RDONLY | O_CLOEXEC);
    if (fd == -1)
        return -1;
    while (length < size - 1) {
        ssize_t got = sys.read(fd, ret_text + length, size - 1 - length);

        if (got == -1 && errno == EINTR)
            continue;
        if (got == -1 && length == 0) {
            sys.close(fd);
            return -1;
        }
        if (got <= 0)
            break;
        length += (size_t)got;
    }
    sys.close(fd);
    ret_text[length] = '\0';
    return (long)length;
}

/* One signed decimal field; moves past it and the blank behind it. */
static int64_t take_number(const char **text)
{
    bool negative = **text == '-';
    uint64_t value = 0;

    *text += negative;
    for (; str_is_digit(**text); (*text)++)
        value = value * 10 + (uint64_t)(**text - '0');
    while (**text == ' ')
        (*text)++;
    return negative ? -(int64_t)value : (int64_t)value;
}

bool linux_read_stat(int64_t pid, struct linux_stat *ret_stat)
{
    char text[STAT_BYTES];
    const char *open;
    const char *at;

    if (linux_read_proc(pid, "stat", text, sizeof text) <= 0)
        return false;
    /* The command may hold blanks and parentheses: its end is the last one. */
    open = strchr(text, '(');
    at = strrchr(text, ')');
    if (open == NULL || at == NULL || at < open || at[1] != ' ')
        return false;
    (void)str_format(
            ret_stat->command, sizeof ret_stat->command, "%.*s", (int)(at - open - 1), open + 1);
    at += 2;
    ret_stat->state = *at;
    at += 2;
    ret_stat->parent = take_number(&at);
    ret_stat->group = take_number(&at);
    ret_stat->session = take_number(&at);
    ret_stat->terminal = take_number(&at);
    for (int field = 8; field < 22; field++)
        (void)take_number(&at);
    ret_stat->start_time = (uint64_t)take_number(&at);
    return true;
}

static uint64_t own_pid_namespace(void)
{
    static uint64_t number;
    struct stat info;

    if (number == 0 && stat("/proc/self/ns/pid", &info) == 0)
        number = (uint64_t)info.st_ino;
    return number;
}

static const char *boot_id(void)
{
    static char id[IDENTITY_BOOT_BYTES];
    int fd;
    ssize_t got;

    if (id[0] != '\0')
        return id;
    fd = sys.open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    if (fd == -1)
        return id;
    got = sys.read(fd, id, sizeof id - 1);
    sys.close(fd);
    id[got > 0 ? got : 0] = '\0';
    id[strcspn(id, "\n")] = '\0';
    return id;
}

bool platform_identify(int64_t pid, bool alive, struct identity *ret_identity)
{
    struct linux_stat status;
    struct identity identity = { .pid = pid };

    if (pid <= 0 || !linux_read_stat(pid, &status) ||
            (alive && (status.state == 'Z' || status.state == 'X')))
        return false;
    identity.start_time = status.start_time;
    identity.pid_namespace = own_pid_namespace();
    (void)str_copy(identity.boot_id, sizeof identity.boot_id, boot_id());
    *ret_identity = identity;
    return true;
}

bool platform_is_same(const struct identity *identity)
{
    struct identity now;

    return platform_identify(identity->pid, true, &now) && identity_equal(identity, &now);
}

bool platform_is_elsewhere(const struct identity *identity)
{
    uint64_t own = own_pid_namespace();

    return identity->pid_namespace != 0 && own != 0 && identity->pid_namespace != own &&
           strcmp(identity->boot_id, boot_id()) == 0;
}

/* The last part of the unified (or systemd's own) hierarchy that names a unit: cgroups(7). */
static void read_unit(int64_t pid, char *ret_unit, size_t size)
{
    char text[2048];
    char *line = text;

    ret_unit[0] = '\0';
    if (linux_read_proc(pid, "cgroup", text, sizeof text) <= 0)
        return;
    while (line != NULL && *line != '\0') {
        char *next = strchr(line, '\n');
        char *slash;

        if (next != NULL)
            *next++ = '\0';
        if (strncmp(line, "0::", 3) == 0 || strstr(line, ":name=systemd:") != NULL) {
            while ((slash = strrchr(line, '/')) != NULL) {
                const char *dot = strrchr(slash + 1, '.');

                if (dot != NULL && (strcmp(dot, ".service") == 0 || strcmp(dot, ".scope") == 0 ||
                                           strcmp(dot, ".socket") == 0)) {
                    (void)str_copy(ret_unit, size, slash + 1);
                    return;
                }
                *slash = '\0';
            }
        }
        line = next;
    }
}

static void read_command(int64_t pid, const struct linux_stat *status, char *ret_text, size_t size)
{
    char raw[PLATFORM_COMMAND_BYTES];
    const char *words[PLATFORM_COMMAND_BYTES / 2 + 1];
    size_t count = 0;
    long length = linux_read_proc(pid, "cmdline", raw, sizeof raw);

    /* A kernel thread and a zombie have none; systems show their name in brackets. */
    if (length <= 0) {
        (void)str_format(ret_text, size, "[%s]", status->command);
        str_make_printable(ret_text);
        return;
    }
    for (long at = 0; at < length && count < sizeof words / sizeof words[0] - 1;
            at += (long)strlen(raw + at) + 1)
        words[count++] = raw + at;
    words[count] = NULL;
    str_command_line(ret_text, size, words);
}

bool platform_process_info(int64_t pid, struct platform_process_info *ret_info)
{
    struct linux_stat status;
    struct platform_process_info info = { .pid = pid, .uid = -1 };
    char path[PROC_PATH_BYTES];
    struct stat owner;

    if (pid <= 0 || !linux_read_stat(pid, &status))
        return false;
    info.parent = status.parent;
    info.group = status.group;
    info.session = status.session;
    info.start_time = status.start_time;
    info.on_terminal = status.terminal != 0;
    info.zombie = status.state == 'Z' || status.state == 'X';
    read_command(pid, &status, info.command, sizeof info.command);
    (void)str_format(path, sizeof path, "/proc/%lld", (long long)pid);
    if (stat(path, &owner) == 0) {
        info.uid = (int64_t)owner.st_uid;
        if (!platform_user_name((uint32_t)owner.st_uid, info.user, sizeof info.user))
            (void)str_format(info.user, sizeof info.user, "%u", (unsigned)owner.st_uid);
    }
    read_unit(pid, info.unit, sizeof info.unit);
    *ret_info = info;
    return true;
}

bool platform_process_has_variable(int64_t pid, const char *name, const char *value)
{
    static char text[ENVIRON_BYTES];
    size_t name_length = strlen(name);
    long length = linux_read_proc(pid, "environ", text, sizeof text);

    for (long at = 0; at < length; at += (long)strlen(text + at) + 1)
        if (strncmp(text + at, name, name_length) == 0 && text[at + (long)name_length] == '=' &&
                strcmp(text + at + name_length + 1, value) == 0)
            return true;
    return false;
}

void linux_each_pid(bool (*each)(void *context, int64_t pid), void *context)
{
    DIR *directory = opendir("/proc");
    struct dirent *entry;
    uint64_t pid;

    if (directory == NULL)
        return;
    while ((entry = readdir(directory)) != NULL)
        if (str_to_uint(entry->d_name, INT32_MAX, &pid) && !each(context, (int64_t)pid))
            break;
    (void)closedir(directory);
}

/* A descriptor for exactly this process, or -1.  Opened first and compared after, so the number
 * cannot change hands in between: pidfd_open(2). */
static int open_verified(const struct identity *identity)
{
#if defined(SYS_pidfd_open) && !defined(SVCMGR_PORTABLE)
    int fd = (int)syscall(SYS_pidfd_open, (pid_t)identity->pid, 0);

    if (fd == -1)
        return -1;
    (void)posix_set_cloexec(fd);
    if (platform_is_same(identity))
        return fd;
    sys.close(fd);
    errno = ESRCH;
    return -1;
#else
    (void)identity;
    errno = ENOSYS;
    return -1;
#endif
}

int posix_open_process(const struct identity *identity)
{
    return open_verified(identity);
}

void posix_process_exit(int fd, struct platform_exit *ret_exit)
{
    /* struct pidfd_info of linux/pidfd.h (Linux 6.13; the exit code since 6.15), spelled out since
     * older headers lack it. */
    struct {
        uint64_t mask;
        uint64_t cgroup_id;
        uint32_t ids[11]; /* pid ... fsgid */
        int32_t exit_code;
    } info = { .mask = 8 /* PIDFD_INFO_EXIT */ };
#if !defined(SVCMGR_PORTABLE)
    /* _IOWR(0xFF, 11, struct pidfd_info): the size is part of the number. */
    unsigned long request = 3ul << 30 | (unsigned long)sizeof info << 16 | 0xFFul << 8 | 11ul;

    *ret_exit = (struct platform_exit){ .code = -1, .by_signal = -1 };
    if (syscall(SYS_ioctl, fd, request, &info) == -1 || (info.mask & 8u) == 0)
        return;
    if (WIFEXITED(info.exit_code)) {
        ret_exit->code = WEXITSTATUS(info.exit_code);
        ret_exit->by_signal = 0;
    } else if (WIFSIGNALED(info.exit_code)) {
        ret_exit->by_signal = WTERMSIG(info.exit_code);
        ret_exit->core_dumped = (info.exit_code & 0x80) != 0;
    }
#else
    (void)fd;
    (void)info;
    *ret_exit = (struct platform_exit){ .code = -1, .by_signal = -1 };
#endif
}

int platform_signal(const struct identity *identity, const char *name, struct err *err)
{
    int number = platform_signal_number(name);
    int fd = open_verified(identity);
    int sent = 0;

    if (fd != -1) {
#if defined(SYS_pidfd_send_signal) && !defined(SVCMGR_PORTABLE)
        sent = (int)syscall(SYS_pidfd_send_signal, fd, number, NULL, 0);
#endif
        sys.close(fd);
    } else if (errno == ESRCH) {
        return 0;
    } else if (platform_is_same(identity)) {
        sent = sys.kill((pid_t)identity->pid, number);
    }
    if (sent == -1 && errno != ESRCH)
        return err_set(err, posix_kind(errno), errno, "cannot send %s to process %lld: %s", name,
                (long long)identity->pid, strerror(errno));
    return 0;
}

void platform_become_reaper(void)
{
#if !defined(SVCMGR_PORTABLE)
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
#endif
}

void platform_trim_stack(void)
{
    char here;
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    /* What lies below the present frame, and the red zone and a page more, is nobody's any more. */
    uintptr_t end = ((uintptr_t)&here - page) / page * page;

    (void)madvise((void *)(end - STACK_TRIM_BYTES), STACK_TRIM_BYTES, MADV_DONTNEED);
}

void platform_default_directories(bool system_scope, const struct platform_user *user,
        char *ret_config, char *ret_state, size_t size)
{
    if (system_scope) {
        (void)str_copy(ret_config, size, "/etc/svcmgr");
        (void)str_copy(ret_state, size, "/var/lib/svcmgr");
        return;
    }
    if (user->home[0] != '/' || !str_format(ret_config, size, "%s/.config/svcmgr", user->home) ||
            !str_format(ret_state, size, "%s/.local/state/svcmgr", user->home)) {
        ret_config[0] = '\0';
        ret_state[0] = '\0';
    }
}
