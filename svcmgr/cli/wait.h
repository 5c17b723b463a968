/* Asking a supervisor for something that takes time, and waiting for the result.
 *
 * A connection that ends is made again and the question is asked again; only a supervisor that does
 * not answer hello for PEER_HELLO_LIMIT_MS is given up. */
#ifndef SVCMGR_WAIT_H
#define SVCMGR_WAIT_H

#include "peer.h"
#include "scope.h"

/* What is asked. */
struct wait_request {
    const struct cli *cli;
    const struct target *target;
    const char *method;
    const char *params;     /* JSON; NULL: what follows, and that progress is told */
    const char *expect_pid; /* NULL: any */
    bool now;               /* stop: kill at once */
    bool keep_standby;      /* stop: let the next one take over */
    bool waits_for_room;    /* while the supervisor has as many connections as it takes */
    int64_t patience_ms;    /* how long nobody may answer; 0: PEER_HELLO_LIMIT_MS */
};

enum wait_result {
    WAIT_ANSWERED,    /* *ret_answer holds the result; free it */
    WAIT_FAILED,      /* *err says why; *ret_log_at where the log of the failed start begins */
    WAIT_NOT_RUNNING, /* nobody is there */
    WAIT_LOCK_IS_HELD /* a background start found another supervisor: ask again */
};

/* What a failed start's log is about. */
struct wait_log {
    char directory[PLATFORM_PATH_BYTES]; /* "" if there is none */
    int64_t from;
};

/* Asks over a connection that is there; the connection stays the caller's.  ENDED connections come
 * back as WAIT_NOT_RUNNING. */
enum wait_result wait_on(struct peer *peer, const struct wait_request *request,
        struct protocol_answer *ret_answer, struct wait_log *ret_log, struct err *err);

/* Connects and asks, again and again if need be. */
enum wait_result wait_for(const struct wait_request *request, struct protocol_answer *ret_answer,
        struct wait_log *ret_log, struct err *err);

/* The same for a question that is answered at once.  ERR_NOT_RUNNING: nobody is there. */
int wait_call(const struct cli *cli, const struct target *target, const char *method,
        const char *params, struct protocol_answer *ret_answer, struct err *err);
/* What to say when nobody is there; is -1. */
int wait_not_running(const struct target *target, struct err *err);

/* Waits until a supervisor that has answered a stop, and ends now, is gone and its lock is free or
 * another one's. */
void wait_until_gone(
        struct peer *peer, const struct target *target, const struct protocol_answer *answer);

/* Waits until a supervisor that ends is gone; one that goes on, or another one, is not waited for.
 */
void wait_until_free(const struct target *target);

/* A pause between two tries. */
void wait_pause(int64_t ms);

#endif
