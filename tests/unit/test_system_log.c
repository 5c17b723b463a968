/* What is printed becomes entries of the system's log: a line each, whatever pieces it comes in. */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "platform_log.h"
#include "system_log.h"

#include "banned.h"

/* ---- The system's log ------------------------------------------------------------------------ */

static struct buffer taken; /* "priority/generation/stream:text|" for each */
static bool refuses;

int platform_log_entry(const struct platform_entry *entry, struct err *err)
{
    assert_true(entry->length <= PLATFORM_ENTRY_BYTES);
    if (refuses)
        return err_set(err, ERR_FAILED, 0, "it is full");
    buffer_printf(&taken, "%d/%u/%s:", entry->priority, entry->generation,
            entry->stream != NULL ? entry->stream : "");
    buffer_append(&taken, entry->text, entry->length);
    buffer_puts(&taken, "|");
    return 0;
}

static int begin(void **state)
{
    (void)state;
    buffer_free(&taken);
    refuses = false;
    return 0;
}

static int end(void **state)
{
    return begin(state);
}

static struct system_log new_log(void)
{
    return (struct system_log) { .service = "web", .on = true };
}

/* ---- Lines ----------------------------------------------------------------------------------- */

static void a_line_is_an_entry_whatever_pieces_it_comes_in(void **state)
{
    static const struct {
        const char *text;
        const char *entries;
    } rows[] = {
        { "one\ntwo\n", "6/3/err:one|6/3/err:two|" },
        { "\n\na\n", "6/3/err:|6/3/err:|6/3/err:a|" },
        { "no end", "6/3/err:no end|" },
        { "a\nno end", "6/3/err:a|6/3/err:no end|" },
        { "<3>bad\n<7>\n<4>x", "3/3/err:bad|7/3/err:|4/3/err:x|" },
        { "<8>a\n<3a\n<3\n<\n >\n", "6/3/err:<8>a|6/3/err:<3a|6/3/err:<3|6/3/err:<|6/3/err: >|" },
        { "", "" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        size_t length = strlen(rows[i].text);

        for (size_t piece = 1; piece <= length + 1; piece++) {
            struct system_log log = new_log();
            struct system_log_source source = { .generation = 3, .name = "err" };

            buffer_free(&taken);
            for (size_t at = 0; at < length; at += piece)
                system_log_piece(&log, &source, rows[i].text + at,
                        length - at < piece ? length - at : piece);
            system_log_end(&log, &source);
            CHECK_TEXT(rows[i].text, buffer_text(&taken), rows[i].entries);
            CHECK_TEXT(rows[i].text, log.error, "");
        }
    }
}

/* A line of 'length' bytes, of which each third begins a character, in pieces. */
static void check_long(size_t length, size_t piece, const char *sign)
{
    struct system_log log = new_log();
    struct system_log_source source = { .generation = 1 };
    char *line = malloc(length + 2);
    size_t from = 0;
    const char *at;

    assert_non_null(line);
    for (size_t i = 0; i < length; i++)
        line[i] = sign[i % strlen(sign)];
    line[length] = '\n';
    line[length + 1] = '\0';
    buffer_free(&taken);
    for (size_t i = 0; i <= length; i += piece)
        system_log_piece(&log, &source, line + i, length + 1 - i < piece ? length + 1 - i : piece);
    assert_int_equal(source.begun.length, 0);
    system_log_end(&log, &source);
    /* The entries, one after the other, are the line. */
    at = buffer_text(&taken);
    while (*at != '\0') {
        const char *end = strchr(at, '|');

        assert_non_null(end);
        assert_memory_equal(at, "6/1/:", 5);
        at += 5;
        assert_true(((unsigned char)*at & 0xC0u) != 0x80u || sign[0] == '\x80');
        assert_true(from + (size_t)(end - at) <= length);
        assert_memory_equal(line + from, at, (size_t)(end - at));
        from += (size_t)(end - at);
        at = end + 1;
    }
    assert_int_equal(from, length);
    free(line);
}

static void a_line_that_is_too_long_is_several(void **state)
{
    static const size_t pieces[] = { 1, 1000, PLATFORM_ENTRY_BYTES - 1, PLATFORM_ENTRY_BYTES,
        PLATFORM_ENTRY_BYTES + 1, 4 * PLATFORM_ENTRY_BYTES };
    static const char *const signs[] = { "a", "\xe2\x82\xac", "\xf0\x9f\x8d\x8e", "\x80" };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(pieces); i++)
        for (size_t k = 0; k < COUNT_OF(signs); k++)
            for (size_t length = PLATFORM_ENTRY_BYTES - 2; length <= PLATFORM_ENTRY_BYTES + 2;
                    length++) {
                check_long(length, pieces[i], signs[k]);
                if (pieces[i] > 1)
                    check_long(length + 2 * PLATFORM_ENTRY_BYTES, pieces[i], signs[k]);
            }
}

static void the_rest_of_a_line_has_no_priority_of_its_own(void **state)
{
    static char line[PLATFORM_ENTRY_BYTES + 5];
    struct system_log log = new_log();
    struct system_log_source source = { .generation = 1 };

    (void)state;
    memset(line, 'a', sizeof line);
    memcpy(line + PLATFORM_ENTRY_BYTES, "<3>b\n", 5);
    system_log_piece(&log, &source, line, sizeof line);
    assert_string_equal(buffer_text(&taken) + taken.length - strlen("|6/1/:<3>b|"), "|6/1/:<3>b|");
    system_log_piece(&log, &source, "<3>c\n", 5);
    assert_string_equal(buffer_text(&taken) + taken.length - strlen("|3/1/:c|"), "|3/1/:c|");
    system_log_end(&log, &source);
}

static void any_bytes_are_kept(void **state)
{
    struct system_log log = new_log();
    struct system_log_source source = { .generation = 1 };

    (void)state;
    system_log_piece(&log, &source, "a\0b\xff\r", 5);
    system_log_piece(&log, &source, "\n", 1);
    system_log_end(&log, &source);
    assert_int_equal(taken.length, 11);
    assert_memory_equal(taken.data, "6/1/:a\0b\xff\r|", 11);
}

/* ---- What it does not take ------------------------------------------------------------------- */

static void what_is_refused_is_counted_and_said_until_it_takes_something(void **state)
{
    struct system_log log = new_log();
    struct system_log_source source = { .generation = 1 };

    (void)state;
    refuses = true;
    system_log_piece(&log, &source, "one\ntwo\nthree", 13);
    assert_string_equal(log.error, "it is full; 2 lines are in the log's files only");
    system_log_end(&log, &source);
    assert_string_equal(log.error, "it is full; 3 lines are in the log's files only");
    refuses = false;
    system_log_piece(&log, &source, "four\n", 5);
    assert_string_equal(log.error, "");
    assert_string_equal(buffer_text(&taken), "6/1/:four|");
    refuses = true;
    system_log_piece(&log, &source, "five\n", 5);
    assert_string_equal(log.error, "it is full; 1 line is in the log's files only");
    system_log_end(&log, &source);
}

static void one_that_is_off_gets_nothing(void **state)
{
    struct system_log log = { .service = "web" };
    struct system_log_source source = { .generation = 1 };

    (void)state;
    system_log_piece(&log, &source, "one\ntwo", 7);
    assert_null(source.begun.data);
    system_log_end(&log, &source);
    assert_int_equal(taken.length, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_line_is_an_entry_whatever_pieces_it_comes_in, begin, end),
        cmocka_unit_test_setup_teardown(a_line_that_is_too_long_is_several, begin, end),
        cmocka_unit_test_setup_teardown(the_rest_of_a_line_has_no_priority_of_its_own, begin, end),
        cmocka_unit_test_setup_teardown(any_bytes_are_kept, begin, end),
        cmocka_unit_test_setup_teardown(
                what_is_refused_is_counted_and_said_until_it_takes_something, begin, end),
        cmocka_unit_test_setup_teardown(one_that_is_off_gets_nothing, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
