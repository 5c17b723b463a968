/* Command lines of Windows: what is written is read back as it was. */
#include "unit.h"

#include "command_line.h"

#include "banned.h"

#define WORDS_MAX 8

static void check_back(const char *line, const char *const *words)
{
    const char *at = line;
    char word[256];
    size_t i = 0;

    while (command_line_next(&at, i == 0, word, sizeof word)) {
        CHECK(line, words[i] != NULL);
        CHECK_TEXT(line, word, words[i]);
        i++;
    }
    CHECK(line, words[i] == NULL);
}

static void words_are_written_as_windows_reads_them(void **state)
{
    static const struct {
        const char *const words[WORDS_MAX];
        const char *line;
    } rows[] = {
        { { "C:\\svcmgr.exe", "run", "web" }, "\"C:\\svcmgr.exe\" run web" },
        { { "C:\\Program Files\\a b\\x.exe" }, "\"C:\\Program Files\\a b\\x.exe\"" },
        { { "a", "" }, "\"a\" \"\"" },
        { { "a", "b c" }, "\"a\" \"b c\"" },
        { { "a", "b\tc" }, "\"a\" \"b\tc\"" },
        { { "a", "b\"c" }, "\"a\" \"b\\\"c\"" },
        { { "a", "C:\\x\\" }, "\"a\" C:\\x\\" },
        { { "a", "C:\\x y\\" }, "\"a\" \"C:\\x y\\\\\"" },
        { { "a", "x\\\\\"y" }, "\"a\" \"x\\\\\\\\\\\"y\"" },
        { { "a", "x\\\\y z" }, "\"a\" \"x\\\\y z\"" },
        { { "a", "\xc3\xa9'$%" }, "\"a\" \xc3\xa9'$%" },
        { { "C:\\", "b" }, "\"C:\\\" b" },
        { { "a", "\"\"" }, "\"a\" \"\\\"\\\"\"" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buffer line = { 0 };

        command_line_join(rows[i].words, true, &line);
        CHECK_TEXT(rows[i].line, buffer_text(&line), rows[i].line);
        check_back(buffer_text(&line), rows[i].words);
        buffer_free(&line);
    }
}

static void lines_of_others_are_read_as_windows_reads_them(void **state)
{
    static const struct {
        const char *line;
        const char *const words[WORDS_MAX];
    } rows[] = {
        { "a  b\t c ", { "a", "b", "c" } },
        { "\"a b\"c d", { "a b", "c", "d" } },
        { "a x\"y z\"w", { "a", "xy zw" } },
        { "a \\\\\"b c\"", { "a", "\\b c" } },
        { "a \"b c", { "a", "b c" } },
        { "a b\\", { "a", "b\\" } },
        { "a \\ b", { "a", "\\", "b" } },
        { "a \"b\"\"c d\"e", { "a", "b\"c de" } },
        { "a \"\" b", { "a", "", "b" } },
        { "a b\"\"c", { "a", "bc" } },
        { "a \"b\\\\\"\"c\"", { "a", "b\\\"c" } },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        check_back(rows[i].line, rows[i].words);
}

static void what_does_not_fit_is_not_cut(void **state)
{
    const char *line = "\"12345678\" 12345678";
    char word[8];

    (void)state;
    assert_false(command_line_next(&line, true, word, sizeof word));
    line = " 12345678";
    assert_false(command_line_next(&line, false, word, sizeof word));
    assert_string_equal(line, " 12345678");
    line = " \\\\\\\\\\\\\\\\";
    assert_false(command_line_next(&line, false, word, sizeof word));
    line = " 1234567";
    assert_true(command_line_next(&line, false, word, sizeof word));
    assert_string_equal(word, "1234567");
    assert_false(command_line_next(&line, false, word, sizeof word));
}

static void a_program_s_path_has_no_quotes(void **state)
{
    const char *const words[] = { "C:\\\"x\"", NULL };
    struct buffer line = { 0 };

    (void)state;
    command_line_join(words, false, &line);
    assert_string_equal(buffer_text(&line), "\"C:\\x\"");
    buffer_free(&line);
}

static void a_program_s_path_is_quoted_where_it_must_be(void **state)
{
    static const struct {
        const char *const words[WORDS_MAX];
        const char *line;
    } rows[] = {
        { { "svcmgr", "start", "a b" }, "svcmgr start \"a b\"" },
        { { "C:\\a b\\", "c" }, "\"C:\\a b\\\" c" },
        { { "C:\\a\\", "c" }, "C:\\a\\ c" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buffer line = { 0 };

        command_line_join(rows[i].words, false, &line);
        CHECK_TEXT(rows[i].line, buffer_text(&line), rows[i].line);
        check_back(buffer_text(&line), rows[i].words);
        buffer_free(&line);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_written_as_windows_reads_them),
        cmocka_unit_test(lines_of_others_are_read_as_windows_reads_them),
        cmocka_unit_test(what_does_not_fit_is_not_cut),
        cmocka_unit_test(a_program_s_path_has_no_quotes),
        cmocka_unit_test(a_program_s_path_is_quoted_where_it_must_be),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
