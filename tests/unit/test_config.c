/* What configurations mean: defaults and values. */
#include "config_text.h"

#include "banned.h"

#define SECOND INT64_C(1000)
#define MIB    INT64_C(1048576)

static void has_defaults(void **state)
{
    struct config config = parsed("{\"command\":[\"x\"]}");

    assert_string_equal(config.name, "web");
    assert_null(config.description);
    assert_int_equal(config.command.count, 1);
    assert_null(config.directory);
    assert_int_equal(config.umask, CONFIG_UMASK_DEFAULT);
    assert_false(config.nice_set);
    assert_int_equal(config.environment_count, 0);
    assert_int_equal(config.environment_file_count, 0);
    assert_null(config.user);
    assert_null(config.group);
    for (int i = 0; i < CONFIG_LIMIT_COUNT; i++)
        assert_int_equal(config.limits[i], CONFIG_LIMIT_UNSET);
    assert_int_equal(config.listener_count, 0);
    assert_true(config.listen_pid);

    assert_int_equal(config.health, CONFIG_HEALTH_NONE);
    assert_null(config.health_path);
    assert_int_equal(config.health_command.count, 0);
    assert_int_equal(config.health_interval_ms, 10 * SECOND);
    assert_int_equal(config.health_timeout_ms, 2 * SECOND);
    assert_int_equal(config.health_failures, 3);
    assert_int_equal(config.health_start_period_ms, 0);

    assert_int_equal(config.ready, CONFIG_READY_SPAWN);
    assert_int_equal(config.settle_ms, 200);
    assert_int_equal(config.start_timeout_ms, 30 * SECOND);

    assert_int_equal(config.restart_when, CONFIG_WHEN_ON_FAILURE);
    assert_int_equal(config.restart_delay_ms, 100);
    assert_int_equal(config.restart_max_delay_ms, 30 * SECOND);
    assert_int_equal(config.restart_factor_thousandths, 2000);
    assert_int_equal(config.restart_burst, 5);
    assert_int_equal(config.restart_within_ms, 60 * SECOND);
    assert_int_equal(config.restart_prevent_count, 0);
    assert_true(config.restart_on_unhealthy);

    assert_int_equal(config.replace, CONFIG_REPLACE_SEQUENTIAL);
    assert_string_equal(config.stop_signal, "TERM");
    assert_int_equal(config.stop_timeout_ms, 10 * SECOND);
    assert_int_equal(config.stop_command.count, 0);
    assert_int_equal(config.duplicate, CONFIG_DUPLICATE_REFUSE);
    assert_int_equal(config.probe_timeout_ms, 2 * SECOND);
    assert_int_equal(config.bind_timeout_ms, 10 * SECOND);
    assert_int_equal(config.rival_count, 0);
    assert_int_equal(config.watchdog_ms, 0);
    assert_int_equal(config.depends_on_count, 0);

    assert_int_equal(config.log_destination, CONFIG_LOG_FILE);
    assert_false(config.log_destination_set);
    assert_false(config.log_separate);
    assert_int_equal(config.log_max_bytes, 10 * MIB);
    assert_int_equal(config.log_keep, 5);
    assert_true(config.log_timestamps);
    config_free(&config);
    assert_null(config.arena.blocks);
}

static void reads_every_key(void **state)
{
    struct config config = parsed(
            "\xEF\xBB\xBF// all of them\n"
            "{ \"command\": [\"py\", \"-m\", \"\", \"{port}\"], \"description\": \"A web UI\",\n"
            "\"directory\": \"~/web\", \"umask\": \"0077\", \"nice\": -5,\n"
            "\"environment\": { \"A\": \"{url}\", \"B\": null, \"C\": \"\" },\n"
            "\"environment_file\": [\"/etc/web\", \"-~/web.env\"], \"user\": \"bob\",\n"
            "\"group\": \"staff\", \"listen\": 8787, \"listen_pid\": false,\n"
            "\"health\": { \"command\": [\"curl\", \"{url}\"], \"interval\": 2.5,\n"
            "  \"timeout\": \"500ms\", \"failures\": 7, \"start_period\": \"1m\" },\n"
            "\"ready\": \"notify\", \"settle\": 0, \"start_timeout\": \"1h\",\n"
            "\"restart\": { \"when\": \"always\", \"delay\": \"1s\", \"max_delay\": \"2s\",\n"
            "  \"factor\": 1.5, \"burst\": 0, \"within\": \"5m\", \"prevent_on\": [2, 255, 0],\n"
            "  \"on_unhealthy\": false },\n"
            "\"replace\": \"sequential\",\n"
            "\"stop\": { \"signal\": \"sigint\", \"timeout\": 3, \"command\": [\"bye\"] },\n"
            "\"duplicate\": \"takeover\", \"probe_timeout\": \"1s\", \"bind_timeout\": \"0s\",\n"
            "\"rivals\": [{ \"systemd\": \"a.service\" }, { \"launchd\": \"b\" },\n"
            "  { \"winsvc\": \"C\" }],\n"
            "\"watchdog\": \"20s\", \"depends_on\": [\"db\", \"Cache.1\"],\n"
            "\"logs\": { \"destination\": \"journal\", \"streams\": \"separate\",\n"
            "  \"max_size\": \"1MiB\", \"keep\": 0, \"timestamps\": false }, }\n");

    assert_int_equal(config.command.count, 4);
    assert_string_equal(config.command.list[0], "py");
    assert_string_equal(config.command.list[2], "");
    assert_string_equal(config.command.list[3], "{port}");
    assert_null(config.command.list[4]);
    assert_string_equal(config.description, "A web UI");
    assert_string_equal(config.directory, "~/web");
    assert_int_equal(config.umask, 077);
    assert_true(config.nice_set);
    assert_int_equal(config.nice, -5);
    assert_int_equal(config.environment_count, 3);
    assert_string_equal(config.environment[0].name, "A");
    assert_string_equal(config.environment[0].value, "{url}");
    assert_string_equal(config.environment[1].name, "B");
    assert_null(config.environment[1].value);
    assert_string_equal(config.environment[2].value, "");
    assert_int_equal(config.environment_file_count, 2);
    assert_string_equal(config.environment_files[0].path, "/etc/web");
    assert_false(config.environment_files[0].optional);
    assert_string_equal(config.environment_files[1].path, "~/web.env");
    assert_true(config.environment_files[1].optional);
    assert_string_equal(config.user, "bob");
    assert_string_equal(config.group, "staff");
    assert_int_equal(config.listener_count, 1);
    assert_false(config.listen_pid);

    assert_int_equal(config.health, CONFIG_HEALTH_COMMAND);
    assert_int_equal(config.health_command.count, 2);
    assert_null(config.health_command.list[2]);
    assert_int_equal(config.health_interval_ms, 2500);
    assert_int_equal(config.health_timeout_ms, 500);
    assert_int_equal(config.health_failures, 7);
    assert_int_equal(config.health_start_period_ms, 60 * SECOND);
    assert_int_equal(config.ready, CONFIG_READY_NOTIFY);
    assert_int_equal(config.settle_ms, 0);
    assert_int_equal(config.start_timeout_ms, 3600 * SECOND);

    assert_int_equal(config.restart_when, CONFIG_WHEN_ALWAYS);
    assert_int_equal(config.restart_delay_ms, SECOND);
    assert_int_equal(config.restart_max_delay_ms, 2 * SECOND);
    assert_int_equal(config.restart_factor_thousandths, 1500);
    assert_int_equal(config.restart_burst, 0);
    assert_int_equal(config.restart_within_ms, 300 * SECOND);
    assert_int_equal(config.restart_prevent_count, 3);
    assert_int_equal(config.restart_prevent_on[0], 2);
    assert_int_equal(config.restart_prevent_on[1], 255);
    assert_int_equal(config.restart_prevent_on[2], 0);
    assert_false(config.restart_on_unhealthy);
    assert_int_equal(config.replace, CONFIG_REPLACE_SEQUENTIAL);
    assert_string_equal(config.stop_signal, "INT");
    assert_int_equal(config.stop_timeout_ms, 3 * SECOND);
    assert_string_equal(config.stop_command.list[0], "bye");
    assert_int_equal(config.duplicate, CONFIG_DUPLICATE_TAKEOVER);
    assert_int_equal(config.probe_timeout_ms, SECOND);
    assert_int_equal(config.bind_timeout_ms, 0);
    assert_int_equal(config.rival_count, 3);
    assert_int_equal(config.rivals[0].launcher, CONFIG_RIVAL_SYSTEMD);
    assert_string_equal(config.rivals[0].job, "a.service");
    assert_int_equal(config.rivals[1].launcher, CONFIG_RIVAL_LAUNCHD);
    assert_int_equal(config.rivals[2].launcher, CONFIG_RIVAL_WINSVC);
    assert_string_equal(config.rivals[2].job, "C");
    assert_int_equal(config.watchdog_ms, 20 * SECOND);
    assert_int_equal(config.depends_on_count, 2);
    assert_string_equal(config.depends_on[0], "db");
    assert_string_equal(config.depends_on[1], "Cache.1");
    assert_int_equal(config.log_destination, CONFIG_LOG_JOURNAL);
    assert_true(config.log_destination_set);
    assert_true(config.log_separate);
    assert_int_equal(config.log_max_bytes, MIB);
    assert_int_equal(config.log_keep, 0);
    assert_false(config.log_timestamps);
    config_free(&config);
}

static void knows_health_kinds(void **state)
{
    static const struct {
        const char *members;
        enum config_health health;
        const char *path;
    } rows[] = {
        { "\"listen\":1,\"health\":{\"http\":\"/\"}", CONFIG_HEALTH_HTTP, "/" },
        { "\"listen\":1,\"health\":{\"http\":\"/a?b=c~\"}", CONFIG_HEALTH_HTTP, "/a?b=c~" },
        { "\"listen\":1,\"health\":{\"tcp\":true}", CONFIG_HEALTH_TCP, NULL },
        { "\"health\":{\"command\":[\"x\"]}", CONFIG_HEALTH_COMMAND, NULL },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct config config = parsed_with(rows[i].members);

        CHECK_INT(rows[i].members, config.health, rows[i].health);
        CHECK(rows[i].members, (config.health_path == NULL) == (rows[i].path == NULL));
        if (rows[i].path != NULL)
            CHECK_TEXT(rows[i].members, config.health_path, rows[i].path);
        config_free(&config);
    }
}

static void reads_limits(void **state)
{
    struct config config = parsed_with(
            "\"limits\":{\"nofile\":65536,\"nproc\":\"unlimited\",\"core\":0,\"memory\":\"1.5GiB\","
            "\"cpu\":\"2m\",\"fsize\":\"10MB\",\"stack\":\"unlimited\",\"data\":1073741824,"
            "\"memlock\":\"64KiB\"}");

    assert_int_equal(config.limits[CONFIG_LIMIT_NOFILE], 65536);
    assert_int_equal(config.limits[CONFIG_LIMIT_NPROC], CONFIG_LIMIT_UNLIMITED);
    assert_int_equal(config.limits[CONFIG_LIMIT_CORE], 0);
    assert_int_equal(config.limits[CONFIG_LIMIT_MEMORY], 1536 * MIB);
    assert_int_equal(config.limits[CONFIG_LIMIT_CPU], 120);
    assert_int_equal(config.limits[CONFIG_LIMIT_FSIZE], 10000000);
    assert_int_equal(config.limits[CONFIG_LIMIT_STACK], CONFIG_LIMIT_UNLIMITED);
    assert_int_equal(config.limits[CONFIG_LIMIT_DATA], 1024 * MIB);
    assert_int_equal(config.limits[CONFIG_LIMIT_MEMLOCK], 65536);
    config_free(&config);
    config = parsed_with("\"limits\":{\"cpu\":90}");
    assert_int_equal(config.limits[CONFIG_LIMIT_CPU], 90);
    assert_int_equal(config.limits[CONFIG_LIMIT_CORE], CONFIG_LIMIT_UNSET);
    config_free(&config);
}

static void the_watchdog_can_be_off(void **state)
{
    static const struct {
        const char *members;
        int64_t ms;
    } rows[] = {
        { "\"watchdog\":\"off\"", 0 },
        { "\"watchdog\":false", 0 },
        { "\"watchdog\":\"100ms\"", 100 },
        { "\"watchdog\":2", 2000 },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct config config = parsed_with(rows[i].members);

        CHECK_INT(rows[i].members, config.watchdog_ms, rows[i].ms);
        config_free(&config);
    }
}

static void the_longest_delay_is_no_shorter_than_the_first(void **state)
{
    struct config config = parsed_with("\"restart\":{\"delay\":\"2m\"}");

    assert_int_equal(config.restart_max_delay_ms, 120 * SECOND);
    config_free(&config);
    config = parsed_with("\"restart\":{\"delay\":\"2m\",\"max_delay\":\"2m\"}");
    assert_int_equal(config.restart_max_delay_ms, 120 * SECOND);
    config_free(&config);
}

static void takes_paths_of_every_system(void **state)
{
    static const char *const rows[] = { "/", "/srv/web", "~/web", "C:/web", "c:\\\\web",
        "\\\\\\\\host\\\\share" };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char members[128];
        struct config config;

        (void)snprintf(members, sizeof members, "\"directory\":\"%s\",\"environment_file\":\"-%s\"",
                rows[i], rows[i]);
        config = parsed_with(members);
        CHECK(rows[i], config.environment_file_count == 1 && config.environment_files[0].optional);
        CHECK_TEXT(rows[i], config.environment_files[0].path, config.directory);
        config_free(&config);
    }
}

static void takes_empty_lists(void **state)
{
    struct config config = parsed_with(
            "\"environment\":{},\"environment_file\":[],\"limits\":{},\"restart\":{"
            "\"prevent_on\":[]},\"stop\":{},\"rivals\":[],\"depends_on\":[],\"logs\":{},"
            "\"description\":\"\"");

    assert_int_equal(config.environment_count, 0);
    assert_int_equal(config.environment_file_count, 0);
    assert_int_equal(config.depends_on_count, 0);
    assert_int_equal(config.rival_count, 0);
    assert_string_equal(config.description, "");
    config_free(&config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(has_defaults),
        cmocka_unit_test(reads_every_key),
        cmocka_unit_test(knows_health_kinds),
        cmocka_unit_test(reads_limits),
        cmocka_unit_test(the_watchdog_can_be_off),
        cmocka_unit_test(the_longest_delay_is_no_shorter_than_the_first),
        cmocka_unit_test(takes_paths_of_every_system),
        cmocka_unit_test(takes_empty_lists),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
