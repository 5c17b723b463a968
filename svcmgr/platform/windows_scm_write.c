/* Making, changing and deleting a service of Windows. */
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "windows_scm.h"

#include "banned.h"

#define SERVICES_KEY  L"SYSTEM\\CurrentControlSet\\Services\\"
#define EVENT_LOG_KEY L"SYSTEM\\CurrentControlSet\\Services\\EventLog\\Application\\"
#define KEY_COUNT     256
#define LIST_COUNT    ((size_t)SCM_DEPENDENCIES_MAX * SCM_SHORT_BYTES + 2)
#define EVENT_TYPES   7 /* error, warning, information */
#define CHANGE_ACCESS (SERVICE_QUERY_CONFIG | SERVICE_CHANGE_CONFIG | SERVICE_START)

/* The texts of a service as Windows takes them. */
struct wide {
    WCHAR display_name[SCM_NAME_BYTES];
    WCHAR description[SCM_TEXT_BYTES];
    WCHAR command_line[SCM_COMMAND_BYTES];
    WCHAR account[SCM_NAME_BYTES];
    WCHAR state_path[SCM_PATH_BYTES];
    WCHAR event_file[SCM_PATH_BYTES];
    WCHAR dependencies[LIST_COUNT]; /* each with its NUL, and one more */
    WCHAR privileges[LIST_COUNT];
};

static bool put_list(const char (*list)[SCM_SHORT_BYTES], size_t count, WCHAR *ret_list)
{
    size_t at = 0;

    for (size_t i = 0; i < count; i++) {
        if (!windows_to_wide(list[i], ret_list + at, SCM_SHORT_BYTES))
            return false;
        at += wcslen(ret_list + at) + 1;
    }
    ret_list[at] = ret_list[at + 1] = L'\0';
    return true;
}

static bool widen(const struct scm_service *service, struct wide *wide)
{
    return windows_to_wide(service->display_name, wide->display_name, SCM_NAME_BYTES) &&
            windows_to_wide(service->description, wide->description, SCM_TEXT_BYTES) &&
            windows_to_wide(service->command_line, wide->command_line, SCM_COMMAND_BYTES) &&
            windows_to_wide(service->account, wide->account, SCM_NAME_BYTES) &&
            windows_to_wide(service->state_path, wide->state_path, SCM_PATH_BYTES) &&
            windows_to_wide(service->event_file, wide->event_file, SCM_PATH_BYTES) &&
            put_list(service->dependencies, service->dependency_count, wide->dependencies) &&
            put_list(service->privileges, service->privilege_count, wide->privileges);
}

/* ---- What the registry says ------------------------------------------------------------------ */

struct value {
    const WCHAR *folder; /* what its key is below */
    const WCHAR *below;  /* and what follows the name there */
    const WCHAR *name;
    DWORD type;
    const void *data;
    size_t length;
};

static int set_value(const struct scm_service *service, const WCHAR *name,
        const struct value *value, struct err *err)
{
    WCHAR key[KEY_COUNT];
    HKEY handle;
    LSTATUS status = ERROR_INVALID_NAME;

    if (swprintf(key, KEY_COUNT, L"%ls%ls%ls", value->folder, name, value->below) > 0)
        status = RegCreateKeyExW(
                HKEY_LOCAL_MACHINE, key, 0, NULL, 0, KEY_SET_VALUE, NULL, &handle, NULL);
    if (status == ERROR_SUCCESS) {
        status = RegSetValueExW(
                handle, value->name, 0, value->type, value->data, (DWORD)value->length);
        (void)RegCloseKey(handle);
    }
    if (status == ERROR_SUCCESS)
        return 0;
    SetLastError((DWORD)status);
    return windows_scm_failed(
            "cannot write to the registry what belongs to the service", service->name, err);
}

static size_t bytes_of(const WCHAR *text)
{
    return (wcslen(text) + 1) * sizeof *text;
}

static int set_values(const struct scm_service *service, const WCHAR *name, const struct wide *wide,
        struct err *err)
{
    static const DWORD types = EVENT_TYPES;
    const struct value values[] = {
        { SERVICES_KEY, L"\\Parameters", L"StatePath", REG_SZ, wide->state_path,
                bytes_of(wide->state_path) },
        { EVENT_LOG_KEY, L"", L"EventMessageFile", REG_SZ, wide->event_file,
                bytes_of(wide->event_file) },
        { EVENT_LOG_KEY, L"", L"TypesSupported", REG_DWORD, &types, sizeof types },
    };
    size_t count = wide->event_file[0] != L'\0' ? sizeof values / sizeof values[0] : 1;

    for (size_t i = 0; i < count; i++)
        if (set_value(service, name, &values[i], err) == -1)
            return -1;
    return 0;
}

/* ---- The record ------------------------------------------------------------------------------ */

/* What a system does not know of cannot be read back either, and is said to be so by whoever reads.
 */
static int set(const struct windows_service *open, const struct scm_service *service, DWORD level,
        void *data, struct err *err)
{
    if (ChangeServiceConfig2W(open->service, level, data) != 0 ||
            GetLastError() == ERROR_INVALID_LEVEL || GetLastError() == ERROR_CALL_NOT_IMPLEMENTED)
        return 0;
    return windows_scm_failed("cannot configure the service", service->name, err);
}

static int set_recovery(
        const struct windows_service *open, const struct scm_service *service, struct err *err)
{
    SC_ACTION actions[SCM_ACTIONS_MAX];
    SERVICE_FAILURE_ACTIONSW recovery = { .dwResetPeriod = (DWORD)service->reset_s,
        .cActions = (DWORD)service->restart_count,
        .lpsaActions = actions };
    SERVICE_FAILURE_ACTIONS_FLAG flag = { .fFailureActionsOnNonCrashFailures =
                                                  service->restarts_non_crash };

    for (size_t i = 0; i < service->restart_count; i++)
        actions[i] = (SC_ACTION) { .Type = SC_ACTION_RESTART,
            .Delay = (DWORD)service->restart_delay_ms[i] };
    if (set(open, service, SERVICE_CONFIG_FAILURE_ACTIONS, &recovery, err) == -1)
        return -1;
    return set(open, service, SERVICE_CONFIG_FAILURE_ACTIONS_FLAG, &flag, err);
}

static int set_more(const struct windows_service *open, const struct scm_service *service,
        struct wide *wide, struct err *err)
{
    SERVICE_DESCRIPTIONW description = { .lpDescription = wide->description };
    SERVICE_DELAYED_AUTO_START_INFO delayed = { .fDelayedAutostart =
                                                        service->start == SCM_START_DELAYED };
    SERVICE_SID_INFO sid = { .dwServiceSidType = service->sid_unrestricted
                ? SERVICE_SID_TYPE_UNRESTRICTED
                : SERVICE_SID_TYPE_NONE };
    SERVICE_REQUIRED_PRIVILEGES_INFOW privileges = { .pmszRequiredPrivileges = wide->privileges };
    SERVICE_PRESHUTDOWN_INFO preshutdown = { .dwPreshutdownTimeout =
                                                     (DWORD)service->preshutdown_ms };

    if (set(open, service, SERVICE_CONFIG_DESCRIPTION, &description, err) == -1 ||
            set(open, service, SERVICE_CONFIG_SERVICE_SID_INFO, &sid, err) == -1 ||
            set(open, service, SERVICE_CONFIG_REQUIRED_PRIVILEGES_INFO, &privileges, err) == -1 ||
            set(open, service, SERVICE_CONFIG_PRESHUTDOWN_INFO, &preshutdown, err) == -1 ||
            set_recovery(open, service, err) == -1)
        return -1;
    if (service->start != SCM_START_DELAYED && service->start != SCM_START_AUTOMATIC)
        return 0;
    return set(open, service, SERVICE_CONFIG_DELAYED_AUTO_START_INFO, &delayed, err);
}

static DWORD start_type(enum scm_start start)
{
    switch (start) {
    case SCM_START_DELAYED:
    case SCM_START_AUTOMATIC:
        return SERVICE_AUTO_START;
    case SCM_START_DISABLED:
        return SERVICE_DISABLED;
    case SCM_START_MANUAL:
    case SCM_START_COUNT:
        break;
    }
    return SERVICE_DEMAND_START;
}

static int create(const struct scm_service *service, const struct wide *wide,
        struct windows_service *ret_open, struct err *err)
{
    *ret_open = (struct windows_service) { .manager = NULL };
    if (!windows_to_wide(service->name, ret_open->name, SCM_SHORT_BYTES))
        return err_set(
                err, ERR_CONFIG, 0, "the name of the service is too long: %.60s", service->name);
    ret_open->manager = OpenSCManagerW(NULL, NULL, SC_MANAGER_CREATE_SERVICE);
    if (ret_open->manager != NULL)
        ret_open->service =
                CreateServiceW(ret_open->manager, ret_open->name, wide->display_name, CHANGE_ACCESS,
                        SERVICE_WIN32_OWN_PROCESS, start_type(service->start), SERVICE_ERROR_NORMAL,
                        wide->command_line, NULL, NULL, wide->dependencies, wide->account, NULL);
    if (ret_open->service != NULL)
        return 0;
    (void)windows_scm_failed("cannot make the service", service->name, err);
    windows_scm_close(ret_open);
    return -1;
}

static int change(const struct scm_service *service, const struct wide *wide,
        struct windows_service *ret_open, struct err *err)
{
    if (windows_scm_open(service->name, CHANGE_ACCESS, ret_open, err) == -1)
        return -1;
    if (ChangeServiceConfigW(ret_open->service, SERVICE_WIN32_OWN_PROCESS,
                start_type(service->start), SERVICE_ERROR_NORMAL, wide->command_line, NULL, NULL,
                wide->dependencies, wide->account, NULL, wide->display_name) != 0)
        return 0;
    (void)windows_scm_failed("cannot change the service", service->name, err);
    windows_scm_close(ret_open);
    return -1;
}

static int grant_all(const struct scm_service *service, struct err *err)
{
    for (size_t i = 0; i < service->grant_count; i++)
        if (windows_grant(service->grants[i].path, service->name, service->grants[i].modify, err) ==
                -1)
            return -1;
    return 0;
}

int platform_scm_write(const struct scm_service *service, bool is_new, struct err *err)
{
    struct windows_service open = { .manager = NULL };
    struct wide *wide = calloc(1, sizeof *wide);
    int result = -1;

    if (wide == NULL)
        return err_memory(err);
    if (!widen(service, wide))
        err_set(err, ERR_CONFIG, 0, "what the service %s is to be is too long", service->name);
    else if ((is_new ? create(service, wide, &open, err) : change(service, wide, &open, err)) == 0)
        result = set_more(&open, service, wide, err);
    if (result == 0)
        result = set_values(service, open.name, wide, err);
    if (result == 0)
        result = grant_all(service, err);
    windows_scm_close(&open);
    free(wide);
    return result;
}

/* ---- Deleting -------------------------------------------------------------------------------- */

int platform_scm_delete(const char *name, struct err *err)
{
    struct windows_service open;
    WCHAR key[KEY_COUNT];
    bool done;

    if (windows_scm_open(name, DELETE, &open, err) == -1)
        return err->kind == ERR_NO_SERVICE ? 0 : -1;
    done = DeleteService(open.service) != 0 || GetLastError() == ERROR_SERVICE_MARKED_FOR_DELETE;
    if (!done)
        (void)windows_scm_failed("cannot delete the service", name, err);
    if (done && swprintf(key, KEY_COUNT, L"%ls%ls", EVENT_LOG_KEY, open.name) > 0)
        (void)RegDeleteTreeW(HKEY_LOCAL_MACHINE, key);
    windows_scm_close(&open);
    return done ? 0 : -1;
}
