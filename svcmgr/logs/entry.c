#include "entry.h"

#include <string.h>

#include "stamp.h"
#include "str.h"

#include "banned.h"

#define STAMP_SHORTEST 20 /* "2026-01-31T12:00:00Z" */

/* The length of the stamp at the beginning of a line; 0 if there is none. */
static size_t stamp_length(const char *line, size_t length)
{
    const char *blank = memchr(line, ' ', length < STAMP_TIME_BYTES ? length : STAMP_TIME_BYTES);

    if (blank == NULL || !str_is_digit(line[0]) || blank - line <= STAMP_SHORTEST ||
            blank[-1] != 'Z')
        return 0;
    return (size_t)(blank - line);
}

void entry_write_line(
        struct json_writer *writer, const char *line, size_t length, struct entry_part part)
{
    size_t stamp = part.begins && length > 0 ? stamp_length(line, length) : 0;
    size_t text = stamp > 0 ? stamp + 1 : 0;

    json_write_object(writer, NULL);
    if (stamp > 0)
        json_write_bytes(writer, "time", line, stamp);
    else
        json_write_null(writer, "time");
    json_write_bytes(writer, "text", length > 0 ? line + text : "", length - text);
    if (!part.ends)
        json_write_bool(writer, "more", true);
    json_write_object_end(writer);
}

/* No text in a line can look like this: its quotes would have backslashes. */
const char *entry_event(const char *line, size_t length)
{
    static const char beginning[] = "{\"at\":";
    size_t wanted = sizeof beginning - 1;

    for (size_t at = length; at >= wanted; at--)
        if (memcmp(line + at - wanted, beginning, wanted) == 0)
            return line + at - wanted;
    return line;
}
