#include "unit.h"

#include "unit_state.h"

#include "banned.h"

static struct unit_state parsed(const char *text)
{
    struct unit_state unit;

    unit_state_parse(text, strlen(text), &unit);
    return unit;
}

static void every_state_has_its_meaning(void **state)
{
    static const struct {
        const char *active;
        const char *sub;
        enum unit_state_activity activity;
    } rows[] = {
        { "active", "running", UNIT_STATE_UP }, { "active", "exited", UNIT_STATE_UP },
        { "active", "listening", UNIT_STATE_UP }, { "inactive", "dead", UNIT_STATE_DOWN },
        { "failed", "failed", UNIT_STATE_DOWN }, { "activating", "start", UNIT_STATE_COMING },
        { "activating", "auto-restart", UNIT_STATE_COMING },
        { "reloading", "reload", UNIT_STATE_CHANGING },
        { "deactivating", "stop-sigterm", UNIT_STATE_LEAVING },
        { "maintenance", "x", UNIT_STATE_CHANGING }, /* of a later version: not known to be down */
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[256];
        char words[96];
        struct unit_state unit;

        (void)snprintf(text, sizeof text,
                "Id=web.service\nLoadState=loaded\nActiveState=%s\nSubState=%s\n", rows[i].active,
                rows[i].sub);
        (void)snprintf(words, sizeof words, "%s (%s)", rows[i].active, rows[i].sub);
        unit = parsed(text);
        assert_int_equal(unit.load, UNIT_STATE_LOADED);
        assert_int_equal(unit.activity, rows[i].activity);
        assert_string_equal(unit.words, words);
        assert_string_equal(unit.id, "web.service");
        assert_int_equal(unit.main_pid, 0);
    }
}

static void a_job_that_waits_counts(void **state)
{
    static const struct {
        const char *active;
        enum unit_state_activity activity;
    } rows[] = {
        { "inactive", UNIT_STATE_COMING },
        { "failed", UNIT_STATE_COMING },
        { "active", UNIT_STATE_CHANGING },
        { "activating", UNIT_STATE_COMING },
        { "deactivating", UNIT_STATE_LEAVING },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[128];

        (void)snprintf(text, sizeof text, "Job=812\nActiveState=%s\n", rows[i].active);
        assert_int_equal(parsed(text).activity, rows[i].activity);
        (void)snprintf(text, sizeof text, "ActiveState=%s\nJob=812\n", rows[i].active);
        assert_int_equal(parsed(text).activity, rows[i].activity);
    }
    assert_int_equal(parsed("Job=0\nActiveState=inactive\n").activity, UNIT_STATE_DOWN);
}

static void only_one_that_waits_for_its_restart_waits(void **state)
{
    static const struct {
        const char *text;
        bool waits;
    } rows[] = {
        { "ActiveState=activating\nSubState=auto-restart\n", true },
        { "ActiveState=activating\nSubState=auto-restart-queued\n", true },
        { "ActiveState=activating\nSubState=start\n", false },
        { "ActiveState=active\nSubState=running\n", false },
        { "", false },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct unit_state unit = parsed(rows[i].text);

        assert_int_equal(unit_state_waits(&unit), rows[i].waits);
    }
}

static void a_missing_unit_is_missing(void **state)
{
    (void)state;
    assert_int_equal(parsed("LoadState=not-found\nActiveState=inactive\nSubState=dead\n").load,
            UNIT_STATE_MISSING);
    assert_int_equal(parsed("LoadState=masked\nActiveState=inactive\nSubState=dead\n").load,
            UNIT_STATE_LOADED);
}

static void what_is_no_answer_is_unknown(void **state)
{
    static const char *const texts[] = { "", "\n\n", "=", "LoadState", "LoadState=loaded\n",
        "Failed to connect to bus: No such file or directory\n", "ActiveState=\n" };

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_int_equal(parsed(texts[i]).load, UNIT_STATE_UNKNOWN);
}

static void the_main_process_is_a_pid(void **state)
{
    (void)state;
    assert_int_equal(parsed("MainPID=4242\nActiveState=active\n").main_pid, 4242);
    assert_int_equal(parsed("MainPID=x\nActiveState=active\n").main_pid, 0);
    assert_int_equal(parsed("MainPID=99999999999\nActiveState=active\n").main_pid, 0);
    assert_int_equal(parsed("MainPID=-1\nActiveState=active\n").main_pid, 0);
}

static void the_first_socket_unit_is_found(void **state)
{
    char long_name[600] = "TriggeredBy=";

    (void)state;
    assert_string_equal(
            parsed("TriggeredBy=web.socket\nActiveState=active\n").socket_unit, "web.socket");
    assert_string_equal(
            parsed("TriggeredBy=web.timer web.path web.socket b.socket\nActiveState=x\n")
                    .socket_unit,
            "web.socket");
    assert_string_equal(parsed("TriggeredBy=web.timer\nActiveState=active\n").socket_unit, "");
    assert_string_equal(parsed("TriggeredBy=.socket\nActiveState=active\n").socket_unit, "");
    assert_string_equal(parsed("TriggeredBy=\nActiveState=active\n").socket_unit, "");
    memset(long_name + 12, 'x', 400);
    memcpy(long_name + 412, ".socket\n", 9);
    assert_string_equal(parsed(long_name).socket_unit, "");
}

static void it_knows_where_a_socket_unit_listens(void **state)
{
    struct unit_state unit = parsed("Listen=127.0.0.1:8787 (Stream)\n"
                                    "Listen=[::]:80 (Stream)\n"
                                    "Listen=/run/web.sock (Stream)\n"
                                    "Listen=127.0.0.1:53 (Datagram)\n"
                                    "Listen=@abstract (Stream)\n"
                                    "Listen=/dev/log (Datagram)\n"
                                    "ActiveState=active\n");

    (void)state;
    assert_int_equal(unit.listen_count, 3);
    assert_int_equal(unit.listens[0].port, 8787);
    assert_int_equal(unit.listens[1].family, ADDRESS_IPV6);
    assert_string_equal(unit.listens[2].path, "/run/web.sock");
}

static void more_than_there_is_room_for_is_dropped(void **state)
{
    char text[UNIT_STATE_LISTENS_MAX * 80] = "ActiveState=active\n";
    size_t at = strlen(text);

    (void)state;
    for (int i = 0; i < UNIT_STATE_LISTENS_MAX + 4; i++)
        at += (size_t)snprintf(
                text + at, sizeof text - at, "Listen=127.0.0.1:%d (Stream)\n", i + 1);
    assert_int_equal(parsed(text).listen_count, UNIT_STATE_LISTENS_MAX);
}

static void only_the_given_bytes_are_read(void **state)
{
    static const char text[] = "ActiveState=active\nMainPID=42";
    struct unit_state unit;

    (void)state;
    unit_state_parse(text, sizeof text - 2, &unit);
    assert_int_equal(unit.main_pid, 4);
    unit_state_parse(text, 0, &unit);
    assert_int_equal(unit.load, UNIT_STATE_UNKNOWN);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_state_has_its_meaning),
        cmocka_unit_test(a_job_that_waits_counts),
        cmocka_unit_test(only_one_that_waits_for_its_restart_waits),
        cmocka_unit_test(a_missing_unit_is_missing),
        cmocka_unit_test(what_is_no_answer_is_unknown),
        cmocka_unit_test(the_main_process_is_a_pid),
        cmocka_unit_test(the_first_socket_unit_is_found),
        cmocka_unit_test(it_knows_where_a_socket_unit_listens),
        cmocka_unit_test(more_than_there_is_room_for_is_dropped),
        cmocka_unit_test(only_the_given_bytes_are_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
