/* The process tree of an instance.
 *
 * Supervisor and keeper are sub-reapers, so whatever an instance leaves behind becomes a child of
 * one of them: everything below the two is the tree, whatever it did with sessions, groups and
 * environments.  The portable build has no sub-reaper: there descendants are found by ancestry, and
 * what was orphaned by session, group and instance id, as on macOS. */
#include "linux.h"

#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "platform_sys.h"
#include "posix.h"
#include "str.h"

#include "banned.h"

#define CHILDREN_BYTES 4096
/* A pass sees what was there when it looked; what was forked meanwhile is seen by the next one. */
#define SIGNAL_PASSES 3

struct process {
    int64_t pid;
    int64_t parent;
    int64_t session;
    int64_t group;
    uint64_t start_time;
    bool zombie;
    bool in_tree;
    bool barred; /* not part of it, and nothing below it is */
    char command[32];
};

struct table {
    struct process *list; /* owned */
    size_t count;
    size_t capacity;
    bool failed;
};

static bool add_process(void *context, int64_t pid)
{
    struct table *table = context;
    struct linux_stat status;

    if (!linux_read_stat(pid, &status))
        return true;
    if (table->count == table->capacity) {
        size_t capacity = table->capacity ? table->capacity * 2 : 256;
        struct process *list = realloc(table->list, capacity * sizeof *list);

        if (list == NULL) {
            table->failed = true;
            return false;
        }
        table->list = list;
        table->capacity = capacity;
    }
    table->list[table->count] = (struct process){
        .pid = pid,
        .parent = status.parent,
        .session = status.session,
        .group = status.group,
        .start_time = status.start_time,
        .zombie = status.state == 'Z' || status.state == 'X',
    };
    (void)str_copy(table->list[table->count].command, sizeof table->list[0].command,
            status.command);
    table->count++;
    return true;
}

/* A supervisor of another service that was started from inside ours: its keeper leads a session of
 * its own and runs "svcmgr ... run NAME". */
static bool is_other_keeper(const struct process *process)
{
    char words[512];
    long length;

    if (process->session != process->pid || strcmp(process->command, "svcmgr") != 0)
        return false;
    length = linux_read_proc(process->pid, "cmdline", words, sizeof words);
    for (long at = 0; at < length; at += (long)strlen(words + at) + 1)
        if (strcmp(words + at, "run") == 0)
            return true;
    return false;
}

static bool is_excepted(const struct platform_tree *tree, int64_t pid)
{
    for (size_t i = 0; i < tree->except_count; i++)
        if (tree->except[i] == pid)
            return true;
    return false;
}

static int compare(const void *a, const void *b)
{
    const struct process *left = a;
    const struct process *right = b;

    return (left->pid > right->pid) - (left->pid < right->pid);
}

static struct process *find(const struct table *table, int64_t pid)
{
    struct process key = { .pid = pid };

    if (table->count == 0)
        return NULL;
    return bsearch(&key, table->list, table->count, sizeof *table->list, compare);
}

static bool is_marked(const struct platform_tree *tree, const struct process *process)
{
    return tree->instance != NULL && tree->instance[0] != '\0' && process->pid > 1 &&
           platform_process_has_variable(process->pid, "SVCMGR_INSTANCE", tree->instance);
}

/* Whether a process belongs to the tree by what it is itself, without its parents. */
static bool is_root(const struct platform_tree *tree, const struct process *process)
{
    bool ours = process->parent == platform_pid() ||
                (tree->keeper_pid != 0 && process->parent == tree->keeper_pid);
    bool told = tree->session != 0 && process->session == tree->session;

    if (tree->main_pid != 0 && process->pid == tree->main_pid)
        return process->start_time == tree->main_start;
#if defined(SVCMGR_PORTABLE)
    told = told || (tree->session != 0 && process->group == tree->session);
    return (ours && tree->whole) || told || is_marked(tree, process);
#else
    if (tree->scattered)
        return told || is_marked(tree, process);
    return ours && (tree->whole || told || is_marked(tree, process));
#endif
}

static void mark(const struct platform_tree *tree, struct table *table)
{
    bool changed = true;

    for (size_t i = 0; i < table->count; i++) {
        struct process *process = &table->list[i];

        process->barred = is_excepted(tree, process->pid) || process->pid == platform_pid() ||
                          process->pid == tree->keeper_pid || is_other_keeper(process);
        process->in_tree = !process->barred && is_root(tree, process);
    }
    while (changed) {
        changed = false;
        for (size_t i = 0; i < table->count; i++) {
            struct process *process = &table->list[i];
            const struct process *parent;

            if (process->in_tree || process->barred)
                continue;
            parent = find(table, process->parent);
            if (parent != NULL && parent->in_tree) {
                process->in_tree = true;
                changed = true;
            }
        }
    }
}

static int collect(const struct platform_tree *tree, struct table *table)
{
    linux_each_pid(add_process, table);
    if (table->failed) {
        free(table->list);
        return -1;
    }
    if (table->count > 0)
        qsort(table->list, table->count, sizeof *table->list, compare);
    mark(tree, table);
    return 0;
}

#if !defined(SVCMGR_PORTABLE)
/* Whether a process has children but the excepted ones and 'besides'; true when unknown.
 * proc(5): /proc/PID/task/TID/children, with CONFIG_PROC_CHILDREN. */
static bool may_have_children(const struct platform_tree *tree, int64_t pid, int64_t besides)
{
    char name[64];
    char text[CHILDREN_BYTES];
    const char *at = text;

    (void)str_format(name, sizeof name, "task/%lld/children", (long long)pid);
    if (linux_read_proc(pid, name, text, sizeof text) < 0)
        return true;
    while (*at != '\0') {
        int64_t child = 0;

        for (; str_is_digit(*at); at++)
            child = child * 10 + (*at - '0');
        while (*at == ' ')
            at++;
        if (child != besides && !is_excepted(tree, child))
            return true;
    }
    return false;
}

/* The common case, at the cost of two small reads instead of a look at every process. */
static bool is_surely_empty(const struct platform_tree *tree)
{
    int64_t self = platform_pid();

    if (tree->scattered)
        return false;
    return !may_have_children(tree, self, 0) &&
           (tree->keeper_pid == 0 || !may_have_children(tree, tree->keeper_pid, self));
}
#endif

size_t platform_tree_list(const struct platform_tree *tree, int64_t *ret_pids, size_t max)
{
    struct table table = { 0 };
    size_t count = 0;

#if !defined(SVCMGR_PORTABLE)
    if (is_surely_empty(tree))
        return 0;
#endif
    if (collect(tree, &table) == -1)
        return 0;
    for (size_t i = 0; i < table.count; i++) {
        if (!table.list[i].in_tree || table.list[i].zombie)
            continue;
        if (count < max)
            ret_pids[count] = table.list[i].pid;
        count++;
    }
    free(table.list);
    return count;
}

size_t platform_tree_count(const struct platform_tree *tree)
{
    return platform_tree_list(tree, NULL, 0);
}

bool platform_tree_contains(const struct platform_tree *tree, int64_t pid)
{
    struct table table = { 0 };
    const struct process *process;
    bool contains;

    if (collect(tree, &table) == -1)
        return false;
    process = find(&table, pid);
    contains = process != NULL && process->in_tree;
    free(table.list);
    return contains;
}

static bool signal_one(const struct process *process, const char *name)
{
    struct identity identity;
    struct err err;

    if (!platform_identify(process->pid, true, &identity) ||
            identity.start_time != process->start_time)
        return false;
    return platform_signal(&identity, name, &err) == 0;
}

size_t platform_tree_signal(const struct platform_tree *tree, const char *name)
{
    bool kills = strcmp(name, "KILL") == 0;
    size_t total = 0;

    /* A process that is killed while it forks may leave a child that this pass has not seen. */
    for (int pass = 0; pass < (kills ? SIGNAL_PASSES : 1); pass++) {
        struct table table = { 0 };
        size_t hit = 0;

#if !defined(SVCMGR_PORTABLE)
        if (is_surely_empty(tree))
            break;
#endif
        if (collect(tree, &table) == -1)
            break;
        for (size_t i = 0; i < table.count; i++)
            if (table.list[i].in_tree && !table.list[i].zombie)
                hit += signal_one(&table.list[i], name);
        free(table.list);
        if (pass == 0 || hit > total)
            total = hit;
        if (hit == 0)
            break;
    }
    return total;
}

bool platform_tree_is_told(void)
{
#if defined(SVCMGR_PORTABLE)
    return false;
#else
    return true;
#endif
}

struct search {
    const char *instance;
    int64_t *pids;
    size_t max;
    size_t count;
};

static bool add_if_marked(void *context, int64_t pid)
{
    struct search *search = context;
    struct linux_stat status;

    if (pid == platform_pid() ||
            !platform_process_has_variable(pid, "SVCMGR_INSTANCE", search->instance) ||
            !linux_read_stat(pid, &status) || status.state == 'Z')
        return true;
    if (search->count < search->max)
        search->pids[search->count] = pid;
    search->count++;
    return true;
}

size_t platform_find_instance(const char *instance, int64_t *ret_pids, size_t max)
{
    struct search search = { .instance = instance, .pids = ret_pids, .max = max };

    if (instance[0] == '\0')
        return 0;
    linux_each_pid(add_if_marked, &search);
    return search.count;
}
