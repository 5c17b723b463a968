#include "print.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "duration.h"
#include "holder.h"
#include "installed.h"
#include "json_write.h"
#include "record_file.h"
#include "report.h"
#include "service.h"
#include "status.h"
#include "str.h"
#include "version.h"

#include "banned.h"

#define LOG_TAIL_BYTES ((size_t)256 * 1024)

/* ---- A service that is stopped --------------------------------------------------------------- */

struct stopped {
    struct status status;
    struct record record;
    struct service *service;
    struct holder other;
    char hosts[CONFIG_LISTENERS_MAX][ADDRESS_TEXT_BYTES];
    char urls[CONFIG_LISTENERS_MAX][ADDRESS_TEXT_BYTES];
    char log[PLATFORM_PATH_BYTES];
    struct launcher_installed installed;
};

static void fill_stopped_listeners(struct stopped *stopped)
{
    const struct listener_set *set = &stopped->service->listeners;

    stopped->status.listener_count = set->count;
    for (size_t i = 0; i < set->count; i++) {
        const struct listener *listener = &set->list[i];
        struct address addresses[LISTENER_ADDRESSES_MAX];
        bool is_path = listener->bound.family == ADDRESS_UNIX;
        bool known = is_path || listener->bound.port != 0;

        address_format_host(&listener->bound, stopped->hosts[i], sizeof stopped->hosts[i]);
        listener_url(listener, stopped->urls[i], sizeof stopped->urls[i]);
        stopped->status.listeners[i] = (struct status_listener) {
            .name = listener->config.name,
            .address = stopped->hosts[i],
            .port = is_path || !known ? STATUS_UNKNOWN : listener->bound.port,
            .url = known ? stopped->urls[i] : NULL,
            .socket = listener->config.socket,
        };
        if (known && !stopped->other.found)
            holder_find_first(addresses, listener_addresses(listener, addresses), &stopped->other);
    }
    service_ask_holder(stopped->service, &stopped->other);
}

static void fill_stopped_other(struct stopped *stopped)
{
    const struct holder *other = &stopped->other;

    stopped->status.has_other = other->found;
    stopped->status.other = (struct status_other) {
        .pid = other->pid > 0 ? other->pid : STATUS_UNKNOWN,
        .command = other->command[0] != '\0' ? other->command : NULL,
        .user = other->user[0] != '\0' ? other->user : NULL,
        .launcher = other->launcher[0] != '\0' ? other->launcher : NULL,
        .answers = other->answers[0] != '\0' ? other->answers : NULL,
    };
}

static void fill_stopped_installed(const struct target *target, struct stopped *stopped)
{
    struct launcher_place place = installed_place(target);
    struct launcher_installed *installed = &stopped->installed;

    if (launcher_installed_by(&place, installed) == NULL)
        return;
    stopped->status.installed_count = 1;
    stopped->status.installed[0] = (struct status_installed) {
        .kind = installed->kind,
        .unit = installed->unit,
        .scope = installed->scope,
        .enabled = installed->enabled,
    };
}

static void fill_stopped(const struct target *target, struct stopped *stopped)
{
    struct status *status = &stopped->status;
    struct err err;
    bool has_record = record_file_read(target->state_path, &stopped->record, NULL, &err) == 0;
    const struct record_exit *last = &stopped->record.last_exit;

    (void)str_format(stopped->log, sizeof stopped->log, "%s/log/current", target->state_path);
    *status = (struct status) {
        .name = target->name,
        .state = MACHINE_STOPPED,
        .pid = STATUS_UNKNOWN,
        .supervisor_pid = STATUS_UNKNOWN,
        .keeper_pid = STATUS_UNKNOWN,
        .generation = has_record && stopped->record.machine.last_number > 0
                ? (int64_t)stopped->record.machine.last_number
                : STATUS_UNKNOWN,
        .uptime_ms = STATUS_UNKNOWN,
        .next_in_ms = STATUS_UNKNOWN,
        .has_exit = has_record && last->known,
        .last_exit = { .code = last->code,
                .by_signal = last->by_signal > 0 ? platform_signal_name(last->by_signal) : NULL,
                .wall_us = last->wall_us,
                .reason = last->reason },
        .config = target->config_path,
        .log = stopped->log,
        .version = SVCMGR_VERSION,
    };
    fill_stopped_installed(target, stopped);
    if (service_load(target->name, target->config_path, &stopped->service, NULL, &err) == -1)
        return;
    fill_stopped_listeners(stopped);
    fill_stopped_other(stopped);
}

void print_stopped_status(const struct target *target, struct buffer *out)
{
    struct stopped *stopped = calloc(1, sizeof *stopped);
    struct json_writer writer = { .out = out };

    if (stopped == NULL) {
        out->failed = true;
        return;
    }
    fill_stopped(target, stopped);
    status_write(&stopped->status, &writer, NULL);
    service_free(stopped->service);
    free(stopped);
}

/* ---- Reading a status document --------------------------------------------------------------- */

static const char *text_of(const cJSON *object, const char *key)
{
    const cJSON *item = json_member(object, key);

    return cJSON_IsString(item) ? item->valuestring : NULL;
}

static int64_t number_of(const cJSON *object, const char *key)
{
    const cJSON *item = json_member(object, key);

    return cJSON_IsNumber(item) ? (int64_t)item->valuedouble : STATUS_UNKNOWN;
}

static const char *first_url(const cJSON *status)
{
    const char *url = text_of(cJSON_GetArrayItem(json_member(status, "listen"), 0), "url");

    return url != NULL ? url : "";
}

void print_short(const cJSON *status, char *ret_text, size_t size)
{
    int64_t pid = number_of(status, "pid");
    const char *url = first_url(status);
    const char *launcher = text_of(json_member(status, "launcher"), "kind");
    char number[32] = "no process";

    if (pid != STATUS_UNKNOWN)
        (void)str_format(number, sizeof number, "pid %lld", (long long)pid);
    (void)str_format(ret_text, size, "%s%s%s%s%s", number, url[0] != '\0' ? ", " : "", url,
            launcher != NULL && strcmp(launcher, "manual") != 0 ? ", started by " : "",
            launcher != NULL && strcmp(launcher, "manual") != 0 ? launcher : "");
}

static void print_listeners(const cJSON *status)
{
    const cJSON *listener;

    cJSON_ArrayForEach(listener, json_member(status, "listen"))
    {
        const char *url = text_of(listener, "url");
        const char *owner = text_of(listener, "owner");

        (void)printf("  listens    %s (%s%s%s%s)\n", url != NULL ? url : "port not known yet",
                text_of(listener, "name"),
                cJSON_IsTrue(json_member(listener, "held")) ? ", held" : "",
                owner != NULL ? ", owner " : "", owner != NULL ? owner : "");
    }
}

static void print_health(const cJSON *health)
{
    const cJSON *latency = json_member(health, "latency_ms");
    const char *reply = text_of(health, "reply");

    if (!cJSON_IsObject(health))
        return;
    (void)printf("  health     %s%s%s", text_of(health, "status"), reply != NULL ? ", " : "",
            reply != NULL ? reply : "");
    if (cJSON_IsNumber(latency))
        (void)printf(" in %.1f ms", latency->valuedouble);
    if (number_of(health, "failures") > 0)
        (void)printf(", %lld failed in a row", (long long)number_of(health, "failures"));
    (void)printf("\n");
}

static void print_other(const cJSON *other)
{
    int64_t pid = number_of(other, "pid");
    const char *command = text_of(other, "command");
    const char *user = text_of(other, "user");
    const char *launcher = text_of(other, "launcher");
    const char *answers = text_of(other, "answers");

    if (!cJSON_IsObject(other))
        return;
    (void)printf("  other      on the address: ");
    if (pid != STATUS_UNKNOWN)
        (void)printf("pid %lld, ", (long long)pid);
    (void)printf("\"%s\", user %s, %s%s%s%s\n", command != NULL ? command : "unknown",
            user != NULL ? user : "unknown", launcher != NULL ? "started by " : "launcher unknown",
            launcher != NULL ? launcher : "", answers != NULL ? "; answers " : "",
            answers != NULL ? answers : "");
}

static void print_process(const cJSON *status)
{
    int64_t pid = number_of(status, "pid");
    int64_t generation = number_of(status, "generation");
    char up[DURATION_TEXT_BYTES];

    if (pid == STATUS_UNKNOWN)
        return;
    duration_format_rough(number_of(status, "uptime_ms"), up, sizeof up);
    (void)printf("  process    pid %lld, up %s, generation %lld, %lld restart%s%s\n",
            (long long)pid, up, (long long)generation, (long long)number_of(status, "restarts"),
            number_of(status, "restarts") == 1 ? "" : "s",
            cJSON_IsTrue(json_member(status, "adopted")) ? ", adopted" : "");
}

static void print_supervision(const cJSON *status)
{
    const cJSON *launcher = json_member(status, "launcher");
    const char *unit = text_of(launcher, "unit");
    int64_t keeper = number_of(status, "keeper_pid");

    if (number_of(status, "supervisor_pid") == STATUS_UNKNOWN)
        return;
    (void)printf("  supervisor pid %lld, ", (long long)number_of(status, "supervisor_pid"));
    if (keeper != STATUS_UNKNOWN)
        (void)printf("keeper pid %lld, ", (long long)keeper);
    else if (platform_has_keeper())
        (void)printf("no keeper, ");
    (void)printf("started by %s%s%s\n", text_of(launcher, "kind"), unit != NULL ? " " : "",
            unit != NULL ? unit : "");
}

static void print_installed(const cJSON *list)
{
    const cJSON *installed;

    cJSON_ArrayForEach(installed, list)
    {
        const struct launcher *launcher = launcher_find(text_of(installed, "kind"));

        (void)printf("  installed  %s %s %s, %s scope, %s\n", text_of(installed, "kind"),
                launcher != NULL ? launcher->job_word : "job", text_of(installed, "unit"),
                text_of(installed, "scope"),
                cJSON_IsTrue(json_member(installed, "enabled")) ? "enabled" : "not enabled");
    }
}

static void print_standbys(const cJSON *list)
{
    const cJSON *standby;

    cJSON_ArrayForEach(standby, list)
    {
        const char *launcher = text_of(standby, "launcher");

        (void)printf("  standby    supervisor pid %lld, started by %s, since %s\n",
                (long long)number_of(standby, "pid"), launcher != NULL ? launcher : "unknown",
                text_of(standby, "since"));
    }
}

void print_status(const cJSON *status, bool verbose)
{
    const char *text = text_of(status, "status_text");
    const cJSON *last_exit = json_member(status, "last_exit");

    (void)printf("%s: %s%s%s\n", text_of(status, "name"), text_of(status, "state"),
            text != NULL ? ": " : "", text != NULL ? text : "");
    print_process(status);
    print_listeners(status);
    print_health(json_member(status, "health"));
    print_supervision(status);
    print_installed(json_member(status, "installed"));
    print_standbys(json_member(status, "standby"));
    if (cJSON_IsObject(last_exit))
        (void)printf(
                "  last exit  %s, at %s\n", text_of(last_exit, "reason"), text_of(last_exit, "at"));
    print_other(json_member(status, "other"));
    if (number_of(status, "next_try_ms") != STATUS_UNKNOWN)
        (void)printf("  next try   in %lld ms\n", (long long)number_of(status, "next_try_ms"));
    if (cJSON_IsTrue(json_member(status, "config_changed")))
        (void)printf("  note       the configuration has changed; svcmgr reload or restart %s "
                     "applies it\n",
                text_of(status, "name"));
    if (text_of(status, "log_error") != NULL)
        (void)printf("  note       the log cannot be written: %s\n", text_of(status, "log_error"));
    if (verbose || number_of(status, "pid") == STATUS_UNKNOWN)
        (void)printf("  files      %s\n             %s\n", text_of(status, "config"),
                text_of(status, "log") != NULL ? text_of(status, "log") : "no log");
}

void print_table_head(void)
{
    (void)printf(
            "%-20s %-10s %8s %10s %8s  %s\n", "NAME", "STATE", "PID", "UP", "RESTARTS", "ADDRESS");
}

void print_table_row(const cJSON *status)
{
    int64_t pid = number_of(status, "pid");
    int64_t uptime_ms = number_of(status, "uptime_ms");
    char number[24] = "-";
    char up[DURATION_TEXT_BYTES] = "-";

    if (pid != STATUS_UNKNOWN)
        (void)str_format(number, sizeof number, "%lld", (long long)pid);
    if (uptime_ms != STATUS_UNKNOWN)
        duration_format_rough(uptime_ms, up, sizeof up);
    (void)printf("%-20s %-10s %8s %10s %8lld  %s\n", text_of(status, "name"),
            text_of(status, "state"), number, up, (long long)number_of(status, "restarts"),
            first_url(status));
}

void print_json(const cJSON *value)
{
    char *text = cJSON_PrintUnformatted(value);

    report_document(text != NULL ? text : "null");
    cJSON_free(text);
}

void print_status_json(const struct target *target, const cJSON *status)
{
    cJSON *document = installed_add(target, status);

    print_json(document);
    cJSON_Delete(document);
}

void print_accepted(const struct cli *cli, const struct target *target, const char *line)
{
    struct buffer text = { 0 };
    struct json_writer writer = { .out = &text };

    if (!cli->json) {
        if (!cli->quiet)
            cli_say(target->name, "%s", line);
        return;
    }
    json_write_object(&writer, NULL);
    json_write_string(&writer, "name", target->name);
    json_write_bool(&writer, "accepted", true);
    json_write_object_end(&writer);
    report_document(buffer_text(&text));
    buffer_free(&text);
}

int print_exit_code(const cJSON *status)
{
    static const char *const down[] = { "stopped", "failed", "standby" };
    const char *state = text_of(status, "state");

    for (size_t i = 0; state != NULL && i < sizeof down / sizeof down[0]; i++)
        if (strcmp(state, down[i]) == 0)
            return ERR_STOPPED;
    return 0;
}

void print_log_tail(const char *directory, int64_t from)
{
    char path[PLATFORM_PATH_BYTES];
    struct buffer text = { 0 };
    const char *start;
    struct err err;
    int lines = 0;

    (void)str_format(path, sizeof path, "%s/current", directory);
    if (platform_read_tail(path, from, LOG_TAIL_BYTES, &text, &err) == -1 || text.length == 0) {
        buffer_free(&text);
        return;
    }
    start = text.data + text.length;
    if (start[-1] == '\n')
        start--;
    while (start > text.data) {
        if (start[-1] == '\n' && ++lines == PRINT_LOG_LINES)
            break;
        start--;
    }
    (void)fprintf(stderr, "--- the last lines of %s:\n", path);
    (void)fwrite(start, 1, (size_t)(text.data + text.length - start), stderr);
    if (text.data[text.length - 1] != '\n')
        (void)fprintf(stderr, "\n");
    buffer_free(&text);
}
