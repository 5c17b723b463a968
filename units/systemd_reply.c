#include "systemd_reply.h"

#include <string.h>

#include "str.h"

#include "banned.h"

#define LINE_BYTES  300
#define VALUE_BYTES 300
#define CODE_EXITED 1 /* CLD_EXITED: sigaction(2) */

/* The messages are systemd's and D-Bus's own (bus_log_connect_error(), BUS_ERROR_*,
 * org.freedesktop. DBus.Error.*), of version 252 and, as far as they differ, newer ones. */
static const struct {
    const char *said;
    enum err_kind kind;
    const char *meaning_of_system;
    const char *meaning_of_user;
} rows[] = {
    { "has not been booted with systemd", ERR_FAILED, "systemd is not the init process here",
            "systemd is not the init process here" },
    { "Failed to connect to bus: Permission denied", ERR_DENIED,
            "this user may not talk to systemd", "this user may not talk to its own systemd" },
    { "Failed to connect to", ERR_FAILED, "systemd cannot be reached",
            "this user has no systemd of its own now; it comes with a login session, or with "
            "loginctl enable-linger" },
    { "Interactive authentication required", ERR_DENIED, "not permitted; use sudo",
            "not permitted" },
    { "Access denied", ERR_DENIED, "not permitted; use sudo", "not permitted" },
    { "Permission denied", ERR_DENIED, "not permitted; use sudo", "not permitted" },
    { "Operation not permitted", ERR_DENIED, "not permitted; use sudo", "not permitted" },
    { "Read-only file system", ERR_FAILED, "systemd's folder for units is read-only",
            "systemd's folder for units is read-only" },
    { "is masked", ERR_FAILED, "the unit is masked; systemctl unmask makes it usable again",
            "the unit is masked; systemctl --user unmask makes it usable again" },
    { "bad unit file setting", ERR_FAILED,
            "systemd does not take the unit as it is; systemctl status says why",
            "systemd does not take the unit as it is; systemctl --user status says why" },
    { "Connection timed out", ERR_FAILED, "systemd did not answer", "systemd did not answer" },
    { "not found", ERR_FAILED, "systemd does not know the unit", "systemd does not know the unit" },
    { "not loaded", ERR_FAILED, "systemd does not know the unit",
            "systemd does not know the unit" },
};

/* The first line that is not empty. */
static void first_line(const char *text, char *ret_line, size_t size)
{
    char line[LINE_BYTES];

    text += strspn(text, "\n");
    (void)str_format(line, sizeof line, "%.*s", (int)strcspn(text, "\n"), text);
    str_shorten(ret_line, size, line);
}

int systemd_reply_explain(const char *text, const char *doing, bool of_user, struct err *err)
{
    char line[LINE_BYTES];

    first_line(text, line, sizeof line);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (strstr(text, rows[i].said) != NULL)
            return err_set(err, rows[i].kind, 0, "%s (systemctl%s %s: %s)",
                    of_user ? rows[i].meaning_of_user : rows[i].meaning_of_system,
                    of_user ? " --user" : "", doing, line);
    return err_set(err, ERR_FAILED, 0, "systemctl%s %s failed%s%s", of_user ? " --user" : "", doing,
            line[0] != '\0' ? ": " : "", line);
}

/* ---- Properties ------------------------------------------------------------------------------ */

void systemd_reply_value(const char *text, const char *property, char *ret_value, size_t size)
{
    size_t length = strlen(property);

    ret_value[0] = '\0';
    for (; *text != '\0'; text += strcspn(text, "\n"), text += *text == '\n' ? 1 : 0) {
        if (strncmp(text, property, length) != 0 || text[length] != '=')
            continue;
        (void)str_format(
                ret_value, size, "%.*s", (int)strcspn(text + length + 1, "\n"), text + length + 1);
        return;
    }
}

/* format_timespan() of systemd, as far as its values reach milliseconds. */
int64_t systemd_reply_time_ms(const char *text)
{
    static const struct {
        const char *name;
        int64_t ms;
    } units[] = {
        { "ms", 1 },
        { "s", 1000 },
        { "min", 60000 },
        { "h", 3600000 },
        { "d", 86400000 },
        { "w", 604800000 },
    };
    int64_t sum_ms = 0;

    while (*text != '\0') {
        int64_t number = 0;
        size_t length;
        size_t i = 0;

        for (; str_is_digit(*text) && number < 1000000; text++)
            number = number * 10 + (*text - '0');
        length = strcspn(text, " ");
        while (i < sizeof units / sizeof units[0] &&
                (strlen(units[i].name) != length || strncmp(units[i].name, text, length) != 0))
            i++;
        if (i == sizeof units / sizeof units[0])
            return 0;
        sum_ms += number * units[i].ms;
        text += length;
        text += strspn(text, " ");
    }
    return sum_ms;
}

/* ---- The end of a unit ----------------------------------------------------------------------- */

static bool is_own_code(uint64_t status)
{
    return status >= ERR_FAILED && status <= ERR_OCCUPIED;
}

int systemd_reply_explain_end(const char *text, const char *unit, bool of_user, struct err *err)
{
    char result[VALUE_BYTES];
    char code[VALUE_BYTES];
    char status[VALUE_BYTES];
    char said[VALUE_BYTES];
    uint64_t how = 0;
    uint64_t number = 0;
    bool exited;

    systemd_reply_value(text, "Result", result, sizeof result);
    systemd_reply_value(text, "ExecMainCode", code, sizeof code);
    systemd_reply_value(text, "ExecMainStatus", status, sizeof status);
    systemd_reply_value(text, "StatusText", said, sizeof said);
    exited = str_to_uint(code, INT32_MAX, &how) && how == CODE_EXITED &&
            str_to_uint(status, INT32_MAX, &number);
    err_set(err, exited && is_own_code(number) ? (enum err_kind)number : ERR_FAILED, 0,
            "systemd unit %s ended", unit);
    if (exited)
        (void)err_append(err, " with code %u", (unsigned)number);
    else if (result[0] != '\0' && strcmp(result, "success") != 0)
        (void)err_append(err, " (%s)", result);
    if (said[0] != '\0')
        (void)err_append(err, ": %s", said);
    return err_append(err, "; journalctl%s -u %s says why", of_user ? " --user" : "", unit);
}
