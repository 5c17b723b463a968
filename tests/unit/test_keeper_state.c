#include "unit.h"

#include "keeper_state.h"
#include "str.h"

#include "banned.h"

static const struct keeper_state empty = {
    .words = { "svcmgr", "supervise", "web", NULL },
    .channel = PLATFORM_NO_HANDLE,
    .bell = PLATFORM_NO_HANDLE,
};

static void assert_same(const struct keeper_state *a, const struct keeper_state *b)
{
    for (size_t i = 0; i < KEEPER_WORDS_MAX && (a->words[i] != NULL || b->words[i] != NULL); i++)
        assert_string_equal(a->words[i], b->words[i]);
    assert_int_equal(a->channel, b->channel);
    assert_int_equal(a->bell, b->bell);
    assert_int_equal(a->supervisor, b->supervisor);
    assert_int_equal(a->started_ms, b->started_ms);
    assert_int_equal(a->delay_ms, b->delay_ms);
    assert_int_equal(a->lives, b->lives);
    assert_int_equal(a->stops_asked, b->stops_asked);
    assert_int_equal(a->greeted, b->greeted);
    assert_int_equal(a->had_terminal, b->had_terminal);
    assert_int_equal(a->stop_unheard, b->stop_unheard);
    assert_int_equal(a->reload_asked, b->reload_asked);
    assert_int_equal(a->missed, b->missed);
    assert_memory_equal(a->recorded, b->recorded, sizeof a->recorded);
    for (size_t i = 0; i < KEEPER_HELD_MAX; i++) {
        assert_string_equal(a->held[i].name, b->held[i].name);
        assert_int_equal(a->held[i].handle, b->held[i].handle);
    }
}

static void assert_survives(const struct keeper_state *before)
{
    char text[KEEPER_STATE_BYTES];
    struct keeper_state after;
    size_t length = keeper_state_write(before, text, sizeof text);

    assert_true(length > 0);
    assert_true(keeper_state_read(text, length, &after));
    assert_same(before, &after);
}

static void all_that_it_knows_survives(void **state)
{
    struct keeper_state full = {
        .words = { "svcmgr", "--system", "supervise", "web", "--config", "/a b\n c\t'\"/web.json",
                "", "--background", NULL },
        .channel = 7,
        .bell = 0,
        .supervisor = 4194304,
        .started_ms = INT64_MAX,
        .delay_ms = -1,
        .lives = INT32_MAX,
        .stops_asked = 2,
        .greeted = true,
        .had_terminal = true,
        .stop_unheard = true,
        .reload_asked = true,
        .missed = true,
    };

    assert_survives(&empty);
    assert_survives(&full);
    for (size_t i = 0; i < KEEPER_RECORDED_MAX; i++)
        full.recorded[i] = (int64_t)i + 1;
    for (size_t i = 0; i < KEEPER_HELD_MAX; i++) {
        (void)str_format(full.held[i].name, KEEPER_NAME_BYTES, "listen: %zu", i);
        full.held[i].handle = (platform_handle)i;
    }
    assert_survives(&full);
}

static void what_does_not_fit_is_not_written(void **state)
{
    char text[KEEPER_STATE_BYTES];
    size_t length = keeper_state_write(&empty, text, sizeof text);

    for (size_t size = 0; size < length; size++)
        assert_int_equal(keeper_state_write(&empty, text, size), 0);
    assert_int_equal(keeper_state_write(&empty, text, length), length);
}

static void what_is_cut_off_is_refused(void **state)
{
    char text[KEEPER_STATE_BYTES];
    struct keeper_state after;
    size_t length = keeper_state_write(&empty, text, sizeof text);

    for (size_t cut = 0; cut < length; cut++)
        assert_false(keeper_state_read(text, cut, &after));
    assert_true(keeper_state_read(text, length, &after));
}

static void what_is_unknown_or_wrong_is_skipped(void **state)
{
    static const char text[] = "svcmgr-keeper 1\0"
                               "word svcmgr\0"
                               "new thing\0"
                               "\0"
                               "lives x\0"
                               "lives 3\0"
                               "lives\0"
                               "held\0"
                               "held 5\0"
                               "held x name\0"
                               "held 5 a b\0"
                               "recorded -\0"
                               "recorded 9\0"
                               "end";
    struct keeper_state after;

    assert_true(keeper_state_read(text, sizeof text, &after));
    assert_string_equal(after.words[0], "svcmgr");
    assert_int_equal(after.lives, 3);
    assert_string_equal(after.held[0].name, "a b");
    assert_int_equal(after.held[0].handle, 5);
    assert_string_equal(after.held[1].name, "");
    assert_int_equal(after.recorded[0], 9);
}

static void another_text_is_refused(void **state)
{
    static const char other[] = "svcmgr-keeper 2\0word svcmgr\0end";
    static const char without_words[] = "svcmgr-keeper 1\0lives 3\0end";
    struct keeper_state after = { .lives = 42 };

    assert_false(keeper_state_read("", 0, &after));
    assert_false(keeper_state_read(other, sizeof other, &after));
    assert_false(keeper_state_read(without_words, sizeof without_words, &after));
    assert_int_equal(after.lives, 42);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_that_it_knows_survives),
        cmocka_unit_test(what_does_not_fit_is_not_written),
        cmocka_unit_test(what_is_cut_off_is_refused),
        cmocka_unit_test(what_is_unknown_or_wrong_is_skipped),
        cmocka_unit_test(another_text_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
