/* Signals, as far as Windows has something like them, and what a process says of itself. */
#include <string.h>

#include "signals.h"
#include "str.h"
#include "windows_parts.h"

#include "banned.h"

/* The numbers are those that a shell on another system adds to 128. */
const struct signal_entry platform_signals[] = {
    { "INT", 2 },
    { "QUIT", 3 },
    { "ILL", 4 },
    { "TRAP", 5 },
    { "ABRT", 6 },
    { "BUS", 7 },
    { "FPE", 8 },
    { "KILL", 9 },
    { "SEGV", 11 },
    { "TERM", 15 },
    { NULL, 0 },
};

bool windows_is_stop(const char *name)
{
    return strcmp(name, "TERM") == 0 || strcmp(name, "INT") == 0 || strcmp(name, "QUIT") == 0;
}

int windows_check_signal(const char *name, struct err *err)
{
    if (windows_is_stop(name) || strcmp(name, "KILL") == 0)
        return 0;
    return err_set(err, ERR_FAILED, ERROR_NOT_SUPPORTED,
            "Windows has nothing like %s; there are TERM, INT and QUIT, which are Ctrl-Break and "
            "the "
            "closing of windows, and KILL",
            name);
}

static int fail_signal(int64_t pid, const char *name, DWORD code, struct err *err)
{
    return err_set(err, windows_kind(code), (long)code, "cannot send %s to process %lld: %s", name,
            (long long)pid, platform_error_text((long)code));
}

/* A process that ends refuses everything: TerminateProcess. */
static int kill_process(HANDLE process, int64_t pid, struct err *err)
{
    DWORD code;

    if (TerminateProcess(process, WINDOWS_KILL_CODE))
        return 0;
    code = GetLastError();
    return windows_has_ended(process) ? 0 : fail_signal(pid, "KILL", code, err);
}

static int ask_to_stop(HANDLE process, int64_t pid, const char *name, struct err *err)
{
    DWORD code = windows_send_break(pid) ? 0 : GetLastError();

    if (windows_close_windows(pid) > 0 || code == 0 || windows_has_ended(process))
        return 0;
    return err_set(err, ERR_FAILED, (long)code,
            "cannot send %s to process %lld: no Ctrl-Break went out (%s), and it has no window",
            name, (long long)pid, platform_error_text((long)code));
}

int platform_signal(const struct identity *identity, const char *name, struct err *err)
{
    struct windows_child *child = windows_find_child(identity->pid, identity->start_time);
    HANDLE process;
    int result = 0;

    if (windows_check_signal(name, err) == -1)
        return -1;
    if (child != NULL && (child->reaped || windows_has_ended(child->process)))
        return 0;
    process = child != NULL
            ? child->process
            : windows_open_process(identity->pid,
                      PROCESS_TERMINATE | PROCESS_QUERY_LIMITED_INFORMATION | SYNCHRONIZE);
    if (process == NULL) {
        DWORD code = GetLastError();

        return platform_is_gone(identity) ? 0 : fail_signal(identity->pid, name, code, err);
    }
    if (child != NULL && windows_is_stop(name))
        child->asked = platform_signal_number(name);
    else if (child != NULL)
        child->killed = true;
    if (windows_start_time(process) == identity->start_time && !windows_has_ended(process))
        result = windows_is_stop(name) ? ask_to_stop(process, identity->pid, name, err)
                                       : kill_process(process, identity->pid, err);
    if (child == NULL)
        (void)CloseHandle(process);
    return result;
}

/* ---- This process ---------------------------------------------------------------------------- */

int64_t platform_pid(void)
{
    return (int64_t)GetCurrentProcessId();
}

void platform_begin(void)
{
    static const DWORD numbers[] = { STD_INPUT_HANDLE, STD_OUTPUT_HANDLE, STD_ERROR_HANDLE };

    /* No dialogue where nobody sits. */
    (void)SetErrorMode(SEM_FAILCRITICALERRORS | SEM_NOOPENFILEERRORBOX);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        HANDLE handle = GetStdHandle(numbers[i]);

        if (handle == NULL || handle == INVALID_HANDLE_VALUE)
            (void)SetStdHandle(numbers[i], windows_open_null(false));
    }
    windows_take_given();
}

static BOOL WINAPI ignore_stop(DWORD event)
{
    (void)event;
    return TRUE;
}

void platform_ignore_stops(void)
{
    (void)SetConsoleCtrlHandler(ignore_stop, TRUE);
}

/* Whoever starts a process says which group it is in. */
void platform_leave_terminal_group(void)
{
}

void platform_become_reaper(void)
{
}

void platform_trim_stack(void)
{
}

bool platform_missing_interpreter(const char *path, char *ret_interpreter, size_t size)
{
    (void)path;
    (void)ret_interpreter;
    (void)size;
    return false;
}
