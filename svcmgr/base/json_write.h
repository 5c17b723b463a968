/* Writes JSON into a buffer, commas and quotes included.
 *
 * Begin with a zeroed struct and its 'out' set.  Inside an object every call takes the key; inside
 * a list, and for the outermost value, key is NULL.  Running out of memory shows in out->failed.
 * Text that is not UTF-8 (a command line of somebody else's) is written with U+FFFD. */
#ifndef SVCMGR_JSON_WRITE_H
#define SVCMGR_JSON_WRITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buffer.h"

struct json_writer {
    struct buffer *out;
    bool pretty; /* two spaces a level, one member a line */
    int depth;
    bool not_first;
};

void json_write_object(struct json_writer *writer, const char *key);
void json_write_object_end(struct json_writer *writer);
void json_write_list(struct json_writer *writer, const char *key);
void json_write_list_end(struct json_writer *writer);

/* NULL becomes null. */
void json_write_string(struct json_writer *writer, const char *key, const char *text);
void json_write_bytes(struct json_writer *writer, const char *key, const char *data, size_t length);
void json_write_base64(
        struct json_writer *writer, const char *key, const void *data, size_t length);
void json_write_int(struct json_writer *writer, const char *key, int64_t value);
void json_write_bool(struct json_writer *writer, const char *key, bool value);
void json_write_null(struct json_writer *writer, const char *key);
/* A number of thousandths, written with as few digits as are exact: 1500 -> 1.5. */
void json_write_thousandths(struct json_writer *writer, const char *key, int64_t value);
/* Text that is JSON already. */
void json_write_raw(struct json_writer *writer, const char *key, const char *json);

#endif
