#include "windows_parts.h"

#include <bcrypt.h>

#include "banned.h"

/* From 1601, where FILETIME begins, to 1970, in its units of 100 ns. */
#define UNIX_EPOCH INT64_C(116444736000000000)

int64_t platform_now_us(void)
{
    static int64_t frequency;
    LARGE_INTEGER now;

    /* Neither can fail since Windows XP; the frequency is fixed when the system starts. */
    if (frequency == 0) {
        (void)QueryPerformanceFrequency(&now);
        frequency = now.QuadPart;
    }
    (void)QueryPerformanceCounter(&now);
    return now.QuadPart / frequency * 1000000 + now.QuadPart % frequency * 1000000 / frequency;
}

int64_t platform_now_ms(void)
{
    return platform_now_us() / 1000;
}

int64_t windows_unix_ns(const FILETIME *time)
{
    return ((int64_t)(((uint64_t)time->dwHighDateTime << 32) | time->dwLowDateTime) - UNIX_EPOCH) *
            100;
}

int64_t platform_wall_us(void)
{
    FILETIME now;

    GetSystemTimePreciseAsFileTime(&now);
    return windows_unix_ns(&now) / 1000;
}

int platform_random(void *bytes, size_t length, struct err *err)
{
    NTSTATUS status = BCryptGenRandom(NULL, bytes, (ULONG)length, BCRYPT_USE_SYSTEM_PREFERRED_RNG);

    if (status < 0)
        return err_set(err, ERR_FAILED, status, "cannot get random bytes: status 0x%08lx",
                (unsigned long)status);
    return 0;
}
