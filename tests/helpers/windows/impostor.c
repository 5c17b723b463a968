/* A program in svcmgr's place that says what a new version would say of itself, and then does not
 * take over: what it does instead is the first word in the file "mode" beside it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <windows.h>

/* What a supervisor says first to the one before it: docs/WINDOWS.md.  A message of 128 bytes that
 * begins with its kind, and room for a handle, which it does not have. */
#define FRAME_BYTES 776
#define KIND_HELLO  0
#define MARK        3

static void read_mode(char *ret_mode, int size)
{
    WCHAR path[MAX_PATH + 8];
    WCHAR *end;
    FILE *file;

    ret_mode[0] = '\0';
    (void)GetModuleFileNameW(NULL, path, MAX_PATH);
    end = wcsrchr(path, L'\\');
    if (end == NULL)
        return;
    wcscpy(end + 1, L"mode");
    file = _wfopen(path, L"r");
    if (file == NULL)
        return;
    if (fgets(ret_mode, size, file) == NULL)
        ret_mode[0] = '\0';
    ret_mode[strcspn(ret_mode, "\n")] = '\0';
    (void)fclose(file);
}

static int checks_itself(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "self-check") == 0)
            return 1;
    return 0;
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

int main(int argc, char **argv)
{
    char mode[64];

    read_mode(mode, sizeof mode);
    if (checks_itself(argc, argv) && strncmp(mode, "check-", 6) != 0) {
        (void)puts("svcmgr 9.9.9");
        return 0;
    }
    if (strcmp(mode, "check-fails") == 0) {
        (void)puts("the record is of an unknown kind");
        return 1;
    }
    if (strcmp(mode, "check-lies") == 0) {
        (void)puts("hello");
        return 0;
    }
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
