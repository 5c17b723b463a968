#include "winsvc_install.h"

#include <string.h>

#include "command_line.h"
#include "platform_launch.h"
#include "str.h"
#include "winsvc_record.h"
#include "winsvc_render.h"

#include "banned.h"

#define GONE_LIMIT_MS 10000
#define GONE_PAUSE_MS 50

/* ---- What is there --------------------------------------------------------------------------- */

int winsvc_read(
        const struct launcher_place *place, struct scm_service *ret_service, struct err *err)
{
    char name[SCM_SHORT_BYTES];

    if (!place->system_scope || !platform_has_scm())
        return err_set(err, ERR_NO_SERVICE, 0, "a user's services are not Windows'");
    winsvc_render_name(place->name, name, sizeof name);
    if (platform_scm_read(name, ret_service, err) == -1)
        return -1;
    if (ret_service->state_path[0] == '\0')
        return err_set(err, ERR_FAILED, 0,
                "there is a service %s that svcmgr did not make; remove it first: sc delete %s",
                name, name);
    if (!str_equal_nocase(ret_service->state_path, place->state_path) &&
            !platform_is_same_file(ret_service->state_path, place->state_path))
        return err_set(err, ERR_DUPLICATE, 0,
                "there is a service %s for a service of this name with another state directory, "
                "%s; uninstall that one first",
                name, ret_service->state_path);
    return 0;
}

bool winsvc_installed(const struct launcher_place *place, struct launcher_installed *ret_installed)
{
    struct scm_service service;
    struct err ignored;

    if (winsvc_read(place, &service, &ignored) == -1)
        return false;
    *ret_installed = (struct launcher_installed) {
        .kind = "winsvc",
        .scope = "system",
        .enabled = service.start == SCM_START_DELAYED || service.start == SCM_START_AUTOMATIC,
    };
    (void)str_copy(ret_installed->unit, sizeof ret_installed->unit, service.name);
    (void)str_format(ret_installed->path, sizeof ret_installed->path,
            "HKLM\\SYSTEM\\CurrentControlSet\\Services\\%s", service.name);
    return true;
}

void winsvc_look(const struct launcher_place *place, struct definition_input *input)
{
    (void)place;
    (void)input;
}

/* ---- What is to be there --------------------------------------------------------------------- */

/* The manager starts nothing that depends on what there is not; 'run' starts that itself. */
static void leave_out_missing(struct scm_service *wanted)
{
    size_t kept = 0;

    for (size_t i = 0; i < wanted->dependency_count; i++) {
        struct scm_status status;
        struct err err;

        if (platform_scm_query(wanted->dependencies[i], &status, &err) == -1 &&
                err.kind == ERR_NO_SERVICE)
            continue;
        if (kept != i)
            memcpy(wanted->dependencies[kept], wanted->dependencies[i], SCM_SHORT_BYTES);
        kept++;
    }
    wanted->dependency_count = kept;
}

static int read_wanted(
        const struct definition *definition, struct scm_service *ret_wanted, struct err *err)
{
    if (winsvc_record_read(buffer_text(&definition->files[0].text), ret_wanted, err) == -1)
        return -1;
    leave_out_missing(ret_wanted);
    return 0;
}

/* Whether they differ; how goes to 'out', unless it is NULL. */
static bool compare(struct scm_service *found, const struct scm_service *wanted, struct buffer *out)
{
    struct buffer from = { 0 };
    struct buffer to = { 0 };
    bool differs;

    winsvc_record_assume(found, wanted);
    winsvc_record_write(found, &from);
    winsvc_record_write(wanted, &to);
    differs = out != NULL ? definition_diff(buffer_text(&from), buffer_text(&to), out)
                          : strcmp(buffer_text(&from), buffer_text(&to)) != 0;
    buffer_free(&from);
    buffer_free(&to);
    return differs;
}

bool winsvc_differs(const struct launcher_place *place, const struct definition *definition)
{
    struct scm_service found;
    struct scm_service wanted;
    struct err ignored;

    return winsvc_read(place, &found, &ignored) == -1 ||
            read_wanted(definition, &wanted, &ignored) == -1 || compare(&found, &wanted, NULL);
}

/* ---- Installing ------------------------------------------------------------------------------ */

/* A path with a blank and without quotes lets whoever can write to C:\ put a program there that is
 * started instead: CWE-428. */
static int check_line(
        const struct scm_service *found, const struct scm_service *wanted, struct err *err)
{
    const char *line = found->command_line;
    char program[SCM_PATH_BYTES];

    if (found->command_line[0] == '"' && strcmp(found->command_line, wanted->command_line) == 0 &&
            command_line_next(&line, true, program, sizeof program) &&
            strcmp(program, wanted->event_file) == 0)
        return 0;
    return err_set(err, ERR_FAILED, 0,
            "the service control manager has another command line for %s than it was given: %s",
            wanted->name, found->command_line);
}

static int read_back(const struct launcher_place *place, const struct scm_service *wanted,
        struct launcher_report *report, struct err *err)
{
    struct scm_service found;
    struct buffer difference = { 0 };
    char untold[SCM_TEXT_BYTES];
    int result = 0;

    if (winsvc_read(place, &found, err) == -1 || check_line(&found, wanted, err) == -1)
        return -1;
    winsvc_record_untold(&found, untold, sizeof untold);
    if (untold[0] != '\0')
        buffer_printf(
                &report->text, "this system does not tell, and may not know of: %s\n", untold);
    if (compare(&found, wanted, &difference))
        result = err_set(err, ERR_FAILED, 0,
                "the service control manager has made something else of %s: %.400s", wanted->name,
                buffer_text(&difference));
    buffer_free(&difference);
    return result;
}

int winsvc_install(const struct launcher_place *place, const struct definition *definition,
        struct launcher_report *report, struct err *err)
{
    struct scm_service found;
    struct scm_service wanted;
    bool is_new = winsvc_read(place, &found, err) == -1;

    if (is_new && err->kind != ERR_NO_SERVICE)
        return -1;
    if (read_wanted(definition, &wanted, err) == -1)
        return -1;
    if (!is_new && !compare(&found, &wanted, NULL))
        return platform_scm_write(&wanted, false, err); /* what it was granted, again */
    report->changed = true;
    buffer_printf(&report->text, "%s service %s\n", is_new ? "made" : "changed", wanted.name);
    if (is_new)
        (void)definition_diff("", buffer_text(&definition->files[0].text), &report->text);
    else
        (void)compare(&found, &wanted, &report->text);
    if (platform_scm_write(&wanted, is_new, err) == -1)
        return -1;
    return read_back(place, &wanted, report, err);
}

/* ---- Uninstalling ---------------------------------------------------------------------------- */

static int wait_until_gone(const char *name, struct err *err)
{
    int64_t deadline_ms = platform_now_ms() + GONE_LIMIT_MS;
    struct platform_event event;
    struct scm_status status;
    struct err gone;

    while (platform_scm_query(name, &status, &gone) == 0 || gone.kind != ERR_NO_SERVICE) {
        if (platform_now_ms() >= deadline_ms)
            return err_set(err, ERR_FAILED, 0,
                    "the service %s is marked for deletion, and some program still has it open; "
                    "close services.msc, the Task Manager and the like",
                    name);
        platform_wait(platform_now_ms() + GONE_PAUSE_MS, &event);
    }
    return 0;
}

int winsvc_uninstall(
        const struct launcher_place *place, struct launcher_report *report, struct err *err)
{
    char log[PLATFORM_PATH_BYTES];
    struct scm_service found;

    if (winsvc_read(place, &found, err) == -1)
        return err->kind == ERR_NO_SERVICE ? 0 : -1;
    if (platform_scm_delete(found.name, err) == -1)
        return -1;
    report->changed = true;
    buffer_printf(&report->text, "removed service %s\n", found.name);
    winsvc_render_log(place->state_path, log, sizeof log);
    return wait_until_gone(found.name, err) == -1 ? -1 : platform_remove_file(log, err);
}
