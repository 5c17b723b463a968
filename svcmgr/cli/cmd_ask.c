/* reload, signal: questions that are answered at once. */
#include <stdio.h>
#include <string.h>

#include "peer.h"
#include "print.h"
#include "signal_name.h"
#include "wait.h"

#include "banned.h"

static int call(const struct target *target, const char *method, const char *params,
        struct protocol_answer *ret_answer, struct err *err)
{
    struct peer peer;
    int result;

    if (peer_connect(target->state_path, &peer, err) == -1) {
        if (err->kind == ERR_NOT_RUNNING)
            err_set(err, ERR_NOT_RUNNING, 0, "it is not running; type svcmgr start %s",
                    target->name);
        return -1;
    }
    result = peer_call(&peer, method, params, PEER_HELLO_LIMIT_MS, ret_answer, err);
    peer_close(&peer);
    return result;
}

static void print_keys(const char *what, const cJSON *keys)
{
    const cJSON *key;
    const char *separator = "";

    if (cJSON_GetArraySize(keys) == 0)
        return;
    (void)printf("  %s: ", what);
    cJSON_ArrayForEach(key, keys)
    {
        (void)printf("%s%s", separator, key->valuestring);
        separator = ", ";
    }
    (void)printf("\n");
}

static int reload_one(const struct cli *cli, struct target *target)
{
    struct protocol_answer answer;
    struct err err;

    if (call(target, "reload", NULL, &answer, &err) == -1) {
        cli_warn(target->name, "not reloaded: %s", err.text);
        return (int)err.kind;
    }
    if (cli->json) {
        print_json(answer.result);
    } else if (!cli->quiet) {
        const cJSON *rest = json_member(answer.result, "needs_restart");

        cli_say(target->name, cJSON_GetArraySize(rest) > 0
                                      ? "reloaded; a part of it needs svcmgr restart %s"
                                      : "reloaded",
                target->name);
        print_keys("applied", json_member(answer.result, "applied"));
        print_keys("needs a restart", rest);
    }
    protocol_answer_free(&answer);
    return 0;
}

int cli_reload(const struct cli *cli)
{
    return scope_each(cli, reload_one);
}

int cli_signal(const struct cli *cli)
{
    const char *name = signal_name_find(cli->names[1]);
    struct buffer params = { 0 };
    struct json_writer writer = { .out = &params };
    struct protocol_answer answer;
    struct target target;
    struct err err;
    int code = 0;

    if (name == NULL) {
        err_set(&err, ERR_USAGE, 0, "\"%s\" is not a signal; write a name, as in HUP",
                cli->names[1]);
        cli_complain(cli->names[0], &err);
        return ERR_USAGE;
    }
    json_write_object(&writer, NULL);
    json_write_string(&writer, "signal", name);
    json_write_object_end(&writer);
    if (scope_find(cli, cli->names[0], &target, &err) == 0 &&
            call(&target, "signal", buffer_text(&params), &answer, &err) == 0) {
        if (!cli->quiet && !cli->json)
            cli_say(target.name, "sent SIG%s", name);
        protocol_answer_free(&answer);
    } else {
        cli_complain(cli->names[0], &err);
        code = (int)err.kind;
    }
    buffer_free(&params);
    return code;
}
