/* Paths, where programs are looked for, and what a program is passed. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "posix.h"
#include "str.h"

#include "banned.h"

bool platform_has_keeper(void)
{
    return true;
}

platform_handle platform_given(size_t index)
{
    return POSIX_FIRST_PASSED + (platform_handle)index;
}

bool platform_passes_descriptors(void)
{
    return true;
}

int64_t platform_passed_number(platform_handle handle, size_t index)
{
    (void)handle;
    return POSIX_FIRST_PASSED + (int64_t)index;
}

bool platform_working_directory(char *ret_path, size_t size)
{
    return getcwd(ret_path, size) != NULL;
}

const char *platform_environment(const char *name)
{
    return getenv(name);
}

bool platform_base_environment(
        void (*each)(void *context, const char *name, const char *value), void *context)
{
    (void)each;
    (void)context;
    return false;
}

bool platform_is_same_variable(const char *a, size_t length, const char *b)
{
    return strncmp(a, b, length) == 0 && b[length] == '\0';
}

bool platform_is_absolute(const char *path)
{
    return path[0] == '/';
}

bool platform_absolute(const char *path, char *ret_path, size_t size)
{
    char here[PLATFORM_PATH_BYTES];
    size_t length;

    if (path[0] == '/') {
        if (!str_copy(ret_path, size, path))
            return false;
    } else if (!platform_working_directory(here, sizeof here) ||
            !str_format(
                    ret_path, size, "%s/%s", here, strncmp(path, "./", 2) == 0 ? path + 2 : path)) {
        return false;
    }
    length = strlen(ret_path);
    while (length > 1 && ret_path[length - 1] == '/')
        ret_path[--length] = '\0';
    return true;
}

const char *platform_file_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash != NULL ? slash + 1 : path;
}

const char *platform_root_directory(void)
{
    return "/";
}

const char *platform_search_path(void)
{
    return "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
}

bool platform_find_program(const char *word, const char *search, char *ret_file, size_t size)
{
    const char *at = search;

    while (*at != '\0') {
        size_t length = strcspn(at, ":");

        if (length > 0 && str_format(ret_file, size, "%.*s/%s", (int)length, at, word) &&
                platform_is_executable(ret_file))
            return true;
        at += length;
        at += *at == ':';
    }
    return false;
}
