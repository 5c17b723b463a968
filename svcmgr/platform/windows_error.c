/* Codes of the system: what they say, and what they mean. */
#include <errno.h>
#include <string.h>

#include "str.h"
#include "windows_parts.h"

#include "banned.h"

const char *platform_error_text(long os_code)
{
    static char text[512];
    const DWORD flags = FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS |
            FORMAT_MESSAGE_MAX_WIDTH_MASK;
    WCHAR wide[256];
    DWORD length = FormatMessageW(flags, NULL, (DWORD)os_code,
            MAKELANGID(LANG_ENGLISH, SUBLANG_ENGLISH_US), wide, sizeof wide / sizeof wide[0], NULL);
    char *at;
    size_t end;

    if (length == 0) /* English is not installed */
        length = FormatMessageW(
                flags, NULL, (DWORD)os_code, 0, wide, sizeof wide / sizeof wide[0], NULL);
    if (length == 0 || !windows_from_wide(wide, text, sizeof text)) {
        (void)str_format(text, sizeof text, "error %ld", os_code);
        return text;
    }
    at = strstr(text, "%1"); /* a place for a name that the caller has said already */
    if (at != NULL) {
        char rest[sizeof text];

        (void)str_copy(rest, sizeof rest, at + 2);
        (void)str_format(at, sizeof text - (size_t)(at - text), "the file%s", rest);
    }
    end = strlen(text);
    while (end > 0 && (text[end - 1] == ' ' || text[end - 1] == '.'))
        text[--end] = '\0';
    return text;
}

const char *platform_library_error_text(void)
{
    return strerror(errno);
}

long platform_code_for_missing(void)
{
    return ERROR_FILE_NOT_FOUND;
}

bool platform_means_full(long os_code)
{
    return os_code == ERROR_DISK_FULL || os_code == ERROR_HANDLE_DISK_FULL;
}

bool platform_means_read_only(long os_code)
{
    return os_code == ERROR_WRITE_PROTECT;
}

bool platform_means_not_executable(long os_code)
{
    return os_code == ERROR_BAD_EXE_FORMAT || os_code == ERROR_EXE_MACHINE_TYPE_MISMATCH ||
            os_code == ERROR_ACCESS_DENIED;
}

bool platform_means_missing(long os_code)
{
    return os_code == ERROR_FILE_NOT_FOUND || os_code == ERROR_PATH_NOT_FOUND ||
            os_code == ERROR_DIRECTORY;
}
