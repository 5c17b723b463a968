/* A client of a supervisor that is fuzzed: sends whatever bytes, reads what comes, and checks that
 * every whole line gets exactly one answer, and that every answer is a line of the protocol. */
#ifndef SVCMGR_FUZZ_CLIENT_H
#define SVCMGR_FUZZ_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "proof.h"
#include "protocol.h"

struct client_pending_id {
    struct protocol_id id;
    bool is_command;
};

struct client_end {
    int fd;             /* -1: not connected */
    struct buffer out;  /* still to be sent */
    struct buffer line; /* the request that has not ended yet, as far as it was sent */
    struct buffer in;   /* what came, from the last newline on */
    struct client_pending_id *pending;
    size_t pending_count;
    bool over_tcp;
    bool is_stranger; /* over TCP, and has not proved itself */
    bool proves;      /* ... but is about to */
    struct proof proof;
    unsigned told_to_stranger;
    bool half_closed;
    bool is_deaf; /* does not read */
    bool was_deaf;
    bool is_too_long;   /* what it says: nobody listens any more */
    bool may_be_closed; /* it has done what closes a connection */
    bool refused;       /* it was told why it is closed */
};

/* Takes a connection over.  'token' NULL: no proof is wanted; 'proves': it is given. */
void client_open(struct client_end *client, int fd, const uint8_t *token, bool proves);
void client_send(struct client_end *client, const char *bytes, size_t length);
void client_half_close(struct client_end *client);
void client_close(struct client_end *client);
/* Sends what can be sent and reads what there is; true if there was anything.  'ends': the
 * connection may end for a reason that is not told on it. */
bool client_pump(struct client_end *client, bool ends);
bool client_has_unsent(const struct client_end *client);

#endif
