/* Where a keeper holds what a supervisor must not lose, none hands anything to the next one. */
#include "platform.h"

#include "banned.h"

static int no_handover(struct err *err)
{
    return err_set(err, ERR_FAILED, 0, "here a keeper holds what is handed over");
}

int platform_lock_as_heir(const char *path, platform_handle *ret_handle, struct err *err)
{
    (void)path;
    (void)ret_handle;
    return no_handover(err);
}

bool platform_lock_inherit(platform_handle lock, int64_t deadline_ms)
{
    (void)lock;
    (void)deadline_ms;
    return false;
}

bool platform_child_lend(int64_t pid, struct platform_lent *ret_lent)
{
    (void)pid;
    (void)ret_lent;
    return false;
}

int platform_child_take(
        const struct identity *child, const struct platform_lent *lent, struct err *err)
{
    (void)child;
    (void)lent;
    return no_handover(err);
}

void platform_children_leave(void)
{
}
