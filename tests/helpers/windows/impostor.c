#include "impostor.h"

#include <stdlib.h>
#include <string.h>

#include <windows.h>

/* What a supervisor says first to the one before it: docs/WINDOWS.md.  A message of 128 bytes that
 * begins with its kind, and room for a handle, which it does not have. */
#define FRAME_BYTES 776
#define KIND_HELLO  0
#define MARK        3

FILE *impostor_open_mode(void)
{
    WCHAR path[MAX_PATH + 8];
    WCHAR *end;

    (void)GetModuleFileNameW(NULL, path, MAX_PATH);
    end = wcsrchr(path, L'\\');
    if (end == NULL)
        return NULL;
    wcscpy(end + 1, L"mode");
    return _wfopen(path, L"r");
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
        exit(9);
    if (!GetOverlappedResult(channel, &overlapped, &written, TRUE))
        exit(9);
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
        exit(9);
}

int impostor_act(const char *mode, int argc, char **argv)
{
    if (strncmp(mode, "greets-", 7) == 0)
        greet();
    if (strcmp(mode, "greets-spoils") == 0)
        write_marker(argc, argv);
    if (strcmp(mode, "crash") == 0)
        /* As the system does it; without a debugger first, which would take as long as a hang. */
        (void)TerminateProcess(GetCurrentProcess(), STATUS_ACCESS_VIOLATION);
    if (strcmp(mode, "exit") == 0 || strcmp(mode, "greets-exit") == 0 ||
            strcmp(mode, "greets-spoils") == 0)
        return 7;
    Sleep(INFINITE);
    return 0;
}
