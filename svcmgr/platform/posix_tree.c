/* The process tree of an instance.
 *
 * Supervisor and keeper are sub-reapers, so whatever an instance leaves behind becomes a child of
 * one of them: everything below the two is the tree, whatever it did with sessions, groups and
 * environments.  Where there is no sub-reaper (portable.c), descendants are found by ancestry, and
 * what was orphaned by session, group and instance id. */
#include "posix_tree.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "posix.h"
#include "str.h"

#include "banned.h"

/* A pass sees what was there when it looked; what was forked meanwhile is seen by the next one. */
#define SIGNAL_PASSES 3

struct table {
    struct tree_process *list; /* owned */
    size_t count;
    size_t capacity;
    bool failed;
};

bool tree_may_be_there(void)
{
    return errno != 0 && !posix_says_gone(errno);
}

bool tree_read_process(int64_t pid, struct tree_process *ret_process)
{
    struct posix_process status;

    errno = 0;
    if (!posix_read_process(pid, &status))
        return false;
    *ret_process = (struct tree_process) {
        .pid = pid,
        .parent = status.parent,
        .session = status.session,
        .group = status.group,
        .start_time = status.start_time,
        .zombie = status.zombie,
    };
    (void)str_copy(ret_process->command, sizeof ret_process->command, status.command);
    return true;
}

static bool add_process(void *context, int64_t pid)
{
    struct table *table = context;

    if (table->count == table->capacity) {
        size_t capacity = table->capacity ? table->capacity * 2 : 256;
        struct tree_process *list = realloc(table->list, capacity * sizeof *list);

        if (list == NULL) {
            table->failed = true;
            return false;
        }
        table->list = list;
        table->capacity = capacity;
    }
    if (tree_read_process(pid, &table->list[table->count]))
        table->count++;
    else if (tree_may_be_there())
        table->failed = true;
    return !table->failed;
}

/* Keeper or supervisor of another service that was started from inside ours.  In the background
 * both carry the word that 'start' gives them (a supervisor whose keeper has died is here by
 * itself); else the keeper leads a session of its own and runs "svcmgr ... run NAME". */
static bool is_other_service(const struct tree_process *process)
{
    char words[512];
    long length;

    if (strcmp(process->command, "svcmgr") != 0)
        return false;
    length = posix_read_strings(process->pid, false, words, sizeof words);
    for (long at = 0; at < length; at += (long)strlen(words + at) + 1)
        if (strcmp(words + at, "--background") == 0 ||
                (process->session == process->pid && strcmp(words + at, "run") == 0))
            return true;
    return false;
}

bool tree_is_excepted(const struct platform_tree *tree, int64_t pid)
{
    for (size_t i = 0; i < tree->except_count; i++)
        if (tree->except[i] == pid)
            return true;
    return false;
}

static int compare(const void *a, const void *b)
{
    const struct tree_process *left = a;
    const struct tree_process *right = b;

    return (left->pid > right->pid) - (left->pid < right->pid);
}

static struct tree_process *find(const struct table *table, int64_t pid)
{
    struct tree_process key = { .pid = pid };

    if (table->count == 0)
        return NULL;
    return bsearch(&key, table->list, table->count, sizeof *table->list, compare);
}

static bool is_marked(const struct platform_tree *tree, const struct tree_process *process)
{
    return tree->instance != NULL && tree->instance[0] != '\0' && process->pid > 1 &&
            platform_process_has_variable(process->pid, "SVCMGR_INSTANCE", tree->instance);
}

/* Whether a session or group of that number is the tree's: a process that has the number by now and
 * is another one leads one of its own. */
static bool is_told(const struct platform_tree *tree, int64_t number)
{
    struct posix_process leader;

    return tree->session != 0 && number == tree->session &&
            (!posix_read_process(number, &leader) || leader.start_time == tree->main_start);
}

bool tree_is_root(const struct platform_tree *tree, const struct tree_process *process)
{
    bool ours = process->parent == platform_pid() ||
            (tree->keeper_pid != 0 && process->parent == tree->keeper_pid);
    bool told = is_told(tree, process->session);

    if (tree->main_pid != 0 && process->pid == tree->main_pid)
        return process->start_time == tree->main_start;
    if (!platform_tree_is_told())
        return (ours && tree->whole) || told || is_told(tree, process->group) ||
                is_marked(tree, process);
    if (tree->scattered)
        return told || is_marked(tree, process);
    return ours && (tree->whole || told || is_marked(tree, process));
}

bool platform_tree_is_sure(const struct platform_tree *tree)
{
    return tree->group != 0 || (!tree->scattered && platform_tree_is_told());
}

static bool is_of_excepted_session(const struct platform_tree *tree, int64_t session)
{
    for (size_t i = 0; i < tree->except_sessions; i++)
        if (tree->except[i] == session)
            return true;
    return false;
}

bool tree_is_barred(const struct platform_tree *tree, const struct tree_process *process)
{
    return tree_is_excepted(tree, process->pid) || is_of_excepted_session(tree, process->session) ||
            process->pid == platform_pid() || process->pid == tree->keeper_pid ||
            (process->pid != tree->main_pid && is_other_service(process));
}

static void mark(const struct platform_tree *tree, struct table *table)
{
    bool changed = true;

    for (size_t i = 0; i < table->count; i++) {
        struct tree_process *process = &table->list[i];

        process->barred = tree_is_barred(tree, process);
        process->in_tree = !process->barred && tree_is_root(tree, process);
    }
    while (changed) {
        changed = false;
        for (size_t i = 0; i < table->count; i++) {
            struct tree_process *process = &table->list[i];
            const struct tree_process *parent;

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
    if (!posix_each_pid(add_process, table) || table->failed) {
        free(table->list);
        return -1;
    }
    if (table->count > 0)
        qsort(table->list, table->count, sizeof *table->list, compare);
    mark(tree, table);
    return 0;
}

size_t platform_tree_list(const struct platform_tree *tree, int64_t *ret_pids, size_t max)
{
    struct table table = { 0 };
    size_t count = 0;

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

static bool has_group_members(const struct platform_tree *tree)
{
    return tree->group != 0 && !members_are_gone(tree);
}

bool platform_tree_is_empty(const struct platform_tree *tree)
{
    struct table table = { 0 };
    bool found = false;
    int empty = tree->scattered ? -1 : walk_is_empty(tree);

    if (empty != -1)
        return empty == 1 && !has_group_members(tree);
    if (collect(tree, &table) == -1)
        return false; /* not for certain */
    for (size_t i = 0; i < table.count; i++)
        found = found || (table.list[i].in_tree && !table.list[i].zombie);
    free(table.list);
    return !found && !has_group_members(tree);
}

bool platform_tree_contains(const struct platform_tree *tree, int64_t pid)
{
    struct table table = { 0 };
    const struct tree_process *process;
    bool contains;

    if (collect(tree, &table) == -1)
        return false;
    process = find(&table, pid);
    contains = process != NULL && process->in_tree;
    free(table.list);
    return contains;
}

bool tree_signal_process(const struct tree_process *process, const char *name)
{
    struct identity identity;
    struct err err;

    if (!platform_identify(process->pid, true, &identity) ||
            identity.start_time != process->start_time)
        return false;
    return platform_signal(&identity, name, &err) == 0;
}

/* What was there at one look at every process. */
static size_t signal_seen(const struct platform_tree *tree, const char *name)
{
    struct table table = { 0 };
    size_t hit = 0;

    if (collect(tree, &table) == -1)
        return 0;
    for (size_t i = 0; i < table.count; i++)
        if (table.list[i].in_tree && !table.list[i].zombie)
            hit += tree_signal_process(&table.list[i], name);
    free(table.list);
    return hit;
}

size_t platform_tree_signal(const struct platform_tree *tree, const char *name)
{
    bool kills = strcmp(name, "KILL") == 0;
    size_t total = 0;
    long killed;

    if (kills && tree->group != 0)
        members_kill(tree);
    killed = tree->scattered || !kills ? -1 : walk_kill(tree);
    if (killed != -1)
        return (size_t)killed;
    if (!tree->scattered && walk_is_empty(tree) == 1)
        return 0;
    /* A process that is killed while it forks may leave a child that this pass has not seen. */
    for (int pass = 0; pass < (kills ? SIGNAL_PASSES : 1); pass++) {
        size_t hit = signal_seen(tree, name);

        if (hit > total)
            total = hit;
        if (hit == 0)
            break;
    }
    return total;
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
    struct posix_process status;

    if (pid == platform_pid() ||
            !platform_process_has_variable(pid, "SVCMGR_INSTANCE", search->instance) ||
            !posix_read_process(pid, &status) || status.zombie)
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
    posix_each_pid(add_if_marked, &search);
    return search.count;
}
