/* The children of this process, and the jobs that they and all their descendants are in. */
#include <stdlib.h>

#include "windows_parts.h"

#include "banned.h"

static struct windows_child *first;

struct windows_child *windows_first_child(void)
{
    return first;
}

struct windows_child *windows_find_child(int64_t pid, uint64_t start_time)
{
    for (struct windows_child *child = first; child != NULL; child = child->next)
        if (child->pid == pid && (start_time == 0 || child->start_time == start_time))
            return child;
    return NULL;
}

struct windows_child *windows_add_child(
        int64_t pid, uint64_t start_time, HANDLE process, HANDLE job)
{
    struct windows_child *child = calloc(1, sizeof *child);

    if (child == NULL)
        return NULL;
    *child = (struct windows_child) {
        .next = first,
        .pid = pid,
        .start_time = start_time,
        .process = process,
        .job = job,
    };
    first = child;
    return child;
}

static void stop_watching(struct windows_child *child)
{
    /* Waits until a callback that runs has returned. */
    if (child->wait != NULL)
        (void)UnregisterWaitEx(child->wait, INVALID_HANDLE_VALUE);
    child->wait = NULL;
}

void windows_remove_child(struct windows_child *child)
{
    struct windows_child **at = &first;

    while (*at != child)
        at = &(*at)->next;
    *at = child->next;
    stop_watching(child);
    if (child->job != NULL)
        (void)CloseHandle(child->job);
    (void)CloseHandle(child->process);
    free(child);
}

bool windows_is_job_empty(HANDLE job)
{
    JOBOBJECT_BASIC_ACCOUNTING_INFORMATION facts;

    return QueryInformationJobObject(
                   job, JobObjectBasicAccountingInformation, &facts, sizeof facts, NULL) &&
            facts.ActiveProcesses == 0;
}

void windows_sweep_children(void)
{
    struct windows_child *next;

    for (struct windows_child *child = first; child != NULL; child = next) {
        next = child->next;
        if (child->reaped && (child->job == NULL || windows_is_job_empty(child->job)))
            windows_remove_child(child);
    }
}

/* ---- Their ends ------------------------------------------------------------------------------ */

/* In a thread of the system's. */
static void CALLBACK on_end(void *context, BOOLEAN timed_out)
{
    (void)timed_out;
    windows_post_exit((int64_t)(intptr_t)context);
}

bool windows_watch_child(struct windows_child *child)
{
    return RegisterWaitForSingleObject(&child->wait, child->process, on_end,
                   (void *)(intptr_t)child->pid, INFINITE, WT_EXECUTEONLYONCE) != 0;
}

/* What the system ends a process with, and the signal that does it elsewhere: ntstatus.h. */
static const struct {
    DWORD code;
    const char *name;
} faults[] = {
    { 0x80000003, "TRAP" }, /* STATUS_BREAKPOINT */
    { 0xC0000005, "SEGV" }, /* STATUS_ACCESS_VIOLATION */
    { 0xC0000006, "BUS" },  /* STATUS_IN_PAGE_ERROR */
    { 0xC000001D, "ILL" },  /* STATUS_ILLEGAL_INSTRUCTION */
    { 0xC000008E, "FPE" },  /* STATUS_FLOAT_DIVIDE_BY_ZERO */
    { 0xC0000094, "FPE" },  /* STATUS_INTEGER_DIVIDE_BY_ZERO */
    { 0xC0000096, "ILL" },  /* STATUS_PRIVILEGED_INSTRUCTION */
    { 0xC00000FD, "SEGV" }, /* STATUS_STACK_OVERFLOW */
    { 0xC0000374, "ABRT" }, /* STATUS_HEAP_CORRUPTION */
    { 0xC0000409, "ABRT" }, /* STATUS_STACK_BUFFER_OVERRUN: what abort() and fail-fast end with */
};

/* What the loader ends a process with that it cannot put together: 127, as a shell says it. */
static bool is_not_loaded(DWORD code)
{
    return code == 0xC000007B ||  /* STATUS_INVALID_IMAGE_FORMAT */
            code == 0xC0000135 || /* STATUS_DLL_NOT_FOUND */
            code == 0xC0000138 || /* STATUS_ORDINAL_NOT_FOUND */
            code == 0xC0000139 || /* STATUS_ENTRYPOINT_NOT_FOUND */
            code == 0xC0000142;   /* STATUS_DLL_INIT_FAILED */
}

/* An exit code has 32 bits here, and the upper half of them, which as a number is below zero, is
 * taken apart: exit(-1) is 255 as elsewhere. */
static int small_code(DWORD code)
{
    if (code <= INT32_MAX)
        return (int)code;
    if (is_not_loaded(code))
        return 127;
    if (code > 0xFFFFFF00)
        return (int)(code & 0xFF);
    return (code & 0xFFFF) != 0 ? (int)(code & 0xFFFF) : 255;
}

void windows_fill_exit(DWORD code, int asked, bool killed, struct platform_exit *ret_exit)
{
    *ret_exit = (struct platform_exit) { .code = -1 };
    if (killed && code == WINDOWS_KILL_CODE)
        ret_exit->by_signal = platform_signal_number("KILL");
    /* Who does not handle Ctrl-Break or Ctrl-C ends with this one. */
    else if (code == (DWORD)STATUS_CONTROL_C_EXIT)
        ret_exit->by_signal = asked != 0 ? asked : platform_signal_number("INT");
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++)
        if (faults[i].code == code)
            ret_exit->by_signal = platform_signal_number(faults[i].name);
    if (ret_exit->by_signal == 0)
        ret_exit->code = small_code(code);
}

bool platform_child_ended(int64_t pid, struct platform_exit *ret_exit)
{
    const struct windows_child *child = windows_find_child(pid, 0);
    DWORD code;

    if (child == NULL || child->reaped || !windows_has_ended(child->process) ||
            !GetExitCodeProcess(child->process, &code))
        return false;
    windows_fill_exit(code, child->asked, child->killed, ret_exit);
    return true;
}

void platform_reap(int64_t pid)
{
    struct windows_child *child = windows_find_child(pid, 0);

    if (child == NULL || !windows_has_ended(child->process))
        return;
    stop_watching(child);
    child->reaped = true;
    windows_sweep_children();
}

void platform_leave_unreaped(int64_t pid)
{
    (void)pid; /* its end is told once anyway */
}

/* ---- Handed over ----------------------------------------------------------------------------- */

/* platform_lent.state: the signal that it was asked to stop with, and ... */
#define LENT_SIGNAL 0xff
#define LENT_KILLED 0x100
#define LENT_REAPED 0x200
#define LENT_PASSED 0x400

bool platform_child_lend(int64_t pid, struct platform_lent *ret_lent)
{
    const struct windows_child *child = windows_find_child(pid, 0);

    if (child == NULL || child->job == NULL)
        return false;
    *ret_lent = (struct platform_lent) {
        .process = windows_of_handle(child->process),
        .tree = windows_of_handle(child->job),
        .state = child->asked | (child->killed ? LENT_KILLED : 0) |
                (child->reaped ? LENT_REAPED : 0) | (child->was_passed ? LENT_PASSED : 0),
    };
    return true;
}

int platform_child_take(
        const struct identity *child, const struct platform_lent *lent, struct err *err)
{
    HANDLE process = windows_handle(lent->process);
    struct windows_child *taken = NULL;

    if (windows_start_time(process) == child->start_time)
        taken = windows_add_child(
                child->pid, child->start_time, process, windows_handle(lent->tree));
    if (taken == NULL) {
        platform_close(lent->process);
        platform_close(lent->tree);
        return err_set(
                err, ERR_FAILED, 0, "process %lld cannot be taken over", (long long)child->pid);
    }
    taken->asked = lent->state & LENT_SIGNAL;
    taken->killed = (lent->state & LENT_KILLED) != 0;
    taken->reaped = (lent->state & LENT_REAPED) != 0;
    taken->was_passed = (lent->state & LENT_PASSED) != 0;
    if (taken->reaped || windows_watch_child(taken))
        return 0;
    windows_remove_child(taken);
    return err_set(
            err, ERR_FAILED, 0, "the end of process %lld cannot be watched", (long long)child->pid);
}

void platform_children_leave(void)
{
    struct windows_child *next;

    for (struct windows_child *child = first; child != NULL; child = next) {
        next = child->next;
        if (child->job != NULL)
            windows_remove_child(child);
    }
}
