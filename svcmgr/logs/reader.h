/* Reads a chain of files from wherever to its end, and on as it grows, across rotation.
 *
 * The reader holds one file open; what rotation removes meanwhile is still read to its end.  A
 * position names a place so that another reader, of another process too, goes on there. */
#ifndef SVCMGR_READER_H
#define SVCMGR_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "chain.h"
#include "since.h"

#define READER_POSITION_BYTES 128
#define READER_ALL            INT64_MAX

struct reader {
    struct chain chain;
    const int64_t *turns; /* how often the file was put aside, where that is counted; NULL: it is
                           * not, and files that were missed are not either; borrowed */
    char after[CHAIN_NAME_BYTES]; /* the file before the open one; "" unknown, or there is none */
    platform_handle handle;       /* none: there is no file yet */
    int64_t number;               /* of the open file, as turns count */
    int64_t offset;
    bool in_line;       /* the byte before was no newline */
    bool lost;          /* the place to go on from is gone: read on from the next that there is */
    int64_t files_lost; /* files removed before they were read */
};

void reader_init(struct reader *reader, enum chain_kind kind, const char *state_directory,
        const int64_t *turns);
void reader_close(struct reader *reader);

/* Where to begin; once.  An empty chain is fine: there is nothing to read yet. */
int reader_begin(struct reader *reader, struct err *err); /* at the oldest line */
/* At the oldest line, but for files that only have older ones than 'since'. */
int reader_begin_since(struct reader *reader, const struct since *since, struct err *err);
/* At the last 'lines' lines as far as they are among the last 'bytes' bytes, in the middle of a
 * line if that alone is longer; *ret_cut says whether there would be more of them. */
int reader_begin_last(
        struct reader *reader, uint64_t lines, int64_t bytes, bool *ret_cut, struct err *err);
/* Where a position says.  If it is gone: at what is nearest behind it, and 'lost' is set. ERR_USAGE
 * when the text is no position. */
int reader_resume(struct reader *reader, const char *position, struct err *err);

/* The bytes from 'ahead' bytes behind the place on; 0 at the file's present end. */
size_t reader_look(const struct reader *reader, int64_t ahead, char *ret_data, size_t size);
/* Moves on behind bytes that were looked at (ahead 0). */
void reader_take(struct reader *reader, const char *data, size_t length);
/* Whether the open file was put aside: then it grows no more. */
bool reader_is_aside(const struct reader *reader);
/* At a file's end: goes to the next one if there is one.  True: look again. */
bool reader_next(struct reader *reader);
/* Whether the open file is this one. */
bool reader_is_in(const struct reader *reader, const struct platform_file *file);

/* The place as text, of at most READER_POSITION_BYTES with its NUL. */
void reader_position(const struct reader *reader, char *ret_text, size_t size);

#endif
