/* What must hold between keys, and the defaults that depend on other keys.  A key that has a fault
 * already takes no part: what would follow from it is noise. */
#include "config_read.h"
#include "str.h"
#include "tokens.h"

#include "banned.h"

/* Tokens */

static void check_text(
        struct config_reader *reader, const struct tokens_context *context, const cJSON *item)
{
    size_t at;
    struct err err;

    if (cJSON_IsString(item) &&
            tokens_check(item->valuestring, context, reader->uses_fd, &at, &err) == -1)
        json_fault_at_value(reader->document, item, reader->faults, "%s", err.text);
}

static void check_tokens(struct config_reader *reader)
{
    static const char *const paths[] = {
        "command",
        "environment",
        "health.command",
        "stop.command",
    };
    struct tokens_listener listeners[CONFIG_LISTENERS_MAX] = { 0 };
    struct tokens_context context = {
        .name = reader->config->name,
        .listeners = listeners,
        .listener_count = reader->config->listener_count,
    };

    for (size_t i = 0; i < context.listener_count; i++)
        listeners[i] = (struct tokens_listener) {
            .name = reader->config->listeners[i].name,
            .address = reader->config->listeners[i].address,
        };
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        const cJSON *list = config_item(reader, paths[i]);

        if (cJSON_IsArray(list) || cJSON_IsObject(list))
            for (const cJSON *item = list->child; item != NULL; item = item->next)
                check_text(reader, &context, item);
    }
}

/* Health and readiness */

static void check_health(struct config_reader *reader)
{
    static const struct {
        const char *key;
        enum config_health kind;
    } kinds[] = {
        { "http", CONFIG_HEALTH_HTTP },
        { "tcp", CONFIG_HEALTH_TCP },
        { "command", CONFIG_HEALTH_COMMAND },
    };
    struct config *config = reader->config;
    const cJSON *health = config_item(reader, "health");

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        const cJSON *item = json_member(health, kinds[i].key);

        if (item != NULL && config->health != CONFIG_HEALTH_NONE)
            json_fault_at_key(reader->document, item, reader->faults,
                    "health: one of \"http\", \"tcp\" and \"command\" only; remove the others");
        else if (item != NULL)
            config->health = kinds[i].kind;
        if (item != NULL && kinds[i].kind != CONFIG_HEALTH_COMMAND && config->listener_count == 0)
            json_fault_at_key(reader->document, item, reader->faults,
                    "health.%s: there is nothing to connect to; add \"listen\" or use "
                    "\"command\"",
                    kinds[i].key);
    }
    if (cJSON_IsObject(health) && config->health == CONFIG_HEALTH_NONE &&
            !config_is_faulty(reader, "health"))
        config_fault(reader, health, "health", "needs one of \"http\", \"tcp\" or \"command\"");
}

static void check_ready(struct config_reader *reader)
{
    struct config *config = reader->config;
    const cJSON *item = config_item(reader, "ready");
    bool has_health = config_item(reader, "health") != NULL;

    if (item == NULL)
        config->ready = has_health ? CONFIG_READY_HEALTH : CONFIG_READY_SPAWN;
    else if (config->ready == CONFIG_READY_HEALTH && !has_health &&
            !config_is_faulty(reader, "ready"))
        config_fault(reader, item, "ready", "there is no \"health\" that could say so; add one");
}

/* Sockets */

static void check_socket(struct config_reader *reader, size_t i)
{
    struct config_listener *listener = &reader->config->listeners[i];
    const cJSON *item = reader->listeners[i];
    bool inherits = reader->config->ready == CONFIG_READY_NOTIFY || reader->uses_fd[i];

    if (!listener->socket_set)
        listener->socket = inherits ? CONFIG_SOCKET_INHERIT : CONFIG_SOCKET_SELF;
    if (config_is_faulty(reader, "listen"))
        return;
    if (listener->socket_set && listener->socket == CONFIG_SOCKET_SELF && reader->uses_fd[i])
        config_fault(reader, json_member(item, "socket"), "listen.socket",
                "\"self\" passes no socket, but {fd} is used for listener \"%s\"; remove one of "
                "them",
                listener->name);
    if (listener->both && listener->socket == CONFIG_SOCKET_SELF &&
            !config_is_faulty(reader, "ready"))
        config_fault(reader, json_member(item, "both"), "listen.both",
                "passes two sockets, and with \"self\" none is passed; set \"socket\": "
                "\"inherit\"");
}

static bool all_inherit(const struct config *config)
{
    for (size_t i = 0; i < config->listener_count; i++)
        if (config->listeners[i].socket != CONFIG_SOCKET_INHERIT)
            return false;
    return config->listener_count > 0;
}

static void check_replace(struct config_reader *reader)
{
    struct config *config = reader->config;
    const cJSON *item = config_item(reader, "replace");

    if (item == NULL) {
        config->replace = all_inherit(config) && config->ready == CONFIG_READY_NOTIFY
                ? CONFIG_REPLACE_OVERLAP
                : CONFIG_REPLACE_SEQUENTIAL;
        return;
    }
    if (config->replace != CONFIG_REPLACE_OVERLAP || config_is_faulty(reader, "replace"))
        return;
    if (!all_inherit(config) && !config_is_faulty(reader, "listen") &&
            !config_is_faulty(reader, "ready"))
        config_fault(reader, item, "replace",
                "\"overlap\" needs listeners that all are \"socket\": \"inherit\", since two "
                "programs cannot both bind the address");
    if (config->ready != CONFIG_READY_NOTIFY && config->health != CONFIG_HEALTH_COMMAND &&
            !config_is_faulty(reader, "ready") && !config_is_faulty(reader, "health"))
        config_fault(reader, item, "replace",
                "\"overlap\" needs \"ready\": \"notify\" or a health.command, since an answer on a "
                "shared socket does not say which of the two programs gave it");
}

static void check_restart(struct config_reader *reader)
{
    struct config *config = reader->config;
    const cJSON *item = config_item(reader, "restart.max_delay");

    if (config->restart_max_delay_ms >= config->restart_delay_ms)
        return;
    if (item == NULL)
        config->restart_max_delay_ms = config->restart_delay_ms;
    else if (!config_is_faulty(reader, "restart.delay") &&
            !config_is_faulty(reader, "restart.max_delay"))
        config_fault(reader, item, "restart.max_delay", "is shorter than restart.delay");
}

void config_check(struct config_reader *reader)
{
    struct config *config = reader->config;

    if (config_item(reader, "command") == NULL)
        json_fault_at_value(reader->document, reader->document->root, reader->faults,
                "\"command\" is missing: the program to run, as in \"command\": [\"python3\", "
                "\"server.py\"]");
    config->nice_set = config_item(reader, "nice") != NULL;
    config->log_destination_set = config_item(reader, "logs.destination") != NULL;
    config_check_listeners(reader);
    check_tokens(reader);
    check_health(reader);
    check_ready(reader);
    for (size_t i = 0; i < config->listener_count; i++)
        check_socket(reader, i);
    check_replace(reader);
    check_restart(reader);
    if (reader->abilities != NULL)
        config_check_abilities(reader);
}
