#include "unit.h"

#include "identity.h"
#include "signal_name.h"
#include "str.h"

#include "banned.h"

static void copies_what_fits(void **state)
{
    char target[4] = "xxx";

    assert_true(str_copy(target, sizeof target, "abc"));
    assert_string_equal(target, "abc");
    assert_false(str_copy(target, sizeof target, "abcd"));
    assert_string_equal(target, "");
    assert_true(str_format(target, sizeof target, "%d", 123));
    assert_string_equal(target, "123");
    assert_false(str_format(target, sizeof target, "%d", 1234));
    assert_string_equal(target, "123");
}

static void reads_numbers(void **state)
{
    static const struct {
        const char *text;
        uint64_t max;
        bool good;
        uint64_t value;
    } rows[] = {
        { "0", 0, true, 0 },
        { "00", 9, true, 0 },
        { "65535", 65535, true, 65535 },
        { "65536", 65535, false, 0 },
        { "18446744073709551615", UINT64_MAX, true, UINT64_MAX },
        { "18446744073709551616", UINT64_MAX, false, 0 },
        { "99999999999999999999", UINT64_MAX, false, 0 },
        { "", UINT64_MAX, false, 0 },
        { "-1", UINT64_MAX, false, 0 },
        { "+1", UINT64_MAX, false, 0 },
        { " 1", UINT64_MAX, false, 0 },
        { "1 ", UINT64_MAX, false, 0 },
        { "0x1", UINT64_MAX, false, 0 },
        { "1:", UINT64_MAX, false, 0 },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        uint64_t value = 77;

        CHECK(rows[i].text, str_to_uint(rows[i].text, rows[i].max, &value) == rows[i].good);
        CHECK(rows[i].text, value == (rows[i].good ? rows[i].value : 77));
    }
}

static void writes_hexadecimal(void **state)
{
    const unsigned char bytes[] = { 0x00, 0x0F, 0x9A, 0xFF };
    char text[] = "........##";

    str_hex(text, bytes, sizeof bytes);
    assert_memory_equal(text, "000f9aff\0#", sizeof text - 1);
    str_hex(text, bytes, 0);
    assert_string_equal(text, "");
    (void)state;
}

static void compares_without_case(void **state)
{
    assert_true(str_equal_nocase("Con", "cON"));
    assert_true(str_equal_nocase("", ""));
    assert_false(str_equal_nocase("con", "cons"));
    assert_false(str_equal_nocase("cons", "con"));
    assert_false(str_equal_nocase("a", "b"));
    /* 'A' and 'a' differ by one bit, and so do '@' and '`'. */
    assert_false(str_equal_nocase("@", "`"));
    assert_true(
            str_is_letter('a') && str_is_letter('z') && str_is_letter('A') && str_is_letter('Z'));
    assert_false(str_is_letter('@') || str_is_letter('[') || str_is_letter('`') ||
            str_is_letter('{') || str_is_letter('0') || str_is_letter('\xE9'));
    assert_true(str_is_digit('0') && str_is_digit('9'));
    assert_false(str_is_digit('/') || str_is_digit(':'));
}

static void knows_utf8(void **state)
{
    static const struct {
        const char *text;
        size_t first; /* length of the first character; 0: not valid */
        bool whole;   /* all of the text is valid */
    } rows[] = {
        { "a", 1, true },
        { "\x7F", 1, true },
        { "\xC3\xA9", 2, true },
        { "\xE2\x82\xAC!", 3, true },
        { "\xF0\x9F\x98\x80", 4, true },
        { "\xF4\x8F\xBF\xBF", 4, true },  /* U+10FFFF */
        { "\xF4\x90\x80\x80", 0, false }, /* over it */
        { "\xF5\x80\x80\x80", 0, false }, /* no lead byte */
        { "\xED\x9F\xBF", 3, true },      /* U+D7FF */
        { "\xED\xA0\x80", 0, false },     /* a surrogate */
        { "\xED\xBF\xBF", 0, false },     /* the last one */
        { "\xEE\x80\x80", 3, true },      /* U+E000 */
        { "\xC0\x80", 0, false },         /* overlong NUL */
        { "\xC1\xBF", 0, false },         /* overlong */
        { "\xE0\x9F\xBF", 0, false },     /* overlong */
        { "\xE0\xA0\x80", 3, true },      /* U+0800 */
        { "\xF0\x8F\xBF\xBF", 0, false }, /* overlong */
        { "\xF0\x90\x80\x80", 4, true },  /* U+10000 */
        { "\x80", 0, false },             /* continuation alone */
        { "\xC3", 0, false },             /* cut */
        { "\xE2\x82", 0, false },         /* cut */
        { "\xF0\x9F\x98", 0, false },     /* cut */
        { "\xC3(", 0, false },            /* no continuation */
        { "\xE2\x82(", 0, false },
        { "a\xFF", 1, false },
        { "\xC3\xA9\x80", 2, false },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        size_t length = strlen(rows[i].text);

        CHECK_INT(rows[i].text, str_utf8_length(rows[i].text, length), rows[i].first);
        CHECK(rows[i].text, str_is_utf8(rows[i].text, length) == rows[i].whole);
    }
    assert_int_equal(str_utf8_length("", 0), 0);
    assert_true(str_is_utf8("", 0));
    assert_true(str_is_utf8("a\0b", 3));
}

static void finds_the_nearest_name(void **state)
{
    static const char *const names[] = { "command", "directory", "port", "ready", "replace" };
    static const struct {
        const char *text;
        const char *nearest;
    } rows[] = {
        { "comand", "command" },
        { "COMMAND", "command" },
        { "commnad", "command" },
        { "directroy", "directory" },
        { "prot", "port" },
        { "replcae", "replace" },
        { "xxxxxxx", NULL },
        { "p", NULL },
        { "", NULL },
        { "po", NULL },
        { "a-word-that-is-longer-than-every-name-that-a-person-would-have-meant-here", NULL },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const char *found = str_nearest(rows[i].text, names, COUNT_OF(names));

        if (rows[i].nearest == NULL)
            CHECK(rows[i].text, found == NULL);
        else
            CHECK(rows[i].text, found != NULL && strcmp(found, rows[i].nearest) == 0);
    }
    assert_null(str_nearest("command", names, 0));
    {
        const char *long_name =
                "a-name-that-is-longer-than-every-word-that-a-person-would-ever-have-written";

        assert_null(str_nearest("a-name", &long_name, 1));
    }
}

static void shortens_for_messages(void **state)
{
    static const struct {
        const char *text;
        const char *shown; /* in 8 bytes */
    } rows[] = {
        { "", "" },
        { "1234567", "1234567" },
        { "12345678", "1234..." },
        { "a\nb\x7F", "a?b?" },
        { "123\xC3\xA9"
          "5678",
                "123..." }, /* the two bytes of one character */
        { "12\xC3\xA9"
          "5678",
                "12\xC3\xA9..." },
        { "\xF0\x9F\x98\x80\xF0\x9F\x98\x80", "\xF0\x9F\x98\x80..." },
        { "1\xF0\x9F\x98\x80\xF0\x9F\x98\x80", "1..." },
    };
    char target[8];

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        memset(target, 'x', sizeof target);
        str_shorten(target, sizeof target, rows[i].text);
        CHECK_TEXT(rows[i].text, target, rows[i].shown);
    }
}

static void writes_command_lines(void **state)
{
    static const struct {
        const char *argv[4];
        size_t size;
        const char *line;
    } rows[] = {
        { { "python3", "server.py" }, 64, "python3 server.py" },
        { { "echo", "a b", "" }, 64, "echo 'a b' ''" },
        { { "it's" }, 64, "'it'\\''s'" },
        { { "$HOME", "a;b" }, 64, "'$HOME' 'a;b'" },
        { { "a\nb" }, 64, "'a?b'" },
        { { "\xC3\xA9" }, 64, "\xC3\xA9" },
        { { "abcdefghij" }, 8, "abcd..." },
        { { "abc", "def" }, 8, "abc ..." },
        { { "ab'cd" }, 8, "'ab'..." },
        { { "a b" }, 7, "'a ..." },
        { { "abc", "d" }, 7, "abc..." },
        { { "abc", "d e" }, 8, "abc ..." },
        { { "a\x7F" }, 64, "'a?'" },
        { { "a b c" }, 10, "'a b c..." },
        { { "a\xC2\x9B"
            "b\xFF" },
                64, "a?b?" },
        { { "abc\xC3\xA9g" }, 8, "abc?..." }, /* cut inside a character */
        { { "a" }, 4, "..." },
        { { "a" }, 3, "" },
        { { NULL }, 3, "" },
    };
    char target[64];

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        memset(target, 'x', sizeof target);
        str_command_line(target, rows[i].size, rows[i].argv);
        CHECK_TEXT(rows[i].line, target, rows[i].line);
        CHECK(rows[i].line, strlen(target) < rows[i].size);
    }
    str_command_line(target, 0, rows[0].argv); /* writes nothing, not even a NUL */
    assert_string_equal(target, "");
}

static void makes_text_printable(void **state)
{
    char text[] = "a\tb\x1B[2J\x7F\xC3\xA9";

    char controls[] = "\xC2\x80|\xC2\x9B"
                      "31m|\xC2\xA0|\xE2\x82\xAC";
    char broken[] = "\x9B"
                    "31m|\xC3|\xE2\x82|\xFF\xC3";

    str_make_printable(text);
    assert_string_equal(text, "a?b?[2J?\xC3\xA9");
    str_make_printable(controls);
    assert_string_equal(controls, "?|?31m|\xC2\xA0|\xE2\x82\xAC");
    str_make_printable(broken);
    assert_string_equal(broken, "?31m|?|??|??");
}

static void finds_signals(void **state)
{
    size_t count;
    const char *const *names = signal_name_all(&count);

    assert_string_equal(signal_name_find("TERM"), "TERM");
    assert_string_equal(signal_name_find("sigterm"), "TERM");
    assert_string_equal(signal_name_find("Usr1"), "USR1");
    assert_null(signal_name_find("SIG"));
    assert_null(signal_name_find(""));
    assert_null(signal_name_find("15"));
    assert_null(signal_name_find("SIGSIGTERM"));
    for (size_t i = 0; i < count; i++)
        CHECK(names[i], signal_name_find(names[i]) == names[i]);
    assert_true(count > 20);
}

static void knows_the_same_process(void **state)
{
    const struct identity one = { 42, 1000, 7, "boot" };
    struct identity other = one;

    assert_true(identity_equal(&one, &other));
    other.pid = 43;
    assert_false(identity_equal(&one, &other));
    other = one;
    other.start_time = 1001;
    assert_false(identity_equal(&one, &other));
    other = one;
    other.pid_namespace = 8;
    assert_false(identity_equal(&one, &other));
    other = one;
    memcpy(other.boot_id, "bool", 5);
    assert_false(identity_equal(&one, &other));
    /* What is not known is never the same, even if both do not know it. */
    other = (struct identity) { 0, 1000, 7, "boot" };
    assert_false(identity_equal(&other, &other));
    other = (struct identity) { 42, 0, 7, "boot" };
    assert_false(identity_equal(&other, &other));
    other = (struct identity) { 42, 1000, 7, "" };
    assert_false(identity_equal(&other, &other));
    other = (struct identity) { 42, 1000, 0, "boot" };
    assert_true(identity_equal(&other, &other));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(copies_what_fits),
        cmocka_unit_test(reads_numbers),
        cmocka_unit_test(writes_hexadecimal),
        cmocka_unit_test(compares_without_case),
        cmocka_unit_test(knows_utf8),
        cmocka_unit_test(finds_the_nearest_name),
        cmocka_unit_test(shortens_for_messages),
        cmocka_unit_test(writes_command_lines),
        cmocka_unit_test(makes_text_printable),
        cmocka_unit_test(finds_signals),
        cmocka_unit_test(knows_the_same_process),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
