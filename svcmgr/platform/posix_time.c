#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "platform_sys.h"
#include "posix.h"

#include "banned.h"

#define MEMORY_PAUSE_MS 1
#define MEMORY_TRIES    100

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
    if (sys.getentropy(bytes, length) == -1)
        return err_set(err, ERR_FAILED, errno, "cannot get random bytes: %s", strerror(errno));
    return 0;
}

bool posix_lacks_resources(int code, int *tries)
{
    bool lacks = code == ENOMEM || code == ENOBUFS || code == EMFILE || code == ENFILE;

    if (!lacks || ++*tries > MEMORY_TRIES)
        return false;
    (void)poll(NULL, 0, MEMORY_PAUSE_MS);
    return true;
}

int posix_poll_one(int fd, short events, int64_t deadline_ms)
{
    int tries = 0;

    for (;;) {
        struct pollfd one = { .fd = fd, .events = events };
        int64_t left = deadline_ms == PLATFORM_NEVER ? -1 : deadline_ms - platform_now_ms();
        int ready;

        if (deadline_ms != PLATFORM_NEVER && left < 0)
            left = 0;
        ready = sys.poll(&one, 1, left > 60000 ? 60000 : (int)left);
        if (ready == 1)
            return 1;
        if (ready == -1 && errno != EINTR && !posix_lacks_resources(errno, &tries))
            return -1;
        if (ready == 0 && left == 0)
            return 0;
    }
}
