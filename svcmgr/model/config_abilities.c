/* What the system at hand has nothing like is a fault of the configuration there: found when it is
 * written or checked, and not by the first start. */
#include <string.h>

#include "config_read.h"

#include "banned.h"

static bool is_among(const char *const *words, const char *word)
{
    for (; words != NULL && *words != NULL; words++)
        if (strcmp(*words, word) == 0)
            return true;
    return words == NULL;
}

static void check_notification(struct config_reader *reader)
{
    const char *name = reader->abilities->name;

    if (reader->abilities->notifies)
        return;
    if (reader->config->ready == CONFIG_READY_NOTIFY)
        config_fault(reader, config_item(reader, "ready"), "ready",
                "%s has no notification sockets (READY=1); set it to \"health\" or \"spawn\"",
                name);
    if (reader->config->watchdog_ms != 0)
        config_fault(reader, config_item(reader, "watchdog"), "watchdog",
                "%s has no notification sockets (WATCHDOG=1); remove it, and use \"health\"", name);
}

static void check_limits(struct config_reader *reader)
{
    static const char prefix[] = "limits.";
    const size_t length = sizeof prefix - 1;

    for (size_t i = 0; i < config_field_count; i++) {
        const char *path = config_fields[i].path;
        const cJSON *item = config_item(reader, path);

        if (item != NULL && strncmp(path, prefix, length) == 0 && !reader->faulty[i] &&
                !is_among(reader->abilities->limits, path + length))
            config_fault(reader, item, path, "%s has no such limit, but %s; remove it",
                    reader->abilities->name, reader->abilities->limits_text);
    }
}

void config_check_abilities(struct config_reader *reader)
{
    const struct abilities *abilities = reader->abilities;
    const cJSON *group = config_item(reader, "group");
    const cJSON *mask = config_item(reader, "umask");
    const cJSON *asked = config_item(reader, "stop.signal");
    const cJSON *destination = config_item(reader, "logs.destination");

    check_notification(reader);
    check_limits(reader);
    if (group != NULL && !abilities->groups)
        config_fault(reader, group, "group",
                "on %s a program has the groups of its user; remove it", abilities->name);
    if (mask != NULL && !abilities->umasks)
        config_fault(reader, mask, "umask",
                "on %s it is a directory that says who may read a new file in it; remove it",
                abilities->name);
    if (asked != NULL && !config_is_faulty(reader, "stop.signal") &&
            !is_among(abilities->signals, reader->config->stop_signal))
        config_fault(reader, asked, "stop.signal", "%s has nothing like it; there are %s",
                abilities->name, abilities->signals_text);
    if (destination != NULL && !config_is_faulty(reader, "logs.destination") &&
            !is_among(abilities->logs, destination->valuestring))
        config_fault(reader, destination, "logs.destination", "%s has no %s; there are %s",
                abilities->name, destination->valuestring, abilities->logs_text);
}
