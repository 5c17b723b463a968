/* Starting an instance or a helper: suspended, in a job of its own, with the handles that it is to
 * have and no others. */
#include <stdlib.h>
#include <string.h>

#include "str.h"
#include "windows_parts.h"

#include "banned.h"

#define COMMAND_LINE_MAX 32767 /* characters with the NUL: CreateProcessW */

/* ---- CreateProcess() ------------------------------------------------------------------------- */

static void add_handle(struct windows_launch *launch, HANDLE handle)
{
    for (DWORD i = 0; i < launch->count; i++)
        if (launch->handles[i] == handle)
            return; /* one that is there twice makes CreateProcess() fail */
    launch->handles[launch->count++] = handle;
}

static int fail_handles(DWORD code, struct err *err)
{
    return err_set(err, windows_kind(code), (long)code, "%s: %s",
            platform_stage_name(PLATFORM_STAGE_DESCRIPTORS), platform_error_text((long)code));
}

int windows_launch_handles(struct windows_launch *launch, const platform_handle stdio[3],
        const platform_handle *passed, size_t passed_count, struct err *err)
{
    HANDLE self = GetCurrentProcess();

    /* What a process with a terminal reads and writes is found by way of its console. */
    for (int i = 0; i < 3 && launch->terminal == NULL; i++) {
        if (stdio[i] == PLATFORM_NO_HANDLE)
            launch->stdio[i] = windows_open_null(true);
        else if (!DuplicateHandle(self, windows_handle(stdio[i]), self, &launch->stdio[i], 0, TRUE,
                         DUPLICATE_SAME_ACCESS))
            launch->stdio[i] = NULL;
        if (launch->stdio[i] == NULL)
            return fail_handles(GetLastError(), err);
        add_handle(launch, launch->stdio[i]);
    }
    /* A child has them under the same numbers as we do, so no duplicates. */
    for (size_t i = 0; i < passed_count; i++) {
        HANDLE handle = windows_handle(passed[i]);

        if (!SetHandleInformation(handle, HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT))
            return fail_handles(GetLastError(), err);
        add_handle(launch, handle);
    }
    return 0;
}

static bool add_attribute(
        struct windows_launch *launch, DWORD_PTR attribute, void *value, size_t size)
{
    return UpdateProcThreadAttribute(launch->attributes, 0, attribute, value, size, NULL, NULL) !=
            0;
}

static bool make_attributes(struct windows_launch *launch)
{
    DWORD count = 1u + (launch->job != NULL) + (launch->terminal != NULL);
    SIZE_T size = 0;

    (void)InitializeProcThreadAttributeList(NULL, count, 0, &size);
    launch->attributes = malloc(size);
    if (launch->attributes == NULL) {
        SetLastError(ERROR_NOT_ENOUGH_MEMORY);
        return false;
    }
    if (!InitializeProcThreadAttributeList(launch->attributes, count, 0, &size)) {
        free(launch->attributes);
        launch->attributes = NULL;
        return false;
    }
    return (launch->count == 0 ||
                   add_attribute(launch, PROC_THREAD_ATTRIBUTE_HANDLE_LIST, launch->handles,
                           launch->count * sizeof launch->handles[0])) &&
            (launch->job == NULL ||
                    add_attribute(launch, PROC_THREAD_ATTRIBUTE_JOB_LIST, &launch->job,
                            sizeof launch->job)) &&
            (launch->terminal == NULL ||
                    add_attribute(launch, PROC_THREAD_ATTRIBUTE_PSEUDOCONSOLE, launch->terminal,
                            sizeof launch->terminal));
}

/* Never 0, which would be success. */
static DWORD last_error(void)
{
    DWORD code = GetLastError();

    return code != 0 ? code : ERROR_GEN_FAILURE;
}

DWORD windows_launch(struct windows_launch *launch, const WCHAR *file, WCHAR *line, WCHAR *block,
        const WCHAR *directory, DWORD flags, PROCESS_INFORMATION *ret_process)
{
    STARTUPINFOEXW start = { .StartupInfo.cb = sizeof start };

    if (launch->attributes == NULL && !make_attributes(launch))
        return last_error();
    start.lpAttributeList = launch->attributes;
    /* With a pseudo-console all three are empty, else the child would get ours: CreateProcessW. */
    start.StartupInfo.dwFlags = STARTF_USESTDHANDLES;
    if (launch->terminal == NULL) {
        start.StartupInfo.hStdInput = launch->stdio[0];
        start.StartupInfo.hStdOutput = launch->stdio[1];
        start.StartupInfo.hStdError = launch->stdio[2];
    }
    if (!CreateProcessW(file, line, NULL, NULL, launch->count > 0,
                flags | EXTENDED_STARTUPINFO_PRESENT | CREATE_UNICODE_ENVIRONMENT, block, directory,
                &start.StartupInfo, ret_process))
        return last_error();
    return 0;
}

void windows_launch_end(struct windows_launch *launch)
{
    for (int i = 0; i < 3; i++)
        if (launch->stdio[i] != NULL)
            (void)CloseHandle(launch->stdio[i]);
    /* The passed ones are nobody's to inherit any more; those of stdio are closed. */
    for (DWORD i = 0; i < launch->count; i++) {
        HANDLE handle = launch->handles[i];

        if (handle != launch->stdio[0] && handle != launch->stdio[1] && handle != launch->stdio[2])
            (void)SetHandleInformation(handle, HANDLE_FLAG_INHERIT, 0);
    }
    if (launch->attributes != NULL) {
        DeleteProcThreadAttributeList(launch->attributes);
        free(launch->attributes);
    }
    launch->attributes = NULL;
}

/* ---- Limits ---------------------------------------------------------------------------------- */

/* What a job can limit.  Memory is what all of its processes have committed together. */
static int set_limit(JOBOBJECT_EXTENDED_LIMIT_INFORMATION *job, const struct platform_limit *limit,
        struct err *err)
{
    JOBOBJECT_BASIC_LIMIT_INFORMATION *basic = &job->BasicLimitInformation;

    if (limit->value == PLATFORM_UNLIMITED)
        return 0;
    if (strcmp(limit->name, "memory") == 0) {
        basic->LimitFlags |= JOB_OBJECT_LIMIT_JOB_MEMORY;
        job->JobMemoryLimit = (SIZE_T)limit->value;
    } else if (strcmp(limit->name, "nproc") == 0) {
        basic->LimitFlags |= JOB_OBJECT_LIMIT_ACTIVE_PROCESS;
        basic->ActiveProcessLimit = limit->value > UINT32_MAX ? UINT32_MAX : (DWORD)limit->value;
    } else if (strcmp(limit->name, "cpu") == 0) {
        basic->LimitFlags |= JOB_OBJECT_LIMIT_PROCESS_TIME;
        basic->PerProcessUserTimeLimit.QuadPart = (LONGLONG)limit->value * 10000000; /* 100 ns */
    } else {
        return err_set(err, ERR_CONFIG, ERROR_NOT_SUPPORTED,
                "%s: Windows has no limit \"%s\"; there are memory, nproc and cpu",
                platform_stage_name(PLATFORM_STAGE_LIMITS), limit->name);
    }
    return 0;
}

/* Its last handle is ours alone: when we die, so does all that is in it. */
static int make_job(const struct platform_spawn *spawn, HANDLE *ret_job, struct err *err)
{
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits = {
        /* A crash ends a process at once, without a dialogue. */
        .BasicLimitInformation.LimitFlags =
                JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE | JOB_OBJECT_LIMIT_DIE_ON_UNHANDLED_EXCEPTION,
    };
    HANDLE job;

    for (size_t i = 0; i < spawn->limit_count; i++)
        if (set_limit(&limits, &spawn->limits[i], err) == -1)
            return -1;
    job = CreateJobObjectW(NULL, NULL);
    if (job == NULL ||
            !SetInformationJobObject(
                    job, JobObjectExtendedLimitInformation, &limits, sizeof limits)) {
        DWORD code = GetLastError();

        if (job != NULL)
            (void)CloseHandle(job);
        return err_set(err, windows_kind(code), (long)code, "cannot make a job: %s",
                platform_error_text((long)code));
    }
    *ret_job = job;
    return 0;
}

static DWORD priority_of(const struct platform_spawn *spawn)
{
    if (!spawn->nice_set)
        return 0;
    return spawn->nice < -10    ? HIGH_PRIORITY_CLASS
            : spawn->nice < 0   ? ABOVE_NORMAL_PRIORITY_CLASS
            : spawn->nice == 0  ? NORMAL_PRIORITY_CLASS
            : spawn->nice <= 10 ? BELOW_NORMAL_PRIORITY_CLASS
                                : IDLE_PRIORITY_CLASS;
}

/* ---- The child ------------------------------------------------------------------------------- */

/* cmd.exe runs these, and reads the line by rules of its own, in which a word can end the command
 * and begin another one: CVE-2024-24576. */
static int check_batch(const struct platform_spawn *spawn, struct err *err)
{
    size_t length = strlen(spawn->file);
    const char *end = length > 4 ? spawn->file + length - 4 : "";

    if (!str_equal_nocase(end, ".bat") && !str_equal_nocase(end, ".cmd"))
        return 0;
    for (size_t i = 0; spawn->words[0] != NULL && spawn->words[i] != NULL; i++)
        if (strpbrk(spawn->words[i], "\"%!^&|<>()\r\n") != NULL)
            return err_set(err, ERR_CONFIG, ERROR_BAD_ARGUMENTS,
                    "%s %s: the word '%s' means something else to cmd.exe, which runs batch files",
                    platform_stage_name(PLATFORM_STAGE_EXECUTE), spawn->file, spawn->words[i]);
    return 0;
}

/* What is wrong is found before there is a process, so that it can be said which step it was. */
static int check(const struct platform_spawn *spawn, struct err *err)
{
    if (spawn->passed_count > PLATFORM_PASSED_MAX)
        return err_set(err, ERR_FAILED, 0, "too many sockets to pass");
    if (spawn->switch_user && spawn->uid != platform_uid())
        return err_set(err, ERR_CONFIG, ERROR_NOT_SUPPORTED,
                "%s: on Windows an instance runs as the user of its supervisor",
                platform_stage_name(PLATFORM_STAGE_USER));
    return check_batch(spawn, err);
}

static int fail_stage(enum platform_stage stage, const char *what, DWORD code, struct err *err)
{
    return err_set(err, windows_kind(code), (long)code, "%s %s: %s", platform_stage_name(stage),
            what, platform_error_text((long)code));
}

static int check_directory(const char *directory, const WCHAR *path, struct err *err)
{
    DWORD attributes = GetFileAttributesW(path);

    if (attributes == INVALID_FILE_ATTRIBUTES)
        return fail_stage(PLATFORM_STAGE_DIRECTORY, directory, GetLastError(), err);
    if ((attributes & FILE_ATTRIBUTE_DIRECTORY) == 0)
        return fail_stage(PLATFORM_STAGE_DIRECTORY, directory, ERROR_DIRECTORY, err);
    return 0;
}

/* The texts that CreateProcess() wants. */
struct texts {
    WCHAR file[WINDOWS_PATH_COUNT];
    WCHAR directory[WINDOWS_PATH_COUNT];
    WCHAR *line;  /* owned */
    WCHAR *block; /* owned */
};

static int make_texts(const struct platform_spawn *spawn, struct texts *texts, struct err *err)
{
    /* Who reads them looks for a pid that nobody knows before the process is there. */
    const char *holes[] = { spawn->listen_pid_hole, spawn->watchdog_pid_hole };

    if (!windows_to_path(spawn->file, texts->file))
        return err_set(err, ERR_FAILED, 0, "the path of the command is too long");
    if (spawn->directory != NULL &&
            (!windows_to_path(spawn->directory, texts->directory) ||
                    check_directory(spawn->directory, texts->directory, err) == -1))
        return texts->directory[0] != L'\0'
                ? -1
                : err_set(err, ERR_FAILED, 0, "the path %.64s... is too long", spawn->directory);
    texts->line = windows_join_words(spawn->words);
    texts->block = windows_make_block(spawn->environment, holes, sizeof holes / sizeof holes[0]);
    if (texts->line == NULL || texts->block == NULL)
        return err_memory(err);
    if (wcslen(texts->line) >= COMMAND_LINE_MAX)
        return fail_stage(PLATFORM_STAGE_EXECUTE, spawn->file, ERROR_FILENAME_EXCED_RANGE, err);
    return 0;
}

/* Without a job list (systems before Windows 10) a process is put into its job while it waits. */
static int put_into_job(HANDLE job, const PROCESS_INFORMATION *process, struct err *err)
{
    BOOL inside = FALSE;

    if (IsProcessInJob(process->hProcess, job, &inside) && inside)
        return 0;
    if (AssignProcessToJobObject(job, process->hProcess))
        return 0;
    return fail_stage(PLATFORM_STAGE_SESSION, "in a job", GetLastError(), err);
}

static int take_child(HANDLE job, const PROCESS_INFORMATION *process,
        struct platform_child *ret_child, struct err *err)
{
    int64_t pid = (int64_t)process->dwProcessId;
    struct identity identity;

    if (put_into_job(job, process, err) == -1)
        return -1;
    if (!platform_identify(pid, false, &identity)) {
        DWORD code = GetLastError();

        return err_set(err, ERR_FAILED, (long)code, "cannot find out who process %lld is: %s",
                (long long)pid, platform_error_text((long)code));
    }
    if (windows_add_child(pid, identity.start_time, process->hProcess, job) == NULL)
        return err_memory(err);
    *ret_child = (struct platform_child) {
        .identity = identity,
        .barrier = windows_of_handle(process->hThread),
        .failure = PLATFORM_NO_HANDLE,
    };
    return 0;
}

static int create(const struct platform_spawn *spawn, struct windows_launch *launch,
        struct texts *texts, struct platform_child *ret_child, struct err *err)
{
    PROCESS_INFORMATION process = { .hProcess = NULL };
    /* The first process of a new group would not hear of Ctrl-C from its terminal. */
    DWORD code = windows_launch(launch, texts->file, texts->line, texts->block,
            spawn->directory != NULL ? texts->directory : NULL,
            CREATE_SUSPENDED | (launch->terminal != NULL ? 0 : CREATE_NEW_PROCESS_GROUP) |
                    priority_of(spawn),
            &process);

    if (code != 0)
        return fail_stage(PLATFORM_STAGE_EXECUTE, spawn->file, code, err);
    if (take_child(launch->job, &process, ret_child, err) == 0) {
        launch->job = NULL;
        windows_find_child(ret_child->identity.pid, 0)->was_passed = spawn->passed_count > 0;
        return 0;
    }
    (void)TerminateProcess(process.hProcess, WINDOWS_KILL_CODE);
    (void)CloseHandle(process.hThread);
    (void)CloseHandle(process.hProcess);
    return -1;
}

int platform_spawn(
        const struct platform_spawn *spawn, struct platform_child *ret_child, struct err *err)
{
    const platform_handle stdio[3] = { spawn->input, spawn->output, spawn->error_output };
    struct windows_launch launch = { .count = 0 };
    struct texts *texts = calloc(1, sizeof *texts);
    int result = -1;

    if (texts == NULL)
        return err_memory(err);
    windows_sweep_children();
    if (check(spawn, err) == -1 || make_texts(spawn, texts, err) == -1 ||
            make_job(spawn, &launch.job, err) == -1)
        goto out;
    windows_detach_listeners(spawn->passed, spawn->passed_count);
    windows_need_console();
    if (spawn->on_terminal && windows_terminal_console(spawn->output, &launch.terminal, err) == -1)
        goto out;
    if (windows_launch_handles(&launch, stdio, spawn->passed, spawn->passed_count, err) == 0)
        result = create(spawn, &launch, texts, ret_child, err);
out:
    windows_launch_end(&launch);
    if (launch.job != NULL)
        (void)CloseHandle(launch.job);
    free(texts->line);
    free(texts->block);
    free(texts);
    return result;
}

int platform_spawn_release(struct platform_child *child, struct err *err)
{
    struct windows_child *known = windows_find_child(child->identity.pid, 0);
    DWORD code = 0;

    if (known == NULL || !windows_watch_child(known) ||
            ResumeThread(windows_handle(child->barrier)) == (DWORD)-1)
        code = GetLastError();
    (void)CloseHandle(windows_handle(child->barrier));
    child->barrier = PLATFORM_NO_HANDLE;
    if (code == 0)
        return 0;
    /* It ends at the barrier, which is told like any other end. */
    if (known != NULL)
        (void)TerminateJobObject(known->job, WINDOWS_KILL_CODE);
    return err_set(err, windows_kind(code), (long)code, "cannot let process %lld go: %s",
            (long long)child->identity.pid, platform_error_text((long)code));
}

void platform_spawn_abandon(struct platform_child *child)
{
    struct windows_child *known = windows_find_child(child->identity.pid, 0);

    if (child->barrier != PLATFORM_NO_HANDLE)
        (void)CloseHandle(windows_handle(child->barrier));
    child->barrier = PLATFORM_NO_HANDLE;
    if (known == NULL)
        return;
    (void)TerminateJobObject(known->job, WINDOWS_KILL_CODE);
    (void)WaitForSingleObject(known->process, INFINITE);
    windows_remove_child(known);
}
