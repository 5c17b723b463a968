#include "launcher.h"

#include <string.h>

#include "banned.h"

static const struct launcher *const all[] = { &launcher_systemd, &launcher_launchd,
    &launcher_winsvc, &launcher_task, &launcher_manual };

const struct launcher *launcher_detect(int64_t main_pid, char *ret_unit, size_t size)
{
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        ret_unit[0] = '\0';
        if (all[i]->detect != NULL && all[i]->detect(main_pid, ret_unit, size))
            return all[i];
    }
    return &launcher_manual;
}

const struct launcher *launcher_find(const char *kind)
{
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (strcmp(all[i]->kind, kind) == 0)
            return all[i];
    return NULL;
}

const struct launcher *launcher_here(void)
{
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (all[i]->is_here != NULL && all[i]->is_here())
            return all[i];
    return NULL;
}

const struct launcher *launcher_installed_by(
        const struct launcher_place *place, struct launcher_installed *ret_installed)
{
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (all[i]->installed != NULL && all[i]->is_here() &&
                all[i]->installed(place, ret_installed))
            return all[i];
    return NULL;
}

void launcher_ask_all(const struct launcher_place *place, const struct config *config,
        struct launcher_answer *ret_answer)
{
    *ret_answer = (struct launcher_answer) { .job = LAUNCHER_JOB_NONE };
    for (size_t i = 0; i < sizeof all / sizeof all[0] && ret_answer->job == LAUNCHER_JOB_NONE; i++)
        if (all[i]->ask != NULL)
            all[i]->ask(place, config, ret_answer);
}

bool launcher_owner_of(int64_t pid, struct launcher_owner *ret_owner)
{
    *ret_owner = (struct launcher_owner) { .starts_others = false };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (all[i]->owner_of != NULL && all[i]->owner_of(pid, ret_owner))
            return true;
    return false;
}
