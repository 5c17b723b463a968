#include "status.h"

#include <string.h>

#include "stamp.h"
#include "str.h"

#include "banned.h"

static void write_number(struct json_writer *writer, const char *key, int64_t value)
{
    if (value == STATUS_UNKNOWN)
        json_write_null(writer, key);
    else
        json_write_int(writer, key, value);
}

static void write_time(struct json_writer *writer, const char *key, int64_t wall_us)
{
    char text[STAMP_TIME_BYTES];

    if (wall_us <= 0) {
        json_write_null(writer, key);
        return;
    }
    stamp_time_ms(wall_us, text, sizeof text);
    json_write_string(writer, key, text);
}

static void write_exit(const struct status *status, struct json_writer *writer)
{
    if (!status->has_exit) {
        json_write_null(writer, "last_exit");
        return;
    }
    json_write_object(writer, "last_exit");
    write_number(writer, "code", status->last_exit.code);
    json_write_string(writer, "signal", status->last_exit.by_signal);
    write_time(writer, "at", status->last_exit.wall_us);
    json_write_string(writer, "reason", status->last_exit.reason);
    json_write_object_end(writer);
}

static void write_listeners(const struct status *status, struct json_writer *writer)
{
    json_write_list(writer, "listen");
    for (size_t i = 0; i < status->listener_count; i++) {
        const struct status_listener *listener = &status->listeners[i];

        json_write_object(writer, NULL);
        json_write_string(writer, "name", listener->name);
        json_write_string(writer, "address", listener->address);
        write_number(writer, "port", listener->port);
        json_write_string(writer, "url", listener->url);
        json_write_string(writer, "socket", config_socket_word(listener->socket));
        json_write_bool(writer, "held", listener->held);
        if (listener->owner != NULL)
            json_write_string(writer, "owner", listener->owner);
        json_write_object_end(writer);
    }
    json_write_list_end(writer);
}

static void write_health(const struct status *status, struct json_writer *writer)
{
    if (!status->has_health) {
        json_write_null(writer, "health");
        return;
    }
    json_write_object(writer, "health");
    json_write_string(writer, "status", status->health.status);
    if (status->health.latency_us == STATUS_UNKNOWN)
        json_write_null(writer, "latency_ms");
    else
        json_write_thousandths(writer, "latency_ms", status->health.latency_us);
    json_write_int(writer, "failures", status->health.failures);
    write_time(writer, "checked_at", status->health.wall_us);
    json_write_string(writer, "reply", status->health.reply);
    json_write_object_end(writer);
}

static void write_lists(const struct status *status, struct json_writer *writer)
{
    json_write_list(writer, "installed");
    for (size_t i = 0; i < status->installed_count; i++) {
        json_write_object(writer, NULL);
        json_write_string(writer, "kind", status->installed[i].kind);
        json_write_string(writer, "unit", status->installed[i].unit);
        json_write_string(writer, "scope", status->installed[i].scope);
        json_write_bool(writer, "enabled", status->installed[i].enabled);
        json_write_object_end(writer);
    }
    json_write_list_end(writer);
    json_write_list(writer, "standby");
    for (size_t i = 0; i < status->standby_count; i++) {
        json_write_object(writer, NULL);
        write_number(writer, "pid", status->standby[i].pid);
        write_number(writer, "keeper_pid", status->standby[i].keeper_pid);
        json_write_string(writer, "launcher", status->standby[i].launcher);
        write_time(writer, "since", status->standby[i].since_wall_us);
        json_write_object_end(writer);
    }
    json_write_list_end(writer);
}

static void write_other(const struct status *status, struct json_writer *writer)
{
    if (!status->has_other) {
        json_write_null(writer, "other");
        return;
    }
    json_write_object(writer, "other");
    write_number(writer, "pid", status->other.pid);
    json_write_string(writer, "command", status->other.command);
    json_write_string(writer, "user", status->other.user);
    json_write_string(writer, "launcher", status->other.launcher);
    json_write_string(writer, "answers", status->other.answers);
    json_write_object_end(writer);
}

void status_write(const struct status *status, struct json_writer *writer, const char *key)
{
    json_write_object(writer, key);
    json_write_string(writer, "name", status->name);
    json_write_string(writer, "state", machine_state_name(status->state));
    write_number(writer, "pid", status->pid);
    write_number(writer, "supervisor_pid", status->supervisor_pid);
    write_number(writer, "keeper_pid", status->keeper_pid);
    write_number(writer, "generation", status->generation);
    json_write_bool(writer, "adopted", status->adopted);
    write_time(writer, "started_at", status->started_wall_us);
    write_time(writer, "ready_at", status->ready_wall_us);
    write_number(writer, "uptime_ms", status->uptime_ms);
    json_write_int(writer, "restarts", status->restarts);
    write_exit(status, writer);
    write_listeners(status, writer);
    write_health(status, writer);
    json_write_object(writer, "launcher");
    json_write_string(writer, "kind", status->launcher_kind);
    json_write_string(writer, "unit", status->launcher_unit);
    json_write_object_end(writer);
    write_lists(status, writer);
    write_other(status, writer);
    json_write_bool(writer, "config_changed", status->config_changed);
    json_write_string(writer, "status_text", status->text);
    write_number(writer, "next_try_ms", status->next_in_ms);
    json_write_string(writer, "log_error", status->log_error);
    json_write_string(writer, "config", status->config);
    json_write_string(writer, "log", status->log);
    json_write_string(writer, "version", status->version);
    json_write_object_end(writer);
}

/* "pid 42 serves http://127.0.0.1:8787, unix:/run/x": who it is, and what for. */
static void describe_instance(const struct status *status, char *ret_text, size_t size)
{
    bool serves = status->state == MACHINE_READY;
    size_t length;

    (void)str_format(ret_text, size, ": pid %lld", (long long)status->pid);
    for (size_t i = 0; serves && i < status->listener_count; i++) {
        length = strlen(ret_text);
        (void)str_format(ret_text + length, size - length, "%s %s", i == 0 ? " serves" : ",",
                status->listeners[i].url != NULL ? status->listeners[i].url : "a port of its own");
    }
    if (serves && status->listener_count == 0) {
        length = strlen(ret_text);
        (void)str_format(ret_text + length, size - length, " runs");
    }
}

void status_sentence(const struct status *status, char *ret_text, size_t size)
{
    char instance[STATUS_SENTENCE_BYTES / 2] = "";
    char next[64] = "";
    const char *text = status->text;

    if (status->pid > 0)
        describe_instance(status, instance, sizeof instance);
    if (status->state == MACHINE_UNHEALTHY && status->has_health && status->health.reply != NULL)
        text = status->health.reply;
    if (status->state == MACHINE_BACKOFF && status->next_in_ms > 0)
        (void)str_format(next, sizeof next, "; next try in %lld ms", (long long)status->next_in_ms);
    (void)str_format(ret_text, size, "%s%s%s%s%s", machine_state_name(status->state), instance,
            text != NULL ? ": " : "", text != NULL ? text : "", next);
    str_make_printable(ret_text);
}
