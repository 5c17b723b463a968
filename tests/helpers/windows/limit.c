#include "misbehave.h"

#include <stdio.h>
#include <stdlib.h>

#include <windows.h>

#define TIME_IS_UP 124

/* Each end that was asked for has a thread of its own; the first one that is there counts. */
struct end {
    DWORD ms;
    int code;
};

static DWORD WINAPI end_in_time(void *argument)
{
    struct end end = *(struct end *)argument;

    Sleep(end.ms);
    if (end.code == TIME_IS_UP)
        fprintf(stderr, "misbehave: time is up\n");
    (void)TerminateProcess(GetCurrentProcess(), (UINT)end.code);
    return 0;
}

void limit_exit_after(long long ms, int code)
{
    struct end *end = malloc(sizeof *end);
    HANDLE thread;

    if (end == NULL)
        fail("end", "out of memory");
    *end = (struct end) { .ms = (DWORD)ms, .code = code };
    thread = CreateThread(NULL, 0, end_in_time, end, 0, NULL);
    if (thread == NULL)
        fail("end", "cannot start a thread");
    (void)CloseHandle(thread);
}

void limit_start(long long max_ms)
{
    limit_exit_after(max_ms, TIME_IS_UP);
}

int64_t limit_now_ms(void)
{
    return (int64_t)GetTickCount64();
}

void limit_sleep_us(long long us)
{
    Sleep((DWORD)((us + 999) / 1000));
}

_Noreturn void limit_sleep_forever(void)
{
    for (;;)
        Sleep(INFINITE);
}
