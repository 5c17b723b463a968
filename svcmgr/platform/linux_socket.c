#include "linux.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "platform_sys.h"
#include "posix.h"
#include "str.h"

#include "banned.h"

#define DIAG_REPLY_BYTES 16384
#define DIAG_TIMEOUT_MS  2000
#define STATE_LISTEN     10 /* TCP_LISTEN */
#define STATE_BOUND      13 /* TCP_BOUND_INACTIVE, Linux 6.8: bound and not listening */

struct listing {
    uint16_t port;
    struct platform_listener *list;
    size_t max;
    size_t count;
};

const struct rtattr *linux_find_attribute(const void *from, size_t left, unsigned short type)
{
    const char *at = from;

    while (left >= sizeof(struct rtattr)) {
        const struct rtattr *attribute = (const struct rtattr *)(const void *)at;
        size_t step = RTA_ALIGN((size_t)attribute->rta_len);

        if (attribute->rta_len < sizeof *attribute || step > left)
            return NULL;
        if (attribute->rta_type == type)
            return attribute;
        at += step;
        left -= step;
    }
    return NULL;
}

static bool is_only_ipv6(const struct inet_diag_msg *message, size_t length)
{
    const struct rtattr *attribute =
            linux_find_attribute(message + 1, length - sizeof *message, INET_DIAG_SKV6ONLY);

    return attribute != NULL && attribute->rta_len > sizeof *attribute &&
            ((const char *)attribute)[RTA_LENGTH(0)] != 0;
}

static void add_listener(void *context, const struct nlmsghdr *header)
{
    struct listing *listing = context;
    const struct inet_diag_msg *message = NLMSG_DATA(header);
    struct platform_listener *listener = &listing->list[listing->count];
    uint16_t port;

    if (listing->count == listing->max || header->nlmsg_len < NLMSG_LENGTH(sizeof *message))
        return;
    port = ntohs(message->id.idiag_sport);
    if (listing->port != 0 && port != listing->port)
        return;
    *listener = (struct platform_listener) {
        .address = { .family = message->idiag_family == AF_INET ? ADDRESS_IPV4 : ADDRESS_IPV6,
                .port = port },
        .socket_id = message->idiag_inode,
        .uid = (int64_t)message->idiag_uid,
        .listening = message->idiag_state == STATE_LISTEN,
        .only_ipv6 = message->idiag_family == AF_INET6 &&
                is_only_ipv6(message, header->nlmsg_len - NLMSG_HDRLEN),
    };
    memcpy(listener->address.ip, message->id.idiag_src, message->idiag_family == AF_INET ? 4 : 16);
    listing->count++;
}

/* 1: done, 0: more to come, -1: error. */
static int read_diag(int fd, linux_diag_each *each, void *context)
{
    union {
        struct nlmsghdr header;
        char bytes[DIAG_REPLY_BYTES];
    } reply;
    int64_t deadline_ms = platform_now_ms() + DIAG_TIMEOUT_MS;
    struct nlmsghdr *header = &reply.header;
    struct iovec piece = { .iov_base = reply.bytes, .iov_len = sizeof reply.bytes };
    struct msghdr message = { .msg_iov = &piece, .msg_iovlen = 1 };
    ssize_t got;

    if (posix_poll_one(fd, POLLIN, deadline_ms) != 1)
        return -1;
    got = sys.recvmsg(fd, &message, MSG_DONTWAIT);
    if (got <= 0)
        return got == -1 && errno == EINTR ? 0 : -1;
    for (; NLMSG_OK(header, (size_t)got); header = NLMSG_NEXT(header, got)) {
        if (header->nlmsg_type == NLMSG_DONE)
            return 1;
        if (header->nlmsg_type == NLMSG_ERROR)
            return -1;
        if (header->nlmsg_type == SOCK_DIAG_BY_FAMILY)
            each(context, header);
    }
    return 0;
}

int linux_ask_diag(const void *request, size_t length, linux_diag_each *each, void *context)
{
    int fd = sys.socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    int done = -1;

    if (fd == -1)
        return -1;
    if (sys.send(fd, request, length, 0) == (ssize_t)length)
        do
            done = read_diag(fd, each, context);
        while (done == 0);
    sys.close(fd);
    return done == 1 ? 0 : -1;
}

/* The listening and the merely bound TCP sockets of one family. */
static int list_family(int family, struct listing *listing)
{
    struct {
        struct nlmsghdr header;
        struct inet_diag_req_v2 request;
    } message = {
        .header = { .nlmsg_len = sizeof message,
                .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
        .request = { .sdiag_family = (uint8_t)family,
                .sdiag_protocol = IPPROTO_TCP,
                .idiag_states = 1u << STATE_LISTEN | 1u << STATE_BOUND },
    };

    return linux_ask_diag(&message, sizeof message, add_listener, listing);
}

int platform_listeners_on_port(uint16_t port, struct platform_listener *ret_listeners, size_t max)
{
    struct listing listing = { .port = port, .list = ret_listeners, .max = max };

    if (list_family(AF_INET, &listing) == -1 || list_family(AF_INET6, &listing) == -1)
        return -1;
    return (int)listing.count;
}

static void fill_diag_id(
        const struct address *own, const struct address *peer, struct inet_diag_req_v2 *request)
{
    size_t length = own->family == ADDRESS_IPV4 ? 4 : 16;

    request->sdiag_family = own->family == ADDRESS_IPV4 ? AF_INET : AF_INET6;
    request->sdiag_protocol = IPPROTO_TCP;
    request->idiag_states = ~0u;
    request->id.idiag_sport = htons(own->port);
    request->id.idiag_dport = htons(peer->port);
    memcpy(request->id.idiag_src, own->ip, length);
    memcpy(request->id.idiag_dst, peer->ip, length);
    request->id.idiag_cookie[0] = INET_DIAG_NOCOOKIE;
    request->id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
}

/* A connection that waits in the backlog has no inode yet: it gets one when it is accepted. */
int posix_connection_accepted(const struct address *own, const struct address *peer)
{
    struct {
        struct nlmsghdr header;
        struct inet_diag_req_v2 request;
    } message = { .header = { .nlmsg_len = sizeof message,
                          .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                          .nlmsg_flags = NLM_F_REQUEST } };
    union {
        struct nlmsghdr header;
        char bytes[1024];
    } reply;
    int fd = sys.socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    int accepted = -1;
    ssize_t got;

    if (fd == -1)
        return -1;
    fill_diag_id(own, peer, &message.request);
    if (sys.send(fd, &message, sizeof message, 0) == (ssize_t)sizeof message &&
            posix_poll_one(fd, POLLIN, platform_now_ms() + DIAG_TIMEOUT_MS) == 1) {
        got = sys.read(fd, reply.bytes, sizeof reply.bytes);
        if (got >= (ssize_t)NLMSG_LENGTH(sizeof(struct inet_diag_msg)) &&
                reply.header.nlmsg_type == SOCK_DIAG_BY_FAMILY)
            accepted = ((const struct inet_diag_msg *)NLMSG_DATA(&reply.header))->idiag_inode != 0;
        else if (got >= (ssize_t)NLMSG_LENGTH(sizeof(struct nlmsgerr)) &&
                reply.header.nlmsg_type == NLMSG_ERROR &&
                ((const struct nlmsgerr *)NLMSG_DATA(&reply.header))->error == -ENOENT)
            accepted = 0; /* gone: with the backlog, or closed already; our own end tells which */
    }
    sys.close(fd);
    return accepted;
}

int posix_find_socket(int64_t pid, uint64_t socket_id)
{
    char path[64];
    char wanted[40];
    char target[64];
    DIR *directory;
    struct dirent *entry;
    int found = -1;

    (void)str_format(path, sizeof path, "/proc/%lld/fd", (long long)pid);
    (void)str_format(wanted, sizeof wanted, "socket:[%llu]", (unsigned long long)socket_id);
    directory = linux_open_directory(path);
    if (directory == NULL)
        return errno == EACCES || errno == EPERM ? -2 : -1;
    while (found == -1 && (entry = readdir(directory)) != NULL) {
        ssize_t length = readlinkat(dirfd(directory), entry->d_name, target, sizeof target - 1);
        uint64_t number;

        if (length <= 0)
            continue;
        target[length] = '\0';
        if (strcmp(target, wanted) == 0 && str_to_uint(entry->d_name, INT32_MAX, &number))
            found = (int)number;
    }
    (void)closedir(directory);
    return found;
}

void posix_peer(int fd, struct platform_peer *ret_peer)
{
    struct ucred credentials;
    socklen_t length = sizeof credentials;

    *ret_peer = (struct platform_peer) { .uid = -1 };
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &length) == -1)
        return;
    ret_peer->pid = credentials.pid;
    ret_peer->uid = (int64_t)credentials.uid;
}

bool posix_is_listening(int fd)
{
    int listening = 0;
    socklen_t length = sizeof listening;

    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &length) == 0 && listening != 0;
}

int posix_open_close_watch(int fd)
{
    (void)fd;
    return -1;
}

bool posix_is_closed(int watch)
{
    (void)watch;
    return false;
}

void posix_close_from(int first)
{
#if defined(SYS_close_range)
    if (syscall(SYS_close_range, (unsigned)first, ~0u, 0) == 0)
        return;
#endif
    /* An old kernel: one by one; sysconf(3) is the limit of numbers in use. */
    for (int fd = first, limit = (int)sysconf(_SC_OPEN_MAX); fd < limit && fd < 1 << 20; fd++)
        (void)close(fd);
}

bool platform_is_network_file_system(const char *path)
{
    /* Magic numbers of statfs(2): NFS, SMB, CIFS, SMB2, NCP, Coda, AFS, Ceph, 9P, Lustre, OCFS2. */
    static const uint32_t magic[] = { 0x6969, 0x517B, 0xFF534D42, 0xFE534D42, 0x564C, 0x73757245,
        0x5346414F, 0x00C36400, 0x01021997, 0x0BD00BD0, 0x7461636F };
    struct statfs info;

    if (statfs(path, &info) == -1)
        return false;
    for (size_t i = 0; i < sizeof magic / sizeof magic[0]; i++)
        if ((uint32_t)info.f_type == magic[i])
            return true;
    return false;
}
