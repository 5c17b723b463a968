/* Whether a place can be written to, without writing to it. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "posix.h"
#include "str.h"

#include "banned.h"

int platform_check_writable(const char *path, struct err *err)
{
    char place[PLATFORM_PATH_BYTES];
    struct platform_file file;
    struct statvfs disk;
    char *slash;

    if (!str_copy(place, sizeof place, path))
        return err_set(err, ERR_FAILED, 0, "the path is too long: %.60s...", path);
    while (!platform_stat_target(place, &file) && (slash = strrchr(place, '/')) != NULL &&
            slash != place)
        *slash = '\0';
    if (faccessat(AT_FDCWD, place, file.is_directory ? W_OK | X_OK : W_OK, AT_EACCESS) == -1)
        return err_set(
                err, posix_kind(errno), errno, "cannot write to %s: %s", place, strerror(errno));
    if (statvfs(place, &disk) == -1)
        return 0;
    if (disk.f_blocks > 0 && (geteuid() == 0 ? disk.f_bfree : disk.f_bavail) == 0)
        return err_set(err, ERR_FAILED, ENOSPC, "no space is left on the file system of %s", place);
    if (disk.f_files > 0 && disk.f_ffree == 0)
        return err_set(err, ERR_FAILED, ENOSPC, "no inode is left on the file system of %s", place);
    return 0;
}
