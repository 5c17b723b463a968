#ifndef WEBUI_CONNECTION_H
#define WEBUI_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "answer.h"
#include "net.h"

#define CONNECTION_REQUEST_MAX 8192 /* bytes of request line and headers */

/* What the connections of one server have in common. */
struct server {
    struct server_facts facts;
    bool quiet; /* no access lines */
    bool full;  /* no connection can be accepted: those that end their request make room */
};

enum connection_phase {
    CONNECTION_FREE,    /* this slot holds no connection */
    CONNECTION_READING, /* a request, or idle between two */
    CONNECTION_WAITING, /* the answer is not due yet */
    CONNECTION_WRITING,
    CONNECTION_LINGERING /* answered; what the peer still sends is thrown away */
};

struct connection {
    enum connection_phase phase;
    net_socket socket;
    int64_t deadline_ms; /* WAITING: the answer is due; else: the connection is given up */
    int64_t asked_ms;    /* when the request was complete */
    bool answered_before;
    bool keep_alive;
    bool unread; /* the peer has sent, or may send, more than we will read */
    bool head_only;
    struct http_span line; /* of the request being answered; points into in */
    size_t in_used, in_taken, head_length, sent;
    struct answer answer;
    char head[400];
    char in[CONNECTION_REQUEST_MAX];
};

/* Puts an accepted socket into a free slot.  The connection owns it from here on. */
void connection_open(struct connection *connection, net_socket socket, int64_t now_ms);

/* Does all that can be done without waiting.  To be called when net_wait() reports the socket, when
 * the deadline has passed, and after connection_open().  Frees the slot when all is done. */
void connection_advance(struct connection *connection, struct server *server, int64_t now_ms);

/* To be called once for each connection after server->facts.stopping has been set. */
void connection_stopping(struct connection *connection, struct server *server, int64_t now_ms);

void connection_close(struct connection *connection);

#endif
