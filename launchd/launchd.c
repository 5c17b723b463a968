/* launchd as a launcher: being one of its jobs, and asking it about others, those that 'rivals'
 * names and those that own a process. */
#include <string.h>

#include "launchctl.h"
#include "launchd_install.h"
#include "launchd_jobs.h"
#include "launchd_render.h"
#include "launcher.h"
#include "platform_launch.h"
#include "rival.h"
#include "str.h"

#include "banned.h"

#define ANCESTORS_MAX 64
#define APPLICATION   "application."
#define RIVAL         "may run the same program (\"rivals\") and "
#define OWN           "is installed for this service and "

/* ---- Being a job ----------------------------------------------------------------------------- */

/* Everything that a job starts inherits its label, which is "0" in a login shell's children and an
 * application's own name below a terminal window: it counts for what launchd itself has started. */
static bool detect(int64_t main_pid, char *ret_unit, size_t size)
{
    const char *label = platform_environment("XPC_SERVICE_NAME");
    struct platform_process_info main_process;
    struct platform_launchd launchd;

    if (main_pid <= 0 || label == NULL || label[0] == '\0' || strcmp(label, "0") == 0 ||
            strncmp(label, APPLICATION, sizeof APPLICATION - 1) == 0 ||
            !platform_launchd(&launchd) || !platform_process_info(main_pid, &main_process) ||
            main_process.parent != launchd.pid)
        return false;
    (void)str_copy(ret_unit, size, label);
    return true;
}

/* launchd appends to that file for ever, so each run begins it anew; it is left alone if the plist
 * is another one's. */
static void begin(const char *state_path)
{
    char path[PLATFORM_PATH_BYTES];
    struct platform_file ours;
    struct platform_file given;

    launchd_render_log(state_path, path, sizeof path);
    if (platform_stat(path, &ours) && !ours.is_symlink &&
            platform_stat_handle(platform_standard_error(), &given) &&
            ours.file_id == given.file_id && ours.device_id == given.device_id)
        platform_empty(platform_standard_error());
}

static size_t take_sockets(struct launcher_socket *ret_sockets, size_t max)
{
    platform_handle handles[LAUNCHER_SOCKETS_MAX];
    struct err none;
    size_t count = 0;

    if (max > LAUNCHER_SOCKETS_MAX)
        max = LAUNCHER_SOCKETS_MAX;
    if (platform_activate_socket(LAUNCHD_RENDER_SOCKETS, handles, max, &count, &none) == -1)
        return 0;
    for (size_t i = 0; i < count; i++) {
        platform_keep_private(handles[i]);
        ret_sockets[i].handle = handles[i];
        (void)str_copy(ret_sockets[i].name, sizeof ret_sockets[i].name, LAUNCHD_RENDER_SOCKETS);
    }
    return count;
}

/* ---- Whose job ------------------------------------------------------------------------------- */

/* The process at or above 'pid' whose parent 'parent' is; 0: there is none. */
static int64_t ancestor_below(int64_t pid, int64_t parent)
{
    struct platform_process_info info;

    for (int i = 0; i < ANCESTORS_MAX && pid > 1 && platform_process_info(pid, &info); i++) {
        if (info.parent == parent)
            return pid;
        pid = info.parent;
    }
    return 0;
}

static bool owns(const void *job, int64_t pid)
{
    int64_t main_pid = ((const struct launchd_job *)job)->pid;

    return main_pid > 0 && (pid == main_pid || ancestor_below(pid, main_pid) != 0);
}

static void end_command(
        enum launchctl_domain domain, const char *label, char *ret_text, size_t size)
{
    char target[LAUNCHCTL_TARGET_BYTES];
    const char *const words[] = { "launchctl", "bootout", target, NULL };

    launchctl_target(domain, label, target, sizeof target);
    str_command_line(ret_text, size, words);
}

/* The domains that a job may be in, as seen from here. */
static const enum launchctl_domain every_domain[] = { LAUNCHCTL_GUI, LAUNCHCTL_USER,
    LAUNCHCTL_SYSTEM };
#define DOMAINS (sizeof every_domain / sizeof every_domain[0])

/* LAUNCHCTL_UNKNOWN as soon as one cannot be asked. */
static enum launchctl_look look_everywhere(const char *label, int64_t deadline_ms,
        enum launchctl_domain *ret_domain, struct launchd_job *ret_job)
{
    struct err ignored;

    for (size_t i = 0; i < DOMAINS; i++) {
        enum launchctl_look look = launchctl_look(
                every_domain[i], label, deadline_ms - platform_now_ms(), ret_job, &ignored);

        *ret_domain = every_domain[i];
        if (look != LAUNCHCTL_ABSENT)
            return look;
    }
    return LAUNCHCTL_ABSENT;
}

static bool label_of(int64_t pid, char *ret_label, size_t size)
{
    static const char *const words[] = { "list", NULL };
    struct buffer out = { 0 };
    struct err ignored;
    int code;
    bool found = launchctl_call(words, LAUNCHER_ASK_LIMIT_MS, &out, &code, &ignored) == 0 &&
            code == LAUNCHD_REPLY_DONE &&
            launchd_reply_label(buffer_text(&out), pid, ret_label, size);

    buffer_free(&out);
    return found && strncmp(ret_label, APPLICATION, sizeof APPLICATION - 1) != 0;
}

static bool owner_of(int64_t pid, struct launcher_owner *ret_owner)
{
    char label[LAUNCHER_UNIT_BYTES];
    enum launchctl_domain domain;
    struct platform_launchd launchd;
    struct launchd_job job;
    int64_t main_pid;

    if (!platform_launchd(&launchd))
        return false;
    if (pid == launchd.pid) {
        ret_owner->starts_others = true;
        (void)str_copy(ret_owner->text, sizeof ret_owner->text, "launchd");
        (void)str_copy(ret_owner->remedy, sizeof ret_owner->remedy, "launchctl list");
        return true;
    }
    main_pid = ancestor_below(pid, launchd.pid);
    if (main_pid == 0 || !label_of(main_pid, label, sizeof label))
        return false;
    (void)str_format(ret_owner->text, sizeof ret_owner->text, "launchd job %s", label);
    if (look_everywhere(label, platform_now_ms() + LAUNCHER_ASK_LIMIT_MS, &domain, &job) ==
            LAUNCHCTL_LOADED)
        end_command(domain, label, ret_owner->remedy, sizeof ret_owner->remedy);
    return true;
}

/* ---- Rivals ---------------------------------------------------------------------------------- */

static void tell(enum launchctl_domain domain, const char *label, const struct launchd_job *state,
        enum launcher_job job, const char *doing, struct launcher_answer *ret_answer)
{
    char main_process[32] = "";

    ret_answer->job = job;
    ret_answer->pid = state->pid;
    if (state->pid > 0)
        (void)str_format(main_process, sizeof main_process, ", pid %lld", (long long)state->pid);
    (void)str_format(ret_answer->sentence, sizeof ret_answer->sentence,
            "[!!] FATAL: launchd job %.200s %s: %s%s", label, doing, state->state, main_process);
    end_command(domain, label, ret_answer->remedy, sizeof ret_answer->remedy);
}

static void ask_rival(const struct config *config, const char *label, int64_t deadline_ms,
        struct launcher_answer *ret_answer)
{
    enum launchctl_domain domain;
    struct launchd_job job;

    switch (look_everywhere(label, deadline_ms, &domain, &job)) {
    case LAUNCHCTL_ABSENT:
        return;
    case LAUNCHCTL_UNKNOWN:
        ret_answer->unasked = true;
        (void)str_format(ret_answer->sentence, sizeof ret_answer->sentence,
                "launchd job %.200s could not be asked about", label);
        return;
    case LAUNCHCTL_LOADED:
        break;
    }
    if (owns(&job, platform_pid()))
        return; /* it is the one that runs us */
    if (job.is_pending)
        tell(domain, label, &job, LAUNCHER_JOB_PENDING, RIVAL "is about to start", ret_answer);
    else if (job.pid > 0 && rival_serves(config, owns, &job, job.pid))
        tell(domain, label, &job, LAUNCHER_JOB_SERVES, RIVAL "runs", ret_answer);
}

/* What "install" made, unless it is what runs us. */
static void ask_own(const struct launcher_place *place, const struct config *config,
        struct launcher_answer *ret_answer)
{
    char label[DEFINITION_NAME_BYTES];
    struct installed_file file;
    struct launchd_loaded loaded;
    struct err ignored;

    if (launchd_read_plist(place, &file, &ignored) == -1)
        return;
    if (file.exists && launchd_find(place, file.path, &loaded, &ignored) == 0 && loaded.found &&
            !owns(&loaded.job, platform_pid())) {
        launchd_render_label(place->name, label, sizeof label);
        ret_answer->own = true;
        if (loaded.job.is_pending)
            tell(loaded.domain, label, &loaded.job, LAUNCHER_JOB_PENDING, OWN "comes by itself",
                    ret_answer);
        else if (config->listener_count > 0 && launchd_render_has_sockets(buffer_text(&file.text)))
            tell(loaded.domain, label, &loaded.job, LAUNCHER_JOB_SERVES, OWN "has its sockets",
                    ret_answer); /* a probe of their addresses would start it */
    }
    buffer_free(&file.text);
}

static void ask(const struct launcher_place *place, const struct config *config,
        struct launcher_answer *ret_answer)
{
    int64_t deadline_ms = platform_now_ms() + LAUNCHER_ASK_LIMIT_MS;

    if (!launchctl_is_here())
        return;
    for (size_t i = 0; i < config->rival_count && ret_answer->job == LAUNCHER_JOB_NONE; i++)
        if (config->rivals[i].launcher == CONFIG_RIVAL_LAUNCHD)
            ask_rival(config, config->rivals[i].job, deadline_ms, ret_answer);
    if (ret_answer->job == LAUNCHER_JOB_NONE)
        ask_own(place, config, ret_answer);
}

const struct launcher launcher_launchd = {
    .kind = "launchd",
    .job_word = "job",
    .detect = detect,
    .restarts = true,
    .reads_no_codes = true,
    .ends_with_keeper = true,
    .keeps_output = true,
    .begin = begin,
    .take_sockets = take_sockets,
    .owner_of = owner_of,
    .ask = ask,
    .render = launchd_render,
    .is_here = launchctl_is_here,
    .look = launchd_look,
    .install = launchd_install,
    .uninstall = launchd_uninstall,
    .installed = launchd_installed,
    .differs = launchd_differs,
    .start = launchd_start,
    .progress = launchd_progress,
    .stop = launchd_stop,
};
