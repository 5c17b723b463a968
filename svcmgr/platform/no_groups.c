/* Where there are no control groups. */
#include "platform.h"

#include "banned.h"

bool platform_group_open(const char *root, int64_t main_pid)
{
    (void)root;
    (void)main_pid;
    return false;
}

static int no_groups(struct err *err)
{
    return err_set(err, ERR_FAILED, 0, "this system has no control groups");
}

int platform_group_make(uint32_t number, struct err *err)
{
    (void)number;
    return no_groups(err);
}

int platform_group_limit_memory(uint32_t number, uint64_t bytes, struct err *err)
{
    (void)number;
    (void)bytes;
    return no_groups(err);
}

int platform_group_enter(uint32_t number, int64_t pid, struct err *err)
{
    (void)number;
    (void)pid;
    return no_groups(err);
}

void platform_group_remove(uint32_t number)
{
    (void)number;
}

int64_t platform_group_oom_kills(uint32_t number)
{
    (void)number;
    return -1;
}
