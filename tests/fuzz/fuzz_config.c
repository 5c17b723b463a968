/* Bytes -> config_parse(): it never crashes, its faults are in the text and sorted, and what it
 * accepts keeps what config.h promises. */
#include <stdint.h>
#include <string.h>

#include "config.h"
#include "fuzz.h"
#include "signal_name.h"
#include "str.h"

#include "banned.h"

static void check_words(const struct config_words *words)
{
    if (words->count == 0)
        return;
    REQUIRE(words->list[0][0] != '\0');
    for (size_t i = 0; i < words->count; i++)
        REQUIRE(str_is_utf8(words->list[i], strlen(words->list[i])));
    REQUIRE(words->list[words->count] == NULL);
}

static void check_listeners(const struct config *config)
{
    REQUIRE(config->listener_count <= CONFIG_LISTENERS_MAX);
    for (size_t i = 0; i < config->listener_count; i++) {
        const struct config_listener *listener = &config->listeners[i];

        REQUIRE(listener->name[0] != '\0' && listener->address.family != ADDRESS_NONE);
        REQUIRE(listener->backlog >= 1 && listener->mode >= 0 && listener->mode <= 0777);
        REQUIRE(listener->socket < CONFIG_SOCKET_COUNT);
        REQUIRE(!listener->both || listener->localhost);
        REQUIRE(!listener->both || listener->socket == CONFIG_SOCKET_INHERIT);
        for (size_t k = 0; k < i; k++) {
            const struct config_listener *other = &config->listeners[k];

            REQUIRE(strcmp(listener->name, other->name) != 0);
            REQUIRE((address_is_ip(&listener->address) && listener->address.port == 0) ||
                    !address_covers(&listener->address, &other->address));
        }
    }
}

static void check_lists(const struct config *config)
{
    const char *why;

    for (size_t i = 0; i < config->environment_count; i++)
        REQUIRE(config->environment[i].name[0] != '\0' &&
                strchr(config->environment[i].name, '=') == NULL);
    for (size_t i = 0; i < config->environment_file_count; i++)
        REQUIRE(config->environment_files[i].path[0] != '\0');
    for (size_t i = 0; i < config->depends_on_count; i++)
        REQUIRE(config_name_is_valid(config->depends_on[i], &why));
    for (size_t i = 0; i < config->rival_count; i++)
        REQUIRE(config->rivals[i].job[0] != '\0' &&
                config->rivals[i].launcher < CONFIG_RIVAL_COUNT);
    REQUIRE(config->restart_prevent_count <= CONFIG_PREVENT_MAX);
    for (int i = 0; i < CONFIG_LIMIT_COUNT; i++)
        REQUIRE(config->limits[i] >= CONFIG_LIMIT_UNSET);
}

static void check_config(const struct config *config)
{
    REQUIRE(config->command.count > 0);
    check_words(&config->command);
    check_words(&config->health_command);
    check_words(&config->stop_command);
    check_listeners(config);
    check_lists(config);
    REQUIRE((config->health == CONFIG_HEALTH_HTTP) == (config->health_path != NULL));
    REQUIRE((config->health == CONFIG_HEALTH_COMMAND) == (config->health_command.count > 0));
    REQUIRE(config->ready != CONFIG_READY_HEALTH || config->health != CONFIG_HEALTH_NONE);
    REQUIRE(config->replace != CONFIG_REPLACE_OVERLAP || config->listener_count > 0);
    REQUIRE(signal_name_find(config->stop_signal) == config->stop_signal);
    REQUIRE(config->restart_max_delay_ms >= config->restart_delay_ms);
    REQUIRE(config->restart_factor_thousandths >= 1000);
    REQUIRE(config->restart_burst >= 0 && config->restart_burst <= CONFIG_BURST_MAX);
    REQUIRE(config->umask >= 0 && config->umask <= 0777);
    REQUIRE(config->log_max_bytes > 0);
}

static void check_faults(const struct json_faults *faults, size_t size)
{
    REQUIRE(faults->count > 0);
    REQUIRE(faults->dropped == 0 || faults->count == JSON_FAULTS_MAX);
    for (size_t i = 0; i < faults->count; i++) {
        const struct json_fault *fault = &faults->list[i];

        REQUIRE(fault->line >= 1 && fault->column >= 1);
        REQUIRE(fault->line + fault->column <= size + 2);
        REQUIRE(fault->text[0] != '\0' && strchr(fault->text, '\n') == NULL);
        REQUIRE(i == 0 || fault[-1].line < fault->line ||
                (fault[-1].line == fault->line && fault[-1].column <= fault->column));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct config config;
    struct json_faults faults = { 0 };

    if (config_parse("web", (const char *)bytes, size, &config, &faults) == 0) {
        REQUIRE(faults.count == 0 && faults.dropped == 0);
        check_config(&config);
        config_free(&config);
    } else {
        check_faults(&faults, size);
    }
    json_faults_free(&faults);
    return 0;
}
