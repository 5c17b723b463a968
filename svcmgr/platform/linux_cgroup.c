/* Control groups, version 2: the kernel's Documentation/admin-guide/cgroup-v2.rst, and systemd's
 * CGROUP_DELEGATION for what may be done below a unit.
 *
 * A group with processes of its own cannot have controllers for groups below it, so keeper and
 * supervisor go into one part of what was delegated, and each generation into another:
 *
 *   svcmgr-webui.service/svcmgr        keeper, supervisor, health commands, clients' commands
 *   svcmgr-webui.service/instance.12   generation 12
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "linux.h"
#include "platform_sys.h"
#include "posix_tree.h"
#include "str.h"

#include "banned.h"

#define GROUP_PATH_BYTES 1024
#define LINE_BYTES       4200 /* of /proc/self/cgroup, whose paths are at most 4096 long */
#define FILE_BYTES       4096
#define CGROUP2_MAGIC    0x63677270 /* statfs(2) */
#define OWN_PART         "svcmgr"
#define MOVE_PASSES      20 /* what is moved may fork meanwhile */

static struct {
    char base[GROUP_PATH_BYTES]; /* what was delegated; "": nothing */
    bool has_memory;
} groups;

/* ---- Files ----------------------------------------------------------------------------------- */

/* At most size - 1 bytes of a file of a group, with a NUL; false if it cannot be read. */
static bool read_file(const char *group, const char *name, char *ret_text, size_t size)
{
    char path[GROUP_PATH_BYTES + 64];
    ssize_t got;
    int fd;

    ret_text[0] = '\0';
    if (!str_format(path, sizeof path, "%s/%s", group, name))
        return false;
    fd = linux_open(path, 0);
    if (fd == -1)
        return false;
    got = sys.read(fd, ret_text, size - 1);
    sys.close(fd);
    ret_text[got > 0 ? got : 0] = '\0';
    return got >= 0;
}

static int write_file(const char *group, const char *name, const char *text, struct err *err)
{
    char path[GROUP_PATH_BYTES + 64];
    size_t length = strlen(text);
    ssize_t written = -1;
    int fd = -1;

    if (str_format(path, sizeof path, "%s/%s", group, name))
        fd = sys.open(path, O_WRONLY | O_CLOEXEC);
    if (fd != -1) {
        written = sys.write(fd, text, length);
        sys.close(fd);
    }
    if (written == (ssize_t)length)
        return 0;
    return err_set(err, ERR_FAILED, errno, "cannot write %s to %s/%s: %s", text, group, name,
            strerror(errno));
}

static bool holds_word(const char *text, const char *word)
{
    size_t length = strlen(word);

    for (const char *at = strstr(text, word); at != NULL; at = strstr(at + 1, word))
        if ((at == text || at[-1] == ' ') && strchr(" \n", at[length]) != NULL)
            return true;
    return false;
}

static bool name_group(uint32_t number, char *ret_path, size_t size)
{
    return number != 0 && groups.base[0] != '\0' &&
            str_format(ret_path, size, "%s/instance.%u", groups.base, (unsigned)number);
}

/* ---- What was delegated ---------------------------------------------------------------------- */

/* With version 1 beside it, systemd has it one level down: cgroups(7). */
static const char *find_root(void)
{
    static const char *const roots[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };
    struct statfs file_system;

    for (size_t i = 0; i < sizeof roots / sizeof roots[0]; i++)
        if (statfs(roots[i], &file_system) == 0 && file_system.f_type == CGROUP2_MAGIC)
            return roots[i];
    return NULL;
}

/* The line of version 2 is "0::PATH". */
static bool find_own(const char *root, char *ret_path, size_t size)
{
    char text[LINE_BYTES];
    char *line = text;

    if (linux_read_proc(0, "cgroup", text, sizeof text) <= 0)
        return false;
    while (line != NULL && strncmp(line, "0::/", 4) != 0) {
        line = strchr(line, '\n');
        line = line != NULL ? line + 1 : NULL;
    }
    if (line == NULL)
        return false;
    line += 3;
    line[strcspn(line, "\n")] = '\0';
    return strstr(line, "/..") == NULL && str_format(ret_path, size, "%s%s", root, line);
}

/* systemd marks what it has delegated; the second name is for who may not read the first. */
static bool is_delegated(const char *group)
{
    static const char *const names[] = { "trusted.delegate", "user.delegate" };
    char value;

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (getxattr(group, names[i], &value, 1) == 1 && value == '1')
            return true;
    return false;
}

/* Whether a group is, or is the part that a former supervisor has made of one that is: then *group
 * becomes that one, and *ret_divided is true. */
static bool find_base(char *group, bool *ret_divided)
{
    char *slash = strrchr(group, '/');

    *ret_divided = false;
    if (is_delegated(group))
        return true;
    if (slash == NULL || strcmp(slash + 1, OWN_PART) != 0)
        return false;
    *slash = '\0';
    *ret_divided = is_delegated(group);
    return *ret_divided;
}

static int move(const char *group, int64_t pid, struct err *err)
{
    char text[32];

    (void)str_format(text, sizeof text, "%lld", (long long)pid);
    return write_file(group, "cgroup.procs", text, err);
}

/* Everybody who is in the delegated group itself: what the keeper started before us, too. */
static void move_all(const char *base, const char *part)
{
    char text[FILE_BYTES];
    struct err ignored;

    for (int pass = 0; pass < MOVE_PASSES; pass++) {
        char *at = text;

        if (!read_file(base, "cgroup.procs", text, sizeof text) || text[0] == '\0')
            return;
        while (*at != '\0') {
            size_t length = strcspn(at, "\n");
            uint64_t pid;
            bool more = at[length] != '\0';

            at[length] = '\0';
            if (str_to_uint(at, INT32_MAX, &pid))
                (void)move(part, (int64_t)pid, &ignored);
            at += length + more;
        }
    }
}

static bool divide(const char *base, int64_t main_pid)
{
    char part[GROUP_PATH_BYTES + 16];
    struct err ignored;

    (void)str_format(part, sizeof part, "%s/" OWN_PART, base);
    if ((sys.mkdir(part, 0755) == -1 && errno != EEXIST) || move(part, main_pid, &ignored) == -1 ||
            move(part, platform_pid(), &ignored) == -1)
        return false;
    move_all(base, part);
    return true;
}

bool platform_group_open(const char *root, int64_t main_pid)
{
    char base[GROUP_PATH_BYTES];
    char controllers[FILE_BYTES];
    struct err ignored;
    bool is_divided;

    groups.base[0] = '\0';
    groups.has_memory = false;
    if (root == NULL)
        root = find_root();
    if (root == NULL || !find_own(root, base, sizeof base) || !find_base(base, &is_divided) ||
            (!is_divided && !divide(base, main_pid)))
        return false;
    groups.has_memory = read_file(base, "cgroup.controllers", controllers, sizeof controllers) &&
            holds_word(controllers, "memory") &&
            write_file(base, "cgroup.subtree_control", "+memory", &ignored) == 0;
    (void)str_copy(groups.base, sizeof groups.base, base);
    return true;
}

/* ---- A generation's -------------------------------------------------------------------------- */

static int no_group(struct err *err)
{
    return err_set(err, ERR_FAILED, 0, "no control group was delegated to svcmgr");
}

int platform_group_make(uint32_t number, struct err *err)
{
    char group[GROUP_PATH_BYTES + 32];

    if (!name_group(number, group, sizeof group))
        return no_group(err);
    (void)rmdir(group); /* of a generation whose number is used again */
    if (sys.mkdir(group, 0755) == -1 && errno != EEXIST)
        return err_set(
                err, ERR_FAILED, errno, "cannot make the group %s: %s", group, strerror(errno));
    return 0;
}

int platform_group_limit_memory(uint32_t number, uint64_t bytes, struct err *err)
{
    char group[GROUP_PATH_BYTES + 32];
    char text[32];

    if (!name_group(number, group, sizeof group))
        return no_group(err);
    if (!groups.has_memory)
        return err_set(
                err, ERR_FAILED, 0, "the control group %s has no memory controller", groups.base);
    (void)str_format(text, sizeof text, "%llu", (unsigned long long)bytes);
    return write_file(group, "memory.max", text, err);
}

int platform_group_enter(uint32_t number, int64_t pid, struct err *err)
{
    char group[GROUP_PATH_BYTES + 32];

    if (!name_group(number, group, sizeof group))
        return no_group(err);
    return move(group, pid, err);
}

void platform_group_remove(uint32_t number)
{
    char group[GROUP_PATH_BYTES + 32];

    if (name_group(number, group, sizeof group))
        (void)rmdir(group);
}

int64_t platform_group_oom_kills(uint32_t number)
{
    static const char word[] = "oom_kill ";
    char group[GROUP_PATH_BYTES + 32];
    char text[FILE_BYTES];
    const char *root;
    uint64_t count;
    char *at = text;

    if (number != 0 ? !name_group(number, group, sizeof group)
                    : (root = find_root()) == NULL || !find_own(root, group, sizeof group))
        return -1;
    if (!read_file(group, "memory.events", text, sizeof text))
        return -1;
    while (strncmp(at, word, sizeof word - 1) != 0) {
        at = strchr(at, '\n');
        if (at == NULL)
            return -1;
        at++;
    }
    at += sizeof word - 1;
    at[strcspn(at, "\n")] = '\0';
    return str_to_uint(at, INT64_MAX, &count) ? (int64_t)count : -1;
}

bool cgroup_each_pid(uint32_t number, bool (*each)(void *context, int64_t pid), void *context)
{
    char group[GROUP_PATH_BYTES + 32];
    char text[FILE_BYTES];
    size_t kept = 0;
    bool goes_on = true;
    ssize_t got = 0;
    int fd;

    if (!name_group(number, group, sizeof group) ||
            !str_format(text, sizeof text, "%s/cgroup.procs", group))
        return true;
    fd = linux_open(text, 0);
    if (fd == -1)
        return posix_says_gone(errno);
    while (goes_on && (got = sys.read(fd, text + kept, sizeof text - 1 - kept)) > 0) {
        char *at = text;
        char *newline;

        text[kept + (size_t)got] = '\0';
        while (goes_on && (newline = strchr(at, '\n')) != NULL) {
            uint64_t pid;

            *newline = '\0';
            goes_on = !str_to_uint(at, INT32_MAX, &pid) || each(context, (int64_t)pid);
            at = newline + 1;
        }
        kept = strlen(at);
        memmove(text, at, kept + 1);
    }
    sys.close(fd);
    return goes_on && got == 0;
}

bool cgroup_kill(uint32_t number)
{
    char group[GROUP_PATH_BYTES + 32];
    struct err ignored;

    return name_group(number, group, sizeof group) &&
            write_file(group, "cgroup.kill", "1", &ignored) == 0;
}
