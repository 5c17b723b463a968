#include "identity.h"

#include <string.h>

#include "banned.h"

bool identity_equal(const struct identity *a, const struct identity *b)
{
    return a->pid > 0 && a->pid == b->pid && a->start_time != 0 && a->start_time == b->start_time &&
            a->pid_namespace == b->pid_namespace && a->boot_id[0] != '\0' &&
            strcmp(a->boot_id, b->boot_id) == 0;
}
