#include "unit.h"

#include "stamp.h"

#include "banned.h"

/* ---- Lines ----------------------------------------------------------------------------------- */

/* Stamps pieces and writes "<" where a prefix goes. */
struct written {
    char text[256];
    size_t length;
};

static void write_piece(struct stamp *stamp, const char *data, size_t length, struct written *out)
{
    struct stamp_part part;

    while (stamp_next(stamp, &data, &length, &part)) {
        assert_true(part.length > 0);
        assert_true(out->length + part.length + 1 < sizeof out->text);
        if (part.stamped)
            out->text[out->length++] = '<';
        memcpy(out->text + out->length, part.data, part.length);
        out->length += part.length;
    }
    assert_int_equal(length, 0);
}

static const struct {
    const char *bytes;
    size_t length;
    const char *stamped;
    size_t stamped_length;
} rows[] = {
#define ROW(bytes, stamped)                                                                        \
    {                                                                                              \
        bytes, sizeof(bytes) - 1, stamped, sizeof(stamped) - 1                                     \
    }
    ROW("", ""),
    ROW("a", "<a"),
    ROW("a\n", "<a\n"),
    ROW("a\nb", "<a\n<b"),
    ROW("\n", "<\n"),
    ROW("\n\n\n", "<\n<\n<\n"),
    ROW("one\ntwo\n\nthree", "<one\n<two\n<\n<three"),
    ROW("a\0b\n\xFF\xFE\n", "<a\0b\n<\xFF\xFE\n"),
    ROW("a\r\nb\rc\n", "<a\r\n<b\rc\n"),
    ROW("<\n<", "<<\n<<"),
};

static void stamps_where_a_line_begins_however_it_comes(void **state)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        for (size_t first = 0; first <= rows[i].length; first++)
            for (size_t second = first; second <= rows[i].length; second++) {
                struct stamp stamp = { 0 };
                struct written out = { .length = 0 };

                write_piece(&stamp, rows[i].bytes, first, &out);
                write_piece(&stamp, rows[i].bytes + first, second - first, &out);
                write_piece(&stamp, rows[i].bytes + second, rows[i].length - second, &out);
                CHECK_INT(rows[i].bytes, out.length, rows[i].stamped_length);
                CHECK(rows[i].bytes, memcmp(out.text, rows[i].stamped, out.length) == 0);
                CHECK(rows[i].bytes,
                        stamp.in_line ==
                                (rows[i].length > 0 && rows[i].bytes[rows[i].length - 1] != '\n'));
            }
}

/* ---- Times ----------------------------------------------------------------------------------- */

static void writes_times(void **state)
{
    static const struct {
        int64_t seconds;
        int us;
        const char *text;
        const char *text_ms;
    } times[] = {
        { 0, 0, "1970-01-01T00:00:00.000000Z", "1970-01-01T00:00:00.000Z" },
        { 0, 1, "1970-01-01T00:00:00.000001Z", "1970-01-01T00:00:00.000Z" },
        { 0, 999999, "1970-01-01T00:00:00.999999Z", "1970-01-01T00:00:00.999Z" },
        { 59, 1000, "1970-01-01T00:00:59.001000Z", "1970-01-01T00:00:59.001Z" },
        { 3599, 0, "1970-01-01T00:59:59.000000Z", "1970-01-01T00:59:59.000Z" },
        { 86399, 0, "1970-01-01T23:59:59.000000Z", "1970-01-01T23:59:59.000Z" },
        { 86400, 0, "1970-01-02T00:00:00.000000Z", "1970-01-02T00:00:00.000Z" },
        { 68169600, 0, "1972-02-29T00:00:00.000000Z", "1972-02-29T00:00:00.000Z" },
        { 68256000, 0, "1972-03-01T00:00:00.000000Z", "1972-03-01T00:00:00.000Z" },
        { 94694399, 0, "1972-12-31T23:59:59.000000Z", "1972-12-31T23:59:59.000Z" },
        { 951782399, 0, "2000-02-28T23:59:59.000000Z", "2000-02-28T23:59:59.000Z" },
        { 951782400, 0, "2000-02-29T00:00:00.000000Z", "2000-02-29T00:00:00.000Z" },
        { 951868800, 0, "2000-03-01T00:00:00.000000Z", "2000-03-01T00:00:00.000Z" },
        { 1000000000, 0, "2001-09-09T01:46:40.000000Z", "2001-09-09T01:46:40.000Z" },
        { 1709164800, 0, "2024-02-29T00:00:00.000000Z", "2024-02-29T00:00:00.000Z" },
        { 1795341600, 123456, "2026-11-22T10:00:00.123456Z", "2026-11-22T10:00:00.123Z" },
        { 1772236800, 0, "2026-02-28T00:00:00.000000Z", "2026-02-28T00:00:00.000Z" },
        { 1772323200, 0, "2026-03-01T00:00:00.000000Z", "2026-03-01T00:00:00.000Z" },
        { 2147483648, 0, "2038-01-19T03:14:08.000000Z", "2038-01-19T03:14:08.000Z" },
        { 4107542399, 0, "2100-02-28T23:59:59.000000Z", "2100-02-28T23:59:59.000Z" },
        { 4107542400, 0, "2100-03-01T00:00:00.000000Z", "2100-03-01T00:00:00.000Z" },
        { 4294967296, 0, "2106-02-07T06:28:16.000000Z", "2106-02-07T06:28:16.000Z" },
        { 13574563200, 0, "2400-02-29T00:00:00.000000Z", "2400-02-29T00:00:00.000Z" },
        { 253402300799, 0, "9999-12-31T23:59:59.000000Z", "9999-12-31T23:59:59.000Z" },
    };

    for (size_t i = 0; i < COUNT_OF(times); i++) {
        int64_t wall_us = times[i].seconds * 1000000 + times[i].us;
        char text[STAMP_TIME_BYTES];

        stamp_time(wall_us, text, sizeof text);
        CHECK_TEXT(times[i].text, text, times[i].text);
        stamp_time_ms(wall_us, text, sizeof text);
        CHECK_TEXT(times[i].text, text, times[i].text_ms);
    }
}

static bool is_leap(int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* Every day of four centuries and more, counted up one by one. */
static void knows_every_day(void **state)
{
    static const int lengths[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    int year = 1970;
    int month = 1;
    int day = 1;

    for (int64_t days = 0; year < 2405; days++) {
        char expected[40];
        char text[STAMP_TIME_BYTES];

        (void)snprintf(expected, sizeof expected, "%04d-%02d-%02d", year, month, day);
        stamp_time(days * 86400 * 1000000 + 86399999999, text, sizeof text);
        text[10] = '\0';
        CHECK_TEXT(expected, text, expected);
        if (++day > lengths[month - 1] + (month == 2 && is_leap(year))) {
            day = 1;
            month++;
        }
        if (month > 12) {
            month = 1;
            year++;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stamps_where_a_line_begins_however_it_comes),
        cmocka_unit_test(writes_times),
        cmocka_unit_test(knows_every_day),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
