/* What there is without Linux's own means (linux_full.c, linux_walk.c): on macOS, and on Linux
 * built portable, where it is tested. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "listening.h"
#include "platform_sys.h"
#include "posix.h"
#include "posix_tree.h"

#include "banned.h"

/* ---- What a configuration can ask for -------------------------------------------------------- */

const struct abilities *platform_abilities(void)
{
    static const char *const logs[] = { "file", "inherit", NULL };
    static const struct abilities portable = {
        .name = "this system",
        .notifies = true,
        .users = true,
        .groups = true,
        .umasks = true,
        .logs = logs,
        .logs_text = "\"file\" and \"inherit\"",
    };

    return &portable;
}

/* ---- Processes ------------------------------------------------------------------------------- */

bool platform_tree_is_told(void)
{
    return false;
}

void platform_become_reaper(void)
{
}

int walk_is_empty(const struct platform_tree *tree)
{
    (void)tree;
    return -1;
}

long walk_kill(const struct platform_tree *tree)
{
    (void)tree;
    return -1;
}

/* Between look and kill(2) the number could change hands, which takes a whole round of numbers. */
int posix_signal(const struct identity *identity, int number)
{
    if (posix_is_same(identity))
        return sys.kill((pid_t)identity->pid, number);
    errno = ESRCH;
    return -1;
}

int64_t posix_start_clock(void)
{
    return 0;
}

bool posix_identify_child(int64_t pid, int64_t before_fork, struct identity *ret_identity)
{
    (void)before_fork;
    return platform_identify(pid, false, ret_identity);
}

void platform_trim_stack(void)
{
}

void posix_end_with_parent(void)
{
}

void members_kill(const struct platform_tree *tree)
{
    (void)tree;
}

bool members_are_gone(const struct platform_tree *tree)
{
    (void)tree;
    return true;
}

/* ---- Pipes and sockets ----------------------------------------------------------------------- */

void posix_widen_pipe(int fd, int bytes)
{
    (void)fd;
    (void)bytes;
}

int posix_channel_type(void)
{
    return SOCK_STREAM;
}

const char *posix_notify_prefix(void)
{
    return "/tmp/svcmgr-notify-";
}

int posix_pass_credentials(int fd)
{
    (void)fd;
    return 0;
}

/* Nobody says who sent it; the socket's name is a secret of the instance's, and its file its
 * user's. */
long posix_receive_notify(int fd, char *ret_data, size_t size, struct platform_peer *ret_peer,
        platform_handle *ret_handle)
{
    struct iovec piece = { .iov_base = ret_data, .iov_len = size };
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int) * 16)];
    } space;
    struct msghdr header = { .msg_iov = &piece,
        .msg_iovlen = 1,
        .msg_control = space.bytes,
        .msg_controllen = sizeof space.bytes };
    ssize_t got = sys.recvmsg(fd, &header, MSG_DONTWAIT);

    if (got == -1)
        return -1;
    *ret_peer = (struct platform_peer) { .uid = -1 };
    *ret_handle = posix_take_descriptor(&header);
    return (long)got;
}

/* On macOS SO_REUSEADDR lets 127.0.0.1 be bound beside a wildcard, both ways, and the closer
 * address gets the connections; the very same address is refused: in_pcbbind() in XNU's
 * bsd/netinet/in_pcb.c. */
bool posix_is_overlapped(const struct platform_bind *bind, int own)
{
    struct platform_listener listeners[PLATFORM_LISTENERS_MAX];
    uint64_t own_id = own == -1 ? 0 : posix_socket_id(own);
    int count = !address_is_ip(&bind->address) || bind->address.port == 0
            ? 0
            : platform_listeners_on_port(bind->address.port, listeners, PLATFORM_LISTENERS_MAX);

    for (int i = 0; i < count; i++)
        if (listeners[i].socket_id != own_id &&
                !(bind->only_ipv6 && listeners[i].address.family == ADDRESS_IPV4) &&
                !address_equal(&listeners[i].address, &bind->address) &&
                listening_conflicts(&listeners[i], &bind->address))
            return true;
    return false;
}
