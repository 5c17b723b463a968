/* The status document, and the sentence that stands for it. */
#include <string.h>

#include "status.h"
#include "str.h"
#include "supervisor.h"
#include "version.h"

#include "banned.h"

struct status_space {
    struct status status;
    char hosts[CONFIG_LISTENERS_MAX][ADDRESS_TEXT_BYTES];
    char urls[CONFIG_LISTENERS_MAX][ADDRESS_TEXT_BYTES];
    char log[PLATFORM_PATH_BYTES];
    char text[512];
};

static void fill_listeners(
        const struct supervisor *sup, const struct instance *instance, struct status_space *space)
{
    const struct listener_set *set = &sup->service->listeners;

    space->status.listener_count = set->count;
    for (size_t i = 0; i < set->count; i++) {
        const struct listener *listener = &set->list[i];
        bool is_path = listener->bound.family == ADDRESS_UNIX;

        address_format_host(&listener->bound, space->hosts[i], sizeof space->hosts[i]);
        listener_url(listener, space->urls[i], sizeof space->urls[i]);
        space->status.listeners[i] = (struct status_listener) {
            .name = listener->config.name,
            .address = space->hosts[i],
            /* A port that is not known yet is not published. */
            .port = is_path || listener->bound.port == 0 ? STATUS_UNKNOWN : listener->bound.port,
            .url = !is_path && listener->bound.port == 0 ? NULL : space->urls[i],
            .socket = listener->config.socket,
            .held = listener->handle != PLATFORM_NO_HANDLE,
            .owner = listener->config.socket == CONFIG_SOCKET_SELF && instance->owner_unproved
                    ? "unproved"
                    : NULL,
        };
    }
}

static void fill_health(const struct instance *instance, struct status *status)
{
    const struct health *health = &instance->health;

    status->has_health = true;
    status->health = (struct status_health) {
        .status = !health->ever   ? "unknown"
                : health->healthy ? "healthy"
                                  : "unhealthy",
        .latency_us = health->latency_us,
        .failures = health->failures,
        .wall_us = health->wall_us,
        .reply = health->ever ? health->text : NULL,
    };
}

static void fill_text(
        const struct supervisor *sup, const struct instance *instance, struct status_space *space)
{
    struct status *status = &space->status;

    if (sup->guard.running)
        guard_waits_for(&sup->guard, space->text, sizeof space->text);
    else if (status->state == MACHINE_STOPPED && sup->exit_code != 0)
        (void)str_format(space->text, sizeof space->text, "%s", sup->failure.text);
    else if (status->state == MACHINE_STANDBY || status->state == MACHINE_FAILED ||
            status->state == MACHINE_BACKOFF)
        (void)str_format(space->text, sizeof space->text, "%s",
                sup->failure.text[0] != '\0' ? sup->failure.text : sup->record.last_exit.reason);
    else if (instance->status_text[0] != '\0')
        (void)str_format(space->text, sizeof space->text, "%s", instance->status_text);
    else if (status->state == MACHINE_STARTING && instance->health.ever)
        (void)str_format(
                space->text, sizeof space->text, "waiting for health: %s", instance->health.text);
    if (status->state == MACHINE_FAILED && given_is_shared(sup)) {
        size_t length = strlen(space->text);

        (void)str_format(space->text + length, sizeof space->text - length,
                "; whoever connects waits, since %s listens", sup->launcher->kind);
    }
    status->text = space->text[0] != '\0' ? space->text : NULL;
}

static void fill_other(const struct supervisor *sup, struct status *status)
{
    const struct holder *other = &sup->guard.other;

    status->has_other = other->found &&
            (status->state == MACHINE_STANDBY || status->state == MACHINE_FAILED ||
                    status->state == MACHINE_BACKOFF || status->state == MACHINE_STARTING);
    status->other = (struct status_other) {
        .pid = other->pid > 0 ? other->pid : STATUS_UNKNOWN,
        .command = other->command[0] != '\0' ? other->command : NULL,
        .user = other->user[0] != '\0' ? other->user : NULL,
        .launcher = other->launcher[0] != '\0' ? other->launcher : NULL,
        .answers = other->answers[0] != '\0' ? other->answers : NULL,
    };
}

static void fill_last_exit(const struct supervisor *sup, struct status *status)
{
    const struct record_exit *last = &sup->record.last_exit;

    status->has_exit = last->known;
    status->last_exit = (struct status_exit) {
        .code = last->code,
        .by_signal = last->by_signal > 0 ? platform_signal_name(last->by_signal) : NULL,
        .wall_us = last->wall_us,
        .reason = last->reason,
    };
}

enum machine_slot publish_shown_slot(const struct supervisor *sup)
{
    const struct machine_generation *next = &sup->machine.generations[MACHINE_NEXT];

    return next->phase == MACHINE_PHASE_READY || next->phase == MACHINE_PHASE_UNHEALTHY
            ? MACHINE_NEXT
            : MACHINE_CURRENT;
}

static void fill_instance(
        const struct supervisor *sup, enum machine_slot slot, struct status_space *space)
{
    const struct machine_generation *life = &sup->machine.generations[slot];
    const struct record_generation *recorded = &sup->record.generations[slot];
    struct status *status = &space->status;
    bool runs = recorded->process.pid > 0 && !life->main_ended;

    status->pid = runs ? recorded->process.pid : STATUS_UNKNOWN;
    status->generation = sup->machine.last_number == 0 ? STATUS_UNKNOWN
            : life->phase != MACHINE_PHASE_NONE        ? (int64_t)life->number
                                                       : (int64_t)sup->machine.last_number;
    status->started_wall_us = recorded->spawned_wall_us;
    status->ready_wall_us = recorded->ready_wall_us;
    status->uptime_ms = runs ? platform_now_ms() - life->spawned_ms : STATUS_UNKNOWN;
    status->restarts = sup->machine.restarts;
    if (sup->service->config.health != CONFIG_HEALTH_NONE)
        fill_health(&sup->instances[slot], status);
}

static void fill_status(struct supervisor *sup, struct status_space *space)
{
    enum machine_slot slot = publish_shown_slot(sup);
    struct status *status = &space->status;

    *space = (struct status_space) { .status = { .name = sup->options.name } };
    status->state = machine_state(&sup->machine);
    status->supervisor_pid = platform_pid();
    status->keeper_pid = sup->link.keeper.pid > 0 ? sup->link.keeper.pid : STATUS_UNKNOWN;
    status->adopted = sup->adopted;
    fill_instance(sup, slot, space);
    fill_last_exit(sup, status);
    fill_listeners(sup, &sup->instances[slot], space);
    status->launcher_kind = sup->record.launcher;
    status->launcher_unit = sup->record.launcher_unit[0] != '\0' ? sup->record.launcher_unit : NULL;
    standby_fill_status(sup, status);
    fill_other(sup, status);
    status->config_changed =
            sup->needs_restart || service_file_changed(sup->service, sup->options.config_path);
    fill_text(sup, &sup->instances[slot], space);
    status->next_in_ms = sup->machine.activity == MACHINE_WAITS
            ? sup->machine.wait_until_ms - platform_now_ms()
            : STATUS_UNKNOWN;
    status->log_error = output_error(&sup->output);
    status->config = sup->options.config_path;
    (void)str_format(space->log, sizeof space->log, "%s/log/current", sup->options.state_directory);
    status->log = sup->output.captured ? space->log : NULL;
    status->version = SVCMGR_VERSION;
}

void publish_status(struct supervisor *sup, struct json_writer *writer, const char *key)
{
    struct status_space space;

    fill_status(sup, &space);
    status_write(&space.status, writer, key);
    sup->may_shrink = true;
}

void publish_sentence(struct supervisor *sup, char *ret_text, size_t size)
{
    struct status_space space;

    if (sup->service == NULL) {
        (void)str_format(
                ret_text, size, "%s: %s", machine_state_name(MACHINE_STOPPED), sup->failure.text);
        str_make_printable(ret_text);
        return;
    }
    fill_status(sup, &space);
    status_sentence(&space.status, ret_text, size);
}
