/* Connections over TCP that have not proved yet that they know the token: anybody on this machine
 * may have made them.
 *
 * They have places of their own, so that however many there are, none of those who proved
 * themselves loses his; in these the one that came first gives its place up to a new one, since who
 * knows the token needs it for an instant only.  Each costs about PROOF_LINE_BYTES, for
 * PROOF_LIMIT_MS. */
#ifndef SVCMGR_STRANGER_H
#define SVCMGR_STRANGER_H

#include <stdbool.h>
#include <stdint.h>

#include "platform.h"
#include "proof.h"

#define STRANGERS_MAX 16

struct stranger;

struct stranger_set {
    struct stranger *list[STRANGERS_MAX]; /* owned; NULL: free */
};

enum stranger_result {
    STRANGER_NONE,   /* the event is none of theirs */
    STRANGER_HEARD,  /* it was, and that is all */
    STRANGER_PROVED, /* the source is the caller's now, and what comes behind the proof */
};

/* Takes a new connection. */
void stranger_add(
        struct stranger_set *set, struct platform_source *source, const uint8_t token[PROOF_BYTES]);
/* PROVED: *ret_taken bytes of the event's were part of the proof. */
enum stranger_result stranger_on_event(
        struct stranger_set *set, const struct platform_event *event, size_t *ret_taken);
/* Sends away those whose time is up; and when that is next, or PLATFORM_NEVER. */
void stranger_on_time(struct stranger_set *set, int64_t now_ms);
int64_t stranger_deadline(const struct stranger_set *set);
void stranger_drop_all(struct stranger_set *set);

/* Says one thing to somebody who is not let in, or not any more, and closes. */
void stranger_refuse(struct platform_source *source, int code, const char *message);

#endif
