/* Where launchd does not run the machine. */
#include "platform_launch.h"

#include "banned.h"

bool platform_launchd(struct platform_launchd *ret_launchd)
{
    (void)ret_launchd;
    return false;
}

int platform_activate_socket(const char *name, platform_handle *ret_handles, size_t max,
        size_t *ret_count, struct err *err)
{
    (void)name;
    (void)ret_handles;
    (void)max;
    (void)err;
    *ret_count = 0;
    return 0;
}
