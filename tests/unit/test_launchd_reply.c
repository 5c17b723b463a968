/* What launchctl prints, as macOS 11 to 15 print it. */
#include "unit.h"

#include "definition.h"
#include "launchd_reply.h"

#include "banned.h"

#define RUNNING                                                                                    \
    "gui/501/svcmgr.webui = {\n"                                                                   \
    "\tactive count = 1\n"                                                                         \
    "\tpath = /Users/a b/Library/LaunchAgents/svcmgr.webui.plist\n"                                \
    "\ttype = LaunchAgent\n"                                                                       \
    "\tstate = running\n\n"                                                                        \
    "\targuments = {\n\t\tpid = 7\n\t\tstate = x\n\t}\n"                                           \
    "\truns = 3\n\tpid = 4242\n"                                                                   \
    "\tlast exit code = 78: EX_CONFIG\n"                                                           \
    "\tendpoints = {\n\t\t\"x\" = {\n\t\t\tstate = active\n\t\t\tpid = 1\n\t\t}\n\t}\n"            \
    "\tstate change = never\n}\n"

static void a_job_is_what_its_own_lines_say(void **state)
{
    static const struct {
        const char *text;
        struct launchd_job wanted;
    } rows[] = {
        { RUNNING,
                { .pid = 4242,
                        .runs = 3,
                        .state = "running",
                        .last_exit = "78: EX_CONFIG",
                        .path = "/Users/a b/Library/LaunchAgents/svcmgr.webui.plist" } },
        { "x = {\n\tstate = not running\n\truns = 2\n\tlast exit code = 0\n}\n",
                { .runs = 2, .state = "not running", .last_exit = "0" } },
        { "x = {\n\tstate = not running\n\truns = 0\n\tlast exit code = (never exited)\n}\n",
                { .state = "not running", .last_exit = "(never exited)", .is_pending = true } },
        { "x = {\n\tstate = spawn scheduled\n\truns = 264\n\tlast exit code = 1\n}\n",
                { .runs = 264, .state = "spawn scheduled", .last_exit = "1", .is_pending = true } },
        { "", { .is_pending = true } },
        { "\tpid = -1\n\truns = x\n\tstate", { .is_pending = true } },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct launchd_job job;

        launchd_reply_job(rows[i].text, &job);
        CHECK(rows[i].text, job.pid == rows[i].wanted.pid && job.runs == rows[i].wanted.runs);
        CHECK(rows[i].text, job.is_pending == rows[i].wanted.is_pending);
        CHECK_TEXT(rows[i].text, job.state, rows[i].wanted.state);
        CHECK_TEXT(rows[i].text, job.last_exit, rows[i].wanted.last_exit);
        CHECK_TEXT(rows[i].text, job.path, rows[i].wanted.path);
    }
}

static void a_pid_has_a_label(void **state)
{
    static const char list[] = "PID\tStatus\tLabel\n-\t0\tcom.a\n12\t-9\tcom.b c\n123\t0\tcom.d\n"
                               "77\n78\t0\n";
    char label[32];

    (void)state;
    assert_true(launchd_reply_label(list, 12, label, sizeof label));
    assert_string_equal(label, "com.b c");
    assert_true(launchd_reply_label(list, 123, label, sizeof label));
    assert_string_equal(label, "com.d");
    assert_false(launchd_reply_label(list, 1, label, sizeof label));
    assert_false(launchd_reply_label(list, 0, label, sizeof label));
    assert_false(launchd_reply_label(list, 77, label, sizeof label));
    assert_false(launchd_reply_label(list, 78, label, sizeof label));
}

static void a_label_is_disabled(void **state)
{
    static const char text[] = "\tdisabled services = {\n\t\t\"svcmgr.a\" => disabled\n"
                               "\t\t\"svcmgr.b\" => true\n\t\t\"svcmgr.c\" => enabled\n"
                               "\t\t\"svcmgr.d\" => false\n\t}\n";
    static const char *const rows[] = { "svcmgr.a", "svcmgr.b", "svcmgr.c", "svcmgr.d", "svcmgr",
        "svcmgr.e" };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        CHECK(rows[i], launchd_reply_is_disabled(text, rows[i]) == (i < 2));
}

static void complaints_are_in_our_words(void **state)
{
    static const struct {
        int code;
        const char *says;
        enum err_kind kind;
        const char *wanted;
    } rows[] = {
        { 1, "Bootstrap failed: 1: Operation not permitted\n", ERR_DENIED,
                "not permitted; use sudo (launchctl bootstrap x: Bootstrap failed: 1: Operation "
                "not permitted)" },
        { 5, "\nBootstrap failed: 5: Input/output error\nTry re-running the command as root\n",
                ERR_FAILED,
                "launchd does not take the plist, or has not let go of the job (launchctl "
                "bootstrap x: Bootstrap failed: 5: Input/output error)" },
        { 125, "Domain does not support specified action", ERR_FAILED,
                "this user has no session at the screen now, as over ssh (launchctl bootstrap x: "
                "Domain does not support specified action)" },
        { 42, "", ERR_FAILED, "launchctl bootstrap x failed with code 42" },
        { 43, "What?", ERR_FAILED, "launchctl bootstrap x failed with code 43: What?" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct err err;

        assert_int_equal(
                launchd_reply_explain(rows[i].code, rows[i].says, "bootstrap x", &err), -1);
        assert_int_equal(err.kind, rows[i].kind);
        CHECK_TEXT(rows[i].says, err.text, rows[i].wanted);
    }
}

static void a_run_says_how_it_has_ended(void **state)
{
    static const struct {
        const char *log;
        bool found;
        uint64_t code;
        const char *sentence;
    } rows[] = {
        { "", false, 0, "" },
        { "svcmgr: webui: something\n", false, 0, "" },
        { "f:1:2: wrong\nsvcmgr: webui: invalid\nsvcmgr: webui: ended with code 6; launchd is told "
          "0, and leaves it so\n",
                true, 6, "svcmgr: webui: invalid" },
        { "svcmgr: ended with code 2; x", true, 2, "" },
        { "svcmgr: webui: ended with code ?", false, 0, "" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char sentence[64] = "";
        uint64_t code = 0;

        CHECK(rows[i].log,
                definition_read_end(rows[i].log, &code, sentence, sizeof sentence) ==
                        rows[i].found);
        if (!rows[i].found)
            continue;
        CHECK(rows[i].log, code == rows[i].code);
        CHECK_TEXT(rows[i].log, sentence, rows[i].sentence);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_job_is_what_its_own_lines_say),
        cmocka_unit_test(a_pid_has_a_label),
        cmocka_unit_test(a_label_is_disabled),
        cmocka_unit_test(complaints_are_in_our_words),
        cmocka_unit_test(a_run_says_how_it_has_ended),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
