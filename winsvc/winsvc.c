/* The service control manager of Windows as a launcher: being one of its services, and asking it
 * about others; and the Task Scheduler, for which there is a text only. */
#include <stdio.h>
#include <string.h>

#include "launcher.h"
#include "platform_launch.h"
#include "platform_log.h"
#include "rival.h"
#include "str.h"
#include "winsvc_install.h"
#include "winsvc_jobs.h"
#include "winsvc_render.h"
#include "winsvc_task.h"

#include "banned.h"

#define ANCESTORS_MAX 64
#define LOG_BYTES     ((size_t)16 * 1024)
/* Until the supervisor speaks itself: what the service depends on is started first. */
#define BEGIN_HINT_MS 180000
/* ERROR_SERVICE_SPECIFIC_ERROR: look at the service's own code. */
#define SERVICE_SPECIFIC 1066
#define RIVAL            "may run the same program (\"rivals\") and "
#define OWN              "is installed for this service and "

/* ---- Being a service ------------------------------------------------------------------------- */

static struct {
    char unit[SCM_NAME_BYTES];
    char log[PLATFORM_PATH_BYTES]; /* "" there is none */
    bool is_ready;
    bool has_failed; /* as it was told last */
} self;

static bool detect(int64_t main_pid, char *ret_unit, size_t size)
{
    return main_pid == platform_pid() && platform_scm_begin(self.unit, sizeof self.unit) &&
            str_copy(ret_unit, size, self.unit);
}

static void begin(const char *state_path)
{
    struct err ignored;

    (void)platform_scm_tell(SCM_START_PENDING, BEGIN_HINT_MS);
    winsvc_render_log(state_path, self.log, sizeof self.log);
    if (platform_make_directory(state_path, 0700, &ignored) == -1 ||
            platform_scm_output(self.log, &ignored) == -1)
        self.log[0] = '\0';
}

static void log_news(const char *sentence)
{
    bool has_failed = strncmp(sentence, "failed", 6) == 0;

    if (!self.is_ready || has_failed != self.has_failed)
        platform_event_log(self.unit,
                has_failed ? PLATFORM_SEVERITY_ERROR : PLATFORM_SEVERITY_INFORMATION, sentence);
    self.is_ready = true;
    self.has_failed = has_failed;
}

/* The manager knows no sentence; the Event Log has those that matter. */
static bool tell(enum launcher_news news, const char *sentence, int64_t wait_ms)
{
    switch (news) {
    case LAUNCHER_READY:
        log_news(sentence);
        return platform_scm_tell(SCM_RUNNING, 0);
    case LAUNCHER_STOPPING:
        return platform_scm_tell(SCM_STOP_PENDING, wait_ms);
    case LAUNCHER_STATUS:
        if (self.is_ready)
            log_news(sentence);
        return platform_scm_tell(SCM_START_PENDING, wait_ms);
    case LAUNCHER_RELOADING:
        break;
    }
    return true;
}

/* What svcmgr has decided is no failure for the manager, which would start it again; its code is
 * there all the same.  An instance's own code, which only a command line of one's own asks for, is
 * for the manager to judge. */
static void end(const char *name, int code)
{
    char sentence[400] = "";
    char text[LAUNCHER_SENTENCE_BYTES];
    struct buffer log = { 0 };
    struct err ignored;
    uint64_t told;

    (void)fflush(stderr);
    if (self.log[0] != '\0')
        (void)platform_read_tail(self.log, 0, LOG_BYTES, &log, &ignored);
    (void)definition_read_end(buffer_text(&log), &told, sentence, sizeof sentence);
    buffer_free(&log);
    if (code == 0)
        (void)str_format(text, sizeof text, "%s: stopped", name != NULL ? name : self.unit);
    else
        (void)str_format(text, sizeof text, "%s: ended with code %d%s%s",
                name != NULL ? name : self.unit, code, sentence[0] != '\0' ? ": " : "", sentence);
    platform_event_log(
            self.unit, code == 0 ? PLATFORM_SEVERITY_INFORMATION : PLATFORM_SEVERITY_ERROR, text);
    platform_scm_end(code > ERR_OCCUPIED ? SERVICE_SPECIFIC : 0, (uint32_t)code);
}

/* ---- Whose service --------------------------------------------------------------------------- */

static bool owns(const void *job, int64_t pid)
{
    int64_t main_pid = *(const int64_t *)job;
    struct platform_process_info info;

    for (int i = 0; i < ANCESTORS_MAX && pid > 0 && main_pid > 0; i++) {
        if (pid == main_pid)
            return true;
        if (!platform_process_info(pid, &info) || info.parent == pid)
            return false;
        pid = info.parent;
    }
    return false;
}

static void stop_command(const char *service, char *ret_text, size_t size)
{
    const char *const words[] = { "sc", "stop", service, NULL };

    platform_command_line(ret_text, size, words);
}

/* The service at or above 'pid'. */
static bool service_above(int64_t pid, char *ret_name, size_t size)
{
    struct platform_process_info info;

    for (int i = 0; i < ANCESTORS_MAX && pid > 0; i++) {
        if (platform_scm_service_of(pid, ret_name, size))
            return true;
        if (!platform_process_info(pid, &info) || info.parent == pid)
            return false;
        pid = info.parent;
    }
    return false;
}

static bool owner_of(int64_t pid, struct launcher_owner *ret_owner)
{
    char name[SCM_NAME_BYTES];

    if (!platform_has_scm() || !service_above(pid, name, sizeof name))
        return false;
    (void)str_format(ret_owner->text, sizeof ret_owner->text, "Windows service %s", name);
    stop_command(name, ret_owner->remedy, sizeof ret_owner->remedy);
    return true;
}

/* ---- Rivals ---------------------------------------------------------------------------------- */

static void tell_job(const char *name, const struct scm_status *status, enum launcher_job job,
        const char *doing, struct launcher_answer *ret_answer)
{
    char main_process[32] = "";

    ret_answer->job = job;
    ret_answer->pid = status->pid;
    if (status->pid > 0)
        (void)str_format(main_process, sizeof main_process, ": pid %lld", (long long)status->pid);
    (void)str_format(ret_answer->sentence, sizeof ret_answer->sentence,
            "[!!] FATAL: Windows service %.200s %s%s", name, doing, main_process);
    stop_command(name, ret_answer->remedy, sizeof ret_answer->remedy);
}

static void ask_rival(
        const struct config *config, const char *name, struct launcher_answer *ret_answer)
{
    struct scm_status status;
    struct err err;

    if (platform_scm_query(name, &status, &err) == -1) {
        ret_answer->unasked = err.kind != ERR_NO_SERVICE;
        if (ret_answer->unasked)
            (void)str_format(ret_answer->sentence, sizeof ret_answer->sentence,
                    "Windows service %.200s could not be asked about: %.200s", name, err.text);
        return;
    }
    if (status.state == SCM_STOPPED || owns(&status.pid, platform_pid()))
        return;
    if (status.state == SCM_START_PENDING || status.state == SCM_STOP_PENDING)
        tell_job(name, &status, LAUNCHER_JOB_PENDING, RIVAL "is about to change", ret_answer);
    else if (rival_serves(config, owns, &status.pid, status.pid))
        tell_job(name, &status, LAUNCHER_JOB_SERVES, RIVAL "runs", ret_answer);
}

/* What "install" made, unless it is what runs us. */
static void ask_own(const struct launcher_place *place, struct launcher_answer *ret_answer)
{
    struct scm_service service;
    struct scm_status status;
    struct err ignored;

    if (winsvc_read(place, &service, &ignored) == -1 ||
            platform_scm_query(service.name, &status, &ignored) == -1 ||
            owns(&status.pid, platform_pid()))
        return;
    ret_answer->own = true;
    if (status.state == SCM_START_PENDING)
        tell_job(service.name, &status, LAUNCHER_JOB_PENDING, OWN "comes by itself", ret_answer);
    else if (status.state == SCM_STOP_PENDING)
        tell_job(service.name, &status, LAUNCHER_JOB_LEAVING, OWN "has not ended", ret_answer);
}

static void ask(const struct launcher_place *place, const struct config *config,
        struct launcher_answer *ret_answer)
{
    if (!platform_has_scm())
        return;
    for (size_t i = 0; i < config->rival_count && ret_answer->job == LAUNCHER_JOB_NONE; i++)
        if (config->rivals[i].launcher == CONFIG_RIVAL_WINSVC)
            ask_rival(config, config->rivals[i].job, ret_answer);
    if (ret_answer->job == LAUNCHER_JOB_NONE)
        ask_own(place, ret_answer);
}

const struct launcher launcher_winsvc = {
    .kind = "winsvc",
    .job_word = "service",
    .detect = detect,
    .restarts = true,
    .reads_no_codes = true,
    .watches_process = true,
    .keeps_output = true,
    .begin = begin,
    .tell = tell,
    .end = end,
    .owner_of = owner_of,
    .ask = ask,
    .render = winsvc_render,
    .is_here = platform_has_scm,
    .look = winsvc_look,
    .install = winsvc_install,
    .uninstall = winsvc_uninstall,
    .installed = winsvc_installed,
    .differs = winsvc_differs,
    .start = winsvc_start,
    .progress = winsvc_progress,
    .stop = winsvc_stop,
};

/* ---- The Task Scheduler ---------------------------------------------------------------------- */

static bool task_is_here(void)
{
    return false;
}

static void look_at_user(const struct launcher_place *place, struct definition_input *input)
{
    struct platform_user user;
    struct err ignored;

    (void)place;
    if (platform_user_self(&user, &ignored) == 0)
        (void)str_copy(input->user, sizeof input->user, user.name);
}

const struct launcher launcher_task = {
    .kind = "task",
    .job_word = "task",
    .render = winsvc_task_render,
    .is_here = task_is_here,
    .look = look_at_user,
};
