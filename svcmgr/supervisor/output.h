/* What the instances print: taken from their pipes, stamped, written to the log, rotated by size.
 *
 * Each generation has one pipe (two with separate streams).  The read ends are held by keeper and
 * supervisor, so that neither one's death breaks them.  After a generation has ended its pipes are
 * read as the drain rule says.  A log that cannot be written never stops the service: what is lost
 * is counted and said in the status. */
#ifndef SVCMGR_OUTPUT_H
#define SVCMGR_OUTPUT_H

#include <stdbool.h>
#include <stdint.h>

#include "config.h"
#include "drain.h"
#include "link.h"
#include "log.h"
#include "platform.h"
#include "stamp.h"
#include "system_log.h"

#define OUTPUT_STREAMS_MAX 8
#define OUTPUT_NAME_BYTES  32

struct output_stream {
    struct platform_source *source; /* NULL: free */
    char name[OUTPUT_NAME_BYTES];   /* under which the keeper holds it: "out:3", "err:3" */
    uint32_t generation;
    bool is_error;
    struct stamp stamp;
    struct drain drain;
    struct system_log_source lines;
};

struct output {
    struct log log;
    struct system_log system_log; /* which gets it as well, if it is on */
    platform_handle copy;         /* a terminal that sees it too; none */
    bool timestamps;
    bool separate;
    bool captured; /* false: the instances write where we do */
    struct output_stream streams[OUTPUT_STREAMS_MAX];
    struct output_stream *last; /* whose bytes the log ends with */
    struct link *link;
};

/* Sets it up; nothing is created before the first output_add().  It is of use when it has been
 * configured. */
void output_init(
        struct output *output, const char *service, const char *state_directory, struct link *link);
/* Takes over what a new configuration says and what can change live. */
void output_configure(struct output *output, const struct config *config);

/* Opens the log, after all streams of a former supervisor have been resumed; its failure is kept
 * for the status and is no failure of the service. */
void output_open(struct output *output);

/* Makes the pipes of a generation, hands their read ends to the keeper and begins to read.  The
 * write ends are the caller's (the same one twice unless separate). */
int output_add(struct output *output, uint32_t generation, int role, platform_handle *ret_output,
        platform_handle *ret_error, struct err *err);
/* Goes on with a pipe that a former supervisor read; 'name' is the keeper's. */
void output_resume(struct output *output, const char *name, platform_handle handle, int role);

void output_on_event(struct output *output, const struct platform_event *event);
void output_on_time(struct output *output, int64_t now_ms);
int64_t output_deadline(const struct output *output);
/* The generation's processes have ended: its pipes are drained. */
void output_generation_ended(struct output *output, uint32_t generation, int64_t now_ms);
bool output_is_drained(const struct output *output);
/* Stops reading, and lets go of the pipes: somebody else has them.  Of a line that has not ended
 * the system's log gets what there is. */
void output_leave(struct output *output);
/* Why not all of it is where it belongs; NULL: it is. */
const char *output_error(const struct output *output);
/* Where the log ends now, to show from there; -1 unknown. */
int64_t output_position(const struct output *output);

#endif
