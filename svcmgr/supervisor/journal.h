/* The history of a service: one JSON object a line in <state-dir>/NAME/events.
 *
 * Bounded: when the file is full it becomes events.old and a new one begins. */
#ifndef SVCMGR_JOURNAL_H
#define SVCMGR_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "json_write.h"
#include "platform.h"

#define JOURNAL_MAX_BYTES (1024 * 1024)

struct journal {
    const char *directory; /* <state-dir>/NAME; borrowed */
    const char *name;      /* borrowed */
    platform_handle file; /* none: nothing is written (before the guard said yes) */
    int64_t size;
    bool to_terminal; /* in the foreground people read along on standard error */
};

struct journal_event {
    const char *event;  /* "state", "exit", "supervisor", "keeper", "request" ... */
    const char *from;   /* states; NULL if it is no change of state */
    const char *to;
    int64_t pid;        /* 0: none */
    uint32_t generation; /* 0: none */
    const char *cause;  /* a sentence */
    int64_t by_uid;     /* who asked; -1: nobody did */
    int64_t by_pid;
};

void journal_init(struct journal *journal, const char *directory, const char *name,
        bool to_terminal);
/* Begins to write to the file. */
void journal_open(struct journal *journal);
void journal_write(struct journal *journal, const struct journal_event *event);

#endif
