#include "unit.h"

#include "env_file.h"

#include "banned.h"

/* Entries as "NAME=VALUE|NAME=VALUE|" */
static void describe(const struct env_file *file, char *text, size_t size)
{
    size_t at = 0;

    text[0] = '\0';
    for (size_t i = 0; i < file->count; i++) {
        (void)snprintf(
                text + at, size - at, "%s=%s|", file->entries[i].name, file->entries[i].value);
        at = strlen(text);
    }
}

static void reads(void **state)
{
    static const struct {
        const char *text;
        const char *entries;
    } rows[] = {
        { "", "" },
        { "\n\n", "" },
        { "# c\n; c\n  # c\n\t;c", "" },
        { "A=1", "A=1|" },
        { "A=1\n", "A=1|" },
        { "A=1\nB=2", "A=1|B=2|" },
        { "A=1\r\nB=2\r\n", "A=1|B=2|" },
        { "A=1\r", "A=1|" },
        { "\xEF\xBB\xBF"
          "A=1",
                "A=1|" },
        { "  A=1", "A=1|" },
        { "A=1\nA=2", "A=1|A=2|" },
        { "_a9=x", "_a9=x|" },
        { "A=", "A=|" },
        { "A=\n", "A=|" },
        { "A=  \n", "A=|" },
        { "A=  x  y \t\n", "A=x  y|" },
        { "A=a=b", "A=a=b|" },
        { "A=a#b;c", "A=a#b;c|" },
        { "A=a #b", "A=a|" },
        { "A=a\t;b", "A=a|" },
        { "A=#b", "A=#b|" },
        { "A= #b", "A=|" },
        { "A=a\"b\"", "A=a\"b\"|" },
        { "A=a\\nb", "A=a\\nb|" },
        { "A=$HOME `id` $(id)", "A=$HOME `id` $(id)|" },
        { "A=\xC3\xA9", "A=\xC3\xA9|" },
        { "A=a\rb", "A=a\rb|" },

        { "export A=1", "A=1|" },
        { "export \t A=1", "A=1|" },
        { "export=1", "export=1|" },
        { "exported=1", "exported=1|" },
        { "export export=1", "export=1|" },

        { "A='x'", "A=x|" },
        { "A=''", "A=|" },
        { "A=' x  '", "A= x  |" },
        { "A=  'x'  ", "A=x|" },
        { "A='x' # c", "A=x|" },
        { "A='x'\t;c", "A=x|" },
        { "A='\\n\"$'", "A=\\n\"$|" },
        { "A='a\nb'\nB=1", "A=a\nb|B=1|" },
        { "A='# no comment'", "A=# no comment|" },
        { "A='x'\r\nB=2", "A=x|B=2|" },
        { "A=\"x\"", "A=x|" },
        { "A=\"\"", "A=|" },
        { "A=\"\\\"\\\\\\n\\t\\$\"", "A=\"\\\n\t$|" },
        { "A=\"\\a\\'\\ \"", "A=\\a\\'\\ |" },
        { "A=\"a\\\nb\"", "A=a\\\nb|" },
        { "A=\"a\n\nb\"\nB=1", "A=a\n\nb|B=1|" },
        { "A=\"it's $HOME\"", "A=it's $HOME|" },
        { "A=\"x\\\\\" # c", "A=x\\|" },

        { "UID=1\nEUID=1\nGID=1\nEGID=1\nPPID=1\nUIDS=1", "UIDS=1|" },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct arena arena = { 0 };
        struct env_file file;
        struct err err;
        char text[256];

        if (env_file_parse(rows[i].text, strlen(rows[i].text), &arena, &file, &err) == -1)
            fail_msg("row \"%s\": %s", rows[i].text, err.text);
        describe(&file, text, sizeof text);
        CHECK_TEXT(rows[i].text, text, rows[i].entries);
        arena_free(&arena);
    }
}

static void refuses(void **state)
{
    static const struct {
        const char *text;
        const char *said;
    } rows[] = {
        { "A", "line 1: there is no '='" },
        { "A=1\n\nnonsense", "line 3: there is no '='" },
        { "export A", "line 1: there is no '='" },
        { "export", "line 1: there is no '='" },
        { "=1", "line 1: \"\" is not a name" },
        { "1A=1", "line 1: \"1A\" is not a name" },
        { "A B=1", "line 1: \"A B\" is not a name" },
        { "A =1", "line 1: \"A \" is not a name" },
        { "A-B=1", "line 1: \"A-B\" is not a name" },
        { "\xC3\xA9=1", "line 1: \"\xC3\xA9\" is not a name" },
        { "set A=1", "line 1: \"set A\" is not a name" },
        { "A=\"x", "line 1: this quote is never closed" },
        { "A='x\n\nB=1", "line 1: this quote is never closed" },
        { "\nA=\"x\\\"", "line 2: this quote is never closed" },
        { "A=\"x\\", "line 1: this quote is never closed" },
        { "A=\"x\"y", "line 1: there is text behind the closing quote" },
        { "A='x' y", "line 1: there is text behind the closing quote" },
        { "A='x'#y", "line 1: there is text behind the closing quote" },
        { "A='x\n\n' y", "line 3: there is text behind the closing quote" },
        { "A=1\nB=\xFF", "line 2: invalid UTF-8" },
        { "# \xFF", "line 1: invalid UTF-8" },
        { "UID", "line 1: there is no '='" },
        { "A='a\nb'\nB", "line 3: there is no '='" },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct arena arena = { 0 };
        struct env_file file = { .count = 77 };
        struct err err = { 0 };

        CHECK(rows[i].text,
                env_file_parse(rows[i].text, strlen(rows[i].text), &arena, &file, &err) == -1);
        CHECK_INT(rows[i].text, err.kind, ERR_CONFIG);
        if (strncmp(err.text, rows[i].said, strlen(rows[i].said)) != 0)
            fail_msg("row \"%s\" says \"%s\"", rows[i].text, err.text);
        CHECK_INT(rows[i].text, file.count, 77u);
        arena_free(&arena);
    }
}

static void refuses_a_nul_byte_and_what_is_too_long(void **state)
{
    struct arena arena = { 0 };
    struct env_file file;
    struct err err;
    char *text = malloc(ENV_FILE_MAX_BYTES + 1);

    assert_int_equal(env_file_parse("A=1\nB=\0", 7, &arena, &file, &err), -1);
    assert_string_equal(err.text, "line 2: NUL byte");
    memset(text, '\n', ENV_FILE_MAX_BYTES + 1);
    assert_int_equal(env_file_parse(text, ENV_FILE_MAX_BYTES, &arena, &file, &err), 0);
    assert_int_equal(env_file_parse(text, ENV_FILE_MAX_BYTES + 1, &arena, &file, &err), -1);
    assert_string_equal(err.text, "longer than 1048576 bytes");
    free(text);
    arena_free(&arena);
}

static void needs_no_nul_behind_the_text(void **state)
{
    static const char *const rows[] = { "A", "A=", "A=1", "A=\"", "A='x'", "A=\"\\", "export ",
        "export A=", "#", "A= ", "A=1\r", "A='x' " };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        size_t length = strlen(rows[i]);
        char *text = malloc(length); /* exactly, so that a sanitizer sees a read behind it */
        struct arena arena = { 0 };
        struct env_file file;
        struct err err;

        memcpy(text, rows[i], length);
        (void)env_file_parse(text, length, &arena, &file, &err);
        free(text);
        arena_free(&arena);
    }
}

static void keeps_many_entries_in_order(void **state)
{
    struct arena arena = { 0 };
    struct env_file file;
    struct err err;
    char text[8000];
    size_t at = 0;

    for (int i = 0; i < 500; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "N%d=v%d\n", i, i);
    assert_int_equal(env_file_parse(text, at, &arena, &file, &err), 0);
    assert_int_equal(file.count, 500);
    for (int i = 0; i < 500; i++) {
        char expected[16];

        (void)snprintf(expected, sizeof expected, "N%d", i);
        assert_string_equal(file.entries[i].name, expected);
        expected[0] = 'v';
        assert_string_equal(file.entries[i].value, expected);
    }
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads),
        cmocka_unit_test(refuses),
        cmocka_unit_test(refuses_a_nul_byte_and_what_is_too_long),
        cmocka_unit_test(needs_no_nul_behind_the_text),
        cmocka_unit_test(keeps_many_entries_in_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
