#include "winsvc_jobs.h"

#include "platform_launch.h"
#include "str.h"
#include "winsvc_install.h"
#include "winsvc_render.h"

#include "banned.h"

#define LOG_BYTES ((size_t)16 * 1024)
#define PAUSE_MS  50
#define SLACK_MS  10000 /* beyond what it says itself that it takes */

int winsvc_start(const struct launcher_place *place, struct err *err)
{
    struct scm_service service;

    if (winsvc_read(place, &service, err) == -1)
        return -1;
    if (service.start == SCM_START_DISABLED)
        return err_set(err, ERR_FAILED, 0,
                "the service %s is disabled; svcmgr install %s enables it", service.name,
                place->name);
    return platform_scm_start(service.name, err);
}

/* Why it has ended: the manager has svcmgr's code, which is no failure for it, and the sentence is
 * where svcmgr's words go. */
static void explain_end(const struct launcher_place *place, const char *name,
        const struct scm_status *status, struct err *err)
{
    char path[PLATFORM_PATH_BYTES];
    char sentence[400] = "";
    struct buffer log = { 0 };
    struct err ignored;
    uint64_t code = 0;

    winsvc_render_log(place->state_path, path, sizeof path);
    (void)platform_read_tail(path, 0, LOG_BYTES, &log, &ignored);
    if (!definition_read_end(buffer_text(&log), &code, sentence, sizeof sentence) ||
            code != status->service_code)
        (void)str_format(sentence, sizeof sentence, "svcmgr events %s says why", place->name);
    buffer_free(&log);
    if (status->service_code > 0)
        err_set(err,
                status->service_code <= ERR_OCCUPIED ? (enum err_kind)status->service_code
                                                     : ERR_FAILED,
                0, "the service %s ended with code %u: %s", name, (unsigned)status->service_code,
                sentence);
    else
        err_set(err, ERR_FAILED, 0,
                "the service %s does not run%s%s; the Event Log and svcmgr events %s say why", name,
                status->win32_code != 0 ? ": " : "",
                status->win32_code != 0 ? platform_error_text((long)status->win32_code) : "",
                place->name);
}

enum launcher_progress winsvc_progress(const struct launcher_place *place, struct err *err)
{
    char name[SCM_SHORT_BYTES];
    struct scm_status status;

    winsvc_render_name(place->name, name, sizeof name);
    if (platform_scm_query(name, &status, err) == -1)
        return LAUNCHER_DOWN;
    switch (status.state) {
    case SCM_START_PENDING:
    case SCM_STOP_PENDING:
        return LAUNCHER_COMING;
    case SCM_RUNNING:
    case SCM_PAUSED:
        return LAUNCHER_UP;
    case SCM_STOPPED:
    case SCM_STATE_COUNT:
        break;
    }
    explain_end(place, name, &status, err);
    return LAUNCHER_DOWN;
}

/* Waits as long as it shows signs of life. */
static int wait_until_stopped(const char *name, struct err *err)
{
    int64_t deadline_ms = PLATFORM_NEVER;
    struct scm_status status;
    uint32_t check_point = 0;

    while (platform_scm_query(name, &status, err) == 0) {
        int64_t now_ms = platform_now_ms();
        struct platform_event event;

        if (status.state == SCM_STOPPED)
            return 0;
        if (deadline_ms == PLATFORM_NEVER || status.check_point != check_point)
            deadline_ms = now_ms + status.wait_hint_ms + SLACK_MS;
        check_point = status.check_point;
        if (now_ms >= deadline_ms)
            return err_set(err, ERR_FAILED, 0,
                    "the service %s has not stopped, and shows no progress; its process is %lld",
                    name, (long long)status.pid);
        platform_wait(now_ms + PAUSE_MS, &event);
    }
    return -1;
}

/* One that is on its way up takes no stop from the manager; its supervisor does, and is asked after
 * this. */
int winsvc_stop(const struct launcher_place *place, struct err *err)
{
    char name[SCM_SHORT_BYTES];
    struct scm_status status;

    winsvc_render_name(place->name, name, sizeof name);
    if (platform_scm_query(name, &status, err) == -1)
        return -1;
    if (status.state == SCM_STOPPED || (status.state != SCM_STOP_PENDING && !status.accepts_stop))
        return 0;
    if (status.state != SCM_STOP_PENDING && platform_scm_stop(name, err) == -1)
        return -1;
    return wait_until_stopped(name, err);
}
