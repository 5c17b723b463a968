#include "misbehave.h"

#include <errno.h>
#include <io.h>
#include <string.h>

#include <windows.h>

#define LOCK_OFFSET 0x100000u

void output_write(int fd, const char *bytes, size_t length)
{
    while (length > 0) {
        int written = _write(fd, bytes, (unsigned)(length < 65536 ? length : 65536));

        if (written <= 0)
            fail("write", strerror(errno));
        bytes += written;
        length -= (size_t)written;
    }
}

void word_close_input(char **arguments)
{
    (void)arguments;
    (void)_close(0);
}

void word_cat(char **arguments)
{
    static char bytes[65536];
    int got;

    (void)arguments;
    while ((got = _read(0, bytes, sizeof bytes)) > 0)
        output_write(settings.output_fd, bytes, (size_t)got);
}

void output_append(const char *path, const char *text)
{
    HANDLE file = CreateFileA(path, FILE_APPEND_DATA,
            FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL, OPEN_ALWAYS, 0, NULL);
    DWORD written;

    if (file == INVALID_HANDLE_VALUE ||
            (text[0] != '\0' && !WriteFile(file, text, (DWORD)strlen(text), &written, NULL)))
        fail(path, "cannot write to it");
    (void)CloseHandle(file);
}

bool output_is_there(const char *path)
{
    return GetFileAttributesA(path) != INVALID_FILE_ATTRIBUTES;
}

long long output_own_pid(void)
{
    return (long long)GetCurrentProcessId();
}

/* A file that is open for nobody else. */
void word_alone(char **arguments)
{
    if (CreateFileA(arguments[0], GENERIC_WRITE, 0, NULL, OPEN_ALWAYS, 0, NULL) ==
            INVALID_HANDLE_VALUE)
        word_own_pid(arguments + 1);
}

/* As svcmgr does it. */
void word_hold_lock(char **arguments)
{
    HANDLE file = CreateFileA(arguments[0], GENERIC_READ | GENERIC_WRITE,
            FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL, OPEN_ALWAYS, 0, NULL);
    OVERLAPPED at = { .Offset = LOCK_OFFSET };

    if (file == INVALID_HANDLE_VALUE ||
            !LockFileEx(file, LOCKFILE_EXCLUSIVE_LOCK | LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, &at))
        fail(arguments[0], "cannot be locked");
    settings.stay = true;
}
