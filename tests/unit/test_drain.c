/* The drain rule, by itself and with a stream whose pieces come at given times. */
#include "unit.h"

#include "drain.h"

#include "banned.h"

static void waits_for_quiet(void **state)
{
    struct drain drain = { .running = false };

    assert_int_equal(drain_check(&drain_defaults, &drain, 0), DRAIN_DONE);
    assert_true(drain_deadline(&drain) == INT64_MAX);
    drain_piece(&drain_defaults, &drain, 5); /* the process still runs */
    assert_int_equal(drain_check(&drain_defaults, &drain, 5), DRAIN_DONE);

    drain_begin(&drain_defaults, &drain, 1000);
    assert_int_equal(drain_check(&drain_defaults, &drain, 1000), DRAIN_WAIT);
    assert_int_equal(drain_deadline(&drain), 1050);
    assert_int_equal(drain_check(&drain_defaults, &drain, 1049), DRAIN_WAIT);
    assert_int_equal(drain_check(&drain_defaults, &drain, 1050), DRAIN_LOOK);
    drain_piece(&drain_defaults, &drain, 1050);
    assert_int_equal(drain_check(&drain_defaults, &drain, 1099), DRAIN_WAIT);
    assert_int_equal(drain_check(&drain_defaults, &drain, 1100), DRAIN_LOOK);
    drain_end(&drain);
    assert_int_equal(drain_check(&drain_defaults, &drain, 1100), DRAIN_DONE);
    assert_true(drain_deadline(&drain) == INT64_MAX);
}

static void never_goes_beyond_the_hard_limit(void **state)
{
    struct drain drain;

    drain_begin(&drain_defaults, &drain, 1000);
    for (int64_t now = 1000; now < 3000; now += 10) {
        drain_piece(&drain_defaults, &drain, now);
        assert_int_equal(drain_check(&drain_defaults, &drain, now), DRAIN_WAIT);
        assert_true(drain_deadline(&drain) <= 3000);
    }
    assert_int_equal(drain_deadline(&drain), 3000);
    for (int i = 0; i < 256; i++) {
        assert_int_equal(drain_check(&drain_defaults, &drain, 3000), DRAIN_LOOK);
        drain_piece(&drain_defaults, &drain, i == 0 ? 9000 : 3000);
    }
    assert_int_equal(drain_check(&drain_defaults, &drain, 3000), DRAIN_DONE);
    assert_int_equal(drain_check(&drain_defaults, &drain, 9000), DRAIN_DONE);
    drain_begin(&drain_defaults, &drain, 9000);
    assert_int_equal(drain_check(&drain_defaults, &drain, 11000), DRAIN_LOOK);
}

/* ---- A reader that follows the rule ---------------------------------------------------------- */

struct piece {
    int64_t at_ms;
    const char *text; /* NULL: the end of the stream */
};

struct stream {
    const struct piece *pieces;
    size_t count;
    size_t next;
    char read[4096];
};

/* Reads a piece that is there at that time: 1, or 0 if there is none, or -1 at the end. */
static int read_now(struct stream *stream, int64_t now_ms)
{
    const struct piece *piece = &stream->pieces[stream->next];

    if (stream->next == stream->count || piece->at_ms > now_ms)
        return 0;
    if (piece->text == NULL)
        return -1;
    (void)snprintf(stream->read + strlen(stream->read), sizeof stream->read - strlen(stream->read),
            "%s", piece->text);
    stream->next++;
    return 1;
}

/* Reads a process's output from its end at 0 on; 'busy_ms' is how much later than it should the
 * reader looks at the clock.  Returns when it stopped. */
static int64_t drain(const struct drain_config *config, struct stream *stream, int64_t busy_ms)
{
    struct drain drain;
    int64_t now = 0;

    drain_begin(config, &drain, 0);
    for (;;) {
        int64_t wake = drain_deadline(&drain);
        int got = 0;

        if (stream->next < stream->count && stream->pieces[stream->next].at_ms < wake)
            wake = stream->pieces[stream->next].at_ms;
        now = (wake > now ? wake : now) + busy_ms;
        do {
            enum drain_verdict verdict = drain_check(config, &drain, now);

            if (verdict == DRAIN_DONE)
                return now;
            got = read_now(stream, now);
            if (got == 1)
                drain_piece(config, &drain, now);
            else if (got == -1 || verdict == DRAIN_LOOK)
                return now;
        } while (got == 1);
    }
}

static void reads_what_there_is(void **state)
{
    static const struct piece queued[] = { { 0, "queued" } };
    static const struct piece two[] = { { 0, "one" }, { 10, "two" } };
    static const struct piece never_closed[] = { { 0, "x" }, { 5000, "late" } };
    static const struct piece ended[] = { { 0, "a" }, { 1, NULL } };
    static const struct piece grandchild[] = { { 0, "ta" }, { 30, "il" }, { 1030, NULL } };
    static const struct piece slow[] = { { 0, "a" }, { 49, "b" }, { 98, "c" }, { 149, "d" } };
    static const struct {
        const char *name;
        struct drain_config config;
        const struct piece *pieces;
        size_t count;
        int64_t busy_ms;
        const char *read;
        int64_t least_ms, most_ms;
    } rows[] = {
        { "bytes that are queued win over no quiet time at all", { 0, 1, 256 }, queued, 1, 0,
                "queued", 0, 1 },
        { "each piece starts the quiet time anew", { 15, 2000, 256 }, two, 2, 0, "onetwo", 25, 25 },
        { "a stream that never closes is left", { 10, 20, 256 }, never_closed, 2, 0, "x", 10, 20 },
        { "end of file is the end", { 50, 2000, 256 }, ended, 2, 0, "a", 1, 1 },
        { "a grandchild prints on and holds the stream", { 50, 2000, 256 }, grandchild, 3, 0,
                "tail", 80, 80 },
        { "just too slow", { 50, 2000, 256 }, slow, 4, 0, "abc", 148, 148 },
        { "a reader that was busy looks before it leaves", { 50, 2000, 256 }, two, 2, 60, "onetwo",
                60, 400 },
        { "and at the hard limit too", { 50, 60, 256 }, two, 2, 70, "onetwo", 60, 200 },
        { "no more than the last pass takes", { 50, 60, 1 }, two, 2, 70, "one", 60, 200 },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct stream stream = { .pieces = rows[i].pieces, .count = rows[i].count };
        int64_t ended_ms = drain(&rows[i].config, &stream, rows[i].busy_ms);

        CHECK_TEXT(rows[i].name, stream.read, rows[i].read);
        if (ended_ms < rows[i].least_ms || ended_ms > rows[i].most_ms)
            fail_msg("row \"%s\" ended at %lld ms", rows[i].name, (long long)ended_ms);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(waits_for_quiet),
        cmocka_unit_test(never_goes_beyond_the_hard_limit),
        cmocka_unit_test(reads_what_there_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
