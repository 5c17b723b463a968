#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "platform_sys.h"
#include "posix.h"

#include "banned.h"

int64_t platform_now_us(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t platform_now_ms(void)
{
    return platform_now_us() / 1000;
}

int64_t platform_wall_us(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int platform_random(void *bytes, size_t length, struct err *err)
{
    int fd = sys.open("/dev/urandom", O_RDONLY | O_CLOEXEC);
    ssize_t got;

    if (fd == -1)
        return err_set(err, ERR_FAILED, errno, "cannot open /dev/urandom: %s", strerror(errno));
    do
        got = sys.read(fd, bytes, length);
    while (got == -1 && errno == EINTR);
    sys.close(fd);
    if (got != (ssize_t)length)
        return err_set(err, ERR_FAILED, errno, "cannot read /dev/urandom");
    return 0;
}

int posix_poll_one(int fd, short events, int64_t deadline_ms)
{
    for (;;) {
        struct pollfd one = { .fd = fd, .events = events };
        int64_t left = deadline_ms == PLATFORM_NEVER ? -1 : deadline_ms - platform_now_ms();
        int ready;

        if (deadline_ms != PLATFORM_NEVER && left < 0)
            left = 0;
        ready = sys.poll(&one, 1, left > 60000 ? 60000 : (int)left);
        if (ready == 1)
            return 1;
        if (ready == -1 && errno != EINTR)
            return -1;
        if (left == 0)
            return 0;
    }
}
