#include "impostor.h"

#include <stdlib.h>
#include <string.h>

#include <windows.h>

/* What a supervisor says first to the one before it: docs/WINDOWS.md.  A message of 128 bytes that
 * begins with its kind, and room for a handle, which it does not have. */
#define FRAME_BYTES 776
#define KIND_HELLO  0
#define MARK        3

#define CANNOT   9
#define IS_CHILD "IMPOSTOR_IS_CHILD"

static WCHAR own_path[MAX_PATH];

/* The path of a file beside us. */
static void find(const WCHAR *name, WCHAR ret_path[MAX_PATH])
{
    WCHAR *end;

    (void)GetModuleFileNameW(NULL, own_path, MAX_PATH);
    (void)wcscpy(ret_path, own_path);
    end = wcsrchr(ret_path, L'\\');
    if (end == NULL || (size_t)(end - ret_path) + wcslen(name) + 2 > MAX_PATH)
        exit(CANNOT);
    (void)wcscpy(end + 1, name);
}

FILE *impostor_open_mode(void)
{
    WCHAR path[MAX_PATH];

    find(L"mode", path);
    return _wfopen(path, L"r");
}

/* As the system does it; without a debugger first, which would take as long as a hang. */
_Noreturn void impostor_crash(void)
{
    (void)TerminateProcess(GetCurrentProcess(), STATUS_ACCESS_VIOLATION);
    abort();
}

_Noreturn static void hang(void)
{
    for (;;)
        Sleep(INFINITE);
}

/* The child is called with the same words, and has no child. */
_Noreturn void impostor_hang_with_child(void)
{
    STARTUPINFOW info = { .cb = sizeof info };
    PROCESS_INFORMATION made;

    if (getenv(IS_CHILD) == NULL &&
            (!SetEnvironmentVariableA(IS_CHILD, "1") ||
                    !CreateProcessW(own_path, GetCommandLineW(), NULL, NULL, FALSE, 0, NULL, NULL,
                            &info, &made)))
        exit(CANNOT);
    hang();
}

/* Nobody writes to a program that runs or removes it, but it can be renamed. */
void impostor_change(void)
{
    WCHAR former[MAX_PATH], other[MAX_PATH];

    find(L"former", former);
    find(L"other", other);
    if (!MoveFileW(own_path, former) || !MoveFileW(other, own_path))
        exit(CANNOT);
}

static void greet(void)
{
    static char frame[FRAME_BYTES] = { KIND_HELLO };
    const char *given = getenv("SVCMGR_GIVEN");
    HANDLE channel =
            (HANDLE)(given != NULL ? strtoull(given, NULL, 10) & ~(unsigned long long)MARK : 0);
    OVERLAPPED overlapped = { .hEvent = CreateEventW(NULL, TRUE, FALSE, NULL) };
    DWORD written;

    if (!WriteFile(channel, frame, sizeof frame, NULL, &overlapped) &&
            GetLastError() != ERROR_IO_PENDING)
        exit(CANNOT);
    if (!GetOverlappedResult(channel, &overlapped, &written, TRUE))
        exit(CANNOT);
}

/* A marker of its own, as a supervisor writes it before it takes over. */
static void write_marker(int argc, char **argv)
{
    char path[MAX_PATH] = "";
    FILE *file;

    for (int i = 1; i + 1 < argc; i++)
        if (strcmp(argv[i], "--state") == 0)
            (void)snprintf(path, sizeof path, "%s/control.json", argv[i + 1]);
    file = fopen(path, "w");
    if (file == NULL || fputs("{\"port\":1}\n", file) < 0 || fclose(file) != 0)
        exit(CANNOT);
}

int impostor_act(const char *mode, int argc, char **argv)
{
    if (strncmp(mode, "greets-", 7) == 0)
        greet();
    if (strcmp(mode, "greets-spoils") == 0)
        write_marker(argc, argv);
    if (strcmp(mode, "crash") == 0)
        impostor_crash();
    if (strcmp(mode, "exit") == 0 || strcmp(mode, "greets-exit") == 0 ||
            strcmp(mode, "greets-spoils") == 0)
        return 7;
    hang();
}
