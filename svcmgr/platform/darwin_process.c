/* macOS: processes, by sysctl(3), libproc and kqueue(2). */
#include <errno.h>
#include <libproc.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/event.h>
#include <sys/param.h>
#include <sys/stat.h>
#include <sys/sysctl.h>
#include <unistd.h>

#include "platform_sys.h"
#include "posix.h"
#include "str.h"

#include "banned.h"

#define MICROSECONDS  INT64_C(1000000)
#define MORE_PIDS     64
#define CLOSE_AT_ONCE 256
#define HOLDERS_MAX   64
#define STATUS_MASK   0xFFFF /* of a kevent's data: wait(2) */

/* Known of everybody's processes, and of zombies (sysctl_prochandle() in bsd/kern/kern_sysctl.c);
 * proc_pidinfo() tells the same of one's own user's only. */
static bool read_table(int64_t pid, struct kinfo_proc *ret_entry)
{
    int name[] = { CTL_KERN, KERN_PROC, KERN_PROC_PID, (int)pid };
    size_t length = sizeof *ret_entry;

    if (sysctl(name, sizeof name / sizeof name[0], ret_entry, &length, NULL, 0) == -1)
        return false;
    if (length == sizeof *ret_entry)
        return true;
    errno = ESRCH;
    return false;
}

bool posix_read_process(int64_t pid, struct posix_process *ret_process)
{
    struct kinfo_proc entry;
    pid_t session;

    if (!read_table(pid, &entry))
        return false;
    session = getsid((pid_t)pid);
    *ret_process = (struct posix_process) {
        .parent = entry.kp_eproc.e_ppid,
        .group = entry.kp_eproc.e_pgid,
        .session = session == -1 ? 0 : session,
        .terminal = entry.kp_eproc.e_tdev == NODEV ? 0 : entry.kp_eproc.e_tdev,
        .start_time = (uint64_t)(entry.kp_proc.p_starttime.tv_sec * MICROSECONDS +
                entry.kp_proc.p_starttime.tv_usec),
        .zombie = entry.kp_proc.p_stat == SZOMB,
    };
    (void)str_copy(ret_process->command, sizeof ret_process->command, entry.kp_proc.p_comm);
    return true;
}

int64_t posix_process_uid(int64_t pid)
{
    struct kinfo_proc entry;

    return read_table(pid, &entry) ? (int64_t)entry.kp_eproc.e_ucred.cr_uid : -1;
}

bool posix_each_pid(bool (*each)(void *context, int64_t pid), void *context)
{
    int room = proc_listallpids(NULL, 0) + MORE_PIDS;
    pid_t *pids = calloc((size_t)room, sizeof *pids);
    int count = pids == NULL ? -1 : proc_listallpids(pids, room * (int)sizeof *pids);

    for (int i = 0; i < count; i++)
        if (pids[i] > 0 && !each(context, pids[i]))
            break;
    free(pids);
    return count > 0;
}

/* int argc, the path of the executable, NULs, the words, the environment; of another user's process
 * for root only (sysctl_procargsx() in bsd/kern/kern_sysctl.c, which refuses more room too). */
long posix_read_strings(int64_t pid, bool environment, char *ret_text, size_t size)
{
    static char text[ARG_MAX];
    int name[] = { CTL_KERN, KERN_PROCARGS2, (int)pid };
    size_t length = sizeof text - 1;
    size_t at;
    size_t from;
    int words;

    if (sysctl(name, sizeof name / sizeof name[0], text, &length, NULL, 0) == -1 ||
            length < sizeof words)
        return -1;
    text[length] = '\0';
    memcpy(&words, text, sizeof words);
    at = sizeof words + strlen(text + sizeof words);
    while (at < length && text[at] == '\0')
        at++;
    from = at;
    while (words-- > 0 && at < length)
        at += strlen(text + at) + 1;
    if (at > length)
        at = length;
    length = (environment ? length : at) - (environment ? at : from);
    if (length > size - 1)
        length = size - 1;
    memcpy(ret_text, text + (environment ? at : from), length);
    ret_text[length] = '\0';
    return (long)length;
}

int64_t posix_started_wall_us(uint64_t start_time)
{
    return (int64_t)start_time;
}

void posix_name_terminal(int64_t device, char *ret_text, size_t size)
{
    const char *name = device == 0 ? NULL : devname((dev_t)device, S_IFCHR);

    (void)str_copy(ret_text, size, name != NULL ? name : "");
}

const char *posix_boot_id(void)
{
    static char id[IDENTITY_BOOT_BYTES];
    size_t length = sizeof id;

    if (id[0] == '\0' && sysctlbyname("kern.bootsessionuuid", id, &length, NULL, 0) == -1)
        id[0] = '\0';
    return id;
}

uint64_t posix_pid_namespace(int64_t pid)
{
    (void)pid;
    return 0;
}

/* What initgroups(3) ends in, without its question to a daemon, which a forked child had better not
 * ask.  The kernel takes 16 groups and, since it is told whose they are, looks further ones up
 * itself: setgroups(2), CAVEATS; setgroups1() in bsd/kern/kern_prot.c. */
extern int __initgroups(u_int count, const gid_t *groups, uid_t uid);

int posix_set_groups(const struct platform_spawn *spawn)
{
    gid_t groups[NGROUPS_MAX];
    u_int count = 0;

    for (; count < spawn->group_count && count < NGROUPS_MAX; count++)
        groups[count] = (gid_t)spawn->groups[count];
    return __initgroups(count, groups, (uid_t)spawn->uid);
}

/* A list from the kernel, since the highest number may be without limit here. */
void posix_close_from(int first)
{
    struct proc_fdinfo list[CLOSE_AT_ONCE];
    int closed;

    do {
        int bytes = proc_pidinfo(getpid(), PROC_PIDLISTFDS, 0, list, (int)sizeof list);

        closed = 0;
        for (int i = 0; i < bytes / (int)sizeof list[0]; i++)
            if (list[i].proc_fd >= first && close(list[i].proc_fd) == 0)
                closed++;
    } while (closed > 0);
}

/* ---- The end of a process -------------------------------------------------------------------- */

static int watch_end(int queue, int64_t pid, unsigned what)
{
    struct kevent wanted;

    EV_SET(&wanted, (uintptr_t)pid, EVFILT_PROC, EV_ADD, what, 0, NULL);
    return kevent(queue, &wanted, 1, NULL, 0, NULL);
}

/* A queue for one process: it becomes readable when the process ends.  The status is for those who
 * may signal it (filt_procattach() in bsd/kern/kern_event.c). */
int posix_open_process(const struct identity *identity)
{
    int queue = kqueue();
    int code;

    if (queue == -1)
        return -1;
    if (posix_set_cloexec(queue) == 0 &&
            (watch_end(queue, identity->pid, NOTE_EXIT | NOTE_EXITSTATUS) == 0 ||
                    (errno == EACCES && watch_end(queue, identity->pid, NOTE_EXIT) == 0))) {
        /* Compared after, so the number cannot have changed hands in between. */
        if (posix_is_same(identity))
            return queue;
        errno = ESRCH;
    }
    code = errno;
    sys.close(queue);
    errno = code;
    return -1;
}

void posix_process_exit(int fd, struct platform_exit *ret_exit)
{
    struct timespec at_once = { 0 };
    struct kevent event;

    *ret_exit = (struct platform_exit) { .code = -1, .by_signal = -1 };
    if (kevent(fd, NULL, 0, &event, 1, &at_once) != 1 || (event.fflags & NOTE_EXITSTATUS) == 0)
        return;
    posix_fill_exit((int)(event.data & STATUS_MASK), ret_exit);
}

/* Who has a lock nobody says; who has the file open is one of them, or is just looking. */
size_t platform_lock_holders(const char *path, int64_t *ret_pids, size_t max)
{
    pid_t pids[HOLDERS_MAX];
    int bytes = proc_listpidspath(
            PROC_ALL_PIDS, 0, path, PROC_LISTPIDSPATH_EXCLUDE_EVTONLY, pids, (int)sizeof pids);
    size_t count = 0;

    for (int i = 0; i < bytes / (int)sizeof pids[0] && count < max; i++)
        if (pids[i] > 0 && pids[i] != getpid())
            ret_pids[count++] = pids[i];
    return count;
}
