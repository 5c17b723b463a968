/* Who a process is, and what it says of itself. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "platform_sys.h"
#include "posix.h"
#include "str.h"

#include "banned.h"

#define COMMAND_LINE_BYTES 8192
#define ENVIRON_BYTES      (128 * 1024)

bool posix_says_gone(int code)
{
    return code == ENOENT || code == ESRCH || code == EACCES || code == EPERM;
}

bool platform_identify(int64_t pid, bool alive, struct identity *ret_identity)
{
    struct posix_process process;
    struct identity identity = { .pid = pid };

    if (pid <= 0 || !posix_read_process(pid, &process) || (alive && process.zombie))
        return false;
    identity.start_time = process.start_time;
    identity.pid_namespace = posix_pid_namespace(0);
    (void)str_copy(identity.boot_id, sizeof identity.boot_id, posix_boot_id());
    *ret_identity = identity;
    return true;
}

bool posix_is_same(const struct identity *identity)
{
    struct identity now;

    return platform_identify(identity->pid, true, &now) && identity_equal(identity, &now);
}

void posix_fill_exit(int status, struct platform_exit *ret_exit)
{
    bool exited = WIFEXITED(status);

    if (!exited && !WIFSIGNALED(status))
        return;
    ret_exit->code = exited ? WEXITSTATUS(status) : -1;
    ret_exit->by_signal = exited ? 0 : WTERMSIG(status);
    ret_exit->core_dumped = !exited && WCOREDUMP(status);
}

bool platform_is_gone(const struct identity *identity)
{
    struct posix_process process;

    if (posix_is_same(identity))
        return false;
    errno = 0;
    if (posix_read_process(identity->pid, &process) || errno == 0 || posix_says_gone(errno))
        return true;
    return kill((pid_t)identity->pid, 0) == -1 && errno == ESRCH;
}

bool platform_is_elsewhere(const struct identity *identity)
{
    uint64_t own = posix_pid_namespace(0);

    return identity->pid_namespace != 0 && own != 0 && identity->pid_namespace != own &&
            strcmp(identity->boot_id, posix_boot_id()) == 0;
}

bool platform_is_in_other_namespace(int64_t pid)
{
    uint64_t own = posix_pid_namespace(0);
    uint64_t other = posix_pid_namespace(pid);

    return own != 0 && other != 0 && other != own;
}

int platform_signal(const struct identity *identity, const char *name, struct err *err)
{
    if (posix_signal(identity, platform_signal_number(name)) == -1 && errno != ESRCH)
        return err_set(err, posix_kind(errno), errno, "cannot send %s to process %lld: %s", name,
                (long long)identity->pid, strerror(errno));
    return 0;
}

bool platform_process_has_variable(int64_t pid, const char *name, const char *value)
{
    static char text[ENVIRON_BYTES];
    size_t name_length = strlen(name);
    long length = posix_read_strings(pid, true, text, sizeof text);

    for (long at = 0; at < length; at += (long)strlen(text + at) + 1)
        if (strncmp(text + at, name, name_length) == 0 && text[at + (long)name_length] == '=' &&
                strcmp(text + at + name_length + 1, value) == 0)
            return true;
    return false;
}

bool platform_process_word_after(int64_t pid, const char *word, char *ret_text, size_t size)
{
    char raw[COMMAND_LINE_BYTES];
    long length = posix_read_strings(pid, false, raw, sizeof raw);

    for (long at = 0; at < length; at += (long)strlen(raw + at) + 1) {
        long next = at + (long)strlen(raw + at) + 1;

        /* One that goes on behind what could be read is not known. */
        if (strcmp(raw + at, word) == 0 && next < length &&
                next + (long)strlen(raw + next) < (long)sizeof raw - 1)
            return str_copy(ret_text, size, raw + next);
    }
    return false;
}

static void read_command(int64_t pid, const char *name, char *ret_text, size_t size)
{
    char raw[PLATFORM_COMMAND_BYTES];
    const char *words[PLATFORM_COMMAND_BYTES / 2 + 1];
    size_t count = 0;
    long length = posix_read_strings(pid, false, raw, sizeof raw);

    /* A kernel thread and a zombie have none; systems show their name in brackets. */
    if (length <= 0) {
        (void)str_format(ret_text, size, "[%s]", name);
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
    struct posix_process process;
    struct platform_process_info info = { .pid = pid };

    if (pid <= 0 || !posix_read_process(pid, &process))
        return false;
    info.parent = process.parent;
    info.group = process.group;
    info.session = process.session;
    info.start_time = process.start_time;
    info.started_wall_us = posix_started_wall_us(process.start_time);
    info.on_terminal = process.terminal != 0;
    posix_name_terminal(process.terminal, info.terminal, sizeof info.terminal);
    info.zombie = process.zombie;
    read_command(pid, process.command, info.command, sizeof info.command);
    info.uid = posix_process_uid(pid);
    if (info.uid != -1 && !platform_user_name((uint32_t)info.uid, info.user, sizeof info.user))
        (void)str_format(info.user, sizeof info.user, "%u", (unsigned)info.uid);
    *ret_info = info;
    return true;
}

/* ---- Who has a socket ------------------------------------------------------------------------ */

struct owners {
    uint64_t socket_id;
    int64_t *pids;
    size_t max;
    size_t count;
    bool hidden;
};

static bool add_owner(void *context, int64_t pid)
{
    struct owners *owners = context;
    int found = posix_find_socket(pid, owners->socket_id);

    if (found == -2)
        owners->hidden = true;
    if (found >= 0 && owners->count < owners->max)
        owners->pids[owners->count++] = pid;
    return true;
}

size_t platform_socket_owners(uint64_t socket_id, int64_t *ret_pids, size_t max, bool *ret_hidden)
{
    struct owners owners = { .socket_id = socket_id, .pids = ret_pids, .max = max };

    if (socket_id != 0)
        posix_each_pid(add_owner, &owners);
    *ret_hidden = owners.hidden;
    return owners.count;
}

bool platform_owns_socket(int64_t pid, uint64_t socket_id)
{
    return socket_id != 0 && posix_find_socket(pid, socket_id) >= 0;
}
