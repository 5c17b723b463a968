/* The child of the tests for Windows: does one thing and says so on its standard output. */
#include <winsock2.h>

#include <windows.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void say(const char *text)
{
    (void)fputs(text, stdout);
    (void)fputc('\n', stdout);
    (void)fflush(stdout);
}

static void say_number(unsigned long long number)
{
    char text[32];

    (void)snprintf(text, sizeof text, "%llu", number);
    say(text);
}

static int hang(void)
{
    say("ready");
    return (int)WaitForSingleObject(GetCurrentProcess(), INFINITE);
}

static int hang_without(const char *what)
{
    (void)printf("no %s\n", what);
    (void)fflush(stdout);
    return (int)WaitForSingleObject(GetCurrentProcess(), INFINITE);
}

static BOOL WINAPI on_break(DWORD event)
{
    if (event != CTRL_BREAK_EVENT)
        return FALSE;
    say("break");
    ExitProcess(42);
}

static int wait_for_break(void)
{
    (void)SetConsoleCtrlHandler(on_break, TRUE);
    return hang();
}

/* Starts another one that hangs, as far from itself as it can, and says who that is. */
static int leave(bool ends, DWORD flags)
{
    WCHAR line[MAX_PATH + 16];
    WCHAR file[MAX_PATH];
    STARTUPINFOW start = { .cb = sizeof start };
    PROCESS_INFORMATION process;

    (void)GetModuleFileNameW(NULL, file, MAX_PATH);
    (void)_snwprintf(line, sizeof line / sizeof line[0], L"\"%ls\" sleep", file);
    if (!CreateProcessW(file, line, NULL, NULL, FALSE, flags, NULL, NULL, &start, &process)) {
        (void)printf("error %lu\n", GetLastError());
        return 1;
    }
    say_number(process.dwProcessId);
    return ends ? 0 : hang();
}

static LRESULT CALLBACK on_message(HWND window, UINT message, WPARAM w, LPARAM l)
{
    if (message == WM_CLOSE) {
        PostQuitMessage(7);
        return 0;
    }
    return DefWindowProcW(window, message, w, l);
}

static int wait_for_close(void)
{
    WNDCLASSW class = { .lpfnWndProc = on_message, .lpszClassName = L"svcmgr-test" };
    MSG message;

    if (RegisterClassW(&class) == 0 ||
            CreateWindowW(class.lpszClassName, L"test", WS_OVERLAPPEDWINDOW, 0, 0, 10, 10, NULL,
                    NULL, NULL, NULL) == NULL)
        return hang_without("window");
    say("ready");
    while (GetMessageW(&message, NULL, 0, 0) > 0)
        (void)DispatchMessageW(&message);
    return (int)message.wParam;
}

/* Takes one connection of a socket that listens, which was inherited, and says hello there. */
static int serve(const char *number)
{
    SOCKET listener = (SOCKET)strtoull(number, NULL, 10);
    WSADATA data;
    SOCKET peer;

    if (WSAStartup(MAKEWORD(2, 2), &data) != 0)
        return 1;
    say("ready");
    peer = accept(listener, NULL, NULL);
    return peer != INVALID_SOCKET && send(peer, "hello", 5, 0) == 5 ? 0 : 1;
}

static int say_stdin(void)
{
    char text[8];

    say(fgets(text, sizeof text, stdin) == NULL ? "end" : "text");
    return 0;
}

static int say_handle(const char *number)
{
    DWORD flags;
    HANDLE handle = (HANDLE)(intptr_t)strtoull(number, NULL, 10);

    say(GetHandleInformation(handle, &flags) ? "there" : "none");
    return 0;
}

static int say_place(void)
{
    WCHAR path[MAX_PATH];
    char text[MAX_PATH * 3];

    (void)GetCurrentDirectoryW(MAX_PATH, path);
    (void)WideCharToMultiByte(CP_UTF8, 0, path, -1, text, sizeof text, NULL, NULL);
    say(text);
    return 0;
}

static int say_variable(const char *name)
{
    WCHAR wide_name[64];
    WCHAR value[512];
    char text[512 * 3] = "(none)";

    (void)MultiByteToWideChar(CP_UTF8, 0, name, -1, wide_name, 64);
    if (GetEnvironmentVariableW(wide_name, value, 512) > 0)
        (void)WideCharToMultiByte(CP_UTF8, 0, value, -1, text, sizeof text, NULL, NULL);
    say(text);
    return 0;
}

/* Its words from the second on, as the C library took them apart. */
static int say_words(int count, WCHAR **words)
{
    char text[512 * 3];

    for (int i = 2; i < count; i++) {
        (void)WideCharToMultiByte(CP_UTF8, 0, words[i], -1, text, sizeof text, NULL, NULL);
        say(text);
    }
    return 0;
}

static int use_memory(const char *megabytes)
{
    return VirtualAlloc(NULL, (SIZE_T)atoi(megabytes) << 20, MEM_RESERVE | MEM_COMMIT,
                   PAGE_READWRITE) != NULL
            ? 0
            : 3;
}

static HANDLE open_console(const WCHAR *name)
{
    return CreateFileW(name, GENERIC_READ | GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE, NULL,
            OPEN_EXISTING, 0, NULL);
}

/* How large its terminal is, and then whatever line is typed there; by the terminal's name, since
 * Wine 8 leaves the standard handles of a process on a pseudo-console empty. */
static int use_terminal(void)
{
    HANDLE screen = open_console(L"CONOUT$");
    CONSOLE_SCREEN_BUFFER_INFO info;
    char line[64] = "";
    char text[128];
    DWORD length;

    if (!GetConsoleScreenBufferInfo(screen, &info))
        return 4;
    (void)snprintf(text, sizeof text, "size=%dx%d\r\n",
            info.srWindow.Right - info.srWindow.Left + 1,
            info.srWindow.Bottom - info.srWindow.Top + 1);
    (void)WriteFile(screen, text, (DWORD)strlen(text), &length, NULL);
    if (!ReadFile(open_console(L"CONIN$"), line, sizeof line - 1, &length, NULL))
        return 5;
    line[strcspn(line, "\r\n")] = '\0';
    (void)snprintf(text, sizeof text, "typed=%s.\r\n", line);
    (void)WriteFile(screen, text, (DWORD)strlen(text), &length, NULL);
    return hang();
}

int wmain(int count, WCHAR **words);
int wmain(int count, WCHAR **words)
{
    char what[32] = "";
    char first[64] = "";

    if (count > 1)
        (void)WideCharToMultiByte(CP_UTF8, 0, words[1], -1, what, sizeof what, NULL, NULL);
    if (count > 2)
        (void)WideCharToMultiByte(CP_UTF8, 0, words[2], -1, first, sizeof first, NULL, NULL);
    if (strcmp(what, "exit") == 0)
        ExitProcess((UINT)strtoul(first, NULL, 0));
    if (strcmp(what, "hang") == 0)
        return hang();
    if (strcmp(what, "sleep") == 0)
        return (int)WaitForSingleObject(GetCurrentProcess(), INFINITE);
    if (strcmp(what, "break") == 0)
        return wait_for_break();
    if (strcmp(what, "close") == 0)
        return wait_for_close();
    if (strcmp(what, "leave") == 0)
        return leave(true, CREATE_NEW_PROCESS_GROUP | DETACHED_PROCESS);
    if (strcmp(what, "parent") == 0)
        return leave(false, CREATE_NEW_PROCESS_GROUP | DETACHED_PROCESS);
    if (strcmp(what, "flee") == 0)
        return leave(true, CREATE_BREAKAWAY_FROM_JOB);
    if (strcmp(what, "serve") == 0)
        return serve(first);
    if (strcmp(what, "stdin") == 0)
        return say_stdin();
    if (strcmp(what, "handle") == 0)
        return say_handle(first);
    if (strcmp(what, "place") == 0)
        return say_place();
    if (strcmp(what, "variable") == 0)
        return say_variable(first);
    if (strcmp(what, "words") == 0)
        return say_words(count, words);
    if (strcmp(what, "memory") == 0)
        return use_memory(first);
    if (strcmp(what, "terminal") == 0)
        return use_terminal();
    if (strcmp(what, "echo") == 0) {
        say(first);
        return hang();
    }
    if (strcmp(what, "pid") == 0) {
        say_number(GetCurrentProcessId());
        return 0;
    }
    return 99;
}
