#include "line.h"

#include <string.h>

#include "banned.h"

void line_init(struct line_reader *reader, size_t limit)
{
    *reader = (struct line_reader) { .bytes = { .limit = limit } };
}

void line_free(struct line_reader *reader)
{
    buffer_free(&reader->bytes);
    reader->taken = reader->searched = 0;
}

int line_push(struct line_reader *reader, const char *bytes, size_t length)
{
    if (reader->taken > 0)
        buffer_consume(&reader->bytes, reader->taken);
    reader->searched -= reader->taken;
    reader->taken = 0;
    buffer_append(&reader->bytes, bytes, length);
    return reader->bytes.failed ? -1 : 0;
}

char *line_next(struct line_reader *reader, size_t *ret_length)
{
    char *line;
    char *newline;

    if (reader->taken == reader->bytes.length) {
        if (!reader->stays)
            buffer_free(&reader->bytes); /* an idle connection holds no memory */
        reader->bytes.length = 0;
        reader->taken = reader->searched = 0;
        return NULL;
    }
    line = reader->bytes.data + reader->taken;
    newline = memchr(
            reader->bytes.data + reader->searched, '\n', reader->bytes.length - reader->searched);
    if (newline == NULL) {
        reader->searched = reader->bytes.length;
        return NULL;
    }
    *newline = '\0';
    *ret_length = (size_t)(newline - line);
    reader->taken += *ret_length + 1;
    reader->searched = reader->taken;
    return line;
}
