/* What portable.c needs of Linux, without pidfd, whose place on macOS a kqueue takes. */
#include <errno.h>
#include <sys/stat.h>

#include "posix.h"

#include "banned.h"

int posix_open_process(const struct identity *identity)
{
    (void)identity;
    errno = ENOSYS;
    return -1;
}

void posix_process_exit(int fd, struct platform_exit *ret_exit)
{
    (void)fd;
    *ret_exit = (struct platform_exit) { .code = -1, .by_signal = -1 };
}

uint64_t posix_socket_id(int fd)
{
    struct stat info;

    return fstat(fd, &info) == 0 ? (uint64_t)info.st_ino : 0;
}
