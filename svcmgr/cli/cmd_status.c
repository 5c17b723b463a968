/* status, list: what services are doing. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "peer.h"
#include "pidfile.h"
#include "print.h"
#include "wait.h"

#include "banned.h"

#define AGAIN_PAUSE_MS 5

/* One service's document: the supervisor's own, or one made from what is on disk.  Exit code 8 when
 * the lock is held and nobody answers. */
static int ask_status(const struct target *target, struct json_document *ret_status,
        struct buffer *ret_text, struct err *err)
{
    int64_t deadline_ms = platform_now_ms() + PEER_HELLO_LIMIT_MS;
    struct json_faults faults = { 0 };

    for (;;) {
        struct protocol_answer answer;
        struct peer peer;
        int called = -1;

        if (peer_connect(target->state_path, &peer, err) == 0) {
            called = peer_call(&peer, "status", NULL, PEER_HELLO_LIMIT_MS, &answer, err);
            peer_close(&peer);
        }
        if (called == 0) {
            char *text = cJSON_PrintUnformatted(answer.result);

            buffer_puts(ret_text, text != NULL ? text : "null");
            cJSON_free(text);
            protocol_answer_free(&answer);
            break;
        }
        if (err->kind == ERR_DENIED || err->kind == ERR_NO_ANSWER)
            return -1;
        if (!pidfile_is_taken(target->state_path)) {
            print_stopped_status(target, ret_text);
            break;
        }
        if (platform_now_ms() >= deadline_ms)
            return err_set(err, ERR_NO_ANSWER, 0,
                    "its supervisor holds the lock and did not answer in %d s; look at it with "
                    "svcmgr doctor %s",
                    PEER_HELLO_LIMIT_MS / 1000, target->name);
        wait_pause(AGAIN_PAUSE_MS);
    }
    if (ret_text->failed ||
            json_parse(ret_text->data, ret_text->length, JSON_STRICT, ret_status, &faults) == -1) {
        json_faults_free(&faults);
        return err_set(err, ERR_FAILED, 0, "the status cannot be read");
    }
    return 0;
}

/* Prints all of them; returns the highest exit code. */
static int print_all(const struct cli *cli, struct target *targets, size_t count, bool table,
        bool as_list)
{
    int code = 0;

    if (as_list)
        (void)printf("[");
    else if (table && !cli->json)
        print_table_head();
    for (size_t i = 0; i < count; i++) {
        struct json_document status = { .root = NULL };
        struct buffer text = { 0 };
        struct err err;
        int one = targets[i].code;

        if (one == 0 && ask_status(&targets[i], &status, &text, &err) == -1) {
            cli_complain(targets[i].name, &err);
            one = (int)err.kind;
        } else if (one == 0) {
            one = table ? 0 : print_exit_code(status.root);
            if (as_list)
                (void)printf("%s%s", i > 0 ? "," : "", buffer_text(&text));
            else if (cli->json)
                (void)printf("%s\n", buffer_text(&text));
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
    if (as_list)
        (void)printf("]\n");
    return code;
}

static int all_services(const struct cli *cli, bool table)
{
    struct target *targets;
    size_t count;
    struct err err;
    int code;

    if (scope_list(cli, &targets, &count, &err) == -1) {
        cli_complain(NULL, &err);
        return (int)err.kind;
    }
    if (count == 0 && !cli->json && !cli->quiet)
        (void)printf("no services; svcmgr add NAME -- COMMAND makes one\n");
    code = count == 0 && !cli->json ? 0 : print_all(cli, targets, count, table, cli->json);
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
        cli_complain(NULL, &err);
        return (int)err.kind;
    }
    code = print_all(cli, targets, count, false, cli->json && count > 1);
    free(targets);
    return code;
}

int cli_list(const struct cli *cli)
{
    return all_services(cli, true);
}
