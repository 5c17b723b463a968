/* What Windows has nothing like, each refused by its name. */
#include "windows_parts.h"

#include "banned.h"

static int refuse(enum err_kind kind, struct err *err, const char *what)
{
    return err_set(err, kind, ERROR_NOT_SUPPORTED, "%s", what);
}

/* ---- A keeper: the supervisor is its own ----------------------------------------------------- */

int platform_become(platform_handle program, const char *const *words, const platform_handle *kept,
        size_t kept_count, struct err *err)
{
    (void)program;
    (void)words;
    (void)kept;
    (void)kept_count;
    return refuse(ERR_FAILED, err, "a process cannot replace its program on Windows");
}

/* Inherited handles are no longer so once platform_given() has taken them. */
void platform_keep_private(platform_handle handle)
{
    (void)handle;
}

void platform_take_bell(platform_handle handle)
{
    (void)handle;
}

void platform_ring(platform_handle handle)
{
    (void)handle;
}

/* ---- A failure after the spawn: CreateProcess says it at once -------------------------------- */

struct platform_source *platform_watch_failure(platform_handle handle, int role, void *owner)
{
    (void)role;
    (void)owner;
    platform_close(handle);
    return NULL;
}

/* ---- Control sockets: the channel is TCP ----------------------------------------------------- */

bool platform_has_control_sockets(void)
{
    return false;
}

int platform_control_listen(
        const char *directory, const char *name, platform_handle *ret_handle, struct err *err)
{
    (void)directory;
    (void)name;
    (void)ret_handle;
    return refuse(ERR_FAILED, err, "no control sockets on Windows: the channel is TCP");
}

int platform_control_connect(
        const char *directory, const char *name, platform_handle *ret_handle, struct err *err)
{
    (void)directory;
    (void)name;
    (void)ret_handle;
    return refuse(ERR_NOT_RUNNING, err, "no control sockets on Windows: the channel is TCP");
}

/* ---- What a configuration can ask for -------------------------------------------------------- */

const struct abilities *platform_abilities(void)
{
    static const char *const limits[] = { "memory", "nproc", "cpu", NULL };
    static const char *const signals[] = { "TERM", "INT", "QUIT", "KILL", NULL };
    static const char *const logs[] = { "file", "eventlog", "inherit", NULL };
    static const struct abilities windows = {
        .name = "Windows",
        .limits = limits,
        .limits_text = "memory, nproc and cpu",
        .signals = signals,
        .signals_text = "TERM, INT and QUIT, which are Ctrl-Break and the closing of windows, and "
                        "KILL",
        .logs = logs,
        .logs_text = "\"file\", \"eventlog\" and \"inherit\"",
    };

    return &windows;
}

/* ---- Notification ---------------------------------------------------------------------------- */

static int refuse_notify(struct err *err)
{
    return refuse(ERR_CONFIG, err,
            "Windows has no notification sockets (READY=1, WATCHDOG=1): set \"ready\" to "
            "\"health\" or \"spawn\", and \"watchdog\" to off");
}

int platform_notify_listen(uint32_t uid, platform_handle *ret_handle,
        char ret_name[PLATFORM_NOTIFY_BYTES], struct err *err)
{
    (void)uid;
    (void)ret_handle;
    (void)ret_name;
    return refuse_notify(err);
}

int platform_notify_listen_again(
        const char *name, uint32_t uid, platform_handle *ret_handle, struct err *err)
{
    (void)name;
    (void)uid;
    (void)ret_handle;
    return refuse_notify(err);
}

void platform_notify_remove(const char *name)
{
    (void)name;
}

int platform_notify_send(
        const char *name, const char *text, size_t length, platform_handle passed, struct err *err)
{
    (void)name;
    (void)text;
    (void)length;
    (void)passed;
    return refuse_notify(err);
}

struct platform_source *platform_watch_notify(platform_handle handle, int role, void *owner)
{
    (void)role;
    (void)owner;
    platform_close(handle);
    return NULL;
}
