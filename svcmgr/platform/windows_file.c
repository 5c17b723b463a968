/* Files: reading, writing, replacing. */
#include "windows_parts.h"

#include <stdlib.h>
#include <string.h>

#include "str.h"

#include "banned.h"

#define READ_STEP_BYTES 4096
#define SHARE_ALL       (FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE)
/* Scanners of viruses and indexers open what was just written, without sharing it. */
#define BUSY_PAUSE_MS 10
#define BUSY_TRIES    30

static int fail(struct err *err, const char *what, const char *path)
{
    DWORD code = GetLastError();

    return err_set(err, windows_kind(code), (long)code, "cannot %s %s: %s", what, path,
            platform_error_text((long)code));
}

HANDLE windows_open(const char *path, DWORD access, DWORD disposition, DWORD flags,
        PSECURITY_DESCRIPTOR descriptor)
{
    SECURITY_ATTRIBUTES security = { .nLength = sizeof security,
        .lpSecurityDescriptor = descriptor };
    WCHAR wide[WINDOWS_PATH_COUNT];
    HANDLE handle = INVALID_HANDLE_VALUE;

    if (!windows_to_path(path, wide))
        return INVALID_HANDLE_VALUE;
    for (int i = 0; i < BUSY_TRIES; i++) {
        handle = CreateFileW(wide, access, SHARE_ALL, descriptor != NULL ? &security : NULL,
                disposition, flags, NULL);
        if (handle != INVALID_HANDLE_VALUE || GetLastError() != ERROR_SHARING_VIOLATION)
            return handle;
        (void)WaitForSingleObject(GetCurrentProcess(), BUSY_PAUSE_MS);
    }
    SetLastError(ERROR_SHARING_VIOLATION);
    return handle;
}

bool windows_attributes(HANDLE handle, DWORD *ret_attributes, DWORD *ret_tag)
{
    FILE_ATTRIBUTE_TAG_INFO info;

    if (GetFileType(handle) != FILE_TYPE_DISK ||
            !GetFileInformationByHandleEx(handle, FileAttributeTagInfo, &info, sizeof info))
        return false;
    *ret_attributes = info.FileAttributes;
    *ret_tag = (info.FileAttributes & FILE_ATTRIBUTE_REPARSE_POINT) != 0 ? info.ReparseTag : 0;
    return true;
}

static bool is_regular(HANDLE handle)
{
    DWORD attributes;
    DWORD tag;

    return windows_attributes(handle, &attributes, &tag) &&
            (attributes & FILE_ATTRIBUTE_DIRECTORY) == 0;
}

int platform_open_to_read(const char *path, platform_handle *ret_handle, struct err *err)
{
    /* With this flag a directory can be opened too, and is called by its name. */
    HANDLE handle =
            windows_open(path, GENERIC_READ, OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS, NULL);

    if (handle == INVALID_HANDLE_VALUE) {
        bool missing = platform_means_missing((long)GetLastError());

        (void)fail(err, "open", path);
        if (missing)
            err->kind = ERR_NO_SERVICE;
        return -1;
    }
    if (!is_regular(handle)) {
        (void)CloseHandle(handle);
        return err_set(err, ERR_FAILED, 0, "%s is not a regular file", path);
    }
    *ret_handle = windows_of_handle(handle);
    return 0;
}

/* From an offset to the end; more than 'limit' bytes: ERROR_FILE_TOO_LARGE. */
static bool read_all(platform_handle handle, int64_t offset, size_t limit, struct buffer *out)
{
    size_t start = out->length;

    for (;;) {
        char *room = buffer_reserve(out, READ_STEP_BYTES);
        long got;

        if (room == NULL) {
            SetLastError(ERROR_NOT_ENOUGH_MEMORY);
            return false;
        }
        got = platform_read_at(
                handle, offset + (int64_t)(out->length - start), room, READ_STEP_BYTES);
        if (got < 0)
            return false;
        room[got] = '\0';
        out->length += (size_t)got;
        if (got == 0)
            return true;
        if (out->length - start > limit) {
            SetLastError(ERROR_FILE_TOO_LARGE);
            return false;
        }
    }
}

int platform_read_file(const char *path, size_t limit, struct buffer *out, struct err *err)
{
    platform_handle handle;
    int result = 0;

    if (platform_open_to_read(path, &handle, err) == -1)
        return -1;
    if (!read_all(handle, 0, limit, out)) {
        if (GetLastError() == ERROR_FILE_TOO_LARGE)
            result = err_set(err, ERR_FAILED, ERROR_FILE_TOO_LARGE, "%s is larger than %zu bytes",
                    path, limit);
        else
            result = fail(err, "read", path);
    }
    platform_close(handle);
    return result;
}

int platform_read_tail(
        const char *path, int64_t from, size_t limit, struct buffer *out, struct err *err)
{
    platform_handle handle;
    LARGE_INTEGER size;
    int64_t start;
    int result = 0;

    if (platform_open_to_read(path, &handle, err) == -1)
        return -1;
    if (!GetFileSizeEx(windows_handle(handle), &size)) {
        result = fail(err, "read", path);
    } else {
        start = size.QuadPart > (int64_t)limit ? size.QuadPart - (int64_t)limit : 0;
        if (from > start && from <= size.QuadPart)
            start = from;
        if (!read_all(handle, start, limit, out) && GetLastError() != ERROR_FILE_TOO_LARGE)
            result = fail(err, "read", path);
    }
    platform_close(handle);
    return result;
}

long platform_read_at(platform_handle handle, int64_t offset, void *ret_data, size_t size)
{
    size_t done = 0;

    while (done < size) {
        uint64_t at = (uint64_t)offset + done;
        OVERLAPPED place = { .Offset = (DWORD)at, .OffsetHigh = (DWORD)(at >> 32) };
        DWORD got = 0;

        if (!ReadFile(windows_handle(handle), (char *)ret_data + done, (DWORD)(size - done), &got,
                    &place) &&
                GetLastError() != ERROR_HANDLE_EOF)
            return -1;
        if (got == 0)
            break;
        done += got;
    }
    return (long)done;
}

/* Opens a file that is written, made if it is missing; a link is not followed. */
static int open_to_write(
        const char *path, DWORD access, platform_handle *ret_handle, struct err *err)
{
    HANDLE handle = windows_open(
            path, access | SYNCHRONIZE, OPEN_ALWAYS, FILE_FLAG_OPEN_REPARSE_POINT, NULL);
    DWORD attributes;
    DWORD tag;

    if (handle == INVALID_HANDLE_VALUE)
        return fail(err, "open", path);
    if (!windows_attributes(handle, &attributes, &tag) ||
            (attributes & FILE_ATTRIBUTE_REPARSE_POINT) != 0) {
        (void)CloseHandle(handle);
        return err_set(
                err, ERR_FAILED, ERROR_CANT_ACCESS_FILE, "cannot open %s: it is a link", path);
    }
    *ret_handle = windows_of_handle(handle);
    return 0;
}

/* Who may look at what is made here is inherited from the directory, which is private. */
int platform_open_log(const char *path, platform_handle *ret_handle, struct err *err)
{
    return open_to_write(path, FILE_APPEND_DATA | FILE_READ_ATTRIBUTES, ret_handle, err);
}

int platform_open_state(const char *path, platform_handle *ret_handle, struct err *err)
{
    return open_to_write(path, GENERIC_READ | GENERIC_WRITE, ret_handle, err);
}

int platform_write_at(
        platform_handle handle, size_t offset, const void *data, size_t length, struct err *err)
{
    size_t done = 0;

    while (done < length) {
        uint64_t at = (uint64_t)offset + done;
        OVERLAPPED place = { .Offset = (DWORD)at, .OffsetHigh = (DWORD)(at >> 32) };
        DWORD wrote;

        if (!WriteFile(windows_handle(handle), (const char *)data + done, (DWORD)(length - done),
                    &wrote, &place)) {
            DWORD code = GetLastError();

            return err_set(err, ERR_FAILED, (long)code, "cannot write: %s",
                    platform_error_text((long)code));
        }
        done += wrote;
    }
    return 0;
}

/* A handle for overlapped calls takes no other ones; the event's lowest bit keeps the end of this
 * one out of a completion port (GetQueuedCompletionStatus()). */
static bool write_overlapped(HANDLE handle, const char *data, DWORD length, DWORD *ret_wrote)
{
    OVERLAPPED call = { 0 };
    HANDLE event = CreateEventW(NULL, TRUE, FALSE, NULL);
    bool done;
    DWORD code;

    if (event == NULL)
        return false;
    call.hEvent = (HANDLE)((uintptr_t)event | 1);
    done = WriteFile(handle, data, length, ret_wrote, &call) ||
            (GetLastError() == ERROR_IO_PENDING &&
                    GetOverlappedResult(handle, &call, ret_wrote, TRUE));
    code = GetLastError();
    (void)CloseHandle(event);
    SetLastError(code);
    return done;
}

static bool send_some(SOCKET to, const char *data, DWORD length, size_t *ret_wrote)
{
    WSAPOLLFD one = { .fd = to, .events = POLLWRNORM };
    int sent = send(to, data, (int)length, 0);

    while (sent == SOCKET_ERROR && WSAGetLastError() == WSAEWOULDBLOCK &&
            WSAPoll(&one, 1, -1) != SOCKET_ERROR)
        sent = send(to, data, (int)length, 0);
    *ret_wrote = sent > 0 ? (size_t)sent : 0;
    return sent > 0;
}

static bool write_some(platform_handle to, const char *data, size_t length, size_t *ret_wrote)
{
    DWORD piece = length > PLATFORM_PIECE_BYTES ? PLATFORM_PIECE_BYTES : (DWORD)length;
    DWORD wrote = 0;

    if (windows_is_socket(to))
        return send_some(windows_socket(to), data, piece, ret_wrote);
    if (!WriteFile(windows_handle(to), data, piece, &wrote, NULL) &&
            (GetLastError() != ERROR_INVALID_PARAMETER ||
                    !write_overlapped(windows_handle(to), data, piece, &wrote)))
        return false;
    *ret_wrote = wrote;
    if (wrote == 0)
        SetLastError(ERROR_WRITE_FAULT);
    return wrote > 0;
}

int platform_write(platform_handle handle, const void *data, size_t length, struct err *err)
{
    const char *at = data;
    size_t wrote;

    while (length > 0) {
        if (!write_some(handle, at, length, &wrote)) {
            DWORD code = GetLastError();

            return err_set(err, ERR_FAILED, (long)code, "cannot write: %s",
                    platform_error_text((long)code));
        }
        at += wrote;
        length -= wrote;
    }
    return 0;
}

/* There is no call that writes several pieces to any handle (WriteFileGather() wants whole pages):
 * they are put together. */
int platform_write_pieces(
        platform_handle handle, const struct platform_piece *pieces, size_t count, struct err *err)
{
    char together[PLATFORM_PIECE_BYTES];
    size_t length = 0;

    for (size_t i = 0; i < count; i++) {
        if (length + pieces[i].length > sizeof together) {
            if (platform_write(handle, together, length, err) == -1)
                return -1;
            length = 0;
        }
        if (pieces[i].length > sizeof together) {
            if (platform_write(handle, pieces[i].data, pieces[i].length, err) == -1)
                return -1;
            continue;
        }
        memcpy(together + length, pieces[i].data, pieces[i].length);
        length += pieces[i].length;
    }
    return platform_write(handle, together, length, err);
}

/* FileRenameInfoEx, which the headers of mingw-w64 hide, and the flags of its FILE_RENAME_INFO:
 * ntifs.h, FILE_RENAME_INFORMATION. */
#define RENAME_INFO_EX         ((FILE_INFO_BY_HANDLE_CLASS)22)
#define RENAME_REPLACE         0x01
#define RENAME_POSIX           0x02
#define RENAME_IGNORE_READONLY 0x40

/* As rename(2) does it: who has the old file open keeps that.  Since Windows 10 1607, on NTFS. */
static bool move_as_posix(const char *from, const WCHAR *to)
{
    size_t bytes = wcslen(to) * sizeof(WCHAR);
    size_t size = sizeof(FILE_RENAME_INFO) + bytes;
    FILE_RENAME_INFO *info = calloc(1, size);
    HANDLE handle = windows_open(from, DELETE | SYNCHRONIZE, OPEN_EXISTING,
            FILE_FLAG_OPEN_REPARSE_POINT | FILE_FLAG_BACKUP_SEMANTICS, NULL);
    const DWORD flags = RENAME_REPLACE | RENAME_POSIX | RENAME_IGNORE_READONLY;
    bool done = false;
    DWORD code;

    if (info != NULL && handle != INVALID_HANDLE_VALUE) {
        memcpy(info, &flags, sizeof flags); /* older headers have a BOOLEAN there */
        info->FileNameLength = (DWORD)bytes;
        memcpy(info->FileName, to, bytes + sizeof(WCHAR));
        done = SetFileInformationByHandle(handle, RENAME_INFO_EX, info, (DWORD)size);
    }
    code = GetLastError();
    free(info);
    if (handle != INVALID_HANDLE_VALUE)
        (void)CloseHandle(handle);
    SetLastError(code);
    return done;
}

static bool is_busy(DWORD code)
{
    return code == ERROR_SHARING_VIOLATION || code == ERROR_ACCESS_DENIED ||
            code == ERROR_USER_MAPPED_FILE;
}

bool windows_move(const char *from, const char *to)
{
    WCHAR wide_from[WINDOWS_PATH_COUNT];
    WCHAR wide_to[WINDOWS_PATH_COUNT];

    if (!windows_to_path(from, wide_from) || !windows_to_path(to, wide_to))
        return false;
    for (int i = 0; i < BUSY_TRIES; i++) {
        if (move_as_posix(from, wide_to) ||
                MoveFileExW(wide_from, wide_to, MOVEFILE_REPLACE_EXISTING))
            return true;
        if (!is_busy(GetLastError()))
            return false;
        (void)WaitForSingleObject(GetCurrentProcess(), BUSY_PAUSE_MS);
    }
    return false;
}

int windows_replace_file(const char *path, const char *data, size_t length,
        PSECURITY_DESCRIPTOR descriptor, struct err *err)
{
    char temporary[PLATFORM_PATH_BYTES];
    struct err ignored;
    platform_handle handle;
    int result;

    if (!str_format(temporary, sizeof temporary, "%s.new", path))
        return err_set(err, ERR_FAILED, 0, "the path %s is too long", path);
    /* What is left of one that was killed here: a new file has the rights that are asked for. */
    (void)platform_remove_file(temporary, &ignored);
    handle = windows_of_handle(windows_open(temporary, GENERIC_WRITE, CREATE_NEW, 0, descriptor));
    if (handle == PLATFORM_NO_HANDLE)
        return fail(err, "create", temporary);
    result = platform_write(handle, data, length, err);
    if (result == -1)
        err_prefix(err, "%s", temporary);
    platform_close(handle);
    if (result == 0 && !windows_move(temporary, path))
        result = fail(err, "rename", temporary);
    if (result == -1)
        (void)platform_remove_file(temporary, &ignored);
    return result;
}

int platform_replace_file(
        const char *path, const char *data, size_t length, unsigned mode, struct err *err)
{
    /* Else who may do what is inherited from the directory. */
    WCHAR wide[WINDOWS_PATH_COUNT];
    PSECURITY_DESCRIPTOR descriptor = NULL;
    int result;

    if ((mode & 077) == 0)
        descriptor = windows_make_private(windows_to_path(path, wide) ? wide : NULL, false, false);
    if ((mode & 077) == 0 && descriptor == NULL)
        return fail(err, "make rights for", path);
    result = windows_replace_file(path, data, length, descriptor, err);
    (void)LocalFree(descriptor);
    return result;
}
