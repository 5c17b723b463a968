#include "launchd_jobs.h"

#include <string.h>

#include "launchd_render.h"
#include "platform_launch.h"
#include "str.h"

#include "banned.h"

#define SYSTEM_FOLDER  "/Library/LaunchDaemons"
#define USER_FOLDER    "Library/LaunchAgents"
#define GONE_SLACK_MS  10000 /* a label is free some seconds after its job has ended */
#define LOAD_LIMIT_MS  10000
#define FIRST_PAUSE_MS 20
#define MAX_PAUSE_MS   500
#define LOG_BYTES      ((size_t)16 * 1024)

static void pause_between(int64_t *pause_ms)
{
    struct platform_event event;

    platform_wait(platform_now_ms() + *pause_ms, &event);
    *pause_ms = *pause_ms * 2 > MAX_PAUSE_MS ? MAX_PAUSE_MS : *pause_ms * 2;
}

/* ---- Where it is ----------------------------------------------------------------------------- */

int launchd_read_plist(
        const struct launcher_place *place, struct installed_file *file, struct err *err)
{
    const char *folder = place->system_scope ? SYSTEM_FOLDER : USER_FOLDER;
    char path[PLATFORM_PATH_BYTES];
    struct platform_launchd launchd;

    *file = (struct installed_file) { .exists = false };
    launchd_render_file_name(place->name, file->name, sizeof file->name);
    if (!platform_launchd(&launchd))
        return err_set(err, ERR_FAILED, 0, "launchd does not run this machine");
    if (installed_file_folder(folder, path, sizeof path, err) == -1)
        return -1;
    if (!str_format(file->path, sizeof file->path, "%s%s/%s", launchd.root, path, file->name))
        return err_set(err, ERR_FAILED, 0, "the path is too long: %.60s...", path);
    if (installed_file_read(file, launchd_render_owner_of, place->state_path,
                "somebody else has made it", err) == 0)
        return 0;
    buffer_free(&file->text);
    return -1;
}

enum launchctl_domain launchd_domain_of(bool system_scope, const char *text)
{
    char session[32];

    if (system_scope)
        return LAUNCHCTL_SYSTEM;
    return launchd_render_string(text, "LimitLoadToSessionType", session, sizeof session) &&
                    strcmp(session, LAUNCHD_RENDER_BACKGROUND) == 0
            ? LAUNCHCTL_USER
            : LAUNCHCTL_GUI;
}

static int check_origin(
        const char *label, const char *path, const struct launchd_loaded *loaded, struct err *err)
{
    char target[LAUNCHCTL_TARGET_BYTES];

    if (loaded->job.path[0] == '\0' || strcmp(loaded->job.path, path) == 0 ||
            platform_is_same_file(loaded->job.path, path))
        return 0;
    launchctl_target(loaded->domain, label, target, sizeof target);
    return err_set(err, ERR_DUPLICATE, 0,
            "launchd has a job %s from another plist, %s; end that one first: launchctl bootout "
            "%s",
            label, loaded->job.path, target);
}

int launchd_find(const struct launcher_place *place, const char *path,
        struct launchd_loaded *ret_loaded, struct err *err)
{
    static const enum launchctl_domain of_user[] = { LAUNCHCTL_GUI, LAUNCHCTL_USER };
    static const enum launchctl_domain of_system[] = { LAUNCHCTL_SYSTEM };
    const enum launchctl_domain *domains = place->system_scope ? of_system : of_user;
    size_t count = place->system_scope ? 1 : 2;
    char label[DEFINITION_NAME_BYTES];

    *ret_loaded = (struct launchd_loaded) { .found = false };
    launchd_render_label(place->name, label, sizeof label);
    for (size_t i = 0; i < count; i++) {
        switch (launchctl_look(domains[i], label, LAUNCHCTL_LIMIT_MS, &ret_loaded->job, err)) {
        case LAUNCHCTL_UNKNOWN:
            return -1;
        case LAUNCHCTL_ABSENT:
            break;
        case LAUNCHCTL_LOADED:
            ret_loaded->found = true;
            ret_loaded->domain = domains[i];
            return check_origin(label, path, ret_loaded, err);
        }
    }
    return 0;
}

/* ---- Loading and unloading ------------------------------------------------------------------- */

static bool may_pass(int code)
{
    return code == LAUNCHD_REPLY_IO || code == LAUNCHD_REPLY_IN_PROGRESS ||
            code == LAUNCHD_REPLY_ALREADY;
}

/* launchd says EIO for a plist that it does not take, for a job that it has, and for one that it
 * has not let go of yet; only time tells the last from the first. */
static int refused(
        int code, const char *path, const char *label, const char *domain, struct err *err)
{
    if (code == LAUNCHD_REPLY_DISABLED)
        return err_append(err, "; type svcmgr install, which enables it");
    if (!may_pass(code))
        return -1;
    return err_append(err,
            ", tried for %d s; plutil -lint %s says whether the file can be read, launchctl "
            "bootout %s/%s ends what is left of the job",
            LOAD_LIMIT_MS / 1000, path, domain, label);
}

int launchd_load(const struct launcher_place *place, enum launchctl_domain domain, const char *path,
        struct err *err)
{
    int64_t deadline_ms = platform_now_ms() + LOAD_LIMIT_MS;
    int64_t pause_ms = FIRST_PAUSE_MS;
    char label[DEFINITION_NAME_BYTES];
    char target[LAUNCHCTL_TARGET_BYTES];
    struct launchd_loaded loaded;
    struct err why;
    int code;

    launchd_render_label(place->name, label, sizeof label);
    launchctl_target(domain, NULL, target, sizeof target);
    for (;;) {
        code = launchctl_do("bootstrap", target, path, &why);
        if (launchd_find(place, path, &loaded, err) == -1)
            return -1;
        if (loaded.found && loaded.domain == domain &&
                (code == LAUNCHD_REPLY_DONE || loaded.job.pid > 0))
            return 0;
        if (code == LAUNCHD_REPLY_DONE)
            return err_set(err, ERR_FAILED, 0, "launchd has taken %s and does not have the job %s",
                    path, label);
        if (!may_pass(code) || platform_now_ms() >= deadline_ms)
            break;
        pause_between(&pause_ms);
    }
    *err = why;
    return refused(code, path, label, target, err);
}

/* launchd answers before the job has ended, and has the label some seconds longer than that. */
int launchd_unload(const struct launcher_place *place, enum launchctl_domain domain,
        const char *text, struct err *err)
{
    uint64_t exit_s = LAUNCHD_RENDER_SESSION_EXIT_S;
    int64_t pause_ms = FIRST_PAUSE_MS;
    int64_t limit_ms;
    int64_t deadline_ms;
    char label[DEFINITION_NAME_BYTES];
    char target[LAUNCHCTL_TARGET_BYTES];
    struct launchd_job job;
    int code;

    launchd_render_label(place->name, label, sizeof label);
    launchctl_target(domain, label, target, sizeof target);
    code = launchctl_do("bootout", target, NULL, err);
    if (code == LAUNCHD_REPLY_NO_PROCESS || code == LAUNCHD_REPLY_NO_SERVICE)
        return 0;
    if (code != LAUNCHD_REPLY_DONE && !may_pass(code))
        return -1;
    (void)launchd_render_number(text, "ExitTimeOut", &exit_s);
    limit_ms = (int64_t)exit_s * 1000 + GONE_SLACK_MS;
    deadline_ms = platform_now_ms() + limit_ms;
    while (launchctl_look(domain, label, LAUNCHCTL_LIMIT_MS, &job, err) != LAUNCHCTL_ABSENT) {
        if (platform_now_ms() >= deadline_ms)
            return err_set(err, ERR_FAILED, 0,
                    "launchd has not let go of %s in %lld s (state: %s); launchctl print %s says "
                    "more",
                    label, (long long)(limit_ms / 1000), job.state, target);
        pause_between(&pause_ms);
    }
    return 0;
}

/* ---- Starting and stopping ------------------------------------------------------------------- */

/* Returns 0, -1, or 1: launchd is about to let go of it. */
static int kick(const char *label, enum launchctl_domain domain, struct err *err)
{
    char target[LAUNCHCTL_TARGET_BYTES];
    int code;

    launchctl_target(domain, label, target, sizeof target);
    code = launchctl_do("kickstart", target, NULL, err);
    if (code == LAUNCHD_REPLY_NO_SERVICE || code == LAUNCHD_REPLY_NO_PROCESS || may_pass(code))
        return 1;
    return code == LAUNCHD_REPLY_DONE ? 0 : -1;
}

static int load_first(const struct launcher_place *place, const char *label,
        const struct installed_file *file, struct err *err)
{
    enum launchctl_domain domain = launchd_domain_of(place->system_scope, buffer_text(&file->text));

    if (launchctl_is_disabled(domain, label))
        return err_set(err, ERR_FAILED, 0, "launchd has %s disabled; svcmgr install %s enables it",
                label, place->name);
    if (domain == LAUNCHCTL_GUI && !launchctl_has_domain(domain))
        return err_set(err, ERR_FAILED, 0,
                "%s belongs to the session at the screen, and this user has none now; svcmgr "
                "install %s makes it one of a user without",
                label, place->name);
    return launchd_load(place, domain, file->path, err);
}

int launchd_start(const struct launcher_place *place, struct err *err)
{
    int64_t deadline_ms = platform_now_ms() + LOAD_LIMIT_MS;
    int64_t pause_ms = FIRST_PAUSE_MS;
    char label[DEFINITION_NAME_BYTES];
    struct installed_file file;
    struct launchd_loaded loaded;
    int result;

    if (launchd_read_plist(place, &file, err) == -1)
        return -1;
    launchd_render_label(place->name, label, sizeof label);
    do {
        result = launchd_find(place, file.path, &loaded, err);
        if (result == 0 && !loaded.found)
            result = load_first(place, label, &file, err);
        else if (result == 0 && loaded.job.pid == 0)
            result = kick(label, loaded.domain, err);
        if (result == 1)
            pause_between(&pause_ms);
    } while (result == 1 && platform_now_ms() < deadline_ms);
    buffer_free(&file.text);
    return result == 0 ? 0 : -1;
}

/* Why it has ended: launchd is told nothing, svcmgr has said it where its words go. */
static void explain_end(const struct launcher_place *place, const char *label,
        const struct launchd_loaded *loaded, struct err *err)
{
    char path[PLATFORM_PATH_BYTES];
    char sentence[400];
    struct buffer log = { 0 };
    struct err ignored;
    uint64_t code;

    launchd_render_log(place->state_path, path, sizeof path);
    (void)platform_read_tail(path, 0, LOG_BYTES, &log, &ignored);
    if (definition_read_end(buffer_text(&log), &code, sentence, sizeof sentence) && code > 0)
        err_set(err, code <= ERR_OCCUPIED ? (enum err_kind)code : ERR_FAILED, 0,
                "launchd job %s ended with code %u: %s", label, (unsigned)code, sentence);
    else if (!loaded->found)
        err_set(err, ERR_FAILED, 0, "launchd does not have the job %s", label);
    else
        err_set(err, ERR_FAILED, 0,
                "launchd job %s does not run (%s, last exit code %s); %s and "
                "svcmgr events %s say why",
                label, loaded->job.state, loaded->job.last_exit, path, place->name);
    buffer_free(&log);
}

enum launcher_progress launchd_progress(const struct launcher_place *place, struct err *err)
{
    char label[DEFINITION_NAME_BYTES];
    struct installed_file file;
    struct launchd_loaded loaded;
    int result;

    if (launchd_read_plist(place, &file, err) == -1)
        return LAUNCHER_DOWN;
    result = launchd_find(place, file.path, &loaded, err);
    buffer_free(&file.text);
    if (result == -1)
        return LAUNCHER_DOWN;
    if (loaded.found && loaded.job.pid > 0)
        return LAUNCHER_UP;
    if (loaded.found && loaded.job.is_pending)
        return LAUNCHER_COMING;
    launchd_render_label(place->name, label, sizeof label);
    explain_end(place, label, &loaded, err);
    return LAUNCHER_DOWN;
}

int launchd_stop(const struct launcher_place *place, struct err *err)
{
    struct installed_file file;
    struct launchd_loaded loaded;
    int result;

    if (launchd_read_plist(place, &file, err) == -1)
        return -1;
    result = launchd_find(place, file.path, &loaded, err);
    if (result == 0 && loaded.found)
        result = launchd_unload(place, loaded.domain, buffer_text(&file.text), err);
    buffer_free(&file.text);
    return result;
}
