/* A file that a supervisor appends to, and those that were put aside when it had grown too long:
 * the log of what the instances print, and the history of events. */
#ifndef SVCMGR_CHAIN_H
#define SVCMGR_CHAIN_H

#include <stdbool.h>
#include <stddef.h>

#include "platform.h"

#define CHAIN_NAME_BYTES 64
#define CHAIN_FILES_MAX  4096 /* files put aside that are looked at */

enum chain_kind {
    CHAIN_LOG,    /* log/current and log/@TIME, whose names sort by age */
    CHAIN_EVENTS, /* events and events.old, a name that the next file takes over */
    CHAIN_COUNT
};

struct chain {
    enum chain_kind kind;
    char directory[PLATFORM_PATH_BYTES];
};

/* 'state_directory' is <state-dir>/NAME. */
void chain_init(struct chain *chain, enum chain_kind kind, const char *state_directory);

/* The name of the file that is appended to. */
const char *chain_current(const struct chain *chain);
/* Whether names tell which file is older. */
bool chain_is_ordered(const struct chain *chain);
/* False if the path is too long. */
bool chain_path(const struct chain *chain, const char *name, char *ret_path, size_t size);

/* The files put aside, oldest first.  A zeroed struct is an empty list. */
struct chain_list {
    char (*names)[CHAIN_NAME_BYTES]; /* owned */
    size_t count;
};

int chain_list(const struct chain *chain, struct chain_list *ret_list, struct err *err);
void chain_list_free(struct chain_list *list);
/* The newest of them, "" if there is none; borrowed from the list. */
const char *chain_newest(const struct chain_list *list);

/* The name for a file of the log that is put aside now: its time, without colons, which not every
 * file system takes ("@20261122T100000.123456Z").  It sorts behind 'newest' even if the clock was
 * set back. */
void chain_name(int64_t wall_us, const char *newest, char *ret_name, size_t size);

#endif
