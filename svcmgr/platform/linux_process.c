#include "linux.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "platform_sys.h"
#include "str.h"

#include "banned.h"

#define OPEN_TRIES          4
#define KERNEL_SIGRTMIN     32
#define KERNEL_SIGSET_BYTES 8 /* 16 on MIPS */
#define PROC_PATH_BYTES     64
#define STAT_BYTES          1024

int linux_open(const char *path, int flags)
{
    int fd;

    for (int tries = 0; tries < OPEN_TRIES; tries++) {
        fd = sys.open(path, flags | O_RDONLY | O_CLOEXEC);
        if (fd != -1 || posix_says_gone(errno))
            break;
    }
    return fd;
}

DIR *linux_open_directory(const char *path)
{
    int fd = linux_open(path, O_DIRECTORY);
    DIR *directory = fd == -1 ? NULL : fdopendir(fd);

    if (fd != -1 && directory == NULL)
        sys.close(fd);
    return directory;
}

long linux_read_proc(int64_t pid, const char *name, char *ret_text, size_t size)
{
    char path[PROC_PATH_BYTES];
    size_t length = 0;
    int fd;

    if (pid == 0)
        (void)str_format(path, sizeof path, "/proc/self/%s", name);
    else
        (void)str_format(path, sizeof path, "/proc/%lld/%s", (long long)pid, name);
    fd = linux_open(path, 0);
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

bool posix_read_process(int64_t pid, struct posix_process *ret_process)
{
    struct posix_process process;
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
            process.command, sizeof process.command, "%.*s", (int)(at - open - 1), open + 1);
    at += 2;
    process.zombie = *at == 'Z' || *at == 'X';
    at += 2;
    process.parent = take_number(&at);
    process.group = take_number(&at);
    process.session = take_number(&at);
    process.terminal = take_number(&at);
    for (int field = 8; field < 22; field++)
        (void)take_number(&at);
    process.start_time = (uint64_t)take_number(&at);
    *ret_process = process;
    return true;
}

uint64_t posix_pid_namespace(int64_t pid)
{
    static uint64_t own;
    char path[PROC_PATH_BYTES] = "/proc/self/ns/pid";
    struct stat info;

    if (pid == 0 && own != 0)
        return own;
    if (pid != 0)
        (void)str_format(path, sizeof path, "/proc/%lld/ns/pid", (long long)pid);
    if (stat(path, &info) == -1)
        return 0;
    if (pid == 0)
        own = (uint64_t)info.st_ino;
    return (uint64_t)info.st_ino;
}

const char *posix_boot_id(void)
{
    static char id[IDENTITY_BOOT_BYTES];
    int fd;
    ssize_t got;

    if (id[0] != '\0')
        return id;
    fd = linux_open("/proc/sys/kernel/random/boot_id", 0);
    if (fd == -1)
        return id;
    got = sys.read(fd, id, sizeof id - 1);
    sys.close(fd);
    id[got > 0 ? got : 0] = '\0';
    id[strcspn(id, "\n")] = '\0';
    return id;
}

/* The C libraries take the first real-time signals for their threads, and musl's sigaction() does
 * not touch them; a launcher may have them ignored all the same.  The kernel's own structure,
 * whatever its layout on this machine, is the default disposition when it is all zero:
 * rt_sigaction(2). */
void posix_reset_reserved_signals(void)
{
    static const char defaults[64];

    for (int number = KERNEL_SIGRTMIN; number < SIGRTMIN; number++)
        (void)syscall(SYS_rt_sigaction, number, defaults, NULL, KERNEL_SIGSET_BYTES);
}

int64_t linux_boot_clock(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_BOOTTIME, &now);
    return (int64_t)now.tv_sec * LINUX_NANOSECONDS + now.tv_nsec;
}

long posix_read_strings(int64_t pid, bool environment, char *ret_text, size_t size)
{
    return linux_read_proc(pid, environment ? "environ" : "cmdline", ret_text, size);
}

bool posix_each_pid(bool (*each)(void *context, int64_t pid), void *context)
{
    DIR *directory = linux_open_directory("/proc");
    struct dirent *entry;
    uint64_t pid;

    if (directory == NULL)
        return false;
    while ((entry = readdir(directory)) != NULL)
        if (str_to_uint(entry->d_name, INT32_MAX, &pid) && !each(context, (int64_t)pid))
            break;
    (void)closedir(directory);
    return true;
}

const struct posix_places posix_places = {
    .system_config = "/etc/svcmgr",
    .system_state = "/var/lib/svcmgr",
    .user_config = "/.config/svcmgr",
    .user_state = "/.local/state/svcmgr",
};

int posix_set_groups(const struct platform_spawn *spawn)
{
    gid_t groups[PLATFORM_GROUPS_MAX];

    for (size_t i = 0; i < spawn->group_count; i++)
        groups[i] = (gid_t)spawn->groups[i];
    return setgroups(spawn->group_count, groups);
}

void posix_execute(int program, const char *const *words, char *const *environment)
{
    fexecve(program, (char *const *)(uintptr_t)words, environment);
}

bool platform_executable(char *ret_path, size_t size)
{
    static const char deleted[] = " (deleted)";
    ssize_t length = readlink("/proc/self/exe", ret_path, size - 1);
    size_t tail = sizeof deleted - 1;

    if (length <= 0)
        return false;
    ret_path[length] = '\0';
    if ((size_t)length > tail && strcmp(ret_path + (size_t)length - tail, deleted) == 0)
        ret_path[(size_t)length - tail] = '\0';
    return true;
}

platform_handle platform_open_executable(void)
{
    return sys.open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
}
