#include "holder.h"

#include <stdlib.h>
#include <string.h>

#include "launcher.h"
#include "str.h"

#include "banned.h"

#define OWNERS_MAX        64
#define TREE_PIDS_MAX     512
#define ALL_LISTENERS_MAX 1024

static bool covers(const struct platform_listener *listener, const struct address *target)
{
    if (listener->only_ipv6 && target->family == ADDRESS_IPV4)
        return false;
    return address_covers(&listener->address, target);
}

static bool conflicts(const struct platform_listener *listener, const struct address *address)
{
    return covers(listener, address) || address_covers(address, &listener->address);
}

static int list_on(
        const struct address *address, struct platform_listener *ret_listeners, size_t max)
{
    if (address->family == ADDRESS_UNIX)
        return platform_listeners_on_path(address->path, ret_listeners, max);
    return platform_listeners_on_port(address->port, ret_listeners, max);
}

static bool is_svcmgr(const char *command)
{
    const char *name = strstr(command, "svcmgr");

    return name != NULL && (name == command || name[-1] == '/') &&
           (strstr(name, " supervise ") != NULL || strstr(name, " run ") != NULL);
}

void holder_describe_process(int64_t pid, struct holder *ret_holder)
{
    struct platform_process_info info;

    ret_holder->pid = pid;
    if (!platform_process_info(pid, &info))
        return;
    (void)str_copy(ret_holder->command, sizeof ret_holder->command, info.command);
    (void)str_copy(ret_holder->user, sizeof ret_holder->user, info.user);
    launcher_unit_of(pid, ret_holder->launcher, sizeof ret_holder->launcher);
    if (ret_holder->launcher[0] == '\0' && info.unit[0] != '\0' &&
            strstr(info.unit, ".scope") == NULL)
        (void)str_format(
                ret_holder->launcher, sizeof ret_holder->launcher, "systemd unit %s", info.unit);
    else if (ret_holder->launcher[0] == '\0' && info.on_terminal)
        (void)str_copy(ret_holder->launcher, sizeof ret_holder->launcher, "a terminal");
}

static bool is_among(int64_t pid, const int64_t *pids, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (pids[i] == pid)
            return true;
    return false;
}

/* Of several processes that share a socket the one to name: not a supervisor, and no child of
 * another one of them. */
static void describe_owners(uint64_t socket_id, struct holder *holder)
{
    int64_t pids[OWNERS_MAX];
    bool hidden;
    size_t count = platform_socket_owners(socket_id, pids, OWNERS_MAX, &hidden);
    int64_t best = count > 0 ? pids[0] : 0;
    bool best_is_root = false;

    for (size_t i = 0; i < count; i++) {
        struct platform_process_info info;

        if (!platform_process_info(pids[i], &info))
            continue;
        if (is_svcmgr(info.command)) {
            holder->is_supervisor = true;
            continue;
        }
        if (!best_is_root) {
            best = pids[i];
            best_is_root = !is_among(info.parent, pids, count);
        }
    }
    if (best != 0)
        holder_describe_process(best, holder);
}

void holder_find(const struct address *address, struct holder *ret_holder)
{
    struct platform_listener listeners[PLATFORM_LISTENERS_MAX];
    int count = list_on(address, listeners, PLATFORM_LISTENERS_MAX);
    const struct platform_listener *best = NULL;

    *ret_holder = (struct holder){ 0 };
    for (int i = 0; i < count; i++)
        if (conflicts(&listeners[i], address) &&
                (best == NULL || (listeners[i].listening && !best->listening)))
            best = &listeners[i];
    if (best == NULL)
        return;
    ret_holder->found = true;
    ret_holder->address = best->address;
    ret_holder->listening = best->listening;
    describe_owners(best->socket_id, ret_holder);
    if (ret_holder->user[0] == '\0' && best->uid >= 0 &&
            !platform_user_name((uint32_t)best->uid, ret_holder->user, sizeof ret_holder->user))
        (void)str_format(ret_holder->user, sizeof ret_holder->user, "%lld", (long long)best->uid);
}

void holder_sentence(const struct holder *holder, char *ret_text, size_t size)
{
    char who[HOLDER_TEXT_BYTES];
    size_t at;

    if (holder->pid == 0)
        (void)str_format(who, sizeof who, "a process that cannot be seen from here");
    else
        (void)str_format(who, sizeof who, "pid %lld, \"%s\"", (long long)holder->pid,
                holder->command[0] != '\0' ? holder->command : "unknown");
    at = strlen(who);
    (void)str_format(who + at, sizeof who - at, ", user %s",
            holder->user[0] != '\0' ? holder->user : "unknown");
    at = strlen(who);
    if (holder->launcher[0] != '\0')
        (void)str_format(who + at, sizeof who - at, ", started by %s", holder->launcher);
    else if (holder->is_supervisor)
        (void)str_format(who + at, sizeof who - at, ", started by another svcmgr");
    else
        (void)str_format(who + at, sizeof who - at, ", launcher unknown");
    (void)str_format(ret_text, size, "%s", who);
}

bool holder_is_in_tree(const struct platform_tree *tree, const struct address *address,
        bool *ret_known, bool *ret_any)
{
    struct platform_listener listeners[PLATFORM_LISTENERS_MAX];
    int64_t pids[TREE_PIDS_MAX];
    int count = list_on(address, listeners, PLATFORM_LISTENERS_MAX);
    int64_t owner;
    size_t pid_count;
    bool hidden;

    *ret_any = false;
    *ret_known = count >= 0;
    if (count < 0)
        return false;
    pid_count = platform_tree_list(tree, pids, TREE_PIDS_MAX);
    if (pid_count > TREE_PIDS_MAX)
        pid_count = TREE_PIDS_MAX;
    for (int i = 0; i < count; i++) {
        if (!listeners[i].listening || !covers(&listeners[i], address))
            continue;
        *ret_any = true;
        for (size_t j = 0; j < pid_count; j++)
            if (platform_owns_socket(pids[j], listeners[i].socket_id))
                return true;
        if (platform_socket_owners(listeners[i].socket_id, &owner, 1, &hidden) == 0 && hidden)
            *ret_known = false;
    }
    return false;
}

uint16_t holder_port_of_tree(const struct platform_tree *tree, struct address *ret_address)
{
    struct platform_listener *listeners = calloc(ALL_LISTENERS_MAX, sizeof *listeners);
    int64_t pids[TREE_PIDS_MAX];
    size_t pid_count = platform_tree_list(tree, pids, TREE_PIDS_MAX);
    int count = listeners == NULL ? 0 : platform_listeners_on_port(0, listeners, ALL_LISTENERS_MAX);
    uint16_t port = 0;

    if (pid_count > TREE_PIDS_MAX)
        pid_count = TREE_PIDS_MAX;
    for (int i = 0; i < count && port == 0; i++)
        for (size_t j = 0; j < pid_count && listeners[i].listening && port == 0; j++)
            if (platform_owns_socket(pids[j], listeners[i].socket_id)) {
                port = listeners[i].address.port;
                *ret_address = listeners[i].address;
            }
    free(listeners);
    return port;
}
