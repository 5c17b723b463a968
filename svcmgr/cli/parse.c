#include "parse.h"

#include <string.h>

#include "commands.h"
#include "str.h"

#include "banned.h"

#define NAMES_MAX 64 /* options among which the nearest one is looked for */

static bool is_option(const struct option_row *row, const char *word)
{
    size_t length = strcspn(word, "=");

    if (word[1] != '-')
        return word[1] == row->letter;
    return strlen(row->name) == length && strncmp(row->name, word, length) == 0;
}

/* The command's own one, where several commands have one of this name. */
static const struct option_row *find_option(enum cli_command command, const char *word)
{
    const struct option_row *found = NULL;

    for (size_t i = 0; i < option_count; i++) {
        if (!is_option(&options[i], word))
            continue;
        if (found == NULL ||
                (command != CLI_COMMAND_COUNT && (options[i].commands & FOR(command)) != 0))
            found = &options[i];
    }
    return found;
}

static int unknown_option(const char *word, struct err *err)
{
    const char *names[NAMES_MAX];
    size_t count = 0;
    const char *near;

    for (size_t i = 0; i < option_count && count < NAMES_MAX; i++)
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
    if (row->offset != OPTION_IS_SET && row->value == NULL) {
        *(bool *)((char *)cli + row->offset) = true;
        return 0;
    }
    if (row->offset != OPTION_IS_SET) {
        *(const char **)(void *)((char *)cli + row->offset) = value;
        return 0;
    }
    if (cli->set_count == CLI_SETS_MAX)
        return err_set(err, ERR_USAGE, 0, "more than %d options", CLI_SETS_MAX);
    sets[cli->set_count++] = (struct cli_set) { .option = row->name, .value = value };
    return 0;
}

/* Takes the option at argv[*at], and its value from there or from the next word. */
static int take_option(
        int argc, char **argv, int *at, struct cli *cli, unsigned *seen, struct err *err)
{
    const char *word = argv[*at];
    const struct option_row *row = find_option(cli->command, word);
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
    bool needs_name =
            cli->command == CLI_START || cli->command == CLI_STOP || cli->command == CLI_UPGRADE;
    size_t wanted = row->words == WORDS_TWO ? 2 : 1;

    if (cli->help)
        return 0;
    if (needs_name && cli->all == (cli->name_count > 0))
        return err_set(err, ERR_USAGE, 0, "%s needs a NAME or --all", row->name);
    if (cli->command == CLI_INSTALL && (cli->for_all ? !cli->print : cli->name_count == 0))
        return err_set(err, ERR_USAGE, 0, "install needs a NAME, or --template with --print");
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

int parse_words(int argc, char **argv, struct cli *ret_cli, struct err *err)
{
    /* Names move to the front of argv: they never overtake the word that is read. */
    struct cli cli = {
        .command = CLI_COMMAND_COUNT, .names = (const char **)(void *)argv, .sets = sets
    };
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
            if (commands_find(word, &cli.command, err) == -1)
                return -1;
            at++;
        } else {
            cli.names[cli.name_count++] = word;
            at++;
        }
    }
    if (cli.command == CLI_COMMAND_COUNT) {
        if (!cli.help && !cli.version)
            return err_set(err, ERR_USAGE, 0, "a command is missing; type svcmgr help");
        cli.command = cli.help ? CLI_HELP : CLI_VERSION;
        cli.help = false;
    }
    if ((takers & FOR(cli.command)) == 0)
        return err_set(err, ERR_USAGE, 0,
                "%s does not take one of these options; type svcmgr help %s",
                commands[cli.command].name, commands[cli.command].name);
    if (check_words(&cli, err) == -1)
        return -1;
    *ret_cli = cli;
    return 0;
}
