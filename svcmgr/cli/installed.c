#include "installed.h"

#include <string.h>

#include "pidfile.h"
#include "report.h"

#include "banned.h"

/* systemd has limits of its own for the unit; this one is for a supervisor that nobody hears of. */
#define COMES_LIMIT_MS 120000

struct launcher_place installed_place(const struct target *target)
{
    return (struct launcher_place) {
        .name = target->name,
        .state_path = target->state_path,
        .system_scope = target->is_system,
    };
}

const struct launcher *installed_launcher(const struct cli *cli, const struct target *target)
{
    struct launcher_place place = installed_place(target);
    struct launcher_installed installed;

    return cli->direct ? NULL : launcher_installed_by(&place, &installed);
}

bool installed_still_comes(const struct launcher *launcher, const struct target *target,
        int64_t since_ms, struct err *err)
{
    struct launcher_place place = installed_place(target);

    if (launcher->progress(&place, err) == LAUNCHER_DOWN)
        return false;
    if (platform_now_ms() - since_ms < COMES_LIMIT_MS)
        return true;
    err_set(err, ERR_FAILED, 0, "%s has not brought a supervisor up in %d s", launcher->kind,
            COMES_LIMIT_MS / 1000);
    return false;
}

/* What only the supervisor can do: it then ends, and so does its job.  From inside the service the
 * launcher would end this command, too. */
static bool is_for_supervisor(const struct cli *cli, const struct target *target)
{
    const char *inside = platform_environment("SVCMGR_NAME");

    return cli->expect_pid != NULL || cli->now || cli->keep_standby ||
            (inside != NULL && strcmp(inside, target->name) == 0);
}

int installed_stop(const struct cli *cli, const struct target *target, bool *ret_stopped)
{
    struct launcher_place place = installed_place(target);
    const struct launcher *launcher = installed_launcher(cli, target);
    bool was_taken = pidfile_is_taken(target->state_path);
    struct err err;

    *ret_stopped = false;
    if (launcher == NULL || is_for_supervisor(cli, target))
        return 0;
    if (launcher->stop(&place, &err) == -1)
        return report_failure(target->name, "not stopped", &err);
    *ret_stopped = was_taken && !pidfile_is_taken(target->state_path);
    return 0;
}

cJSON *installed_add(const struct target *target, const cJSON *status)
{
    struct launcher_place place = installed_place(target);
    struct launcher_installed installed;
    cJSON *document = cJSON_Duplicate(status, true);
    cJSON *list = cJSON_CreateArray();
    cJSON *item;

    if (launcher_installed_by(&place, &installed) != NULL) {
        item = cJSON_CreateObject();
        (void)cJSON_AddStringToObject(item, "kind", installed.kind);
        (void)cJSON_AddStringToObject(item, "unit", installed.unit);
        (void)cJSON_AddStringToObject(item, "scope", installed.scope);
        (void)cJSON_AddBoolToObject(item, "enabled", installed.enabled);
        (void)cJSON_AddItemToArray(list, item);
    }
    if (cJSON_HasObjectItem(document, "installed"))
        (void)cJSON_ReplaceItemInObjectCaseSensitive(document, "installed", list);
    else
        cJSON_Delete(list);
    return document;
}
