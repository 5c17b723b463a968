/* stop: ends the process tree; a server that is there but not ours is named and left alone. */
#include <stdio.h>

#include "holder.h"
#include "launch.h"
#include "pidfile.h"
#include "print.h"
#include "record.h"
#include "service.h"
#include "str.h"
#include "wait.h"

#include "banned.h"

static bool has_leftovers(const struct target *target)
{
    char path[PLATFORM_PATH_BYTES];
    struct buffer text = { 0 };
    struct record record;
    int64_t pids[1];
    struct err err;
    bool found = false;

    (void)str_format(path, sizeof path, "%s/record", target->state_path);
    if (platform_read_file(path, RECORD_MAX_BYTES, &text, &err) == 0 &&
            record_parse(buffer_text(&text), text.length, &record, &err) == 0)
        for (int slot = 0; slot < MACHINE_SLOT_COUNT && !found; slot++)
            found = record.machine.generations[slot].phase != MACHINE_PHASE_NONE &&
                    (platform_is_same(&record.generations[slot].process) ||
                            platform_find_instance(record.generations[slot].instance, pids, 1) > 0);
    buffer_free(&text);
    return found;
}

/* Says who answers on the address of a service that is stopped. */
static void warn_of_stranger(const struct target *target)
{
    struct service *service;
    struct err err;

    if (!target->has_config ||
            service_load(target->name, target->config_path, &service, NULL, &err) == -1)
        return;
    for (size_t i = 0; i < service->listeners.count; i++) {
        const struct listener *listener = &service->listeners.list[i];
        char address[ADDRESS_TEXT_BYTES];
        char who[HOLDER_TEXT_BYTES];
        struct holder holder;

        if (listener->bound.family != ADDRESS_UNIX && listener->bound.port == 0)
            continue;
        holder_find(&listener->bound, &holder);
        if (!holder.found)
            continue;
        address_format(&listener->bound, address, sizeof address);
        holder_sentence(&holder, who, sizeof who);
        cli_warn(target->name,
                "a server that svcmgr did not start is on %s and is left alone: %s", address, who);
        break;
    }
    service_free(service);
}

/* A supervisor that takes up what keeper and supervisor left, only to stop it. */
static int stop_leftovers(
        const struct cli *cli, const struct target *target, const struct wait_request *request)
{
    struct protocol_answer answer;
    struct wait_log log;
    struct peer peer;
    struct err err;
    enum wait_result result;

    if (launch_supervisor(target, &peer, &err) == -1) {
        cli_complain(target->name, &err);
        return (int)err.kind;
    }
    result = wait_on(&peer, request, &answer, &log, &err);
    if (result == WAIT_ANSWERED) {
        protocol_answer_free(&answer);
        wait_until_gone(&peer, target);
    }
    peer_close(&peer);
    if (result == WAIT_FAILED) {
        cli_warn(target->name, "not stopped: %s", err.text);
        return (int)err.kind;
    }
    if (!cli->quiet && !cli->json)
        cli_say(target->name, "stopped what the last run had left");
    return 0;
}

static void print_stopped(const struct cli *cli, const struct target *target, const char *text)
{
    struct buffer status = { 0 };

    if (cli->json) {
        print_stopped_status(target, &status);
        (void)printf("%s\n", buffer_text(&status));
        buffer_free(&status);
    } else if (!cli->quiet) {
        cli_say(target->name, "%s", text);
    }
}

static int stop_one(const struct cli *cli, struct target *target)
{
    struct wait_request request = { .cli = cli, .target = target, .method = "stop",
        .expect_pid = cli->expect_pid, .now = cli->now };
    struct protocol_answer answer;
    struct wait_log log;
    struct err err;

    switch (wait_for(&request, &answer, &log, &err)) {
    case WAIT_ANSWERED:
        if (cJSON_IsTrue(json_member(answer.result, "accepted")))
            cli_say(target->name, "stop accepted; this command is part of what is stopped");
        else
            print_stopped(cli, target, "stopped");
        protocol_answer_free(&answer);
        return 0;
    case WAIT_FAILED:
        cli_warn(target->name, "not stopped: %s", err.text);
        return (int)err.kind;
    case WAIT_NOT_RUNNING:
    case WAIT_LOCK_IS_HELD:
        break;
    }
    if (cli->expect_pid != NULL) {
        cli_warn(target->name, "pid %s was expected and the service is stopped; nothing was done",
                cli->expect_pid);
        return ERR_OTHER_PID;
    }
    if (has_leftovers(target))
        return stop_leftovers(cli, target, &request);
    print_stopped(cli, target, "is stopped");
    warn_of_stranger(target);
    return 0;
}

int cli_stop(const struct cli *cli)
{
    uint64_t pid;
    struct err err;

    if (cli->expect_pid != NULL && !str_to_uint(cli->expect_pid, INT32_MAX, &pid)) {
        err_set(&err, ERR_USAGE, 0, "--expect-pid needs a pid, not \"%s\"", cli->expect_pid);
        cli_complain(NULL, &err);
        return ERR_USAGE;
    }
    return scope_each(cli, stop_one);
}
