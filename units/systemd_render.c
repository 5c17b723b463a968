#include "systemd_render.h"

#include <string.h>

#include "str.h"
#include "systemd_escape.h"
#include "systemd_harden.h"

#include "banned.h"

#define MARK       "# Written by svcmgr"
#define STATE_MARK "# svcmgr-state: "

#define STEPS_SINCE    254             /* RestartSteps=: systemd.service(5) */
#define GUARD_SLACK_MS INT64_C(15000)  /* asking launchers, probes, a busy machine */
#define TEMPLATE_MS    INT64_C(900000) /* any service's: its own limits come first */
#define WATCHDOG_S     30
#define SOCKETS_PER_ONE                                                                            \
    2 /* "localhost" has one of each family; two generations while it changes                      \
       */

/* ---- Names and times ------------------------------------------------------------------------- */

/* A NAME has no character that a unit's name would need to escape: systemd.unit(5). */
void systemd_render_service_name(const char *name, char *ret_unit, size_t size)
{
    (void)str_format(ret_unit, size, "svcmgr-%s.service", name);
}

void systemd_render_socket_name(const char *name, char *ret_unit, size_t size)
{
    (void)str_format(ret_unit, size, "svcmgr-%s.socket", name);
}

static int64_t stop_limit_ms(const struct definition_input *input)
{
    return input->config == NULL ? TEMPLATE_MS : definition_stop_ms(input->config);
}

/* Of one attempt: leftovers are stopped, the address is waited for, the program starts, and is
 * stopped when it is not ready.  Further attempts ask for more time themselves. */
static int64_t start_limit_ms(const struct definition_input *input)
{
    const struct config *config = input->config;

    if (config == NULL)
        return TEMPLATE_MS;
    return input->start_first_ms + GUARD_SLACK_MS + config->probe_timeout_ms +
            config->bind_timeout_ms + config->start_timeout_ms + 2 * stop_limit_ms(input);
}

static void put_time(const char *key, int64_t ms, struct buffer *out)
{
    if (ms % 1000 == 0)
        buffer_printf(out, "%s=%llds\n", key, (long long)(ms / 1000));
    else
        buffer_printf(out, "%s=%lldms\n", key, (long long)ms);
}

/* ---- The head -------------------------------------------------------------------------------- */

static void put_head(const struct definition_input *input, struct buffer *out)
{
    const char *scope = input->system_scope ? "" : " --user";

    buffer_puts(out, MARK);
    if (input->config == NULL) {
        buffer_puts(out, ": a unit for any service, as svcmgr@NAME.service\n");
        return;
    }
    buffer_printf(out,
            " for the service %s: 'svcmgr install' writes it anew, 'svcmgr uninstall'\n"
            "# removes it.  What is to differ belongs into a drop-in: systemctl%s "
            "edit\n" STATE_MARK,
            input->config->name, scope);
    systemd_escape_word(input->state_path, out);
    buffer_puts(out, "\n");
}

enum definition_owner systemd_render_owner_of(const char *text, const char *state_path)
{
    const char *mark = strstr(text, "\n" STATE_MARK);
    struct buffer wanted = { 0 };
    enum definition_owner owner = DEFINITION_OTHER;

    if (strncmp(text, MARK, strlen(MARK)) != 0 || mark == NULL)
        return DEFINITION_FOREIGN;
    mark += strlen("\n" STATE_MARK);
    systemd_escape_word(state_path, &wanted);
    if (!wanted.failed && strcspn(mark, "\n") == wanted.length &&
            memcmp(mark, buffer_text(&wanted), wanted.length) == 0)
        owner = DEFINITION_OURS;
    buffer_free(&wanted);
    return owner;
}

/* ---- [Unit] ---------------------------------------------------------------------------------- */

static void put_description(
        const struct definition_input *input, const char *what, struct buffer *out)
{
    size_t begin;

    buffer_puts(out, "Description=");
    begin = out->length;
    if (input->config == NULL)
        buffer_puts(out, "%i");
    else if (input->config->description != NULL)
        systemd_escape_text(input->config->description, out);
    if (input->config != NULL && strspn(buffer_text(out) + begin, " ") == out->length - begin)
        buffer_puts(out, input->config->name);
    buffer_printf(out, "%s\nDocumentation=man:svcmgr(1)\n", what);
}

/* An address that only comes with the network is not there before it. */
static bool waits_for_network(const struct config *config)
{
    for (size_t i = 0; config != NULL && i < config->listener_count; i++) {
        const struct address *address = &config->listeners[i].address;

        if (address_is_ip(address) && !address_is_loopback(address) &&
                !address_is_wildcard(address))
            return true;
    }
    return false;
}

static void put_order(const struct definition_input *input, struct buffer *out)
{
    const struct config *config = input->config;

    /* A user's manager has no unit for the network. */
    if (input->system_scope && waits_for_network(config))
        buffer_puts(out, "Wants=network-online.target\nAfter=network-online.target\n");
    else if (input->system_scope)
        buffer_puts(out, "After=network.target\n");
    for (size_t i = 0; config != NULL && i < config->depends_on_count; i++)
        buffer_printf(out, "Wants=svcmgr-%s.service\nAfter=svcmgr-%s.service\n",
                config->depends_on[i], config->depends_on[i]);
    if (input->with_socket && config != NULL)
        buffer_printf(out, "Requires=svcmgr-%s.socket\nAfter=svcmgr-%s.socket\n", config->name,
                config->name);
}

static void put_mounts(const struct definition_input *input, struct buffer *out)
{
    const char *const paths[] = {
        input->executable,
        input->config != NULL ? input->config_path : input->config_dir,
        input->config != NULL ? input->state_path : input->state_dir,
        input->config != NULL ? input->config->directory : NULL,
    };

    if (!input->system_scope)
        return;
    buffer_puts(out, "RequiresMountsFor=");
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        if (paths[i] == NULL)
            continue;
        if (i > 0)
            buffer_puts(out, " ");
        systemd_escape_path("", paths[i], out);
    }
    buffer_puts(out, "\n");
}

static void put_unit(const struct definition_input *input, struct buffer *out)
{
    buffer_puts(out, "\n[Unit]\n");
    put_description(input, "", out);
    put_order(input, out);
    put_mounts(input, out);
    buffer_puts(out,
            "# svcmgr has limits of its own, and a person may restart as often as they like.\n"
            "StartLimitIntervalSec=0\n");
}

/* ---- [Service] ------------------------------------------------------------------------------- */

static void put_words(const char *const *words, struct buffer *out)
{
    for (; *words != NULL; words++) {
        buffer_puts(out, " ");
        systemd_escape_word(*words, out);
    }
}

/* "KEY=svcmgr --system --state-dir ... WORD NAME" */
static void put_command(
        const struct definition_input *input, const char *key, const char *word, struct buffer *out)
{
    const char *const through[] = { "-c", "exec \"$0\" \"$@\"", input->executable, NULL };
    const char *const config_words[] = { "--config-dir", input->config_dir, NULL };
    const char *const state_words[] = { "--state-dir", input->state_dir, NULL };

    buffer_printf(out, "%s=", key);
    if (systemd_escape_is_program(input->executable)) {
        systemd_escape_word(input->executable, out);
    } else {
        buffer_puts(out, "/bin/sh");
        put_words(through, out);
    }
    buffer_puts(out, input->system_scope ? " --system" : " --user");
    if (input->config_dir != NULL)
        put_words(config_words, out);
    if (input->state_dir != NULL)
        put_words(state_words, out);
    buffer_printf(out, " %s %s", word, input->config != NULL ? input->config->name : "%i");
}

static void put_restart(const struct definition_input *input, struct buffer *out)
{
    buffer_puts(out,
            "# Only the keeper's death is restarted; what svcmgr decides is final.\n"
            "Restart=on-abnormal\n"
            "RestartSec=100ms\n"
            "RestartPreventExitStatus=1 4 6 10 11\n");
    if (input->manager_version >= STEPS_SINCE)
        buffer_puts(out, "RestartSteps=10\nRestartMaxDelaySec=30s\n");
}

static void put_service(const struct definition_input *input, struct buffer *out)
{
    const struct config *config = input->config;
    size_t sockets = config != NULL ? config->listener_count : CONFIG_LISTENERS_MAX;

    buffer_puts(out,
            "\n[Service]\n"
            "# The main process is the keeper, its child the supervisor speaks for it.\n"
            "Type=notify\n"
            "NotifyAccess=all\n");
    put_command(input, "ExecStart", "run", out);
    buffer_puts(out, " --duplicate standby\n");
    put_command(input, "ExecReload", "reload", out);
    buffer_puts(out, "\n");
    put_restart(input, out);
    put_time("TimeoutStartSec", start_limit_ms(input), out);
    put_time("TimeoutStopSec", stop_limit_ms(input), out);
    buffer_printf(out, "WatchdogSec=%ds\nKillMode=mixed\nOOMPolicy=continue\n", WATCHDOG_S);
    if (sockets > 0)
        buffer_printf(out, "FileDescriptorStoreMax=%zu\n", sockets * SOCKETS_PER_ONE);
    if (systemd_harden_needs_cgroup(input))
        buffer_puts(out, "Delegate=yes\n");
    if (config != NULL && config->user != NULL)
        buffer_puts(out,
                "# svcmgr changes to the user of its configuration; its state stays root's.\n");
    systemd_harden(input, out);
}

/* ---- The socket unit ------------------------------------------------------------------------- */

static int put_unix_listener(
        const struct config_listener *listener, struct buffer *out, struct err *err)
{
    if (!systemd_escape_is_value(listener->address.path))
        return err_set(err, ERR_CONFIG, 0,
                "a socket unit cannot name the path of listener \"%s\"; install it without "
                "--socket",
                listener->name);
    buffer_puts(out, "ListenStream=");
    systemd_escape_value(listener->address.path, out);
    buffer_printf(
            out, "\nSocketMode=0%llo\nRemoveOnStop=yes\n", (unsigned long long)listener->mode);
    return 0;
}

static int put_listener(const struct config_listener *listener, struct buffer *out, struct err *err)
{
    char text[ADDRESS_TEXT_BYTES];

    if (listener->address.family == ADDRESS_UNIX)
        return put_unix_listener(listener, out, err);
    if (listener->address.port == 0)
        return err_set(err, ERR_CONFIG, 0,
                "a socket unit needs a port, and that of listener \"%s\" is for the kernel to "
                "choose; install it without --socket",
                listener->name);
    address_format(&listener->address, text, sizeof text);
    buffer_printf(out, "ListenStream=%s\n", text);
    if (listener->localhost && listener->both)
        buffer_printf(out, "ListenStream=[::1]:%u\n", (unsigned)listener->address.port);
    return 0;
}

/* One unit has one mode, backlog and name for all of its sockets. */
static int check_alike(const struct config *config, struct err *err)
{
    const struct config_listener *first = &config->listeners[0];

    for (size_t i = 1; i < config->listener_count; i++) {
        const struct config_listener *other = &config->listeners[i];

        if (other->backlog != first->backlog ||
                (other->address.family == ADDRESS_UNIX && first->address.family == ADDRESS_UNIX &&
                        other->mode != first->mode))
            return err_set(err, ERR_CONFIG, 0,
                    "listeners \"%s\" and \"%s\" differ in backlog or mode, which one socket unit "
                    "cannot say; install it without --socket",
                    first->name, other->name);
    }
    return 0;
}

static int put_socket(const struct definition_input *input, struct buffer *out, struct err *err)
{
    const struct config *config = input->config;

    if (config->listener_count == 0)
        return err_set(err, ERR_CONFIG, 0,
                "it listens nowhere (\"listen\"), so there is nothing for a socket unit to hold; "
                "install it without --socket");
    if (check_alike(config, err) == -1)
        return -1;
    put_head(input, out);
    buffer_puts(out, "\n[Unit]\n");
    put_description(input, " (sockets)", out);
    buffer_puts(out, "\n[Socket]\n");
    for (size_t i = 0; i < config->listener_count; i++)
        if (put_listener(&config->listeners[i], out, err) == -1)
            return -1;
    buffer_printf(out, "BindIPv6Only=both\nBacklog=%u\n", (unsigned)config->listeners[0].backlog);
    if (config->listener_count == 1)
        buffer_printf(out, "FileDescriptorName=%s\n", config->listeners[0].name);
    buffer_puts(out, "\n[Install]\nWantedBy=sockets.target\n");
    return 0;
}

/* ---- All of it ------------------------------------------------------------------------------- */

int systemd_render(
        const struct definition_input *input, struct definition *ret_definition, struct err *err)
{
    char unit[DEFINITION_NAME_BYTES] = SYSTEMD_RENDER_TEMPLATE;
    struct definition made = { .count = 0 };
    struct buffer *out;
    bool failed = false;
    int result = 0;

    if (input->config != NULL)
        systemd_render_service_name(input->config->name, unit, sizeof unit);
    out = definition_add(&made, unit);
    put_head(input, out);
    put_unit(input, out);
    put_service(input, out);
    buffer_printf(out, "\n[Install]\nWantedBy=%s\n",
            input->system_scope ? "multi-user.target" : "default.target");
    if (input->config != NULL && input->with_socket) {
        systemd_render_socket_name(input->config->name, unit, sizeof unit);
        result = put_socket(input, definition_add(&made, unit), err);
    }
    for (size_t i = 0; i < made.count; i++)
        failed = failed || made.files[i].text.failed;
    if (result == 0 && failed)
        result = err_memory(err);
    if (result == -1)
        definition_free(&made);
    else
        *ret_definition = made;
    return result;
}
