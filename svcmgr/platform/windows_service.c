/* Being a service of Windows: the dispatcher has a thread of its own, and whatever the service
 * control manager asks for is posted to the loop, so that the rest of the program is as elsewhere.
 */
#include <io.h>
#include <stdio.h>
#include <wchar.h>

#include "platform_launch.h"
#include "windows_parts.h"

#include "banned.h"

#define FIRST_HINT_MS 30000 /* until the supervisor says more itself */
#define ACCEPTED                                                                                   \
    (SERVICE_ACCEPT_STOP | SERVICE_ACCEPT_SHUTDOWN | SERVICE_ACCEPT_PRESHUTDOWN |                  \
            SERVICE_ACCEPT_PARAMCHANGE)

static struct {
    bool was_asked;
    bool is_service;
    HANDLE connected; /* the dispatcher has called us, or has failed */
    HANDLE ended;     /* the last word was said */
    SERVICE_STATUS_HANDLE handle;
    char name[SCM_NAME_BYTES];
    SRWLOCK lock; /* of what follows */
    SERVICE_STATUS status;
} service = { .lock = SRWLOCK_INIT };

/* ---- Telling --------------------------------------------------------------------------------- */

/* A service only goes on from one to the next: after STOP_PENDING nothing but STOPPED is valid. */
static int rank(DWORD state)
{
    switch (state) {
    case SERVICE_START_PENDING:
        return 1;
    case SERVICE_RUNNING:
        return 2;
    case SERVICE_STOP_PENDING:
        return 3;
    case SERVICE_STOPPED:
        return 4;
    default:
        return 0;
    }
}

/* The lock is held.  A state on the way has to be told with rising check points. */
static bool put_state(DWORD state, DWORD hint_ms)
{
    SERVICE_STATUS *status = &service.status;
    bool is_pending;

    if (rank(state) < rank(status->dwCurrentState))
        state = status->dwCurrentState;
    is_pending = state == SERVICE_START_PENDING || state == SERVICE_STOP_PENDING;
    if (state == status->dwCurrentState && !is_pending)
        return true;
    status->dwCheckPoint = !is_pending        ? 0
            : state == status->dwCurrentState ? status->dwCheckPoint + 1
                                              : 1;
    status->dwWaitHint = is_pending ? hint_ms : 0;
    status->dwControlsAccepted = state == SERVICE_RUNNING ? ACCEPTED : 0;
    status->dwCurrentState = state;
    return SetServiceStatus(service.handle, status) != 0;
}

static DWORD hint_of(int64_t ms)
{
    return ms < 0 ? 0 : ms > INT32_MAX ? INT32_MAX : (DWORD)ms;
}

bool platform_scm_tell(enum scm_state state, int64_t wait_hint_ms)
{
    static const DWORD states[SCM_STATE_COUNT] = {
        [SCM_STOPPED] = SERVICE_STOPPED,
        [SCM_START_PENDING] = SERVICE_START_PENDING,
        [SCM_STOP_PENDING] = SERVICE_STOP_PENDING,
        [SCM_RUNNING] = SERVICE_RUNNING,
        [SCM_PAUSED] = SERVICE_PAUSED,
    };
    bool done;

    if (!service.is_service)
        return true;
    AcquireSRWLockExclusive(&service.lock);
    done = put_state(states[state], hint_of(wait_hint_ms));
    ReleaseSRWLockExclusive(&service.lock);
    return done;
}

void platform_scm_end(uint32_t win32_code, uint32_t service_code)
{
    if (!service.is_service)
        return;
    AcquireSRWLockExclusive(&service.lock);
    service.status.dwWin32ExitCode = win32_code;
    service.status.dwServiceSpecificExitCode = service_code;
    (void)put_state(SERVICE_STOPPED, 0);
    ReleaseSRWLockExclusive(&service.lock);
    (void)SetEvent(service.ended);
}

/* ---- Being asked ----------------------------------------------------------------------------- */

/* In a thread of the dispatcher's, which wants it back at once. */
static DWORD WINAPI on_control(DWORD control, DWORD type, void *data, void *context)
{
    (void)type;
    (void)data;
    (void)context;
    switch (control) {
    case SERVICE_CONTROL_STOP:
    case SERVICE_CONTROL_SHUTDOWN:
    case SERVICE_CONTROL_PRESHUTDOWN:
        AcquireSRWLockExclusive(&service.lock);
        (void)put_state(SERVICE_STOP_PENDING, FIRST_HINT_MS);
        ReleaseSRWLockExclusive(&service.lock);
        windows_post_ask(PLATFORM_ASK_STOP, 0);
        return NO_ERROR;
    case SERVICE_CONTROL_PARAMCHANGE:
        windows_post_ask(PLATFORM_ASK_HANGUP, 0);
        return NO_ERROR;
    case SERVICE_CONTROL_INTERROGATE:
        return NO_ERROR;
    default:
        return ERROR_CALL_NOT_IMPLEMENTED;
    }
}

/* ---- Beginning ------------------------------------------------------------------------------- */

static void WINAPI service_main(DWORD count, WCHAR **words)
{
    WCHAR none[] = L"";
    const WCHAR *name = count > 0 ? words[0] : none;

    service.handle = RegisterServiceCtrlHandlerExW(name, on_control, NULL);
    service.is_service =
            service.handle != NULL && windows_from_wide(name, service.name, sizeof service.name);
    if (service.is_service) {
        AcquireSRWLockExclusive(&service.lock);
        service.status.dwServiceType = SERVICE_WIN32_OWN_PROCESS;
        (void)put_state(SERVICE_START_PENDING, FIRST_HINT_MS);
        ReleaseSRWLockExclusive(&service.lock);
    }
    (void)SetEvent(service.connected);
    if (service.is_service)
        (void)WaitForSingleObject(service.ended, INFINITE);
}

static DWORD WINAPI dispatch(void *context)
{
    WCHAR none[] = L""; /* ours is a process of one service, whose name comes with its words */
    const SERVICE_TABLE_ENTRYW table[] = { { none, service_main }, { NULL, NULL } };

    (void)context;
    (void)StartServiceCtrlDispatcherW(table);
    (void)SetEvent(service.connected);
    return 0;
}

struct parents {
    int64_t wanted;
    int64_t parent;
    WCHAR image[64];
};

static bool find(void *context, const struct windows_process *process)
{
    struct parents *parents = context;

    if (process->pid != parents->wanted)
        return true;
    parents->parent = process->parent;
    memcpy(parents->image, process->image, sizeof parents->image);
    return false;
}

/* The dispatcher of a process that no manager has started fails, but who is to say when. */
static bool is_started_by_manager(void)
{
    struct parents self = { .wanted = (int64_t)GetCurrentProcessId() };
    struct parents manager = { .wanted = 0 };

    (void)windows_each_process(find, &self);
    manager.wanted = self.parent;
    if (self.parent > 0)
        (void)windows_each_process(find, &manager);
    return _wcsicmp(manager.image, L"services.exe") == 0;
}

static void connect_manager(void)
{
    HANDLE thread = NULL;

    service.connected = CreateEventW(NULL, TRUE, FALSE, NULL);
    service.ended = CreateEventW(NULL, TRUE, FALSE, NULL);
    if (service.connected != NULL && service.ended != NULL)
        thread = CreateThread(NULL, 0, dispatch, NULL, 0, NULL);
    if (thread == NULL)
        return;
    (void)WaitForSingleObject(service.connected, INFINITE);
    (void)CloseHandle(thread);
}

bool platform_scm_begin(char *ret_name, size_t size)
{
    if (!service.was_asked) {
        service.was_asked = true;
        if (is_started_by_manager())
            connect_manager();
    }
    return service.is_service && snprintf(ret_name, size, "%s", service.name) < (int)size;
}

/* ---- Words ----------------------------------------------------------------------------------- */

/* A service has no standard error.  Wine's C library cannot open again what was never open. */
static bool reopen_error(const WCHAR *path)
{
    bool done = _wfreopen(path, L"wb", stderr) != NULL;

#ifndef _UCRT
    if (!done) {
        FILE *file = _wfopen(path, L"wb");

        done = file != NULL;
        if (done)
            *stderr = *file;
    }
#endif
    return done;
}

int platform_scm_output(const char *path, struct err *err)
{
    WCHAR wide[WINDOWS_PATH_COUNT];

    if (!windows_to_path(path, wide))
        return err_set(err, ERR_FAILED, 0, "the path is too long: %.60s...", path);
    if (!reopen_error(wide))
        return err_set(err, windows_kind(GetLastError()), (long)GetLastError(),
                "cannot write to %s: %s", path, platform_error_text((long)GetLastError()));
    (void)setvbuf(stderr, NULL, _IONBF, 0);
    (void)SetStdHandle(STD_ERROR_HANDLE, (HANDLE)_get_osfhandle(_fileno(stderr)));
    return 0;
}
