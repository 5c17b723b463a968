/* Programs that are no instance and are run to their end; and this program itself. */
#include <stdlib.h>

#include "windows_parts.h"

#include "banned.h"

HANDLE windows_open_null(bool inherited)
{
    SECURITY_ATTRIBUTES security = { .nLength = sizeof security, .bInheritHandle = inherited };
    HANDLE handle = CreateFileW(L"NUL", GENERIC_READ | GENERIC_WRITE,
            FILE_SHARE_READ | FILE_SHARE_WRITE, &security, OPEN_EXISTING, 0, NULL);

    return handle == INVALID_HANDLE_VALUE ? NULL : handle;
}

/* ---- To its end ------------------------------------------------------------------------------ */

static int start(const char *const *words, const platform_handle stdio[3], DWORD flags,
        HANDLE *ret_process, struct err *err)
{
    struct windows_launch launch = { .count = 0 };
    WCHAR file[WINDOWS_PATH_COUNT];
    WCHAR *line = windows_join_words(words);
    PROCESS_INFORMATION process = { .hProcess = NULL };
    int result = -1;
    DWORD code;

    if (line == NULL)
        return err_memory(err);
    if (!windows_to_path(words[0], file)) {
        err_set(err, ERR_FAILED, 0, "cannot run %s: its path is too long", words[0]);
        goto out;
    }
    if (windows_launch_handles(&launch, stdio, NULL, 0, err) == -1)
        goto out;
    code = windows_launch(&launch, file, line, NULL, NULL, flags, &process);
    if (code != 0) {
        err_set(err, ERR_FAILED, (long)code, "cannot run %s: %s", words[0],
                platform_error_text((long)code));
        goto out;
    }
    (void)CloseHandle(process.hThread);
    *ret_process = process.hProcess;
    result = 0;
out:
    windows_launch_end(&launch);
    free(line);
    return result;
}

/* Waits for its end and closes the handle. */
static int exit_code(HANDLE process)
{
    struct platform_exit how = { .code = 127 };
    DWORD code;

    if (WaitForSingleObject(process, INFINITE) == WAIT_OBJECT_0 &&
            GetExitCodeProcess(process, &code))
        windows_fill_exit(code, 0, false, &how);
    (void)CloseHandle(process);
    return how.by_signal > 0 ? 128 + how.by_signal : how.code;
}

int platform_run(const char *const *words, int *ret_code, struct err *err)
{
    const platform_handle stdio[3] = { platform_standard_input(), platform_standard_output(),
        platform_standard_error() };
    HANDLE process;

    if (start(words, stdio, 0, &process, err) == -1)
        return -1;
    *ret_code = exit_code(process);
    return 0;
}

/* Reads what comes next, for at most so long: its length, 0 at the end, -1 when time is up. */
static long read_piece(HANDLE handle, void *ret_data, size_t size, int64_t timeout_ms)
{
    OVERLAPPED overlapped = { .hEvent = CreateEventW(NULL, TRUE, FALSE, NULL) };
    DWORD wait_ms = timeout_ms <= 0 ? 0 : timeout_ms >= INFINITE ? INFINITE - 1 : (DWORD)timeout_ms;
    DWORD got = 0;
    long result = 0;

    if (overlapped.hEvent == NULL)
        return -1;
    if (ReadFile(handle, ret_data, (DWORD)size, NULL, &overlapped) ||
            GetLastError() == ERROR_IO_PENDING) {
        bool timed_out = WaitForSingleObject(overlapped.hEvent, wait_ms) != WAIT_OBJECT_0;

        if (timed_out)
            (void)CancelIoEx(handle, &overlapped);
        if (GetOverlappedResult(handle, &overlapped, &got, TRUE))
            result = (long)got;
        else
            result = timed_out ? -1 : 0;
    }
    (void)CloseHandle(overlapped.hEvent);
    return result;
}

static int capture(const char *const *words, bool all, int64_t timeout_ms, size_t limit,
        struct buffer *out, int *ret_code, struct err *err)
{
    int64_t deadline_ms = platform_now_ms() + timeout_ms;
    platform_handle ends[2];
    platform_handle stdio[3] = { PLATFORM_NO_HANDLE, PLATFORM_NO_HANDLE, PLATFORM_NO_HANDLE };
    HANDLE process;
    long got = 1;
    int result;

    if (platform_pipe(&ends[0], &ends[1], err) == -1)
        return -1;
    stdio[1] = ends[1];
    stdio[2] = all ? ends[1] : PLATFORM_NO_HANDLE;
    result = start(words, stdio, CREATE_NO_WINDOW, &process, err);
    platform_close(ends[1]);
    while (result == 0 && got > 0 && out->length < limit) {
        char piece[1024];

        got = read_piece(
                windows_handle(ends[0]), piece, sizeof piece, deadline_ms - platform_now_ms());
        if (got > 0)
            buffer_append(out, piece, (size_t)got);
    }
    platform_close(ends[0]);
    if (result == -1)
        return -1;
    if (got != 0)
        (void)TerminateProcess(process, WINDOWS_KILL_CODE);
    *ret_code = exit_code(process);
    if (got != 0 || out->failed)
        return err_set(err, ERR_FAILED, 0, "%s did not end in time", words[0]);
    return 0;
}

int platform_capture(const char *const *words, int64_t timeout_ms, size_t limit, struct buffer *out,
        int *ret_code, struct err *err)
{
    return capture(words, false, timeout_ms, limit, out, ret_code, err);
}

int platform_capture_all(const char *const *words, int64_t timeout_ms, size_t limit,
        struct buffer *out, int *ret_code, struct err *err)
{
    return capture(words, true, timeout_ms, limit, out, ret_code, err);
}

int platform_read_all(
        platform_handle handle, char *ret_data, size_t size, size_t *ret_length, struct err *err)
{
    size_t length = 0;
    long got;

    while ((got = length < size ? read_piece(windows_handle(handle), ret_data + length,
                                          size - length, INFINITE - 1)
                                : 1) > 0) {
        if (length == size)
            return err_set(err, ERR_FAILED, 0, "there is more in a pipe than %zu bytes", size);
        length += (size_t)got;
    }
    *ret_length = length;
    return 0;
}

/* ---- This program ---------------------------------------------------------------------------- */

bool platform_executable(char *ret_path, size_t size)
{
    WCHAR wide[PLATFORM_PATH_BYTES];
    DWORD length = GetModuleFileNameW(NULL, wide, PLATFORM_PATH_BYTES);

    return length > 0 && length < PLATFORM_PATH_BYTES && windows_from_wide(wide, ret_path, size);
}

/* A program that runs can be renamed, but neither written to nor removed. */
static int open_program(const WCHAR *path, platform_handle *ret_handle)
{
    HANDLE handle = CreateFileW(path, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_DELETE, NULL,
            OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL, NULL);

    if (handle == INVALID_HANDLE_VALUE)
        return -1;
    *ret_handle = windows_of_handle(handle);
    return 0;
}

platform_handle platform_open_executable(void)
{
    WCHAR path[PLATFORM_PATH_BYTES];
    platform_handle handle;

    if (GetModuleFileNameW(NULL, path, PLATFORM_PATH_BYTES) == 0 ||
            open_program(path, &handle) == -1)
        return PLATFORM_NO_HANDLE;
    return handle;
}

int platform_open_program(const char *path, platform_handle *ret_handle, struct err *err)
{
    WCHAR wide[WINDOWS_PATH_COUNT];
    DWORD code;

    if (windows_to_path(path, wide) && open_program(wide, ret_handle) == 0)
        return 0;
    code = GetLastError();
    return err_set(err, windows_kind(code), (long)code, "cannot open %s: %s", path,
            platform_error_text((long)code));
}
