#include "unit.h"

#include "line.h"

#include "banned.h"

/* Pushes text in pieces of the given size and appends every line and a '|' to found. */
static int read_lines(const char *text, size_t step, size_t limit, char *found, size_t size)
{
    struct line_reader reader;
    size_t length = strlen(text);
    int result = 0;

    line_init(&reader, limit);
    found[0] = '\0';
    for (size_t at = 0; at < length && result == 0; at += step) {
        size_t part = length - at < step ? length - at : step;
        size_t line_length;
        const char *line;

        result = line_push(&reader, text + at, part);
        while (result == 0 && (line = line_next(&reader, &line_length)) != NULL) {
            size_t used = strlen(found);

            assert_int_equal(line[line_length], '\0');
            (void)snprintf(found + used, size - used, "%s|", line);
        }
    }
    line_free(&reader);
    return result;
}

static void cuts_lines_however_they_come(void **state)
{
    static const struct {
        const char *text;
        const char *lines;
    } rows[] = {
        { "", "" },
        { "a", "" },
        { "a\n", "a|" },
        { "\n", "|" },
        { "\n\n", "||" },
        { "one\ntwo\nthree\n", "one|two|three|" },
        { "one\ntwo\nthr", "one|two|" },
        { "a\r\n", "a\r|" },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++)
        for (size_t step = 1; step < 16; step++) {
            char found[64];

            CHECK(rows[i].text, read_lines(rows[i].text, step, 0, found, sizeof found) == 0);
            CHECK_TEXT(rows[i].text, found, rows[i].lines);
        }
}

static void limits_a_line(void **state)
{
    char found[64];

    /* What was not taken yet counts: the newline too. */
    assert_int_equal(read_lines("12345678\n12345678\n", 9, 9, found, sizeof found), 0);
    assert_string_equal(found, "12345678|12345678|");
    assert_int_equal(read_lines("123456789\n", 10, 9, found, sizeof found), -1);
    assert_int_equal(read_lines("1234567890", 1, 9, found, sizeof found), -1);
    assert_string_equal(found, "");
}

static void keeps_bytes_as_they_are(void **state)
{
    struct line_reader reader;
    size_t length = 0;
    const char *line;

    line_init(&reader, 0);
    assert_int_equal(line_push(&reader, "a\0b\n\xFF\n", 6), 0);
    line = line_next(&reader, &length);
    assert_int_equal(length, 3);
    assert_memory_equal(line, "a\0b", 4);
    line = line_next(&reader, &length);
    assert_int_equal(length, 1);
    assert_memory_equal(line, "\xFF", 2);
    assert_null(line_next(&reader, &length));
    line_free(&reader);
}

static void holds_no_memory_when_idle(void **state)
{
    struct line_reader reader;
    size_t length;

    line_init(&reader, 100);
    assert_null(line_next(&reader, &length));
    assert_int_equal(line_push(&reader, "a\n", 2), 0);
    assert_non_null(line_next(&reader, &length));
    assert_null(line_next(&reader, &length));
    assert_null(reader.bytes.data);
    assert_int_equal(line_push(&reader, "b\nc", 3), 0);
    assert_string_equal(line_next(&reader, &length), "b");
    assert_int_equal(line_push(&reader, "d\n", 2), 0); /* while a line is still borrowed */
    assert_string_equal(line_next(&reader, &length), "cd");
    line_free(&reader);
    line_free(&reader);
}

static void keeps_its_memory_if_it_shall(void **state)
{
    struct line_reader reader;
    size_t length;
    const char *memory;

    line_init(&reader, 100);
    reader.stays = true;
    assert_int_equal(line_push(&reader, "one\ntwo\nth", 10), 0);
    assert_string_equal(line_next(&reader, &length), "one");
    assert_string_equal(line_next(&reader, &length), "two");
    assert_null(line_next(&reader, &length));
    memory = reader.bytes.data;
    assert_int_equal(line_push(&reader, "ree\n", 4), 0);
    assert_string_equal(line_next(&reader, &length), "three");
    assert_null(line_next(&reader, &length));
    assert_ptr_equal(reader.bytes.data, memory);
    assert_int_equal(line_push(&reader, "four\n", 5), 0);
    assert_string_equal(line_next(&reader, &length), "four");
    assert_int_equal(length, 4);
    line_free(&reader);
    assert_null(reader.bytes.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cuts_lines_however_they_come),
        cmocka_unit_test(limits_a_line),
        cmocka_unit_test(keeps_bytes_as_they_are),
        cmocka_unit_test(holds_no_memory_when_idle),
        cmocka_unit_test(keeps_its_memory_if_it_shall),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
