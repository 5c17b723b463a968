/* The service record and the task, and what is read back out of the one. */
#include "config_text.h"

#include "str.h"
#include "winsvc_record.h"
#include "winsvc_render.h"
#include "winsvc_task.h"

#include "banned.h"

#define WEB "{\"command\":[\"C:/srv/web.exe\"]"

static struct definition_input input_of(const struct config *config)
{
    return (struct definition_input) {
        .config = config,
        .system_scope = true,
        .executable = "C:\\Program Files\\svcmgr\\svcmgr.exe",
        .config_path = "C:\\ProgramData\\svcmgr\\services\\web.json",
        .state_path = "C:\\ProgramData\\svcmgr\\state\\web",
        .user = "anna",
    };
}

static struct scm_service record_of(const struct definition_input *input)
{
    struct definition made = { .count = 0 };
    struct scm_service service;
    struct err err;

    if (winsvc_render(input, &made, &err) == -1)
        fail_msg("%s", err.text);
    assert_int_equal(made.count, 1);
    assert_string_equal(made.files[0].name, "svcmgr-web.json");
    if (winsvc_record_read(buffer_text(&made.files[0].text), &service, &err) == -1)
        fail_msg("%s", err.text);
    definition_free(&made);
    return service;
}

static void it_is_the_service_that_is_meant(void **state)
{
    struct config config = parsed(WEB ",\"stop\":{\"timeout\":\"44s\"},\"depends_on\":[\"db\"]}");
    struct definition_input input = input_of(&config);
    struct scm_service found = record_of(&input);

    (void)state;
    assert_string_equal(found.name, "svcmgr-web");
    assert_string_equal(found.state_path, input.state_path);
    assert_string_equal(found.command_line,
            "\"C:\\Program Files\\svcmgr\\svcmgr.exe\" --system run web --duplicate standby");
    assert_string_equal(found.account, "NT SERVICE\\svcmgr-web");
    assert_string_equal(found.event_file, input.executable);
    assert_true(found.sid_unrestricted && found.restarts_non_crash);
    assert_int_equal(found.start, SCM_START_DELAYED);
    assert_int_equal(found.preshutdown_ms, 59000);
    assert_int_equal(found.restart_count, 3);
    assert_int_equal(found.restart_delay_ms[2], 30000);
    assert_int_equal(found.reset_s, 3600);
    assert_int_equal(found.dependency_count, 1);
    assert_string_equal(found.dependencies[0], "svcmgr-db");
    assert_int_equal(found.grant_count, 2);
    assert_true(found.grants[0].modify && !found.grants[1].modify);
    assert_string_equal(found.grants[1].path, input.config_path);
    for (size_t i = 0; i < found.privilege_count; i++)
        assert_string_not_equal(found.privileges[i], "SeImpersonatePrivilege");
    config_free(&config);
}

/* What is written of what was read is the same text: two records differ when their texts do. */
static void a_record_is_read_back_as_it_is(void **state)
{
    struct scm_service made = {
        .name = "svcmgr-a",
        .state_path = "C:\\\xc3\xa9 \"x\"\\",
        .display_name = "a\tb",
        .description = "\"\\\n",
        .command_line = "\"x\" \\\"",
        .account = "LocalSystem",
        .start = SCM_START_DISABLED,
        .preshutdown_ms = 4294967295,
        .restart_count = SCM_ACTIONS_MAX,
        .grant_count = SCM_GRANTS_MAX,
        .privilege_count = SCM_PRIVILEGES_MAX,
        .dependency_count = SCM_DEPENDENCIES_MAX,
    };
    struct scm_service found;
    struct buffer text = { 0 };
    struct buffer again = { 0 };
    struct err err;

    (void)state;
    winsvc_record_write(&made, &text);
    assert_int_equal(winsvc_record_read(buffer_text(&text), &found, &err), 0);
    winsvc_record_write(&found, &again);
    assert_string_equal(buffer_text(&again), buffer_text(&text));
    assert_string_equal(found.state_path, made.state_path);
    assert_string_equal(found.description, made.description);
    for (int start = 0; start < SCM_START_COUNT; start++) {
        made.start = (enum scm_start)start;
        text.length = 0;
        winsvc_record_write(&made, &text);
        assert_int_equal(winsvc_record_read(buffer_text(&text), &found, &err), 0);
        assert_int_equal(found.start, start);
    }
    buffer_free(&text);
    buffer_free(&again);
}

/* Leaves out each member in turn, and cuts the text anywhere. */
static void what_is_no_record_is_refused(void **state)
{
    struct config config = parsed(WEB "}");
    struct definition_input input = input_of(&config);
    struct scm_service found = record_of(&input);
    struct buffer text = { 0 };
    struct err err;

    (void)state;
    winsvc_record_write(&found, &text);
    for (size_t i = 0; i + 2 < text.length; i++) {
        char kept = text.data[i];

        text.data[i] = '\0';
        assert_int_equal(winsvc_record_read(text.data, &found, &err), -1);
        text.data[i] = kept;
        if (kept == '_') { /* a member of another name is a missing one */
            text.data[i] = '-';
            assert_int_equal(winsvc_record_read(text.data, &found, &err), -1);
            text.data[i] = kept;
        }
    }
    assert_int_equal(winsvc_record_read("[]", &found, &err), -1);
    buffer_free(&text);
    config_free(&config);
}

static void what_windows_cannot_do_is_refused_by_name(void **state)
{
    static const struct {
        const char *config;
        const char *executable;
        bool system_scope;
        bool with_socket;
        enum err_kind kind;
        const char *words;
    } rows[] = {
        { WEB "}", "C:\\%TEMP%\\x.exe", true, false, ERR_CONFIG, "for a variable" },
        { WEB "}", "C:\\a\nb.exe", true, false, ERR_CONFIG, "control character 0x0a" },
        { WEB "}", "C:\\a\"b.exe", true, false, ERR_CONFIG, "a quotation mark" },
        { WEB ",\"user\":\"bob\"}", "C:\\x.exe", true, false, ERR_CONFIG, "a password" },
        { WEB "}", "C:\\x.exe", false, false, ERR_USAGE, "--task" },
        { WEB "}", "C:\\x.exe", true, true, ERR_USAGE, "without --socket" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct config config = parsed(rows[i].config);
        struct definition_input input = input_of(&config);
        struct definition made = { .count = 0 };
        struct err err;

        input.executable = rows[i].executable;
        input.system_scope = rows[i].system_scope;
        input.with_socket = rows[i].with_socket;
        CHECK_INT(rows[i].words, winsvc_render(&input, &made, &err), -1);
        CHECK_INT(rows[i].words, err.kind, rows[i].kind);
        CHECK(err.text, strstr(err.text, rows[i].words) != NULL);
        CHECK_INT(rows[i].words, made.count, 0);
        config_free(&config);
    }
}

static void a_single_percent_sign_is_itself(void **state)
{
    struct config config = parsed(WEB "}");
    struct definition_input input = input_of(&config);

    (void)state;
    input.executable = "C:\\100%\\x.exe";
    assert_string_equal(record_of(&input).command_line,
            "\"C:\\100%\\x.exe\" --system run web --duplicate standby");
    config_free(&config);
}

static void accounts_without_a_password_are_taken(void **state)
{
    static const char *const accounts[] = { "LocalSystem", "nt authority\\localservice",
        "NT AUTHORITY\\NetworkService", "CORP\\web$" };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(accounts); i++) {
        struct config config = parsed(WEB "}");
        struct definition_input input = input_of(&config);

        config.user = accounts[i];
        CHECK_TEXT(accounts[i], record_of(&input).account, accounts[i]);
        config_free(&config);
    }
}

static void what_was_not_told_is_as_wanted(void **state)
{
    struct config config = parsed(WEB "}");
    struct definition_input input = input_of(&config);
    struct scm_service wanted = record_of(&input);
    struct scm_service found = wanted;
    struct buffer a = { 0 };
    struct buffer b = { 0 };
    char text[128];

    (void)state;
    found.start = SCM_START_AUTOMATIC;
    found.sid_unrestricted = found.restarts_non_crash = false;
    found.privilege_count = found.restart_count = 0;
    found.preshutdown_ms = found.reset_s = 1;
    found.untold = SCM_UNTOLD_DELAYED | SCM_UNTOLD_SID | SCM_UNTOLD_PRIVILEGES |
            SCM_UNTOLD_RECOVERY | SCM_UNTOLD_NON_CRASH | SCM_UNTOLD_PRESHUTDOWN;
    winsvc_record_untold(&found, text, sizeof text);
    assert_string_equal(text,
            "delayed start, SID type, required privileges, recovery, non-crash failures, "
            "preshutdown timeout");
    winsvc_record_assume(&found, &wanted);
    winsvc_record_write(&found, &a);
    winsvc_record_write(&wanted, &b);
    assert_string_equal(buffer_text(&a), buffer_text(&b));
    found = wanted;
    found.untold = SCM_UNTOLD_DELAYED;
    found.start = SCM_START_DISABLED;
    found.preshutdown_ms = 1;
    winsvc_record_assume(&found, &wanted);
    assert_int_equal(found.start, SCM_START_DISABLED);
    assert_int_equal(found.preshutdown_ms, 1);
    found.untold = 0;
    winsvc_record_untold(&found, text, sizeof text);
    assert_string_equal(text, "");
    buffer_free(&a);
    buffer_free(&b);
    config_free(&config);
}

static void check_task(const struct definition_input *input, const char *const *wanted)
{
    struct definition made = { .count = 0 };
    struct err err;
    const char *text;

    if (winsvc_task_render(input, &made, &err) == -1)
        fail_msg("%s", err.text);
    text = buffer_text(&made.files[0].text);
    for (; *wanted != NULL; wanted++)
        CHECK(*wanted, strstr(text, *wanted) != NULL);
    for (; *text != '\0'; text++)
        assert_in_range((unsigned char)*text, '\n', '~');
    definition_free(&made);
}

static void a_task_starts_it_in_its_scope(void **state)
{
    static const char *const of_machine[] = { "<BootTrigger>", "<UserId>S-1-5-19</UserId>",
        "<Command>C:\\Program Files\\svcmgr\\svcmgr.exe</Command>",
        "<Arguments>--system run web --duplicate standby</Arguments>",
        "<ExecutionTimeLimit>PT0S</ExecutionTimeLimit>", "<Priority>5</Priority>", NULL };
    static const char *const of_user[] = { "<LogonTrigger>",
        "<UserId>an&lt;n&#xE9;&#x1F600;</UserId>", "<LogonType>InteractiveToken</LogonType>",
        "<Arguments>--user --state-dir \"D:\\a &amp; b\" start web</Arguments>", NULL };
    struct config config = parsed(WEB "}");
    struct definition_input input = input_of(&config);

    (void)state;
    check_task(&input, of_machine);
    input.system_scope = false;
    input.state_dir = "D:\\a & b";
    (void)str_copy(input.user, sizeof input.user, "an<n\xc3\xa9\xf0\x9f\x98\x80");
    check_task(&input, of_user);
    config_free(&config);
}

static void what_a_task_cannot_say_is_refused(void **state)
{
    struct config config = parsed(WEB "}");
    struct definition_input input = input_of(&config);
    struct definition made = { .count = 0 };
    struct err err;

    (void)state;
    input.state_path = "C:\\a\x01";
    assert_int_equal(winsvc_task_render(&input, &made, &err), -1);
    assert_int_equal(err.kind, ERR_CONFIG);
    assert_non_null(strstr(err.text, "a task cannot say the path of the state"));
    input = input_of(&config);
    input.with_socket = true;
    assert_int_equal(winsvc_task_render(&input, &made, &err), -1);
    assert_int_equal(err.kind, ERR_USAGE);
    input = (struct definition_input) { .config = NULL };
    assert_int_equal(winsvc_task_render(&input, &made, &err), -1);
    assert_int_equal(winsvc_render(&input, &made, &err), -1);
    assert_int_equal(err.kind, ERR_USAGE);
    config_free(&config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_the_service_that_is_meant),
        cmocka_unit_test(a_record_is_read_back_as_it_is),
        cmocka_unit_test(what_is_no_record_is_refused),
        cmocka_unit_test(what_windows_cannot_do_is_refused_by_name),
        cmocka_unit_test(a_single_percent_sign_is_itself),
        cmocka_unit_test(accounts_without_a_password_are_taken),
        cmocka_unit_test(what_was_not_told_is_as_wanted),
        cmocka_unit_test(a_task_starts_it_in_its_scope),
        cmocka_unit_test(what_a_task_cannot_say_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
