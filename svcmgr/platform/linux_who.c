/* What Linux says of other processes, and of itself. */
#include "linux.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "platform_sys.h"
#include "str.h"

#include "banned.h"

#define PROC_PATH_BYTES 64
#define FDINFO_BYTES    2048
#define LOCALE_BYTES    65536

/* The device number of a terminal as people know it: proc(5), field tty_nr, and the kernel's list
 * of devices. */
void posix_name_terminal(int64_t device, char *ret_text, size_t size)
{
    unsigned number = (unsigned)device;
    unsigned major = number >> 8 & 0xFFFu;
    unsigned minor = (number & 0xFFu) | (number >> 12 & 0xFFF00u);

    ret_text[0] = '\0';
    if (major >= 136 && major <= 143)
        (void)str_format(ret_text, size, "pts/%u", (major - 136) * 256 + minor);
    else if (major == 4 && minor < 64)
        (void)str_format(ret_text, size, "tty%u", minor);
    else if (major == 4)
        (void)str_format(ret_text, size, "ttyS%u", minor - 64);
    else if (major == 5 && minor == 1)
        (void)str_copy(ret_text, size, "console");
}

int64_t posix_started_wall_us(uint64_t start_ticks)
{
    int64_t tick_us = 1000000 / sysconf(_SC_CLK_TCK);
    int64_t age_us = linux_boot_clock() / 1000 - (int64_t)start_ticks * tick_us;

    return platform_wall_us() - age_us;
}

int64_t posix_process_uid(int64_t pid)
{
    char path[PROC_PATH_BYTES];
    struct stat owner;

    (void)str_format(path, sizeof path, "/proc/%lld", (long long)pid);
    return stat(path, &owner) == 0 ? (int64_t)owner.st_uid : -1;
}

void platform_process_cgroups(int64_t pid, char *ret_text, size_t size)
{
    if (linux_read_proc(pid, "cgroup", ret_text, size) == -1)
        ret_text[0] = '\0';
}

/* ---- Who has a lock -------------------------------------------------------------------------- */

struct lock_holders {
    struct stat file;
    int64_t *pids;
    size_t max;
    size_t count;
};

/* /proc/PID/fdinfo/N has a line for every lock that comes with a descriptor: proc(5). */
static bool has_lock(int64_t pid, const char *number)
{
    char name[PROC_PATH_BYTES];
    char text[FDINFO_BYTES];

    return str_format(name, sizeof name, "fdinfo/%s", number) &&
            linux_read_proc(pid, name, text, sizeof text) > 0 && strstr(text, " FLOCK ") != NULL &&
            strstr(text, " WRITE ") != NULL;
}

static bool add_lock_holder(void *context, int64_t pid)
{
    struct lock_holders *holders = context;
    char path[PROC_PATH_BYTES];
    DIR *directory;
    struct dirent *entry;
    bool found = false;

    (void)str_format(path, sizeof path, "/proc/%lld/fd", (long long)pid);
    directory = linux_open_directory(path);
    if (directory == NULL)
        return true;
    while (!found && (entry = readdir(directory)) != NULL) {
        struct stat info;

        found = entry->d_name[0] != '.' &&
                fstatat(dirfd(directory), entry->d_name, &info, 0) == 0 &&
                info.st_ino == holders->file.st_ino && info.st_dev == holders->file.st_dev &&
                has_lock(pid, entry->d_name);
    }
    (void)closedir(directory);
    if (found && holders->count < holders->max)
        holders->pids[holders->count++] = pid;
    return true;
}

size_t platform_lock_holders(const char *path, int64_t *ret_pids, size_t max)
{
    struct lock_holders holders = { .pids = ret_pids, .max = max };

    if (lstat(path, &holders.file) == 0)
        (void)posix_each_pid(add_lock_holder, &holders);
    return holders.count;
}

/* ---- What Linux says of itself ----------------------------------------------------------------
 */

/* LANG= of a file of shell assignments; locale.conf(5) and Debian's default/locale. */
void platform_system_language(char *ret_text, size_t size)
{
    static const char *const paths[] = { "/etc/locale.conf", "/etc/default/locale" };
    static char known[PLATFORM_USER_BYTES];
    static bool is_known;

    (void)str_copy(ret_text, size, known);
    if (is_known)
        return; /* once a process: it is asked at every spawn */
    for (size_t i = 0; i < sizeof paths / sizeof paths[0] && ret_text[0] == '\0'; i++) {
        struct buffer text = { 0 };
        struct err err;
        const char *line;

        if (platform_read_file(paths[i], LOCALE_BYTES, &text, &err) == -1)
            continue;
        for (line = text.data; line != NULL; line = strchr(line, '\n')) {
            size_t length;

            line += *line == '\n';
            if (strncmp(line, "LANG=", 5) != 0)
                continue;
            line += 5;
            line += *line == '"';
            length = strcspn(line, "\"\n \t#");
            if (length > 0 && length < size) {
                memcpy(ret_text, line, length);
                ret_text[length] = '\0';
            }
        }
        buffer_free(&text);
    }
    is_known = str_copy(known, sizeof known, ret_text);
}
