/* The supervisor's end of the channel to its keeper: keeper.h says what goes over it. */
#ifndef SVCMGR_LINK_H
#define SVCMGR_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "keeper.h"
#include "platform.h"

#define LINK_QUEUE_MAX   64
#define LINK_ANSWER_MS   1000 /* a keeper that does not answer by then is not waited for */

struct link {
    struct platform_source *source; /* NULL: the keeper is gone */
    struct identity keeper;         /* pid 0: there is none */
    int32_t former_lives;           /* supervisors before this one under the same keeper */
    size_t queue_count;             /* of queue */
    size_t restored_count;          /* of restored */
    struct link_rest *rest;         /* static: large, and hardly ever touched */
};

struct link_restored { /* what the keeper gave back; taken by link_take() */
    char name[KEEPER_NAME_BYTES];
    platform_handle handle;
};

struct link_rest {
    struct keeper_message queue[LINK_QUEUE_MAX]; /* came while something else was waited for */
    struct link_restored restored[KEEPER_HELD_MAX];
};

/* Says hello and takes back what is held.  Without a keeper (descriptor 3 is no channel) the
 * supervisor runs alone. */
void link_open(struct link *link, int role);

void link_hold(struct link *link, const char *name, platform_handle handle);
void link_drop(struct link *link, const char *name);
void link_record(struct link *link, int64_t pid);
void link_reap(struct link *link, int64_t pid);
void link_heard(struct link *link);
/* Waits until the keeper has done all before; false if it did not answer in time. */
bool link_sync(struct link *link);
/* The end that follows is by decision. */
void link_decided(struct link *link, int code);

/* The handle that was restored under a name, now the caller's; none if there is none. */
platform_handle link_take(struct link *link, const char *name);
/* Closes and drops what nobody took. */
void link_drop_rest(struct link *link);

/* The next message that came out of turn; false when there is none. */
bool link_next_queued(struct link *link, struct keeper_message *ret_message);
void link_lost(struct link *link);

#endif
