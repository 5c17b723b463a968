/* reload, signal: questions that are answered at once. */
#include <stdio.h>
#include <string.h>

#include "print.h"
#include "report.h"
#include "signal_name.h"
#include "wait.h"

#include "banned.h"

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

    if (wait_call(cli, target, "reload", "{}", &answer, &err) == -1)
        return report_failure(target->name, "not reloaded", &err);
    if (cli->json) {
        cJSON *document = cJSON_Duplicate(answer.result, true);

        (void)cJSON_AddStringToObject(document, "name", target->name);
        print_json(document);
        cJSON_Delete(document);
    } else if (!cli->quiet) {
        const cJSON *rest = json_member(answer.result, "needs_restart");

        cli_say(target->name,
                cJSON_GetArraySize(rest) > 0 ? "reloaded; a part of it needs svcmgr restart %s"
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
        (void)report_failure(cli->names[0], NULL, &err);
        return ERR_USAGE;
    }
    json_write_object(&writer, NULL);
    json_write_string(&writer, "signal", name);
    json_write_object_end(&writer);
    if (scope_find(cli, cli->names[0], &target, &err) == 0 &&
            wait_call(cli, &target, "signal", buffer_text(&params), &answer, &err) == 0) {
        struct buffer text = { 0 };

        buffer_printf(&text, "{\"name\":\"%s\",\"signal\":\"%s\"}", target.name, name);
        report_document(buffer_text(&text));
        buffer_free(&text);
        if (!cli->json && !cli->quiet)
            cli_say(target.name, "sent SIG%s", name);
        protocol_answer_free(&answer);
    } else {
        (void)report_failure(cli->names[0], NULL, &err);
        code = (int)err.kind;
    }
    buffer_free(&params);
    return code;
}
