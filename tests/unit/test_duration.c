#include "unit.h"

#include <math.h>

#include "duration.h"

#include "banned.h"

#define CENTURY_MS INT64_C(3153600000000) /* the longest that is read */
#define UNTOUCHED  INT64_C(77)

static void reads_durations(void **state)
{
    static const struct {
        const char *text;
        int64_t ms; /* -1: refused */
    } rows[] = {
        { "0s", 0 },
        { "0ms", 0 },
        { "250ms", 250 },
        { "2s", 2000 },
        { "1.5s", 1500 },
        { "0.25s", 250 },
        { "5m", 300000 },
        { "1h", 3600000 },
        { "0.5h", 1800000 },
        { "2d", 172800000 },
        { "0.000001d", -1 }, /* 86.4 ms */
        { "0.5ms", -1 },
        { "1.0ms", 1 },
        { "1.0000001s", -1 }, /* seven digits behind the point */
        { "36500d", CENTURY_MS },
        { "36501d", -1 },
        { "3153600000s", CENTURY_MS },
        { "99999999999999s", -1 },
        { "9999999999999d", -1 },
        { "", -1 },
        { "5", -1 },
        { "s", -1 },
        { "-1s", -1 },
        { "+1s", -1 },
        { " 1s", -1 },
        { "1 s", -1 },
        { "1s ", -1 },
        { "1S", -1 },
        { "1sec", -1 },
        { "1.s", -1 },
        { ".5s", -1 },
        { "1h30m", -1 },
        { "1e3s", -1 },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        int64_t ms = UNTOUCHED;

        CHECK(rows[i].text, duration_parse(rows[i].text, &ms) == (rows[i].ms != -1));
        CHECK_INT(rows[i].text, ms, rows[i].ms == -1 ? UNTOUCHED : rows[i].ms);
    }
}

static void reads_seconds(void **state)
{
    static const struct {
        const char *row;
        double seconds;
        int64_t ms; /* -1: refused */
    } rows[] = {
        { "zero", 0, 0 },
        { "two", 2, 2000 },
        { "a quarter", 0.25, 250 },
        { "0.29", 0.29, 290 },
        { "rounded up", 0.0006, 1 },
        { "rounded down", 0.0004, 0 },
        { "a century", 3153600000.0, CENTURY_MS },
        { "longer", 3153600001.0, -1 },
        { "negative", -1, -1 },
        { "infinite", INFINITY, -1 },
        { "not a number", NAN, -1 },
        { "huge", 1e300, -1 },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        int64_t ms = UNTOUCHED;

        CHECK(rows[i].row, duration_from_seconds(rows[i].seconds, &ms) == (rows[i].ms != -1));
        CHECK_INT(rows[i].row, ms, rows[i].ms == -1 ? UNTOUCHED : rows[i].ms);
    }
}

static void formats_durations(void **state)
{
    static const struct {
        int64_t ms;
        const char *exact;
        const char *rough;
    } rows[] = {
        { 0, "0ms", "0ms" },
        { 1, "1ms", "1ms" },
        { 250, "250ms", "250ms" },
        { 1000, "1s", "1s" },
        { 1001, "1.001s", "1s" },
        { 1010, "1.01s", "1s" },
        { 1500, "1.5s", "1s" },
        { 60000, "1m", "1m 0s" },
        { 90000, "90s", "1m 30s" },
        { 125500, "125.5s", "2m 5s" },
        { 3600000, "1h", "1h 0m" },
        { 15000000, "250m", "4h 10m" },
        { 86400000, "1d", "1d 0h" },
        { 266400000, "74h", "3d 2h" },
        { CENTURY_MS, "36500d", "36500d 0h" },
    };
    char text[DURATION_TEXT_BYTES];

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        int64_t again = -1;

        duration_format(rows[i].ms, text, sizeof text);
        CHECK_TEXT(rows[i].exact, text, rows[i].exact);
        CHECK(text, duration_parse(text, &again) && again == rows[i].ms);
        duration_format_rough(rows[i].ms, text, sizeof text);
        CHECK_TEXT(rows[i].exact, text, rows[i].rough);
    }
}

static void reads_sizes(void **state)
{
    static const struct {
        const char *text;
        int64_t bytes; /* -1: refused */
    } rows[] = {
        { "0", 0 },
        { "512", 512 },
        { "512B", 512 },
        { "64KiB", 65536 },
        { "64K", 65536 },
        { "64KB", 64000 },
        { "10MiB", 10485760 },
        { "10M", 10485760 },
        { "10MB", 10000000 },
        { "1GiB", 1073741824 },
        { "1G", 1073741824 },
        { "1GB", 1000000000 },
        { "1TiB", 1099511627776 },
        { "1T", 1099511627776 },
        { "1TB", 1000000000000 },
        { "1.5KiB", 1536 },
        { "0.5GiB", 536870912 },
        { "1.3KiB", -1 }, /* no whole number of bytes */
        { "1.5", -1 },
        { "1.5B", -1 },
        { "4194304TiB", INT64_C(1) << 62 },
        { "4194305TiB", -1 },
        { "9999999999999TiB", -1 },
        { "", -1 },
        { "KiB", -1 },
        { "1kib", -1 },
        { "1Ki", -1 },
        { "1 KiB", -1 },
        { "-1KiB", -1 },
        { "1PiB", -1 },
        { "0x10", -1 },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        uint64_t bytes = UNTOUCHED;

        CHECK(rows[i].text, duration_parse_size(rows[i].text, &bytes) == (rows[i].bytes != -1));
        CHECK_INT(rows[i].text, (int64_t)bytes, rows[i].bytes == -1 ? UNTOUCHED : rows[i].bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_durations),
        cmocka_unit_test(reads_seconds),
        cmocka_unit_test(formats_durations),
        cmocka_unit_test(reads_sizes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
