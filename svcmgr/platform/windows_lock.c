/* Lock files: LockFileEx().
 *
 * One byte far behind the end is locked, so that everybody can read the file: a locked range cannot
 * be read by others.  The lock is this process's: a duplicate of the handle in another process does
 * not hold it, and it goes when this process ends.  So it is handed over by way of the next byte,
 * the heir's: a process locks that one while the former holder still has the other, and lets it go
 * when it has the other itself.  Whoever locks the first byte has the lock only if nobody has the
 * heir's; nothing is said about who of several that wait for a byte gets it. */
#include "windows_parts.h"

#include <restartmanager.h>
#include <string.h>

#include "banned.h"

#define LOCKED_BYTE     0x100000
#define HEIR_BYTE       (LOCKED_BYTE + 1)
#define LOOKER_PAUSE_MS 1
#define LOOKER_TRIES    2000

static bool try_lock(HANDLE handle, DWORD byte, DWORD kind)
{
    OVERLAPPED place = { .Offset = byte };

    return LockFileEx(handle, kind | LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, &place);
}

static void unlock(HANDLE handle, DWORD byte)
{
    OVERLAPPED place = { .Offset = byte };

    (void)UnlockFileEx(handle, 0, 1, 0, &place);
}

static bool is_held(DWORD code)
{
    return code == ERROR_LOCK_VIOLATION || code == ERROR_IO_PENDING;
}

/* Whoever looks whether a lock is held has it shared for an instant.  That must not be taken for an
 * owner, who has it exclusively: a shared lock that we get too shows that there is none. */
static bool lock_byte(HANDLE handle, DWORD byte)
{
    for (int i = 0; i < LOOKER_TRIES; i++) {
        if (try_lock(handle, byte, LOCKFILE_EXCLUSIVE_LOCK))
            return true;
        if (!is_held(GetLastError()) || !try_lock(handle, byte, 0))
            return false;
        unlock(handle, byte); /* so that two who do this do not see each other for ever */
        (void)WaitForSingleObject(GetCurrentProcess(), LOOKER_PAUSE_MS);
    }
    SetLastError(ERROR_LOCK_VIOLATION);
    return false;
}

static bool is_byte_held(HANDLE handle, DWORD byte)
{
    bool held = !try_lock(handle, byte, 0) && is_held(GetLastError());

    if (!held)
        unlock(handle, byte);
    return held;
}

static bool lock_for_us(HANDLE handle)
{
    if (!lock_byte(handle, LOCKED_BYTE))
        return false;
    if (!is_byte_held(handle, HEIR_BYTE))
        return true;
    unlock(handle, LOCKED_BYTE);
    SetLastError(ERROR_LOCK_VIOLATION);
    return false;
}

static bool lock_as_heir(HANDLE handle)
{
    return lock_byte(handle, HEIR_BYTE);
}

/* Not shared for deletion: a lock file that was replaced would let a second one be locked. */
static HANDLE open_lock(const char *path)
{
    WCHAR wide[WINDOWS_PATH_COUNT];

    if (!windows_to_path(path, wide))
        return INVALID_HANDLE_VALUE;
    return CreateFileW(wide, GENERIC_READ | GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE, NULL,
            OPEN_ALWAYS, FILE_FLAG_OPEN_REPARSE_POINT | FILE_FLAG_BACKUP_SEMANTICS, NULL);
}

static int open_and_lock(
        const char *path, bool (*lock)(HANDLE handle), platform_handle *ret_handle, struct err *err)
{
    HANDLE handle = open_lock(path);
    DWORD code = GetLastError();
    DWORD attributes;
    DWORD tag;
    int result = -1;

    if (handle == INVALID_HANDLE_VALUE)
        return err_set(err, windows_kind(code), (long)code, "cannot open %s: %s", path,
                platform_error_text((long)code));
    if (!windows_attributes(handle, &attributes, &tag) ||
            (attributes & FILE_ATTRIBUTE_DIRECTORY) != 0) {
        err_set(err, ERR_DENIED, 0, "%s is not a regular file; remove it", path);
        goto out;
    }
    if ((attributes & FILE_ATTRIBUTE_REPARSE_POINT) != 0) {
        err_set(err, ERR_DENIED, 0, "%s is a symbolic link; svcmgr does not follow it; remove it",
                path);
        goto out;
    }
    if (!lock(handle)) {
        code = GetLastError();
        if (is_held(code))
            err_set(err, ERR_DUPLICATE, (long)code, "%s is locked", path);
        else
            err_set(err, windows_kind(code), (long)code, "cannot lock %s: %s", path,
                    platform_error_text((long)code));
        goto out;
    }
    *ret_handle = windows_of_handle(handle);
    result = 0;
out:
    if (result == -1)
        (void)CloseHandle(handle);
    return result;
}

int platform_lock(const char *path, platform_handle *ret_handle, struct err *err)
{
    return open_and_lock(path, lock_for_us, ret_handle, err);
}

int platform_lock_as_heir(const char *path, platform_handle *ret_handle, struct err *err)
{
    return open_and_lock(path, lock_as_heir, ret_handle, err);
}

/* Whoever tries to lock it meanwhile has the first byte for an instant. */
bool platform_lock_inherit(platform_handle lock, int64_t deadline_ms)
{
    while (!try_lock(windows_handle(lock), LOCKED_BYTE, LOCKFILE_EXCLUSIVE_LOCK)) {
        if (platform_now_ms() >= deadline_ms)
            return false;
        (void)WaitForSingleObject(GetCurrentProcess(), LOOKER_PAUSE_MS);
    }
    unlock(windows_handle(lock), HEIR_BYTE);
    return true;
}

/* The heir has its byte before the first one is let go, and the first one before it lets go of its
 * own: a third look finds what went from the one to the other between two. */
bool platform_is_locked(const char *path)
{
    HANDLE handle =
            windows_open(path, GENERIC_READ, OPEN_EXISTING, FILE_FLAG_OPEN_REPARSE_POINT, NULL);
    bool locked;

    if (handle == INVALID_HANDLE_VALUE)
        return false;
    locked = is_byte_held(handle, LOCKED_BYTE) || is_byte_held(handle, HEIR_BYTE) ||
            is_byte_held(handle, LOCKED_BYTE);
    (void)CloseHandle(handle);
    return locked;
}

typedef DWORD(WINAPI *start_session)(DWORD *, DWORD, WCHAR *);
typedef DWORD(WINAPI *register_resources)(
        DWORD, UINT, LPCWSTR *, UINT, RM_UNIQUE_PROCESS *, UINT, LPCWSTR *);
typedef DWORD(WINAPI *get_list)(DWORD, UINT *, UINT *, RM_PROCESS_INFO *, DWORD *);
typedef DWORD(WINAPI *end_session)(DWORD);

#define HOLDERS_MAX 16

/* The system does not say who holds a lock, but who has the file open, which for a lock file is the
 * same but for those that look at it just now.  The library is loaded when somebody asks: every
 * process would start slower with it. */
static size_t list_users(HMODULE library, const WCHAR *path, int64_t *ret_pids, size_t max)
{
    start_session start = (start_session)(void (*)(void))GetProcAddress(library, "RmStartSession");
    register_resources add =
            (register_resources)(void (*)(void))GetProcAddress(library, "RmRegisterResources");
    get_list list = (get_list)(void (*)(void))GetProcAddress(library, "RmGetList");
    end_session end = (end_session)(void (*)(void))GetProcAddress(library, "RmEndSession");
    WCHAR key[CCH_RM_SESSION_KEY + 1] = { 0 };
    RM_PROCESS_INFO found[HOLDERS_MAX];
    UINT count = HOLDERS_MAX;
    UINT needed = 0;
    DWORD reasons;
    DWORD session;
    size_t listed = 0;

    if (start == NULL || add == NULL || list == NULL || end == NULL ||
            start(&session, 0, key) != ERROR_SUCCESS)
        return 0;
    if (add(session, 1, &path, 0, NULL, 0, NULL) == ERROR_SUCCESS &&
            list(session, &needed, &count, found, &reasons) == ERROR_SUCCESS)
        for (UINT i = 0; i < count && listed < max; i++)
            ret_pids[listed++] = found[i].Process.dwProcessId;
    (void)end(session);
    return listed;
}

size_t platform_lock_holders(const char *path, int64_t *ret_pids, size_t max)
{
    HMODULE library = LoadLibraryExW(L"rstrtmgr.dll", NULL, LOAD_LIBRARY_SEARCH_SYSTEM32);
    WCHAR wide[WINDOWS_PATH_COUNT];
    size_t count = 0;

    if (library == NULL)
        return 0;
    if (windows_to_path(path, wide) && platform_is_locked(path))
        count = list_users(library, wide, ret_pids, max);
    (void)FreeLibrary(library);
    return count;
}

int platform_write_lock(platform_handle lock, const char *text, struct err *err)
{
    size_t length = strlen(text);
    FILE_END_OF_FILE_INFO end = { .EndOfFile = { .QuadPart = (LONGLONG)length } };

    if (platform_write_at(lock, 0, text, length, err) == -1)
        return err_prefix(err, "the pidfile");
    if (!SetFileInformationByHandle(windows_handle(lock), FileEndOfFileInfo, &end, sizeof end)) {
        DWORD code = GetLastError();

        return err_set(err, ERR_FAILED, (long)code, "cannot write the pidfile: %s",
                platform_error_text((long)code));
    }
    return 0;
}
