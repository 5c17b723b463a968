#include "help.h"

#include <stdio.h>

#include "commands.h"
#include "json_write.h"
#include "report.h"
#include "str.h"

#include "banned.h"

static void print_options(unsigned command_bits, bool shared)
{
    for (size_t i = 0; i < option_count; i++) {
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

static void print_help(void)
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

static void print_usage(enum cli_command command)
{
    const struct command_row *row = &commands[command];

    (void)printf("usage: svcmgr %s %s\n\n%s\n", row->name, row->usage, row->help);
    (void)printf("\noptions:\n");
    print_options(FOR(command), false);
    print_options(FOR(command), true);
}

/* The same for programs. */
static void write_command(struct json_writer *writer, const struct command_row *row)
{
    json_write_string(writer, "name", row->name);
    json_write_string(writer, "usage", row->usage);
    json_write_string(writer, "help", row->help);
}

static void report_help(void)
{
    struct buffer text = { 0 };
    struct json_writer writer = { .out = &text };

    json_write_object(&writer, NULL);
    json_write_list(&writer, "commands");
    for (int i = 0; i < CLI_COMMAND_COUNT; i++) {
        if (commands[i].hidden)
            continue;
        json_write_object(&writer, NULL);
        write_command(&writer, &commands[i]);
        json_write_object_end(&writer);
    }
    json_write_list_end(&writer);
    json_write_object_end(&writer);
    report_document(buffer_text(&text));
    buffer_free(&text);
}

static void report_usage(enum cli_command command)
{
    struct buffer text = { 0 };
    struct json_writer writer = { .out = &text };

    json_write_object(&writer, NULL);
    write_command(&writer, &commands[command]);
    json_write_list(&writer, "options");
    for (size_t i = 0; i < option_count; i++) {
        if (options[i].help == NULL || (options[i].commands & FOR(command)) == 0)
            continue;
        json_write_object(&writer, NULL);
        json_write_string(&writer, "name", options[i].name);
        json_write_string(&writer, "value", options[i].value);
        json_write_string(&writer, "help", options[i].help);
        json_write_object_end(&writer);
    }
    json_write_list_end(&writer);
    json_write_object_end(&writer);
    report_document(buffer_text(&text));
    buffer_free(&text);
}

void help_usage(const struct cli *cli, enum cli_command command)
{
    if (cli->json)
        report_usage(command);
    else
        print_usage(command);
}

int cli_help(const struct cli *cli)
{
    enum cli_command command;
    struct err err;

    if (cli->name_count == 0) {
        if (cli->json)
            report_help();
        else
            print_help();
        return 0;
    }
    if (commands_find(cli->names[0], &command, &err) == -1) {
        (void)report_failure(NULL, NULL, &err);
        return ERR_USAGE;
    }
    help_usage(cli, command);
    return 0;
}
