#include "misbehave.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <windows.h>
#include <winternl.h>

#include <tlhelp32.h>

#define LINE_BYTES   4096
#define HANDLE_MAX   4096 /* they are multiples of four, from four on */
#define OBJECT_BYTES 2048

void word_pids(char **arguments)
{
    settings.pids = arguments[0];
}

/* ---- Trees ----------------------------------------------------------------------------------- */

static void start(long long depth, long long width, DWORD flags)
{
    STARTUPINFOA info = { .cb = sizeof info };
    PROCESS_INFORMATION made;
    char line[LINE_BYTES];

    snprintf(line, sizeof line, "\"%s\" %s%s%s leaf %lld %lld", settings.program,
            settings.pids != NULL ? "pids \"" : "", settings.pids != NULL ? settings.pids : "",
            settings.pids != NULL ? "\"" : "", depth, width);
    if (!CreateProcessA(NULL, line, NULL, NULL, TRUE, flags, NULL, NULL, &info, &made))
        fail(line, "cannot be started");
    (void)CloseHandle(made.hThread);
    (void)CloseHandle(made.hProcess);
}

void word_fork_tree(char **arguments)
{
    long long depth = script_number(arguments[0], 10);
    long long width = script_number(arguments[1], 100);

    for (long long i = 0; i < width && depth > 0; i++)
        start(depth - 1, width, 0);
}

void word_double_fork(char **arguments)
{
    (void)arguments;
    start(0, 0, DETACHED_PROCESS | CREATE_NEW_PROCESS_GROUP);
}

static BOOL WINAPI ignore(DWORD event)
{
    (void)event;
    return TRUE;
}

void word_leaf(char **arguments)
{
    char text[32];

    (void)SetConsoleCtrlHandler(ignore, TRUE);
    snprintf(text, sizeof text, "%lu\n", (unsigned long)GetCurrentProcessId());
    if (settings.pids != NULL)
        append_text(settings.pids, text);
    word_fork_tree(arguments);
    Sleep(INFINITE);
}

/* ---- What it has been given ------------------------------------------------------------------ */

static void put_environment(FILE *file)
{
    char *block = GetEnvironmentStringsA();
    bool first = true;

    fputs(",\n\"environment\":{", file);
    for (char *at = block; at != NULL && *at != '\0'; at += strlen(at) + 1) {
        char *equals = strchr(at + 1, '=');
        char name[512];

        if (*at == '=' || equals == NULL)
            continue;
        snprintf(name, sizeof name, "%.*s", (int)(equals - at), at);
        fputs(first ? "" : ",\n", file);
        put_string(file, name);
        fputc(':', file);
        put_string(file, equals + 1);
        first = false;
    }
    fputs("}", file);
    if (block != NULL)
        (void)FreeEnvironmentStringsA(block);
}

/* There whole or not at all. */
static void write_whole(const char *path, void (*put)(FILE *file))
{
    char temporary[LINE_BYTES];
    FILE *file;

    snprintf(temporary, sizeof temporary, "%s.new", path);
    file = fopen(temporary, "wb");
    if (file == NULL)
        fail(path, "cannot be written");
    put(file);
    if (fclose(file) != 0 || !MoveFileExA(temporary, path, MOVEFILE_REPLACE_EXISTING))
        fail(path, "cannot be written");
}

static void put_report(FILE *file)
{
    char directory[MAX_PATH * 3];

    fprintf(file, "{\"pid\":%lu", (unsigned long)GetCurrentProcessId());
    (void)GetCurrentDirectoryA(sizeof directory, directory);
    fputs(",\n\"cwd\":", file);
    put_string(file, directory);
    fputs(",\n\"command_line\":", file);
    put_string(file, GetCommandLineA());
    put_environment(file);
    fputs("}\n", file);
}

void word_report(char **arguments)
{
    write_whole(arguments[0], put_report);
}

/* The text of NtQueryObject's ObjectNameInformation (1) or ObjectTypeInformation (2). */
static void put_object_text(FILE *file, HANDLE handle, int what)
{
    union {
        UNICODE_STRING text;
        char bytes[OBJECT_BYTES];
    } space;
    char text[OBJECT_BYTES] = "";
    ULONG length;

    memset(&space, 0, sizeof space);
    if (NtQueryObject(handle, (OBJECT_INFORMATION_CLASS)what, &space, sizeof space, &length) >= 0 &&
            space.text.Buffer != NULL) {
        int count = WideCharToMultiByte(CP_UTF8, 0, space.text.Buffer, space.text.Length / 2, text,
                sizeof text - 1, NULL, NULL);

        text[count > 0 ? count : 0] = '\0';
    }
    put_string(file, text);
}

static void put_handles(FILE *file)
{
    bool first = true;

    fputs("[", file);
    for (uintptr_t value = 4; value <= HANDLE_MAX; value += 4) {
        HANDLE handle = (HANDLE)value;
        DWORD flags;

        if (!GetHandleInformation(handle, &flags))
            continue;
        fprintf(file, "%s{\"handle\":%u,\"inherit\":%s,\"type\":", first ? "" : ",\n",
                (unsigned)value, (flags & HANDLE_FLAG_INHERIT) != 0 ? "true" : "false");
        put_object_text(file, handle, 2);
        fputs(",\"name\":", file);
        /* The name of a pipe may be asked for as long as somebody waits in it. */
        if (GetFileType(handle) == FILE_TYPE_DISK)
            put_object_text(file, handle, 1);
        else
            put_string(file, NULL);
        fputs("}", file);
        first = false;
    }
    fputs("]\n", file);
}

void word_handles(char **arguments)
{
    write_whole(arguments[0], put_handles);
}

/* ---- Others ---------------------------------------------------------------------------------- */

void word_kill(char **arguments)
{
    HANDLE process =
            OpenProcess(PROCESS_TERMINATE, FALSE, (DWORD)script_number(arguments[0], UINT32_MAX));

    if (process == NULL || !TerminateProcess(process, 1))
        fail(arguments[0], "cannot be ended");
    (void)CloseHandle(process);
}

void word_alive(char **arguments)
{
    HANDLE process =
            OpenProcess(SYNCHRONIZE, FALSE, (DWORD)script_number(arguments[0], UINT32_MAX));
    bool alive = process != NULL && WaitForSingleObject(process, 0) == WAIT_TIMEOUT;

    exit(alive ? 0 : 1);
}

/* By the name of their program: a command line belongs to its process. */
void word_having(char **arguments)
{
    HANDLE list = CreateToolhelp32Snapshot(TH32CS_SNAPPROCESS, 0);
    PROCESSENTRY32 entry = { .dwSize = sizeof entry };

    if (list == INVALID_HANDLE_VALUE)
        fail("processes", "cannot be listed");
    for (BOOL more = Process32First(list, &entry); more; more = Process32Next(list, &entry))
        if (strstr(entry.szExeFile, arguments[0]) != NULL)
            printf("%lu\n", (unsigned long)entry.th32ProcessID);
    (void)CloseHandle(list);
}
