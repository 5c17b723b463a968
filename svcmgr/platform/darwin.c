/* macOS: this program, its places, and what launchd gives it.
 *
 * Nothing of the darwin files has ever run: they are built and checked against the libraries of
 * macOS 11.  What they rely on is read in XNU, xnu-7195 (macOS 11), by file and function. */
#include <errno.h>
#include <fcntl.h>
#include <launch.h>
#include <limits.h>
#include <mach-o/dyld.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "platform_launch.h"
#include "platform_sys.h"
#include "posix.h"
#include "str.h"

#include "banned.h"

bool platform_executable(char *ret_path, size_t size)
{
    char started[PATH_MAX];
    char real[PATH_MAX];
    uint32_t room = sizeof started;

    if (_NSGetExecutablePath(started, &room) == -1)
        return false;
    return str_copy(ret_path, size, realpath(started, real) != NULL ? real : started);
}

platform_handle platform_open_executable(void)
{
    char path[PATH_MAX];

    return platform_executable(path, sizeof path) ? sys.open(path, O_RDONLY | O_CLOEXEC) : -1;
}

/* There is no fexecve(2).  A file that was replaced since has no path any more: what stands in its
 * place is executed then. */
void posix_execute(int program, const char *const *words, char *const *environment)
{
    char path[PATH_MAX];

    if (fcntl(program, F_GETPATH, path) != -1)
        execve(path, (char *const *)(uintptr_t)words, environment);
    if (platform_executable(path, sizeof path))
        execve(path, (char *const *)(uintptr_t)words, environment);
}

const struct posix_places posix_places = {
    .system_config = "/Library/Application Support/svcmgr/services",
    .system_state = "/Library/Application Support/svcmgr/state",
    .user_config = "/Library/Application Support/svcmgr/services",
    .user_state = "/Library/Application Support/svcmgr/state",
};

/* The person's language is known to CoreFoundation only; C.UTF-8 is no locale of macOS 11, and this
 * one is everywhere. */
void platform_system_language(char *ret_text, size_t size)
{
    (void)str_copy(ret_text, size, "en_US.UTF-8");
}

bool platform_is_network_file_system(const char *path)
{
    struct statfs info;

    return statfs(path, &info) == 0 && (info.f_flags & MNT_LOCAL) == 0;
}

void platform_process_cgroups(int64_t pid, char *ret_text, size_t size)
{
    (void)pid;
    (void)size;
    ret_text[0] = '\0';
}

void posix_reset_reserved_signals(void)
{
}

bool platform_launchd(struct platform_launchd *ret_launchd)
{
    *ret_launchd = (struct platform_launchd) { .pid = 1, .launchctl = "/bin/launchctl" };
    return true;
}

int platform_activate_socket(const char *name, platform_handle *ret_handles, size_t max,
        size_t *ret_count, struct err *err)
{
    int *fds = NULL;
    size_t count = 0;
    int code = launch_activate_socket(name, &fds, &count);

    if (code != 0 && code != ENOENT && code != ESRCH)
        return err_set(err, ERR_FAILED, code, "launchd does not hand over the sockets \"%s\": %s",
                name, strerror(code));
    if (code != 0)
        count = 0;
    for (size_t i = 0; i < count; i++) {
        if (i < max)
            ret_handles[i] = fds[i];
        else
            sys.close(fds[i]);
    }
    free(fds);
    *ret_count = count < max ? count : max;
    return 0;
}
