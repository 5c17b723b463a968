#include "upgrade.h"

#include <string.h>

#include "answer.h"
#include "endpoint.h"
#include "environment.h"
#include "marker_file.h"
#include "peer.h"
#include "record_file.h"
#include "str.h"
#include "supervisor.h"
#include "version.h"

#include "banned.h"

#define CHECK_LIMIT_MS  5000 /* a program that has not proved itself by then is refused */
#define CHECK_DIRECTORY "self-check"
#define CHECK_WORDS_MAX 14

/* ---- The copy of the state ------------------------------------------------------------------- */

static void copy_place(const struct supervisor *sup, const char *file, char *ret_path, size_t size)
{
    (void)str_format(ret_path, size, "%s/" CHECK_DIRECTORY "%s%s", sup->options.state_directory,
            file[0] != '\0' ? "/" : "", file);
}

static int copy_file(const struct supervisor *sup, const char *name, size_t limit, struct err *err)
{
    char from[PLATFORM_PATH_BYTES];
    char to[PLATFORM_PATH_BYTES];
    struct buffer text = { 0 };
    int result;

    (void)str_format(from, sizeof from, "%s/%s", sup->options.state_directory, name);
    copy_place(sup, name, to, sizeof to);
    result = platform_read_file(from, limit, &text, err);
    if (result == 0)
        result = platform_replace_file(to, buffer_text(&text), text.length, 0600, err);
    buffer_free(&text);
    return result;
}

static int copy_state(struct supervisor *sup, struct err *err)
{
    char directory[PLATFORM_PATH_BYTES];

    publish_record_now(sup);
    copy_place(sup, "", directory, sizeof directory);
    return platform_make_directory(directory, 0700, err) == 0 &&
                    copy_file(sup, "record", RECORD_MAX_BYTES, err) == 0 &&
                    copy_file(sup, "config.json", CONFIG_MAX_BYTES, err) == 0
            ? 0
            : -1;
}

static void remove_copy(struct supervisor *sup)
{
    static const char *const files[] = { "record", "config.json", PEER_CONTROL_NAME,
        MARKER_FILE_NAME };
    char path[PLATFORM_PATH_BYTES];
    struct err err;

    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        copy_place(sup, files[i], path, sizeof path);
        (void)platform_remove_file(path, &err);
    }
    copy_place(sup, "", path, sizeof path);
    platform_remove_directory(path);
}

/* ---- The check ------------------------------------------------------------------------------- */

static void end_check(struct supervisor *sup)
{
    struct upgrade *upgrade = &sup->upgrade;

    platform_unwatch(upgrade->output);
    upgrade->output = NULL;
    upgrade->checks = false;
    remove_copy(sup);
}

static int spawn_check(struct supervisor *sup, struct err *err)
{
    struct upgrade *upgrade = &sup->upgrade;
    struct environment environment;
    char directory[PLATFORM_PATH_BYTES];
    char config[PLATFORM_PATH_BYTES];
    char protocol[16];
    const char *words[CHECK_WORDS_MAX] = { "svcmgr",
        sup->options.system_scope ? "--system" : "--user", "self-check", sup->options.name,
        "--config", config, "--state", directory, "--keeper", protocol,
        sup->options.control_over_tcp ? "--control" : NULL, "tcp", NULL };
    struct platform_spawn spec = {
        .file = upgrade->path,
        .words = words,
        .directory = platform_root_directory(),
        .umask = 077,
        .input = PLATFORM_NO_HANDLE,
    };
    platform_handle output[2];
    int result;

    if (platform_pipe(&output[0], &output[1], err) == -1)
        return -1;
    result = environment_base(&sup->user, &environment, err);
    spec.environment = environment.list;
    copy_place(sup, "", directory, sizeof directory);
    copy_place(sup, "config.json", config, sizeof config);
    (void)str_format(protocol, sizeof protocol, "%d", KEEPER_PROTOCOL);
    spec.output = spec.error_output = output[1];
    if (result == 0)
        result = helper_spawn(
                sup, MACHINE_SLOT_COUNT, HELPER_CHECK, &spec, CHECK_LIMIT_MS, NULL, err);
    environment_free(&environment);
    platform_close(output[1]);
    if (result == 0)
        upgrade->output = platform_watch_stream(output[0], ROLE_CHECK, NULL);
    else
        platform_close(output[0]);
    return result;
}

static int open_program(struct supervisor *sup, const char *path, struct err *err)
{
    struct upgrade *upgrade = &sup->upgrade;

    if (path[0] != '\0')
        (void)str_copy(upgrade->path, sizeof upgrade->path, path);
    else if (!platform_executable(upgrade->path, sizeof upgrade->path))
        return err_set(err, ERR_FAILED, 0, "where this svcmgr was started from is unknown");
    if (platform_open_program(upgrade->path, &upgrade->program, err) == -1)
        return -1;
    if (platform_stat_handle(upgrade->program, &upgrade->file))
        return 0;
    platform_close(upgrade->program);
    return err_set(err, ERR_FAILED, 0, "cannot look at %s", upgrade->path);
}

/* Whether there could be a new supervisor. */
static int check_place(const struct supervisor *sup, struct err *err)
{
    const char *name = sup->options.name;

    if (platform_has_keeper() && sup->link.source == NULL)
        return err_set(err, ERR_FAILED, 0,
                "its keeper has died, and nobody else could start the new supervisor; the way is "
                "svcmgr stop %s, then svcmgr start %s",
                name, name);
    if (!platform_has_keeper() && sup->launcher->watches_process)
        return err_set(err, ERR_FAILED, 0,
                "%s has started it and watches that very process, whose place no other one can "
                "take; the way is svcmgr stop %s, then svcmgr start %s",
                sup->launcher->kind, name, name);
    if (!sup->may_record)
        return err_set(err, ERR_FAILED, 0, "nothing has been started yet; try again when it has");
    return 0;
}

/* With NULL, that it was not refused. */
static void tell_history(struct supervisor *sup, const struct err *refusal)
{
    const struct upgrade *upgrade = &sup->upgrade;
    char cause[RECORD_REASON_BYTES];

    if (refusal == NULL)
        (void)str_format(cause, sizeof cause, "gives its place to %.40s (%.300s)", upgrade->said,
                upgrade->path);
    else
        (void)str_format(cause, sizeof cause, "not upgraded: %.400s", refusal->text);
    journal_write(&sup->journal,
            &(struct journal_event) {
                    .event = "upgrade", .cause = cause, .by = publish_asker(sup) });
}

/* Begins with the program at a path, or ("") with the one that is now where ours was started from.
 */
static int begin(struct supervisor *sup, const char *path, struct err *err)
{
    struct upgrade *upgrade = &sup->upgrade;

    if (upgrade->checks || upgrade->gives_up || sup->handover.successor != 0)
        return 0; /* joins the one that is under way */
    if (check_place(sup, err) == -1)
        return -1;
    if (open_program(sup, path, err) == -1)
        return -1;
    upgrade->said_length = 0;
    upgrade->said[0] = '\0';
    if (copy_state(sup, err) == 0 && spawn_check(sup, err) == 0) {
        upgrade->checks = true;
        return 0;
    }
    /* What is no program is found out here where there is no fork(). */
    tell_history(sup, err);
    platform_close(upgrade->program);
    remove_copy(sup);
    return -1;
}

void upgrade_on_event(struct supervisor *sup, const struct platform_event *event)
{
    struct upgrade *upgrade = &sup->upgrade;
    size_t room = sizeof upgrade->said - 1 - upgrade->said_length;
    size_t length = event->length < room ? event->length : room;

    if (event->kind != PLATFORM_EVENT_DATA) {
        platform_unwatch(upgrade->output);
        upgrade->output = NULL;
        return;
    }
    memcpy(upgrade->said + upgrade->said_length, event->data, length);
    upgrade->said_length += length;
    upgrade->said[upgrade->said_length] = '\0';
}

/* What it has said and nobody has read. */
static void read_last_words(struct supervisor *sup)
{
    const char *data;
    size_t length;

    while (sup->upgrade.output != NULL &&
            (length = platform_read_now(sup->upgrade.output, &data)) > 0)
        upgrade_on_event(sup,
                &(struct platform_event) {
                        .kind = PLATFORM_EVENT_DATA, .data = data, .length = length });
    sup->upgrade.said[strcspn(sup->upgrade.said, "\r\n")] = '\0';
    str_make_printable(sup->upgrade.said);
}

/* Overwritten meanwhile, or replaced: what was proved is not what would run. */
static bool is_still_there(const struct upgrade *upgrade)
{
    struct platform_file now;

    return platform_stat_target(upgrade->path, &now) && now.file_id == upgrade->file.file_id &&
            now.device_id == upgrade->file.device_id && now.size == upgrade->file.size &&
            now.modified_ns == upgrade->file.modified_ns;
}

static int judge(const struct upgrade *upgrade, const struct helper *helper,
        const struct platform_exit *how, struct err *err)
{
    const char *path = upgrade->path;

    if (helper->failure_text[0] != '\0')
        return err_set(err, ERR_FAILED, 0, "%s does not run: %.200s", path, helper->failure_text);
    if (helper->killed)
        return err_set(err, ERR_FAILED, 0, "%s did not end its self-check in %d s", path,
                CHECK_LIMIT_MS / 1000);
    if (how->by_signal > 0)
        return err_set(err, ERR_FAILED, 0, "the self-check of %s was ended by SIG%s", path,
                platform_signal_name(how->by_signal));
    if (how->code != 0)
        return err_set(err, ERR_FAILED, 0, "the self-check of %s failed with code %d: %.300s", path,
                how->code, upgrade->said[0] != '\0' ? upgrade->said : "it said nothing");
    if (strncmp(upgrade->said, "svcmgr ", 7) != 0)
        return err_set(
                err, ERR_FAILED, 0, "%s is not svcmgr: it said \"%.200s\"", path, upgrade->said);
    if (!is_still_there(upgrade))
        return err_set(err, ERR_FAILED, 0, "%s was changed during its self-check", path);
    return 0;
}

static void tell_all(struct supervisor *sup, const struct err *err)
{
    for (int i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        struct client *client = sup->control.clients[i];

        for (int j = 0; client != NULL && j < CONTROL_WAITS_MAX; j++) {
            if (client->pending[j].wait != CLIENT_WAIT_UPGRADE)
                continue;
            client->pending[j].wait = CLIENT_WAIT_NONE;
            answer_failure(client, &client->pending[j].id, PROTOCOL_FAILED, err, sup);
        }
    }
}

static int explain_trial(const char *trial_end, struct err *err)
{
    return err_set(err, ERR_FAILED, 0,
            "the new svcmgr passed its self-check and did not take over: %s; the former one, "
            "%s, goes on",
            trial_end, SVCMGR_VERSION);
}

void upgrade_not_taken(struct supervisor *sup, const char *trial_end)
{
    struct err err;

    (void)explain_trial(trial_end, &err);
    journal_write(
            &sup->journal, &(struct journal_event) { .event = "supervisor", .cause = err.text });
    tell_all(sup, &err);
}

/* Has it take over, on trial. */
static int give_place(struct supervisor *sup, struct err *err)
{
    if (!platform_has_keeper())
        return handover_begin(sup, sup->upgrade.program, err);
    link_upgrade(&sup->link, sup->upgrade.program);
    sup->upgrade.gives_up = true;
    return 0;
}

void upgrade_checked(
        struct supervisor *sup, const struct helper *helper, const struct platform_exit *how)
{
    struct upgrade *upgrade = &sup->upgrade;
    struct err err;
    bool good;

    if (!upgrade->checks)
        return; /* given up */
    read_last_words(sup);
    good = judge(upgrade, helper, how, &err) == 0;
    end_check(sup);
    good = good && give_place(sup, &err) == 0;
    tell_history(sup, good ? NULL : &err);
    if (!good)
        tell_all(sup, &err);
    platform_close(upgrade->program);
}

void upgrade_give_up(struct supervisor *sup)
{
    struct err err;

    if (!sup->upgrade.checks && sup->handover.successor == 0)
        return;
    if (sup->handover.successor != 0) {
        handover_give_up(sup);
    } else {
        helper_end_kind(sup, HELPER_CHECK);
        end_check(sup);
        platform_close(sup->upgrade.program);
    }
    err_set(&err, ERR_FAILED, 0, "it was asked to stop meanwhile");
    tell_all(sup, &err);
}

/* ---- The method --------------------------------------------------------------------------------
 */

static int64_t former_supervisor(const struct call *call)
{
    double pid = 0;

    (void)json_whole_number(
            json_member(call->request->params, "former_supervisor"), 1, 2147483647, &pid);
    return (int64_t)pid;
}

static void answer_upgraded(const struct call *call)
{
    const struct supervisor *sup = call->sup;
    const struct identity *process = &sup->record.generations[MACHINE_CURRENT].process;
    struct buffer message = { 0 };
    struct json_writer writer;
    char path[PLATFORM_PATH_BYTES];

    protocol_answer_begin(&writer, &message, &call->request->id);
    json_write_object(&writer, "result");
    json_write_int(&writer, "supervisor_pid", platform_pid());
    if (process->pid > 0)
        json_write_int(&writer, "pid", process->pid);
    else
        json_write_null(&writer, "pid");
    json_write_string(&writer, "version", SVCMGR_VERSION);
    json_write_string(&writer, "executable", platform_executable(path, sizeof path) ? path : NULL);
    json_write_int(&writer, "ended_commands", (int64_t)sup->ended_commands);
    json_write_object_end(&writer);
    protocol_answer_end(&writer);
    answer_send(call->client, &call->request->id, &message);
}

/* A command that lost its connection to the supervisor before us asks again: what has become of it?
 * False if that one had died of something else. */
static bool upgrade_is_known(const struct call *call)
{
    const struct supervisor *sup = call->sup;
    int64_t former = former_supervisor(call);
    struct err err;

    if (former == 0 || former == platform_pid())
        return false;
    switch (sup->link.came) {
    case KEEPER_CAME_FIRST:
    case KEEPER_CAME_REVIVED:
        break;
    case KEEPER_CAME_UPGRADED:
        answer_upgraded(call);
        return true;
    case KEEPER_CAME_RESTORED:
        (void)explain_trial(sup->link.trial_end, &err);
        answer_fail(call, &err);
        return true;
    }
    return false;
}

void upgrade_call(const struct call *call)
{
    const cJSON *path = json_member(call->request->params, "executable");
    struct err err;

    if (cJSON_IsNull(path))
        path = NULL;
    if (path != NULL && (!cJSON_IsString(path) || !platform_is_absolute(path->valuestring))) {
        answer_error(call, PROTOCOL_INVALID_PARAMS, "executable must be an absolute path");
        return;
    }
    if (upgrade_is_known(call))
        return;
    publish_note_asker(call->sup, &call->client->peer);
    if (begin(call->sup, path != NULL ? path->valuestring : "", &err) == -1)
        answer_fail(call, &err);
    else
        (void)answer_later(call, CLIENT_WAIT_UPGRADE);
}

/* ---- The other side -------------------------------------------------------------------------- */

int upgrade_self_check(const char *name, const char *config_path, const char *state_directory,
        int keeper_protocol, bool over_tcp, struct err *err)
{
    struct service *service;
    struct record record;

    if (keeper_protocol != KEEPER_PROTOCOL)
        return err_set(err, ERR_FAILED, 0,
                "svcmgr %s speaks version %d with its keeper, not %d; stop and start the service",
                SVCMGR_VERSION, KEEPER_PROTOCOL, keeper_protocol);
    if (service_load(name, config_path, &service, NULL, err) == -1)
        return -1;
    service_free(service);
    if (record_file_read(state_directory, &record, NULL, err) == -1 ||
            platform_loop_open(false, err) == -1)
        return -1;
    return endpoint_try(state_directory, over_tcp, err);
}
