/* What the supervisor knows and must survive: <state-dir>/NAME/record.
 *
 * Written whole at every change, before the change takes effect where the order matters (an intent
 * before a spawn, the pid before the barrier opens, an exit before the zombie is reaped).  A record
 * that cannot be read counts as none.  Monotonic times are only good within the same boot. */
#ifndef SVCMGR_RECORD_H
#define SVCMGR_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "address.h"
#include "buffer.h"
#include "err.h"
#include "identity.h"
#include "machine.h"

#define RECORD_VERSION        1
#define RECORD_MAX_BYTES      65536
#define RECORD_ID_BYTES       33 /* 128 random bits in hex, and a NUL */
#define RECORD_NOTIFY_BYTES   128
#define RECORD_LISTENERS_MAX  16
#define RECORD_REASON_BYTES   256
#define RECORD_HELPERS_MAX    16

/* One run of the service. */
struct record_generation {
    struct identity process; /* pid 0: intended, or not recorded yet */
    char instance[RECORD_ID_BYTES];
    char notify_name[RECORD_NOTIFY_BYTES]; /* "" if it has no NOTIFY_SOCKET */
    int64_t spawned_wall_us;
    int64_t ready_wall_us; /* 0: never was */
    int64_t log_at;        /* size of the log when it was spawned; -1 unknown */
};

struct record_listener {
    struct address requested;
    struct address bound;
    bool held;
};

struct record_exit {
    bool known; /* false: nothing has ended yet */
    int code;   /* -1: none or unknown */
    int by_signal; /* 0: none */
    int64_t wall_us;
    uint32_t generation;
    char reason[RECORD_REASON_BYTES];
};

struct record {
    char name[66];
    char version[24]; /* of the svcmgr that wrote it */
    char launcher[16]; /* "manual", "systemd" ... */
    char launcher_unit[256];
    struct identity supervisor;
    struct identity keeper;
    int64_t started_wall_us; /* of the first generation of this supervision */
    struct record_generation generations[MACHINE_SLOT_COUNT];
    struct record_exit last_exit;
    struct machine machine;
    size_t listener_count;
    size_t helper_count;
    struct record_listener listeners[RECORD_LISTENERS_MAX];
    /* Health commands and exec sessions: their groups are ended by the next supervisor. */
    struct identity helpers[RECORD_HELPERS_MAX];
};

/* Appends the record as text; out->failed says whether memory sufficed. */
void record_format(const struct record *record, struct buffer *out);

/* Returns 0, or -1 (ERR_FAILED: what is wrong) for text that record_format() did not make, or that
 * a newer version made. */
int record_parse(const char *text, size_t length, struct record *ret_record, struct err *err);

#endif
