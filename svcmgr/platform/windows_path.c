/* Paths, where programs are looked for, and what a program is passed.
 *
 * Paths that come from here have '/' between their parts, as those that are put together above the
 * seam have: the system takes both. */
#include <stdlib.h>
#include <string.h>

#include "windows_parts.h"

#include <userenv.h>

#include "str.h"

#include "banned.h"

#define VARIABLE_BYTES 65536 /* the longest has 32,767 characters: SetEnvironmentVariable */

bool platform_has_keeper(void)
{
    return false;
}

bool platform_passes_descriptors(void)
{
    return false;
}

/* An inherited handle has the same value in the child: CreateProcess, "Inheritance". */
int64_t platform_passed_number(platform_handle handle, size_t index)
{
    (void)index;
    return windows_is_socket(handle) ? (int64_t)windows_socket(handle)
                                     : (int64_t)(intptr_t)windows_handle(handle);
}

/* ---- Paths ----------------------------------------------------------------------------------- */

static bool is_separator(char c)
{
    return c == '/' || c == '\\';
}

/* "C:/x", "//server/share".  "/x" and "C:x" depend on where somebody is. */
bool platform_is_absolute(const char *path)
{
    if (str_is_letter(path[0]) && path[1] == ':')
        return is_separator(path[2]);
    return is_separator(path[0]) && is_separator(path[1]);
}

bool platform_absolute(const char *path, char *ret_path, size_t size)
{
    WCHAR given[WINDOWS_PATH_COUNT];
    WCHAR full[WINDOWS_PATH_COUNT];
    char text[PLATFORM_PATH_BYTES];
    size_t length;
    DWORD count;

    if (!windows_to_wide(path, given, WINDOWS_PATH_COUNT))
        return false;
    count = GetFullPathNameW(given, WINDOWS_PATH_COUNT, full, NULL);
    if (count == 0 || count >= WINDOWS_PATH_COUNT || !windows_from_wide(full, text, sizeof text))
        return false;
    for (char *at = text; *at != '\0'; at++)
        if (*at == '\\')
            *at = '/';
    length = strlen(text);
    while (length > 3 && text[length - 1] == '/')
        text[--length] = '\0';
    return str_copy(ret_path, size, text);
}

const char *platform_file_name(const char *path)
{
    const char *name = str_is_letter(path[0]) && path[1] == ':' ? path + 2 : path;

    for (const char *at = name; *at != '\0'; at++)
        if (is_separator(*at))
            name = at + 1;
    return name;
}

const char *platform_root_directory(void)
{
    static char root[4];
    WCHAR folder[MAX_PATH];
    char text[MAX_PATH * 3];

    if (root[0] == '\0') {
        UINT count = GetSystemWindowsDirectoryW(folder, MAX_PATH);
        bool known = count > 0 && count < MAX_PATH &&
                windows_from_wide(folder, text, sizeof text) && text[1] == ':';

        (void)str_format(root, sizeof root, "%c:/", known ? text[0] : 'C');
    }
    return root;
}

/* ---- The account's environment --------------------------------------------------------------- */

/* Those of hidden drives ("=C:=C:\x") are the shell's own. */
static void tell_variable(const WCHAR *variable, char *text,
        void (*each)(void *context, const char *name, const char *value), void *context)
{
    char *equals;

    if (variable[0] == L'=' || !windows_from_wide(variable, text, VARIABLE_BYTES))
        return;
    equals = strchr(text, '=');
    if (equals == NULL)
        return;
    *equals = '\0';
    each(context, text, equals + 1);
}

bool platform_base_environment(
        void (*each)(void *context, const char *name, const char *value), void *context)
{
    char *text = malloc(VARIABLE_BYTES);
    void *block = NULL;
    HANDLE token = NULL;

    if (text != NULL &&
            OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY | TOKEN_DUPLICATE, &token))
        (void)CreateEnvironmentBlock(&block, token, FALSE);
    if (token != NULL)
        (void)CloseHandle(token);
    for (const WCHAR *at = block; at != NULL && *at != L'\0'; at += wcslen(at) + 1)
        tell_variable(at, text, each, context);
    if (block != NULL)
        (void)DestroyEnvironmentBlock(block);
    free(text);
    return true;
}

bool platform_is_same_variable(const char *a, size_t length, const char *b)
{
    WCHAR first[256];
    WCHAR second[256];
    char name[256];

    if (length != strlen(b))
        return false;
    if (memcmp(a, b, length) == 0)
        return true;
    return str_format(name, sizeof name, "%.*s", (int)length, a) &&
            windows_to_wide(name, first, 256) && windows_to_wide(b, second, 256) &&
            CompareStringOrdinal(first, -1, second, -1, TRUE) == CSTR_EQUAL;
}

static void keep_path(void *path, const char *name, const char *value)
{
    if (platform_is_same_variable(name, strlen(name), "PATH"))
        (void)str_copy(path, VARIABLE_BYTES, value);
}

const char *platform_search_path(void)
{
    static char path[VARIABLE_BYTES];

    if (path[0] == '\0')
        (void)platform_base_environment(keep_path, path);
    return path;
}

/* ---- Programs -------------------------------------------------------------------------------- */

static bool is_program(const char *path)
{
    struct platform_file file;

    return platform_stat_target(path, &file) && !file.is_directory && platform_is_executable(path);
}

/* A word without an ending means the .exe: no other kind of file is executed without a shell. */
static bool find_in(
        const char *folder, size_t length, const char *word, char *ret_file, size_t size)
{
    bool has_ending = strchr(word, '.') != NULL;
    char path[PLATFORM_PATH_BYTES];

    if (length >= 2 && folder[0] == '"' && folder[length - 1] == '"') {
        folder++;
        length -= 2;
    }
    if (length == 0)
        return false;
    if (has_ending && str_format(path, sizeof path, "%.*s/%s", (int)length, folder, word) &&
            is_program(path))
        return platform_absolute(path, ret_file, size);
    return str_format(path, sizeof path, "%.*s/%s.exe", (int)length, folder, word) &&
            is_program(path) && platform_absolute(path, ret_file, size);
}

bool platform_find_program(const char *word, const char *search, char *ret_file, size_t size)
{
    for (const char *at = search; *at != '\0';) {
        size_t length = strcspn(at, ";");

        if (find_in(at, length, word, ret_file, size))
            return true;
        at += length;
        at += *at == ';';
    }
    return false;
}
