#include "record.h"

#include <string.h>

#include "str.h"

#include "banned.h"

#define SLOT_MAGIC        "svcmgr-record"
#define SLOT_HEADER_BYTES 64

/* FNV-1a: Fowler, Noll, Vo; draft-eastlake-fnv.  It has to tell whole writes from torn ones. */
static uint64_t check_sum(const char *data, size_t length)
{
    uint64_t sum = 14695981039346656037u;

    for (size_t i = 0; i < length; i++)
        sum = (sum ^ (unsigned char)data[i]) * 1099511628211u;
    return sum;
}

static void format_header(
        uint64_t number, const char *text, size_t length, char ret_header[SLOT_HEADER_BYTES + 1])
{
    uint64_t sum = check_sum(text, length) ^ number;

    (void)str_format(ret_header, SLOT_HEADER_BYTES + 1, "%s %016llx %06zx %016llx %8s\n",
            SLOT_MAGIC, (unsigned long long)number, length, (unsigned long long)sum, "");
}

size_t record_slot_offset(uint64_t number)
{
    return number % 2 * RECORD_SLOT_BYTES;
}

void record_format_slot(const struct record *record, uint64_t number, struct buffer *out)
{
    char header[SLOT_HEADER_BYTES + 1];
    size_t start = out->length;

    buffer_printf(out, "%*s", SLOT_HEADER_BYTES, "");
    record_format(record, out);
    if (out->failed)
        return;
    format_header(number, out->data + start + SLOT_HEADER_BYTES,
            out->length - start - SLOT_HEADER_BYTES, header);
    memcpy(out->data + start, header, SLOT_HEADER_BYTES);
    if (out->length - start > RECORD_SLOT_BYTES)
        out->failed = true;
}

static bool read_hex(const char *text, size_t digits, uint64_t *ret_value)
{
    uint64_t value = 0;

    for (size_t i = 0; i < digits; i++) {
        char c = text[i];

        if (!str_is_digit(c) && !(c >= 'a' && c <= 'f'))
            return false;
        value = value << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    *ret_value = value;
    return true;
}

/* The text in a slot; false if there is none, or not all of it. */
static bool read_slot(const char *slot, size_t length, const char **ret_text, size_t *ret_length,
        uint64_t *ret_number)
{
    size_t magic = sizeof SLOT_MAGIC; /* with the blank behind it */
    char header[SLOT_HEADER_BYTES + 1];
    uint64_t number;
    uint64_t text_length;

    if (length < SLOT_HEADER_BYTES || memcmp(slot, SLOT_MAGIC " ", magic) != 0 ||
            !read_hex(slot + magic, 16, &number) || !read_hex(slot + magic + 17, 6, &text_length) ||
            text_length > length - SLOT_HEADER_BYTES)
        return false;
    format_header(number, slot + SLOT_HEADER_BYTES, (size_t)text_length, header);
    if (memcmp(slot, header, SLOT_HEADER_BYTES) != 0)
        return false;
    *ret_text = slot + SLOT_HEADER_BYTES;
    *ret_length = (size_t)text_length;
    *ret_number = number;
    return true;
}

int record_parse(const char *text, size_t length, struct record *ret_record, uint64_t *ret_number,
        struct err *err)
{
    const char *best = text;
    size_t best_length = length;
    uint64_t best_number = 0;

    if (length > RECORD_MAX_BYTES)
        return err_set(
                err, ERR_FAILED, 0, "the record is larger than %d bytes", (int)RECORD_MAX_BYTES);
    for (size_t at = 0; at < length; at += RECORD_SLOT_BYTES) {
        size_t left = length - at < RECORD_SLOT_BYTES ? length - at : RECORD_SLOT_BYTES;
        const char *slot_text;
        size_t slot_length;
        uint64_t number;

        if (!read_slot(text + at, left, &slot_text, &slot_length, &number) || number <= best_number)
            continue;
        best = slot_text;
        best_length = slot_length;
        best_number = number;
    }
    if (record_parse_text(best, best_length, ret_record, err) == -1)
        return -1;
    if (ret_number != NULL)
        *ret_number = best_number;
    return 0;
}
