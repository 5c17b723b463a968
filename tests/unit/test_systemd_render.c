/* The units, read as systemd reads them. */
#include "config_text.h"

#include "str.h"
#include "systemd_read.h"
#include "systemd_render.h"

#include "banned.h"

#define WEB                                                                                        \
    "{\"command\":[\"/srv/web/bin\"],\"directory\":\"/srv/web\",\"listen\":\"127.0.0.1:8787\""

static const struct definition_input defaults = {
    .system_scope = true,
    .executable = "/usr/bin/svcmgr",
    .config_path = "/etc/svcmgr/web.json",
    .state_path = "/var/lib/svcmgr/web",
    .as_root = true,
    .home = "/root",
};

/* What a unit has to say. */
struct row {
    const char *section;
    const char *key;
    const char *value;        /* NULL: the key is not there */
    const char *const *words; /* of a command, instead of the value */
    size_t nth;               /* of the values of this key */
    size_t file;              /* 0: the service's unit, 1: the socket's */
};

static struct definition rendered(const struct config *config, struct definition_input input)
{
    struct definition made = { .count = 0 };
    struct err err;

    input.config = config;
    if (systemd_render(&input, &made, &err) == -1)
        fail_msg("%s", err.text);
    assert_int_equal(made.count, input.with_socket ? 2 : 1);
    for (size_t i = 0; i < made.count; i++) {
        assert_true(str_is_utf8(buffer_text(&made.files[i].text), made.files[i].text.length));
        assert_int_equal(
                systemd_render_owner_of(buffer_text(&made.files[i].text), input.state_path),
                config != NULL ? DEFINITION_OURS : DEFINITION_FOREIGN);
    }
    return made;
}

static void check_command(const char *value, const char *const *words)
{
    static struct read_words found;
    size_t count = 0;

    read_command(value, &found);
    for (; words[count] != NULL; count++)
        assert_string_equal(found.list[count], words[count]);
    assert_int_equal(found.count, count);
}

static void check_rows(const struct definition *made, const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *found = read_value(buffer_text(&made->files[rows[i].file].text),
                rows[i].section, rows[i].key, rows[i].nth);

        if (rows[i].words != NULL)
            check_command(found, rows[i].words);
        else if (rows[i].value == NULL)
            CHECK(rows[i].key, found == NULL);
        else
            CHECK_TEXT(rows[i].key, found != NULL ? found : "(none)", rows[i].value);
    }
}

/* Renders the units of a configuration (NULL: the template) and checks what they say. */
static void check_units(const char *text, const struct definition_input *input,
        const struct row *rows, size_t count)
{
    struct config config;
    struct definition made;

    if (text != NULL)
        config = parsed(text);
    made = rendered(text != NULL ? &config : NULL, *input);
    assert_string_equal(
            made.files[0].name, text != NULL ? "svcmgr-web.service" : "svcmgr@.service");
    if (input->with_socket)
        assert_string_equal(made.files[1].name, "svcmgr-web.socket");
    check_rows(&made, rows, count);
    definition_free(&made);
    if (text != NULL)
        config_free(&config);
}

#define CHECK_UNITS(text, input, rows) check_units(text, input, rows, COUNT_OF(rows))

static void has_every_directive(void **state)
{
    static const struct row rows[] = {
        { "Unit", "Description", "web" },
        { "Unit", "Documentation", "man:svcmgr(1)" },
        { "Unit", "After", "network.target" },
        { "Unit", "Wants", NULL },
        { "Unit", "Requires", NULL },
        { "Unit", "RequiresMountsFor",
                "\"/usr/bin/svcmgr\" \"/etc/svcmgr/web.json\" \"/var/lib/svcmgr/web\" "
                "\"/srv/web\"" },
        { "Unit", "StartLimitIntervalSec", "0" },
        { "Service", "Type", "notify" },
        { "Service", "NotifyAccess", "all" },
        { "Service", "ExecStart", "/usr/bin/svcmgr --system run web --duplicate standby" },
        { "Service", "ExecReload", "/usr/bin/svcmgr --system reload web" },
        { "Service", "Restart", "on-abnormal" },
        { "Service", "RestartSec", "100ms" },
        { "Service", "RestartPreventExitStatus", "1 4 6 10 11" },
        { "Service", "RestartSteps", NULL },
        { "Service", "RestartMaxDelaySec", NULL },
        { "Service", "TimeoutStartSec", "107s" },
        { "Service", "TimeoutStopSec", "25s" },
        { "Service", "WatchdogSec", "30s" },
        { "Service", "KillMode", "mixed" },
        { "Service", "OOMPolicy", "continue" },
        { "Service", "FileDescriptorStoreMax", "2" },
        { "Service", "Delegate", NULL },
        { "Service", "User", NULL },
        { "Service", "NoNewPrivileges", "yes" },
        { "Service", "LockPersonality", "yes" },
        { "Service", "RestrictRealtime", "yes" },
        { "Service", "RestrictSUIDSGID", "yes" },
        { "Service", "SystemCallArchitectures", "native" },
        { "Service", "PrivateMounts", "yes" },
        { "Service", "ProtectSystem", "full" },
        { "Service", "ReadWritePaths", "\"-/var/lib/svcmgr/web\" \"-/srv/web\"" },
        { "Service", "ProtectHome", NULL },
        { "Service", "PrivateTmp", "yes" },
        { "Service", "ProtectControlGroups", "yes" },
        { "Service", "ProtectHostname", "yes" },
        { "Service", "ProtectKernelLogs", "yes" },
        { "Service", "ProtectKernelModules", "yes" },
        { "Service", "ProtectKernelTunables", "yes" },
        { "Service", "RestrictAddressFamilies", "AF_UNIX AF_INET AF_INET6 AF_NETLINK" },
        { "Service", "RestrictNamespaces", "yes" },
        { "Service", "SystemCallErrorNumber", "EPERM" },
        { "Service", "SystemCallFilter", "@system-service pidfd_getfd" },
        { "Service", "CapabilityBoundingSet",
                "CAP_KILL CAP_SYS_PTRACE CAP_SETUID CAP_SETGID CAP_CHOWN" },
        { "Install", "WantedBy", "multi-user.target" },
    };

    (void)state;
    CHECK_UNITS(WEB "}", &defaults, rows);
}

static void a_user_has_no_sandbox_but_what_works_there(void **state)
{
    static const struct row rows[] = {
        { "Unit", "After", NULL },
        { "Unit", "RequiresMountsFor", NULL },
        { "Service", "ExecStart", "/usr/bin/svcmgr --user run web --duplicate standby" },
        { "Service", "NoNewPrivileges", "yes" },
        { "Service", "ProtectSystem", NULL },
        { "Service", "ReadWritePaths", NULL },
        { "Service", "PrivateTmp", NULL },
        { "Service", "SystemCallFilter", NULL },
        { "Service", "RestrictNamespaces", NULL },
        { "Service", "CapabilityBoundingSet", NULL },
        { "Install", "WantedBy", "default.target" },
    };
    struct definition_input input = defaults;

    (void)state;
    input.system_scope = false;
    CHECK_UNITS(WEB "}", &input, rows);
}

static void a_newer_systemd_gets_steps(void **state)
{
    static const unsigned versions[] = { 0, 252, 253, 254, 260 };
    struct definition_input input = defaults;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(versions); i++) {
        const struct row rows[] = {
            { "Service", "RestartSteps", versions[i] >= 254 ? "10" : NULL },
            { "Service", "RestartMaxDelaySec", versions[i] >= 254 ? "30s" : NULL },
        };

        input.manager_version = versions[i];
        CHECK_UNITS(WEB "}", &input, rows);
    }
}

static void places_that_were_moved_are_named(void **state)
{
    static const char *const start[] = { "/usr/bin/svcmgr", "--system", "--config-dir",
        "/c \"d\"/%h/$HOME", "--state-dir", "/s\nt\\u/caf\xc3\xa9", "run", "web", "--duplicate",
        "standby", NULL };
    static const char *const reload[] = { "/usr/bin/svcmgr", "--system", "--config-dir",
        "/c \"d\"/%h/$HOME", "--state-dir", "/s\nt\\u/caf\xc3\xa9", "reload", "web", NULL };
    static const struct row rows[] = {
        { "Service", "ExecStart", .words = start },
        { "Service", "ExecReload", .words = reload },
        { "Service", "ReadWritePaths", "\"-/\" \"-/srv/web\"" },
    };
    struct definition_input input = defaults;

    (void)state;
    input.config_dir = "/c \"d\"/%h/$HOME";
    input.state_dir = "/s\nt\\u/caf\xc3\xa9";
    input.state_path = "/s\nt\\u/caf\xc3\xa9/web";
    CHECK_UNITS(WEB "}", &input, rows);
}

static void a_program_at_an_odd_place_is_started_by_a_shell(void **state)
{
    static const char *const start[] = { "/bin/sh", "-c", "exec \"$0\" \"$@\"",
        "/opt/a \"b\"/$x/svcmgr", "--system", "run", "web", "--duplicate", "standby", NULL };
    static const struct row rows[] = { { "Service", "ExecStart", .words = start } };
    struct definition_input input = defaults;

    (void)state;
    input.executable = "/opt/a \"b\"/$x/svcmgr";
    CHECK_UNITS(WEB "}", &input, rows);
}

static void times_come_from_the_configuration(void **state)
{
    static const struct row rows[] = {
        { "Service", "TimeoutStopSec", "16500ms" },
        /* 7 before it, 15 of slack, 1, 3, 120, and two stops */
        { "Service", "TimeoutStartSec", "179s" },
    };
    struct definition_input input = defaults;

    (void)state;
    input.start_first_ms = 7000;
    CHECK_UNITS(WEB ",\"start_timeout\":\"2m\",\"stop\":{\"timeout\":\"1.5s\"},"
                    "\"probe_timeout\":\"1s\",\"bind_timeout\":\"3s\"}",
            &input, rows);
}

static void a_description_is_for_people(void **state)
{
    static const char *const rows[][2] = {
        { "The web UI", "The web UI" },
        { "100% of it\\\\", "100%% of it" },
        { "  ", "web" },
        { "", "web" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct row wanted[] = { { "Unit", "Description", rows[i][1] } };
        char text[256];

        (void)snprintf(text, sizeof text, WEB ",\"description\":\"%s\"}", rows[i][0]);
        CHECK_UNITS(text, &defaults, wanted);
    }
}

static void what_it_depends_on_comes_first(void **state)
{
    static const struct row rows[] = {
        { "Unit", "Wants", "svcmgr-db.service" },
        { "Unit", "Wants", "svcmgr-cache.service", .nth = 1 },
        { "Unit", "After", "svcmgr-db.service", .nth = 1 },
        { "Unit", "After", "svcmgr-cache.service", .nth = 2 },
        { "Unit", "After", NULL, .nth = 3 },
    };

    (void)state;
    CHECK_UNITS(WEB ",\"depends_on\":[\"db\",\"cache\"]}", &defaults, rows);
}

static void an_address_of_the_network_waits_for_it(void **state)
{
    static const char *const rows[][2] = {
        { "127.0.0.1:80", "network.target" },
        { "0.0.0.0:80", "network.target" },
        { "[::]:80", "network.target" },
        { "unix:/run/x", "network.target" },
        { "192.0.2.1:80", "network-online.target" },
        { "[2001:db8::1]:80", "network-online.target" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct row wanted[] = { { "Unit", "After", rows[i][1] } };
        char text[256];

        (void)snprintf(text, sizeof text, "{\"command\":[\"x\"],\"listen\":\"%s\"}", rows[i][0]);
        CHECK_UNITS(text, &defaults, wanted);
    }
}

/* ---- Hiding ---------------------------------------------------------------------------------- */

static void nothing_that_is_named_is_hidden(void **state)
{
    static const struct {
        const char *keys;
        const char *home; /* of its user */
        bool home_hidden;
        bool tmp_hidden;
    } rows[] = {
        { "", "/var/www", true, true },
        { "", "/root", false, true },
        { "", "/home/anna", false, true },
        { "", NULL, false, false },
        { ",\"directory\":\"/home/anna/web\"", "/var/www", false, true },
        { ",\"directory\":\"/tmp\"", "/var/www", true, false },
        { ",\"environment\":{\"A\":\"/srv:/home/x/bin\"}", "/var/www", false, true },
        { ",\"environment\":{\"A\":\"--data=/var/tmp/x\"}", "/var/www", true, false },
        { ",\"environment\":{\"A\":\"/srv/home/x\"}", "/var/www", true, true },
        { ",\"environment\":{\"A\":\"/homeless\"}", "/var/www", true, true },
        { ",\"environment\":{\"A\":null}", "/var/www", true, true },
        { ",\"environment_file\":\"/etc/x.env\"", "/var/www", false, false },
        { ",\"health\":{\"command\":[\"/root/check\"]}", "/var/www", false, true },
        { ",\"stop\":{\"command\":[\"x\",\"unix:/run/user/1000/s\"]}", "/var/www", false, true },
        { ",\"listen\":\"unix:/tmp/web.sock\"", "/var/www", true, false },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct row wanted[] = {
            { "Service", "ProtectHome", rows[i].home_hidden ? "yes" : NULL },
            { "Service", "PrivateTmp", rows[i].tmp_hidden ? "yes" : NULL },
        };
        struct definition_input input = defaults;
        char text[256];

        (void)snprintf(text, sizeof text, "{\"command\":[\"/srv/web\"]%s}", rows[i].keys);
        input.home = rows[i].home;
        CHECK_UNITS(text, &input, wanted);
    }
}

static void nor_what_svcmgr_itself_needs(void **state)
{
    (void)state;
    for (int which = 0; which < 4; which++) {
        const struct row rows[] = { { "Service", "ProtectHome", which == 0 ? "yes" : NULL } };
        struct definition_input input = defaults;

        input.home = "/var/www";
        if (which == 1)
            input.executable = "/home/anna/bin/svcmgr";
        if (which == 2)
            input.config_path = "/root/svcmgr/web.json";
        if (which == 3)
            input.state_path = "/home/state/web";
        CHECK_UNITS("{\"command\":[\"/srv/web\"]}", &input, rows);
    }
}

static void a_program_that_is_not_root_needs_fewer_capabilities(void **state)
{
    static const struct row rows[] = {
        { "Service", "CapabilityBoundingSet",
                "CAP_KILL CAP_SYS_PTRACE CAP_SETUID CAP_SETGID CAP_CHOWN" },
        { "Service", "CapabilityBoundingSet", "CAP_FOWNER CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH",
                .nth = 1 },
        { "Service", "CapabilityBoundingSet", "CAP_NET_BIND_SERVICE CAP_SYS_RESOURCE CAP_SYS_NICE",
                .nth = 2 },
        { "Service", "CapabilityBoundingSet", NULL, .nth = 3 },
        /* It would make svcmgr's state somebody else's than a start by hand does. */
        { "Service", "User", NULL },
    };
    struct definition_input input = defaults;

    (void)state;
    input.as_root = false;
    CHECK_UNITS("{\"command\":[\"/srv/web\"],\"user\":\"www-data\"}", &input, rows);
}

static void a_limit_of_memory_needs_a_group(void **state)
{
    static const char *const rows[][2] = {
        { "{\"nofile\":100}", NULL },
        { "{\"memory\":\"100MiB\"}", "yes" },
        { "{\"memory\":\"unlimited\"}", NULL },
        { "{\"cpu\":10}", NULL },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct row wanted[] = {
            { "Service", "Delegate", rows[i][1] },
            { "Service", "ProtectControlGroups", rows[i][1] == NULL ? "yes" : NULL },
            { "Service", "FileDescriptorStoreMax", NULL },
        };
        char text[256];

        (void)snprintf(text, sizeof text, "{\"command\":[\"x\"],\"limits\":%s}", rows[i][0]);
        CHECK_UNITS(text, &defaults, wanted);
    }
}

/* ---- Sockets --------------------------------------------------------------------------------- */

static void a_socket_unit_holds_what_the_service_listens_on(void **state)
{
    static const struct row rows[] = {
        { "Socket", "ListenStream", "127.0.0.1:80", .file = 1 },
        { "Socket", "ListenStream", "[::]:81", .nth = 1, .file = 1 },
        { "Socket", "ListenStream", "127.0.0.1:82", .nth = 2, .file = 1 },
        { "Socket", "ListenStream", "[::1]:82", .nth = 3, .file = 1 },
        { "Socket", "ListenStream", "/run/50%% \"x\"", .nth = 4, .file = 1 },
        { "Socket", "ListenStream", NULL, .nth = 5, .file = 1 },
        { "Socket", "SocketMode", "0660", .file = 1 },
        { "Socket", "RemoveOnStop", "yes", .file = 1 },
        { "Socket", "BindIPv6Only", "both", .file = 1 },
        { "Socket", "Backlog", "4096", .file = 1 },
        { "Socket", "FileDescriptorName", NULL, .file = 1 },
        { "Install", "WantedBy", "sockets.target", .file = 1 },
        { "Unit", "Requires", "svcmgr-web.socket" },
    };
    struct definition_input input = defaults;

    (void)state;
    input.with_socket = true;
    CHECK_UNITS("{\"command\":[\"x\"],\"listen\":[\"127.0.0.1:80\",\"[::]:81\","
                "{\"address\":\"localhost:82\",\"both\":true,\"socket\":\"inherit\"},"
                "{\"address\":\"unix:/run/50% \\\"x\\\"\",\"mode\":\"0660\"}]}",
            &input, rows);
}

static void the_only_socket_has_its_listeners_name(void **state)
{
    static const struct row rows[] = {
        { "Socket", "FileDescriptorName", "web", .file = 1 },
        { "Socket", "Backlog", "99", .file = 1 },
        { "Socket", "SocketMode", NULL, .file = 1 },
    };
    struct definition_input input = defaults;

    (void)state;
    input.with_socket = true;
    CHECK_UNITS("{\"command\":[\"x\"],\"listen\":{\"name\":\"web\",\"address\":\"0.0.0.0:80\","
                "\"backlog\":99}}",
            &input, rows);
}

static void what_a_socket_unit_cannot_say_is_refused(void **state)
{
    static const char *const rows[] = {
        "{\"command\":[\"x\"]}",
        "{\"command\":[\"x\"],\"listen\":\"127.0.0.1:0\"}",
        "{\"command\":[\"x\"],\"listen\":\"unix:/run/x\\\\\"}",
        "{\"command\":[\"x\"],\"listen\":[\"unix:/run/x\",{\"address\":\"unix:/run/y\","
        "\"mode\":\"0666\"}]}",
        "{\"command\":[\"x\"],\"listen\":[\"127.0.0.1:1\",{\"address\":\"127.0.0.1:2\","
        "\"backlog\":1}]}",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct config config = parsed(rows[i]);
        struct definition_input input = defaults;
        struct definition made = { .count = 0 };
        struct err err;

        input.config = &config;
        input.with_socket = true;
        CHECK(rows[i], systemd_render(&input, &made, &err) == -1);
        CHECK_INT(rows[i], err.kind, ERR_CONFIG);
        CHECK_INT(rows[i], made.count, 0);
        CHECK(rows[i], strstr(err.text, "without --socket") != NULL);
        config_free(&config);
    }
}

/* ---- The template, and whose a unit is ------------------------------------------------------- */

static void a_template_serves_any_service(void **state)
{
    static const struct row rows[] = {
        { "Unit", "Description", "%i" },
        { "Service", "ExecStart",
                "/usr/bin/svcmgr --system --state-dir \"/s 1\" run %i --duplicate standby" },
        { "Service", "TimeoutStopSec", "900s" },
        { "Service", "FileDescriptorStoreMax", "32" },
        { "Service", "ProtectHome", NULL },
        { "Service", "PrivateTmp", NULL },
        { "Service", "ReadWritePaths", "\"-/s 1\"" },
    };
    struct definition_input input = defaults;

    (void)state;
    input.state_dir = "/s 1";
    CHECK_UNITS(NULL, &input, rows);
}

static void whose_a_unit_is_stands_in_it(void **state)
{
    struct config config = parsed(WEB "}");
    struct definition made = rendered(&config, defaults);
    const char *text = buffer_text(&made.files[0].text);

    (void)state;
    assert_int_equal(systemd_render_owner_of(text, "/var/lib/svcmgr/web"), DEFINITION_OURS);
    assert_int_equal(systemd_render_owner_of(text, "/var/lib/svcmgr/we"), DEFINITION_OTHER);
    assert_int_equal(systemd_render_owner_of(text, "/var/lib/svcmgr/web2"), DEFINITION_OTHER);
    assert_int_equal(systemd_render_owner_of("", "/var/lib/svcmgr/web"), DEFINITION_FOREIGN);
    assert_int_equal(systemd_render_owner_of("[Unit]\n# svcmgr-state: /var/lib/svcmgr/web\n",
                             "/var/lib/svcmgr/web"),
            DEFINITION_FOREIGN);
    definition_free(&made);
    config_free(&config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(has_every_directive),
        cmocka_unit_test(a_user_has_no_sandbox_but_what_works_there),
        cmocka_unit_test(a_newer_systemd_gets_steps),
        cmocka_unit_test(places_that_were_moved_are_named),
        cmocka_unit_test(a_program_at_an_odd_place_is_started_by_a_shell),
        cmocka_unit_test(times_come_from_the_configuration),
        cmocka_unit_test(a_description_is_for_people),
        cmocka_unit_test(what_it_depends_on_comes_first),
        cmocka_unit_test(an_address_of_the_network_waits_for_it),
        cmocka_unit_test(nothing_that_is_named_is_hidden),
        cmocka_unit_test(nor_what_svcmgr_itself_needs),
        cmocka_unit_test(a_program_that_is_not_root_needs_fewer_capabilities),
        cmocka_unit_test(a_limit_of_memory_needs_a_group),
        cmocka_unit_test(a_socket_unit_holds_what_the_service_listens_on),
        cmocka_unit_test(the_only_socket_has_its_listeners_name),
        cmocka_unit_test(what_a_socket_unit_cannot_say_is_refused),
        cmocka_unit_test(a_template_serves_any_service),
        cmocka_unit_test(whose_a_unit_is_stands_in_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
