#include "cli.h"

#include <stdio.h>
#include <string.h>

#include "str.h"
#include "version.h"

#include "banned.h"

/* How many words a command takes beside its options. */
enum words { WORDS_NONE, WORDS_MAY, WORDS_ONE, WORDS_TWO, WORDS_SOME };

struct command_row {
    const char *name;
    int (*run)(const struct cli *cli);
    enum words words;
    bool takes_rest; /* "-- COMMAND ARG..." */
    bool hidden;
    const char *usage; /* behind the name */
    const char *help;
};

static int run_version(const struct cli *cli);
static int run_help(const struct cli *cli);

static const struct command_row commands[] = {
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
    [CLI_DOCTOR] = { "doctor", cli_doctor, WORDS_MAY, false, false, "[NAME...]",
            "say what stands in the way, and what to type" },
    [CLI_VERSION] = { "version", run_version, WORDS_NONE, false, false, "", "print the version" },
    [CLI_HELP] = { "help", run_help, WORDS_MAY, false, false, "[COMMAND]", "say how to use svcmgr" },
    [CLI_SUPERVISE] = { "supervise", cli_supervise, WORDS_ONE, false, true, "NAME",
            "what 'run' starts for itself" },
};
_Static_assert(sizeof commands / sizeof commands[0] == CLI_COMMAND_COUNT, "a command has no row");

#define FOR(command) (1u << (command))
#define FOR_ALL      ((1u << CLI_COMMAND_COUNT) - 1)

struct option_row {
    const char *name;  /* "--json" */
    char letter;       /* 'q' for -q; 0 none */
    const char *value; /* what its value is called; NULL: a flag */
    unsigned commands; /* which take it */
    size_t offset;     /* of the bool or the text in struct cli; (size_t)-1: a set of add */
    const char *help;
};

#define MEMBER(name) offsetof(struct cli, name)
#define SET          ((size_t)-1)

static const struct option_row options[] = {
    { "--user", 0, NULL, FOR_ALL, MEMBER(user_scope), "services of this user" },
    { "--system", 0, NULL, FOR_ALL, MEMBER(system_scope), "services of the machine" },
    { "--config-dir", 0, "DIR", FOR_ALL, MEMBER(config_dir), "where configurations are" },
    { "--state-dir", 0, "DIR", FOR_ALL, MEMBER(state_dir), "where state is kept" },
    { "--json", 0, NULL, FOR_ALL, MEMBER(json), "print JSON" },
    { "--quiet", 'q', NULL, FOR_ALL, MEMBER(quiet), "print errors only" },
    { "--verbose", 'v', NULL, FOR_ALL, MEMBER(verbose), "say more" },
    { "--help", 'h', NULL, FOR_ALL, MEMBER(help), "say how to use the command" },
    { "--all", 0, NULL, FOR(CLI_START) | FOR(CLI_STOP), MEMBER(all), "every service" },
    { "--direct", 0, NULL, FOR(CLI_START) | FOR(CLI_STOP), MEMBER(direct),
            "go round the platform's service manager" },
    { "--expect-pid", 0, "PID", FOR(CLI_STOP) | FOR(CLI_RESTART), MEMBER(expect_pid),
            "only if the instance still is this process" },
    { "--now", 0, NULL, FOR(CLI_STOP), MEMBER(now), "kill at once instead of asking first" },
    { "--keep-standby", 0, NULL, FOR(CLI_STOP), MEMBER(keep_standby),
            "let the next standby take over" },
    { "--duplicate", 0, "refuse|standby|takeover",
            FOR(CLI_RUN) | FOR(CLI_SUPERVISE) | FOR(CLI_ADD), MEMBER(duplicate),
            "what to do when another one is there" },
    { "--control", 0, "unix|tcp", FOR(CLI_RUN) | FOR(CLI_SUPERVISE), MEMBER(control),
            "the kind of control channel" },
    { "--fail-exit", 0, NULL, FOR(CLI_RUN) | FOR(CLI_SUPERVISE), MEMBER(fail_exit),
            "end with 1 instead of staying in 'failed'" },
    { "--exit-code-from-instance", 0, NULL, FOR(CLI_RUN) | FOR(CLI_SUPERVISE),
            MEMBER(exit_code_from_instance), "end with the instance's own code" },
    { "--background", 0, NULL, FOR(CLI_RUN) | FOR(CLI_SUPERVISE), MEMBER(background), NULL },
    { "--only-dependencies", 0, NULL, FOR(CLI_START), MEMBER(only_dependencies), NULL },
    { "--config", 0, "FILE", FOR(CLI_RUN) | FOR(CLI_SUPERVISE), MEMBER(config_path), NULL },
    { "--state", 0, "DIR", FOR(CLI_RUN) | FOR(CLI_SUPERVISE), MEMBER(state_path), NULL },
    { "--follow", 'f', NULL, FOR(CLI_LOGS), MEMBER(follow), "go on as more comes" },
    { "--lines", 'n', "N", FOR(CLI_LOGS), MEMBER(lines), "only the last N lines" },
    { "--since", 0, "TIME", FOR(CLI_LOGS), MEMBER(since),
            "only from this time on (2026-01-31T12:00:00Z, or 10m for ten minutes ago)" },
    { "--force", 0, NULL, FOR(CLI_ADD), MEMBER(force), "overwrite a configuration" },
    { "--tokens", 0, NULL, FOR(CLI_ADD), MEMBER(tokens), "{port} and the like are tokens" },
    { "--description", 0, "TEXT", FOR(CLI_ADD), SET, "what the service is" },
    { "--directory", 0, "DIR", FOR(CLI_ADD), SET, "its working directory (default: this one)" },
    { "--listen", 0, "ADDRESS", FOR(CLI_ADD), SET, "where it listens; may be given again" },
    { "--socket", 0, "inherit|self", FOR(CLI_ADD), SET, "who binds the addresses" },
    { "--health", 0, "PATH", FOR(CLI_ADD), SET, "check this HTTP path" },
    { "--ready", 0, "health|notify|spawn", FOR(CLI_ADD), SET, "when it counts as ready" },
    { "--env", 'e', "NAME=VALUE", FOR(CLI_ADD), SET, "a variable; may be given again" },
    { "--env-file", 0, "FILE", FOR(CLI_ADD), SET, "a file of variables; may be given again" },
    { "--run-as", 0, "USER", FOR(CLI_ADD), SET, "its user (system scope)" },
    { "--run-as-group", 0, "GROUP", FOR(CLI_ADD), SET, "its group (system scope)" },
    { "--restart", 0, "always|on-failure|never", FOR(CLI_ADD), SET, "when it is restarted" },
    { "--start-timeout", 0, "TIME", FOR(CLI_ADD), SET, "how long a start may take" },
    { "--stop-signal", 0, "SIGNAL", FOR(CLI_ADD), SET, "how it is asked to stop" },
    { "--stop-timeout", 0, "TIME", FOR(CLI_ADD), SET, "how long a stop may take" },
    { "--depends-on", 0, "NAME", FOR(CLI_ADD), SET, "started first; may be given again" },
    { "--set", 0, "KEY=JSON", FOR(CLI_ADD), SET, "any other key, as restart.burst=0" },
};
#define OPTION_COUNT (sizeof options / sizeof options[0])

const char *cli_command_name(enum cli_command command)
{
    return commands[command].name;
}

/* ---- Reading argv ------------------------------------------------------------------------------ */

static int find_command(const char *word, enum cli_command *ret_command, struct err *err)
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

static const struct option_row *find_option(const char *word)
{
    size_t length = strcspn(word, "=");

    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (word[1] != '-' && word[1] == options[i].letter)
            return &options[i];
        if (word[1] == '-' && strlen(options[i].name) == length &&
                strncmp(options[i].name, word, length) == 0)
            return &options[i];
    }
    return NULL;
}

static int unknown_option(const char *word, struct err *err)
{
    const char *names[OPTION_COUNT];
    size_t count = 0;
    const char *near;

    for (size_t i = 0; i < OPTION_COUNT; i++)
        if (options[i].help != NULL)
            names[count++] = options[i].name;
    near = str_nearest(word, names, count);
    return err_set(err, ERR_USAGE, 0, "unknown option %s%s%s%s", word,
            near != NULL ? "; did you mean " : "", near != NULL ? near : "",
            near != NULL ? "?" : "");
}

static struct cli_set sets[CLI_SETS_MAX];

static int store_option(
        struct cli *cli, const struct option_row *row, const char *value, struct err *err)
{
    if (row->offset != SET && row->value == NULL) {
        *(bool *)((char *)cli + row->offset) = true;
        return 0;
    }
    if (row->offset != SET) {
        *(const char **)(void *)((char *)cli + row->offset) = value;
        return 0;
    }
    if (cli->set_count == CLI_SETS_MAX)
        return err_set(err, ERR_USAGE, 0, "more than %d options", CLI_SETS_MAX);
    sets[cli->set_count++] = (struct cli_set){ .option = row->name, .value = value };
    return 0;
}

/* Takes the option at argv[*at], and its value from there or from the next word. */
static int take_option(int argc, char **argv, int *at, struct cli *cli, unsigned *seen,
        struct err *err)
{
    const char *word = argv[*at];
    const struct option_row *row = find_option(word);
    const char *value = NULL;

    if (row == NULL)
        return unknown_option(word, err);
    *seen &= row->commands;
    if (word[1] == '-' && strchr(word, '=') != NULL)
        value = strchr(word, '=') + 1;
    else if (word[1] != '-' && word[2] != '\0')
        value = word + 2;
    if (row->value == NULL && value != NULL)
        return err_set(err, ERR_USAGE, 0, "%s takes no value", row->name);
    if (row->value != NULL && value == NULL) {
        if (*at + 1 >= argc)
            return err_set(err, ERR_USAGE, 0, "%s needs a value: %s", row->name, row->value);
        value = argv[++*at];
    }
    (*at)++;
    return store_option(cli, row, value, err);
}

static int check_words(const struct cli *cli, struct err *err)
{
    const struct command_row *row = &commands[cli->command];
    bool needs_name = cli->command == CLI_START || cli->command == CLI_STOP;
    size_t wanted = row->words == WORDS_TWO ? 2 : 1;

    if (cli->help)
        return 0;
    if (needs_name && cli->all == (cli->name_count > 0))
        return err_set(err, ERR_USAGE, 0, "%s needs a NAME or --all", row->name);
    if (row->words == WORDS_NONE && cli->name_count > 0)
        return err_set(err, ERR_USAGE, 0, "%s takes no \"%s\"", row->name, cli->names[0]);
    if ((row->words == WORDS_ONE || row->words == WORDS_TWO) && cli->name_count != wanted)
        return err_set(err, ERR_USAGE, 0, "%s needs %s: svcmgr %s %s", row->name,
                wanted == 1 ? "one NAME" : "a NAME and a SIGNAL", row->name, row->usage);
    if (row->words == WORDS_SOME && cli->name_count == 0)
        return err_set(err, ERR_USAGE, 0, "%s needs a NAME", row->name);
    if (cli->user_scope && cli->system_scope)
        return err_set(err, ERR_USAGE, 0, "--user and --system exclude each other");
    if (cli->rest != NULL && !row->takes_rest)
        return err_set(err, ERR_USAGE, 0, "%s takes no command after --", row->name);
    if (cli->command == CLI_ADD && cli->rest_count == 0)
        return err_set(err, ERR_USAGE, 0, "add needs a command: svcmgr add NAME -- COMMAND ARG...");
    if (cli->command == CLI_START && cli->rest != NULL &&
            (cli->rest_count == 0 || cli->name_count != 1))
        return err_set(err, ERR_USAGE, 0, "start NAME -- COMMAND takes one NAME and a command");
    return 0;
}

int cli_parse(int argc, char **argv, struct cli *ret_cli, struct err *err)
{
    /* Names move to the front of argv: they never overtake the word that is read. */
    struct cli cli = { .command = CLI_COMMAND_COUNT, .names = (const char **)(void *)argv,
        .sets = sets };
    unsigned takers = FOR_ALL;

    for (int at = 1; at < argc;) {
        const char *word = argv[at];

        if (strcmp(word, "--") == 0) {
            cli.rest = (const char *const *)(void *)&argv[at + 1];
            cli.rest_count = (size_t)(argc - at - 1);
            break;
        }
        if (word[0] == '-' && word[1] != '\0') {
            if (take_option(argc, argv, &at, &cli, &takers, err) == -1)
                return -1;
        } else if (cli.command == CLI_COMMAND_COUNT) {
            if (find_command(word, &cli.command, err) == -1)
                return -1;
            at++;
        } else {
            cli.names[cli.name_count++] = word;
            at++;
        }
    }
    if (cli.command == CLI_COMMAND_COUNT) {
        if (!cli.help)
            return err_set(err, ERR_USAGE, 0, "a command is missing; type svcmgr help");
        cli.command = CLI_HELP;
        cli.help = false;
    }
    if ((takers & FOR(cli.command)) == 0)
        return err_set(err, ERR_USAGE, 0, "%s does not take one of these options; type svcmgr help %s",
                commands[cli.command].name, commands[cli.command].name);
    if (check_words(&cli, err) == -1)
        return -1;
    *ret_cli = cli;
    return 0;
}

/* ---- Help ---------------------------------------------------------------------------------------- */

static void print_options(unsigned command_bits, bool shared)
{
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct option_row *row = &options[i];
        char left[64];

        if (row->help == NULL || (row->commands == FOR_ALL) != shared ||
                (row->commands & command_bits) == 0)
            continue;
        (void)str_format(left, sizeof left, "%s%s%s", row->name, row->value != NULL ? " " : "",
                row->value != NULL ? row->value : "");
        if (row->letter != 0)
            (void)printf("  -%c, %-30s %s\n", row->letter, left, row->help);
        else
            (void)printf("      %-30s %s\n", left, row->help);
    }
}

void cli_print_help(void)
{
    (void)printf("svcmgr keeps exactly one instance of a service running.\n\n"
                 "usage: svcmgr [--user | --system] [--config-dir DIR] [--state-dir DIR] [--json]\n"
                 "              [-q | -v] COMMAND ...\n\n");
    for (int i = 0; i < CLI_COMMAND_COUNT; i++)
        if (!commands[i].hidden)
            (void)printf("  %-9s %s\n", commands[i].name, commands[i].help);
    (void)printf("\noptions of every command:\n");
    print_options(FOR_ALL, true);
    (void)printf("\nsvcmgr help COMMAND says more; exit codes are in svcmgr(1).\n");
}

void cli_print_usage(enum cli_command command)
{
    const struct command_row *row = &commands[command];

    (void)printf("usage: svcmgr %s %s\n\n%s\n", row->name, row->usage, row->help);
    (void)printf("\noptions:\n");
    print_options(FOR(command), false);
    print_options(FOR(command), true);
}

static int run_help(const struct cli *cli)
{
    enum cli_command command;
    struct err err;

    if (cli->name_count == 0) {
        cli_print_help();
        return 0;
    }
    if (find_command(cli->names[0], &command, &err) == -1) {
        cli_complain(NULL, &err);
        return ERR_USAGE;
    }
    cli_print_usage(command);
    return 0;
}

static int run_version(const struct cli *cli)
{
    if (cli->json)
        (void)printf("{\"version\":\"%s\"}\n", SVCMGR_VERSION);
    else
        (void)printf("svcmgr %s\n", SVCMGR_VERSION);
    return 0;
}

/* ---- Messages ------------------------------------------------------------------------------------- */

void cli_complain(const char *name, const struct err *err)
{
    if (name != NULL)
        (void)fprintf(stderr, "svcmgr: %s: %s\n", name, err->text);
    else
        (void)fprintf(stderr, "svcmgr: %s\n", err->text);
}

void cli_say(const char *name, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    if (name != NULL)
        (void)printf("%s: ", name);
    (void)vprintf(format, arguments);
    (void)printf("\n");
    va_end(arguments);
}

void cli_warn(const char *name, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)fprintf(stderr, "svcmgr: %s: ", name);
    (void)vfprintf(stderr, format, arguments);
    (void)fprintf(stderr, "\n");
    va_end(arguments);
}

int cli_main(int argc, char **argv)
{
    static struct cli cli; /* large, and borrowed by what runs for ever */
    struct err err;

    if (cli_parse(argc, argv, &cli, &err) == -1) {
        cli_complain(NULL, &err);
        return ERR_USAGE;
    }
    if (cli.help) {
        cli_print_usage(cli.command);
        return 0;
    }
    return commands[cli.command].run(&cli);
}
