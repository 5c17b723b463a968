#include "unit.h"

#include "arena.h"
#include "buffer.h"
#include "err.h"

#include "banned.h"

static void begins_empty(void **state)
{
    struct buffer buffer = { 0 };

    assert_string_equal(buffer_text(&buffer), "");
    buffer_consume(&buffer, 5);
    buffer_append(&buffer, NULL, 0);
    assert_string_equal(buffer_text(&buffer), "");
    assert_int_equal(buffer.length, 0);
    assert_false(buffer.failed);
    buffer_free(&buffer);
}

static void grows(void **state)
{
    struct buffer buffer = { 0 };
    char expected[2001];

    for (int i = 0; i < 2000; i++) {
        expected[i] = (char)('a' + i % 26);
        buffer_append(&buffer, &expected[i], 1);
    }
    expected[2000] = '\0';
    assert_int_equal(buffer.length, 2000);
    assert_string_equal(buffer_text(&buffer), expected);
    assert_int_equal(buffer.data[buffer.length], '\0');
    buffer_free(&buffer);
    assert_null(buffer.data);
    assert_int_equal(buffer.length, 0);
}

static void prints(void **state)
{
    struct buffer buffer = { 0 };
    char long_text[1000];

    memset(long_text, 'x', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    buffer_puts(&buffer, "a=");
    buffer_printf(&buffer, "%d %s", 5, "b");
    assert_string_equal(buffer_text(&buffer), "a=5 b");
    buffer_printf(&buffer, "%s", long_text);
    assert_int_equal(buffer.length, 5 + 999);
    assert_int_equal(strlen(buffer.data), buffer.length);
    buffer_free(&buffer);
}

static void consumes(void **state)
{
    struct buffer buffer = { 0 };

    buffer_puts(&buffer, "hello world");
    buffer_consume(&buffer, 0);
    assert_string_equal(buffer_text(&buffer), "hello world");
    buffer_consume(&buffer, 6);
    assert_string_equal(buffer_text(&buffer), "world");
    buffer_consume(&buffer, 5);
    assert_string_equal(buffer_text(&buffer), "");
    buffer_puts(&buffer, "ab");
    buffer_consume(&buffer, (size_t)-1);
    assert_int_equal(buffer.length, 0);
    buffer_free(&buffer);
}

static void keeps_bytes(void **state)
{
    struct buffer buffer = { 0 };

    buffer_append(&buffer, "a\0b", 3);
    assert_int_equal(buffer.length, 3);
    assert_memory_equal(buffer.data, "a\0b", 4);
    buffer_free(&buffer);
}

static void fails_at_its_limit(void **state)
{
    struct buffer buffer = { .limit = 4 };

    buffer_puts(&buffer, "abcd");
    assert_false(buffer.failed);
    buffer_puts(&buffer, "e");
    assert_true(buffer.failed);
    assert_string_equal(buffer_text(&buffer), "abcd");
    buffer_consume(&buffer, 4);
    buffer_puts(&buffer, "x"); /* nothing is appended after a failure */
    buffer_printf(&buffer, "%d", 1);
    assert_null(buffer_reserve(&buffer, 0));
    assert_int_equal(buffer.length, 0);
    buffer_free(&buffer);
    assert_false(buffer.failed);
    assert_int_equal(buffer.limit, 4);
    assert_null(buffer_reserve(&buffer, 5));
    assert_true(buffer.failed);
    buffer_free(&buffer);
}

static void refuses_absurd_sizes(void **state)
{
    struct buffer buffer = { 0 };

    assert_null(buffer_reserve(&buffer, (size_t)-1));
    assert_true(buffer.failed);
    buffer_free(&buffer);
}

static void reserves_room(void **state)
{
    struct buffer buffer = { 0 };
    char *room = buffer_reserve(&buffer, 255);

    assert_non_null(room);
    assert_string_equal(buffer_text(&buffer), "");
    memset(room, 'x', 255);
    buffer.length += 255;
    assert_int_equal(strlen(buffer_text(&buffer)), 255);
    room = buffer_reserve(&buffer, 1);
    room[0] = 'y';
    buffer.length += 1;
    assert_int_equal(strlen(buffer_text(&buffer)), 256);
    buffer_free(&buffer);
}

static void arena_gives_zeroed_aligned_memory(void **state)
{
    struct arena arena = { 0 };
    char *pieces[100];

    for (size_t i = 0; i < COUNT_OF(pieces); i++) {
        size_t size = 1 + i * 7;

        pieces[i] = arena_take(&arena, size);
        assert_non_null(pieces[i]);
        assert_int_equal((uintptr_t)pieces[i] % _Alignof(max_align_t), 0);
        for (size_t at = 0; at < size; at++)
            assert_int_equal(pieces[i][at], 0);
        memset(pieces[i], (int)i, size);
    }
    for (size_t i = 0; i < COUNT_OF(pieces); i++)
        for (size_t at = 0; at < 1 + i * 7; at++)
            assert_int_equal(pieces[i][at], i);
    assert_string_equal(arena_copy(&arena, "text"), "text");
    assert_string_equal(arena_copy(&arena, ""), "");
    assert_non_null(arena_take(&arena, 0));
    assert_non_null(arena_take(&arena, 100000));
    assert_null(arena_take(&arena, (size_t)-1));
    arena_free(&arena);
    assert_null(arena.blocks);
    arena_free(&arena);
}

static void errors_are_one_sentence(void **state)
{
    struct err err;
    char long_text[2 * ERR_TEXT_BYTES];

    assert_int_equal(err_set(&err, ERR_DENIED, 13, "cannot open %s", "/x"), -1);
    assert_int_equal(err.kind, ERR_DENIED);
    assert_int_equal(err.os_code, 13);
    assert_string_equal(err.text, "cannot open /x");
    assert_int_equal(err_prefix(&err, "service %s", "web"), -1);
    assert_string_equal(err.text, "service web: cannot open /x");
    assert_int_equal(err_append(&err, "; try %d", 2), -1);
    assert_string_equal(err.text, "service web: cannot open /x; try 2");
    assert_int_equal(err.kind, ERR_DENIED);
    assert_int_equal(err_memory(&err), -1);
    assert_int_equal(err.kind, ERR_FAILED);
    assert_string_equal(err.text, "out of memory");

    memset(long_text, 'x', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    err_set(&err, ERR_FAILED, 0, "%s", long_text);
    assert_int_equal(strlen(err.text), ERR_TEXT_BYTES - 1);
    err_prefix(&err, "ab");
    assert_memory_equal(err.text, "ab: xxx", 7);
    assert_int_equal(strlen(err.text), ERR_TEXT_BYTES - 1);
    err_append(&err, "y");
    assert_int_equal(strlen(err.text), ERR_TEXT_BYTES - 1);
    err_prefix(&err, "%s", long_text);
    assert_int_equal(strlen(err.text), ERR_TEXT_BYTES - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(begins_empty),
        cmocka_unit_test(grows),
        cmocka_unit_test(prints),
        cmocka_unit_test(consumes),
        cmocka_unit_test(keeps_bytes),
        cmocka_unit_test(fails_at_its_limit),
        cmocka_unit_test(refuses_absurd_sizes),
        cmocka_unit_test(reserves_room),
        cmocka_unit_test(arena_gives_zeroed_aligned_memory),
        cmocka_unit_test(errors_are_one_sentence),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
