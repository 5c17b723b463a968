/* status, list: what services are doing. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "installed.h"
#include "print.h"
#include "report.h"
#include "wait.h"

#include "banned.h"

/* One service's document: the supervisor's own, or one made from what is on disk.  Exit code 8 when
 * the lock is held and nobody answers. */
static int ask_status(const struct cli *cli, const struct target *target,
        struct json_document *ret_status, struct buffer *ret_text, struct err *err)
{
    struct json_faults faults = { 0 };
    struct protocol_answer answer;

    if (wait_call(cli, target, "status", "{}", &answer, err) == 0) {
        cJSON *status = installed_add(target, answer.result);
        char *text = cJSON_PrintUnformatted(status);

        buffer_puts(ret_text, text != NULL ? text : "null");
        cJSON_free(text);
        cJSON_Delete(status);
        protocol_answer_free(&answer);
    } else if (err->kind == ERR_NOT_RUNNING) {
        print_stopped_status(target, ret_text);
    } else {
        return -1;
    }
    if (ret_text->failed ||
            json_parse(ret_text->data, ret_text->length, JSON_STRICT, ret_status, &faults) == -1) {
        json_faults_free(&faults);
        return err_set(err, ERR_FAILED, 0, "the status cannot be read");
    }
    return 0;
}

/* Prints all of them; returns the highest exit code. */
static int print_all(const struct cli *cli, struct target *targets, size_t count, bool table)
{
    int code = 0;

    if (table && !cli->json)
        print_table_head();
    for (size_t i = 0; i < count; i++) {
        struct json_document status = { .root = NULL };
        struct buffer text = { 0 };
        struct err err;
        int one = targets[i].code;

        if (one == 0 && ask_status(cli, &targets[i], &status, &text, &err) == -1) {
            (void)report_failure(targets[i].name, NULL, &err);
            one = (int)err.kind;
        } else if (one == 0) {
            one = table ? 0 : print_exit_code(status.root);
            if (cli->json)
                report_document(buffer_text(&text));
            else if (table)
                print_table_row(status.root);
            else if (!cli->quiet)
                print_status(status.root, cli->verbose);
        }
        if (one > code)
            code = one;
        json_document_free(&status);
        buffer_free(&text);
    }
    return code;
}

static int all_services(const struct cli *cli, bool table)
{
    struct target *targets;
    size_t count;
    struct err err;
    int code;

    if (scope_list(cli, &targets, &count, &err) == -1) {
        (void)report_failure(NULL, NULL, &err);
        return (int)err.kind;
    }
    if (count == 0 && !cli->json && !cli->quiet)
        (void)printf("no services; svcmgr add NAME -- COMMAND makes one\n");
    code = count == 0 && !cli->json ? 0 : print_all(cli, targets, count, table);
    free(targets);
    return code;
}

int cli_status(const struct cli *cli)
{
    struct target *targets;
    size_t count;
    struct err err;
    int code;

    if (cli->name_count == 0)
        return all_services(cli, false);
    if (scope_targets(cli, &targets, &count, &err) == -1) {
        (void)report_failure(NULL, NULL, &err);
        return (int)err.kind;
    }
    code = print_all(cli, targets, count, false);
    free(targets);
    return code;
}

int cli_list(const struct cli *cli)
{
    return all_services(cli, true);
}
