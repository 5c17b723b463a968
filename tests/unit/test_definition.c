#include "unit.h"

#include "definition.h"

#include "banned.h"

static void differences_are_told_line_by_line(void **state)
{
    static const struct {
        const char *from;
        const char *to;
        const char *told;
    } rows[] = {
        { "", "", "" },
        { "a\nb\n", "a\nb\n", "" },
        { "", "a\nb\n", "+a\n+b\n" },
        { "a\nb\n", "", "-a\n-b\n" },
        { "a\nb\nc\n", "a\nc\n", "-b\n" },
        { "a\nc\n", "a\nb\nc\n", "+b\n" },
        { "a\nb\nc\n", "a\nx\nc\n", "-b\n+x\n" },
        { "a\nb", "a\nb\nc", "+c\n" },
        { "a\n\nb\n", "a\nb\n", "-\n" },
        { "a\nb\nc\nd\n", "b\nd\ne\n", "-a\n-c\n+e\n" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buffer out = { 0 };

        CHECK_INT(rows[i].told, definition_diff(rows[i].from, rows[i].to, &out),
                strcmp(rows[i].from, rows[i].to) != 0);
        CHECK_TEXT(rows[i].from, buffer_text(&out), rows[i].told);
        buffer_free(&out);
    }
}

static void a_very_long_text_is_told_as_a_whole(void **state)
{
    struct buffer from = { 0 };
    struct buffer out = { 0 };

    (void)state;
    for (int i = 0; i < 600; i++)
        buffer_printf(&from, "%d\n", i);
    assert_true(definition_diff(buffer_text(&from), "0\n", &out));
    assert_non_null(strstr(buffer_text(&out), "\n-599\n+0\n"));
    buffer_free(&from);
    buffer_free(&out);
}

static void files_are_added_and_freed(void **state)
{
    struct definition definition = { .count = 0 };

    (void)state;
    buffer_puts(definition_add(&definition, "a.service"), "text");
    buffer_puts(definition_add(&definition, "a.socket"), "more");
    assert_int_equal(definition.count, 2);
    assert_string_equal(definition.files[1].name, "a.socket");
    definition_free(&definition);
    assert_int_equal(definition.count, 0);
    definition_free(&definition);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(differences_are_told_line_by_line),
        cmocka_unit_test(a_very_long_text_is_told_as_a_whole),
        cmocka_unit_test(files_are_added_and_freed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
