/* doctor: what stands in the way of a service, and what to type. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "doctor.h"
#include "installed.h"
#include "launcher.h"
#include "peer.h"
#include "pidfile.h"
#include "record_file.h"
#include "report.h"
#include "stamp.h"
#include "str.h"
#include "whois.h"

#include "banned.h"

#define PIDS_MAX 8

void doctor_own_command(
        const struct report *report, const char *command, char *ret_text, size_t size)
{
    const struct cli *cli = report->cli;
    const char *words[12];
    size_t count = 0;

    words[count++] = "svcmgr";
    words[count++] = command;
    words[count++] = report->target->name;
    if (cli->user_scope)
        words[count++] = "--user";
    if (cli->system_scope)
        words[count++] = "--system";
    count += scope_place_words(cli, words + count);
    words[count] = NULL;
    platform_command_line(ret_text, size, words);
}

void doctor_tell(struct report *report, const struct finding *finding)
{
    char text[DOCTOR_TEXT_BYTES];

    report->bad += finding->bad;
    if (finding->bad && report->next[0] == '\0')
        (void)str_copy(report->next, sizeof report->next, finding->command);
    if (report->writer != NULL) {
        json_write_object(report->writer, NULL);
        json_write_string(report->writer, "what", finding->what);
        json_write_bool(report->writer, "ok", !finding->bad);
        json_write_string(report->writer, "text", finding->text);
        json_write_string(
                report->writer, "type", finding->command[0] != '\0' ? finding->command : NULL);
        json_write_object_end(report->writer);
        return;
    }
    (void)str_copy(text, sizeof text, finding->text);
    str_make_printable(text);
    (void)printf("  [%s] %-10s %s\n", finding->bad ? "!!" : "ok", finding->what, text);
    if (finding->command[0] != '\0')
        (void)printf("       type:     %s\n", finding->command);
}

/* ---- The supervisor -------------------------------------------------------------------------- */

static const char *text_of(const cJSON *object, const char *key)
{
    const cJSON *item = json_member(object, key);

    return cJSON_IsString(item) ? item->valuestring : NULL;
}

static void list_pids(const int64_t *pids, size_t count, char *ret_text, size_t size)
{
    size_t at = 0;

    for (size_t i = 0; i < count; i++) {
        (void)str_format(ret_text + at, size - at, "%s%lld", i > 0 ? " " : "", (long long)pids[i]);
        at += strlen(ret_text + at);
    }
}

/* A supervisor that hangs may only have been stopped. */
static void end_supervisor(const char *pids, char *ret_text, size_t size)
{
    size_t at;

    if (!platform_type(PLATFORM_TYPE_CONTINUE, pids, ret_text, size)) {
        (void)platform_type(PLATFORM_TYPE_END_NOW, pids, ret_text, size);
        return;
    }
    at = strlen(ret_text);
    (void)str_copy(ret_text + at, size - at, "; if that does not help: ");
    at += strlen(ret_text + at);
    (void)platform_type(PLATFORM_TYPE_END_NOW, pids, ret_text + at, size - at);
}

/* The pidfile's content is for people and may be anything: who really has the lock is looked up. */
static void explain_lock(const struct report *report, struct finding *finding)
{
    char path[PLATFORM_PATH_BYTES];
    const char *prefix = platform_with_more_rights();
    char numbers[128];
    char who[HOLDER_TEXT_BYTES];
    struct holder holder = { .found = true };
    int64_t pids[PIDS_MAX];
    size_t count;

    finding->bad = true;
    (void)str_format(path, sizeof path, "%s/pid", report->target->state_path);
    count = platform_lock_holders(path, pids, PIDS_MAX);
    if (count > 0)
        whois_fill(pids[0], &holder);
    holder_sentence(&holder, who, sizeof who);
    (void)str_format(finding->text, sizeof finding->text,
            "the lock %s is held and nobody answers: %s", path, who);
    if (count == 0 && !platform_is_privileged() && prefix[0] != '\0') {
        (void)str_copy(finding->command, sizeof finding->command, prefix);
        doctor_own_command(report, "doctor", finding->command + strlen(prefix),
                sizeof finding->command - strlen(prefix));
    } else if (count == 0) {
        (void)platform_type(
                PLATFORM_TYPE_SHOW_USERS, path, finding->command, sizeof finding->command);
    } else if (whois_is_svcmgr(holder.command)) {
        list_pids(pids, count, numbers, sizeof numbers);
        end_supervisor(numbers, finding->command, sizeof finding->command);
    } else {
        list_pids(pids, 1, numbers, sizeof numbers);
        (void)platform_type(PLATFORM_TYPE_END, numbers, finding->command, sizeof finding->command);
    }
}

static void look_at_log(const struct report *report, struct finding *finding)
{
    finding->bad = true;
    doctor_own_command(report, "logs", finding->command, sizeof finding->command);
}

/* What the supervisor says of its service. */
static void tell_service(struct report *report, const cJSON *status)
{
    struct finding finding = { .what = "service" };
    const char *state = text_of(status, "state");
    const char *text = text_of(status, "status_text");
    const char *log = text_of(status, "log");
    const char *reason = text_of(json_member(status, "last_exit"), "reason");
    const char *reply = text_of(json_member(status, "health"), "reply");
    const cJSON *launcher = json_member(status, "launcher");
    const char *kind = text_of(launcher, "kind");
    const char *unit = text_of(launcher, "unit");
    const char *why = text != NULL ? text : reason;

    if (state == NULL)
        return;
    if (strcmp(state, "unhealthy") == 0)
        why = reply;
    (void)str_format(finding.text, sizeof finding.text, "%s, started by %s%s%s%s%s", state,
            kind != NULL ? kind : "unknown", unit != NULL ? " " : "", unit != NULL ? unit : "",
            why != NULL ? ": " : "", why != NULL ? why : "");
    if (strcmp(state, "failed") == 0 || strcmp(state, "backoff") == 0 ||
            strcmp(state, "unhealthy") == 0) {
        look_at_log(report, &finding);
        if (log != NULL)
            (void)str_format(finding.text + strlen(finding.text),
                    sizeof finding.text - strlen(finding.text), "; log: %s", log);
    }
    doctor_tell(report, &finding);
}

static bool ask(const struct report *report, const char *method, struct protocol_answer *ret_answer)
{
    struct peer peer;
    struct err err;
    bool answered = false;

    if (peer_connect(report->target->state_path, &peer, &err) == 0) {
        answered = peer_call(&peer, method, NULL, PEER_HELLO_LIMIT_MS, ret_answer, &err) == 0;
        peer_close(&peer);
    }
    return answered;
}

static void look_at_supervisor(struct report *report)
{
    struct finding finding = { .what = "supervisor" };
    struct protocol_answer answer;
    double pid = 0;

    report->supervised = ask(report, "hello", &answer);
    if (report->supervised) {
        (void)json_whole_number(json_member(answer.result, "supervisor_pid"), 1, 1e10, &pid);
        (void)str_format(finding.text, sizeof finding.text, "pid %.0f answers", pid);
        protocol_answer_free(&answer);
    } else if (pidfile_is_taken(report->target->state_path)) {
        explain_lock(report, &finding);
    } else {
        (void)str_format(finding.text, sizeof finding.text, "none runs");
    }
    doctor_tell(report, &finding);
    if (report->supervised && ask(report, "status", &answer)) {
        tell_service(report, answer.result);
        protocol_answer_free(&answer);
    }
}

/* ---- The last run ---------------------------------------------------------------------------- */

static void look_at_last_run(struct report *report)
{
    const struct record_exit *last = &report->record.last_exit;
    struct finding finding = { .what = "last run" };
    char time[STAMP_TIME_BYTES];

    if (report->supervised || !report->has_record || !last->known)
        return;
    stamp_time_ms(last->wall_us, time, sizeof time);
    (void)str_format(finding.text, sizeof finding.text, "%s, at %s; log: %s/log/current",
            last->reason, time, report->target->state_path);
    doctor_tell(report, &finding);
}

/* The recorded processes that still run, or others of their trees. */
static size_t find_leftovers(
        const struct record *record, int64_t *ret_pid, bool *ret_main, bool *ret_elsewhere)
{
    int64_t pids[PIDS_MAX];
    size_t count = 0;

    for (int slot = 0; slot < MACHINE_SLOT_COUNT; slot++) {
        const struct record_generation *generation = &record->generations[slot];
        size_t found;

        if (record->machine.generations[slot].phase == MACHINE_PHASE_NONE ||
                generation->process.pid <= 0)
            continue;
        *ret_elsewhere = *ret_elsewhere ||
                (record->keeper.pid != 1 && platform_is_elsewhere(&generation->process));
        found = platform_find_instance(generation->instance, pids, PIDS_MAX);
        if (!platform_is_gone(&generation->process)) {
            *ret_main = true;
            found = found > 0 ? found : 1;
            pids[0] = generation->process.pid;
        }
        if (count == 0 && found > 0)
            *ret_pid = pids[0];
        count += found;
    }
    return count;
}

static void look_at_leftovers(struct report *report)
{
    struct finding finding = { .what = "leftovers" };
    int64_t pid = 0;
    bool main_lives = false;
    bool elsewhere = false;
    size_t count = 0;

    if (report->supervised)
        return;
    if (report->has_record)
        count = find_leftovers(&report->record, &pid, &main_lives, &elsewhere);
    finding.bad = count > 0 || elsewhere;
    if (count > 0) {
        (void)str_format(finding.text, sizeof finding.text,
                "%zu process%s of the last run, pid %lld among them, without a supervisor; a start "
                "%s",
                count, count == 1 ? "" : "es", (long long)pid,
                main_lives ? "takes the instance up, a stop ends it" : "and a stop end them");
        doctor_own_command(report, "start", finding.command, sizeof finding.command);
    } else if (elsewhere) {
        (void)str_format(finding.text, sizeof finding.text,
                "the last run is recorded in another pid namespace (a container?): it can be "
                "stopped there only");
    } else {
        (void)str_format(finding.text, sizeof finding.text, "none");
    }
    doctor_tell(report, &finding);
}

/* ---- Addresses and launchers ----------------------------------------------------------------- */

/* Whether a process belongs to a recorded instance: one that was taken up has no supervisor among
 * its ancestors. */
static bool is_of_instance(const struct report *report, int64_t pid)
{
    for (int slot = 0; report->has_record && pid > 0 && slot < MACHINE_SLOT_COUNT; slot++) {
        const char *instance = report->record.generations[slot].instance;

        if (instance[0] != '\0' && platform_process_has_variable(pid, "SVCMGR_INSTANCE", instance))
            return true;
    }
    return false;
}

/* Whether the holder is the supervised instance, or what the supervisor holds for it. */
static bool is_ours(const struct report *report, const struct holder *holder)
{
    if (report->supervised && is_of_instance(report, holder->pid))
        return true;
    return report->supervised && holder->service_state[0] != '\0' &&
            platform_is_same_file(holder->service_state, report->target->state_path);
}

static void tell_holder(struct report *report, const struct holder *holder, bool ours)
{
    struct finding finding = { .bad = !ours, .what = "address" };
    char address[ADDRESS_TEXT_BYTES];
    char who[HOLDER_TEXT_BYTES];
    char since[STAMP_TIME_BYTES];

    address_format(&holder->address, address, sizeof address);
    holder_sentence(holder, who, sizeof who);
    stamp_time_ms(holder->started_wall_us, since, sizeof since);
    (void)str_format(finding.text, sizeof finding.text, "%s is held by %s%s%s%s%s%s", address, who,
            holder->started_wall_us > 0 ? ", since " : "", holder->started_wall_us > 0 ? since : "",
            holder->listening ? "" : ", bound without listening",
            holder->answers[0] != '\0' ? "; it answers " : "", holder->answers);
    if (!ours)
        doctor_end_holder(report, holder, finding.command, sizeof finding.command);
    doctor_tell(report, &finding);
}

/* Nobody listens there: a start would find out by binding it that it is reserved, or needs more
 * rights, or that somebody has it whom the system does not tell of. */
static bool tell_if_it_cannot_be_bound(
        const struct report *report, const struct listener *listener, struct finding *finding)
{
    enum platform_bind_result result;
    struct err err;
    char port[8];

    if (report->supervised || listener->bound.family == ADDRESS_UNIX)
        return false; /* its supervisor binds it when it wants it */
    result = listener_try(listener, &err);
    if (result == PLATFORM_BIND_OK)
        return false;
    finding->bad = true;
    (void)str_copy(finding->text, sizeof finding->text, err.text);
    (void)str_format(port, sizeof port, "%u", listener->bound.port);
    if (result == PLATFORM_BIND_TAKEN)
        (void)platform_type(
                PLATFORM_TYPE_SHOW_PORT, port, finding->command, sizeof finding->command);
    else
        (void)platform_type(PLATFORM_TYPE_EDIT, report->target->config_path, finding->command,
                sizeof finding->command);
    return true;
}

static void look_at_address(struct report *report, const struct listener *listener)
{
    struct finding finding = { .what = "address" };
    struct address addresses[LISTENER_ADDRESSES_MAX];
    char address[ADDRESS_TEXT_BYTES];
    struct holder holder;

    address_format(&listener->bound, address, sizeof address);
    if (listener->bound.family != ADDRESS_UNIX && listener->bound.port == 0) {
        (void)str_format(
                finding.text, sizeof finding.text, "%s: the kernel chooses the port", address);
        doctor_tell(report, &finding);
        return;
    }
    holder_find_first(addresses, listener_addresses(listener, addresses), &holder);
    if (holder.found) {
        bool ours = is_ours(report, &holder);

        if (!ours)
            service_ask_holder(report->service, &holder);
        tell_holder(report, &holder, ours);
        return;
    }
    if (!platform_has_address(&listener->bound)) {
        finding.bad = true;
        (void)str_format(finding.text, sizeof finding.text,
                "%s: this machine does not have that address", address);
        (void)platform_type(
                PLATFORM_TYPE_SHOW_ADDRESSES, NULL, finding.command, sizeof finding.command);
    } else if (!tell_if_it_cannot_be_bound(report, listener, &finding)) {
        (void)str_format(finding.text, sizeof finding.text, "%s is free", address);
    }
    doctor_tell(report, &finding);
}

static void look_at_launchers(struct report *report)
{
    struct finding finding = { .what = "launchers" };
    struct launcher_place place = installed_place(report->target);
    struct launcher_answer answer;

    launcher_ask_all(&place, &report->service->config, &answer);
    if (answer.own) /* a start goes through it, and it is no surprise */
        answer.job = LAUNCHER_JOB_NONE;
    switch (answer.job) {
    case LAUNCHER_JOB_NONE:
        (void)str_format(finding.text, sizeof finding.text, "%.600s",
                answer.unasked ? answer.sentence : "no other job has this service");
        break;
    case LAUNCHER_JOB_SERVES:
    case LAUNCHER_JOB_PENDING:
    case LAUNCHER_JOB_LEAVING:
        finding.bad = true;
        (void)str_format(finding.text, sizeof finding.text, "%.600s", answer.sentence);
        (void)str_format(finding.command, sizeof finding.command, "%.190s", answer.remedy);
        break;
    }
    doctor_tell(report, &finding);
}

/* ---- All of it ------------------------------------------------------------------------------- */

static void look_at_everything(struct report *report)
{
    struct err err;

    report->has_record =
            record_file_read(report->target->state_path, &report->record, NULL, &err) == 0;
    doctor_look_at_config(report);
    doctor_look_at_program(report);
    doctor_look_at_state(report);
    look_at_supervisor(report);
    look_at_last_run(report);
    look_at_leftovers(report);
    for (size_t i = 0; report->service != NULL && i < report->service->listeners.count; i++)
        look_at_address(report, &report->service->listeners.list[i]);
    doctor_look_at_installed(report);
    if (report->service != NULL)
        look_at_launchers(report);
    if (report->bad == 0)
        doctor_own_command(
                report, report->supervised ? "status" : "start", report->next, sizeof report->next);
}

static int examine(const struct cli *cli, struct target *target)
{
    struct buffer text = { 0 };
    struct json_writer writer = { .out = &text };
    struct report report = { .cli = cli, .target = target, .writer = cli->json ? &writer : NULL };

    if (cli->json) {
        json_write_object(&writer, NULL);
        json_write_string(&writer, "name", target->name);
        json_write_list(&writer, "findings");
    } else {
        (void)printf("%s:\n", target->name);
    }
    look_at_everything(&report);
    service_free(report.service);
    if (cli->json) {
        json_write_list_end(&writer);
        json_write_bool(&writer, "ok", report.bad == 0);
        json_write_string(&writer, "type", report.next[0] != '\0' ? report.next : NULL);
        json_write_object_end(&writer);
        report_document(buffer_text(&text));
        buffer_free(&text);
    } else if (report.bad == 0) {
        (void)printf("       type:     %s\n", report.next);
    }
    return report.bad == 0 ? 0 : ERR_FAILED;
}

int cli_doctor(const struct cli *cli)
{
    struct cli all = *cli;

    all.all = cli->name_count == 0;
    return scope_each(&all, examine);
}
