/* Those who follow the log or the events over the control channel.
 *
 * A follower is a place in the files, and nothing that is written is kept for it: it reads on when
 * what it was sent has gone out.  What it has not read when rotation removes it is lost to it, and
 * it is told. */
#ifndef SVCMGR_FOLLOW_H
#define SVCMGR_FOLLOW_H

#include <stdbool.h>
#include <stdint.h>

#include "answer.h"
#include "reader.h"
#include "since.h"

#define FOLLOW_MAX          32    /* followers of one supervisor */
#define FOLLOW_PIECE_BYTES  65536 /* of a file in one message; a longer line comes in parts */
#define FOLLOW_UNSENT_BYTES 65536 /* a client that has more still to get is sent nothing new */
#define FOLLOW_LAST_MS      200   /* so long is waited at the end for one that is behind */

struct follower;

/* Begins to follow: takes the reader over, answers with a subscription, and sends what there is
 * from the next follow_pump() on. */
void follow_begin(
        const struct call *call, struct reader *reader, const struct since *since, bool cut);
/* Frees all followers of a client. */
void follow_free(struct follower *followers);

/* Sends those who can take it what has been written. */
void follow_pump(struct supervisor *sup);
/* Now if somebody can be sent something more, else PLATFORM_NEVER. */
int64_t follow_deadline(const struct supervisor *sup);
/* Whether everybody has got everything. */
bool follow_is_done(const struct supervisor *sup);

/* ---- Shared with logs/read ---- */

/* Writes lines from a reader's file as a list's values. */
struct follow_lines {
    struct json_writer *writer;
    struct since *since;
    uint64_t left;  /* lines that may still be written */
    size_t entries; /* that were written; a line in parts makes several */
    int64_t bytes;  /* of them, as they are in the file */
};

/* Takes one piece off the reader and writes its lines.  Returns what was taken; 0 when there is
 * nothing (more), or only a line whose end has not come.  *scanned is how far that line is known;
 * 'whole' gives it too. */
size_t follow_take_lines(
        struct reader *reader, struct follow_lines *lines, int64_t *scanned, bool whole);

#endif
