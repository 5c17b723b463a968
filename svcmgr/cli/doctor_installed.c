/* doctor: whether the service is installed with the platform's own service manager, and how. */
#include <string.h>

#include "doctor.h"
#include "installed.h"
#include "material.h"
#include "str.h"

#include "banned.h"

static const char *word_of(enum launcher_progress progress)
{
    switch (progress) {
    case LAUNCHER_COMING:
        return "is about to change";
    case LAUNCHER_UP:
        return "active";
    case LAUNCHER_DOWN:
        break;
    }
    return "not active";
}

static bool is_outdated(const struct report *report, const struct launcher *launcher,
        const struct launcher_place *place, bool with_socket)
{
    struct material material = { .service = NULL };
    struct definition definition = { .count = 0 };
    struct cli cli = *report->cli;
    struct err err;
    bool outdated = false;

    cli.with_socket = with_socket;
    if (material_gather(&cli, report->target, launcher, &material, &err) == 0 &&
            launcher->render(&material.input, &definition, &err) == 0)
        outdated = launcher->differs(place, &definition);
    definition_free(&definition);
    material_free(&material);
    return outdated;
}

static void advise(const struct report *report, const char *option, struct finding *finding)
{
    size_t length;

    doctor_own_command(report, "install", finding->command, sizeof finding->command);
    length = strlen(finding->command);
    (void)str_copy(finding->command + length, sizeof finding->command - length, option);
}

void doctor_look_at_installed(struct report *report)
{
    struct finding finding = { .what = "installed" };
    struct launcher_place place = installed_place(report->target);
    struct launcher_installed installed;
    const struct launcher *launcher = launcher_installed_by(&place, &installed);
    const char *hint = "";
    struct err err;

    if (launcher == NULL) {
        (void)str_format(finding.text, sizeof finding.text, "with no service manager");
        doctor_tell(report, &finding);
        return;
    }
    if (!installed.enabled ||
            (report->service != NULL &&
                    is_outdated(report, launcher, &place, installed.with_socket))) {
        hint = "; it is not what install would write now";
        advise(report, installed.with_socket ? " --socket" : "", &finding);
    } else if (launcher->ends_with_session != NULL && launcher->ends_with_session(&place)) {
        hint = "; it runs only while its user is logged in";
        advise(report, " --linger", &finding);
    }
    (void)str_format(finding.text, sizeof finding.text, "%s %s %s, %s%s, %s%s", installed.kind,
            launcher->job_word, installed.unit, installed.enabled ? "enabled" : "not enabled",
            installed.with_socket ? ", with its sockets" : "",
            word_of(launcher->progress(&place, &err)), hint);
    doctor_tell(report, &finding);
}
