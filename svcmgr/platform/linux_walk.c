/* The tree from its roots down, by the kernel's lists of children: proc(5), CONFIG_PROC_CHILDREN.
 *
 * A look at every process cannot tell that nothing is left: what forks all the time is never where
 * one looks.  These lists can.  A process whose parent ends becomes a child of ours (or of the
 * keeper's) before the parent is a zombie, and our zombies stay until we reap them. */
#include "posix_tree.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "linux.h"
#include "platform_sys.h"
#include "str.h"

#include "banned.h"

#define CHILDREN_BYTES 4096
#define EMPTY_PASSES   50
#define KILL_PASSES    100

struct child {
    int64_t pid;
    int64_t parent; /* in whose list it was */
};

struct children {
    struct child *list; /* owned */
    size_t count;
    size_t capacity;
};

static int add(struct children *children, int64_t pid, int64_t parent)
{
    if (children->count == children->capacity) {
        size_t capacity = children->capacity ? children->capacity * 2 : 64;
        struct child *list = realloc(children->list, capacity * sizeof *list);

        if (list == NULL)
            return -1;
        children->list = list;
        children->capacity = capacity;
    }
    children->list[children->count++] = (struct child) { .pid = pid, .parent = parent };
    return 0;
}

static int open_children(int64_t parent)
{
    char path[64];

    (void)str_format(path, sizeof path, "/proc/%lld/task/%lld/children", (long long)parent,
            (long long)parent);
    return linux_open(path, 0);
}

/* The list of our own children stays open: after a crash everybody waits for what it says, and
 * opening it takes longer than reading it. */
static struct {
    int64_t pid; /* whose list it is */
    int fd;
} own = { .fd = -1 };

static void open_own(void)
{
    if (own.fd != -1)
        sys.close(own.fd);
    own.pid = platform_pid();
    own.fd = open_children(own.pid);
}

/* Appends the children of a process.  A number that does not fit into one read is read again. */
static int add_children(struct children *children, int64_t parent)
{
    char text[CHILDREN_BYTES];
    bool is_own = own.fd != -1 && own.pid == parent;
    int fd = is_own ? own.fd : open_children(parent);
    off_t offset = 0;
    size_t kept = 0;
    ssize_t got;
    int result = 0;

    if (fd == -1)
        return -1;
    while (result == 0 && (got = sys.pread(fd, text + kept, sizeof text - kept, offset)) != 0) {
        size_t length = kept + (size_t)got;
        size_t begin = 0;
        int64_t pid = 0;

        offset += got;

        if (got == -1) {
            result = -1;
            break;
        }
        for (size_t at = 0; result == 0 && at < length; at++) {
            if (str_is_digit(text[at])) {
                pid = pid * 10 + (text[at] - '0');
                continue;
            }
            result = add(children, pid, parent);
            pid = 0;
            begin = at + 1;
        }
        kept = length - begin;
        memmove(text, text + begin, kept);
    }
    if (!is_own)
        sys.close(fd);
    return result;
}

/* Where everything of a tree hangs: the children of ours and of the keeper's. */
static int add_roots(const struct platform_tree *tree, struct children *children)
{
    if (add_children(children, platform_pid()) == -1)
        return -1;
    return tree->keeper_pid == 0 ? 0 : add_children(children, tree->keeper_pid);
}

static bool holds(const struct children *children, int64_t pid)
{
    for (size_t i = 0; i < children->count; i++)
        if (children->list[i].pid == pid)
            return true;
    return false;
}

/* 1: every child that is there is a zombie or none of the tree's, and was so when the lists were
 * read (it is in 'seen'); 0: one is alive; -1: there are new ones in 'seen', look again. */
static int judge(
        const struct platform_tree *tree, const struct children *now, struct children *seen)
{
    int result = 1;

    /* The last ones are the youngest, and alive if any is. */
    for (size_t i = now->count; i > 0; i--) {
        int64_t pid = now->list[i - 1].pid;
        struct tree_process process;

        /* An excepted one's children are its own affair, or it was a zombie before this began. */
        if (pid == platform_pid() || tree_is_excepted(tree, pid))
            continue;
        if (!tree_read_process(pid, &process)) {
            if (tree_may_be_there())
                return 0;
        } else if (!process.zombie && !tree_is_barred(tree, &process) &&
                tree_is_root(tree, &process)) {
            return 0;
        }
        if (holds(seen, pid))
            continue;
        if (add(seen, pid, 0) == -1)
            return 0;
        result = -1;
    }
    return result;
}

int walk_is_empty(const struct platform_tree *tree)
{
    struct children now = { 0 };
    struct children seen = { 0 };
    int result = -1;

    for (int pass = 0; result == -1 && pass < EMPTY_PASSES; pass++) {
        now.count = 0;
        if (add_roots(tree, &now) == -1)
            break;
        result = judge(tree, &now, &seen);
        if (result == -1 && pass == EMPTY_PASSES - 1)
            result = 0; /* they come and go */
    }
    free(now.list);
    free(seen.list);
    return result;
}

/* Whether a process from a list is what it was there as, or has been left to us since. */
static bool is_below(const struct platform_tree *tree, const struct child *child,
        const struct tree_process *process)
{
    return process->parent == child->parent || process->parent == platform_pid() ||
            (tree->keeper_pid != 0 && process->parent == tree->keeper_pid);
}

/* Kills one process and lists its children before that, since they are its own still.  1: killed,
 * 0: it is gone, or not part of the tree. */
static int kill_one(const struct platform_tree *tree, const struct child *child, bool is_root,
        struct children *queue)
{
    size_t before = queue->count;
    struct tree_process process;

    if (!tree_read_process(child->pid, &process) || process.zombie ||
            tree_is_barred(tree, &process))
        return 0;
    if (is_root ? !tree_is_root(tree, &process) : !is_below(tree, child, &process))
        return 0;
    if (add_children(queue, child->pid) == -1)
        queue->count = before;
    if (tree_signal_process(&process, "KILL"))
        return 1;
    queue->count = before; /* the number is another one's by now, and so may the children be */
    return 0;
}

/* One way down; each is killed as soon as it is found, so that a process that forks the next one
 * and goes is caught up with.  Returns how many were killed; 'known' grows by those that were
 * found. */
static long kill_pass(
        const struct platform_tree *tree, struct children *queue, struct children *known)
{
    size_t root_count;
    long killed = 0;

    queue->count = 0;
    if (add_roots(tree, queue) == -1 ||
            (tree->main_pid != 0 && add(queue, tree->main_pid, 0) == -1))
        return -1;
    root_count = queue->count;
    for (size_t i = 0; i < queue->count; i++) {
        struct child child = queue->list[i];

        if (holds(known, child.pid))
            continue;
        if (add(known, child.pid, child.parent) == -1)
            return -1;
        killed += kill_one(tree, &child, i < root_count, queue);
    }
    return killed;
}

long walk_kill(const struct platform_tree *tree)
{
    struct children queue = { 0 };
    struct children known = { 0 };
    long total = 0;

    for (int pass = 0; pass < KILL_PASSES; pass++) {
        size_t before = known.count;
        long killed = kill_pass(tree, &queue, &known);

        if (killed == -1 && pass == 0)
            total = -1;
        if (killed > 0)
            total += killed;
        if (killed == -1 || known.count == before)
            break; /* nobody new: what they left behind is seen when they are zombies */
    }
    free(queue.list);
    free(known.list);
    return total;
}

bool platform_tree_is_told(void)
{
    return true;
}

void platform_become_reaper(void)
{
    open_own();
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
}
