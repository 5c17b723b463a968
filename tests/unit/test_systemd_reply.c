#include "unit.h"

#include "systemd_reply.h"

#include "banned.h"

static void complaints_are_told_in_our_words(void **state)
{
    static const struct {
        const char *said;
        bool of_user;
        enum err_kind kind;
        const char *words;
    } rows[] = {
        { "Failed to connect to bus: No medium found\n", true, ERR_FAILED,
                "loginctl enable-linger" },
        { "Failed to connect to bus: No such file or directory\n", false, ERR_FAILED,
                "systemd cannot be reached" },
        { "Failed to connect to bus: Permission denied\n", true, ERR_DENIED, "its own systemd" },
        { "System has not been booted with systemd as init system (PID 1). Can't operate.\n"
          "Failed to connect to bus: Host is down\n",
                false, ERR_FAILED, "not the init process" },
        { "Failed to start x.service: Interactive authentication required.\n", false, ERR_DENIED,
                "sudo" },
        { "Failed to stop x.service: Access denied\n", false, ERR_DENIED, "sudo" },
        { "Failed to enable unit: Unit file /etc/systemd/system/x.service is masked.\n", false,
                ERR_FAILED, "systemctl unmask" },
        { "Failed to start x.service: Unit x.service is masked.\n", true, ERR_FAILED,
                "systemctl --user unmask" },
        { "Failed to start x.service: Unit x.service has a bad unit file setting.\n", false,
                ERR_FAILED, "does not take the unit" },
        { "Failed to start x.service: Unit x.service not found.\n", false, ERR_FAILED,
                "does not know the unit" },
        { "Failed to enable unit: Read-only file system\n", false, ERR_FAILED, "read-only" },
        { "\nsomething new\nand more\n", false, ERR_FAILED,
                "systemctl do x failed: something new" },
        { "", true, ERR_FAILED, "systemctl --user do x failed" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct err err;

        assert_int_equal(systemd_reply_explain(rows[i].said, "do x", rows[i].of_user, &err), -1);
        CHECK_INT(rows[i].said, err.kind, rows[i].kind);
        if (strstr(err.text, rows[i].words) == NULL)
            fail_msg("row \"%s\": %s", rows[i].said, err.text);
        CHECK(rows[i].said, strchr(err.text, '\n') == NULL);
    }
}

static void an_end_has_our_code_where_it_was_ours(void **state)
{
    static const struct {
        const char *text;
        enum err_kind kind;
        const char *words;
    } rows[] = {
        { "Result=exit-code\nExecMainCode=1\nExecMainStatus=10\nStatusText=\n", ERR_DUPLICATE,
                "ended with code 10; journalctl -u x.service" },
        { "Result=exit-code\nExecMainCode=1\nExecMainStatus=6\nStatusText=it is wrong\n",
                ERR_CONFIG, "with code 6: it is wrong;" },
        { "Result=success\nExecMainCode=1\nExecMainStatus=0\nStatusText=\n", ERR_FAILED,
                "with code 0" },
        { "Result=exit-code\nExecMainCode=1\nExecMainStatus=203\nStatusText=\n", ERR_FAILED,
                "with code 203" },
        { "Result=timeout\nExecMainCode=2\nExecMainStatus=9\nStatusText=\n", ERR_FAILED,
                "(timeout)" },
        { "", ERR_FAILED, "x.service ended;" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct err err;

        assert_int_equal(systemd_reply_explain_end(rows[i].text, "x.service", false, &err), -1);
        CHECK_INT(rows[i].text, err.kind, rows[i].kind);
        if (strstr(err.text, rows[i].words) == NULL)
            fail_msg("row \"%s\": %s", rows[i].text, err.text);
    }
}

static void properties_are_found_by_their_whole_name(void **state)
{
    static const char text[] = "Result=a\nExecMainStatus=1 2\nEmpty=\nLast=x=y";
    static const char *const rows[][2] = { { "Result", "a" }, { "ExecMainStatus", "1 2" },
        { "Empty", "" }, { "Last", "x=y" }, { "Main", "" }, { "Exec", "" }, { "Las", "" } };
    char value[32];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        systemd_reply_value(text, rows[i][0], value, sizeof value);
        CHECK_TEXT(rows[i][0], value, rows[i][1]);
    }
    systemd_reply_value(text, "ExecMainStatus", value, 3);
    assert_string_equal(value, "1 ");
}

static void times_are_read_as_systemctl_shows_them(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
    } rows[] = { { "25s", 25000 }, { "1min 30s", 90000 }, { "16.500s", 0 }, { "500ms", 500 },
        { "1h 1min", 3660000 }, { "2d", 172800000 }, { "1w", 604800000 }, { "infinity", 0 },
        { "", 0 }, { "5 s", 0 }, { "1month", 0 } };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        CHECK_INT(rows[i].text, systemd_reply_time_ms(rows[i].text), rows[i].ms);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(complaints_are_told_in_our_words),
        cmocka_unit_test(an_end_has_our_code_where_it_was_ours),
        cmocka_unit_test(properties_are_found_by_their_whole_name),
        cmocka_unit_test(times_are_read_as_systemctl_shows_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
