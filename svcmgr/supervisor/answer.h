/* What clients of the control channel are answered. */
#ifndef SVCMGR_ANSWER_H
#define SVCMGR_ANSWER_H

#include <stdbool.h>
#include <stdint.h>

#include "buffer.h"
#include "control.h"
#include "err.h"
#include "protocol.h"

struct supervisor;

/* One request that is being answered. */
struct call {
    struct supervisor *sup;
    struct client *client;
    const struct protocol_request *request;
};

/* Sends an answer and frees it.  A notification, a request without an id, is never answered. */
void answer_send(struct client *client, const struct protocol_id *id, struct buffer *message);
void answer_error(const struct call *call, int code, const char *text);
/* The answer comes when what is waited for has happened.  False: refused, since the connection
 * waits for too much. */
bool answer_later(const struct call *call, enum client_wait wait);
/* An error with the reason, the exit code for it, and where the log says more. */
void answer_failure(struct client *client, const struct protocol_id *id, int code,
        const struct err *err, const struct supervisor *sup);
/* The command failed: with the reason, and where the log says more. */
void answer_fail(const struct call *call, const struct err *err);
/* A status; 'already': nothing had to be done.  'former_generation' 0: none. */
void answer_status(struct supervisor *sup, struct client *client, const struct protocol_id *id,
        bool already, uint32_t former_generation);
void answer_empty(struct client *client, const struct protocol_id *id, bool accepted);

#endif
