/* Handles of every kind. */
#include "windows_parts.h"

#include "banned.h"

void platform_close(platform_handle handle)
{
    if (handle == PLATFORM_NO_HANDLE)
        return;
    if (windows_is_socket(handle))
        (void)closesocket(windows_socket(handle));
    else
        (void)CloseHandle(windows_handle(handle));
}

static int fail_duplicate(DWORD code, struct err *err)
{
    return err_set(err, ERR_FAILED, (long)code, "cannot duplicate a handle: %s",
            platform_error_text((long)code));
}

/* DuplicateHandle() is not for sockets: what a provider keeps beside the handle would be missing.
 */
static int duplicate_socket(platform_handle handle, platform_handle *ret_handle, struct err *err)
{
    WSAPROTOCOL_INFOW info;
    SOCKET copy;

    if (WSADuplicateSocketW(windows_socket(handle), GetCurrentProcessId(), &info) != 0)
        return fail_duplicate((DWORD)WSAGetLastError(), err);
    copy = windows_open_described(&info);
    if (copy == INVALID_SOCKET)
        return fail_duplicate((DWORD)WSAGetLastError(), err);
    *ret_handle = windows_of_socket(copy);
    return 0;
}

int platform_duplicate(platform_handle handle, platform_handle *ret_handle, struct err *err)
{
    HANDLE copy;

    if (windows_is_socket(handle))
        return duplicate_socket(handle, ret_handle, err);
    if (handle == PLATFORM_NO_HANDLE) /* which would be this process: GetCurrentProcess() */
        return fail_duplicate(ERROR_INVALID_HANDLE, err);
    if (!DuplicateHandle(GetCurrentProcess(), windows_handle(handle), GetCurrentProcess(), &copy, 0,
                FALSE, DUPLICATE_SAME_ACCESS))
        return fail_duplicate(GetLastError(), err);
    *ret_handle = windows_of_handle(copy);
    return 0;
}

void platform_empty(platform_handle handle)
{
    FILE_END_OF_FILE_INFO end = { .EndOfFile = { .QuadPart = 0 } };
    HANDLE writer;

    if (windows_is_socket(handle) ||
            SetFileInformationByHandle(windows_handle(handle), FileEndOfFileInfo, &end, sizeof end))
        return;
    /* One that may only append has no right to this. */
    writer = ReOpenFile(windows_handle(handle), FILE_WRITE_DATA,
            FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, 0);
    if (writer != INVALID_HANDLE_VALUE) {
        (void)SetFileInformationByHandle(writer, FileEndOfFileInfo, &end, sizeof end);
        (void)CloseHandle(writer);
    }
}

platform_handle platform_standard_input(void)
{
    return windows_of_handle(GetStdHandle(STD_INPUT_HANDLE));
}

platform_handle platform_standard_output(void)
{
    return windows_of_handle(GetStdHandle(STD_OUTPUT_HANDLE));
}

platform_handle platform_standard_error(void)
{
    return windows_of_handle(GetStdHandle(STD_ERROR_HANDLE));
}
