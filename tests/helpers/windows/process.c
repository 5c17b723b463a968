#include "misbehave.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <windows.h>
#include <winternl.h>

#include <tlhelp32.h>

#define LINE_BYTES   4096
#define BEGIN_MS_MAX 30000
#define HANDLE_MAX   4096 /* they are multiples of four, from four on */
#define OBJECT_BYTES 2048

/* ---- Trees ----------------------------------------------------------------------------------- */

/* Before the child can be ended, so that none is missed. */
static void note_pid(DWORD pid)
{
    char text[32];

    snprintf(text, sizeof text, "%lu\n", (unsigned long)pid);
    if (settings.pids != NULL)
        output_append(settings.pids, text);
}

static void start(const char *words, DWORD flags)
{
    STARTUPINFOA info = { .cb = sizeof info };
    PROCESS_INFORMATION made;
    char line[LINE_BYTES];

    snprintf(line, sizeof line, "\"%s\" %s%s%s %s", settings.argv0,
            settings.pids != NULL ? "pids \"" : "", settings.pids != NULL ? settings.pids : "",
            settings.pids != NULL ? "\"" : "", words);
    if (!CreateProcessA(NULL, line, NULL, NULL, TRUE, flags, NULL, NULL, &info, &made))
        fail(line, "cannot be started");
    note_pid(made.dwProcessId);
    (void)CloseHandle(made.hThread);
    (void)CloseHandle(made.hProcess);
}

void word_fork_tree(char **arguments)
{
    long long depth = script_number(arguments[0], 10);
    long long width = script_number(arguments[1], 100);

    char words[64];

    snprintf(words, sizeof words, "leaf %lld %lld", depth - 1, width);
    for (long long i = 0; i < width && depth > 0; i++)
        start(words, 0);
}

void word_double_fork(char **arguments)
{
    (void)arguments;
    start("leaf 0 0", DETACHED_PROCESS | CREATE_NEW_PROCESS_GROUP);
}

static BOOL WINAPI ignore(DWORD event)
{
    (void)event;
    return TRUE;
}

void word_leaf(char **arguments)
{
    (void)SetConsoleCtrlHandler(ignore, TRUE);
    word_fork_tree(arguments);
    Sleep(INFINITE);
}

static void start_runner(long long count, long long us)
{
    char words[64];

    snprintf(words, sizeof words, "runner %lld %lld", count, us);
    if (count > 0)
        start(words, 0);
}

void word_runaway(char **arguments)
{
    start_runner(script_number(arguments[0], 1000000), script_number(arguments[1], 60000000));
}

void word_runner(char **arguments)
{
    long long us = script_number(arguments[1], 60000000);

    start_runner(script_number(arguments[0], 1000000) - 1, us);
    Sleep((DWORD)((us + 999) / 1000));
    exit(0);
}

/* In quotes, for a command line. */
static size_t put_word(char *at, size_t room, const char *word)
{
    int length = snprintf(at, room, " \"%s\"", word);

    if (strpbrk(word, "\"\\") != NULL || length < 0 || (size_t)length >= room)
        fail(word, "cannot be handed on");
    return (size_t)length;
}

/* When we end it is at its first word already: a program takes its time to start. */
void word_leave(char **arguments)
{
    SECURITY_ATTRIBUTES inherited = { .nLength = sizeof inherited, .bInheritHandle = TRUE };
    HANDLE begun = CreateEventW(&inherited, TRUE, FALSE, NULL);
    char words[LINE_BYTES / 2];
    size_t used = (size_t)snprintf(words, sizeof words, "begun %llu", (unsigned long long)begun);

    while (script_peek() != NULL)
        used += put_word(words + used, sizeof words - used, script_next());
    start(words, 0);
    if (WaitForSingleObject(begun, BEGIN_MS_MAX) != WAIT_OBJECT_0)
        fail("leave", "the child did not begin");
    exit((int)script_number(arguments[0], 255));
}

void word_begun(char **arguments)
{
    HANDLE begun = (HANDLE)(uintptr_t)script_number(arguments[0], INT64_MAX);

    (void)SetEvent(begun);
    (void)CloseHandle(begun);
}

/* By a fault of its own, as far as whoever asks for its code can see. */
void word_die(char **arguments)
{
    if (strcmp(arguments[0], "SEGV") != 0)
        fail(arguments[0], "there is nothing like it");
    (void)TerminateProcess(GetCurrentProcess(), (UINT)EXCEPTION_ACCESS_VIOLATION);
}

/* ---- What it has been given ------------------------------------------------------------------ */

static void put_string(FILE *file, const char *text)
{
    if (text == NULL) {
        fputs("null", file);
        return;
    }
    fputc('"', file);
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;

        if (c < ' ' || c == '"' || c == '\\')
            fprintf(file, "\\u%04x", (unsigned)c);
        else
            fputc(c, file);
    }
    fputc('"', file);
}

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
void write_whole(const char *path, void (*put)(FILE *file))
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
    (void)arguments;
    while (script_peek() != NULL) {
        DWORD pid = (DWORD)script_number(script_next(), UINT32_MAX);
        HANDLE process = OpenProcess(SYNCHRONIZE, FALSE, pid);

        if (process != NULL && WaitForSingleObject(process, 0) == WAIT_TIMEOUT)
            printf("%lu\n", (unsigned long)pid);
        if (process != NULL)
            (void)CloseHandle(process);
    }
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
