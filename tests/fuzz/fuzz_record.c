/* Bytes -> record_parse(): a record that can be read can be written, and is the same then. */
#include <stdint.h>
#include <string.h>

#include "fuzz.h"
#include "record.h"

#include "banned.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static struct record record;
    static struct record again;
    struct buffer text = { 0 };
    struct buffer text_again = { 0 };
    struct err err = { 0 };
    uint64_t number = 0;

    if (record_parse((const char *)bytes, size, &record, &number, &err) == -1) {
        REQUIRE(err.kind == ERR_FAILED && strlen(err.text) > 0);
        return 0;
    }
    REQUIRE(record.listener_count <= RECORD_LISTENERS_MAX);
    REQUIRE(record.helper_count <= RECORD_HELPERS_MAX);
    record_format(&record, &text);
    REQUIRE(!text.failed);
    REQUIRE(text.length > RECORD_MAX_BYTES ||
            record_parse(text.data, text.length, &again, NULL, &err) == 0);
    if (text.length <= RECORD_MAX_BYTES) {
        record_format(&again, &text_again);
        REQUIRE(strcmp(buffer_text(&text), buffer_text(&text_again)) == 0);
    }
    buffer_free(&text);
    buffer_free(&text_again);
    return 0;
}
