#include "service.h"

#include <stdlib.h>
#include <string.h>

#include "config_diff.h"

#include "banned.h"

static enum machine_restart restart_of(enum config_when when)
{
    switch (when) {
    case CONFIG_WHEN_ALWAYS:
        return MACHINE_RESTART_ALWAYS;
    case CONFIG_WHEN_ON_FAILURE:
        return MACHINE_RESTART_ON_FAILURE;
    case CONFIG_WHEN_NEVER:
    case CONFIG_WHEN_COUNT:
        break;
    }
    return MACHINE_RESTART_NEVER;
}

static void fill_machine(struct service *service)
{
    const struct config *config = &service->config;

    service->machine = (struct machine_config){
        .start_timeout_ms = config->start_timeout_ms,
        .stop_timeout_ms = config->stop_timeout_ms,
        .restart = restart_of(config->restart_when),
        .backoff = {
            .delay_ms = config->restart_delay_ms,
            .max_delay_ms = config->restart_max_delay_ms,
            .factor_thousandths = config->restart_factor_thousandths,
            .burst = config->restart_burst,
            .within_ms = config->restart_within_ms,
        },
        .restart_on_unhealthy = config->restart_on_unhealthy,
        .overlap = config->replace == CONFIG_REPLACE_OVERLAP,
    };
}

static void explain_faults(const char *path, const struct json_faults *faults, struct err *err)
{
    size_t count = faults->count + faults->dropped;
    const struct json_fault *first = &faults->list[0];

    if (faults->count == 0) {
        err_set(err, ERR_CONFIG, 0, "%s cannot be read: out of memory", path);
        return;
    }
    err_set(err, ERR_CONFIG, 0, "%s:%zu:%zu: %s", path, first->line, first->column, first->text);
    if (count > 1)
        err_append(err, " (and %zu more fault%s)", count - 1, count == 2 ? "" : "s");
}

int service_load(const char *name, const char *path, struct service **ret_service,
        struct json_faults *faults, struct err *err)
{
    struct service *service = calloc(1, sizeof *service);
    struct json_faults own = { 0 };
    struct json_faults *list = faults != NULL ? faults : &own;
    int result = -1;

    if (service == NULL)
        return err_memory(err);
    (void)platform_stat_target(path, &service->file);
    /* Of a file that is too large the beginning is there, for config_parse() to say so. */
    if (platform_read_file(path, CONFIG_MAX_BYTES + 1, &service->text, err) == -1 &&
            service->text.length <= CONFIG_MAX_BYTES) {
        if (err->kind == ERR_NO_SERVICE)
            err_set(err, ERR_NO_SERVICE, err->os_code, "there is no configuration %s", path);
        else if (err->kind == ERR_FAILED)
            err->kind = ERR_CONFIG;
        goto out;
    }
    if (config_parse_for(platform_abilities(), name, service->text.data, service->text.length,
                &service->config, list) == -1) {
        explain_faults(path, list, err);
        goto out;
    }
    fill_machine(service);
    if (listener_init(&service->listeners, &service->config, err) == -1) {
        config_free(&service->config);
        goto out;
    }
    *ret_service = service;
    result = 0;
out:
    json_faults_free(&own);
    if (result == -1) {
        buffer_free(&service->text);
        free(service);
    }
    return result;
}

void service_apply_live(struct service *service, struct service *newer)
{
    bool by_hand = service->machine.by_hand;
    bool exit_when_failed = service->machine.exit_when_failed;
    bool exit_with_instance = service->machine.exit_with_instance;

    config_apply_live(&newer->config, &service->config);
    fill_machine(service);
    service->machine.by_hand = by_hand;
    service->machine.exit_when_failed = exit_when_failed;
    service->machine.exit_with_instance = exit_with_instance;
    service->file = newer->file;
    /* An older reload's texts are used by nobody any more: all live ones are newer's now. */
    service_free(service->reloaded);
    service->reloaded = newer;
}

void service_free(struct service *service)
{
    if (service == NULL)
        return;
    service_free(service->reloaded);
    listener_free(&service->listeners);
    config_free(&service->config);
    buffer_free(&service->text);
    free(service);
}

bool service_file_changed(const struct service *service, const char *path)
{
    struct platform_file now;

    if (!platform_stat_target(path, &now))
        return true;
    return now.size != service->file.size || now.modified_ns != service->file.modified_ns ||
            now.file_id != service->file.file_id || now.device_id != service->file.device_id;
}

void service_ask_holder(const struct service *service, struct holder *holder)
{
    int64_t timeout_ms = service->config.probe_timeout_ms;

    holder_ask(holder, config_probe_path(&service->config),
            timeout_ms < SERVICE_ASK_MAX_MS ? timeout_ms : SERVICE_ASK_MAX_MS);
}
