/* start, restart: bring a service up and wait until it is ready. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dependencies.h"
#include "installed.h"
#include "launch.h"
#include "patience.h"
#include "pidfile.h"
#include "print.h"
#include "report.h"
#include "str.h"
#include "wait.h"

#include "banned.h"

#define LOCK_PAUSE_MS     5
#define LAUNCHER_PAUSE_MS 50

/* One service on its way up. */
struct job {
    const struct target *target;
    struct peer peer; /* to the supervisor that was started; handle none: there is none */
    bool spawned;
    const struct launcher *launcher; /* that it is installed with; NULL: we start it ourselves */
    int64_t launched_ms;             /* when that was asked to start it; 0: not yet */
    bool is_named;                   /* on the command line, or by --all */
    int code;
};

/* Says why a service was not started.  A dependency that nobody named is no part of the document.
 */
static void tell_failure(const struct job *job, const char *what, const struct err *err)
{
    if (job->is_named)
        (void)report_failure(job->target->name, what, err);
    else
        cli_warn(job->target->name, "%s: %s", what, err->text);
}

static void print_failure(
        const struct job *job, const char *what, const struct err *err, const struct wait_log *log)
{
    tell_failure(job, what, err);
    if (log->directory[0] != '\0' && err->kind == ERR_FAILED)
        print_log_tail(log->directory, log->from);
}

static void print_started(
        const struct cli *cli, const struct job *job, const struct protocol_answer *answer)
{
    const struct target *target = job->target;
    const cJSON *status = json_member(answer->result, "status");
    const cJSON *state = json_member(status, "state");
    const cJSON *text = json_member(status, "status_text");
    bool already = job->launched_ms == 0 && cJSON_IsTrue(json_member(answer->result, "already"));
    char line[512];

    if (cli->json) {
        if (job->is_named)
            print_status_json(target, status);
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

/* ---- Starting -------------------------------------------------------------------------------- */

/* An installed service is its launcher's to start, so that the launcher's view stays true. */
static int bring_up(const struct cli *cli, struct job *job, struct err *err)
{
    struct launcher_place place = installed_place(job->target);

    if (job->launcher == NULL) {
        if (launch_supervisor(cli, job->target, &job->peer, err) == -1)
            return -1;
        job->spawned = true;
        return 0;
    }
    if (cli->control != NULL && !cli->only_dependencies)
        return err_set(err, ERR_USAGE, 0,
                "--control is not for a service that %s starts; add --direct to start it without",
                job->launcher->kind);
    if (job->launcher->start(&place, err) == -1)
        return -1;
    job->launched_ms = platform_now_ms();
    return 0;
}

/* Begins a start without waiting: a service whose supervisor runs is asked later. */
static void begin(const struct cli *cli, struct job *job)
{
    struct err err;

    patience_for(job->target->name);
    job->peer.handle = PLATFORM_NO_HANDLE;
    job->launcher = installed_launcher(cli, job->target);
    if (peer_connect(job->target->state_path, &job->peer, &err) == 0) {
        peer_close(&job->peer);
        return;
    }
    if (pidfile_is_taken(job->target->state_path))
        return;
    if (bring_up(cli, job, &err) == -1) {
        tell_failure(job, "not started", &err);
        job->code = (int)err.kind;
    }
}

/* Waits for one start, and begins it again where another supervisor was faster or went away. */
static enum wait_result finish(const struct cli *cli, struct job *job, const char *method,
        const char *expect_pid, struct protocol_answer *ret_answer, struct wait_log *log,
        struct err *err)
{
    struct wait_request request = {
        .cli = cli,
        .target = job->target,
        .method = method,
        .expect_pid = expect_pid,
        .waits_for_room = true,
    };
    int64_t deadline_ms = platform_now_ms() + PEER_HELLO_LIMIT_MS;

    for (;;) {
        enum wait_result result;

        if (job->spawned) {
            request.method = "start";
            result = wait_on(&job->peer, &request, ret_answer, log, err);
            peer_close(&job->peer);
            job->spawned = false;
        } else {
            request.method = job->launched_ms != 0 ? "start" : method;
            result = wait_for(&request, ret_answer, log, err);
        }
        if (result == WAIT_FAILED && err->kind != ERR_NO_ANSWER)
            wait_until_free(job->target); /* a start that failed leaves no supervisor */
        if (result == WAIT_ANSWERED || result == WAIT_FAILED)
            return result;
        if (job->launched_ms != 0) {
            if (!installed_still_comes(job->launcher, job->target, job->launched_ms, err))
                return WAIT_FAILED;
            wait_pause(LAUNCHER_PAUSE_MS);
            continue;
        }
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
        if (bring_up(cli, job, err) == -1)
            return WAIT_FAILED;
    }
}

static void end_start(const struct cli *cli, struct job *job)
{
    struct protocol_answer answer;
    struct wait_log log = { .from = 0 };
    struct err err;

    if (job->code != 0)
        return;
    patience_for(job->target->name);
    if (finish(cli, job, "start", NULL, &answer, &log, &err) == WAIT_ANSWERED) {
        print_started(cli, job, &answer);
        protocol_answer_free(&answer);
        return;
    }
    print_failure(job, "not started", &err, &log);
    job->code = (int)err.kind;
}

/* The name of what a service needs and was not started; NULL: all of it is there. */
static const char *failed_need(const struct dependency *dependency, const struct job *jobs)
{
    for (size_t i = 0; i < dependency->need_count; i++)
        if (jobs[dependency->needs[i]].code != 0)
            return jobs[dependency->needs[i]].target->name;
    return NULL;
}

/* Level by level; the services of one level do not need each other and start side by side. */
static void start_level(
        const struct cli *cli, const struct dependency_order *order, size_t level, struct job *jobs)
{
    for (size_t i = 0; i < order->count; i++) {
        const char *missing = failed_need(&order->list[i], jobs);

        if (order->list[i].level != level)
            continue;
        if (missing != NULL) {
            struct err err;

            err_set(&err, ERR_FAILED, 0, "it depends on %s, which is not running", missing);
            tell_failure(&jobs[i], "not started", &err);
            jobs[i].code = ERR_FAILED;
        } else {
            begin(cli, &jobs[i]);
        }
    }
    for (size_t i = 0; i < order->count; i++)
        if (order->list[i].level == level)
            end_start(cli, &jobs[i]);
}

static int report_no_memory(void)
{
    struct err err;

    err_memory(&err);
    return report_failure(NULL, NULL, &err);
}

/* Starts everything in the order; ret_codes (one a place) says how each went. */
static int start_order(const struct cli *cli, const struct dependency_order *order, int *ret_codes)
{
    struct job *jobs = calloc(order->count > 0 ? order->count : 1, sizeof *jobs);
    size_t levels = 0;
    int code = 0;

    if (jobs == NULL)
        return report_no_memory();
    for (size_t i = 0; i < order->count; i++) {
        jobs[i].target = &order->list[i].target;
        jobs[i].is_named = order->list[i].is_named;
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

/* Adds a service and what it needs to the order, or nothing.  What is wrong is printed. */
static int resolve(const struct cli *cli, const struct target *target,
        struct dependency_order *order, const char *what)
{
    struct json_faults faults = { 0 };
    char fault_path[PLATFORM_PATH_BYTES] = "";
    size_t former_count = order->count;
    struct err err;
    int code = 0;

    if (dependencies_resolve(cli, target, order, &faults, fault_path, &err) == -1) {
        report_faults(fault_path, &faults);
        if (faults.count > 0)
            err_set(&err, err.kind, 0, "the configuration is invalid");
        code = report_failure(target->name, what, &err);
        while (order->count > former_count)
            free(order->list[--order->count].needs);
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

/* What a command is about, unlike what is only needed for it. */
static void name_in_order(struct dependency_order *order, const char *name)
{
    for (size_t i = 0; i < order->count; i++)
        if (str_equal_nocase(order->list[i].target.name, name))
            order->list[i].is_named = true;
}

static int start_targets(const struct cli *cli, struct target *targets, size_t count)
{
    struct dependency_order order = { .count = 0 };
    int *codes;
    int code = 0;

    for (size_t i = 0; i < count; i++)
        if (targets[i].code == 0)
            targets[i].code = resolve(cli, &targets[i], &order, "not started");
    for (size_t i = 0; i < count; i++)
        name_in_order(&order, targets[i].name);
    if (cli->only_dependencies && order.count > 0 && targets[0].code == 0)
        free(order.list[--order.count].needs);
    codes = calloc(order.count + 1, sizeof *codes);
    if (codes == NULL) {
        dependencies_free(&order);
        return report_no_memory();
    }
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
        (void)report_failure(cli->names[0], NULL, &err);
        return (int)err.kind;
    }
    return target.has_config ? 0 : cli_add(cli);
}

int cli_start(const struct cli *cli)
{
    struct target *targets;
    size_t count;
    struct err err;
    int code;

    if (launch_check_control(cli, &err) == -1)
        return report_failure(NULL, NULL, &err);
    if (cli->only_dependencies)
        patience_begin();
    code = add_if_missing(cli);
    if (code != 0)
        return code;
    if (scope_targets(cli, &targets, &count, &err) == -1) {
        (void)report_failure(NULL, NULL, &err);
        return (int)err.kind;
    }
    code = start_targets(cli, targets, count);
    free(targets);
    return code;
}

/* ---- Restarting ------------------------------------------------------------------------------ */

static void print_restarted(
        const struct cli *cli, const struct target *target, const struct protocol_answer *answer)
{
    const cJSON *status = json_member(answer->result, "status");
    const cJSON *former = json_member(answer->result, "former_generation");
    const cJSON *generation = json_member(status, "generation");
    char line[512];

    if (cJSON_IsTrue(json_member(answer->result, "accepted"))) {
        print_accepted(cli, target, "restart accepted; this command is part of what is replaced");
        return;
    }
    if (cli->json) {
        cJSON *document = installed_add(target, status);

        (void)cJSON_AddItemToObject(document, "former_generation", cJSON_Duplicate(former, true));
        print_json(document);
        cJSON_Delete(document);
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

/* An instance that was taken up without its socket: the next one gets another one, and between the
 * two nobody listens. */
static void warn_of_refusals(const struct cli *cli, const struct target *target)
{
    struct protocol_answer answer;
    const cJSON *listener;
    struct peer peer;
    struct err err;

    if (peer_connect(target->state_path, &peer, &err) == -1)
        return;
    if (peer_call(&peer, "status", "{}", PEER_HELLO_LIMIT_MS, &answer, &err) == 0) {
        cJSON_ArrayForEach(listener, json_member(answer.result, "listen"))
        {
            const cJSON *kind = json_member(listener, "socket");

            if (cJSON_IsFalse(json_member(listener, "held")) && cJSON_IsString(kind) &&
                    strcmp(kind->valuestring, "inherit") == 0 && !cli->quiet &&
                    cJSON_IsTrue(json_member(answer.result, "adopted"))) {
                cli_warn(target->name,
                        "its socket could not be taken back when it was taken up: connections may "
                        "be refused until the new generation is ready");
                break;
            }
        }
        protocol_answer_free(&answer);
    }
    peer_close(&peer);
}

static int restart_one(const struct cli *cli, struct target *target)
{
    struct dependency_order order = { .count = 0 };
    struct job job = {
        .target = target,
        .peer = { .handle = PLATFORM_NO_HANDLE },
        .launcher = installed_launcher(cli, target),
        .is_named = true,
    };
    struct protocol_answer answer;
    struct wait_log log = { .from = 0 };
    struct err err;
    int code = resolve(cli, target, &order, "not restarted");

    /* Dependencies are started where they are not, and left alone where they are. */
    if (code == 0)
        free(order.list[--order.count].needs);
    if (code == 0 && cli->expect_pid == NULL)
        code = start_order(cli, &order, NULL);
    if (code != 0 && order.count > 0) {
        err_set(&err, (enum err_kind)code, 0, "what it depends on is not running");
        (void)report_failure(target->name, "not restarted", &err);
    }
    dependencies_free(&order);
    if (code != 0)
        return code;
    warn_of_refusals(cli, target);
    if (finish(cli, &job, "restart", cli->expect_pid, &answer, &log, &err) == WAIT_ANSWERED) {
        print_restarted(cli, target, &answer);
        protocol_answer_free(&answer);
        return 0;
    }
    print_failure(&job, "not restarted", &err, &log);
    return (int)err.kind;
}

int cli_restart(const struct cli *cli)
{
    uint64_t pid;
    struct err err;

    if (cli->expect_pid != NULL && (!str_to_uint(cli->expect_pid, INT32_MAX, &pid) || pid == 0)) {
        err_set(&err, ERR_USAGE, 0, "--expect-pid needs a pid, not \"%s\"", cli->expect_pid);
        (void)report_failure(NULL, NULL, &err);
        return ERR_USAGE;
    }
    if (launch_check_control(cli, &err) == -1)
        return report_failure(NULL, NULL, &err);
    return scope_each(cli, restart_one);
}
