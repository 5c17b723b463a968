/* Generations in control groups of their own, where one was delegated to us. */
#include "supervisor.h"

#include "str.h"

#include "banned.h"

void group_open(struct supervisor *sup)
{
    sup->has_groups = platform_group_open(NULL, sup->link.keeper.pid);
    if (!sup->has_groups)
        sup->oom_kills = platform_group_oom_kills(0);
}

static void tell_once(struct supervisor *sup, const struct err *why)
{
    char cause[RECORD_REASON_BYTES];

    if (sup->group_told)
        return;
    sup->group_told = true;
    (void)str_format(cause, sizeof cause,
            "limits.memory holds for the address space of each process alone: %s", why->text);
    journal_write(&sup->journal, &(struct journal_event) { .event = "warning", .cause = cause });
}

bool group_make(struct supervisor *sup, enum machine_slot slot, bool *ret_limited)
{
    int64_t memory = sup->instances[slot].service->config.limits[CONFIG_LIMIT_MEMORY];
    uint32_t number = sup->instance_numbers[slot];
    struct err err;
    bool made = platform_group_make(number, &err) == 0;

    *ret_limited =
            made && memory > 0 && platform_group_limit_memory(number, (uint64_t)memory, &err) == 0;
    if (memory > 0 && !*ret_limited)
        tell_once(sup, &err);
    return made;
}

bool group_was_out_of_memory(struct supervisor *sup, enum machine_slot slot)
{
    int64_t before = sup->oom_kills;

    if (sup->has_groups)
        return platform_group_oom_kills(sup->instance_numbers[slot]) > 0;
    if (before == -1)
        return false;
    sup->oom_kills = platform_group_oom_kills(0);
    return sup->oom_kills > before;
}
