/* What the supervisor knows and must survive: <state-dir>/NAME/record.
 *
 * Written whole at every change, before the change takes effect where the order matters (the pid
 * before the barrier opens, an exit before the zombie is reaped).  A record
 * that cannot be read counts as none.  Monotonic times are only good within the same boot.
 *
 * The file has two slots that are written in turn, each with a number and a check sum: whatever is
 * cut off in the middle of a write, the other slot is whole.  (Renaming a new file over the old one
 * would do as well, but ext4 begins to write the data out then, which takes milliseconds: ext4(5),
 * auto_da_alloc.)  A file that is one plain JSON record is read too. */
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

#define RECORD_VERSION       1
#define RECORD_SLOT_BYTES    16384u
#define RECORD_MAX_BYTES     ((size_t)2 * RECORD_SLOT_BYTES)
#define RECORD_ID_BYTES      33 /* 128 random bits in hex, and a NUL */
#define RECORD_NOTIFY_BYTES  128
#define RECORD_LISTENERS_MAX 16
#define RECORD_REASON_BYTES  256
#define RECORD_HELPERS_MAX   32
#define RECORD_ROLE_BYTES    8

/* One run of the service. */
struct record_generation {
    struct identity process; /* pid 0: none yet */
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
    uint64_t file_id; /* Unix: the socket's file; 0: none that is ours */
};

struct record_exit {
    bool known;    /* false: nothing has ended yet */
    int code;      /* -1: none or unknown */
    int by_signal; /* 0: none */
    int64_t wall_us;
    uint32_t generation;
    char reason[RECORD_REASON_BYTES];
};

/* A command beside the instance: whoever finds it in a record ends it. */
struct record_helper {
    struct identity process;
    char role[RECORD_ROLE_BYTES]; /* "exec", "health" ...; "" unknown */
};

struct record {
    char name[66];
    char version[24];  /* of the svcmgr that wrote it */
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
    struct record_helper helpers[RECORD_HELPERS_MAX];
};

/* Appends the record as text; out->failed says whether memory sufficed. */
void record_format(const struct record *record, struct buffer *out);

/* Appends what slot number % 2 holds after the write with this number (from 1 on): a header and the
 * record as text.  It has to be written at record_slot_offset(). */
void record_format_slot(const struct record *record, uint64_t number, struct buffer *out);
size_t record_slot_offset(uint64_t number);

/* Reads a file of two slots, or one record as text.  Returns 0 and the record that was written last
 * (and its number, 0 for plain text, if ret_number is not NULL); or -1 (ERR_FAILED: what is wrong)
 * for anything else, and for what a newer version wrote. */
int record_parse(const char *text, size_t length, struct record *ret_record, uint64_t *ret_number,
        struct err *err);
/* The same for one record as text. */
int record_parse_text(const char *text, size_t length, struct record *ret_record, struct err *err);

#endif
