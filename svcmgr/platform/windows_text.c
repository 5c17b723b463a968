#include "windows_parts.h"

#include <string.h>

#include "banned.h"

bool windows_to_wide(const char *text, WCHAR *ret_text, size_t count)
{
    if (count > 0 && MultiByteToWideChar(CP_UTF8, 0, text, -1, ret_text, (int)count) > 0)
        return true;
    if (count > 0)
        ret_text[0] = L'\0';
    return false;
}

bool windows_from_wide(const WCHAR *text, char *ret_text, size_t size)
{
    if (size > 0 && WideCharToMultiByte(CP_UTF8, 0, text, -1, ret_text, (int)size, NULL, NULL) > 0)
        return true;
    if (size > 0)
        ret_text[0] = '\0';
    return false;
}

/* Directories may be 12 shorter than MAX_PATH: CreateDirectory(), room for an 8.3 name. */
#define SHORT_PATH_MAX (MAX_PATH - 12)

static const WCHAR long_path[] = L"\\\\?\\";
static const WCHAR long_share[] = L"\\\\?\\UNC\\";

/* With the prefix a path goes to the file system as it is: it has to be absolute, without "..". */
static bool lengthen(const WCHAR *path, WCHAR ret_path[WINDOWS_PATH_COUNT])
{
    WCHAR full[WINDOWS_PATH_COUNT];
    DWORD length = GetFullPathNameW(path, WINDOWS_PATH_COUNT, full, NULL);
    const WCHAR *prefix = long_path;
    const WCHAR *rest = full;

    if (length == 0 || length >= WINDOWS_PATH_COUNT)
        return false;
    if (wcsncmp(full, L"\\\\?\\", 4) == 0 || wcsncmp(full, L"\\\\.\\", 4) == 0) {
        prefix = L"";
    } else if (wcsncmp(full, L"\\\\", 2) == 0) {
        prefix = long_share;
        rest = full + 2;
    }
    if (wcslen(prefix) + wcslen(rest) >= WINDOWS_PATH_COUNT) {
        SetLastError(ERROR_FILENAME_EXCED_RANGE);
        return false;
    }
    memcpy(ret_path, prefix, wcslen(prefix) * sizeof(WCHAR));
    memcpy(ret_path + wcslen(prefix), rest, (wcslen(rest) + 1) * sizeof(WCHAR));
    return true;
}

bool windows_to_path(const char *path, WCHAR ret_path[WINDOWS_PATH_COUNT])
{
    WCHAR wide[PLATFORM_PATH_BYTES];

    ret_path[0] = L'\0';
    if (!windows_to_wide(path, wide, PLATFORM_PATH_BYTES)) {
        SetLastError(ERROR_FILENAME_EXCED_RANGE);
        return false;
    }
    for (WCHAR *at = wide; *at != L'\0'; at++)
        if (*at == L'/')
            *at = L'\\';
    if (GetFullPathNameW(wide, 0, NULL, NULL) > SHORT_PATH_MAX)
        return lengthen(wide, ret_path);
    memcpy(ret_path, wide, (wcslen(wide) + 1) * sizeof(WCHAR));
    return true;
}

bool windows_from_path(const WCHAR *path, char *ret_path, size_t size)
{
    size_t share = sizeof long_share / sizeof long_share[0] - 1;
    size_t local = sizeof long_path / sizeof long_path[0] - 1;
    bool is_share = wcsncmp(path, long_share, share) == 0;

    if (!is_share && wcsncmp(path, long_path, local) == 0)
        path += local;
    else if (is_share)
        path += share - 2;
    if (!windows_from_wide(path, ret_path, size))
        return false;
    for (char *at = ret_path; *at != '\0'; at++)
        if (*at == '\\')
            *at = '/';
    if (is_share)
        ret_path[0] = '/';
    return true;
}

enum err_kind windows_kind(DWORD code)
{
    switch (code) {
    case ERROR_ACCESS_DENIED:
    case ERROR_PRIVILEGE_NOT_HELD:
    case WSAEACCES:
        return ERR_DENIED;
    default:
        return ERR_FAILED;
    }
}
