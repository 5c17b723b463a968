#include "commands.h"

#include <string.h>

#include "str.h"

#include "banned.h"

const struct command_row commands[CLI_COMMAND_COUNT] = {
    [CLI_ADD] = { "add", cli_add, WORDS_ONE, true, false, "NAME [options] -- COMMAND ARG...",
            "write a service's configuration" },
    [CLI_CHECK] = { "check", cli_check, WORDS_SOME, false, false, "NAME or FILE...",
            "validate a configuration; say file:line:column of each fault" },
    [CLI_START] = { "start", cli_start, WORDS_MAY, true, false,
            "NAME... | --all | NAME -- COMMAND ARG...",
            "start in the background; return when ready or failed" },
    [CLI_RUN] = { "run", cli_run, WORDS_ONE, false, false, "NAME",
            "the same in the foreground, for launchers and containers" },
    [CLI_STOP] = { "stop", cli_stop, WORDS_MAY, false, false, "NAME... | --all",
            "stop the whole process tree; return when nothing is left" },
    [CLI_RESTART] = { "restart", cli_restart, WORDS_SOME, false, false, "NAME...",
            "replace the instance; return when the new one is ready" },
    [CLI_RELOAD] = { "reload", cli_reload, WORDS_SOME, false, false, "NAME...",
            "read the configuration again; apply what can be applied live" },
    [CLI_SIGNAL] = { "signal", cli_signal, WORDS_TWO, false, false, "NAME SIGNAL",
            "send a signal to the main process" },
    [CLI_STATUS] = { "status", cli_status, WORDS_MAY, false, false, "[NAME...]",
            "say what a service is doing" },
    [CLI_LIST] = { "list", cli_list, WORDS_NONE, false, false, "", "a table of all services" },
    [CLI_LOGS] = { "logs", cli_logs, WORDS_ONE, false, false, "NAME [-f] [-n N] [--since TIME]",
            "print and follow what a service has printed" },
    [CLI_EVENTS] = { "events", cli_events, WORDS_MAY, false, false, "[NAME...] [-f] [-n N]",
            "say what has happened, why, and who asked" },
    [CLI_EXEC] = { "exec", cli_exec, WORDS_ONE, true, false, "NAME [options] -- COMMAND ARG...",
            "run a command in the service's environment" },
    [CLI_DOCTOR] = { "doctor", cli_doctor, WORDS_MAY, false, false, "[NAME...]",
            "say what stands in the way, and what to type" },
    [CLI_INSTALL] = { "install", cli_install, WORDS_MAY, false, false,
            "NAME... [options] | --template --print",
            "register with the platform's own service manager" },
    [CLI_UNINSTALL] = { "uninstall", cli_uninstall, WORDS_SOME, false, false, "NAME...",
            "stop, and undo what 'install' did" },
    [CLI_UPGRADE] = { "upgrade", cli_upgrade, WORDS_MAY, false, false, "NAME... | --all",
            "replace the supervisor by the svcmgr now on disk; the instance goes on" },
    [CLI_VERSION] = { "version", cli_version, WORDS_NONE, false, false, "", "print the version" },
    [CLI_HELP] = { "help", cli_help, WORDS_MAY, false, false, "[COMMAND]",
            "say how to use svcmgr" },
    [CLI_SUPERVISE] = { "supervise", cli_supervise, WORDS_ONE, false, true, "NAME",
            "what 'run' starts for itself" },
    [CLI_SELF_CHECK] = { "self-check", cli_self_check, WORDS_ONE, false, true, "NAME",
            "what 'upgrade' asks of a program before it is used" },
};

#define FOR_OWN      (FOR(CLI_RUN) | FOR(CLI_SUPERVISE) | FOR(CLI_SELF_CHECK))
#define MEMBER(name) offsetof(struct cli, name)

const struct option_row options[] = {
    { "--user", 0, NULL, FOR_ALL, MEMBER(user_scope), "services of this user" },
    { "--system", 0, NULL, FOR_ALL, MEMBER(system_scope), "services of the machine" },
    { "--config-dir", 0, "DIR", FOR_ALL, MEMBER(config_dir), "where configurations are" },
    { "--state-dir", 0, "DIR", FOR_ALL, MEMBER(state_dir), "where state is kept" },
    { "--json", 0, NULL, FOR_ALL, MEMBER(json), "print JSON" },
    { "--quiet", 'q', NULL, FOR_ALL, MEMBER(quiet), "print errors only" },
    { "--verbose", 'v', NULL, FOR_ALL, MEMBER(verbose), "say more" },
    { "--help", 'h', NULL, FOR_ALL, MEMBER(help), "say how to use the command" },
    { "--version", 0, NULL, FOR(CLI_VERSION), MEMBER(version), "the same without the command" },
    { "--all", 0, NULL, FOR(CLI_START) | FOR(CLI_STOP) | FOR(CLI_UPGRADE), MEMBER(all),
            "every service" },
    { "--direct", 0, NULL, FOR(CLI_START) | FOR(CLI_STOP), MEMBER(direct),
            "go round the platform's service manager" },
    { "--expect-pid", 0, "PID", FOR(CLI_STOP) | FOR(CLI_RESTART), MEMBER(expect_pid),
            "only if the instance still is this process" },
    { "--now", 0, NULL, FOR(CLI_STOP), MEMBER(now), "kill at once instead of asking first" },
    { "--launcher", 0, "systemd|launchd|winsvc", FOR(CLI_INSTALL), MEMBER(launcher),
            "which service manager (default: the one that is here)" },
    { "--socket", 0, NULL, FOR(CLI_INSTALL), MEMBER(with_socket),
            "let it hold the service's sockets" },
    { "--print", 0, NULL, FOR(CLI_INSTALL), MEMBER(print),
            "only show what would be written, on any platform" },
    { "--now", 0, NULL, FOR(CLI_INSTALL), MEMBER(now), "start it, too" },
    { "--task", 0, NULL, FOR(CLI_INSTALL), MEMBER(as_task),
            "Windows: a task of the Task Scheduler instead of a service" },
    { "--linger", 0, NULL, FOR(CLI_INSTALL), MEMBER(linger),
            "user scope, systemd: also run while the user is not logged in" },
    { "--template", 0, NULL, FOR(CLI_INSTALL), MEMBER(for_all),
            "with --print: one definition for all services (svcmgr@.service)" },
    { "--keep-standby", 0, NULL, FOR(CLI_STOP), MEMBER(keep_standby),
            "let the next standby take over" },
    { "--duplicate", 0, "refuse|standby|takeover", FOR(CLI_RUN) | FOR(CLI_SUPERVISE) | FOR(CLI_ADD),
            MEMBER(duplicate), "what to do when another one is there" },
    { "--control", 0, "unix|tcp", FOR_OWN | FOR(CLI_START) | FOR(CLI_RESTART), MEMBER(control),
            "the kind of control channel of a supervisor that is started" },
    { "--fail-exit", 0, NULL, FOR(CLI_RUN) | FOR(CLI_SUPERVISE), MEMBER(fail_exit),
            "end with 1 instead of staying in 'failed'" },
    { "--exit-code-from-instance", 0, NULL, FOR(CLI_RUN) | FOR(CLI_SUPERVISE),
            MEMBER(exit_code_from_instance), "end with the instance's own code" },
    { "--background", 0, NULL, FOR(CLI_RUN) | FOR(CLI_SUPERVISE), MEMBER(background), NULL },
    { "--only-dependencies", 0, NULL, FOR(CLI_START), MEMBER(only_dependencies), NULL },
    { "--config", 0, "FILE", FOR_OWN, MEMBER(config_path), NULL },
    { "--state", 0, "DIR", FOR_OWN, MEMBER(state_path), NULL },
    { "--keeper", 0, "N", FOR(CLI_SELF_CHECK), MEMBER(keeper_protocol), NULL },
    { "--resume", 0, "N", FOR(CLI_RUN), MEMBER(resume), NULL },
    { "--executable", 0, "FILE", FOR(CLI_UPGRADE), MEMBER(executable),
            "this one instead of the one that is where the running one came from" },
    { "--follow", 'f', NULL, FOR(CLI_LOGS) | FOR(CLI_EVENTS), MEMBER(follow),
            "go on as more comes" },
    { "--lines", 'n', "N", FOR(CLI_LOGS) | FOR(CLI_EVENTS), MEMBER(lines),
            "only the last N lines" },
    { "--since", 0, "TIME", FOR(CLI_LOGS), MEMBER(since),
            "only from this time on (2026-01-31T12:00:00Z, or 10m for ten minutes ago)" },
    { "--tty", 't', NULL, FOR(CLI_EXEC), MEMBER(tty), "give it a terminal, and our input" },
    { "--stdin", 'i', NULL, FOR(CLI_EXEC), MEMBER(stdin_too), "give it our standard input" },
    { "--timeout", 0, "TIME", FOR(CLI_EXEC), MEMBER(timeout),
            "kill it after this time, and end with 124" },
    { "--output-cap", 0, "N", FOR(CLI_EXEC), MEMBER(output_cap),
            "at most N bytes of each stream; what follows is dropped" },
    { "--force", 0, NULL, FOR(CLI_ADD), MEMBER(force), "overwrite a configuration" },
    { "--tokens", 0, NULL, FOR(CLI_ADD), MEMBER(tokens), "{port} and the like are tokens" },
    { "--description", 0, "TEXT", FOR(CLI_ADD), OPTION_IS_SET, "what the service is" },
    { "--directory", 0, "DIR", FOR(CLI_ADD), OPTION_IS_SET,
            "its working directory (default: this one)" },
    { "--listen", 0, "ADDRESS", FOR(CLI_ADD), OPTION_IS_SET,
            "where it listens; may be given again" },
    { "--socket", 0, "inherit|self", FOR(CLI_ADD), OPTION_IS_SET, "who binds the addresses" },
    { "--health", 0, "PATH", FOR(CLI_ADD), OPTION_IS_SET, "check this HTTP path" },
    { "--ready", 0, "health|notify|spawn", FOR(CLI_ADD), OPTION_IS_SET, "when it counts as ready" },
    { "--env", 'e', "NAME=VALUE", FOR(CLI_ADD), OPTION_IS_SET, "a variable; may be given again" },
    { "--env-file", 0, "FILE", FOR(CLI_ADD), OPTION_IS_SET,
            "a file of variables; may be given again" },
    { "--run-as", 0, "USER", FOR(CLI_ADD), OPTION_IS_SET, "its user (system scope)" },
    { "--run-as-group", 0, "GROUP", FOR(CLI_ADD), OPTION_IS_SET, "its group (system scope)" },
    { "--restart", 0, "always|on-failure|never", FOR(CLI_ADD), OPTION_IS_SET,
            "when it is restarted" },
    { "--start-timeout", 0, "TIME", FOR(CLI_ADD), OPTION_IS_SET, "how long a start may take" },
    { "--stop-signal", 0, "SIGNAL", FOR(CLI_ADD), OPTION_IS_SET, "how it is asked to stop" },
    { "--stop-timeout", 0, "TIME", FOR(CLI_ADD), OPTION_IS_SET, "how long a stop may take" },
    { "--depends-on", 0, "NAME", FOR(CLI_ADD), OPTION_IS_SET, "started first; may be given again" },
    { "--set", 0, "KEY=JSON", FOR(CLI_ADD), OPTION_IS_SET, "any other key, as restart.burst=0" },
};
const size_t option_count = sizeof options / sizeof options[0];

int commands_find(const char *word, enum cli_command *ret_command, struct err *err)
{
    const char *names[CLI_COMMAND_COUNT];
    size_t count = 0;
    const char *near;

    for (int i = 0; i < CLI_COMMAND_COUNT; i++) {
        if (strcmp(commands[i].name, word) == 0) {
            *ret_command = (enum cli_command)i;
            return 0;
        }
        if (!commands[i].hidden)
            names[count++] = commands[i].name;
    }
    near = str_nearest(word, names, count);
    return err_set(err, ERR_USAGE, 0, "unknown command \"%s\"; %s%s%s", word,
            near != NULL ? "did you mean \"" : "type svcmgr help", near != NULL ? near : "",
            near != NULL ? "\"?" : "");
}
