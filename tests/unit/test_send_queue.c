/* What waits to be sent comes out as it went in, whatever pieces it is taken in. */
#include "unit.h"

#include <string.h>

#include "send_queue.h"

#include "banned.h"

#define BYTES 5000

static unsigned char byte_at(size_t at)
{
    return (unsigned char)(at * 7 + at / 251);
}

static void add(struct send_queue *queue, size_t *added, size_t count)
{
    unsigned char bytes[BYTES];

    for (size_t i = 0; i < count; i++)
        bytes[i] = byte_at(*added + i);
    assert_int_equal(send_queue_add(queue, bytes, count), 0);
    *added += count;
}

static void take(struct send_queue *queue, size_t *taken, size_t count)
{
    const char *next = send_queue_next(queue);

    for (size_t i = 0; i < count; i++)
        assert_int_equal((unsigned char)next[i], byte_at(*taken + i));
    send_queue_advance(queue, count);
    *taken += count;
}

static void bytes_come_out_as_they_went_in(void **state)
{
    static const size_t sizes[] = { 1, 2, 3, 7, 100, 999, 1000, 1001 };

    for (size_t in = 0; in < COUNT_OF(sizes); in++) {
        for (size_t out = 0; out < COUNT_OF(sizes); out++) {
            struct send_queue queue = { 0 };
            size_t added = 0;
            size_t taken = 0;

            while (taken < BYTES) {
                if (added < BYTES)
                    add(&queue, &added, sizes[in] < BYTES - added ? sizes[in] : BYTES - added);
                assert_int_equal(send_queue_left(&queue), added - taken);
                take(&queue, &taken, sizes[out] < added - taken ? sizes[out] : added - taken);
            }
            assert_int_equal(send_queue_left(&queue), 0);
            assert_null(queue.bytes.data);
            send_queue_free(&queue);
        }
    }
}

/* What has gone is given back, and not moved for each byte. */
static void what_has_gone_is_taken_out_when_it_is_half(void **state)
{
    struct send_queue queue = { 0 };
    size_t added = 0;
    size_t taken = 0;

    add(&queue, &added, 1000);
    take(&queue, &taken, 499);
    assert_int_equal(queue.bytes.length, 1000);
    take(&queue, &taken, 1);
    assert_int_equal(queue.bytes.length, 500);
    assert_int_equal(queue.sent, 0);
    take(&queue, &taken, 500);
    assert_null(queue.bytes.data);
    send_queue_free(&queue);
}

static void an_empty_one_has_nothing(void **state)
{
    struct send_queue queue = { 0 };

    assert_int_equal(send_queue_left(&queue), 0);
    assert_int_equal(send_queue_add(&queue, "", 0), 0);
    assert_int_equal(send_queue_left(&queue), 0);
    assert_int_equal(send_queue_add(&queue, "abc", 3), 0);
    send_queue_free(&queue);
    assert_int_equal(send_queue_left(&queue), 0);
    send_queue_free(&queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_come_out_as_they_went_in),
        cmocka_unit_test(what_has_gone_is_taken_out_when_it_is_half),
        cmocka_unit_test(an_empty_one_has_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
