/* This program started again, in the background or in this process's place; and what was given to
 * this one. */
#include <stdlib.h>
#include <string.h>

#include "str.h"
#include "windows_parts.h"

#include <userenv.h>

#include "banned.h"

#define GIVEN_VARIABLE L"SVCMGR_GIVEN"
#define GIVEN_TEXT     512 /* as many numbers as can be passed */

/* ---- Given handles --------------------------------------------------------------------------- */

static platform_handle given[PLATFORM_PASSED_MAX];
static size_t given_count;

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

/* Numbers with the mark of sockets, and a comma between any two. */
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

/* ---- In our place ---------------------------------------------------------------------------- */

/* Our own environment and a variable more; the caller frees it. */
static WCHAR *own_block(const WCHAR *variable)
{
    WCHAR *own = GetEnvironmentStringsW();
    WCHAR *copy = own != NULL ? add_to_block(own, variable) : NULL;

    if (own != NULL)
        (void)FreeEnvironmentStringsW(own);
    return copy;
}

/* The path that an open file has now, as CreateProcess() wants it. */
static bool find_path(platform_handle file, WCHAR ret_path[WINDOWS_PATH_COUNT])
{
    WCHAR wide[PLATFORM_PATH_BYTES];
    char path[PLATFORM_PATH_BYTES];
    DWORD length = GetFinalPathNameByHandleW(
            windows_handle(file), wide, PLATFORM_PATH_BYTES, FILE_NAME_NORMALIZED);

    return length > 0 && length < PLATFORM_PATH_BYTES &&
            windows_from_path(wide, path, sizeof path) && windows_to_path(path, ret_path);
}

/* Its end is told like a child's.  It is in no job of its own: it has to live when we do not. */
static int take_supervisor(const PROCESS_INFORMATION *process, struct err *err)
{
    struct windows_child *child = windows_add_child((int64_t)process->dwProcessId,
            windows_start_time(process->hProcess), process->hProcess, NULL);

    if (child != NULL && windows_watch_child(child))
        return 0;
    (void)TerminateProcess(process->hProcess, WINDOWS_KILL_CODE);
    if (child != NULL)
        windows_remove_child(child);
    else
        (void)CloseHandle(process->hProcess);
    return err_memory(err);
}

/* With our console, which it shares with the instance from then on, and in our process group: what
 * a console says to us it says to it. */
int platform_spawn_supervisor(platform_handle executable, const char *const *words,
        const platform_handle *passed, size_t count, int64_t *ret_pid, struct err *err)
{
    const platform_handle stdio[3] = { platform_standard_input(), platform_standard_output(),
        platform_standard_error() };
    struct windows_launch launch = { .count = 0 };
    PROCESS_INFORMATION process = { .hProcess = NULL };
    WCHAR file[WINDOWS_PATH_COUNT];
    WCHAR variable[GIVEN_TEXT];
    WCHAR *line = windows_join_words(words);
    WCHAR *block = name_given(passed, count, variable) ? own_block(variable) : NULL;
    DWORD code = 0;
    int result = -1;

    if (line == NULL || block == NULL) {
        err_memory(err);
        goto out;
    }
    if (!find_path(executable, file))
        code = ERROR_BAD_PATHNAME;
    else if (windows_launch_handles(&launch, stdio, passed, count, err) == -1)
        goto out;
    else
        code = windows_launch(&launch, file, line, block, NULL, 0, &process);
    if (code != 0) {
        err_set(err, windows_kind(code), (long)code, "cannot start the supervisor: %s",
                platform_error_text((long)code));
        goto out;
    }
    (void)CloseHandle(process.hThread);
    result = take_supervisor(&process, err);
    if (result == 0) {
        *ret_pid = (int64_t)process.dwProcessId;
        windows_channel_serves(*ret_pid);
    }
out:
    windows_launch_end(&launch);
    free(block);
    free(line);
    return result;
}
