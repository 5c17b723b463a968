/* What the Linux files share among themselves. */
#ifndef SVCMGR_LINUX_H
#define SVCMGR_LINUX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform.h"

/* Reads /proc/PID/NAME, at most size - 1 bytes, and adds a NUL; returns the length, -1 if it cannot
 * be read.  pid 0 means the process itself. */
long linux_read_proc(int64_t pid, const char *name, char *ret_text, size_t size);

/* The fields of /proc/PID/stat that are used here: proc(5). */
struct linux_stat {
    char command[32];
    char state;
    int64_t parent;
    int64_t group;
    int64_t session;
    int64_t terminal;
    uint64_t start_time; /* clock ticks since boot */
};
bool linux_read_stat(int64_t pid, struct linux_stat *ret_stat);

/* Calls 'each' with every pid in /proc until it returns false. */
void linux_each_pid(bool (*each)(void *context, int64_t pid), void *context);

#endif
