/* doctor: what stands in the way of a service, and what to type. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "holder.h"
#include "launcher.h"
#include "peer.h"
#include "pidfile.h"
#include "print.h"
#include "record.h"
#include "service.h"
#include "str.h"

#include "banned.h"

/* One line of the picture.  'bad' lines come with a remedy. */
struct finding {
    bool bad;
    const char *what;
    char text[700];
    char remedy[200];
};

struct report {
    const struct cli *cli;
    const struct target *target;
    struct json_writer *writer; /* NULL: for people */
    size_t bad;
};

static void tell(struct report *report, const struct finding *finding)
{
    report->bad += finding->bad;
    if (report->writer != NULL) {
        json_write_object(report->writer, NULL);
        json_write_string(report->writer, "what", finding->what);
        json_write_bool(report->writer, "ok", !finding->bad);
        json_write_string(report->writer, "text", finding->text);
        json_write_string(
                report->writer, "type", finding->remedy[0] != '\0' ? finding->remedy : NULL);
        json_write_object_end(report->writer);
        return;
    }
    (void)printf("  [%s] %-10s %s\n", finding->bad ? "!!" : "ok", finding->what, finding->text);
    if (finding->remedy[0] != '\0')
        (void)printf("       type:     %s\n", finding->remedy);
}

static void look_at_config(struct report *report, struct service **ret_service)
{
    const struct target *target = report->target;
    struct finding finding = { .what = "config" };
    struct err err;

    if (service_load(target->name, target->config_path, ret_service, NULL, &err) == 0) {
        (void)str_format(finding.text, sizeof finding.text, "%s is valid", target->config_path);
    } else {
        finding.bad = true;
        (void)str_format(finding.text, sizeof finding.text, "%.600s", err.text);
        (void)str_format(finding.remedy, sizeof finding.remedy, "svcmgr check %s", target->name);
    }
    tell(report, &finding);
}

static void look_at_state(struct report *report)
{
    const struct target *target = report->target;
    struct finding finding = { .what = "state" };
    struct platform_file file;
    struct err err;

    if (!platform_stat(target->state_path, &file)) {
        (void)str_format(finding.text, sizeof finding.text, "%s does not exist yet",
                target->state_path);
    } else if (platform_check_private(target->state_path, &err) == -1) {
        finding.bad = true;
        (void)str_format(finding.text, sizeof finding.text, "%.600s", err.text);
        (void)str_format(
                finding.remedy, sizeof finding.remedy, "chmod 700 '%.150s'", target->state_path);
    } else {
        (void)str_format(finding.text, sizeof finding.text, "%s is private", target->state_path);
    }
    tell(report, &finding);
}

/* Returns whether a supervisor answers. */
static bool look_at_supervisor(struct report *report)
{
    const struct target *target = report->target;
    struct finding finding = { .what = "supervisor" };
    struct protocol_answer answer;
    struct peer peer;
    struct err err;
    bool answers = false;
    bool taken = pidfile_is_taken(target->state_path);

    if (peer_connect(target->state_path, &peer, &err) == 0) {
        answers = peer_call(&peer, "hello", NULL, PEER_HELLO_LIMIT_MS, &answer, &err) == 0;
        peer_close(&peer);
    }
    if (answers) {
        const cJSON *pid = json_member(answer.result, "supervisor_pid");
        const cJSON *state = json_member(answer.result, "state");

        (void)str_format(finding.text, sizeof finding.text, "pid %.0f answers; the service is %s",
                cJSON_IsNumber(pid) ? pid->valuedouble : 0,
                cJSON_IsString(state) ? state->valuestring : "unknown");
        protocol_answer_free(&answer);
    } else if (taken) {
        struct buffer line = { 0 };
        char path[PLATFORM_PATH_BYTES];

        finding.bad = true;
        (void)str_format(path, sizeof path, "%s/pid", target->state_path);
        (void)platform_read_tail(path, 0, 32, &line, &err);
        if (line.length > 0)
            line.data[strcspn(line.data, "\n")] = '\0';
        (void)str_format(finding.text, sizeof finding.text,
                "the lock is held and nobody answers; the pidfile says pid %s",
                line.length > 0 ? line.data : "unknown");
        if (line.length > 0)
            (void)str_format(finding.remedy, sizeof finding.remedy,
                    "kill -CONT %.20s; if that does not help: kill -KILL %.20s", line.data,
                    line.data);
        buffer_free(&line);
    } else {
        (void)str_format(finding.text, sizeof finding.text, "none runs");
    }
    tell(report, &finding);
    return answers;
}

static void look_at_leftovers(struct report *report, bool supervised)
{
    const struct target *target = report->target;
    struct finding finding = { .what = "leftovers" };
    char path[PLATFORM_PATH_BYTES];
    struct buffer text = { 0 };
    struct record record;
    struct err err;
    int64_t pids[8];
    size_t count = 0;

    (void)str_format(path, sizeof path, "%s/record", target->state_path);
    if (!supervised && platform_read_file(path, RECORD_MAX_BYTES, &text, &err) == 0 &&
            record_parse(buffer_text(&text), text.length, &record, &err) == 0)
        for (int slot = 0; slot < MACHINE_SLOT_COUNT; slot++)
            if (record.machine.generations[slot].phase != MACHINE_PHASE_NONE)
                count += platform_find_instance(record.generations[slot].instance, pids, 8);
    buffer_free(&text);
    if (count == 0) {
        (void)str_format(finding.text, sizeof finding.text, "none");
    } else {
        finding.bad = true;
        (void)str_format(finding.text, sizeof finding.text,
                "%zu process%s of the last run, pid %lld among them", count, count == 1 ? "" : "es",
                (long long)pids[0]);
        (void)str_format(finding.remedy, sizeof finding.remedy,
                "svcmgr start %.64s (takes it up or clears it) or svcmgr stop %.64s", target->name,
                target->name);
    }
    tell(report, &finding);
}

static void look_at_address(struct report *report, const struct listener *listener, bool supervised)
{
    struct finding finding = { .what = "address" };
    char address[ADDRESS_TEXT_BYTES];
    char who[HOLDER_TEXT_BYTES / 2];
    struct holder holder;

    address_format(&listener->bound, address, sizeof address);
    if (listener->bound.family != ADDRESS_UNIX && listener->bound.port == 0) {
        (void)str_format(finding.text, sizeof finding.text, "%s: the kernel chooses the port",
                address);
        tell(report, &finding);
        return;
    }
    holder_find(&listener->bound, &holder);
    holder_sentence(&holder, who, sizeof who);
    if (!holder.found) {
        (void)str_format(finding.text, sizeof finding.text, "%s is free", address);
    } else if (supervised) {
        (void)str_format(finding.text, sizeof finding.text, "%s is held by %s", address, who);
    } else {
        finding.bad = true;
        (void)str_format(finding.text, sizeof finding.text, "%s is held by %s%s", address, who,
                holder.listening ? "" : ", bound without listening");
        if (holder.pid > 0 && strncmp(holder.launcher, "systemd unit ", 13) == 0)
            (void)str_format(
                    finding.remedy, sizeof finding.remedy, "systemctl stop %.150s", holder.launcher + 13);
        else if (holder.pid > 0)
            (void)str_format(finding.remedy, sizeof finding.remedy, "kill %lld (if it may go)",
                    (long long)holder.pid);
        else
            (void)str_format(finding.remedy, sizeof finding.remedy, "sudo svcmgr doctor %.64s",
                    report->target->name);
    }
    tell(report, &finding);
}

static void look_at_launchers(struct report *report, const struct service *service)
{
    struct finding finding = { .what = "launchers" };

    switch (launcher_ask_all(&service->config, finding.text, sizeof finding.text)) {
    case LAUNCHER_JOB_NONE:
        (void)str_format(finding.text, sizeof finding.text, "no other job has this service");
        break;
    case LAUNCHER_JOB_SERVES:
    case LAUNCHER_JOB_PENDING:
        finding.bad = true;
        break;
    }
    tell(report, &finding);
}

static int examine(const struct cli *cli, struct target *target)
{
    struct buffer text = { 0 };
    struct json_writer writer = { .out = &text };
    struct report report = { .cli = cli, .target = target, .writer = cli->json ? &writer : NULL };
    struct service *service = NULL;
    bool supervised;

    if (cli->json) {
        json_write_object(&writer, NULL);
        json_write_string(&writer, "name", target->name);
        json_write_list(&writer, "findings");
    } else {
        (void)printf("%s:\n", target->name);
    }
    look_at_config(&report, &service);
    look_at_state(&report);
    supervised = look_at_supervisor(&report);
    look_at_leftovers(&report, supervised);
    for (size_t i = 0; service != NULL && i < service->listeners.count; i++)
        look_at_address(&report, &service->listeners.list[i], supervised);
    if (service != NULL)
        look_at_launchers(&report, service);
    service_free(service);
    if (cli->json) {
        json_write_list_end(&writer);
        json_write_bool(&writer, "ok", report.bad == 0);
        json_write_object_end(&writer);
        (void)printf("%s\n", buffer_text(&text));
        buffer_free(&text);
    } else if (report.bad == 0 && !supervised) {
        (void)printf("       type:     svcmgr start %s\n", target->name);
    }
    return report.bad == 0 ? 0 : ERR_FAILED;
}

int cli_doctor(const struct cli *cli)
{
    struct cli all = *cli;

    all.all = cli->name_count == 0;
    return scope_each(&all, examine);
}
