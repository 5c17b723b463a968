/* A process of a tree, and whether it is part of it: what posix_tree.c and linux_walk.c share. */
#ifndef SVCMGR_POSIX_TREE_H
#define SVCMGR_POSIX_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform.h"

struct tree_process {
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

/* After a false, tree_may_be_there() tells whether it only could not be read, and may be ours. */
bool tree_may_be_there(void);
bool tree_read_process(int64_t pid, struct tree_process *ret_process);
bool tree_is_excepted(const struct platform_tree *tree, int64_t pid);
bool tree_is_barred(const struct platform_tree *tree, const struct tree_process *process);
/* Whether it belongs to the tree by what it is itself, without its parents. */
bool tree_is_root(const struct platform_tree *tree, const struct tree_process *process);
/* False: it is another process by now, or gone. */
bool tree_signal_process(const struct tree_process *process, const char *name);

/* linux_cgroup.c: calls 'each' with every process of a group until it returns false; false if it
 * did, or if they cannot be listed. */
bool cgroup_each_pid(uint32_t number, bool (*each)(void *context, int64_t pid), void *context);
/* Kills all of a group's processes at once; false: the kernel cannot (before 5.14). */
bool cgroup_kill(uint32_t number);
/* linux_members.c: what is in the group of a tree that has one (portable.c: none has). */
void members_kill(const struct platform_tree *tree);
bool members_are_gone(const struct platform_tree *tree);

/* Where orphans come to us, linux_walk.c; elsewhere (portable.c) these two say that they cannot. */

/* Whether nothing of the tree is left: 1 for certain, 0 somebody is there, -1 it cannot be told. */
int walk_is_empty(const struct platform_tree *tree);
/* Kills from the roots down until nobody new is found; how many there were, -1 if it cannot. */
long walk_kill(const struct platform_tree *tree);

#endif
