/* Directories, and what the system tells about a file. */
#include "windows_parts.h"

#include <aclapi.h>
#include <string.h>

#include "str.h"

#include "banned.h"

/* DeleteFile() with the semantics of unlink(2), so that the name is free at once though somebody
 * has the file open: FileDispositionInfoEx, which the headers of mingw-w64 hide (ntddk.h,
 * FILE_DISPOSITION_INFORMATION_EX), since Windows 10 1607. */
#define DISPOSITION_INFO_EX         ((FILE_INFO_BY_HANDLE_CLASS)21)
#define DISPOSITION_DELETE          0x01
#define DISPOSITION_POSIX           0x02
#define DISPOSITION_IGNORE_READONLY 0x10

static int fail(struct err *err, const char *what, const char *path)
{
    DWORD code = GetLastError();

    return err_set(err, windows_kind(code), (long)code, "cannot %s %s: %s", what, path,
            platform_error_text((long)code));
}

/* ---- What there is --------------------------------------------------------------------------- */

static bool is_link(HANDLE handle, DWORD *ret_tag)
{
    DWORD attributes;

    if (!windows_attributes(handle, &attributes, ret_tag))
        *ret_tag = 0;
    return *ret_tag == IO_REPARSE_TAG_SYMLINK || *ret_tag == IO_REPARSE_TAG_MOUNT_POINT;
}

/* What is ours in any of its ways has our number. */
static int64_t owner_of(HANDLE handle)
{
    PSECURITY_DESCRIPTOR descriptor;
    PSID owner;
    int64_t uid;

    if (windows_is_ours(handle))
        return (int64_t)platform_uid();
    if (GetSecurityInfo(handle, SE_FILE_OBJECT, OWNER_SECURITY_INFORMATION, &owner, NULL, NULL,
                NULL, &descriptor) != ERROR_SUCCESS)
        return -1;
    uid = (int64_t)windows_uid_of(owner);
    (void)LocalFree(descriptor);
    return uid;
}

static bool fill_file(HANDLE handle, struct platform_file *ret_file)
{
    BY_HANDLE_FILE_INFORMATION info;
    DWORD tag;
    bool is_directory;

    if (GetFileType(handle) != FILE_TYPE_DISK || !GetFileInformationByHandle(handle, &info))
        return false;
    is_directory = (info.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) != 0;
    *ret_file = (struct platform_file) {
        .size = (int64_t)(((uint64_t)info.nFileSizeHigh << 32) | info.nFileSizeLow),
        .modified_ns = windows_unix_ns(&info.ftLastWriteTime),
        .file_id = ((uint64_t)info.nFileIndexHigh << 32) | info.nFileIndexLow,
        .device_id = info.dwVolumeSerialNumber,
        .is_symlink = is_link(handle, &tag),
        .owner = owner_of(handle),
        .mode = is_directory ? 0700 : 0600,
    };
    ret_file->is_directory = is_directory && !ret_file->is_symlink;
    ret_file->is_socket = tag == IO_REPARSE_TAG_AF_UNIX;
    if ((info.dwFileAttributes & FILE_ATTRIBUTE_READONLY) != 0)
        ret_file->mode &= ~0200u;
    return true;
}

static bool look_at(const char *path, DWORD flags, struct platform_file *ret_file)
{
    HANDLE handle = windows_open(path, FILE_READ_ATTRIBUTES | READ_CONTROL, OPEN_EXISTING,
            flags | FILE_FLAG_BACKUP_SEMANTICS, NULL);
    bool good;

    if (handle == INVALID_HANDLE_VALUE && GetLastError() == ERROR_ACCESS_DENIED)
        handle = windows_open(path, FILE_READ_ATTRIBUTES, OPEN_EXISTING,
                flags | FILE_FLAG_BACKUP_SEMANTICS, NULL);
    if (handle == INVALID_HANDLE_VALUE)
        return false;
    good = fill_file(handle, ret_file);
    (void)CloseHandle(handle);
    return good;
}

bool platform_stat(const char *path, struct platform_file *ret_file)
{
    return look_at(path, FILE_FLAG_OPEN_REPARSE_POINT, ret_file);
}

bool platform_stat_target(const char *path, struct platform_file *ret_file)
{
    return look_at(path, 0, ret_file);
}

bool platform_stat_handle(platform_handle handle, struct platform_file *ret_file)
{
    return handle != PLATFORM_NO_HANDLE && !windows_is_socket(handle) &&
            fill_file(windows_handle(handle), ret_file);
}

bool platform_is_same_file(const char *a, const char *b)
{
    struct platform_file one;
    struct platform_file other;

    return strcmp(a, b) == 0 ||
            (platform_stat_target(a, &one) && platform_stat_target(b, &other) &&
                    one.file_id == other.file_id && one.device_id == other.device_id);
}

bool platform_is_executable(const char *path)
{
    static const char *const endings[] = { ".exe", ".com", ".bat", ".cmd" };
    struct platform_file file;
    WCHAR wide[WINDOWS_PATH_COUNT];
    size_t length = strlen(path);
    DWORD type;

    if (!platform_stat_target(path, &file) || file.is_directory)
        return false;
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++)
        if (length > 4 && str_equal_nocase(path + length - 4, endings[i]))
            return true;
    return windows_to_path(path, wide) && GetBinaryTypeW(wide, &type);
}

bool platform_is_network_file_system(const char *path)
{
    WCHAR wide[WINDOWS_PATH_COUNT];
    WCHAR volume[WINDOWS_PATH_COUNT];

    return windows_to_path(path, wide) && GetVolumePathNameW(wide, volume, WINDOWS_PATH_COUNT) &&
            GetDriveTypeW(volume) == DRIVE_REMOTE;
}

/* ---- Directories ----------------------------------------------------------------------------- */

/* As mkdir(2) does with a mode: 0700 is for us alone.  Others may look at the rest, where it is
 * root's; a person's own directories inherit what their profile says. */
static bool make_one(const WCHAR *path, unsigned mode)
{
    SECURITY_ATTRIBUTES security = { .nLength = sizeof security };
    bool is_private = (mode & 077) == 0;
    bool done;
    DWORD code;

    if (is_private || platform_is_privileged()) {
        security.lpSecurityDescriptor = windows_make_private(path, true, !is_private);
        if (security.lpSecurityDescriptor == NULL)
            return false;
    }
    done = CreateDirectoryW(path, security.lpSecurityDescriptor != NULL ? &security : NULL);
    code = GetLastError();
    (void)LocalFree(security.lpSecurityDescriptor);
    SetLastError(code);
    return done;
}

/* Leaves the directory that a path is in; false if it is the root already, or none is named. */
static bool cut_last(char *path)
{
    size_t at = strlen(path);

    while (at > 0 && path[at] != '/' && path[at] != '\\')
        at--;
    if (at == 0 || (path[at - 1] == ':' && path[at + 1] == '\0'))
        return false;
    path[path[at - 1] == ':' ? at + 1 : at] = '\0';
    return true;
}

int platform_make_directory(const char *path, unsigned mode, struct err *err)
{
    char parent[PLATFORM_PATH_BYTES];
    WCHAR wide[WINDOWS_PATH_COUNT];
    struct platform_file file;

    if (!windows_to_path(path, wide))
        return err_set(err, ERR_FAILED, 0, "the path %s is too long", path);
    if (make_one(wide, mode))
        return 0;
    if (GetLastError() == ERROR_ALREADY_EXISTS || GetLastError() == ERROR_ACCESS_DENIED) {
        DWORD code = GetLastError();

        /* A drive's root exists, and says "access denied" to this. */
        if (platform_stat_target(path, &file) && file.is_directory)
            return 0;
        SetLastError(code);
        if (code == ERROR_ALREADY_EXISTS)
            return err_set(err, ERR_FAILED, ERROR_ALREADY_EXISTS,
                    "%s is in the way: it is not a directory", path);
    }
    if (GetLastError() != ERROR_PATH_NOT_FOUND)
        return fail(err, "create the directory", path);
    if (!str_copy(parent, sizeof parent, path))
        return err_set(err, ERR_FAILED, 0, "the path %s is too long", path);
    if (!cut_last(parent)) {
        SetLastError(ERROR_PATH_NOT_FOUND);
        return fail(err, "create the directory", path);
    }
    /* Parents are ordinary directories. */
    if (platform_make_directory(parent, mode == 0700 ? 0755 : mode, err) == -1)
        return -1;
    if (!make_one(wide, mode) && GetLastError() != ERROR_ALREADY_EXISTS)
        return fail(err, "create the directory", path);
    return 0;
}

int platform_check_private(const char *path, struct err *err)
{
    HANDLE handle = windows_open(path, FILE_READ_ATTRIBUTES | READ_CONTROL, OPEN_EXISTING,
            FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OPEN_REPARSE_POINT, NULL);
    struct platform_file file;
    int result = 0;

    if (handle == INVALID_HANDLE_VALUE)
        return fail(err, "look at", path);
    if (!fill_file(handle, &file) || !file.is_directory)
        result = err_set(err, ERR_DENIED, 0, "%s is not a directory", path);
    else if (!windows_is_ours(handle))
        result = err_set(err, ERR_DENIED, 0, "%s belongs to another user", path);
    else if (windows_others_can_write(handle))
        result = err_set(err, ERR_DENIED, 0,
                "others can write to %s; type: icacls \"%s\" /inheritance:r /grant:r "
                "\"%%USERNAME%%:(OI)(CI)F\"",
                path, path);
    (void)CloseHandle(handle);
    return result;
}

int platform_check_writable(const char *path, struct err *err)
{
    char place[PLATFORM_PATH_BYTES];
    WCHAR wide[WINDOWS_PATH_COUNT];
    struct platform_file file;
    ULARGE_INTEGER left;
    HANDLE handle;
    bool is_there;

    if (!str_copy(place, sizeof place, path))
        return err_set(err, ERR_FAILED, 0, "the path is too long: %.60s...", path);
    while (!(is_there = platform_stat_target(place, &file)) && cut_last(place)) {
    }
    if (!is_there) {
        SetLastError(ERROR_PATH_NOT_FOUND);
        return fail(err, "write to", path);
    }
    /* A directory's right to have files made in it has the same bit. */
    handle = windows_open(place, FILE_WRITE_DATA, OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS, NULL);
    if (handle == INVALID_HANDLE_VALUE)
        return fail(err, "write to", place);
    (void)CloseHandle(handle);
    if (!file.is_directory)
        (void)cut_last(place);
    if (windows_to_path(place, wide) && GetDiskFreeSpaceExW(wide, &left, NULL, NULL) &&
            left.QuadPart == 0)
        return err_set(err, ERR_FAILED, ERROR_DISK_FULL,
                "no space is left on the file system of %s", place);
    return 0;
}

void platform_remove_directory(const char *path)
{
    WCHAR wide[WINDOWS_PATH_COUNT];

    if (windows_to_path(path, wide))
        (void)RemoveDirectoryW(wide);
}

int platform_list_directory(const char *path, void (*each)(void *context, const char *name),
        void *context, struct err *err)
{
    char pattern[PLATFORM_PATH_BYTES];
    char name[MAX_PATH * 4];
    WCHAR wide[WINDOWS_PATH_COUNT];
    WIN32_FIND_DATAW found;
    HANDLE search;

    if (!str_format(pattern, sizeof pattern, "%s/*", path) || !windows_to_path(pattern, wide))
        return err_set(err, ERR_FAILED, 0, "the path %s is too long", path);
    search = FindFirstFileExW(
            wide, FindExInfoBasic, &found, FindExSearchNameMatch, NULL, FIND_FIRST_EX_LARGE_FETCH);
    if (search == INVALID_HANDLE_VALUE && platform_means_missing((long)GetLastError()))
        return 0;
    if (search == INVALID_HANDLE_VALUE)
        return fail(err, "read the directory", path);
    do {
        if (wcscmp(found.cFileName, L".") != 0 && wcscmp(found.cFileName, L"..") != 0 &&
                windows_from_wide(found.cFileName, name, sizeof name))
            each(context, name);
    } while (FindNextFileW(search, &found));
    (void)FindClose(search);
    return 0;
}

/* ---- Names ----------------------------------------------------------------------------------- */

static bool remove_as_posix(const char *path)
{
    DWORD flags = DISPOSITION_DELETE | DISPOSITION_POSIX | DISPOSITION_IGNORE_READONLY;
    HANDLE handle = windows_open(path, DELETE, OPEN_EXISTING, FILE_FLAG_OPEN_REPARSE_POINT, NULL);
    bool done;

    if (handle == INVALID_HANDLE_VALUE)
        return false;
    done = SetFileInformationByHandle(handle, DISPOSITION_INFO_EX, &flags, sizeof flags);
    (void)CloseHandle(handle);
    return done;
}

int platform_remove_file(const char *path, struct err *err)
{
    WCHAR wide[WINDOWS_PATH_COUNT];

    if (!windows_to_path(path, wide))
        return err_set(err, ERR_FAILED, 0, "the path %s is too long", path);
    if (!remove_as_posix(path) && !DeleteFileW(wide) &&
            !platform_means_missing((long)GetLastError()))
        return fail(err, "remove", path);
    return 0;
}

int platform_rename(const char *from, const char *to, struct err *err)
{
    if (!windows_move(from, to)) {
        DWORD code = GetLastError();

        return err_set(err, windows_kind(code), (long)code, "cannot rename %s to %s: %s", from, to,
                platform_error_text((long)code));
    }
    return 0;
}
