/* Asking a program to stop: Ctrl-Break through the console that it shares with us, and the closing
 * of its windows; and what the console asks of us. */
#include <stddef.h>

#include "windows_parts.h"

#include "banned.h"

/* A console that nobody sees: ours to share, and no terminal. */
static bool is_hidden;

void windows_need_console(void)
{
    static const DWORD numbers[] = { STD_INPUT_HANDLE, STD_OUTPUT_HANDLE, STD_ERROR_HANDLE };
    HANDLE kept[sizeof numbers / sizeof numbers[0]];
    HWND window;

    if (GetConsoleCP() != 0)
        return; /* there is one */
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        kept[i] = GetStdHandle(numbers[i]);
    is_hidden = AllocConsole() != 0;
    window = is_hidden ? GetConsoleWindow() : NULL;
    if (window != NULL)
        (void)ShowWindow(window, SW_HIDE);
    /* It puts itself in their place: AllocConsole. */
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        (void)SetStdHandle(numbers[i], kept[i]);
}

bool platform_has_terminal(void)
{
    return !is_hidden && GetConsoleCP() != 0;
}

/* Ctrl-C cannot be aimed at a group: GenerateConsoleCtrlEvent. */
bool windows_send_break(int64_t group)
{
    return group > 0 && GenerateConsoleCtrlEvent(CTRL_BREAK_EVENT, (DWORD)group);
}

struct closing {
    DWORD pid;
    size_t count;
};

static BOOL CALLBACK close_window(HWND window, LPARAM context)
{
    struct closing *closing = (struct closing *)context;
    DWORD pid = 0;

    (void)GetWindowThreadProcessId(window, &pid);
    if (pid == closing->pid && PostMessageW(window, WM_CLOSE, 0, 0))
        closing->count++;
    return TRUE;
}

size_t windows_close_windows(int64_t pid)
{
    struct closing closing = { .pid = (DWORD)pid };

    (void)EnumWindows(close_window, (LPARAM)&closing);
    return closing.count;
}

/* ---- What we are asked ----------------------------------------------------------------------- */

/* In a thread of the system's. */
static BOOL WINAPI on_event(DWORD event)
{
    windows_post_ask(
            PLATFORM_ASK_STOP, platform_signal_number(event == CTRL_C_EVENT ? "INT" : "TERM"));
    /* A console that closes, and a system that ends, end us when this returns: HandlerRoutine.
     * Until they lose patience there is time to stop what we have started. */
    if (event != CTRL_C_EVENT && event != CTRL_BREAK_EVENT)
        (void)WaitForSingleObject(GetCurrentProcess(), INFINITE);
    return TRUE;
}

void windows_take_asks(void)
{
    (void)SetConsoleCtrlHandler(NULL, FALSE); /* whatever the launcher had ignored */
    (void)SetConsoleCtrlHandler(on_event, TRUE);
}
