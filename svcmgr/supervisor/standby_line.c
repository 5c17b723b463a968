/* Others of our own kind, in line behind us. */
#include "standby.h"

#include <string.h>

#include "str.h"
#include "supervisor.h"

#include "banned.h"

static struct client *standby_client(const struct supervisor *sup, int place)
{
    struct client *client = sup->control.clients[place];

    return client != NULL && client->standby.since_wall_us != 0 && !client->broken ? client : NULL;
}

/* A launcher's job that we wait for may be who has just come to stand in line behind us. */
static void ask_launchers_again(struct supervisor *sup)
{
    if (sup->standby_at_ms == PLATFORM_NEVER || sup->guard.launcher.job == LAUNCHER_JOB_NONE)
        return;
    sup->standby_pause_ms = 0;
    sup->standby_at_ms = platform_now_ms();
}

bool standby_register(struct supervisor *sup, struct client *client, const cJSON *params)
{
    double keeper = 0;
    double pid = 0;
    const cJSON *launcher = json_member(params, "launcher");
    size_t count = 0;

    for (int i = 0; i < CONTROL_CLIENTS_MAX; i++)
        count += standby_client(sup, i) != NULL;
    if (count >= STATUS_STANDBY_MAX)
        return false;
    (void)json_whole_number(json_member(params, "keeper_pid"), 1, INT32_MAX, &keeper);
    (void)json_whole_number(json_member(params, "supervisor_pid"), 1, INT32_MAX, &pid);
    client->standby = (struct client_standby) {
        /* The system's word before its own. */
        .pid = client->peer.pid > 0 ? client->peer.pid : (int64_t)pid,
        .since_wall_us = platform_wall_us(),
        .keeper_pid = (int64_t)keeper,
    };
    if (cJSON_IsString(launcher))
        (void)str_format(client->standby.launcher, sizeof client->standby.launcher, "%.15s",
                launcher->valuestring);
    str_make_printable(client->standby.launcher);
    ask_launchers_again(sup);
    return true;
}

/* Tells everybody in line who has not been told to end; 'params' is JSON or NULL. */
static void tell_others(struct supervisor *sup, const char *method, const char *params)
{
    for (int i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        struct client *client = standby_client(sup, i);
        struct buffer message = { 0 };
        struct json_writer writer;

        if (client == NULL || client->standby.told_to_end)
            continue;
        protocol_request_begin(&writer, &message, 0, method);
        if (params != NULL)
            json_write_raw(&writer, "params", params);
        protocol_request_end(&writer);
        control_send(client, &message);
        buffer_free(&message);
        client->standby.told_to_end = strcmp(method, STANDBY_END_METHOD) == 0;
    }
}

void standby_end_others(struct supervisor *sup)
{
    tell_others(sup, STANDBY_END_METHOD, NULL);
}

void standby_tell_others(struct supervisor *sup)
{
    int64_t pid = sup->record.generations[publish_shown_slot(sup)].process.pid;
    char params[96];

    (void)str_format(params, sizeof params, "{\"pid\":%lld,\"supervisor_pid\":%lld}",
            (long long)pid, (long long)platform_pid());
    tell_others(sup, STANDBY_SERVES_METHOD, params);
}

bool standby_others_are_gone(const struct supervisor *sup)
{
    for (int i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        const struct client *client = standby_client(sup, i);

        if (client != NULL && client->standby.told_to_end)
            return false;
    }
    return true;
}

int64_t standby_next(const struct supervisor *sup)
{
    for (int i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        const struct client *client = standby_client(sup, i);

        if (client != NULL && !client->standby.told_to_end)
            return client->standby.pid;
    }
    return 0;
}

void standby_fill_status(const struct supervisor *sup, struct status *status)
{
    for (int i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        const struct client *client = standby_client(sup, i);

        if (client == NULL || status->standby_count == STATUS_STANDBY_MAX)
            continue;
        status->standby[status->standby_count++] = (struct status_standby) {
            .pid = client->standby.pid > 0 ? client->standby.pid : STATUS_UNKNOWN,
            .keeper_pid =
                    client->standby.keeper_pid > 0 ? client->standby.keeper_pid : STATUS_UNKNOWN,
            .launcher = client->standby.launcher[0] != '\0' ? client->standby.launcher : NULL,
            .since_wall_us = client->standby.since_wall_us,
        };
    }
}
