#include "pidfile.h"

#include "str.h"

#include "banned.h"

#define PIDFILE_NAME "pid"

static int pidfile_path(const char *directory, char *ret_path, size_t size, struct err *err)
{
    if (!str_format(ret_path, size, "%s/%s", directory, PIDFILE_NAME))
        return err_set(err, ERR_FAILED, 0, "the state directory's path is too long: %s", directory);
    return 0;
}

int pidfile_take(const char *directory, platform_handle *ret_lock, struct err *err)
{
    char path[PLATFORM_PATH_BYTES];

    if (pidfile_path(directory, path, sizeof path, err) == -1 ||
            platform_make_directory(directory, 0700, err) == -1 ||
            platform_check_private(directory, err) == -1)
        return -1;
    return platform_lock(path, ret_lock, err);
}

int pidfile_take_as_heir(const char *directory, platform_handle *ret_lock, struct err *err)
{
    char path[PLATFORM_PATH_BYTES];

    if (pidfile_path(directory, path, sizeof path, err) == -1)
        return -1;
    return platform_lock_as_heir(path, ret_lock, err);
}

int pidfile_write(platform_handle lock, int64_t pid, struct err *err)
{
    char line[32];

    (void)str_format(line, sizeof line, "%lld\n", (long long)pid);
    return platform_write_lock(lock, line, err);
}

bool pidfile_is_taken(const char *directory)
{
    char path[PLATFORM_PATH_BYTES];
    struct err err;

    return pidfile_path(directory, path, sizeof path, &err) == 0 && platform_is_locked(path);
}
