#include "systemd_jobs.h"

#include <string.h>

#include "str.h"
#include "systemctl.h"
#include "systemd_install.h"
#include "systemd_render.h"
#include "systemd_reply.h"

#include "banned.h"

#define STOP_SLACK_MS 20000 /* systemd kills what is left, and that takes a moment too */
#define STOP_LEAST_MS 60000
#define VALUE_BYTES   64

static void service_unit(const struct launcher_place *place, char *ret_unit, size_t size)
{
    systemd_render_service_name(place->name, ret_unit, size);
}

/* Its socket unit comes with it: Requires=. */
int systemd_start(const struct launcher_place *place, struct err *err)
{
    char unit[DEFINITION_NAME_BYTES];
    const char *words[] = { "start", "--no-block", unit, NULL };
    struct unit_state state;
    struct buffer out = { 0 };
    int result;

    service_unit(place, unit, sizeof unit);
    /* A start would only wait for the automatic restart with it: service_start() of systemd. */
    if (systemctl_show_state(
                systemd_manager(place), unit, platform_now_ms() + SYSTEMCTL_LIMIT_MS, &state) &&
            unit_state_waits(&state))
        words[0] = "restart";
    result = systemctl_call(systemd_manager(place), words, SYSTEMCTL_LIMIT_MS, &out, err);
    buffer_free(&out);
    return result;
}

enum launcher_progress systemd_progress(const struct launcher_place *place, struct err *err)
{
    enum systemctl_manager manager = systemd_manager(place);
    char unit[DEFINITION_NAME_BYTES];
    const char *const words[] = { "show", SYSTEMD_REPLY_END_PROPERTIES, unit, NULL };
    struct unit_state state;
    struct buffer out = { 0 };

    service_unit(place, unit, sizeof unit);
    (void)systemctl_show_state(manager, unit, platform_now_ms() + SYSTEMCTL_LIMIT_MS, &state);
    if (state.load != UNIT_STATE_LOADED) {
        err_set(err, ERR_FAILED, 0, "systemd does not say what became of %s", unit);
        return LAUNCHER_DOWN;
    }
    if (state.activity == UNIT_STATE_UP)
        return LAUNCHER_UP;
    if (state.activity != UNIT_STATE_DOWN)
        return LAUNCHER_COMING;
    if (systemctl_call(manager, words, SYSTEMCTL_LIMIT_MS, &out, err) == 0)
        (void)systemd_reply_explain_end(buffer_text(&out), unit, manager == SYSTEMCTL_USER, err);
    buffer_free(&out);
    return LAUNCHER_DOWN;
}

/* How long systemd itself waits for the end of the unit; it says so as "35s" or "1min 5s". */
static int64_t stop_limit_ms(enum systemctl_manager manager, const char *unit)
{
    const char *const words[] = { "show", "--property=TimeoutStopUSec", unit, NULL };
    struct buffer out = { 0 };
    char value[VALUE_BYTES] = "";
    struct err ignored;
    int64_t limit_ms;

    if (systemctl_call(manager, words, SYSTEMCTL_LIMIT_MS, &out, &ignored) == 0)
        systemd_reply_value(buffer_text(&out), "TimeoutStopUSec", value, sizeof value);
    limit_ms = systemd_reply_time_ms(value);
    buffer_free(&out);
    return (limit_ms > STOP_LEAST_MS ? limit_ms : STOP_LEAST_MS) + STOP_SLACK_MS;
}

int systemd_stop(const struct launcher_place *place, struct err *err)
{
    enum systemctl_manager manager = systemd_manager(place);
    struct launcher_installed installed;
    char unit[DEFINITION_NAME_BYTES];
    char socket[DEFINITION_NAME_BYTES];
    const char *words[] = { "stop", unit, NULL, NULL };
    struct buffer out = { 0 };
    int result;

    service_unit(place, unit, sizeof unit);
    systemd_render_socket_name(place->name, socket, sizeof socket);
    if (systemd_installed(place, &installed) && installed.with_socket)
        words[2] = socket; /* else the next connection would start it again */
    result = systemctl_call(manager, words, stop_limit_ms(manager, unit), &out, err);
    buffer_free(&out);
    return result;
}
