#include "line.h"

#include <string.h>

#include "banned.h"

void line_init(struct line_reader *reader, size_t limit)
{
    *reader = (struct line_reader){ .bytes = { .limit = limit } };
}

void line_free(struct line_reader *reader)
{
    buffer_free(&reader->bytes);
    reader->taken = 0;
}

static void drop_taken(struct line_reader *reader)
{
    if (reader->taken > 0)
        buffer_consume(&reader->bytes, reader->taken);
    reader->taken = 0;
    if (reader->bytes.length == 0)
        buffer_free(&reader->bytes); /* an idle connection holds no memory */
}

int line_push(struct line_reader *reader, const char *bytes, size_t length)
{
    drop_taken(reader);
    buffer_append(&reader->bytes, bytes, length);
    return reader->bytes.failed ? -1 : 0;
}

char *line_next(struct line_reader *reader, size_t *ret_length)
{
    char *newline;

    drop_taken(reader);
    if (reader->bytes.length == 0)
        return NULL;
    newline = memchr(reader->bytes.data, '\n', reader->bytes.length);
    if (newline == NULL)
        return NULL;
    *newline = '\0';
    *ret_length = (size_t)(newline - reader->bytes.data);
    reader->taken = *ret_length + 1;
    return reader->bytes.data;
}
