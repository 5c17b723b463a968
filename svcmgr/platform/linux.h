/* What the Linux files share among themselves. */
#ifndef SVCMGR_LINUX_H
#define SVCMGR_LINUX_H

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "posix.h"

/* Opens for reading, close-on-exec; again when the system lacked descriptors or memory for an
 * instant: "cannot be read" is taken for "is gone" in places where that costs a service. */
int linux_open(const char *path, int flags);
DIR *linux_open_directory(const char *path);
/* Reads /proc/PID/NAME, at most size - 1 bytes, and adds a NUL; returns the length, -1 if it cannot
 * be read.  pid 0 means the process itself. */
long linux_read_proc(int64_t pid, const char *name, char *ret_text, size_t size);

/* The clock that start times are taken from: fork(2) reads it once, and proc(5) shows the whole
 * ticks of it.  (Kernel: copy_process(), start_boottime; do_task_stat(), nsec_to_clock_t().) */
int64_t linux_boot_clock(void);
#define LINUX_NANOSECONDS INT64_C(1000000000)

/* Asks sock_diag(7) and calls 'each' with every message of the answer; -1 if it does not answer. */
struct nlmsghdr;
typedef void linux_diag_each(void *context, const struct nlmsghdr *message);
int linux_ask_diag(const void *request, size_t length, linux_diag_each *each, void *context);

/* The first attribute of a type in what follows a message's fixed part; NULL if there is none. */
struct rtattr;
const struct rtattr *linux_find_attribute(const void *from, size_t left, unsigned short type);

#endif
