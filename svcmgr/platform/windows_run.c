/* Programs that are no instance: our own in the background, and others that are run to their end;
 * and what was given to this one. */
#include <stdlib.h>
#include <string.h>

#include "str.h"
#include "windows_parts.h"

#include <userenv.h>

#include "banned.h"

#define GIVEN_VARIABLE L"SVCMGR_GIVEN"
#define GIVEN_TEXT     512 /* as many numbers as can be passed */

HANDLE windows_open_null(bool inherited)
{
    SECURITY_ATTRIBUTES security = { .nLength = sizeof security, .bInheritHandle = inherited };
    HANDLE handle = CreateFileW(L"NUL", GENERIC_READ | GENERIC_WRITE,
            FILE_SHARE_READ | FILE_SHARE_WRITE, &security, OPEN_EXISTING, 0, NULL);

    return handle == INVALID_HANDLE_VALUE ? NULL : handle;
}

/* ---- Given handles --------------------------------------------------------------------------- */

static platform_handle given[PLATFORM_PASSED_MAX];
static size_t given_count;

/* Numbers with the mark of sockets, and a comma between any two. */
/* An inherited socket is used through a descriptor of this process's own: Wine 8 knows no other one
 * in getsockopt(), WSAPoll() and closesocket(). */
static platform_handle import_socket(platform_handle inherited)
{
    platform_handle made;
    struct err err;

    if (!windows_is_socket(inherited) || !windows_sockets_begin() ||
            platform_duplicate(inherited, &made, &err) == -1)
        return inherited;
    if (closesocket(windows_socket(inherited)) != 0)
        (void)CloseHandle(windows_handle(inherited));
    return made;
}

void windows_take_given(void)
{
    WCHAR wide[GIVEN_TEXT];
    char text[GIVEN_TEXT];
    const char *at = text;
    DWORD count = GetEnvironmentVariableW(GIVEN_VARIABLE, wide, GIVEN_TEXT);

    (void)SetEnvironmentVariableW(GIVEN_VARIABLE, NULL);
    if (count == 0 || count >= GIVEN_TEXT || !windows_from_wide(wide, text, sizeof text))
        return;
    while (given_count < PLATFORM_PASSED_MAX && *at != '\0') {
        char number[24];
        size_t length = strcspn(at, ",");
        uint64_t value;

        if (!str_format(number, sizeof number, "%.*s", (int)length, at) ||
                !str_to_uint(number, INT32_MAX, &value) ||
                !SetHandleInformation(
                        windows_handle((platform_handle)value), HANDLE_FLAG_INHERIT, 0))
            return;
        given[given_count++] = import_socket((platform_handle)value);
        at += length;
        at += *at == ',';
    }
}

platform_handle platform_given(size_t index)
{
    return index < given_count ? given[index] : PLATFORM_NO_HANDLE;
}

static bool name_given(const platform_handle *passed, size_t count, WCHAR ret_text[GIVEN_TEXT])
{
    char text[GIVEN_TEXT] = "SVCMGR_GIVEN=";
    size_t length = strlen(text);

    for (size_t i = 0; i < count; i++) {
        if (!str_format(text + length, sizeof text - length, "%s%lld", i > 0 ? "," : "",
                    (long long)passed[i]))
            return false;
        length += strlen(text + length);
    }
    return windows_to_wide(text, ret_text, GIVEN_TEXT);
}

/* ---- In the background ----------------------------------------------------------------------- */

/* A copy of a block with one more variable, at its place in the order; the caller frees it. */
static WCHAR *add_to_block(const WCHAR *block, const WCHAR *variable)
{
    size_t added = wcslen(variable) + 1;
    const WCHAR *place = NULL;
    const WCHAR *end = block;
    WCHAR *copy;

    for (; *end != L'\0'; end += wcslen(end) + 1)
        if (place == NULL && CompareStringOrdinal(end, -1, variable, -1, TRUE) == CSTR_GREATER_THAN)
            place = end;
    if (place == NULL)
        place = end;
    copy = malloc(((size_t)(end - block) + added + 1) * sizeof *copy);
    if (copy == NULL)
        return NULL;
    memcpy(copy, block, (size_t)(place - block) * sizeof *copy);
    memcpy(copy + (place - block), variable, added * sizeof *copy);
    memcpy(copy + (place - block) + added, place, (size_t)(end - place + 1) * sizeof *copy);
    return copy;
}

/* The account's own environment and nothing of the caller's; the caller frees it. */
static WCHAR *base_block(const WCHAR *variable)
{
    HANDLE token = NULL;
    void *block = NULL;
    WCHAR *copy = NULL;

    if (OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY | TOKEN_DUPLICATE, &token) &&
            CreateEnvironmentBlock(&block, token, FALSE)) {
        copy = add_to_block(block, variable);
        (void)DestroyEnvironmentBlock(block);
    }
    if (token != NULL)
        (void)CloseHandle(token);
    return copy;
}

/* A caller's job may end with the caller (a remote shell's does): out of it where that is allowed.
 */
static DWORD launch_outside(struct windows_launch *launch, const WCHAR *file, WCHAR *line,
        WCHAR *block, const WCHAR *directory, PROCESS_INFORMATION *ret_process)
{
    const DWORD flags = CREATE_NO_WINDOW | CREATE_NEW_PROCESS_GROUP;
    BOOL inside = FALSE;
    DWORD code;

    if (!IsProcessInJob(GetCurrentProcess(), NULL, &inside) || !inside)
        return windows_launch(launch, file, line, block, directory, flags, ret_process);
    code = windows_launch(
            launch, file, line, block, directory, flags | CREATE_BREAKAWAY_FROM_JOB, ret_process);
    if (code != ERROR_ACCESS_DENIED)
        return code;
    return windows_launch(launch, file, line, block, directory, flags, ret_process);
}

int platform_spawn_background(const char *const *words, const platform_handle *passed,
        size_t passed_count, struct err *err)
{
    const platform_handle none[3] = { PLATFORM_NO_HANDLE, PLATFORM_NO_HANDLE, PLATFORM_NO_HANDLE };
    struct windows_launch launch = { .count = 0 };
    WCHAR file[PLATFORM_PATH_BYTES];
    WCHAR directory[MAX_PATH];
    WCHAR variable[GIVEN_TEXT];
    WCHAR *line = windows_join_words(words);
    WCHAR *block = NULL;
    PROCESS_INFORMATION process = { .hProcess = NULL };
    int result = -1;
    DWORD code;

    if (passed_count > PLATFORM_PASSED_MAX || !name_given(passed, passed_count, variable)) {
        err_set(err, ERR_FAILED, 0, "too many sockets to pass");
        goto out;
    }
    block = base_block(variable);
    if (line == NULL || block == NULL) {
        err_memory(err);
        goto out;
    }
    if (GetModuleFileNameW(NULL, file, PLATFORM_PATH_BYTES) == 0 ||
            GetWindowsDirectoryW(directory, MAX_PATH) == 0) {
        code = GetLastError();
        err_set(err, ERR_FAILED, (long)code, "cannot start the supervisor: %s",
                platform_error_text((long)code));
        goto out;
    }
    directory[3] = L'\0'; /* "C:\": the root of the system's drive */
    if (windows_launch_handles(&launch, none, passed, passed_count, err) == -1)
        goto out;
    code = launch_outside(&launch, file, line, block, directory, &process);
    if (code != 0) {
        err_set(err, windows_kind(code), (long)code, "cannot start the supervisor: %s",
                platform_error_text((long)code));
        goto out;
    }
    (void)CloseHandle(process.hThread);
    (void)CloseHandle(process.hProcess);
    result = 0;
out:
    windows_launch_end(&launch);
    free(block);
    free(line);
    return result;
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
