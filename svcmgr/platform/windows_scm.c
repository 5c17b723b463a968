/* Services of Windows, and what they do. */
#include "windows_scm.h"

#include <stdlib.h>
#include <wchar.h>

#include "banned.h"

#define LIST_BYTES 262144 /* no call takes more: EnumServicesStatusEx */

/* ---- Opening --------------------------------------------------------------------------------- */

int windows_scm_failed(const char *doing, const char *name, struct err *err)
{
    DWORD code = GetLastError();
    enum err_kind kind = code == ERROR_SERVICE_DOES_NOT_EXIST ? ERR_NO_SERVICE : windows_kind(code);

    return err_set(
            err, kind, (long)code, "%s %s: %s", doing, name, platform_error_text((long)code));
}

int windows_scm_open(
        const char *name, DWORD access, struct windows_service *ret_service, struct err *err)
{
    *ret_service = (struct windows_service) { .manager = NULL };
    if (!windows_to_wide(name, ret_service->name, SCM_SHORT_BYTES))
        return err_set(
                err, ERR_NO_SERVICE, 0, "no service of Windows has a name as long as %.60s", name);
    ret_service->manager = OpenSCManagerW(NULL, NULL, SC_MANAGER_CONNECT);
    if (ret_service->manager != NULL)
        ret_service->service = OpenServiceW(ret_service->manager, ret_service->name, access);
    if (ret_service->service != NULL)
        return 0;
    (void)windows_scm_failed(
            "the service control manager does not give access to the service", name, err);
    windows_scm_close(ret_service);
    return -1;
}

void windows_scm_close(struct windows_service *service)
{
    if (service->service != NULL)
        (void)CloseServiceHandle(service->service);
    if (service->manager != NULL)
        (void)CloseServiceHandle(service->manager);
    service->service = service->manager = NULL;
}

bool platform_has_scm(void)
{
    static int has = -1;
    SC_HANDLE manager;

    if (has == -1) {
        manager = OpenSCManagerW(NULL, NULL, SC_MANAGER_CONNECT);
        has = manager != NULL;
        if (manager != NULL)
            (void)CloseServiceHandle(manager);
    }
    return has == 1;
}

/* ---- What it does ---------------------------------------------------------------------------- */

static enum scm_state state_of(DWORD state)
{
    switch (state) {
    case SERVICE_STOPPED:
        return SCM_STOPPED;
    case SERVICE_START_PENDING:
        return SCM_START_PENDING;
    case SERVICE_STOP_PENDING:
        return SCM_STOP_PENDING;
    case SERVICE_RUNNING:
        return SCM_RUNNING;
    default:
        return SCM_PAUSED;
    }
}

int platform_scm_query(const char *name, struct scm_status *ret_status, struct err *err)
{
    struct windows_service service;
    SERVICE_STATUS_PROCESS status;
    DWORD needed;
    int result = -1;

    if (windows_scm_open(name, SERVICE_QUERY_STATUS, &service, err) == -1)
        return -1;
    if (QueryServiceStatusEx(service.service, SC_STATUS_PROCESS_INFO, (BYTE *)&status,
                sizeof status, &needed) != 0) {
        *ret_status = (struct scm_status) {
            .state = state_of(status.dwCurrentState),
            .pid = status.dwProcessId,
            .win32_code = status.dwWin32ExitCode,
            .service_code = status.dwServiceSpecificExitCode,
            .check_point = status.dwCheckPoint,
            .wait_hint_ms = status.dwWaitHint,
            .accepts_stop = (status.dwControlsAccepted & SERVICE_ACCEPT_STOP) != 0,
        };
        result = 0;
    } else {
        (void)windows_scm_failed("cannot ask about the service", name, err);
    }
    windows_scm_close(&service);
    return result;
}

int platform_scm_start(const char *name, struct err *err)
{
    struct windows_service service;
    int result = 0;

    if (windows_scm_open(name, SERVICE_START, &service, err) == -1)
        return -1;
    if (StartServiceW(service.service, 0, NULL) == 0 &&
            GetLastError() != ERROR_SERVICE_ALREADY_RUNNING)
        result = windows_scm_failed("cannot start the service", name, err);
    windows_scm_close(&service);
    return result;
}

int platform_scm_stop(const char *name, struct err *err)
{
    struct windows_service service;
    SERVICE_STATUS status;
    int result = 0;

    if (windows_scm_open(name, SERVICE_STOP, &service, err) == -1)
        return -1;
    if (ControlService(service.service, SERVICE_CONTROL_STOP, &status) == 0 &&
            GetLastError() != ERROR_SERVICE_NOT_ACTIVE)
        result = windows_scm_failed("cannot stop the service", name, err);
    windows_scm_close(&service);
    return result;
}

/* ---- Whose process --------------------------------------------------------------------------- */

static bool find_pid(const ENUM_SERVICE_STATUS_PROCESSW *list, DWORD count, int64_t pid,
        char *ret_name, size_t size)
{
    for (DWORD i = 0; i < count; i++)
        if ((int64_t)list[i].ServiceStatusProcess.dwProcessId == pid)
            return windows_from_wide(list[i].lpServiceName, ret_name, size);
    return false;
}

bool platform_scm_service_of(int64_t pid, char *ret_name, size_t size)
{
    SC_HANDLE manager = OpenSCManagerW(NULL, NULL, SC_MANAGER_ENUMERATE_SERVICE);
    BYTE *list = malloc(LIST_BYTES);
    DWORD resume = 0;
    bool more = manager != NULL && list != NULL && pid > 0;
    bool found = false;

    while (more && !found) {
        DWORD needed = 0;
        DWORD count = 0;

        more = EnumServicesStatusExW(manager, SC_ENUM_PROCESS_INFO, SERVICE_WIN32, SERVICE_ACTIVE,
                       list, LIST_BYTES, &needed, &count, &resume, NULL) == 0 &&
                GetLastError() == ERROR_MORE_DATA && count > 0;
        found = find_pid((const ENUM_SERVICE_STATUS_PROCESSW *)(const void *)list, count, pid,
                ret_name, size);
    }
    free(list);
    if (manager != NULL)
        (void)CloseServiceHandle(manager);
    return found;
}
