/* Who a process is, so that a number used again by another process is never taken for it. */
#ifndef SVCMGR_IDENTITY_H
#define SVCMGR_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>

#define IDENTITY_BOOT_BYTES 40

struct identity {
    int64_t pid;            /* 0: nobody */
    uint64_t start_time;    /* in the system's own unit, since boot where it has one; 0: unknown */
    uint64_t pid_namespace; /* 0: the system has none */
    char boot_id[IDENTITY_BOOT_BYTES]; /* "" if unknown */
};

/* The same process: every part is known and equal. */
bool identity_equal(const struct identity *a, const struct identity *b);

#endif
