/* The process tree of an instance: what is in the job of its main process.
 *
 * Nobody leaves a job that does not allow it, and it is asked what is in it.  A process that is
 * none of our children (another manager's job) has its descendants found by ancestry. */
#include <stdlib.h>
#include <string.h>

#include "windows_parts.h"

#include "banned.h"

#define MEMBERS_ROOM 64 /* at first */

struct members {
    int64_t *list; /* owned */
    size_t count;
    size_t capacity;
    bool failed;
};

static void add_member(struct members *members, int64_t pid)
{
    if (members->count == members->capacity) {
        size_t capacity = members->capacity ? members->capacity * 2 : MEMBERS_ROOM;
        int64_t *list = realloc(members->list, capacity * sizeof *list);

        if (list == NULL) {
            members->failed = true;
            return;
        }
        members->list = list;
        members->capacity = capacity;
    }
    members->list[members->count++] = pid;
}

static bool is_excepted(const struct platform_tree *tree, int64_t pid)
{
    for (size_t i = 0; i < tree->except_count; i++)
        if (tree->except[i] == pid)
            return true;
    return false;
}

/* ---- By jobs --------------------------------------------------------------------------------- */

static int64_t main_of(const struct platform_tree *tree)
{
    return tree->main_pid != 0 ? tree->main_pid : tree->session;
}

/* With neither main process nor session and 'whole' it is everything that we have started. */
static bool is_of_tree(const struct platform_tree *tree, const struct windows_child *child)
{
    int64_t pid = main_of(tree);

    if (child->job == NULL) /* who takes our place */
        return false;
    if (pid == 0)
        return tree->whole && !is_excepted(tree, child->pid);
    return child->pid == pid && (tree->main_start == 0 || child->start_time == tree->main_start);
}

static struct windows_child *next_job(const struct platform_tree *tree, struct windows_child *child)
{
    for (; child != NULL; child = child->next)
        if (is_of_tree(tree, child))
            return child;
    return NULL;
}

static struct windows_child *first_job(const struct platform_tree *tree)
{
    return next_job(tree, windows_first_child());
}

static void add_job(const struct platform_tree *tree, HANDLE job, struct members *members)
{
    size_t room = MEMBERS_ROOM;
    JOBOBJECT_BASIC_PROCESS_ID_LIST *list = NULL;

    for (;;) {
        size_t bytes = sizeof *list + room * sizeof list->ProcessIdList[0];
        JOBOBJECT_BASIC_PROCESS_ID_LIST *larger = realloc(list, bytes);

        if (larger == NULL) {
            members->failed = true;
            break;
        }
        list = larger;
        memset(list, 0, sizeof *list);
        if (QueryInformationJobObject(job, JobObjectBasicProcessIdList, list, (DWORD)bytes, NULL) &&
                list->NumberOfProcessIdsInList == list->NumberOfAssignedProcesses) {
            for (DWORD i = 0; i < list->NumberOfProcessIdsInList; i++)
                if (!is_excepted(tree, (int64_t)list->ProcessIdList[i]))
                    add_member(members, (int64_t)list->ProcessIdList[i]);
            break;
        }
        if (list->NumberOfAssignedProcesses < room && GetLastError() != ERROR_MORE_DATA) {
            members->failed = true;
            break;
        }
        room = room * 2 + list->NumberOfAssignedProcesses;
    }
    free(list);
}

/* ---- By ancestry ----------------------------------------------------------------------------- */

struct table {
    struct windows_process *list; /* owned */
    size_t count;
    size_t capacity;
    bool failed;
};

static bool add_process(void *context, const struct windows_process *process)
{
    struct table *table = context;

    if (table->count == table->capacity) {
        size_t capacity = table->capacity ? table->capacity * 2 : 256;
        struct windows_process *list = realloc(table->list, capacity * sizeof *list);

        if (list == NULL) {
            table->failed = true;
            return false;
        }
        table->list = list;
        table->capacity = capacity;
    }
    table->list[table->count++] = *process;
    return true;
}

static const struct windows_process *find_process(const struct table *table, int64_t pid)
{
    for (size_t i = 0; i < table->count; i++)
        if (table->list[i].pid == pid)
            return &table->list[i];
    return NULL;
}

/* A parent's number may have been used again: then it is younger than its child. */
static bool is_below(const struct table *table, const struct windows_process *process,
        const struct platform_tree *tree)
{
    for (size_t depth = 0; process != NULL && depth < table->count; depth++) {
        const struct windows_process *parent;

        if (process->pid == tree->main_pid)
            return process->start_time == tree->main_start;
        if (process->pid == 0 || process->pid == platform_pid())
            return false;
        parent = find_process(table, process->parent);
        process = parent != NULL && parent->start_time <= process->start_time ? parent : NULL;
    }
    return false;
}

static void add_descendants(const struct platform_tree *tree, struct members *members)
{
    struct table table = { 0 };

    if (tree->main_pid == 0)
        return;
    if (!windows_each_process(add_process, &table) || table.failed)
        members->failed = true;
    for (size_t i = 0; !members->failed && i < table.count; i++)
        if (!is_excepted(tree, table.list[i].pid) && is_below(&table, &table.list[i], tree))
            add_member(members, table.list[i].pid);
    free(table.list);
}

/* ---- The tree -------------------------------------------------------------------------------- */

static void collect(const struct platform_tree *tree, struct members *ret_members)
{
    struct windows_child *child = first_job(tree);

    *ret_members = (struct members) { 0 };
    if (child == NULL)
        add_descendants(tree, ret_members);
    for (; child != NULL; child = next_job(tree, child->next))
        add_job(tree, child->job, ret_members);
}

bool platform_tree_is_sure(const struct platform_tree *tree)
{
    (void)tree;
    return true;
}

bool platform_tree_is_told(void)
{
    return false;
}

static bool has_members(const struct platform_tree *tree)
{
    struct members members;
    bool found;

    collect(tree, &members);
    found = members.failed || members.count > 0;
    free(members.list);
    return found;
}

bool platform_tree_is_empty(const struct platform_tree *tree)
{
    struct windows_child *child = first_job(tree);

    if (child == NULL)
        return !has_members(tree);
    for (; child != NULL; child = next_job(tree, child->next))
        if (!windows_is_job_empty(child->job))
            return false;
    return true;
}

size_t platform_tree_list(const struct platform_tree *tree, int64_t *ret_pids, size_t max)
{
    struct members members;
    size_t count;

    collect(tree, &members);
    for (size_t i = 0; i < members.count && i < max; i++)
        ret_pids[i] = members.list[i];
    count = members.count;
    free(members.list);
    return count;
}

bool platform_tree_contains(const struct platform_tree *tree, int64_t pid)
{
    struct members members;
    bool contains = false;

    collect(tree, &members);
    for (size_t i = 0; i < members.count; i++)
        contains = contains || members.list[i] == pid;
    free(members.list);
    return contains;
}

static size_t signal_one(int64_t pid, const char *name)
{
    struct identity identity;
    struct err err;

    return platform_identify(pid, true, &identity) && platform_signal(&identity, name, &err) == 0;
}

/* A group's Ctrl-Break goes to its first process by platform_signal(), or to what is left of it. */
static size_t ask_job(
        const struct platform_tree *tree, struct windows_child *child, const char *name)
{
    struct members members = { 0 };
    size_t hit = windows_send_break(child->pid) ? 1 : 0;

    child->asked = platform_signal_number(name);
    add_job(tree, child->job, &members);
    for (size_t i = 0; i < members.count; i++)
        (void)windows_close_windows(members.list[i]);
    hit = members.count > 0 ? members.count : hit;
    free(members.list);
    return hit;
}

static size_t kill_job(struct windows_child *child)
{
    JOBOBJECT_BASIC_ACCOUNTING_INFORMATION facts = { .ActiveProcesses = 0 };

    (void)QueryInformationJobObject(
            child->job, JobObjectBasicAccountingInformation, &facts, sizeof facts, NULL);
    if (facts.ActiveProcesses == 0)
        return 0;
    child->killed = child->killed || !windows_has_ended(child->process);
    return TerminateJobObject(child->job, WINDOWS_KILL_CODE) ? facts.ActiveProcesses : 0;
}

size_t platform_tree_signal(const struct platform_tree *tree, const char *name)
{
    struct windows_child *child = first_job(tree);
    struct members members;
    struct err err;
    size_t hit = 0;

    if (windows_check_signal(name, &err) == -1)
        return 0;
    if (child == NULL) {
        collect(tree, &members);
        for (size_t i = 0; i < members.count; i++)
            hit += signal_one(members.list[i], name);
        free(members.list);
        return hit;
    }
    for (; child != NULL; child = next_job(tree, child->next))
        hit += windows_is_stop(name) ? ask_job(tree, child, name) : kill_job(child);
    return hit;
}
