/* macOS: sockets, by libproc; of other users' processes root alone is told. */
#include <errno.h>
#include <libproc.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/event.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "platform_sys.h"
#include "posix.h"
#include "str.h"

#include "banned.h"

#define MORE_DESCRIPTORS 32

static bool read_socket(int64_t pid, int fd, struct socket_fdinfo *ret_socket)
{
    return proc_pidfdinfo((int)pid, fd, PROC_PIDFDSOCKETINFO, ret_socket, sizeof *ret_socket) ==
            (int)sizeof *ret_socket;
}

/* Calls 'each' with every socket of a process until it returns false; -1 with errno if they cannot
 * be listed. */
static int list_sockets(
        int64_t pid, bool (*each)(void *context, const struct socket_info *info), void *context)
{
    int room = proc_pidinfo((int)pid, PROC_PIDLISTFDS, 0, NULL, 0) +
            MORE_DESCRIPTORS * (int)sizeof(struct proc_fdinfo);
    struct proc_fdinfo *list = malloc((size_t)room);
    int bytes = list == NULL ? 0 : proc_pidinfo((int)pid, PROC_PIDLISTFDS, 0, list, room);
    int code = errno;

    for (int i = 0; i < bytes / (int)sizeof *list; i++) {
        struct socket_fdinfo socket;

        if (list[i].proc_fdtype == PROX_FDTYPE_SOCKET &&
                read_socket(pid, list[i].proc_fd, &socket) && !each(context, &socket.psi))
            break;
    }
    free(list);
    errno = code;
    return bytes > 0 ? 0 : -1;
}

/* ---- One of our own -------------------------------------------------------------------------- */

/* SO_ACCEPTCONN cannot be asked for: sogetoptlock() in bsd/kern/uipc_socket.c. */
bool posix_is_listening(int fd)
{
    struct socket_fdinfo socket;

    return read_socket(getpid(), fd, &socket) && (socket.psi.soi_options & SO_ACCEPTCONN) != 0;
}

uint64_t posix_socket_id(int fd)
{
    struct socket_fdinfo socket;

    return read_socket(getpid(), fd, &socket) ? socket.psi.soi_so : 0;
}

void posix_peer(int fd, struct platform_peer *ret_peer)
{
    uid_t uid;
    gid_t gid;
    pid_t pid;
    socklen_t length = sizeof pid;

    *ret_peer = (struct platform_peer) { .uid = -1 };
    if (getpeereid(fd, &uid, &gid) == 0)
        ret_peer->uid = (int64_t)uid;
    if (getsockopt(fd, SOL_LOCAL, LOCAL_PEERPID, &pid, &length) == 0)
        ret_peer->pid = pid;
}

/* poll(2) says POLLHUP as soon as the other side has closed its sending half (poll_callback() in
 * bsd/kern/sys_generic.c).  EVFILT_WRITE says EV_EOF when nothing can be sent either; level
 * triggered it would fire all the time. */
int posix_open_close_watch(int fd)
{
    struct kevent wanted;
    int queue = kqueue();

    EV_SET(&wanted, (uintptr_t)fd, EVFILT_WRITE, EV_ADD | EV_CLEAR, 0, 0, NULL);
    if (queue != -1) {
        (void)posix_set_cloexec(queue);
        (void)kevent(queue, &wanted, 1, NULL, 0, NULL);
    }
    return queue;
}

bool posix_is_closed(int watch)
{
    struct timespec at_once = { 0 };
    struct kevent event;

    return kevent(watch, NULL, 0, &event, 1, &at_once) == 1 && (event.flags & EV_EOF) != 0;
}

/* ---- Who listens ----------------------------------------------------------------------------- */

struct listing {
    uint16_t port;
    const char *path; /* NULL: IP sockets */
    struct platform_listener *list;
    size_t max;
    size_t count;
};

/* Listening, or bound and no more; one whose connection is over has no TCP state left. */
static bool fill_tcp(const struct socket_info *info, struct platform_listener *listener)
{
    const struct in_sockinfo *in = &info->soi_proto.pri_tcp.tcpsi_ini;
    int state = info->soi_proto.pri_tcp.tcpsi_state;

    listener->listening = state == TSI_S_LISTEN;
    listener->address.port = ntohs((uint16_t)in->insi_lport);
    if (info->soi_family == AF_INET) {
        listener->address.family = ADDRESS_IPV4;
        memcpy(listener->address.ip, &in->insi_laddr.ina_46.i46a_addr4, 4);
    } else {
        listener->address.family = ADDRESS_IPV6;
        listener->only_ipv6 = (in->insi_vflag & INI_IPV4) == 0;
        memcpy(listener->address.ip, &in->insi_laddr.ina_6, 16);
    }
    return info->soi_kind == SOCKINFO_TCP && listener->address.port != 0 &&
            (state == TSI_S_LISTEN || state == TSI_S_CLOSED);
}

/* By the name that it was bound under: with ".new" behind it, it was renamed since. */
static bool fill_unix(
        const struct socket_info *info, const char *path, struct platform_listener *listener)
{
    const char *bound = info->soi_proto.pri_un.unsi_addr.ua_sun.sun_path;
    size_t length = strlen(path);

    listener->listening = true;
    listener->address.family = ADDRESS_UNIX;
    return info->soi_kind == SOCKINFO_UN && (info->soi_options & SO_ACCEPTCONN) != 0 &&
            strncmp(bound, path, length) == 0 &&
            (bound[length] == '\0' || strcmp(bound + length, ".new") == 0) &&
            str_copy(listener->address.path, sizeof listener->address.path, path);
}

static bool add_listener(void *context, const struct socket_info *info)
{
    struct listing *listing = context;
    struct platform_listener listener = { .socket_id = info->soi_so, .uid = -1 };

    if (listing->path != NULL ? !fill_unix(info, listing->path, &listener)
                              : !fill_tcp(info, &listener) ||
                            (listing->port != 0 && listener.address.port != listing->port))
        return true;
    for (size_t i = 0; i < listing->count; i++)
        if (listing->list[i].socket_id == listener.socket_id)
            return true; /* another process's, or another descriptor's */
    if (listing->count < listing->max)
        listing->list[listing->count++] = listener;
    return true;
}

static bool add_listeners_of(void *context, int64_t pid)
{
    (void)list_sockets(pid, add_listener, context);
    return true;
}

int platform_listeners_on_port(uint16_t port, struct platform_listener *ret_listeners, size_t max)
{
    struct listing listing = { .port = port, .list = ret_listeners, .max = max };

    return posix_each_pid(add_listeners_of, &listing) ? (int)listing.count : -1;
}

int platform_listeners_on_path(
        const char *path, struct platform_listener *ret_listeners, size_t max)
{
    struct listing listing = { .path = path, .list = ret_listeners, .max = max };

    return posix_each_pid(add_listeners_of, &listing) ? (int)listing.count : -1;
}

/* ---- Who has a socket ------------------------------------------------------------------------ */

struct search {
    uint64_t socket_id;
    const struct address *own; /* with 'peer', and without 'socket_id': both ends of it */
    const struct address *peer;
    bool found;
};

static bool is_not_it(void *context, const struct socket_info *info)
{
    const struct in_sockinfo *in = &info->soi_proto.pri_tcp.tcpsi_ini;
    struct search *search = context;

    search->found = search->own == NULL ? info->soi_so == search->socket_id
                                        : info->soi_kind == SOCKINFO_TCP &&
                    ntohs((uint16_t)in->insi_lport) == search->own->port &&
                    ntohs((uint16_t)in->insi_fport) == search->peer->port;
    return !search->found;
}

int posix_find_socket(int64_t pid, uint64_t socket_id)
{
    struct search search = { .socket_id = socket_id };

    if (list_sockets(pid, is_not_it, &search) == -1)
        return errno == EPERM ? -2 : -1;
    return search.found ? 0 : -1;
}

static bool look_into(void *context, int64_t pid)
{
    struct search *search = context;

    (void)list_sockets(pid, is_not_it, search);
    return !search->found;
}

/* What waits in the backlog is nobody's descriptor yet. */
int posix_connection_accepted(const struct address *own, const struct address *peer)
{
    struct search search = { .own = own, .peer = peer };

    return posix_each_pid(look_into, &search) ? search.found : -1;
}
