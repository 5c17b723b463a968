#include "listening.h"

#include <stdlib.h>

#include "banned.h"

#define TREE_PIDS_MAX     512
#define ALL_LISTENERS_MAX 1024
#define OWNERS_MAX        16

int listening_near(
        const struct address *address, struct platform_listener *ret_listeners, size_t max)
{
    if (address->family == ADDRESS_UNIX)
        return platform_listeners_on_path(address->path, ret_listeners, max);
    return platform_listeners_on_port(address->port, ret_listeners, max);
}

/* Whether a connection to 'target' may reach the socket. */
static bool covers(const struct platform_listener *listener, const struct address *target)
{
    if (listener->only_ipv6 && target->family == ADDRESS_IPV4)
        return false;
    return address_covers(&listener->address, target);
}

bool listening_conflicts(const struct platform_listener *listener, const struct address *address)
{
    return covers(listener, address) || address_covers(address, &listener->address);
}

static size_t list_tree(const struct platform_tree *tree, int64_t *ret_pids)
{
    size_t count = platform_tree_list(tree, ret_pids, TREE_PIDS_MAX);

    return count < TREE_PIDS_MAX ? count : TREE_PIDS_MAX;
}

static bool is_of_any(const struct platform_listener *listener, const int64_t *pids, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (platform_owns_socket(pids[i], listener->socket_id))
            return true;
    return false;
}

static bool is_one_of(int64_t pid, const int64_t *pids, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (pids[i] == pid)
            return true;
    return false;
}

/* Who has a socket that no process of the tree had a moment ago.  It may have gone from one of them
 * to another meanwhile, or to a child; a stranger is who had it before the tree was listed again,
 * was not in it, and has it still. */
static enum listening_owner owner_outside(const struct platform_tree *tree, uint64_t socket_id)
{
    int64_t owners[OWNERS_MAX];
    int64_t pids[TREE_PIDS_MAX];
    bool hidden;
    size_t owner_count = platform_socket_owners(socket_id, owners, OWNERS_MAX, &hidden);
    size_t pid_count = list_tree(tree, pids);
    enum listening_owner whose = hidden ? LISTENING_HIDDEN : LISTENING_OWNERLESS;

    for (size_t i = 0; i < owner_count; i++) {
        if (is_one_of(owners[i], pids, pid_count))
            return LISTENING_TREE;
        if (platform_owns_socket(owners[i], socket_id))
            whose = LISTENING_STRANGER;
    }
    return whose;
}

enum listening_owner listening_owner(
        const struct platform_tree *tree, const struct address *address, uint64_t *ret_socket_id)
{
    struct platform_listener listeners[PLATFORM_LISTENERS_MAX];
    int64_t pids[TREE_PIDS_MAX];
    int count = listening_near(address, listeners, PLATFORM_LISTENERS_MAX);
    enum listening_owner highest = count < 0 ? LISTENING_HIDDEN : LISTENING_NOBODY;
    size_t pid_count = count > 0 ? list_tree(tree, pids) : 0;

    *ret_socket_id = 0;
    for (int i = 0; i < count && highest != LISTENING_TREE; i++) {
        enum listening_owner whose;

        if (!listeners[i].listening || !covers(&listeners[i], address))
            continue;
        whose = is_of_any(&listeners[i], pids, pid_count)
                ? LISTENING_TREE
                : owner_outside(tree, listeners[i].socket_id);
        if (whose <= highest)
            continue;
        highest = whose;
        *ret_socket_id = listeners[i].socket_id;
    }
    return highest;
}

static bool has_host(
        const struct platform_listener *listener, const struct address *hosts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct address wanted = hosts[i];

        wanted.port = listener->address.port;
        if (covers(listener, &wanted))
            return true;
    }
    return hosts == NULL;
}

bool listening_of_tree(const struct platform_tree *tree, const struct address *hosts, size_t count,
        struct address *ret_address)
{
    struct platform_listener *listeners = calloc(ALL_LISTENERS_MAX, sizeof *listeners);
    int64_t pids[TREE_PIDS_MAX];
    size_t pid_count = list_tree(tree, pids);
    int found = listeners == NULL ? 0 : platform_listeners_on_port(0, listeners, ALL_LISTENERS_MAX);
    int at = 0;

    while (at < found &&
            !(listeners[at].listening && has_host(&listeners[at], hosts, count) &&
                    is_of_any(&listeners[at], pids, pid_count)))
        at++;
    if (at < found)
        *ret_address = listeners[at].address;
    free(listeners);
    return at < found;
}
