/* What stands in for launchd where Linux stands in for macOS: a program that does what it does. */
#include <string.h>

#include "platform_launch.h"
#include "platform_sys.h"
#include "posix.h"
#include "str.h"

#include "banned.h"

#define PID_BYTES ((size_t)32)

static bool read_pid(const char *folder, int64_t *ret_pid)
{
    char path[PLATFORM_PATH_BYTES];
    struct buffer text = { 0 };
    struct err ignored;
    uint64_t pid = 0;
    bool found = str_format(path, sizeof path, "%s/pid", folder) &&
            platform_read_file(path, PID_BYTES, &text, &ignored) == 0 &&
            str_to_uint(buffer_text(&text), INT32_MAX, &pid);

    buffer_free(&text);
    *ret_pid = (int64_t)pid;
    return found;
}

bool platform_launchd(struct platform_launchd *ret_launchd)
{
    const char *folder = platform_environment("SVCMGR_LAUNCHD");

    return folder != NULL && read_pid(folder, &ret_launchd->pid) &&
            str_format(ret_launchd->launchctl, sizeof ret_launchd->launchctl, "%s/launchctl",
                    folder) &&
            str_format(ret_launchd->root, sizeof ret_launchd->root, "%s/root", folder);
}

/* The stand-in says "NAME=FD,FD...;NAME=..." in the environment of its job. */
int platform_activate_socket(const char *name, platform_handle *ret_handles, size_t max,
        size_t *ret_count, struct err *err)
{
    struct platform_launchd launchd;
    const char *at =
            platform_launchd(&launchd) ? platform_environment("SVCMGR_LAUNCHD_SOCKETS") : NULL;
    size_t length = strlen(name);
    size_t count = 0;

    while (at != NULL && (strncmp(at, name, length) != 0 || at[length] != '=')) {
        at = strchr(at, ';');
        at = at != NULL ? at + 1 : NULL;
    }
    *ret_count = 0;
    (void)err;
    if (at == NULL)
        return 0;
    for (at += length; *at == '=' || *at == ',';) {
        platform_handle handle = 0;

        for (at++; str_is_digit(*at); at++)
            handle = handle * 10 + (*at - '0');
        if (count < max)
            ret_handles[count++] = handle;
        else
            platform_close(handle);
    }
    *ret_count = count;
    return 0;
}
