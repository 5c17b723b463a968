/* The processes of a tree's control group, beside what its roots lead to: one that was put there is
 * part of it as well. */
#include "posix_tree.h"

#include "banned.h"

struct members {
    const struct platform_tree *tree;
    size_t count;
    bool with_others;
};

/* What is in the group and part of another service, which was started from inside. */
static bool is_of_others(const struct platform_tree *tree, struct tree_process process)
{
    while (process.pid > 1 && process.pid != platform_pid() && process.pid != tree->keeper_pid) {
        if (tree_is_barred(tree, &process))
            return true;
        if (!tree_read_process(process.parent, &process))
            break;
    }
    return false;
}

static bool count_member(void *context, int64_t pid)
{
    struct members *members = context;
    struct tree_process process;

    if (pid <= 0 || !tree_read_process(pid, &process) || process.zombie)
        return true;
    if (is_of_others(members->tree, process))
        members->with_others = true;
    else
        members->count++;
    return true;
}

static bool kill_member(void *context, int64_t pid)
{
    const struct members *members = context;
    struct tree_process process;

    if (pid > 0 && tree_read_process(pid, &process) && !is_of_others(members->tree, process))
        (void)tree_signal_process(&process, "KILL");
    return true;
}

/* All at once, however fast they fork, if they all are ours and the kernel can. */
void members_kill(const struct platform_tree *tree)
{
    struct members members = { .tree = tree };

    (void)cgroup_each_pid(tree->group, count_member, &members);
    if (members.count > 0 && (members.with_others || !cgroup_kill(tree->group)))
        (void)cgroup_each_pid(tree->group, kill_member, &members);
}

static bool is_no_member(void *context, int64_t pid)
{
    const struct members *members = context;
    struct tree_process process;

    if (pid <= 0 || !tree_read_process(pid, &process))
        return pid <= 0 || !tree_may_be_there();
    return process.zombie || is_of_others(members->tree, process);
}

bool members_are_gone(const struct platform_tree *tree)
{
    struct members members = { .tree = tree };

    return cgroup_each_pid(tree->group, is_no_member, &members);
}
