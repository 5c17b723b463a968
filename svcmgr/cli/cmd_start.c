/* start, restart: bring a service up and wait until it is ready. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dependencies.h"
#include "launch.h"
#include "pidfile.h"
#include "print.h"
#include "str.h"
#include "wait.h"

#include "banned.h"

#define LOCK_PAUSE_MS 5

/* One service on its way up. */
struct job {
    const struct target *target;
    struct peer peer; /* to the supervisor that was started; handle none: there is none */
    bool spawned;
    int code;
};

static void print_faults(const char *path, struct json_faults *faults)
{
    json_faults_sort(faults);
    for (size_t i = 0; i < faults->count; i++)
        (void)fprintf(stderr, "%s:%zu:%zu: %s\n", path, faults->list[i].line,
                faults->list[i].column, faults->list[i].text);
    if (faults->dropped > 0)
        (void)fprintf(stderr, "%s: and %zu more faults\n", path, faults->dropped);
}

static void print_failure(const struct cli *cli, const struct target *target, const char *what,
        const struct err *err, const struct wait_log *log)
{
    struct buffer text = { 0 };
    struct json_writer writer = { .out = &text };

    if (cli->json) {
        json_write_object(&writer, NULL);
        json_write_string(&writer, "name", target->name);
        json_write_object(&writer, "error");
        json_write_int(&writer, "exit", err->kind);
        json_write_string(&writer, "message", err->text);
        json_write_object_end(&writer);
        json_write_object_end(&writer);
        (void)printf("%s\n", buffer_text(&text));
        buffer_free(&text);
    }
    cli_warn(target->name, "%s: %s", what, err->text);
    if (log->directory[0] != '\0' && err->kind == ERR_FAILED)
        print_log_tail(log->directory, log->from);
}

static void print_started(
        const struct cli *cli, const struct target *target, const struct protocol_answer *answer)
{
    const cJSON *status = json_member(answer->result, "status");
    const cJSON *state = json_member(status, "state");
    const cJSON *text = json_member(status, "status_text");
    bool already = cJSON_IsTrue(json_member(answer->result, "already"));
    char line[512];

    if (cli->json) {
        print_json(status);
        return;
    }
    if (cli->quiet)
        return;
    print_short(status, line, sizeof line);
    if (cJSON_IsString(state) && strcmp(state->valuestring, "standby") == 0)
        cli_say(target->name, "standing by: %s",
                cJSON_IsString(text) ? text->valuestring : "somebody else serves");
    else
        cli_say(target->name, "%s: %s", already ? "already running" : "started", line);
}

/* ---- Starting ------------------------------------------------------------------------------------- */

/* Begins a start without waiting: a service whose supervisor runs is asked later. */
static void begin(struct job *job)
{
    struct err err;

    job->peer.handle = PLATFORM_NO_HANDLE;
    if (peer_connect(job->target->state_path, &job->peer, &err) == 0) {
        peer_close(&job->peer);
        return;
    }
    if (pidfile_is_taken(job->target->state_path))
        return;
    job->spawned = launch_supervisor(job->target, &job->peer, &err) == 0;
    if (!job->spawned) {
        cli_complain(job->target->name, &err);
        job->code = (int)err.kind;
    }
}

/* Waits for one start, and begins it again where another supervisor was faster or went away. */
static enum wait_result finish(const struct cli *cli, struct job *job, const char *method,
        const char *expect_pid, struct protocol_answer *ret_answer, struct wait_log *log,
        struct err *err)
{
    struct wait_request request = { .cli = cli, .target = job->target, .method = method,
        .expect_pid = expect_pid };
    int64_t deadline_ms = platform_now_ms() + PEER_HELLO_LIMIT_MS;

    for (;;) {
        enum wait_result result;

        if (job->spawned) {
            request.method = "start";
            result = wait_on(&job->peer, &request, ret_answer, log, err);
            peer_close(&job->peer);
            job->spawned = false;
        } else {
            request.method = method;
            result = wait_for(&request, ret_answer, log, err);
        }
        if (result == WAIT_ANSWERED || result == WAIT_FAILED)
            return result;
        if (platform_now_ms() >= deadline_ms) {
            err_set(err, ERR_NO_ANSWER, 0,
                    "another supervisor holds its lock and does not answer; look at it with svcmgr "
                    "doctor %s",
                    job->target->name);
            return WAIT_FAILED;
        }
        if (result == WAIT_LOCK_IS_HELD) {
            wait_pause(LOCK_PAUSE_MS);
            continue;
        }
        if (expect_pid != NULL) {
            err_set(err, ERR_OTHER_PID, 0,
                    "pid %s was expected and the service is stopped; nothing was done", expect_pid);
            return WAIT_FAILED;
        }
        if (launch_supervisor(job->target, &job->peer, err) == -1)
            return WAIT_FAILED;
        job->spawned = true;
    }
}

static void end_start(const struct cli *cli, struct job *job)
{
    struct protocol_answer answer;
    struct wait_log log = { .from = 0 };
    struct err err;

    if (job->code != 0)
        return;
    if (finish(cli, job, "start", NULL, &answer, &log, &err) == WAIT_ANSWERED) {
        print_started(cli, job->target, &answer);
        protocol_answer_free(&answer);
        return;
    }
    print_failure(cli, job->target, "not started", &err, &log);
    job->code = (int)err.kind;
}

static bool needs_failed(const struct dependency *dependency, const struct job *jobs)
{
    for (size_t i = 0; i < dependency->need_count; i++)
        if (jobs[dependency->needs[i]].code != 0)
            return true;
    return false;
}

/* Level by level; the services of one level do not need each other and start side by side. */
static void start_level(const struct cli *cli, const struct dependency_order *order, size_t level,
        struct job *jobs)
{
    for (size_t i = 0; i < order->count; i++) {
        if (order->list[i].level != level)
            continue;
        if (needs_failed(&order->list[i], jobs)) {
            cli_warn(order->list[i].target.name, "not started: what it depends on is not running");
            jobs[i].code = ERR_FAILED;
        } else {
            begin(&jobs[i]);
        }
    }
    for (size_t i = 0; i < order->count; i++)
        if (order->list[i].level == level)
            end_start(cli, &jobs[i]);
}

/* Starts everything in the order; ret_codes (one a place) says how each went. */
static int start_order(const struct cli *cli, const struct dependency_order *order, int *ret_codes)
{
    struct job *jobs = calloc(order->count + 1, sizeof *jobs);
    size_t levels = 0;
    int code = 0;

    if (jobs == NULL)
        return ERR_FAILED;
    for (size_t i = 0; i < order->count; i++) {
        jobs[i].target = &order->list[i].target;
        if (order->list[i].level >= levels)
            levels = order->list[i].level + 1;
    }
    for (size_t level = 0; level < levels; level++)
        start_level(cli, order, level, jobs);
    for (size_t i = 0; i < order->count; i++) {
        if (code == 0)
            code = jobs[i].code;
        if (ret_codes != NULL)
            ret_codes[i] = jobs[i].code;
    }
    free(jobs);
    return code;
}

/* Adds a service and what it needs to the order.  What is wrong is printed. */
static int resolve(const struct cli *cli, const struct target *target,
        struct dependency_order *order, const char *what)
{
    struct json_faults faults = { 0 };
    char fault_path[PLATFORM_PATH_BYTES] = "";
    struct err err;
    int code = 0;

    if (dependencies_resolve(cli, target, order, &faults, fault_path, &err) == -1) {
        print_faults(fault_path, &faults);
        cli_warn(target->name, "%s: %s", what,
                faults.count > 0 ? "the configuration is invalid" : err.text);
        code = (int)err.kind;
    }
    json_faults_free(&faults);
    return code;
}

static int code_of(const struct dependency_order *order, const int *codes, const char *name)
{
    for (size_t i = 0; i < order->count; i++)
        if (str_equal_nocase(order->list[i].target.name, name))
            return codes[i];
    return 0;
}

static int start_targets(const struct cli *cli, struct target *targets, size_t count)
{
    struct dependency_order order = { .count = 0 };
    int *codes;
    int code = 0;

    for (size_t i = 0; i < count; i++)
        if (targets[i].code == 0)
            targets[i].code = resolve(cli, &targets[i], &order, "not started");
    if (cli->only_dependencies && order.count > 0 && targets[0].code == 0)
        free(order.list[--order.count].needs);
    codes = calloc(order.count + 1, sizeof *codes);
    if (codes == NULL)
        return ERR_FAILED;
    code = start_order(cli, &order, codes);
    if (!cli->only_dependencies)
        code = 0;
    for (size_t i = 0; i < count && code == 0; i++)
        code = targets[i].code != 0 ? targets[i].code : code_of(&order, codes, targets[i].name);
    free(codes);
    dependencies_free(&order);
    return code;
}

static int add_if_missing(const struct cli *cli)
{
    struct target target;
    struct err err;

    if (cli->rest_count == 0)
        return 0;
    if (scope_place(cli, cli->names[0], &target, &err) == -1) {
        cli_complain(cli->names[0], &err);
        return (int)err.kind;
    }
    return target.has_config ? 0 : cli_add(cli);
}

int cli_start(const struct cli *cli)
{
    struct target *targets;
    size_t count;
    struct err err;
    int code = add_if_missing(cli);

    if (code != 0)
        return code;
    if (scope_targets(cli, &targets, &count, &err) == -1) {
        cli_complain(NULL, &err);
        return (int)err.kind;
    }
    code = start_targets(cli, targets, count);
    free(targets);
    return code;
}

/* ---- Restarting ------------------------------------------------------------------------------------ */

static void print_restarted(
        const struct cli *cli, const struct target *target, const struct protocol_answer *answer)
{
    const cJSON *status = json_member(answer->result, "status");
    const cJSON *former = json_member(answer->result, "former_generation");
    const cJSON *generation = json_member(status, "generation");
    char line[512];

    if (cJSON_IsTrue(json_member(answer->result, "accepted"))) {
        cli_say(target->name, "restart accepted; this command is part of what is replaced");
        return;
    }
    if (cli->json) {
        print_json(status);
        return;
    }
    if (cli->quiet)
        return;
    print_short(status, line, sizeof line);
    if (cJSON_IsNumber(former) && cJSON_IsNumber(generation))
        cli_say(target->name, "restarted: generation %.0f replaced by %.0f: %s",
                former->valuedouble, generation->valuedouble, line);
    else
        cli_say(target->name, "started: %s", line);
}

static int restart_one(const struct cli *cli, struct target *target)
{
    struct dependency_order order = { .count = 0 };
    struct job job = { .target = target, .peer = { .handle = PLATFORM_NO_HANDLE } };
    struct protocol_answer answer;
    struct wait_log log = { .from = 0 };
    struct err err;
    int code = resolve(cli, target, &order, "not restarted");

    /* Dependencies are started where they are not, and left alone where they are. */
    if (code == 0)
        free(order.list[--order.count].needs);
    if (code == 0 && cli->expect_pid == NULL)
        code = start_order(cli, &order, NULL);
    dependencies_free(&order);
    if (code != 0)
        return code;
    if (finish(cli, &job, "restart", cli->expect_pid, &answer, &log, &err) == WAIT_ANSWERED) {
        print_restarted(cli, target, &answer);
        protocol_answer_free(&answer);
        return 0;
    }
    print_failure(cli, target, "not restarted", &err, &log);
    return (int)err.kind;
}

int cli_restart(const struct cli *cli)
{
    uint64_t pid;
    struct err err;

    if (cli->expect_pid != NULL && !str_to_uint(cli->expect_pid, INT32_MAX, &pid)) {
        err_set(&err, ERR_USAGE, 0, "--expect-pid needs a pid, not \"%s\"", cli->expect_pid);
        cli_complain(NULL, &err);
        return ERR_USAGE;
    }
    return scope_each(cli, restart_one);
}
