/* A listener that children get.
 *
 * A server attaches it to a completion port of its own, and there it stays when the server has
 * ended: CreateIoCompletionPort refuses the next one.  So it is taken off before that is started,
 * unless somebody may be using it still. */
#include "windows_parts.h"

#include <winternl.h>

#include "banned.h"

/* ntifs.h, since Windows 8.1: a port that is NULL takes the handle off the one it has. */
#define REPLACE_COMPLETION_INFORMATION 61

struct completion {
    HANDLE port;
    void *key;
};

typedef LONG WINAPI set_information(
        HANDLE handle, IO_STATUS_BLOCK *status, void *information, ULONG length, ULONG kind);

bool windows_detach_listener(platform_handle handle)
{
    FARPROC found = GetProcAddress(GetModuleHandleW(L"ntdll.dll"), "NtSetInformationFile");
    set_information *set = (set_information *)(void (*)(void))found;
    struct completion none = { .port = NULL };
    IO_STATUS_BLOCK status;

    return set != NULL &&
            set(windows_handle(handle), &status, &none, sizeof none,
                    REPLACE_COMPLETION_INFORMATION) >= 0;
}

static bool may_be_used(void)
{
    for (const struct windows_child *child = windows_first_child(); child != NULL;
            child = child->next)
        if (child->was_passed && !windows_is_job_empty(child->job))
            return true;
    return false;
}

void windows_detach_listeners(const platform_handle *passed, size_t count)
{
    if (count == 0 || may_be_used())
        return;
    for (size_t i = 0; i < count; i++)
        if (windows_is_socket(passed[i]))
            (void)windows_detach_listener(passed[i]);
}
