#include "unit_state.h"

#include <string.h>

#include "str.h"

#include "banned.h"

#define LINE_BYTES 1024

static void read_load(const char *value, struct unit_state *state)
{
    state->load = strcmp(value, "not-found") == 0 ? UNIT_STATE_MISSING : UNIT_STATE_LOADED;
}

/* A job that waits is about to change what the state says. */
static enum unit_state_activity activity_of(const char *active_state, bool has_job)
{
    if (strcmp(active_state, "inactive") == 0 || strcmp(active_state, "failed") == 0)
        return has_job ? UNIT_STATE_COMING : UNIT_STATE_DOWN;
    if (strcmp(active_state, "activating") == 0)
        return UNIT_STATE_COMING;
    if (strcmp(active_state, "deactivating") == 0)
        return UNIT_STATE_LEAVING;
    return strcmp(active_state, "active") == 0 && !has_job ? UNIT_STATE_UP : UNIT_STATE_CHANGING;
}

/* "web.socket other.socket" */
static void read_triggers(const char *value, struct unit_state *state)
{
    static const char suffix[] = ".socket";

    while (*value != '\0' && state->socket_unit[0] == '\0') {
        size_t length = strcspn(value, " ");

        if (length > sizeof suffix - 1 && length < sizeof state->socket_unit &&
                memcmp(value + length - (sizeof suffix - 1), suffix, sizeof suffix - 1) == 0)
            (void)str_format(
                    state->socket_unit, sizeof state->socket_unit, "%.*s", (int)length, value);
        value += length + strspn(value + length, " ");
    }
}

/* "127.0.0.1:8787 (Stream)", "/run/web.sock (Stream)" */
static void read_listen(char *value, struct unit_state *state)
{
    char *kind = strstr(value, " (Stream)");
    char text[ADDRESS_TEXT_BYTES];

    if (kind == NULL || state->listen_count == UNIT_STATE_LISTENS_MAX)
        return;
    *kind = '\0';
    if (str_format(text, sizeof text, "%s%s", value[0] == '/' ? "unix:" : "", value) &&
            address_parse(text, &state->listens[state->listen_count]) == NULL)
        state->listen_count++;
}

/* What of the answer only says something together. */
struct parts {
    char active[32];
    char sub[32];
    bool has_job;
};

static void read_line(char *line, struct unit_state *state, struct parts *parts)
{
    char *value = strchr(line, '=');
    uint64_t number;

    if (value == NULL)
        return;
    *value++ = '\0';
    if (strcmp(line, "Id") == 0)
        (void)str_copy(state->id, sizeof state->id, value);
    else if (strcmp(line, "LoadState") == 0)
        read_load(value, state);
    else if (strcmp(line, "ActiveState") == 0)
        (void)str_copy(parts->active, sizeof parts->active, value);
    else if (strcmp(line, "SubState") == 0)
        (void)str_copy(parts->sub, sizeof parts->sub, value);
    else if (strcmp(line, "MainPID") == 0 && str_to_uint(value, INT32_MAX, &number))
        state->main_pid = (int64_t)number;
    else if (strcmp(line, "Job") == 0 && str_to_uint(value, UINT32_MAX, &number) && number > 0)
        parts->has_job = true;
    else if (strcmp(line, "TriggeredBy") == 0)
        read_triggers(value, state);
    else if (strcmp(line, "Listen") == 0)
        read_listen(value, state);
}

void unit_state_parse(const char *text, size_t length, struct unit_state *ret_state)
{
    struct parts parts = { .has_job = false };
    const char *end = text + length;

    *ret_state = (struct unit_state) { .load = UNIT_STATE_UNKNOWN };
    while (text < end) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        size_t line_length = newline != NULL ? (size_t)(newline - text) : (size_t)(end - text);
        char line[LINE_BYTES];

        if (str_format(line, sizeof line, "%.*s", (int)line_length, text))
            read_line(line, ret_state, &parts);
        text += line_length + 1;
    }
    if (parts.active[0] == '\0') {
        ret_state->load = UNIT_STATE_UNKNOWN;
        return;
    }
    ret_state->activity = activity_of(parts.active, parts.has_job);
    (void)str_format(ret_state->words, sizeof ret_state->words, "%s (%s)", parts.active, parts.sub);
}

bool unit_state_waits(const struct unit_state *state)
{
    return strcmp(state->words, "activating (auto-restart)") == 0 ||
            strcmp(state->words, "activating (auto-restart-queued)") == 0;
}
