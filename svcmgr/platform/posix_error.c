/* Codes of the system, which are errno: what they say, and what they mean. */
#include <errno.h>
#include <string.h>

#include "posix.h"

#include "banned.h"

const char *platform_error_text(long os_code)
{
    return strerror((int)os_code);
}

bool platform_means_missing(long os_code)
{
    return os_code == ENOENT || os_code == ENOTDIR;
}

long platform_code_for_missing(void)
{
    return ENOENT;
}

bool platform_means_not_executable(long os_code)
{
    return os_code == EACCES || os_code == ENOEXEC;
}

bool platform_means_full(long os_code)
{
    return os_code == ENOSPC;
}

bool platform_means_read_only(long os_code)
{
    return os_code == EROFS;
}

const char *platform_library_error_text(void)
{
    return strerror(errno);
}
