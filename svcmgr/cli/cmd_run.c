/* run: becomes the keeper, which starts 'supervise', or where there is no keeper the supervisor
 * itself; neither reads a configuration here. */
#include <stdio.h>
#include <string.h>

#include "dependencies.h"
#include "given.h"
#include "keeper.h"
#include "launch.h"
#include "report.h"
#include "scope.h"
#include "str.h"
#include "supervisor.h"

#include "banned.h"

#define SUPERVISE_WORDS_MAX 24

/* The connection of a start that waits: what platform_spawn_background() passes. */
#define BACKGROUND_CLIENT 0

static int check_duplicate(const struct cli *cli, struct err *err)
{
    enum config_duplicate duplicate;

    if (cli->duplicate == NULL || config_duplicate_from_word(cli->duplicate, &duplicate))
        return 0;
    return err_set(err, ERR_USAGE, 0, "--duplicate must be refuse, standby or takeover, not \"%s\"",
            cli->duplicate);
}

/* The target lives as long as the process: the keeper starts a supervisor from these words again
 * and again, and a supervisor without one the next that takes its place. */
static const char *const *supervise_words(const struct cli *cli, const struct target *target)
{
    static const char *words[SUPERVISE_WORDS_MAX];
    size_t count = 0;

    words[count++] = "svcmgr";
    words[count++] = target->is_system ? "--system" : "--user";
    words[count++] = "supervise";
    words[count++] = target->name;
    words[count++] = "--config";
    words[count++] = target->config_path;
    words[count++] = "--state";
    words[count++] = target->state_path;
    if (cli->background)
        words[count++] = "--background";
    if (cli->fail_exit)
        words[count++] = "--fail-exit";
    if (cli->exit_code_from_instance)
        words[count++] = "--exit-code-from-instance";
    if (cli->duplicate != NULL) {
        words[count++] = "--duplicate";
        words[count++] = cli->duplicate;
    }
    if (cli->control != NULL) {
        words[count++] = "--control";
        words[count++] = cli->control;
    }
    words[count] = NULL;
    return words;
}

/* A start has found the service already and says where it is. */
static int find_target(const struct cli *cli, struct target *ret_target, struct err *err)
{
    if (cli->config_path == NULL || cli->state_path == NULL)
        return scope_find(cli, cli->names[0], ret_target, err);
    ret_target->is_system = cli->system_scope;
    if (!str_copy(ret_target->name, sizeof ret_target->name, cli->names[0]) ||
            !str_copy(ret_target->config_path, sizeof ret_target->config_path, cli->config_path) ||
            !str_copy(ret_target->state_path, sizeof ret_target->state_path, cli->state_path))
        return err_set(err, ERR_USAGE, 0, "a path is too long");
    return 0;
}

static int report_end(const struct target *ran, int code)
{
    char text[CONFIG_NAME_BYTES + 32];

    (void)str_format(text, sizeof text, "{\"name\":\"%s\",\"exit\":%d}", ran->name, code);
    report_document(text);
    return code;
}

static int resume(const struct cli *cli)
{
    uint64_t handle;

    return str_to_uint(cli->resume, INT32_MAX, &handle) ? keeper_resume((platform_handle)handle)
                                                        : ERR_USAGE;
}

static int supervise(const struct cli *cli, const struct target *target, bool is_alone)
{
    struct supervisor_options options = {
        .name = target->name,
        .config_path = target->config_path,
        .state_directory = target->state_path,
        .system_scope = target->is_system,
        .background = cli->background,
        .is_alone = is_alone,
        .words = supervise_words(cli, target),
        .exit_when_failed = cli->fail_exit,
        .exit_code_from_instance = cli->exit_code_from_instance,
        .control_over_tcp = launch_is_over_tcp(cli),
    };

    options.duplicate_set = cli->duplicate != NULL &&
            config_duplicate_from_word(cli->duplicate, &options.duplicate);
    return supervisor_run(&options);
}

static int begin(const struct cli *cli, const struct target *target)
{
    if (!platform_has_keeper())
        return supervise(cli, target, true);
    return keeper_run(supervise_words(cli, target),
            cli->background ? platform_given(BACKGROUND_CLIENT) : PLATFORM_NO_HANDLE);
}

static int run(const struct cli *cli, const struct launcher *launcher)
{
    static struct target target;
    struct err err;

    if (cli->resume != NULL)
        return resume(cli);
    if (!cli->background && platform_has_keeper())
        given_to_keeper();
    if (launch_check_control(cli, &err) == -1 || check_duplicate(cli, &err) == -1 ||
            find_target(cli, &target, &err) == -1) {
        (void)report_failure(cli->names[0], NULL, &err);
        return (int)err.kind;
    }
    if (launcher->begin != NULL)
        launcher->begin(target.state_path);
    if (!cli->background) {
        int code = dependencies_start_first(cli, &target);

        if (code != 0) {
            /* A fault of its own has been told already. */
            if (code != ERR_CONFIG && code != ERR_DENIED && code != ERR_NO_SERVICE)
                cli_warn(target.name, "not started: what it depends on is not running");
            return report_end(&target, code);
        }
    }
    return report_end(&target, begin(cli, &target));
}

int cli_run(const struct cli *cli)
{
    char unit[LAUNCHER_UNIT_BYTES];
    const struct launcher *launcher = launcher_detect(platform_pid(), unit, sizeof unit);

    return cli_end_code(cli->name_count > 0 ? cli->names[0] : NULL, run(cli, launcher));
}

/* It has to be final for the launcher, too.  What it was is said where our words go. */
int cli_end_code(const char *name, int code)
{
    char unit[LAUNCHER_UNIT_BYTES];
    const struct launcher *launcher = launcher_detect(platform_pid(), unit, sizeof unit);

    if (code != 0 && launcher->reads_no_codes)
        (void)fprintf(stderr,
                "svcmgr%s%s" DEFINITION_END_WORDS "%d; %s is told 0, and leaves it so\n",
                name != NULL ? ": " : "", name != NULL ? name : "", code, launcher->kind);
    if (launcher->end != NULL)
        launcher->end(name, code);
    return launcher->reads_no_codes ? 0 : code;
}

int cli_supervise(const struct cli *cli)
{
    static struct target target;
    struct err err;

    if (cli->config_path == NULL || cli->state_path == NULL) {
        err_set(&err, ERR_USAGE, 0, "supervise is started by run only");
        (void)report_failure(cli->names[0], NULL, &err);
        return ERR_USAGE;
    }
    if (find_target(cli, &target, &err) == -1) {
        (void)report_failure(cli->names[0], NULL, &err);
        return (int)err.kind;
    }
    return supervise(cli, &target, false);
}
