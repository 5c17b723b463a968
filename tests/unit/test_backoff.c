#include "unit.h"

#include "backoff.h"

#include "banned.h"

/* Up to a fifth less: jitter. */
static void check_delay(const char *row, int64_t found, int64_t nominal)
{
    CHECK(row, found <= nominal && found >= nominal - nominal / 5);
}

static void doubles_up_to_the_longest(void **state)
{
    static const struct {
        const char *name;
        struct backoff_config config;
        int64_t delays[7];
    } rows[] = {
        { "doubling", { 100, 30000, 2000, 0, 60000 }, { 100, 200, 400, 800, 1600, 3200, 6400 } },
        { "to a limit", { 100, 500, 2000, 0, 60000 }, { 100, 200, 400, 500, 500, 500, 500 } },
        { "always the same", { 100, 30000, 1000, 0, 60000 },
                { 100, 100, 100, 100, 100, 100, 100 } },
        { "by half", { 100, 30000, 1500, 0, 60000 }, { 100, 150, 225, 337, 505, 757, 1135 } },
        { "by a little", { 10, 30000, 1001, 0, 60000 }, { 10, 11, 12, 13, 14, 15, 16 } },
        { "from nothing", { 0, 30000, 2000, 0, 60000 }, { 0, 1, 2, 4, 8, 16, 32 } },
        { "the longest is the shortest", { 100, 100, 2000, 0, 60000 },
                { 100, 100, 100, 100, 100, 100, 100 } },
        { "a limit below the delay", { 100, 50, 2000, 0, 60000 }, { 50, 50, 50, 50, 50, 50, 50 } },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct backoff backoff = { .random = 99 };

        for (size_t n = 0; n < COUNT_OF(rows[i].delays); n++) {
            int64_t delay_ms = -1;

            CHECK(rows[i].name,
                    backoff_short_run(&rows[i].config, &backoff, (int64_t)n, &delay_ms));
            check_delay(rows[i].name, delay_ms, rows[i].delays[n]);
        }
    }
}

static void spreads_what_failed_together(void **state)
{
    static const struct backoff_config config = { 1000, 1000, 1000, 0, 60000 };
    struct backoff backoff = { 0 }; /* a seed of 0 works too */
    int64_t shortest = INT64_MAX;
    int64_t longest = 0;

    for (int i = 0; i < 1000; i++) {
        int64_t delay_ms;

        assert_true(backoff_short_run(&config, &backoff, 0, &delay_ms));
        shortest = delay_ms < shortest ? delay_ms : shortest;
        longest = delay_ms > longest ? delay_ms : longest;
    }
    assert_in_range(shortest, 800, 810);
    assert_in_range(longest, 990, 1000);
}

static void gives_up_after_a_burst(void **state)
{
    static const struct {
        const char *name;
        int64_t burst;
        int64_t within_ms;
        int64_t pace_ms; /* from run to run */
        int good;        /* how many are allowed; -1: all */
    } rows[] = {
        { "five in a minute", 5, 60000, 1000, 5 },
        { "all at once", 5, 60000, 0, 5 },
        { "one", 1, 60000, 1000, 1 },
        { "never", 0, 60000, 1, -1 },
        { "a hundred", 100, 60000, 1, 100 },
        { "slower than the window", 1, 60000, 60000, -1 },
        { "just within the window", 1, 60000, 59999, 1 },
        { "five, spread too far", 5, 60000, 12000, -1 },
        { "five, just near enough", 5, 60000, 11999, 5 },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct backoff_config config = {
            .delay_ms = 10,
            .max_delay_ms = 100,
            .factor_thousandths = 2000,
            .burst = rows[i].burst,
            .within_ms = rows[i].within_ms,
        };
        struct backoff backoff = { .random = 1 };
        int good = 0;

        for (; good < 300; good++) {
            int64_t delay_ms = -7;
            bool again =
                    backoff_short_run(&config, &backoff, 5 + good * rows[i].pace_ms, &delay_ms);

            CHECK(rows[i].name, again == (delay_ms != -7));
            if (!again)
                break;
        }
        CHECK_INT(rows[i].name, good, rows[i].good == -1 ? 300 : rows[i].good);
    }
}

static void begins_anew_when_cleared(void **state)
{
    static const struct backoff_config config = { 100, 30000, 2000, 2, 60000 };
    struct backoff backoff = { .random = 5 };
    int64_t delay_ms;

    for (int round = 0; round < 3; round++) {
        assert_true(backoff_short_run(&config, &backoff, 1, &delay_ms));
        check_delay("first", delay_ms, 100);
        assert_true(backoff_short_run(&config, &backoff, 2, &delay_ms));
        check_delay("second", delay_ms, 200);
        assert_false(backoff_short_run(&config, &backoff, 3, &delay_ms));
        backoff_clear(&backoff);
    }
}

/* More runs than there is room for, all of them in the window. */
static void forgets_the_oldest_when_it_is_full(void **state)
{
    static const struct backoff_config config = { 1, 1, 1000, 0, INT64_C(1) << 40 };
    struct backoff backoff = { .random = 5 };
    int64_t delay_ms;

    for (int i = 0; i < 3 * BACKOFF_BURST_MAX; i++) {
        assert_true(backoff_short_run(&config, &backoff, i, &delay_ms));
        assert_true(backoff.count <= BACKOFF_BURST_MAX + 1);
        assert_int_equal(backoff.times_ms[backoff.count - 1], i);
    }
    backoff.streak = UINT32_MAX;
    assert_true(backoff_short_run(&config, &backoff, 1000, &delay_ms));
    assert_int_equal(backoff.streak, UINT32_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(doubles_up_to_the_longest),
        cmocka_unit_test(spreads_what_failed_together),
        cmocka_unit_test(gives_up_after_a_burst),
        cmocka_unit_test(begins_anew_when_cleared),
        cmocka_unit_test(forgets_the_oldest_when_it_is_full),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
