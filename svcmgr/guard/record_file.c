#include "record_file.h"

#include "platform.h"
#include "str.h"

#include "banned.h"

int record_file_read(const char *state_directory, struct record *ret_record, uint64_t *ret_number,
        struct err *err)
{
    char path[PLATFORM_PATH_BYTES];
    struct buffer text = { 0 };
    int result = -1;

    (void)str_format(path, sizeof path, "%s/record", state_directory);
    if (platform_read_file(path, RECORD_MAX_BYTES, &text, err) == 0)
        result = record_parse(buffer_text(&text), text.length, ret_record, ret_number, err);
    buffer_free(&text);
    return result;
}
