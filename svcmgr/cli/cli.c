#include "cli.h"

#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "help.h"
#include "parse.h"
#include "report.h"
#include "version.h"

#include "banned.h"

int cli_version(const struct cli *cli)
{
    if (cli->json)
        report_document("{\"version\":\"" SVCMGR_VERSION "\"}");
    else
        (void)printf("svcmgr %s\n", SVCMGR_VERSION);
    return 0;
}

/* The words are not understood yet, and whoever gave them wants an answer that a program can read.
 */
static bool asks_for_json(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--json") == 0)
            return true;
    return false;
}

/* Whether the document is a list: one value for each service, or for each line of a log. */
static bool is_list(const struct cli *cli, int code)
{
    enum words words = commands[cli->command].words;

    if (cli->help || cli->command == CLI_HELP)
        return false;
    return cli->all || cli->command == CLI_LIST ||
            ((cli->command == CLI_LOGS || cli->command == CLI_EVENTS) && code == 0) ||
            ((words == WORDS_SOME || words == WORDS_MAY) && cli->name_count > 1) ||
            ((cli->command == CLI_STATUS || cli->command == CLI_DOCTOR) && cli->name_count == 0);
}

/* What could not be written was not said: a full disk is no success. */
static int flush_output(int code)
{
    struct err err;

    if (fflush(stdout) == 0 && ferror(stdout) == 0)
        return code;
    err_set(&err, ERR_FAILED, 0, "cannot write to standard output: %s",
            platform_library_error_text());
    (void)report_failure(NULL, NULL, &err);
    return code != 0 ? code : ERR_FAILED;
}

static int run_command(const struct cli *cli)
{
    if (!cli->help)
        return commands[cli->command].run(cli);
    help_usage(cli, cli->command);
    return 0;
}

int cli_main(int argc, char **argv)
{
    static struct cli cli; /* large, and borrowed by what runs for ever */
    struct err err;
    bool as_list = false;
    int code;

    platform_begin();
    if (asks_for_json(argc, argv))
        report_begin_json();
    if (parse_words(argc, argv, &cli, &err) == -1) {
        /* A job whose words are wrong, as after a downgrade, never becomes one that runs. */
        code = cli_end_code(NULL, report_failure(NULL, NULL, &err));
    } else {
        code = run_command(&cli);
        as_list = is_list(&cli, code);
    }
    report_end_json(as_list, code);
    return flush_output(code);
}
