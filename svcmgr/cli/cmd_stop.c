/* stop: ends the process tree; a server that is there but not ours is named and left alone. */
#include "stop.h"

#include <stdio.h>

#include "holder.h"
#include "installed.h"
#include "launch.h"
#include "pidfile.h"
#include "print.h"
#include "record_file.h"
#include "report.h"
#include "service.h"
#include "str.h"
#include "wait.h"

#include "banned.h"

static bool has_leftovers(const struct target *target)
{
    struct record record;
    int64_t pids[1];
    struct err err;
    bool found = false;

    if (record_file_read(target->state_path, &record, NULL, &err) == -1)
        return false;
    for (int slot = 0; slot < MACHINE_SLOT_COUNT && !found; slot++)
        found = record.machine.generations[slot].phase != MACHINE_PHASE_NONE &&
                (!platform_is_gone(&record.generations[slot].process) ||
                        platform_find_instance(record.generations[slot].instance, pids, 1) > 0);
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
        struct address addresses[LISTENER_ADDRESSES_MAX];
        char address[ADDRESS_TEXT_BYTES];
        char who[HOLDER_TEXT_BYTES];
        struct holder holder;

        if (listener->bound.family != ADDRESS_UNIX && listener->bound.port == 0)
            continue;
        holder_find_first(addresses, listener_addresses(listener, addresses), &holder);
        if (!holder.found)
            continue;
        address_format(&holder.address, address, sizeof address);
        holder_sentence(&holder, who, sizeof who);
        cli_warn(target->name, "a server that is not this service's is on %s and is left alone: %s",
                address, who);
        break;
    }
    service_free(service);
}

static void print_stopped(const struct cli *cli, const struct target *target, const char *text)
{
    struct buffer status = { 0 };

    if (cli->json) {
        print_stopped_status(target, &status);
        report_document(buffer_text(&status));
        buffer_free(&status);
    } else if (!cli->quiet) {
        cli_say(target->name, "%s", text);
    }
}

/* Nothing is left: as far as that can be known. */
static const char *how_found(const cJSON *result)
{
    return cJSON_IsTrue(json_member(result, "searched"))
            ? "; its processes were found by ancestry, session, group and instance id"
            : "";
}

static void print_ended(const struct cli *cli, const struct target *target, const cJSON *result)
{
    const cJSON *standby = json_member(result, "standby");
    bool killed = cJSON_IsTrue(json_member(result, "killed")) && !cli->now;
    char takes_over[64] = "";
    char text[240];

    if (cJSON_IsNumber(standby))
        (void)str_format(takes_over, sizeof takes_over, "; the standby with pid %.0f takes over",
                standby->valuedouble);
    (void)str_format(text, sizeof text, "stopped%s%s%s",
            killed ? "; it did not end when it was asked to, and was killed" : "",
            how_found(result), takes_over);
    print_stopped(cli, target, text);
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
    char text[160] = "";

    if (launch_supervisor(cli, target, &peer, &err) == -1) {
        (void)report_failure(target->name, NULL, &err);
        return (int)err.kind;
    }
    result = wait_on(&peer, request, &answer, &log, &err);
    if (result == WAIT_ANSWERED) {
        wait_until_gone(&peer, target, &answer);
        (void)str_format(text, sizeof text, "stopped what the last run had left%s",
                how_found(answer.result));
        protocol_answer_free(&answer);
    }
    peer_close(&peer);
    if (result == WAIT_FAILED)
        return report_failure(target->name, "not stopped", &err);
    print_stopped(cli, target, text);
    return 0;
}

int stop_target(const struct cli *cli, struct target *target)
{
    struct wait_request request = { .cli = cli,
        .target = target,
        .method = "stop",
        .expect_pid = cli->expect_pid,
        .now = cli->now,
        .keep_standby = cli->keep_standby,
        .waits_for_room = true };
    struct protocol_answer answer;
    struct wait_log log;
    struct err err;
    bool stopped;
    int code = installed_stop(cli, target, &stopped);

    if (code != 0)
        return code;
    switch (wait_for(&request, &answer, &log, &err)) {
    case WAIT_ANSWERED:
        if (cJSON_IsTrue(json_member(answer.result, "accepted")))
            print_accepted(cli, target, "stop accepted; this command is part of what is stopped");
        else
            print_ended(cli, target, answer.result);
        protocol_answer_free(&answer);
        return 0;
    case WAIT_FAILED:
        return report_failure(target->name, "not stopped", &err);
    case WAIT_NOT_RUNNING:
    case WAIT_LOCK_IS_HELD:
        break;
    }
    if (cli->expect_pid != NULL) {
        err_set(&err, ERR_OTHER_PID, 0,
                "pid %s was expected and the service is stopped; nothing was done",
                cli->expect_pid);
        return report_failure(target->name, "not stopped", &err);
    }
    if (has_leftovers(target))
        return stop_leftovers(cli, target, &request);
    print_stopped(cli, target, stopped ? "stopped" : "is stopped");
    warn_of_stranger(target);
    return 0;
}

int cli_stop(const struct cli *cli)
{
    uint64_t pid;
    struct err err;

    if (cli->expect_pid != NULL && (!str_to_uint(cli->expect_pid, INT32_MAX, &pid) || pid == 0)) {
        err_set(&err, ERR_USAGE, 0, "--expect-pid needs a pid, not \"%s\"", cli->expect_pid);
        (void)report_failure(NULL, NULL, &err);
        return ERR_USAGE;
    }
    return scope_each(cli, stop_target);
}
