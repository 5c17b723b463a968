/* The supervisor's end of the channel to its keeper: keeper.h says what goes over it. */
#ifndef SVCMGR_LINK_H
#define SVCMGR_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "keeper.h"
#include "platform.h"

#define LINK_QUEUE_MAX  64
#define LINK_UNSENT_MAX 16
#define LINK_ANSWER_MS  1000 /* a keeper that does not answer by then is not waited for */
/* For a supervisor to let go of what we have taken over: one that does not want to ends us. */
#define LINK_LET_GO_MS 60000

struct link {
    struct platform_source *source;         /* NULL: the keeper is gone */
    struct identity keeper;                 /* pid 0: there is none */
    int32_t former_lives;                   /* supervisors before this one under the same keeper */
    enum keeper_came came;                  /* how this one came to be */
    char trial_end[KEEPER_TRIAL_END_BYTES]; /* RESTORED: how the trial of another program ended */
    size_t unsent_count;                    /* of unsent */
    bool is_urgent;                         /* something in 'unsent' may not wait */
    bool is_unheard;                        /* something was sent since the keeper was rung for */
    size_t queue_count;                     /* of queue */
    size_t restored_count;                  /* of restored */
    struct link_rest *rest;                 /* static: large, and hardly ever touched */
};

struct link_restored { /* what the keeper gave back; taken by link_take() */
    char name[KEEPER_NAME_BYTES];
    platform_handle handle;
    int32_t number; /* what the message said beside it */
};

struct link_unsent {
    struct keeper_message message;
    platform_handle handle; /* borrowed until it is sent */
};

struct link_rest {
    struct link_unsent unsent[LINK_UNSENT_MAX];
    struct keeper_message queue[LINK_QUEUE_MAX]; /* came while something else was waited for */
    struct link_restored restored[KEEPER_HELD_MAX];
};

/* Says hello and takes back what is held, by the keeper or, where there is none, by the supervisor
 * whose place we are to take; unless there is neither, or descriptor 3 is no channel: then the
 * supervisor runs alone. */
void link_open(struct link *link, int role, bool is_alone);

/* These are collected, and sent by link_flush(): each message wakes the keeper, and a spawn has
 * several of them.  A handle must stay open until then. */
void link_hold(struct link *link, const char *name, platform_handle handle);
void link_drop(struct link *link, const char *name);
/* The same for what does no harm where it is: sent with the next message that is not like this, so
 * that the keeper is not woken for it. */
void link_drop_later(struct link *link, const char *name);
/* Sent at once, behind what was collected before it: a child waits for this. */
void link_record(struct link *link, int64_t pid);
void link_reap(struct link *link, int64_t pid);
void link_heard(struct link *link);
/* The stops that the keeper was asked for are over: somebody wants the service up. */
void link_up(struct link *link);
/* Has the keeper look at what was sent: at last before the supervisor goes to sleep for long. */
void link_ring(struct link *link);
/* Sends what was collected.  It is with the keeper then: it lies in the keeper's end of the
 * channel, handles included, and a keeper reads all of it before it judges any process's end. */
void link_flush(struct link *link);

/* The successor is to run this program; sent at once, the handle stays the caller's. */
void link_upgrade(struct link *link, platform_handle program);
/* What there is has been taken over. */
void link_taken(struct link *link);
/* The same to the supervisor whose place we take: until it has let go of everything.  False if that
 * has not happened in time, and then it never will. */
bool link_take_place(struct link *link);

/* The end that follows is by decision. */
void link_decided(struct link *link, int code);

/* The handle that was restored under a name, now the caller's; none if there is none. */
platform_handle link_take(struct link *link, const char *name);
/* The same, and the number that came with it. */
platform_handle link_take_numbered(struct link *link, const char *name, int32_t *ret_number);
/* Closes and drops what nobody took. */
void link_drop_rest(struct link *link);

/* Notes a message that came out of turn, and gives the next one of these; false when there is none.
 */
void link_keep(struct link *link, const struct keeper_message *message);
bool link_next_queued(struct link *link, struct keeper_message *ret_message);
/* Whether one of them asks for a stop. */
bool link_stop_waits(const struct link *link);
void link_lost(struct link *link);

#endif
