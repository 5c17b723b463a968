/* run: becomes the keeper, which starts 'supervise'; both read no configuration here. */
#include <string.h>

#include "dependencies.h"
#include "keeper.h"
#include "scope.h"
#include "str.h"
#include "supervisor.h"

#include "banned.h"

#define SUPERVISE_WORDS_MAX 24

/* The connection of a start that waits, where platform_spawn_background() puts it. */
#define BACKGROUND_CLIENT_FD 3

static int check_control(const struct cli *cli, struct err *err)
{
    if (cli->control == NULL || strcmp(cli->control, "unix") == 0)
        return 0;
    return err_set(err, ERR_USAGE, 0, "--control must be unix here, not \"%s\"", cli->control);
}

static int check_duplicate(const struct cli *cli, struct err *err)
{
    enum config_duplicate duplicate;

    if (cli->duplicate == NULL || config_duplicate_from_word(cli->duplicate, &duplicate))
        return 0;
    return err_set(err, ERR_USAGE, 0, "--duplicate must be refuse, standby or takeover, not \"%s\"",
            cli->duplicate);
}

/* The target lives as long as the process: the keeper starts a supervisor from these words again and
 * again. */
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

int cli_run(const struct cli *cli)
{
    static struct target target;
    struct err err;

    if (check_control(cli, &err) == -1 || check_duplicate(cli, &err) == -1 ||
            find_target(cli, &target, &err) == -1) {
        cli_complain(cli->names[0], &err);
        return (int)err.kind;
    }
    if (!cli->background) {
        int code = dependencies_start_first(cli, &target);

        if (code != 0)
            return code;
    }
    return keeper_run(supervise_words(cli, &target),
            cli->background ? BACKGROUND_CLIENT_FD : PLATFORM_NO_HANDLE);
}

int cli_supervise(const struct cli *cli)
{
    struct supervisor_options options = {
        .name = cli->names[0],
        .config_path = cli->config_path,
        .state_directory = cli->state_path,
        .system_scope = cli->system_scope,
        .background = cli->background,
        .exit_when_failed = cli->fail_exit,
        .exit_code_from_instance = cli->exit_code_from_instance,
    };
    struct err err;

    if (cli->config_path == NULL || cli->state_path == NULL) {
        err_set(&err, ERR_USAGE, 0, "supervise is started by run only");
        cli_complain(cli->names[0], &err);
        return ERR_USAGE;
    }
    options.duplicate_set = cli->duplicate != NULL &&
                            config_duplicate_from_word(cli->duplicate, &options.duplicate);
    return supervisor_run(&options);
}
