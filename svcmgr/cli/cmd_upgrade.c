/* upgrade: gives a running service's supervisor the program that is on disk now.  self-check: what
 * that program is asked to show first. */
#include <stdio.h>

#include "keeper.h"
#include "launch.h"
#include "pidfile.h"
#include "print.h"
#include "report.h"
#include "str.h"
#include "upgrade.h"
#include "version.h"
#include "wait.h"

#include "banned.h"

/* A self-check, a trial and its end: longer than the limits of all three. */
#define PATIENCE_MS (PEER_HELLO_LIMIT_MS + 2 * KEEPER_TRIAL_MS)

/* Who is there before: its pid, so that asking again finds out what has become of the question. */
static int ask_former(const struct cli *cli, struct target *target, double *ret_pid,
        char *ret_version, size_t size)
{
    struct protocol_answer hello;
    struct err err;
    const cJSON *version;

    if (wait_call(cli, target, "hello", "{}", &hello, &err) == -1)
        return report_failure(target->name, "not upgraded", &err);
    (void)json_whole_number(json_member(hello.result, "supervisor_pid"), 1, 1e10, ret_pid);
    version = json_member(hello.result, "version");
    (void)str_copy(ret_version, size, cJSON_IsString(version) ? version->valuestring : "");
    protocol_answer_free(&hello);
    return 0;
}

static int write_params(
        const struct cli *cli, double former, struct buffer *params, struct err *err)
{
    struct json_writer writer = { .out = params };
    char path[PLATFORM_PATH_BYTES];

    if (cli->executable != NULL && scope_absolute(cli->executable, path, sizeof path, err) == -1)
        return -1;
    json_write_object(&writer, NULL);
    json_write_int(&writer, "former_supervisor", (int64_t)former);
    if (cli->executable != NULL)
        json_write_string(&writer, "executable", path);
    json_write_object_end(&writer);
    return params->failed ? err_memory(err) : 0;
}

static void print_upgraded(const struct cli *cli, const struct target *target,
        const char *former_version, const cJSON *result)
{
    const cJSON *version = json_member(result, "version");
    const cJSON *pid = json_member(result, "pid");
    const cJSON *commands = json_member(result, "ended_commands");
    char instance[48] = "";
    char ended[64] = "";

    if (cli->json) {
        cJSON *document = cJSON_Duplicate(result, true);

        (void)cJSON_AddStringToObject(document, "name", target->name);
        (void)cJSON_AddStringToObject(document, "former_version", former_version);
        print_json(document);
        cJSON_Delete(document);
        return;
    }
    if (cJSON_IsNumber(pid))
        (void)str_format(instance, sizeof instance, "; pid %.0f went on", pid->valuedouble);
    if (cJSON_IsNumber(commands) && commands->valuedouble > 0)
        (void)str_format(ended, sizeof ended, "; %.0f command%s of svcmgr exec ended",
                commands->valuedouble, commands->valuedouble == 1 ? "" : "s");
    if (!cli->quiet)
        cli_say(target->name, "upgraded from %s to %s%s%s", former_version,
                cJSON_IsString(version) ? version->valuestring : "unknown", instance, ended);
}

static int upgrade_one(const struct cli *cli, struct target *target)
{
    struct wait_request request = {
        .cli = cli, .target = target, .method = "upgrade", .patience_ms = PATIENCE_MS
    };
    struct buffer params = { 0 };
    struct protocol_answer answer;
    struct wait_log log;
    char former_version[64];
    double former = 0;
    struct err err;
    int code = ask_former(cli, target, &former, former_version, sizeof former_version);

    if (code != 0)
        return code;
    if (write_params(cli, former, &params, &err) == -1) {
        buffer_free(&params);
        return report_failure(target->name, "not upgraded", &err);
    }
    request.params = buffer_text(&params);
    switch (wait_for(&request, &answer, &log, &err)) {
    case WAIT_ANSWERED:
        print_upgraded(cli, target, former_version, answer.result);
        protocol_answer_free(&answer);
        break;
    case WAIT_NOT_RUNNING:
        (void)wait_not_running(target, &err);
        code = report_failure(target->name, "not upgraded", &err);
        break;
    case WAIT_FAILED:
    case WAIT_LOCK_IS_HELD:
        code = report_failure(target->name, "not upgraded", &err);
        break;
    }
    buffer_free(&params);
    return code;
}

/* With --all: those that run. */
static int upgrade_if_running(const struct cli *cli, struct target *target)
{
    if (cli->all && target->code == 0 && !pidfile_is_taken(target->state_path))
        return 0;
    return upgrade_one(cli, target);
}

int cli_upgrade(const struct cli *cli)
{
    return scope_each(cli, upgrade_if_running);
}

int cli_self_check(const struct cli *cli)
{
    uint64_t protocol = 0;
    struct err err;

    if (cli->config_path == NULL || cli->state_path == NULL || cli->keeper_protocol == NULL ||
            !str_to_uint(cli->keeper_protocol, INT32_MAX, &protocol)) {
        err_set(&err, ERR_USAGE, 0, "self-check is started by upgrade only");
        (void)report_failure(cli->names[0], NULL, &err);
        return ERR_USAGE;
    }
    if (launch_check_control(cli, &err) == -1 ||
            upgrade_self_check(cli->names[0], cli->config_path, cli->state_path, (int)protocol,
                    launch_is_over_tcp(cli), &err) == -1)
        return report_failure(cli->names[0], NULL, &err);
    (void)printf("svcmgr %s\n", SVCMGR_VERSION);
    return 0;
}
