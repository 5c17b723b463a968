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

#define DIAG_REPLY_BYTES   16384
#define DIAG_TIMEOUT_MS    2000
#define STATE_LISTEN       10 /* TCP_LISTEN */
#define STATE_BOUND        13 /* TCP_BOUND_INACTIVE, Linux 6.8: bound and not listening */
#define UNIX_LISTENS       0x10000 /* __SO_ACCEPTCON in /proc/net/unix */
#define UNIX_LINE_BYTES    512

struct listing {
    uint16_t port;
    struct platform_listener *list;
    size_t max;
    size_t count;
};

static bool is_only_ipv6(const struct inet_diag_msg *message, size_t length)
{
    const char *at = (const char *)(message + 1);
    size_t left = length - sizeof *message;

    while (left >= sizeof(struct rtattr)) {
        const struct rtattr *attribute = (const struct rtattr *)(const void *)at;
        size_t step = RTA_ALIGN((size_t)attribute->rta_len);

        if (attribute->rta_len < sizeof *attribute || step > left)
            return false;
        if (attribute->rta_type == INET_DIAG_SKV6ONLY && attribute->rta_len > sizeof *attribute)
            return at[RTA_LENGTH(0)] != 0;
        at += step;
        left -= step;
    }
    return false;
}

static void add_listener(struct listing *listing, const struct inet_diag_msg *message, size_t length)
{
    struct platform_listener *listener = &listing->list[listing->count];

    uint16_t port = ntohs(message->id.idiag_sport);

    if (listing->count == listing->max || (listing->port != 0 && port != listing->port))
        return;
    *listener = (struct platform_listener){
        .address = { .family = message->idiag_family == AF_INET ? ADDRESS_IPV4 : ADDRESS_IPV6,
                .port = port },
        .socket_id = message->idiag_inode,
        .uid = (int64_t)message->idiag_uid,
        .listening = message->idiag_state == STATE_LISTEN,
        .only_ipv6 = message->idiag_family == AF_INET6 && is_only_ipv6(message, length),
    };
    memcpy(listener->address.ip, message->id.idiag_src,
            message->idiag_family == AF_INET ? 4 : 16);
    listing->count++;
}

/* 1: done, 0: more to come, -1: error. */
static int read_diag(int fd, struct listing *listing)
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
        if (header->nlmsg_type == SOCK_DIAG_BY_FAMILY &&
                header->nlmsg_len >= NLMSG_LENGTH(sizeof(struct inet_diag_msg)))
            add_listener(listing, NLMSG_DATA(header), header->nlmsg_len - NLMSG_HDRLEN);
    }
    return 0;
}

/* Asks for the listening and the merely bound TCP sockets of one family: sock_diag(7). */
static int ask_diag(int fd, int family, struct listing *listing)
{
    struct {
        struct nlmsghdr header;
        struct inet_diag_req_v2 request;
    } message = {
        .header = { .nlmsg_len = sizeof message, .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
        .request = { .sdiag_family = (uint8_t)family, .sdiag_protocol = IPPROTO_TCP,
                .idiag_states = 1u << STATE_LISTEN | 1u << STATE_BOUND },
    };
    int done = 0;

    if (sys.send(fd, &message, sizeof message, 0) != (ssize_t)sizeof message)
        return -1;
    while (done == 0)
        done = read_diag(fd, listing);
    return done == 1 ? 0 : -1;
}

int platform_listeners_on_port(uint16_t port, struct platform_listener *ret_listeners, size_t max)
{
    struct listing listing = { .port = port, .list = ret_listeners, .max = max };
    int fd = sys.socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    bool good;

    if (fd == -1)
        return -1;
    good = ask_diag(fd, AF_INET, &listing) == 0 && ask_diag(fd, AF_INET6, &listing) == 0;
    sys.close(fd);
    return good ? (int)listing.count : -1;
}

static void fill_diag_id(const struct address *own, const struct address *peer,
        struct inet_diag_req_v2 *request)
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
    } message = { .header = { .nlmsg_len = sizeof message, .nlmsg_type = SOCK_DIAG_BY_FAMILY,
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
    }
    sys.close(fd);
    return accepted;
}

/* "Num: RefCount Protocol Flags Type St Inode Path" */
static bool read_unix_line(char *line, const char *path, struct platform_listener *ret_listener)
{
    char *fields[8];
    size_t count = 0;
    uint64_t inode;
    uint64_t flags = 0;

    for (char *at = line; count < 8 && *at != '\0';) {
        while (*at == ' ')
            at++;
        fields[count++] = at;
        if (count == 8)
            break; /* the path is the rest, blanks and all */
        at += strcspn(at, " ");
        if (*at != '\0')
            *at++ = '\0';
    }
    if (count < 8 || strcmp(fields[7], path) != 0 || !str_to_uint(fields[6], UINT64_MAX, &inode))
        return false;
    for (const char *digit = fields[3]; *digit != '\0'; digit++)
        flags = flags << 4 | (uint64_t)(*digit <= '9' ? *digit - '0' : (*digit | 32) - 'a' + 10);
    *ret_listener = (struct platform_listener){
        .address = { .family = ADDRESS_UNIX },
        .socket_id = inode,
        .uid = -1,
        .listening = (flags & UNIX_LISTENS) != 0,
    };
    (void)str_copy(ret_listener->address.path, sizeof ret_listener->address.path, path);
    return true;
}

int platform_listeners_on_path(
        const char *path, struct platform_listener *ret_listeners, size_t max)
{
    FILE *file = fopen("/proc/net/unix", "re");
    char line[UNIX_LINE_BYTES];
    size_t count = 0;

    if (file == NULL)
        return -1;
    while (fgets(line, sizeof line, file) != NULL) {
        struct platform_listener listener;

        line[strcspn(line, "\n")] = '\0';
        if (count < max && read_unix_line(line, path, &listener) && listener.listening)
            ret_listeners[count++] = listener;
    }
    (void)fclose(file);
    return (int)count;
}

/* The number of a descriptor of the process that is this socket; -1: none, -2: cannot be seen. */
static int find_descriptor(int64_t pid, uint64_t socket_id)
{
    char path[64];
    char wanted[40];
    char target[64];
    DIR *directory;
    struct dirent *entry;
    int found = -1;

    (void)str_format(path, sizeof path, "/proc/%lld/fd", (long long)pid);
    (void)str_format(wanted, sizeof wanted, "socket:[%llu]", (unsigned long long)socket_id);
    directory = opendir(path);
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

struct owners {
    uint64_t socket_id;
    int64_t *pids;
    size_t max;
    size_t count;
    bool hidden;
};

static bool add_owner(void *context, int64_t pid)
{
    struct owners *owners = context;
    int found = find_descriptor(pid, owners->socket_id);

    if (found == -2)
        owners->hidden = true;
    if (found >= 0 && owners->count < owners->max)
        owners->pids[owners->count++] = pid;
    return true;
}

size_t platform_socket_owners(
        uint64_t socket_id, int64_t *ret_pids, size_t max, bool *ret_hidden)
{
    struct owners owners = { .socket_id = socket_id, .pids = ret_pids, .max = max };

    if (socket_id != 0)
        linux_each_pid(add_owner, &owners);
    *ret_hidden = owners.hidden;
    return owners.count;
}

bool platform_owns_socket(int64_t pid, uint64_t socket_id)
{
    return socket_id != 0 && find_descriptor(pid, socket_id) >= 0;
}

uint64_t platform_socket_id(platform_handle handle)
{
    struct stat info;

    return fstat((int)handle, &info) == 0 && S_ISSOCK(info.st_mode) ? (uint64_t)info.st_ino : 0;
}

platform_handle platform_take_socket(int64_t pid, uint64_t socket_id)
{
#if defined(SYS_pidfd_getfd) && !defined(SVCMGR_PORTABLE)
    int number = find_descriptor(pid, socket_id);
    int process = number < 0 ? -1 : (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);
    int taken;

    if (process == -1)
        return PLATFORM_NO_HANDLE;
    taken = (int)syscall(SYS_pidfd_getfd, process, number, 0);
    sys.close(process);
    if (taken == -1)
        return PLATFORM_NO_HANDLE;
    (void)posix_set_cloexec(taken);
    if (platform_socket_id(taken) == socket_id)
        return taken;
    sys.close(taken);
#else
    (void)pid;
    (void)socket_id;
#endif
    return PLATFORM_NO_HANDLE;
}

platform_handle platform_take_output(int64_t pid, int number)
{
#if defined(SVCMGR_PORTABLE)
    (void)pid;
    (void)number;
    return PLATFORM_NO_HANDLE;
#else
    char path[64];
    struct stat info;
    int fd;

    /* Opening a pipe through /proc gives its other end: proc(5), /proc/PID/fd. */
    (void)str_format(path, sizeof path, "/proc/%lld/fd/%d", (long long)pid, number);
    fd = sys.open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd == -1)
        return PLATFORM_NO_HANDLE;
    if (fstat(fd, &info) == 0 && S_ISFIFO(info.st_mode))
        return fd;
    sys.close(fd);
    return PLATFORM_NO_HANDLE;
#endif
}

void posix_peer(int fd, struct platform_peer *ret_peer)
{
    struct ucred credentials;
    socklen_t length = sizeof credentials;

    *ret_peer = (struct platform_peer){ .uid = -1 };
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &length) == -1)
        return;
    ret_peer->pid = credentials.pid;
    ret_peer->uid = (int64_t)credentials.uid;
}

void platform_peer(platform_handle handle, struct platform_peer *ret_peer)
{
    posix_peer((int)handle, ret_peer);
}

int posix_pass_credentials(int fd)
{
    int on = 1;

    return sys.setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on);
}

long posix_receive_notify(int fd, char *ret_data, size_t size, struct platform_peer *ret_peer,
        platform_handle *ret_handle)
{
    struct iovec piece = { .iov_base = ret_data, .iov_len = size };
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(sizeof(int) * 16)];
    } space;
    struct msghdr header = { .msg_iov = &piece, .msg_iovlen = 1, .msg_control = space.bytes,
        .msg_controllen = sizeof space.bytes };
    ssize_t got = sys.recvmsg(fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

    if (got == -1)
        return -1;
    *ret_peer = (struct platform_peer){ .uid = -1 };
    *ret_handle = PLATFORM_NO_HANDLE;
    for (struct cmsghdr *control = CMSG_FIRSTHDR(&header); control != NULL;
            control = CMSG_NXTHDR(&header, control)) {
        struct ucred credentials;
        size_t count;

        if (control->cmsg_level != SOL_SOCKET)
            continue;
        if (control->cmsg_type == SCM_CREDENTIALS) {
            memcpy(&credentials, CMSG_DATA(control), sizeof credentials);
            ret_peer->pid = credentials.pid;
            ret_peer->uid = (int64_t)credentials.uid;
        } else if (control->cmsg_type == SCM_RIGHTS) {
            count = (control->cmsg_len - CMSG_LEN(0)) / sizeof(int);
            for (size_t i = 0; i < count; i++) {
                int passed;

                memcpy(&passed, CMSG_DATA(control) + i * sizeof passed, sizeof passed);
                /* One is kept until the message is done (BARRIER=1 waits for that); more than one
                 * has no meaning here. */
                if (*ret_handle == PLATFORM_NO_HANDLE)
                    *ret_handle = passed;
                else
                    sys.close(passed);
            }
        }
    }
    return (long)got;
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
