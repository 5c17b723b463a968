/* Sockets that systemd hands over, sd_listen_fds(3), and those that it keeps in its store:
 * sd_pid_notify_with_fds(3). */
#include <string.h>

#include "str.h"
#include "systemd_run.h"

#include "banned.h"

#define FIRST_HANDLE 3

/* The next one of a list with colons between. */
static void next_name(const char **at, char *ret_name, size_t size)
{
    size_t length = *at != NULL ? strcspn(*at, ":") : 0;

    (void)str_format(ret_name, size, "%.*s", (int)length, *at != NULL ? *at : "");
    if (*at != NULL)
        *at = (*at)[length] == ':' ? *at + length + 1 : NULL;
}

size_t systemd_take_sockets(struct launcher_socket *ret_sockets, size_t max)
{
    const char *text = platform_environment("LISTEN_FDS");
    const char *names = platform_environment("LISTEN_FDNAMES");
    uint64_t handed;
    size_t count = 0;

    if (text == NULL || !systemd_variable_is("LISTEN_PID", platform_pid()) ||
            !str_to_uint(text, INT32_MAX - FIRST_HANDLE, &handed))
        return 0;
    for (uint64_t i = 0; i < handed; i++) {
        platform_handle handle = (platform_handle)(FIRST_HANDLE + i);
        char name[LAUNCHER_SOCKET_BYTES];

        next_name(&names, name, sizeof name);
        if (count == max) {
            platform_close(handle);
            continue;
        }
        platform_keep_private(handle);
        (void)str_copy(ret_sockets[count].name, sizeof name, name);
        ret_sockets[count++].handle = handle;
    }
    return count;
}

/* One that does not listen is taken for hung up, and would be dropped at once: it is not to be
 * looked at. */
bool systemd_keep(const char *name, platform_handle handle, bool listens)
{
    char message[LAUNCHER_SOCKET_BYTES + 64];

    (void)str_format(
            message, sizeof message, "FDSTORE=1\nFDNAME=%s%s", name, listens ? "" : "\nFDPOLL=0");
    return systemd_notify(message, handle);
}

bool systemd_give_back(const char *name)
{
    char message[LAUNCHER_SOCKET_BYTES + 64];

    (void)str_format(message, sizeof message, "FDSTOREREMOVE=1\nFDNAME=%s", name);
    return systemd_notify(message, PLATFORM_NO_HANDLE);
}
