/* Talking to a supervisor over its control channel, one question at a time.
 *
 * Used by the commands, and by a supervisor that finds another one in its place. */
#ifndef SVCMGR_PEER_H
#define SVCMGR_PEER_H

#include <stdbool.h>
#include <stdint.h>

#include "line.h"
#include "platform.h"
#include "protocol.h"

#define PEER_CONTROL_NAME   "control.sock"
#define PEER_HELLO_LIMIT_MS 5000 /* contract 2: exit code 8 */

struct peer {
    platform_handle handle;
    struct line_reader lines;
    int last_id;
};

/* Connects to the supervisor of the service whose state is in 'directory': by its socket, else by
 * its marker (marker_file.h), where both prove themselves first, in at most PROOF_LIMIT_MS.  Nobody
 * there, or somebody who is no supervisor of this service: kind ERR_NOT_RUNNING; one that is being
 * started again may be there in a moment, as long as the lock is held. */
int peer_connect(const char *directory, struct peer *ret_peer, struct err *err);
/* Begins on a connection that is there already. */
void peer_adopt(platform_handle handle, struct peer *ret_peer);
void peer_close(struct peer *peer);

/* Sends a request; 'params' is JSON or NULL.  Returns its id, -1 when the connection is gone. */
int peer_send(struct peer *peer, const char *method, const char *params, struct err *err);

enum peer_result { PEER_ANSWER, PEER_TIME_UP, PEER_ENDED };

/* Waits for the next message, answer or notification, until the deadline.  ANSWER: free it with
 * protocol_answer_free(). */
enum peer_result peer_receive(
        struct peer *peer, int64_t deadline_ms, struct protocol_answer *ret_answer);

/* Sends a request and waits for its answer; notifications in between are dropped.  A failure that
 * the supervisor reports comes back as -1 with its kind; no answer in time is ERR_NO_ANSWER; a
 * connection that ends is ERR_NOT_RUNNING. */
int peer_call(struct peer *peer, const char *method, const char *params, int64_t timeout_ms,
        struct protocol_answer *ret_answer, struct err *err);

#endif
