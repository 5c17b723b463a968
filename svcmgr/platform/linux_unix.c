/* Who listens on the path of a Unix socket. */
#include "linux.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "str.h"

#include "banned.h"

#define STATE_LISTEN    10      /* TCP_LISTEN, here too */
#define UNIX_LISTENS    0x10000 /* __SO_ACCEPTCON in /proc/net/unix */
#define UNIX_LINE_BYTES 512
#define MINOR_BITS      20 /* of the kernel's own device numbers */

struct listing {
    const char *path;
    struct stat file;
    struct platform_listener *list;
    size_t max;
    size_t count;
};

static void fill(const char *path, uint64_t inode, struct platform_listener *ret_listener)
{
    *ret_listener = (struct platform_listener) {
        .address = { .family = ADDRESS_UNIX },
        .socket_id = inode,
        .uid = -1,
        .listening = true,
    };
    (void)str_copy(ret_listener->address.path, sizeof ret_listener->address.path, path);
}

static const void *payload(
        const struct unix_diag_msg *message, size_t length, unsigned short type, size_t wanted)
{
    const struct rtattr *attribute =
            linux_find_attribute(message + 1, length - sizeof *message, type);

    return attribute == NULL || attribute->rta_len < RTA_LENGTH(wanted)
            ? NULL
            : (const char *)attribute + RTA_LENGTH(0);
}

static void add_if_same_file(void *context, const struct nlmsghdr *header)
{
    struct listing *listing = context;
    const struct unix_diag_msg *message = NLMSG_DATA(header);
    size_t length = header->nlmsg_len - NLMSG_HDRLEN;
    uint32_t device =
            (uint32_t)(major(listing->file.st_dev) << MINOR_BITS | minor(listing->file.st_dev));
    const void *found;
    struct unix_diag_vfs file;
    uint32_t uid;

    if (listing->count == listing->max || header->nlmsg_len < NLMSG_LENGTH(sizeof *message))
        return;
    found = payload(message, length, UNIX_DIAG_VFS, sizeof file);
    if (found == NULL)
        return;
    memcpy(&file, found, sizeof file);
    if (file.udiag_vfs_ino != (uint32_t)listing->file.st_ino || file.udiag_vfs_dev != device)
        return;
    fill(listing->path, message->udiag_ino, &listing->list[listing->count]);
    found = payload(message, length, UNIX_DIAG_UID, sizeof uid);
    if (found != NULL) {
        memcpy(&uid, found, sizeof uid);
        listing->list[listing->count].uid = (int64_t)uid;
    }
    listing->count++;
}

/* By the file, since a socket may be bound under one name and renamed to another. */
static size_t list_by_file(const char *path, struct platform_listener *ret_listeners, size_t max)
{
    struct listing listing = { .path = path, .list = ret_listeners, .max = max };
    struct {
        struct nlmsghdr header;
        struct unix_diag_req request;
    } message = {
        .header = { .nlmsg_len = sizeof message,
                .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
        .request = { .sdiag_family = AF_UNIX,
                .udiag_states = 1u << STATE_LISTEN,
                .udiag_show = UDIAG_SHOW_VFS | UDIAG_SHOW_UID },
    };

    if (stat(path, &listing.file) == -1 ||
            linux_ask_diag(&message, sizeof message, add_if_same_file, &listing) == -1)
        return 0;
    return listing.count;
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
    fill(path, inode, ret_listener);
    ret_listener->listening = (flags & UNIX_LISTENS) != 0;
    return true;
}

/* For kernels without CONFIG_UNIX_DIAG: the name that each one was bound under, which need not be
 * the one that its file has now. */
static int list_by_name(const char *path, struct platform_listener *ret_listeners, size_t max)
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

int platform_listeners_on_path(
        const char *path, struct platform_listener *ret_listeners, size_t max)
{
    size_t count = list_by_file(path, ret_listeners, max);

    return count > 0 ? (int)count : list_by_name(path, ret_listeners, max);
}
