/* The history of a service: one JSON object a line in <state-dir>/NAME/events.
 *
 * Bounded: when the file is full it becomes events.old and a new one begins. */
#ifndef SVCMGR_JOURNAL_H
#define SVCMGR_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "json_write.h"
#include "platform.h"

#define JOURNAL_MAX_BYTES ((int64_t)1024 * 1024)

struct journal {
    const char *directory; /* <state-dir>/NAME; borrowed */
    const char *name;      /* borrowed */
    platform_handle file;  /* none: nothing is written (before the guard said yes) */
    int64_t size;
    int64_t turns;         /* how often events became events.old */
    uint64_t changes;      /* grows with every change of its files */
    struct buffer pending; /* lines that journal_flush() writes */
    bool to_terminal;      /* in the foreground people read along on standard error */
    bool with_levels;      /* ... or a launcher, which wants each line with its level */
};

/* Who asked for what happens. */
struct journal_asker {
    int64_t uid;
    int64_t pid;        /* 0 unknown */
    char user[64];      /* "" unknown */
    char command[256];  /* "" unknown: it had gone when it was looked at */
    char launcher[160]; /* "systemd unit x.service", "terminal pts/3"; "" unknown */
};

struct journal_event {
    const char *event; /* "state", "exit", "supervisor", "keeper", "request" ... */
    const char *from;  /* states; NULL if it is no change of state */
    const char *to;
    int64_t pid;                    /* 0: none */
    uint32_t generation;            /* 0: none */
    const char *cause;              /* a sentence */
    const struct journal_asker *by; /* NULL: nobody asked */
};

void journal_init(
        struct journal *journal, const char *directory, const char *name, bool to_terminal);
/* Begins to write to the file. */
void journal_open(struct journal *journal);
/* Notes an event; it is written by journal_flush(), so that nothing urgent waits for the disk. */
void journal_write(struct journal *journal, const struct journal_event *event);
void journal_flush(struct journal *journal);

#endif
