#include "unit.h"

#include "json.h"
#include "status.h"

#include "banned.h"

/* The keys of a document, in their order. */
static const char *const keys[] = { "name", "state", "pid", "supervisor_pid", "keeper_pid",
    "generation", "adopted", "started_at", "ready_at", "uptime_ms", "restarts", "last_exit",
    "listen", "health", "launcher", "installed", "standby", "other", "config_changed",
    "status_text", "next_try_ms", "log_error", "config", "log", "version" };

/* Nothing is known but the name: a service that is stopped. */
static struct status stopped(void)
{
    return (struct status) {
        .name = "webui",
        .state = MACHINE_STOPPED,
        .pid = STATUS_UNKNOWN,
        .supervisor_pid = STATUS_UNKNOWN,
        .keeper_pid = STATUS_UNKNOWN,
        .generation = STATUS_UNKNOWN,
        .uptime_ms = STATUS_UNKNOWN,
        .next_in_ms = STATUS_UNKNOWN,
    };
}

static struct json_document document_of(const struct status *status, struct buffer *out)
{
    struct json_writer writer = { .out = out };
    struct json_faults faults = { 0 };
    struct json_document document;

    status_write(status, &writer, NULL);
    assert_false(out->failed);
    if (json_parse(out->data, out->length, JSON_STRICT, &document, &faults) == -1)
        fail_msg("%s: %s", out->data, faults.list[0].text);
    return document;
}

static void check_keys(const char *row, const cJSON *object, const char *const *names, size_t count)
{
    const cJSON *item = object->child;

    for (size_t i = 0; i < count; i++, item = item->next) {
        if (item == NULL)
            fail_msg("row \"%s\": \"%s\" is missing", row, names[i]);
        CHECK_TEXT(row, item->string, names[i]);
    }
    if (item != NULL)
        fail_msg("row \"%s\": \"%s\" is one key too many", row, item->string);
}

static void tells_a_stopped_service(void **state)
{
    struct status status = stopped();
    struct buffer out = { 0 };
    struct json_document document = document_of(&status, &out);

    assert_string_equal(buffer_text(&out),
            "{\"name\":\"webui\",\"state\":\"stopped\",\"pid\":null,\"supervisor_pid\":null,"
            "\"keeper_pid\":null,\"generation\":null,\"adopted\":false,\"started_at\":null,"
            "\"ready_at\":null,\"uptime_ms\":null,\"restarts\":0,\"last_exit\":null,\"listen\":[],"
            "\"health\":null,\"launcher\":{\"kind\":null,\"unit\":null},\"installed\":[],"
            "\"standby\":[],\"other\":null,\"config_changed\":false,\"status_text\":null,"
            "\"next_try_ms\":null,\"log_error\":null,\"config\":null,\"log\":null,"
            "\"version\":null}");
    check_keys("stopped", document.root, keys, COUNT_OF(keys));
    json_document_free(&document);
    buffer_free(&out);
}

static struct status everything(void)
{
    struct status status = {
        .name = "webui",
        .state = MACHINE_UNHEALTHY,
        .pid = 4242,
        .supervisor_pid = 4240,
        .keeper_pid = 4239,
        .generation = 3,
        .adopted = true,
        .started_wall_us = INT64_C(1795341600123456),
        .ready_wall_us = INT64_C(1795341601000999),
        .uptime_ms = 12345,
        .restarts = 2,
        .has_exit = true,
        .last_exit = { .code = STATUS_UNKNOWN,
                .by_signal = "KILL",
                .wall_us = INT64_C(1795341600000000),
                .reason = "ended by SIGKILL" },
        .listener_count = 2,
        .has_health = true,
        .health = { .status = "unhealthy",
                .latency_us = 400,
                .failures = 3,
                .wall_us = INT64_C(1795341602000000),
                .reply = "HTTP 503" },
        .launcher_kind = "systemd",
        .launcher_unit = "svcmgr-webui.service",
        .installed_count = 1,
        .installed = { { "systemd", "svcmgr-webui.service", "system", true } },
        .standby_count = 1,
        .standby = { { 77, STATUS_UNKNOWN, "manual", INT64_C(1795341600000000) } },
        .has_other = true,
        .other = { .pid = 812, .command = "python3 server.py", .user = "bob" },
        .config_changed = true,
        .text = "waiting for \"db\"",
        .next_in_ms = 250,
        .log_error = "No space left on device",
        .config = "/etc/svcmgr/webui.json",
        .log = "/var/lib/svcmgr/webui/log/current",
        .version = "0.1.0",
    };

    status.listeners[0] = (struct status_listener) { "http", "127.0.0.1", 8787,
        "http://127.0.0.1:8787", CONFIG_SOCKET_INHERIT, true, NULL };
    status.listeners[1] = (struct status_listener) { "local", "/run/webui.sock", STATUS_UNKNOWN,
        "unix:/run/webui.sock", CONFIG_SOCKET_SELF, false, "unproved" };
    return status;
}

static void tells_everything(void **state)
{
    struct status status = everything();
    struct buffer out = { 0 };
    struct json_document document = document_of(&status, &out);

    assert_string_equal(buffer_text(&out),
            "{\"name\":\"webui\",\"state\":\"unhealthy\",\"pid\":4242,\"supervisor_pid\":4240,"
            "\"keeper_pid\":4239,\"generation\":3,\"adopted\":true,"
            "\"started_at\":\"2026-11-22T10:00:00.123Z\",\"ready_at\":\"2026-11-22T10:00:01.000Z\","
            "\"uptime_ms\":12345,\"restarts\":2,"
            "\"last_exit\":{\"code\":null,\"signal\":\"KILL\",\"at\":\"2026-11-22T10:00:00.000Z\","
            "\"reason\":\"ended by SIGKILL\"},"
            "\"listen\":[{\"name\":\"http\",\"address\":\"127.0.0.1\",\"port\":8787,"
            "\"url\":\"http://127.0.0.1:8787\",\"socket\":\"inherit\",\"held\":true},"
            "{\"name\":\"local\",\"address\":\"/run/webui.sock\",\"port\":null,"
            "\"url\":\"unix:/run/webui.sock\",\"socket\":\"self\",\"held\":false,"
            "\"owner\":\"unproved\"}],"
            "\"health\":{\"status\":\"unhealthy\",\"latency_ms\":0.4,\"failures\":3,"
            "\"checked_at\":\"2026-11-22T10:00:02.000Z\",\"reply\":\"HTTP 503\"},"
            "\"launcher\":{\"kind\":\"systemd\",\"unit\":\"svcmgr-webui.service\"},"
            "\"installed\":[{\"kind\":\"systemd\",\"unit\":\"svcmgr-webui.service\","
            "\"scope\":\"system\",\"enabled\":true}],"
            "\"standby\":[{\"pid\":77,\"keeper_pid\":null,\"launcher\":\"manual\","
            "\"since\":\"2026-11-22T10:00:00.000Z\"}],"
            "\"other\":{\"pid\":812,\"command\":\"python3 server.py\",\"user\":\"bob\","
            "\"launcher\":null,\"answers\":null},"
            "\"config_changed\":true,\"status_text\":\"waiting for "
            "\\\"db\\\"\",\"next_try_ms\":250,"
            "\"log_error\":\"No space left on device\",\"config\":\"/etc/svcmgr/webui.json\","
            "\"log\":\"/var/lib/svcmgr/webui/log/current\",\"version\":\"0.1.0\"}");
    check_keys("everything", document.root, keys, COUNT_OF(keys));
    json_document_free(&document);
    buffer_free(&out);
}

/* A member that is not known is null, in every object, and never left out. */
static void leaves_nothing_out(void **state)
{
    static const char *const exit_keys[] = { "code", "signal", "at", "reason" };
    static const char *const health_keys[] = { "status", "latency_ms", "failures", "checked_at",
        "reply" };
    static const char *const other_keys[] = { "pid", "command", "user", "launcher", "answers" };
    static const char *const listen_keys[] = { "name", "address", "port", "url", "socket", "held" };
    struct status status = stopped();
    struct buffer out = { 0 };
    struct json_document document;

    status.has_exit = status.has_health = status.has_other = true;
    status.last_exit.code = 1;
    status.health.latency_us = STATUS_UNKNOWN;
    status.other.pid = STATUS_UNKNOWN;
    status.listener_count = 1;
    status.listeners[0].port = STATUS_UNKNOWN;
    document = document_of(&status, &out);
    check_keys(
            "last_exit", json_member(document.root, "last_exit"), exit_keys, COUNT_OF(exit_keys));
    check_keys("health", json_member(document.root, "health"), health_keys, COUNT_OF(health_keys));
    check_keys("other", json_member(document.root, "other"), other_keys, COUNT_OF(other_keys));
    check_keys("listen", json_member(document.root, "listen")->child, listen_keys,
            COUNT_OF(listen_keys));
    assert_true(cJSON_IsNull(json_member(json_member(document.root, "last_exit"), "signal")));
    assert_true(cJSON_IsNull(json_member(json_member(document.root, "health"), "latency_ms")));
    assert_true(cJSON_IsNull(json_member(json_member(document.root, "other"), "pid")));
    json_document_free(&document);
    buffer_free(&out);
}

static void names_every_state(void **state)
{
    static const char *const names[] = { "stopped", "standby", "starting", "ready", "unhealthy",
        "replacing", "stopping", "backoff", "failed" };

    assert_int_equal(COUNT_OF(names), MACHINE_STATE_COUNT);
    for (int i = 0; i < MACHINE_STATE_COUNT; i++) {
        struct status status = stopped();
        struct buffer out = { 0 };
        struct json_document document;

        status.state = (enum machine_state)i;
        document = document_of(&status, &out);
        CHECK_TEXT(names[i], json_member(document.root, "state")->valuestring, names[i]);
        json_document_free(&document);
        buffer_free(&out);
    }
}

static void goes_into_an_answer(void **state)
{
    struct status status = stopped();
    struct buffer out = { 0 };
    struct json_writer writer = { .out = &out };

    json_write_object(&writer, NULL);
    status_write(&status, &writer, "result");
    json_write_object_end(&writer);
    assert_memory_equal(out.data, "{\"result\":{\"name\":\"webui\"", 25);
    buffer_free(&out);
}

static struct status ready(void)
{
    struct status status = stopped();

    status.state = MACHINE_READY;
    status.pid = 42;
    status.listener_count = 1;
    status.listeners[0] = (struct status_listener) { .url = "http://127.0.0.1:8787" };
    return status;
}

static void says_it_in_one_line(void **state)
{
    const struct {
        const char *want;
        struct status status;
        enum machine_state state;
        const char *text;
    } rows[] = {
        { "stopped", stopped(), MACHINE_STOPPED, NULL },
        { "ready: pid 42 serves http://127.0.0.1:8787", ready(), MACHINE_READY, NULL },
        { "ready: pid 42 serves http://127.0.0.1:8787: 3 users", ready(), MACHINE_READY,
                "3 users" },
        { "starting: waiting for health", stopped(), MACHINE_STARTING, "waiting for health" },
        { "starting: pid 42: a?b", ready(), MACHINE_STARTING, "a\nb" },
        { "stopping: pid 42", ready(), MACHINE_STOPPING, NULL },
        { "standby: pid 7 serves", stopped(), MACHINE_STANDBY, "pid 7 serves" },
        { "failed: it exited with code 3", stopped(), MACHINE_FAILED, "it exited with code 3" },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct status status = rows[i].status;
        char text[STATUS_SENTENCE_BYTES];

        status.state = rows[i].state;
        status.text = rows[i].text;
        status_sentence(&status, text, sizeof text);
        CHECK_TEXT(rows[i].want, text, rows[i].want);
    }
}

static void says_what_else_is_to_be_known(void **state)
{
    struct status status = ready();
    char text[STATUS_SENTENCE_BYTES];
    char small[16];

    status.listener_count = 0;
    status_sentence(&status, text, sizeof text);
    assert_string_equal(text, "ready: pid 42 runs");
    status = ready();
    status.listener_count = 2;
    status.listeners[1] = (struct status_listener) { .url = NULL };
    status_sentence(&status, text, sizeof text);
    assert_string_equal(text, "ready: pid 42 serves http://127.0.0.1:8787, a port of its own");
    status.state = MACHINE_UNHEALTHY;
    status.has_health = true;
    status.health.reply = "HTTP 503";
    status_sentence(&status, text, sizeof text);
    assert_string_equal(text, "unhealthy: pid 42: HTTP 503");
    status = stopped();
    status.state = MACHINE_BACKOFF;
    status.text = "it exited with code 3";
    status.next_in_ms = 400;
    status_sentence(&status, text, sizeof text);
    assert_string_equal(text, "backoff: it exited with code 3; next try in 400 ms");
    status = ready();
    status.state = MACHINE_STANDBY;
    status.text = "\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4";
    status.pid = STATUS_UNKNOWN;
    status_sentence(&status, small, sizeof small);
    assert_string_equal(small, "standby: \xC3\xA4\xC3\xA4\xC3\xA4"); /* cut, and UTF-8 still */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_a_stopped_service),
        cmocka_unit_test(tells_everything),
        cmocka_unit_test(leaves_nothing_out),
        cmocka_unit_test(names_every_state),
        cmocka_unit_test(goes_into_an_answer),
        cmocka_unit_test(says_it_in_one_line),
        cmocka_unit_test(says_what_else_is_to_be_known),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
