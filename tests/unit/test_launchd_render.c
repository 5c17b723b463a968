/* The plist, and what is read back out of it.  What a parser makes of it: test_launchd_plist.py. */
#include "config_text.h"

#include "launchd_render.h"
#include "str.h"
#include "xml_text.h"

#include "banned.h"

#define WEB "{\"command\":[\"/srv/web/bin\"],\"listen\":\"127.0.0.1:8787\""

static struct definition_input input_of(const struct config *config)
{
    return (struct definition_input) {
        .config = config,
        .executable = "/usr/bin/svcmgr",
        .config_path = "/home/a/.config/svcmgr/web.json",
        .state_path = "/home/a/state/web",
    };
}

static const char *text_of(const struct definition *made)
{
    return buffer_text(&made->files[0].text);
}

static struct definition rendered(const struct definition_input *input)
{
    struct definition made = { .count = 0 };
    struct err err;

    if (launchd_render(input, &made, &err) == -1)
        fail_msg("%s", err.text);
    assert_int_equal(made.count, 1);
    return made;
}

static void check_number(const struct definition *made, const char *key, uint64_t wanted)
{
    uint64_t found = 0;

    CHECK(key, launchd_render_number(text_of(made), key, &found) && found == wanted);
}

static void times_fit_the_stop(void **state)
{
    static const struct {
        const char *text;
        bool system_scope;
        uint64_t exit_s;
    } rows[] = {
        { WEB "}", false, 25 },
        { WEB ",\"stop\":{\"timeout\":\"44s\"}}", false, 59 },
        { WEB ",\"stop\":{\"timeout\":\"500ms\"}}", false, 16 },
        { WEB ",\"stop\":{\"timeout\":\"5m\"}}", false, 60 },
        { WEB ",\"stop\":{\"timeout\":\"5m\"}}", true, 315 },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct config config = parsed(rows[i].text);
        struct definition_input input = input_of(&config);
        struct definition made;

        input.system_scope = rows[i].system_scope;
        made = rendered(&input);
        check_number(&made, "ExitTimeOut", rows[i].exit_s);
        check_number(&made, "ThrottleInterval", 10);
        assert_non_null(strstr(text_of(&made), "<key>SuccessfulExit</key> <false/>"));
        assert_true(
                (strstr(text_of(&made), "LimitLoadToSessionType") != NULL) != rows[i].system_scope);
        definition_free(&made);
        config_free(&config);
    }
}

static void numbers_are_decimal_and_enough(void **state)
{
    struct config config = parsed(WEB ",\"umask\":\"027\",\"limits\":{\"nofile\":10000}}");
    struct config plain = parsed("{\"command\":[\"x\"],\"limits\":{\"nofile\":64}}");
    struct definition_input input = input_of(&config);
    struct definition made = rendered(&input);
    char value[64];

    (void)state;
    check_number(&made, "Umask", 23);
    check_number(&made, "NumberOfFiles", 10000);
    assert_true(launchd_render_string(text_of(&made), "ProcessType", value, sizeof value));
    assert_string_equal(value, "Interactive");
    assert_null(strstr(text_of(&made), "StandardOutPath"));
    assert_null(strstr(text_of(&made), "EnvironmentVariables"));
    assert_false(launchd_render_has_sockets(text_of(&made)));
    definition_free(&made);
    input = input_of(&plain);
    made = rendered(&input);
    check_number(&made, "NumberOfFiles", 4096);
    assert_true(launchd_render_string(text_of(&made), "ProcessType", value, sizeof value));
    assert_string_equal(value, "Standard");
    definition_free(&made);
    config_free(&config);
    config_free(&plain);
}

static void values_are_read_back(void **state)
{
    static const char hostile[] = "a\"b'c&d<e>f]]>g--h\tj\nk\rl\xc3\xa9%\x7f";
    struct config config = parsed(WEB "}");
    struct definition_input input = input_of(&config);
    struct definition made;
    char value[256];
    char small[8];
    uint64_t number;

    (void)state;
    (void)str_copy(input.search_path, sizeof input.search_path, hostile);
    input.without_screen = true;
    made = rendered(&input);
    assert_true(launchd_render_string(text_of(&made), "PATH", value, sizeof value));
    assert_string_equal(value, hostile);
    assert_true(
            launchd_render_string(text_of(&made), "LimitLoadToSessionType", value, sizeof value));
    assert_string_equal(value, LAUNCHD_RENDER_BACKGROUND);
    assert_false(launchd_render_string(text_of(&made), "PATH", small, sizeof small));
    assert_false(launchd_render_string(text_of(&made), "Umask", value, sizeof value));
    assert_false(launchd_render_number(text_of(&made), "PATH", &number));
    assert_false(launchd_render_string(
            "<key>PATH</key>\n<string>&quot;</string>", "PATH", value, sizeof value));
    assert_false(launchd_render_number("<key>A</key>\n<integer>x</integer>", "A", &number));
    definition_free(&made);
    config_free(&config);
}

static void its_owner_is_the_state_directory(void **state)
{
    static const char *const paths[] = { "/home/a/state/web", "/x--y--->/web", "/a%2D-/-",
        "/nl\n\x01/web", "/" };
    struct config config = parsed(WEB "}");
    struct definition_input input = input_of(&config);

    (void)state;
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        struct definition made;
        struct err err;

        input.state_path = paths[i];
        if (launchd_render(&input, &made, &err) == -1) {
            assert_non_null(strstr(paths[i], "\x01"));
            continue;
        }
        for (size_t j = 0; j < COUNT_OF(paths); j++)
            assert_int_equal(launchd_render_owner_of(text_of(&made), paths[j]),
                    i == j ? DEFINITION_OURS : DEFINITION_OTHER);
        definition_free(&made);
    }
    assert_int_equal(launchd_render_owner_of("", "/"), DEFINITION_FOREIGN);
    assert_int_equal(launchd_render_owner_of("<plist><dict/></plist>", "/"), DEFINITION_FOREIGN);
    config_free(&config);
}

static void comments_stay_comments(void **state)
{
    struct buffer out = { 0 };

    (void)state;
    xml_text_comment("a-b--c---d%\n\x7f-", &out);
    assert_string_equal(buffer_text(&out), "a-b-%2Dc-%2D%2Dd%25%0A%7F-");
    assert_null(strstr(buffer_text(&out), "--"));
    buffer_free(&out);
}

static void what_xml_has_no_form_for_is_refused_by_name(void **state)
{
    static const struct {
        const char *text;
        const char *says; /* NULL: it is taken */
    } rows[] = {
        { "a\x01"
          "b",
                "control character 0x01 at byte 2" },
        { "\x1b[0m", "control character 0x1b at byte 1" },
        { "a\xff", "what begins at byte 2 is no UTF-8" },
        { "\xef\xbf\xbf", "byte 1" },
        { "\xef\xbf\xbe", "byte 1" },
        { "\xed\xa0\x80", "byte 1" }, /* half a pair of UTF-16 */
        { "\xef\xbf\xbd", NULL },
        { "\xf0\x9f\x98\x80\x7f\xc2\x85", NULL },
        { "\t\n\r", NULL },
        { "", NULL },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buffer out = { 0 };
        struct err err;
        int result = xml_text("a plist", "a word", rows[i].text, &out, &err);

        if (rows[i].says == NULL) {
            CHECK(rows[i].text, result == 0);
        } else {
            CHECK(rows[i].says, result == -1 && err.kind == ERR_CONFIG);
            CHECK(err.text, strstr(err.text, rows[i].says) != NULL);
            CHECK(err.text, strstr(err.text, "a plist cannot say a word") != NULL);
        }
        buffer_free(&out);
    }
}

static void what_a_plist_cannot_say_is_refused(void **state)
{
    static const char *const rows[][2] = {
        { "{\"command\":[\"x\"]}", "it listens nowhere" },
        { "{\"command\":[\"x\"],\"listen\":\"127.0.0.1:0\"}", "needs a port" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct config config = parsed(rows[i][0]);
        struct definition_input input = input_of(&config);
        struct definition made;
        struct err err;

        input.with_socket = true;
        CHECK(rows[i][1], launchd_render(&input, &made, &err) == -1 && err.kind == ERR_CONFIG);
        CHECK(err.text, strstr(err.text, rows[i][1]) != NULL);
        config_free(&config);
    }
}

static void there_is_none_for_all_services(void **state)
{
    struct definition_input input = { .executable = "/usr/bin/svcmgr" };
    struct definition made;
    struct err err;

    (void)state;
    assert_int_equal(launchd_render(&input, &made, &err), -1);
    assert_int_equal(err.kind, ERR_USAGE);
}

static void sockets_are_told_apart_by_their_addresses(void **state)
{
    static const char *const wanted[] = {
        "<string>IPv4</string>\n\t\t\t\t<key>SockNodeName</key> <string>0.0.0.0</string>",
        "<string>IPv4v6</string>\n\t\t\t\t<key>SockServiceName</key> <string>81</string>",
        "<string>IPv6</string>\n\t\t\t\t<key>SockNodeName</key> <string>::1</string>",
        "<key>SockPathMode</key> <integer>432</integer>",
    };
    struct config config = parsed("{\"command\":[\"x\"],\"listen\":[\"0.0.0.0:80\",\"[::]:81\","
                                  "{\"address\":\"localhost:82\",\"both\":true,\"socket\":"
                                  "\"inherit\"},{\"address\":\"unix:/a\",\"mode\":\"0660\"}]}");
    struct definition_input input = input_of(&config);
    struct definition made;

    (void)state;
    input.with_socket = true;
    made = rendered(&input);
    assert_true(launchd_render_has_sockets(text_of(&made)));
    for (size_t i = 0; i < COUNT_OF(wanted); i++)
        CHECK(wanted[i], strstr(text_of(&made), wanted[i]) != NULL);
    definition_free(&made);
    config_free(&config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_fit_the_stop),
        cmocka_unit_test(numbers_are_decimal_and_enough),
        cmocka_unit_test(values_are_read_back),
        cmocka_unit_test(its_owner_is_the_state_directory),
        cmocka_unit_test(comments_stay_comments),
        cmocka_unit_test(what_xml_has_no_form_for_is_refused_by_name),
        cmocka_unit_test(what_a_plist_cannot_say_is_refused),
        cmocka_unit_test(there_is_none_for_all_services),
        cmocka_unit_test(sockets_are_told_apart_by_their_addresses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
