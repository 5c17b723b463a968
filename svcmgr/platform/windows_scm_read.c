/* What a service of Windows is said to be. */
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "windows_scm.h"

#include "banned.h"

#define CONFIG_BYTES  8192 /* no configuration is larger: QueryServiceConfig */
#define SERVICES_KEY  L"SYSTEM\\CurrentControlSet\\Services\\"
#define EVENT_LOG_KEY L"SYSTEM\\CurrentControlSet\\Services\\EventLog\\Application\\"
#define KEY_COUNT     256
#define LIST_COUNT    (SCM_DEPENDENCIES_MAX * SCM_SHORT_BYTES)

union config {
    QUERY_SERVICE_CONFIGW all;
    SERVICE_DESCRIPTIONW description;
    SERVICE_DELAYED_AUTO_START_INFO delayed;
    SERVICE_SID_INFO sid;
    SERVICE_REQUIRED_PRIVILEGES_INFOW privileges;
    SERVICE_FAILURE_ACTIONSW recovery;
    SERVICE_FAILURE_ACTIONS_FLAG non_crash;
    SERVICE_PRESHUTDOWN_INFO preshutdown;
    BYTE bytes[CONFIG_BYTES];
};

static void read_text(const WCHAR *text, char *ret_text, size_t size)
{
    ret_text[0] = '\0';
    if (text != NULL)
        (void)windows_from_wide(text, ret_text, size);
}

static size_t read_list(const WCHAR *list, char (*ret_list)[SCM_SHORT_BYTES], size_t max)
{
    size_t count = 0;

    for (; list != NULL && *list != L'\0' && count < max; list += wcslen(list) + 1)
        if (windows_from_wide(list, ret_list[count], SCM_SHORT_BYTES))
            count++;
    return count;
}

static enum scm_start start_of(DWORD start)
{
    switch (start) {
    case SERVICE_AUTO_START:
        return SCM_START_AUTOMATIC;
    case SERVICE_DISABLED:
        return SCM_START_DISABLED;
    default:
        return SCM_START_MANUAL;
    }
}

static bool query(SC_HANDLE service, DWORD level, union config *ret_config)
{
    DWORD needed;

    memset(ret_config, 0, sizeof *ret_config);
    return QueryServiceConfig2W(
                   service, level, ret_config->bytes, sizeof ret_config->bytes, &needed) != 0;
}

static void read_recovery(const SERVICE_FAILURE_ACTIONSW *recovery, struct scm_service *found)
{
    found->reset_s = recovery->dwResetPeriod;
    for (DWORD i = 0; recovery->lpsaActions != NULL && i < recovery->cActions &&
            found->restart_count < SCM_ACTIONS_MAX;
            i++)
        if (recovery->lpsaActions[i].Type == SC_ACTION_RESTART)
            found->restart_delay_ms[found->restart_count++] = recovery->lpsaActions[i].Delay;
}

static void read_more(SC_HANDLE service, union config *config, struct scm_service *found)
{
    if (query(service, SERVICE_CONFIG_DESCRIPTION, config))
        read_text(config->description.lpDescription, found->description, sizeof found->description);
    if (!query(service, SERVICE_CONFIG_DELAYED_AUTO_START_INFO, config))
        found->untold |= SCM_UNTOLD_DELAYED;
    else if (config->delayed.fDelayedAutostart && found->start == SCM_START_AUTOMATIC)
        found->start = SCM_START_DELAYED;
    if (query(service, SERVICE_CONFIG_SERVICE_SID_INFO, config))
        found->sid_unrestricted = config->sid.dwServiceSidType == SERVICE_SID_TYPE_UNRESTRICTED;
    else
        found->untold |= SCM_UNTOLD_SID;
    if (query(service, SERVICE_CONFIG_REQUIRED_PRIVILEGES_INFO, config))
        found->privilege_count = read_list(
                config->privileges.pmszRequiredPrivileges, found->privileges, SCM_PRIVILEGES_MAX);
    else
        found->untold |= SCM_UNTOLD_PRIVILEGES;
    if (query(service, SERVICE_CONFIG_FAILURE_ACTIONS, config))
        read_recovery(&config->recovery, found);
    else
        found->untold |= SCM_UNTOLD_RECOVERY;
    if (query(service, SERVICE_CONFIG_FAILURE_ACTIONS_FLAG, config))
        found->restarts_non_crash = config->non_crash.fFailureActionsOnNonCrashFailures != 0;
    else
        found->untold |= SCM_UNTOLD_NON_CRASH;
    if (query(service, SERVICE_CONFIG_PRESHUTDOWN_INFO, config))
        found->preshutdown_ms = config->preshutdown.dwPreshutdownTimeout;
    else
        found->untold |= SCM_UNTOLD_PRESHUTDOWN;
}

/* ---- What the registry says ------------------------------------------------------------------ */

static void read_value(const WCHAR *folder, const WCHAR *name, const WCHAR *below,
        const WCHAR *value, char *ret_text, size_t size)
{
    WCHAR key[KEY_COUNT];
    WCHAR text[SCM_PATH_BYTES];
    DWORD length = sizeof text;

    ret_text[0] = '\0';
    if (swprintf(key, KEY_COUNT, L"%ls%ls%ls", folder, name, below) > 0 &&
            RegGetValueW(HKEY_LOCAL_MACHINE, key, value, RRF_RT_REG_SZ, NULL, text, &length) ==
                    ERROR_SUCCESS)
        read_text(text, ret_text, size);
}

/* Wine's manager keeps them there and does not tell of them. */
static void read_dependencies(const WCHAR *name, const WCHAR *told, struct scm_service *found)
{
    WCHAR key[KEY_COUNT];
    WCHAR list[LIST_COUNT];
    DWORD length = sizeof list;

    found->dependency_count = read_list(told, found->dependencies, SCM_DEPENDENCIES_MAX);
    if (found->dependency_count == 0 &&
            swprintf(key, KEY_COUNT, L"%ls%ls", SERVICES_KEY, name) > 0 &&
            RegGetValueW(HKEY_LOCAL_MACHINE, key, L"DependOnService", RRF_RT_REG_MULTI_SZ, NULL,
                    list, &length) == ERROR_SUCCESS)
        found->dependency_count = read_list(list, found->dependencies, SCM_DEPENDENCIES_MAX);
}

/* ---- All of it ------------------------------------------------------------------------------- */

static void read_config(
        const struct windows_service *open, union config *config, struct scm_service *found)
{
    read_text(config->all.lpDisplayName, found->display_name, sizeof found->display_name);
    read_text(config->all.lpBinaryPathName, found->command_line, sizeof found->command_line);
    read_text(config->all.lpServiceStartName, found->account, sizeof found->account);
    found->start = start_of(config->all.dwStartType);
    read_dependencies(open->name, config->all.lpDependencies, found);
    read_more(open->service, config, found);
    read_value(SERVICES_KEY, open->name, L"\\Parameters", L"StatePath", found->state_path,
            sizeof found->state_path);
    read_value(EVENT_LOG_KEY, open->name, L"", L"EventMessageFile", found->event_file,
            sizeof found->event_file);
}

int platform_scm_read(const char *name, struct scm_service *ret_service, struct err *err)
{
    struct windows_service open;
    union config *config = malloc(sizeof *config);
    DWORD needed;
    int result = -1;

    if (config == NULL)
        return err_memory(err);
    if (windows_scm_open(name, SERVICE_QUERY_CONFIG, &open, err) == -1)
        goto out;
    if (QueryServiceConfigW(open.service, &config->all, sizeof *config, &needed) == 0) {
        (void)windows_scm_failed("cannot read the configuration of the service", name, err);
        goto out;
    }
    *ret_service = (struct scm_service) { .untold = 0 };
    (void)windows_from_wide(open.name, ret_service->name, sizeof ret_service->name);
    read_config(&open, config, ret_service);
    result = 0;
out:
    windows_scm_close(&open);
    free(config);
    return result;
}
