#include "fake_processes.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "fake_machine.h"
#include "posix_source.h"

#define PROCESSES_MAX 64

struct process {
    int64_t pid;
    int64_t session; /* its leader: who was started by the supervisor itself */
    bool lives;
    bool lies; /* ended, and not reaped */
    bool is_command;
    enum fake_fate fate;
    int code;
    int by_signal;
    int input;
    int output;
    int error_output;
    int failure;
};

static struct {
    struct process list[PROCESSES_MAX];
    int64_t next_pid;
    enum fake_fate fate;
    bool is_stubborn;
    bool reads;
} fakes;

void fake_processes_begin(void)
{
    memset(&fakes, 0, sizeof fakes);
    fakes.next_pid = FAKE_FIRST_PID;
    fakes.reads = true;
}

/* ---- Processes ------------------------------------------------------------------------------- */

static struct process *find(int64_t pid)
{
    for (int i = 0; i < PROCESSES_MAX; i++)
        if (fakes.list[i].pid == pid && pid != 0)
            return &fakes.list[i];
    return NULL;
}

static struct process *add(int64_t session)
{
    for (int i = 0; i < PROCESSES_MAX; i++) {
        struct process *process = &fakes.list[i];

        if (process->lives || process->lies)
            continue;
        *process = (struct process) { .pid = fakes.next_pid++,
            .lives = true,
            .input = -1,
            .output = -1,
            .error_output = -1,
            .failure = -1 };
        process->session = session != 0 ? session : process->pid;
        return process;
    }
    return NULL;
}

static void end_process(struct process *process, int code, int by_signal)
{
    process->lives = false;
    process->lies = true;
    process->code = code;
    process->by_signal = by_signal;
    fake_close(&process->input);
    fake_close(&process->output);
    fake_close(&process->error_output);
    fake_close(&process->failure);
    platform_loop.children_may_have_ended = true; /* SIGCHLD */
    platform_loop.left_unreaped = 0;
}

static void deliver(struct process *process, const char *name)
{
    int number = platform_signal_number(name);

    REQUIRE(number != 0 && process->lives);
    if (number == SIGKILL || (!fakes.is_stubborn && (number == SIGTERM || number == SIGINT)))
        end_process(process, -1, number);
}

static void make_identity(int64_t pid, struct identity *ret_identity)
{
    *ret_identity =
            (struct identity) { .pid = pid, .start_time = (uint64_t)pid, .boot_id = "fake" };
}

int __wrap_platform_spawn(
        const struct platform_spawn *spawn, struct platform_child *ret_child, struct err *err);
int __wrap_platform_spawn_release(struct platform_child *child, struct err *err);
void __wrap_platform_spawn_abandon(struct platform_child *child);

int __wrap_platform_spawn(
        const struct platform_spawn *spawn, struct platform_child *ret_child, struct err *err)
{
    enum fake_fate fate = fakes.fate;
    struct process *process = fate == FAKE_CANNOT_FORK ? NULL : add(0);
    int pipes[4];

    fakes.fate = FAKE_RUNS;
    if (process == NULL)
        return err_set(
                err, ERR_FAILED, EAGAIN, "cannot start a process: fork: %s", strerror(EAGAIN));
    REQUIRE(pipe2(pipes, O_CLOEXEC) == 0 && pipe2(pipes + 2, O_CLOEXEC) == 0);
    process->fate = fate;
    process->is_command = spawn->ends_with_parent || strcmp(spawn->words[0], "/bin/service") != 0;
    process->input = fake_copy(spawn->input);
    process->output = fake_copy(spawn->output);
    process->error_output = fake_copy(spawn->error_output);
    process->failure = fake_copy(pipes[1]);
    if (process->input != -1)
        (void)fcntl(process->input, F_SETFL, O_NONBLOCK);
    if (process->output != -1)
        (void)fcntl(process->output, F_SETFL, O_NONBLOCK);
    if (process->error_output != -1)
        (void)fcntl(process->error_output, F_SETFL, O_NONBLOCK);
    (void)close(pipes[1]);
    (void)close(pipes[2]);
    ret_child->failure = pipes[0];
    ret_child->barrier = pipes[3];
    make_identity(process->pid, &ret_child->identity);
    return 0;
}

int __wrap_platform_spawn_release(struct platform_child *child, struct err *err)
{
    struct process *process = find(child->identity.pid);
    struct posix_failure failure = { .stage = PLATFORM_STAGE_EXECUTE, .code = ENOENT };

    (void)err;
    platform_close(child->barrier);
    child->barrier = PLATFORM_NO_HANDLE;
    if (process->fate == FAKE_NO_DIRECTORY)
        failure = (struct posix_failure) { .stage = PLATFORM_STAGE_DIRECTORY, .code = EACCES };
    if (process->fate == FAKE_CANNOT_EXECUTE || process->fate == FAKE_NO_DIRECTORY) {
        (void)!write(process->failure, &failure, sizeof failure);
        end_process(process, 127, 0);
    } else if (process->fate == FAKE_ENDS_AT_ONCE) {
        end_process(process, 0, 0);
    }
    fake_close(&process->failure);
    return 0;
}

void __wrap_platform_spawn_abandon(struct platform_child *child)
{
    struct process *process = find(child->identity.pid);

    platform_close(child->barrier);
    platform_close(child->failure);
    end_process(process, -1, SIGKILL);
    process->lies = false;
}

/* ---- Signals and trees ----------------------------------------------------------------------- */

static bool is_in(const struct platform_tree *tree, const struct process *process)
{
    if (!process->lives)
        return false;
    for (size_t i = 0; i < tree->except_count; i++)
        if (process->session == tree->except[i] || process->pid == tree->except[i])
            return false;
    return tree->whole || process->session == tree->session || process->pid == tree->main_pid;
}

int __wrap_platform_signal(const struct identity *identity, const char *name, struct err *err);
bool __wrap_platform_tree_is_empty(const struct platform_tree *tree);
bool __wrap_platform_tree_contains(const struct platform_tree *tree, int64_t pid);
size_t __wrap_platform_tree_signal(const struct platform_tree *tree, const char *name);
size_t __wrap_platform_tree_list(const struct platform_tree *tree, int64_t *ret_pids, size_t max);
size_t __wrap_platform_find_instance(const char *instance, int64_t *ret_pids, size_t max);
bool __wrap_platform_identify(int64_t pid, bool alive, struct identity *ret_identity);
bool __wrap_platform_is_gone(const struct identity *identity);
struct platform_source *__wrap_platform_watch_process(
        const struct identity *identity, int role, void *owner);
bool __wrap_platform_process_info(int64_t pid, struct platform_process_info *ret_info);
void __wrap_platform_process_cgroups(int64_t pid, char *ret_text, size_t size);

/* Whom the supervisor signals it has started itself. */
int __wrap_platform_signal(const struct identity *identity, const char *name, struct err *err)
{
    struct process *process = find(identity->pid);

    (void)err;
    REQUIRE(process != NULL || identity->pid < fakes.next_pid);
    if (process != NULL && process->lives)
        deliver(process, name);
    return 0;
}

bool __wrap_platform_tree_is_empty(const struct platform_tree *tree)
{
    for (int i = 0; i < PROCESSES_MAX; i++)
        if (is_in(tree, &fakes.list[i]))
            return false;
    return true;
}

bool __wrap_platform_tree_contains(const struct platform_tree *tree, int64_t pid)
{
    struct process *process = find(pid);

    return process != NULL && is_in(tree, process);
}

size_t __wrap_platform_tree_signal(const struct platform_tree *tree, const char *name)
{
    size_t count = 0;

    for (int i = 0; i < PROCESSES_MAX; i++) {
        if (!is_in(tree, &fakes.list[i]))
            continue;
        deliver(&fakes.list[i], name);
        count++;
    }
    return count;
}

size_t __wrap_platform_tree_list(const struct platform_tree *tree, int64_t *ret_pids, size_t max)
{
    size_t count = 0;

    for (int i = 0; i < PROCESSES_MAX; i++) {
        if (!is_in(tree, &fakes.list[i]))
            continue;
        if (count < max)
            ret_pids[count] = fakes.list[i].pid;
        count++;
    }
    return count;
}

size_t __wrap_platform_find_instance(const char *instance, int64_t *ret_pids, size_t max)
{
    (void)instance;
    (void)ret_pids;
    (void)max;
    return 0;
}

bool __wrap_platform_identify(int64_t pid, bool alive, struct identity *ret_identity)
{
    const struct process *process = find(pid);

    if (pid != FAKE_SUPERVISOR_PID && pid != FAKE_KEEPER_PID &&
            (process == NULL || !(process->lives || (process->lies && !alive))))
        return false;
    make_identity(pid, ret_identity);
    return true;
}

bool __wrap_platform_is_gone(const struct identity *identity)
{
    struct identity now;

    return !__wrap_platform_identify(identity->pid, true, &now);
}

struct platform_source *__wrap_platform_watch_process(
        const struct identity *identity, int role, void *owner)
{
    (void)identity;
    (void)role;
    (void)owner;
    return NULL;
}

bool __wrap_platform_process_info(int64_t pid, struct platform_process_info *ret_info)
{
    struct identity identity;

    *ret_info = (struct platform_process_info) {
        .pid = pid, .uid = 0, .command = "a client", .user = "root"
    };
    return pid == (int64_t)getpid() || __wrap_platform_identify(pid, false, &identity);
}

void __wrap_platform_process_cgroups(int64_t pid, char *ret_text, size_t size)
{
    (void)pid;
    if (size > 0)
        ret_text[0] = '\0';
}

int fake_waitid(idtype_t kind, id_t id, siginfo_t *info, int options)
{
    for (int i = 0; i < PROCESSES_MAX; i++) {
        struct process *process = &fakes.list[i];

        if (!process->lies || (kind == P_PID && process->pid != (int64_t)id))
            continue;
        info->si_pid = (pid_t)process->pid;
        info->si_code = process->by_signal > 0 ? CLD_KILLED : CLD_EXITED;
        info->si_status = process->by_signal > 0 ? process->by_signal : process->code;
        if ((options & WNOWAIT) == 0)
            process->lies = false;
        return 0;
    }
    memset(info, 0, sizeof *info);
    return 0;
}

/* ---- What the input makes them do ------------------------------------------------------------ */

void fake_set_fate(enum fake_fate fate)
{
    fakes.fate = fate;
}

void fake_set_stubborn(bool stubborn)
{
    fakes.is_stubborn = stubborn;
}

void fake_set_reads(bool reads)
{
    fakes.reads = reads;
}

static struct process *pick(unsigned n)
{
    unsigned count = 0;

    for (int i = 0; i < PROCESSES_MAX; i++)
        count += fakes.list[i].lives;
    if (count == 0)
        return NULL;
    n %= count;
    for (int i = 0;; i++)
        if (fakes.list[i].lives && n-- == 0)
            return &fakes.list[i];
}

void fake_print(unsigned n, bool on_error, const char *text, size_t length)
{
    struct process *process = pick(n);

    if (process != NULL && (on_error ? process->error_output : process->output) != -1)
        (void)!write(on_error ? process->error_output : process->output, text, length);
}

static void leave_orphan(const struct process *process)
{
    struct process *orphan = add(process->session);

    if (orphan == NULL)
        return;
    orphan->output = fake_copy(process->output);
    orphan->error_output = fake_copy(process->error_output);
    orphan->is_command = process->is_command;
}

void fake_exit(unsigned n, int code, int by_signal, bool leaves_orphan)
{
    struct process *process = pick(n);

    if (process == NULL)
        return;
    if (leaves_orphan)
        leave_orphan(process);
    end_process(process, code, by_signal);
}

bool fake_end_commands(void)
{
    bool any = false;

    for (int i = 0; i < PROCESSES_MAX; i++) {
        if (!fakes.list[i].lives || !fakes.list[i].is_command)
            continue;
        end_process(&fakes.list[i], 0, 0);
        any = true;
    }
    return any;
}

void fake_read_inputs(void)
{
    char bytes[4096];

    for (int i = 0; fakes.reads && i < PROCESSES_MAX; i++)
        while (fakes.list[i].lives && fakes.list[i].input != -1 &&
                read(fakes.list[i].input, bytes, sizeof bytes) > 0)
            ;
}

void fake_processes_end(void)
{
    for (int i = 0; i < PROCESSES_MAX; i++)
        if (fakes.list[i].lives)
            end_process(&fakes.list[i], -1, SIGKILL);
}
