#include "config_diff.h"

#include <string.h>

#include "banned.h"

static bool same_text(const char *a, const char *b)
{
    if (a == NULL || b == NULL)
        return a == b;
    return strcmp(a, b) == 0;
}

static bool same_words(const struct config_words *a, const struct config_words *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (strcmp(a->list[i], b->list[i]) != 0)
            return false;
    return true;
}

static bool same_environment(const struct config *a, const struct config *b)
{
    if (a->environment_count != b->environment_count)
        return false;
    for (size_t i = 0; i < a->environment_count; i++)
        if (!same_text(a->environment[i].name, b->environment[i].name) ||
                !same_text(a->environment[i].value, b->environment[i].value))
            return false;
    return true;
}

static bool same_files(const struct config *a, const struct config *b)
{
    if (a->environment_file_count != b->environment_file_count)
        return false;
    for (size_t i = 0; i < a->environment_file_count; i++)
        if (!same_text(a->environment_files[i].path, b->environment_files[i].path) ||
                a->environment_files[i].optional != b->environment_files[i].optional)
            return false;
    return true;
}

static bool same_listeners(const struct config *a, const struct config *b)
{
    if (a->listener_count != b->listener_count)
        return false;
    for (size_t i = 0; i < a->listener_count; i++)
        if (!config_same_listener(&a->listeners[i], &b->listeners[i]) ||
                strcmp(a->listeners[i].name, b->listeners[i].name) != 0)
            return false;
    return true;
}

static bool same_health(const struct config *a, const struct config *b)
{
    return a->health == b->health && same_text(a->health_path, b->health_path) &&
            same_words(&a->health_command, &b->health_command) &&
            a->health_interval_ms == b->health_interval_ms &&
            a->health_timeout_ms == b->health_timeout_ms &&
            a->health_failures == b->health_failures &&
            a->health_start_period_ms == b->health_start_period_ms;
}

static bool same_restart(const struct config *a, const struct config *b)
{
    return a->restart_when == b->restart_when && a->restart_delay_ms == b->restart_delay_ms &&
            a->restart_max_delay_ms == b->restart_max_delay_ms &&
            a->restart_factor_thousandths == b->restart_factor_thousandths &&
            a->restart_burst == b->restart_burst && a->restart_within_ms == b->restart_within_ms &&
            a->restart_prevent_count == b->restart_prevent_count &&
            memcmp(a->restart_prevent_on, b->restart_prevent_on,
                    a->restart_prevent_count * sizeof a->restart_prevent_on[0]) == 0 &&
            a->restart_on_unhealthy == b->restart_on_unhealthy;
}

static bool same_stop(const struct config *a, const struct config *b)
{
    return same_text(a->stop_signal, b->stop_signal) && a->stop_timeout_ms == b->stop_timeout_ms &&
            same_words(&a->stop_command, &b->stop_command);
}

static bool same_dependencies(const struct config *a, const struct config *b)
{
    if (a->depends_on_count != b->depends_on_count)
        return false;
    for (size_t i = 0; i < a->depends_on_count; i++)
        if (strcmp(a->depends_on[i], b->depends_on[i]) != 0)
            return false;
    return true;
}

static bool same_rivals(const struct config *a, const struct config *b)
{
    if (a->rival_count != b->rival_count)
        return false;
    for (size_t i = 0; i < a->rival_count; i++)
        if (a->rivals[i].launcher != b->rivals[i].launcher ||
                strcmp(a->rivals[i].job, b->rivals[i].job) != 0)
            return false;
    return true;
}

static bool same_logs(const struct config *a, const struct config *b)
{
    return a->log_max_bytes == b->log_max_bytes && a->log_keep == b->log_keep &&
            a->log_timestamps == b->log_timestamps;
}

static void live(struct config_diff *diff, bool same, const char *key)
{
    if (!same && diff->live_count < CONFIG_DIFF_MAX)
        diff->live[diff->live_count++] = key;
}

static void restart(struct config_diff *diff, bool same, const char *key)
{
    if (!same && diff->restart_count < CONFIG_DIFF_MAX)
        diff->restart[diff->restart_count++] = key;
}

void config_diff(const struct config *from, const struct config *to, struct config_diff *ret_diff)
{
    struct config_diff *diff = ret_diff;

    *diff = (struct config_diff) { .live_count = 0 };
    live(diff, same_text(from->description, to->description), "description");
    live(diff, same_health(from, to), "health");
    live(diff, from->settle_ms == to->settle_ms, "settle");
    live(diff, from->start_timeout_ms == to->start_timeout_ms, "start_timeout");
    live(diff, same_restart(from, to), "restart");
    live(diff, from->replace == to->replace, "replace");
    live(diff, same_stop(from, to), "stop");
    live(diff, from->duplicate == to->duplicate, "duplicate");
    live(diff, from->probe_timeout_ms == to->probe_timeout_ms, "probe_timeout");
    live(diff, from->bind_timeout_ms == to->bind_timeout_ms, "bind_timeout");
    live(diff, same_rivals(from, to), "rivals");
    live(diff, same_dependencies(from, to), "depends_on");
    live(diff, same_logs(from, to), "logs");
    restart(diff, same_words(&from->command, &to->command), "command");
    restart(diff, same_text(from->directory, to->directory), "directory");
    restart(diff, from->umask == to->umask, "umask");
    restart(diff, from->nice == to->nice && from->nice_set == to->nice_set, "nice");
    restart(diff, same_environment(from, to), "environment");
    restart(diff, same_files(from, to), "environment_file");
    restart(diff, same_text(from->user, to->user), "user");
    restart(diff, same_text(from->group, to->group), "group");
    restart(diff, memcmp(from->limits, to->limits, sizeof from->limits) == 0, "limits");
    restart(diff, same_listeners(from, to), "listen");
    restart(diff, from->listen_pid == to->listen_pid, "listen_pid");
    restart(diff, from->ready == to->ready, "ready");
    restart(diff, from->watchdog_ms == to->watchdog_ms, "watchdog");
    restart(diff, from->log_destination == to->log_destination, "logs.destination");
    restart(diff, from->log_separate == to->log_separate, "logs.streams");
}

void config_apply_live(const struct config *from, struct config *to)
{
    to->description = from->description;
    to->health = from->health;
    to->health_path = from->health_path;
    to->health_command = from->health_command;
    to->health_interval_ms = from->health_interval_ms;
    to->health_timeout_ms = from->health_timeout_ms;
    to->health_failures = from->health_failures;
    to->health_start_period_ms = from->health_start_period_ms;
    to->settle_ms = from->settle_ms;
    to->start_timeout_ms = from->start_timeout_ms;
    to->restart_when = from->restart_when;
    to->restart_delay_ms = from->restart_delay_ms;
    to->restart_max_delay_ms = from->restart_max_delay_ms;
    to->restart_factor_thousandths = from->restart_factor_thousandths;
    to->restart_burst = from->restart_burst;
    to->restart_within_ms = from->restart_within_ms;
    to->restart_prevent_count = from->restart_prevent_count;
    memcpy(to->restart_prevent_on, from->restart_prevent_on, sizeof to->restart_prevent_on);
    to->restart_on_unhealthy = from->restart_on_unhealthy;
    to->replace = from->replace;
    to->stop_signal = from->stop_signal;
    to->stop_timeout_ms = from->stop_timeout_ms;
    to->stop_command = from->stop_command;
    to->duplicate = from->duplicate;
    to->probe_timeout_ms = from->probe_timeout_ms;
    to->bind_timeout_ms = from->bind_timeout_ms;
    to->rivals = from->rivals;
    to->rival_count = from->rival_count;
    to->depends_on = from->depends_on;
    to->depends_on_count = from->depends_on_count;
    to->log_max_bytes = from->log_max_bytes;
    to->log_keep = from->log_keep;
    to->log_timestamps = from->log_timestamps;
}
