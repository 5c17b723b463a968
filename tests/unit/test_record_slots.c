/* The two slots of a record's file: whatever a write leaves behind, a whole record is read. */
#include "unit.h"

#include "record.h"

#include "banned.h"

struct file {
    char data[RECORD_MAX_BYTES];
    size_t length;
};

static struct record record_of(uint32_t restarts)
{
    struct record record = { .name = "webui", .machine = { .restarts = restarts } };

    return record;
}

static struct buffer slot_of(uint32_t restarts, uint64_t number)
{
    struct record record = record_of(restarts);
    struct buffer out = { 0 };

    record_format_slot(&record, number, &out);
    assert_false(out.failed);
    return out;
}

/* Writes the first length bytes of a slot: all of it, or as much as was written at a power cut. */
static void write_part(struct file *file, const struct buffer *slot, uint64_t number, size_t length)
{
    size_t at = record_slot_offset(number);

    memcpy(file->data + at, slot->data, length);
    if (length > 0 && at + length > file->length)
        file->length = at + length;
}

/* As a supervisor does: write number N says that there were N restarts. */
static void write_number(struct file *file, uint64_t number)
{
    struct buffer slot = slot_of((uint32_t)number, number);

    write_part(file, &slot, number, slot.length);
    buffer_free(&slot);
}

/* The number of the write that is read back; 0 and no record if there is none that is whole. */
static uint64_t read_back(const struct file *file)
{
    struct record record;
    uint64_t number;
    struct err err;

    if (record_parse(file->data, file->length, &record, &number, &err) == -1)
        return 0;
    assert_int_equal(record.machine.restarts, number);
    return number;
}

static void gives_back_the_latest(void **state)
{
    static struct file file;

    for (uint64_t number = 1; number <= 20; number++) {
        write_number(&file, number);
        assert_int_equal(read_back(&file), number);
    }
    assert_true(file.length <= RECORD_MAX_BYTES);
    assert_int_equal(record_slot_offset(1), RECORD_SLOT_BYTES);
    assert_int_equal(record_slot_offset(2), 0);
}

/* No byte of it is left to chance: two writes of the same are the same, and all of it is text. */
static void is_text_to_its_last_byte(void **state)
{
    struct buffer slot = slot_of(1, 1);

    assert_int_equal(strlen(slot.data), slot.length);
    assert_memory_equal(slot.data + 60, "   \n{", 5);
    buffer_free(&slot);
}

static void keeps_numbers_of_any_size(void **state)
{
    static const uint64_t numbers[] = { 1, 9, 10, 0xffffffff, UINT64_C(0x100000000), UINT64_MAX };

    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        struct buffer slot = slot_of(7, numbers[i]);
        struct record record;
        uint64_t number;
        struct err err;

        assert_int_equal(record_parse(slot.data, slot.length, &record, &number, &err), 0);
        assert_true(number == numbers[i]);
        buffer_free(&slot);
    }
}

/* The one that is cut off is the older of the two, so the newer one is always there. */
static void survives_a_write_cut_off_at_any_byte(void **state)
{
    static struct file file;

    for (uint64_t number = 2; number <= 5; number++) {
        struct buffer slot = slot_of((uint32_t)number, number);
        static struct file before;

        memset(&file, 0, sizeof file);
        for (uint64_t i = 1; i < number; i++)
            write_number(&file, i);
        before = file;
        for (size_t length = 0; length < slot.length; length += unit_step()) {
            file = before;
            write_part(&file, &slot, number, length);
            /* What was there before may end like the new one: then it is whole a little sooner. */
            if (read_back(&file) != number)
                assert_int_equal(read_back(&file), number - 1);
            else
                assert_true(memcmp(file.data + record_slot_offset(number), slot.data,
                                    slot.length) == 0);
        }
        buffer_free(&slot);
    }
}

/* The very first write may be cut off too: then there is no record. */
static void has_none_when_the_first_write_was_cut_off(void **state)
{
    struct buffer slot = slot_of(1, 1);

    for (size_t length = 0; length < slot.length; length += unit_step()) {
        static struct file file;

        memset(&file, 0, sizeof file);
        write_part(&file, &slot, 1, length);
        assert_int_equal(read_back(&file), 0);
    }
    buffer_free(&slot);
}

/* The disk may write the blocks of one write in any order. */
static void survives_a_write_that_came_in_pieces(void **state)
{
    static struct file before, file;
    struct buffer slot = slot_of(4, 4);

    for (uint64_t number = 1; number <= 3; number++)
        write_number(&before, number);
    for (size_t hole = 0; hole < slot.length; hole += 16) {
        size_t end = hole + 16 < slot.length ? hole + 16 : slot.length;
        size_t at = record_slot_offset(4);

        file = before;
        write_part(&file, &slot, 4, slot.length);
        memcpy(file.data + at + hole, before.data + at + hole, end - hole);
        if (memcmp(file.data + at, slot.data, slot.length) != 0)
            assert_int_equal(read_back(&file), 3);
        else
            assert_int_equal(read_back(&file), 4);
    }
    buffer_free(&slot);
}

static void check_changed(struct file *file, size_t at, uint64_t expected)
{
    char kept = file->data[at];

    for (int bit = 0; bit < 8; bit += 3) {
        file->data[at] = (char)(kept ^ 1 << bit);
        assert_int_equal(read_back(file), expected);
    }
    file->data[at] = kept;
}

static void notices_any_changed_bit(void **state)
{
    static struct file file;
    struct buffer slot = slot_of(1, 1);

    write_number(&file, 1);
    write_number(&file, 2);
    for (size_t at = 0; at < slot.length; at += unit_step()) {
        check_changed(&file, at, 1);
        check_changed(&file, RECORD_SLOT_BYTES + at, 2);
    }
    check_changed(&file, slot.length, 2); /* what is behind belongs to nothing */
    buffer_free(&slot);
}

/* A slot that was copied to the other place, or whose number was changed, is none. */
static void knows_a_number_that_is_not_its_own(void **state)
{
    static struct file file;
    char *digit;

    write_number(&file, 1);
    write_number(&file, 2);
    digit = strchr(file.data, '2');
    assert_int_equal(digit - file.data, 29);
    *digit = '9';
    assert_int_equal(read_back(&file), 1);
}

static void is_cut_at_any_length(void **state)
{
    static struct file file;
    struct buffer newer = slot_of(3, 3);
    size_t whole = RECORD_SLOT_BYTES + newer.length;
    size_t older_length;

    write_number(&file, 1);
    write_number(&file, 2);
    write_number(&file, 3);
    older_length = strlen(file.data);
    for (size_t length = 0; length <= whole; length += unit_step()) {
        uint64_t expected = length >= whole ? 3 : length >= older_length ? 2 : 0;

        file.length = length;
        assert_int_equal(read_back(&file), expected);
    }
    buffer_free(&newer);
}

/* A header may say any length: nothing behind the slot is read. */
static void refuses_a_length_beyond_the_slot(void **state)
{
    static const char *const lengths[] = { "ffffff", "003fc1", "00g000", "      ", "00 000" };
    struct buffer slot = slot_of(1, 1);

    for (size_t i = 0; i < COUNT_OF(lengths); i++) {
        /* Of exactly this size, so that a sanitizer sees a byte too many. */
        char *exact = malloc(slot.length);
        struct record record;
        uint64_t number;
        struct err err;

        assert_non_null(exact);
        memcpy(exact, slot.data, slot.length);
        memcpy(exact + 31, lengths[i], 6);
        CHECK_INT(lengths[i], record_parse(exact, slot.length, &record, &number, &err), -1);
        free(exact);
    }
    buffer_free(&slot);
}

static void fails_when_it_does_not_fit(void **state)
{
    struct record record = record_of(1);
    struct buffer out = { 0 };

    /* Control characters take six bytes each in JSON. */
    record.listener_count = RECORD_LISTENERS_MAX;
    for (int i = 0; i < RECORD_LISTENERS_MAX; i++) {
        struct address *address = &record.listeners[i].bound;

        address->family = ADDRESS_UNIX;
        memset(address->path, 1, sizeof address->path - 1);
        record.listeners[i].requested = *address;
    }
    record_format_slot(&record, 1, &out);
    assert_true(out.failed);
    buffer_free(&out);
    out = (struct buffer) { .limit = 100 };
    record = record_of(1);
    record_format_slot(&record, 1, &out);
    assert_true(out.failed);
    buffer_free(&out);
}

/* It is appended: what was in the buffer before is left alone. */
static void is_appended(void **state)
{
    struct buffer alone = slot_of(5, 5);
    struct record record = record_of(5);
    struct buffer out = { 0 };

    buffer_puts(&out, "before");
    record_format_slot(&record, 5, &out);
    assert_int_equal(out.length, alone.length + 6);
    assert_memory_equal(out.data, "before", 6);
    assert_memory_equal(out.data + 6, alone.data, alone.length);
    buffer_free(&out);
    buffer_free(&alone);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_back_the_latest),
        cmocka_unit_test(is_text_to_its_last_byte),
        cmocka_unit_test(keeps_numbers_of_any_size),
        cmocka_unit_test(survives_a_write_cut_off_at_any_byte),
        cmocka_unit_test(has_none_when_the_first_write_was_cut_off),
        cmocka_unit_test(survives_a_write_that_came_in_pieces),
        cmocka_unit_test(notices_any_changed_bit),
        cmocka_unit_test(knows_a_number_that_is_not_its_own),
        cmocka_unit_test(is_cut_at_any_length),
        cmocka_unit_test(refuses_a_length_beyond_the_slot),
        cmocka_unit_test(fails_when_it_does_not_fit),
        cmocka_unit_test(is_appended),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
