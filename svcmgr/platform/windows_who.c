/* Who a process is, and what it says of itself. */
#include "windows_parts.h"

#include <stdlib.h>
#include <string.h>
#include <winternl.h>

#include "str.h"

#include "banned.h"

#define FILETIME_1970    116444736000000000ull /* in units of 100 ns */
#define STRINGS_MAX      ((size_t)1024 * 1024) /* a command line or an environment */
#define TABLE_FIRST      (256u * 1024)
#define LENGTH_MISMATCH  ((NTSTATUS)0xC0000004) /* STATUS_INFO_LENGTH_MISMATCH */
#define COMMAND_LINE     60                     /* ProcessCommandLineInformation */
#define PARAMETERS_BLOCK 0x80  /* where RTL_USER_PROCESS_PARAMETERS has the environment, */
#define PARAMETERS_SIZE  0x3F0 /* and its size: 64 bits, since Vista */

/* ---- Which there are ------------------------------------------------------------------------- */

static bool tell_all(const char *table,
        bool (*each)(void *context, const struct windows_process *process), void *context)
{
    for (;;) {
        const SYSTEM_PROCESS_INFORMATION *entry = (const void *)table;
        size_t length = entry->ImageName.Length / sizeof(WCHAR);
        struct windows_process process = {
            .pid = (int64_t)(intptr_t)entry->UniqueProcessId,
            .parent = (int64_t)(intptr_t)entry->InheritedFromUniqueProcessId,
            .session = (int64_t)entry->SessionId,
            .start_time = (uint64_t)entry->CreateTime.QuadPart,
        };

        if (length >= sizeof process.image / sizeof process.image[0])
            length = sizeof process.image / sizeof process.image[0] - 1;
        if (entry->ImageName.Buffer != NULL)
            memcpy(process.image, entry->ImageName.Buffer, length * sizeof(WCHAR));
        if (!each(context, &process) || entry->NextEntryOffset == 0)
            return true;
        table += entry->NextEntryOffset;
    }
}

/* All of them at one instant, also those that we may not open. */
bool windows_each_process(
        bool (*each)(void *context, const struct windows_process *process), void *context)
{
    ULONG size = TABLE_FIRST;
    char *table = NULL;
    NTSTATUS status;
    bool told = false;

    do {
        ULONG wanted = 0;

        free(table);
        table = malloc(size);
        if (table == NULL)
            return false;
        status = NtQuerySystemInformation(SystemProcessInformation, table, size, &wanted);
        size = wanted > size ? wanted + TABLE_FIRST : size * 2;
    } while (status == LENGTH_MISMATCH && size < 1u << 30);
    if (NT_SUCCESS(status))
        told = tell_all(table, each, context);
    free(table);
    return told;
}

struct wanted {
    struct windows_process process;
    bool found;
};

static bool is_wanted(void *context, const struct windows_process *process)
{
    struct wanted *wanted = context;

    wanted->found = process->pid == wanted->process.pid;
    if (wanted->found)
        wanted->process = *process;
    return !wanted->found;
}

static bool find_process(int64_t pid, struct windows_process *ret_process)
{
    struct wanted wanted = { .process.pid = pid };

    if (!windows_each_process(is_wanted, &wanted) || !wanted.found)
        return false;
    *ret_process = wanted.process;
    return true;
}

/* OpenProcess() takes 4 for 5, 6 and 7 as well: the lowest two bits are not looked at. */
HANDLE windows_open_process(int64_t pid, DWORD access)
{
    if (pid <= 0 || pid > UINT32_MAX || pid % 4 != 0) {
        SetLastError(ERROR_INVALID_PARAMETER);
        return NULL;
    }
    return OpenProcess(access, FALSE, (DWORD)pid);
}

uint64_t windows_start_time(HANDLE process)
{
    FILETIME created;
    FILETIME ended;
    FILETIME kernel;
    FILETIME user;

    if (!GetProcessTimes(process, &created, &ended, &kernel, &user))
        return 0;
    return (uint64_t)created.dwHighDateTime << 32 | created.dwLowDateTime;
}

/* An exit code may be any number, STILL_ACTIVE included. */
bool windows_has_ended(HANDLE process)
{
    return WaitForSingleObject(process, 0) == WAIT_OBJECT_0;
}

/* ---- Identity -------------------------------------------------------------------------------- */

/* Creation times are by the calendar, so no two boots have one in common: the place of a boot's
 * name is filled with what tells records of this system from others. */
#define BOOT_ID "windows"

bool platform_identify(int64_t pid, bool alive, struct identity *ret_identity)
{
    struct identity identity = { .pid = pid, .boot_id = BOOT_ID };
    HANDLE process = windows_open_process(pid, PROCESS_QUERY_LIMITED_INFORMATION | SYNCHRONIZE);
    struct windows_process listed;
    bool ended = false;

    if (process != NULL) {
        identity.start_time = windows_start_time(process);
        ended = windows_has_ended(process);
        (void)CloseHandle(process);
    } else if (GetLastError() == ERROR_ACCESS_DENIED && find_process(pid, &listed)) {
        identity.start_time = listed.start_time;
    }
    if (identity.start_time == 0 || (alive && ended))
        return false;
    *ret_identity = identity;
    return true;
}

bool platform_is_gone(const struct identity *identity)
{
    HANDLE process;
    struct windows_process listed;
    bool gone;

    process = windows_open_process(identity->pid, PROCESS_QUERY_LIMITED_INFORMATION | SYNCHRONIZE);
    if (process != NULL) {
        gone = windows_has_ended(process) || windows_start_time(process) != identity->start_time;
        (void)CloseHandle(process);
        return gone;
    }
    if (GetLastError() == ERROR_INVALID_PARAMETER)
        return true;
    return find_process(identity->pid, &listed) && listed.start_time != identity->start_time;
}

bool platform_is_elsewhere(const struct identity *identity)
{
    (void)identity;
    return false;
}

bool platform_is_in_other_namespace(int64_t pid)
{
    (void)pid;
    return false;
}

void platform_process_cgroups(int64_t pid, char *ret_text, size_t size)
{
    (void)pid;
    if (size > 0)
        ret_text[0] = '\0';
}

/* ---- Command line and environment ------------------------------------------------------------ */

static HANDLE open_to_read(int64_t pid)
{
    return windows_open_process(pid, PROCESS_QUERY_LIMITED_INFORMATION | PROCESS_VM_READ);
}

static bool read_memory(HANDLE process, const void *address, void *ret_data, size_t size)
{
    SIZE_T got = 0;

    return ReadProcessMemory(process, address, ret_data, size, &got) && got == size;
}

/* Where a process keeps what it was started with. */
static char *find_parameters(HANDLE process)
{
    PROCESS_BASIC_INFORMATION facts;
    PEB peb;

    if (!NT_SUCCESS(NtQueryInformationProcess(
                process, ProcessBasicInformation, &facts, sizeof facts, NULL)) ||
            facts.PebBaseAddress == NULL ||
            !read_memory(process, facts.PebBaseAddress, &peb, offsetof(PEB, Reserved4)))
        return NULL;
    return (char *)peb.ProcessParameters;
}

/* A copy of what is at 'address' there, two NULs behind it; the caller frees it. */
static WCHAR *copy_text(HANDLE process, const void *address, size_t bytes)
{
    WCHAR *text;

    if (address == NULL || bytes > STRINGS_MAX)
        return NULL;
    text = calloc(bytes / sizeof *text + 2, sizeof *text);
    if (text != NULL && !read_memory(process, address, text, bytes / sizeof *text * sizeof *text)) {
        free(text);
        text = NULL;
    }
    return text;
}

static WCHAR *read_parameters_line(int64_t pid)
{
    HANDLE process = open_to_read(pid);
    RTL_USER_PROCESS_PARAMETERS parameters;
    WCHAR *line = NULL;
    const char *at;

    if (process == NULL)
        return NULL;
    at = find_parameters(process);
    if (at != NULL && read_memory(process, at, &parameters, sizeof parameters))
        line = copy_text(process, parameters.CommandLine.Buffer, parameters.CommandLine.Length);
    (void)CloseHandle(process);
    return line;
}

/* The caller frees it.  Since Windows 8.1 the kernel says it of any process that may be looked at;
 * where it does not, it is read where the process has it. */
static WCHAR *read_line(int64_t pid)
{
    HANDLE process = windows_open_process(pid, PROCESS_QUERY_LIMITED_INFORMATION);
    const size_t size = sizeof(UNICODE_STRING) + 65536;
    UNICODE_STRING *answer;
    WCHAR *line = NULL;

    if (process == NULL)
        return NULL;
    answer = calloc(1, size);
    if (answer != NULL &&
            NT_SUCCESS(NtQueryInformationProcess(
                    process, (PROCESSINFOCLASS)COMMAND_LINE, answer, (ULONG)size, NULL)))
        line = copy_text(GetCurrentProcess(), answer->Buffer, answer->Length);
    free(answer);
    (void)CloseHandle(process);
    return line != NULL ? line : read_parameters_line(pid);
}

/* The block of NAME=VALUE texts; the caller frees it. */
static WCHAR *read_environment(int64_t pid)
{
    HANDLE process = open_to_read(pid);
    WCHAR *block = NULL;
    const void *address;
    SIZE_T bytes;
    const char *at;

    if (process == NULL)
        return NULL;
    at = find_parameters(process);
    if (at != NULL && read_memory(process, at + PARAMETERS_BLOCK, &address, sizeof address) &&
            read_memory(process, at + PARAMETERS_SIZE, &bytes, sizeof bytes))
        block = copy_text(process, address, bytes);
    (void)CloseHandle(process);
    return block;
}

bool platform_process_has_variable(int64_t pid, const char *name, const char *value)
{
    WCHAR wanted[512];
    char text[512];
    WCHAR *block;
    bool found = false;

    if (!str_format(text, sizeof text, "%s=%s", name, value) ||
            !windows_to_wide(text, wanted, sizeof wanted / sizeof wanted[0]))
        return false;
    block = read_environment(pid);
    for (const WCHAR *at = block; at != NULL && at[0] != L'\0' && !found; at += wcslen(at) + 1)
        found = wcscmp(at, wanted) == 0;
    free(block);
    return found;
}

/* The words of a process's command line; the caller frees them. */
static char *read_words(int64_t pid, long *ret_length)
{
    WCHAR *line = read_line(pid);
    size_t size = line != NULL ? wcslen(line) * 4 + 2 : 0;
    char *words = line != NULL ? malloc(size) : NULL;

    *ret_length = words != NULL ? windows_split_words(line, words, size) : -1;
    free(line);
    return words;
}

bool platform_process_word_after(int64_t pid, const char *word, char *ret_text, size_t size)
{
    long length;
    char *words = read_words(pid, &length);
    bool found = false;

    for (long at = 0; at < length && !found; at += (long)strlen(words + at) + 1) {
        long next = at + (long)strlen(words + at) + 1;

        if (strcmp(words + at, word) == 0 && next < length) {
            found = str_copy(ret_text, size, words + next);
            break;
        }
    }
    free(words);
    return found;
}

static void read_command(const struct windows_process *process, char *ret_text, size_t size)
{
    const char *list[PLATFORM_COMMAND_BYTES / 2 + 1];
    char name[sizeof process->image * 2];
    size_t count = 0;
    long length;
    char *words = read_words(process->pid, &length);

    for (long at = 0; at < length && count < sizeof list / sizeof list[0] - 1;
            at += (long)strlen(words + at) + 1)
        list[count++] = words + at;
    list[count] = NULL;
    if (count > 0) {
        str_command_line(ret_text, size, list);
    } else {
        (void)windows_from_wide(process->image, name, sizeof name);
        (void)str_format(ret_text, size, "[%s]", name);
        str_make_printable(ret_text);
    }
    free(words);
}

/* ---- Everything of a process ------------------------------------------------------------------
 */

static void read_user(int64_t pid, struct platform_process_info *info)
{
    HANDLE process = windows_open_process(pid, PROCESS_QUERY_LIMITED_INFORMATION);
    HANDLE token = NULL;
    uint32_t uid;

    if (process != NULL && OpenProcessToken(process, TOKEN_QUERY, &token) &&
            windows_token_user(token, &uid, info->user, sizeof info->user))
        info->uid = (int64_t)uid;
    if (token != NULL)
        (void)CloseHandle(token);
    if (process != NULL)
        (void)CloseHandle(process);
}

bool platform_process_info(int64_t pid, struct platform_process_info *ret_info)
{
    struct platform_process_info info = { .pid = pid, .uid = -1 };
    struct windows_process process;
    HANDLE handle;

    if (pid <= 0 || !find_process(pid, &process))
        return false;
    info.parent = process.parent;
    info.session = process.session;
    info.start_time = process.start_time;
    info.started_wall_us = process.start_time > FILETIME_1970
            ? (int64_t)((process.start_time - FILETIME_1970) / 10)
            : 0;
    handle = windows_open_process(pid, SYNCHRONIZE);
    if (handle != NULL) {
        info.zombie = windows_has_ended(handle);
        (void)CloseHandle(handle);
    }
    read_command(&process, info.command, sizeof info.command);
    read_user(pid, &info);
    *ret_info = info;
    return true;
}

/* ---- Instances ------------------------------------------------------------------------------- */

struct search {
    const char *instance;
    int64_t *pids;
    size_t max;
    size_t count;
};

static bool add_if_marked(void *context, const struct windows_process *process)
{
    struct search *search = context;

    if (process->pid == platform_pid() ||
            !platform_process_has_variable(process->pid, "SVCMGR_INSTANCE", search->instance))
        return true;
    if (search->count < search->max)
        search->pids[search->count] = process->pid;
    search->count++;
    return true;
}

size_t platform_find_instance(const char *instance, int64_t *ret_pids, size_t max)
{
    struct search search = { .instance = instance, .pids = ret_pids, .max = max };

    if (instance[0] != '\0')
        (void)windows_each_process(add_if_marked, &search);
    return search.count;
}
