/* install, uninstall: a service as a job of the platform's own service manager. */
#include <stdio.h>
#include <string.h>

#include "installed.h"
#include "json_write.h"
#include "material.h"
#include "report.h"
#include "stop.h"

#include "banned.h"

#define RENDERED_FOR_PRINT "systemd" /* where no launcher is, and none was named */

#define TASK "task" /* what --task means */

/* Whom to install with.  --print needs no launcher that is here. */
static const struct launcher *choose(const struct cli *cli, struct err *err)
{
    const char *kind = cli->as_task && cli->launcher == NULL ? TASK : cli->launcher;
    const struct launcher *launcher = kind != NULL ? launcher_find(kind) : launcher_here();

    if (launcher == NULL && kind == NULL)
        launcher = launcher_find(RENDERED_FOR_PRINT);
    if (launcher == NULL || launcher->render == NULL ||
            (cli->launcher != NULL && strcmp(cli->launcher, TASK) == 0)) {
        err_set(err, ERR_USAGE, 0, "--launcher must be systemd, launchd or winsvc, not \"%s\"",
                cli->launcher);
        return NULL;
    }
    if (cli->as_task && strcmp(kind, TASK) != 0) {
        err_set(err, ERR_USAGE, 0, "--task is for the Task Scheduler of Windows, not for %s", kind);
        return NULL;
    }
    if (cli->linger && launcher->outlive_session == NULL) {
        err_set(err, ERR_USAGE, 0,
                "--linger is for systemd; what %s runs for a user it runs while they are logged "
                "in, "
                "and what --system installs always",
                launcher->kind);
        return NULL;
    }
    if (!cli->print && !launcher->is_here()) {
        err_set(err, ERR_FAILED, 0,
                cli->as_task ? "register the task yourself: svcmgr install NAME --task --print > "
                               "FILE, then schtasks /create /tn NAME /xml FILE%s"
                             : "%s does not run this machine; --print shows what would be "
                               "installed",
                cli->as_task ? "" : launcher->kind);
        return NULL;
    }
    return launcher;
}

/* ---- Printing -------------------------------------------------------------------------------- */

static void print_definition(
        const struct cli *cli, const char *name, const struct definition *definition)
{
    struct buffer text = { 0 };
    struct json_writer writer = { .out = &text };

    json_write_object(&writer, NULL);
    json_write_string(&writer, "name", name);
    json_write_list(&writer, "files");
    for (size_t i = 0; i < definition->count; i++) {
        const struct definition_file *file = &definition->files[i];

        if (!cli->json)
            (void)printf("%s%s%s", i > 0 ? "\n# " : "", i > 0 ? file->name : "", i > 0 ? "\n" : "");
        if (!cli->json)
            (void)printf("%s", buffer_text(&file->text));
        json_write_object(&writer, NULL);
        json_write_string(&writer, "name", file->name);
        json_write_string(&writer, "text", buffer_text(&file->text));
        json_write_object_end(&writer);
    }
    json_write_list_end(&writer);
    json_write_object_end(&writer);
    report_document(buffer_text(&text));
    buffer_free(&text);
}

static int print_template(const struct cli *cli)
{
    struct material material = { .input = { .system_scope = !cli->user_scope, .as_root = true } };
    struct definition definition = { .count = 0 };
    struct scope scope;
    const struct launcher *launcher;
    struct err err;
    int result = -1;

    launcher = choose(cli, &err);
    if (launcher != NULL && material_fill_places(cli, &material, &err) == 0 &&
            scope_resolve(cli, material.input.system_scope, &scope, &err) == 0) {
        material.input.config_path = scope.config_dir;
        material.input.state_path = scope.state_dir;
        result = launcher->render(&material.input, &definition, &err);
    }
    if (result == -1)
        return report_failure(NULL, NULL, &err);
    print_definition(cli, NULL, &definition);
    definition_free(&definition);
    return 0;
}

/* What was done, line by line, and as a document. */
static void print_report(const struct cli *cli, const struct target *target,
        const struct launcher_report *report, const char *nothing)
{
    struct launcher_place place = installed_place(target);
    struct launcher_installed installed;
    struct buffer text = { 0 };
    struct json_writer writer = { .out = &text };
    bool is_there = launcher_installed_by(&place, &installed) != NULL;

    if (!cli->json && !cli->quiet && report->text.length > 0)
        (void)printf("%s", buffer_text(&report->text));
    if (!cli->json && !cli->quiet && !report->changed)
        cli_say(target->name, "%s", nothing);
    json_write_object(&writer, NULL);
    json_write_string(&writer, "name", target->name);
    json_write_bool(&writer, "changed", report->changed);
    json_write_string(&writer, "kind", is_there ? installed.kind : NULL);
    json_write_string(&writer, "unit", is_there ? installed.unit : NULL);
    json_write_string(&writer, "scope", is_there ? installed.scope : NULL);
    json_write_bool(&writer, "enabled", is_there && installed.enabled);
    json_write_string(&writer, "report", buffer_text(&report->text));
    json_write_object_end(&writer);
    report_document(buffer_text(&text));
    buffer_free(&text);
}

/* ---- install --------------------------------------------------------------------------------- */

static bool says_yes(const struct target *target)
{
    char answer[16] = "";

    (void)fprintf(stderr,
            "%s runs only while you are logged in.  Keep your services running without a login "
            "(loginctl enable-linger)? [y/N] ",
            target->name);
    (void)fflush(stderr);
    return fgets(answer, sizeof answer, stdin) != NULL && (answer[0] == 'y' || answer[0] == 'Y');
}

/* A user's services end with their last session unless they were told to linger. */
static int see_to_session(const struct cli *cli, const struct target *target,
        const struct launcher *launcher, struct launcher_report *report, struct err *err)
{
    struct launcher_place place = installed_place(target);
    bool can_ask = !cli->json && !cli->quiet && platform_is_terminal(platform_standard_input()) &&
            platform_is_terminal(platform_standard_error());

    if (launcher->ends_with_session == NULL || !launcher->ends_with_session(&place))
        return 0;
    if (cli->linger || (can_ask && says_yes(target)))
        return launcher->outlive_session(&place, report, err);
    if (!cli->quiet)
        cli_warn(target->name,
                "it runs only while you are logged in; svcmgr install --linger %s changes that",
                target->name);
    return 0;
}

static int install_definition(const struct cli *cli, const struct target *target,
        const struct launcher *launcher, const struct definition *definition, struct err *err)
{
    struct launcher_place place = installed_place(target);
    struct launcher_report report = { .changed = false };
    /* The unit may only write where something is when it starts. */
    int result = platform_make_directory(target->state_path, 0700, err);

    /* First: where the user's manager is to be there without a session, it may come only now. */
    if (result == 0)
        result = see_to_session(cli, target, launcher, &report, err);
    if (result == 0)
        result = launcher->install(&place, definition, &report, err);
    if (result == 0 || report.changed)
        print_report(cli, target, &report, "is installed already, as it would be now");
    buffer_free(&report.text);
    return result;
}

static int install_one(const struct cli *cli, struct target *target)
{
    struct material material = { .service = NULL };
    struct definition definition = { .count = 0 };
    struct err err;
    const struct launcher *launcher = choose(cli, &err);
    int result = -1;

    if (launcher != NULL && material_gather(cli, target, launcher, &material, &err) == 0)
        result = launcher->render(&material.input, &definition, &err);
    if (result == 0 && cli->print)
        print_definition(cli, target->name, &definition);
    else if (result == 0)
        result = install_definition(cli, target, launcher, &definition, &err);
    definition_free(&definition);
    material_free(&material);
    return result == 0 ? 0 : report_failure(target->name, "not installed", &err);
}

int cli_install(const struct cli *cli)
{
    struct cli start = *cli;
    int code;

    if (cli->for_all)
        return print_template(cli);
    code = scope_each(cli, install_one);
    if (code != 0 || cli->print || !cli->now)
        return code;
    start.command = CLI_START;
    start.now = false;
    return cli_start(&start);
}

/* ---- uninstall ------------------------------------------------------------------------------- */

static int uninstall_one(const struct cli *cli, struct target *target)
{
    struct launcher_place place = installed_place(target);
    struct launcher_report report = { .changed = false };
    struct launcher_installed installed;
    const struct launcher *launcher = launcher_installed_by(&place, &installed);
    struct cli stop = *cli;
    struct err err;
    int code = 0;

    if (launcher != NULL) {
        stop.json = false; /* the document is this command's */
        stop.quiet = cli->quiet || cli->json;
        code = stop_target(&stop, target);
        if (code == 0 && launcher->uninstall(&place, &report, &err) == -1)
            code = report_failure(target->name, "not uninstalled", &err);
    }
    if (code == 0 || report.changed)
        print_report(cli, target, &report, "is not installed");
    buffer_free(&report.text);
    return code;
}

/* One whose configuration is gone can be installed still. */
static int find(const struct cli *cli, const char *name, struct target *ret_target, struct err *err)
{
    struct launcher_place place;
    struct launcher_installed installed;
    struct err other;

    if (scope_find(cli, name, ret_target, err) == 0)
        return 0;
    if (err->kind != ERR_NO_SERVICE || scope_place(cli, name, ret_target, &other) == -1)
        return -1;
    place = installed_place(ret_target);
    return launcher_installed_by(&place, &installed) != NULL ? 0 : -1;
}

int cli_uninstall(const struct cli *cli)
{
    int code = 0;

    for (size_t i = 0; i < cli->name_count; i++) {
        struct target target;
        struct err err;
        int one = find(cli, cli->names[i], &target, &err) == 0
                ? uninstall_one(cli, &target)
                : report_failure(cli->names[i], NULL, &err);

        if (code == 0)
            code = one;
    }
    return code;
}
