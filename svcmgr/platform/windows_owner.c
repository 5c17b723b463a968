/* Who listens: GetExtendedTcpTable.
 *
 * The table names the process that made a socket, be it dead, and nobody who inherited it.  A
 * socket has no number of its own, so one is made of what the table says. */
#include "windows_parts.h"

#include <iphlpapi.h>
#include <stdlib.h>
#include <string.h>

#include "banned.h"

#define TABLE_BYTES   16384
#define TABLE_TRIES   8
#define HEIRS_MAX     64
#define ID_PORT_SHIFT 16
#define ID_PID_SHIFT  32

/* What both families' rows have. */
struct row {
    struct address own;
    uint32_t pid;
};
typedef bool each_row(void *context, const struct row *row);

/* The caller frees it; NULL: cannot be had. */
static void *fetch_table(ULONG family)
{
    DWORD bytes = TABLE_BYTES;

    for (int i = 0; i < TABLE_TRIES; i++) {
        void *table = malloc(bytes);
        DWORD code = table == NULL ? ERROR_NOT_ENOUGH_MEMORY
                                   : GetExtendedTcpTable(table, &bytes, FALSE, family,
                                             TCP_TABLE_OWNER_PID_LISTENER, 0);

        if (code == NO_ERROR)
            return table;
        free(table);
        if (code != ERROR_INSUFFICIENT_BUFFER)
            break;
    }
    return NULL;
}

static struct address of_v4(DWORD ip, DWORD port)
{
    struct address address = { .family = ADDRESS_IPV4, .port = ntohs((u_short)port) };

    memcpy(address.ip, &ip, 4);
    return address;
}

static struct address of_v6(const UCHAR ip[16], DWORD port)
{
    struct address address = { .family = ADDRESS_IPV6, .port = ntohs((u_short)port) };

    memcpy(address.ip, ip, 16);
    return address;
}

static bool each_v4(each_row *each, void *context)
{
    MIB_TCPTABLE_OWNER_PID *table = fetch_table(AF_INET);
    bool go_on = true;

    for (DWORD i = 0; table != NULL && go_on && i < table->dwNumEntries; i++) {
        const MIB_TCPROW_OWNER_PID *from = &table->table[i];
        struct row row = { .own = of_v4(from->dwLocalAddr, from->dwLocalPort),
            .pid = from->dwOwningPid };

        go_on = each(context, &row);
    }
    free(table);
    return table != NULL;
}

static bool each_v6(each_row *each, void *context)
{
    MIB_TCP6TABLE_OWNER_PID *table = fetch_table(AF_INET6);
    bool go_on = true;

    for (DWORD i = 0; table != NULL && go_on && i < table->dwNumEntries; i++) {
        const MIB_TCP6ROW_OWNER_PID *from = &table->table[i];
        struct row row = { .own = of_v6(from->ucLocalAddr, from->dwLocalPort),
            .pid = from->dwOwningPid };

        go_on = each(context, &row);
    }
    free(table);
    return table != NULL;
}

/* ---- Listeners ------------------------------------------------------------------------------- */

struct listing {
    uint16_t port;
    struct platform_listener *list;
    size_t max;
    size_t count;
};

/* FNV-1a, cut: two sockets of one process on one port differ in it. */
static uint16_t hash_address(const struct address *address)
{
    uint32_t hash = 2166136261u ^ (uint32_t)address->family;

    for (size_t i = 0; i < sizeof address->ip; i++)
        hash = (hash ^ address->ip[i]) * 16777619u;
    return (uint16_t)(hash ^ hash >> 16);
}

static bool add_listener(void *context, const struct row *row)
{
    struct listing *listing = context;

    if (listing->port != 0 && row->own.port != listing->port)
        return true;
    if (listing->count == listing->max)
        return false;
    listing->list[listing->count++] = (struct platform_listener) {
        .address = row->own,
        .socket_id = (uint64_t)row->pid << ID_PID_SHIFT | (uint64_t)row->own.port << ID_PORT_SHIFT |
                hash_address(&row->own),
        .uid = -1,
        .listening = true,
    };
    return true;
}

static int64_t pid_of(uint64_t socket_id)
{
    return (int64_t)(socket_id >> ID_PID_SHIFT);
}

static bool has_v4_wildcard(const struct listing *listing, const struct platform_listener *v6)
{
    for (size_t i = 0; i < listing->count; i++)
        if (listing->list[i].address.family == ADDRESS_IPV4 &&
                address_is_wildcard(&listing->list[i].address) &&
                listing->list[i].address.port == v6->address.port &&
                pid_of(listing->list[i].socket_id) == pid_of(v6->socket_id))
            return true;
    return false;
}

/* One that takes both families is in both tables. */
int platform_listeners_on_port(uint16_t port, struct platform_listener *ret_listeners, size_t max)
{
    struct listing listing = { .port = port, .list = ret_listeners, .max = max };
    bool has_both = each_v4(add_listener, &listing) && each_v6(add_listener, &listing);

    for (size_t i = 0; i < listing.count; i++) {
        struct platform_process_info info;

        if (port != 0 && pid_of(ret_listeners[i].socket_id) != 0 &&
                platform_process_info(pid_of(ret_listeners[i].socket_id), &info))
            ret_listeners[i].uid = info.uid;
        ret_listeners[i].only_ipv6 = ret_listeners[i].address.family == ADDRESS_IPV6 &&
                pid_of(ret_listeners[i].socket_id) != 0 &&
                !has_v4_wildcard(&listing, &ret_listeners[i]);
    }
    return has_both ? (int)listing.count : -1;
}

/* There is no table of Unix sockets. */
int platform_listeners_on_path(
        const char *path, struct platform_listener *ret_listeners, size_t max)
{
    (void)path;
    (void)ret_listeners;
    (void)max;
    return -1;
}

/* ---- Owners ---------------------------------------------------------------------------------- */

struct family {
    int64_t pids[HEIRS_MAX];
    size_t count;
};

static bool is_in(const struct family *family, int64_t pid)
{
    for (size_t i = 0; i < family->count; i++)
        if (family->pids[i] == pid)
            return true;
    return false;
}

static bool add_child(void *context, const struct windows_process *process)
{
    struct family *family = context;

    if (is_in(family, process->parent) && !is_in(family, process->pid))
        family->pids[family->count++] = process->pid;
    return family->count < HEIRS_MAX;
}

/* Who may have inherited what a dead process had: its children, and theirs. */
static void find_heirs(int64_t pid, struct family *family)
{
    size_t before;

    *family = (struct family) { .pids = { pid }, .count = 1 };
    do {
        before = family->count;
        (void)windows_each_process(add_child, family);
    } while (family->count > before && family->count < HEIRS_MAX);
}

static bool is_alive(int64_t pid)
{
    struct identity identity;

    return platform_identify(pid, true, &identity);
}

size_t platform_socket_owners(uint64_t socket_id, int64_t *ret_pids, size_t max, bool *ret_hidden)
{
    int64_t owner = pid_of(socket_id);
    struct family family;
    size_t count = 0;

    *ret_hidden = owner == 0;
    if (owner == 0 || max == 0)
        return 0;
    if (is_alive(owner)) {
        ret_pids[0] = owner;
        return 1;
    }
    find_heirs(owner, &family);
    for (size_t i = 1; i < family.count && count < max; i++)
        ret_pids[count++] = family.pids[i];
    *ret_hidden = count == 0; /* somebody has it, or it would not be listed */
    return count;
}

bool platform_owns_socket(int64_t pid, uint64_t socket_id)
{
    int64_t owner = pid_of(socket_id);
    struct family family;

    if (owner == 0 || owner == pid || is_alive(owner))
        return owner != 0 && owner == pid;
    find_heirs(owner, &family);
    return is_in(&family, pid);
}
