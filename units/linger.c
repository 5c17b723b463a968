#include "linger.h"

#include <string.h>

#include "str.h"
#include "systemd_install.h"

#include "banned.h"

#define LOGINCTL_LIMIT_MS 15000
#define MANAGER_LIMIT_MS  15000
#define MANAGER_PAUSE_MS  20
#define OUTPUT_BYTES      ((size_t)4096)
#define LINGER_FOLDER     "/var/lib/systemd/linger" /* a file for each user: loginctl(1) */
#define NOTE              ".linger"                 /* no NAME begins with a point */
#define UNIT_PREFIX       "svcmgr-"

bool linger_is_off(const struct launcher_place *place)
{
    char path[PLATFORM_PATH_BYTES];
    struct platform_user user;
    struct platform_file file;
    struct err ignored;

    if (place->system_scope || platform_user_self(&user, &ignored) == -1)
        return false;
    return str_format(path, sizeof path, LINGER_FOLDER "/%s", user.name) &&
            !platform_stat(path, &file);
}

static int call(const char *verb, struct err *err)
{
    struct platform_user user;
    /* By name: without one it is for the caller's session, which there need not be. */
    const char *const words[] = { "/usr/bin/env", "LC_ALL=C", "loginctl", "--no-ask-password", verb,
        user.name, NULL };
    struct buffer out = { 0 };
    int code;
    int result;

    if (platform_user_self(&user, err) == -1)
        return -1;
    result = platform_capture_all(words, LOGINCTL_LIMIT_MS, OUTPUT_BYTES, &out, &code, err);
    if (result == -1)
        err_set(err, ERR_FAILED, 0, "loginctl %s %s did not end in %d s", verb, user.name,
                LOGINCTL_LIMIT_MS / 1000);
    else if (code != 0)
        result = err_set(err, ERR_DENIED, 0, "%.*s; as root, type loginctl %s %s",
                (int)strcspn(buffer_text(&out), "\n"), buffer_text(&out), verb, user.name);
    buffer_free(&out);
    return result;
}

/* logind starts the user's manager and does not wait for it. */
static void wait_for_manager(void)
{
    int64_t deadline_ms = platform_now_ms() + MANAGER_LIMIT_MS;
    char path[64];
    struct platform_file file;
    struct platform_event event;

    (void)str_format(path, sizeof path, "/run/user/%u/systemd/private", (unsigned)platform_uid());
    while (!platform_stat(path, &file) && platform_now_ms() < deadline_ms)
        platform_wait(platform_now_ms() + MANAGER_PAUSE_MS, &event);
}

/* That we turned it on, beside the services' state. */
static bool note_path(const struct launcher_place *place, char *ret_path, size_t size)
{
    const char *slash = strrchr(place->state_path, '/');

    return slash != NULL &&
            str_format(ret_path, size, "%.*s/" NOTE, (int)(slash - place->state_path),
                    place->state_path);
}

int linger_turn_on(
        const struct launcher_place *place, struct launcher_report *report, struct err *err)
{
    char path[PLATFORM_PATH_BYTES];
    struct err ignored;

    if (!note_path(place, path, sizeof path))
        return err_set(err, ERR_FAILED, 0, "the path is too long: %.60s...", place->state_path);
    /* First the note: of what is noted and not done nothing is left, but not the other way. */
    if (platform_replace_file(path, "", 0, 0600, err) == -1)
        return -1;
    if (call("enable-linger", err) == -1) {
        (void)platform_remove_file(path, &ignored);
        return -1;
    }
    wait_for_manager();
    report->changed = true;
    buffer_puts(&report->text, "turned lingering on for this user (loginctl enable-linger)\n");
    return 0;
}

static void look_for_unit(void *context, const char *name)
{
    if (strncmp(name, UNIT_PREFIX, strlen(UNIT_PREFIX)) == 0)
        *(bool *)context = true;
}

int linger_give_back(
        const struct launcher_place *place, struct launcher_report *report, struct err *err)
{
    char path[PLATFORM_PATH_BYTES];
    char folder[PLATFORM_PATH_BYTES];
    struct platform_file file;
    bool others = false;

    if (!note_path(place, path, sizeof path) || !platform_stat(path, &file))
        return 0;
    if (systemd_unit_folder(false, folder, sizeof folder, err) == -1 ||
            platform_list_directory(folder, look_for_unit, &others, err) == -1)
        return -1;
    if (others)
        return 0;
    if (!linger_is_off(place)) {
        if (call("disable-linger", err) == -1)
            return -1;
        report->changed = true;
        buffer_puts(&report->text, "turned lingering off again\n");
    }
    return platform_remove_file(path, err);
}
