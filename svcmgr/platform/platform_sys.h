/* Every system call that the POSIX files make and that can fail, by name, so that a test can make
 * the n-th one fail. */
#ifndef SVCMGR_PLATFORM_SYS_H
#define SVCMGR_PLATFORM_SYS_H

#include <poll.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/wait.h>

struct platform_sys {
    int (*open)(const char *path, int flags, ...);
    int (*close)(int fd);
    ssize_t (*read)(int fd, void *data, size_t length);
    ssize_t (*write)(int fd, const void *data, size_t length);
    ssize_t (*pread)(int fd, void *data, size_t length, off_t offset);
    ssize_t (*pwrite)(int fd, const void *data, size_t length, off_t offset);
    ssize_t (*writev)(int fd, const struct iovec *pieces, int count);
    int (*rename)(const char *from, const char *to);
    int (*unlink)(const char *path);
    int (*mkdir)(const char *path, mode_t mode);
    int (*ftruncate)(int fd, off_t length);
    int (*flock)(int fd, int operation);
    int (*fcntl)(int fd, int command, ...);
    int (*dup)(int fd);
    int (*pipe)(int fds[2]);
    pid_t (*fork)(void);
    int (*kill)(pid_t pid, int number);
    int (*waitid)(idtype_t kind, id_t id, siginfo_t *info, int options);
    int (*socket)(int domain, int type, int protocol);
    int (*socketpair)(int domain, int type, int protocol, int fds[2]);
    int (*setsockopt)(int fd, int level, int name, const void *value, socklen_t length);
    int (*bind)(int fd, const struct sockaddr *address, socklen_t length);
    int (*listen)(int fd, int backlog);
    int (*connect)(int fd, const struct sockaddr *address, socklen_t length);
    int (*accept)(int fd, struct sockaddr *address, socklen_t *length);
    ssize_t (*send)(int fd, const void *data, size_t length, int flags);
    ssize_t (*sendmsg)(int fd, const struct msghdr *message, int flags);
    ssize_t (*recvmsg)(int fd, struct msghdr *message, int flags);
    int (*getentropy)(void *bytes, size_t length);
    int (*poll)(struct pollfd *fds, nfds_t count, int timeout);
};

extern struct platform_sys sys;

#endif
