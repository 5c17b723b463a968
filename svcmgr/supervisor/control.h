/* The control channel's server: accepts connections, checks who they are, cuts lines, keeps who
 * waits for what.  What the methods do is in methods.c. */
#ifndef SVCMGR_CONTROL_H
#define SVCMGR_CONTROL_H

#include <stdbool.h>
#include <stdint.h>

#include "line.h"
#include "platform.h"
#include "protocol.h"

#define CONTROL_CLIENTS_MAX  64
#define CONTROL_WAITS_MAX    4          /* requests of one client that are not answered yet */
#define CONTROL_UNSENT_BYTES (8 * 1024 * 1024) /* a reader that is further behind is dropped */

/* What a client waits for. */
enum client_wait { CLIENT_WAIT_NONE, CLIENT_WAIT_START, CLIENT_WAIT_STOP, CLIENT_WAIT_RESTART,
    CLIENT_WAIT_COUNT };

struct client_pending {
    enum client_wait wait;
    struct protocol_id id;
    uint32_t generation; /* RESTART: the one that was there when it asked */
};

struct client {
    struct platform_source *source; /* NULL: free */
    struct platform_peer peer;
    struct line_reader lines;
    struct client_pending pending[CONTROL_WAITS_MAX];
    bool wants_progress;
    bool is_first; /* the connection that 'start' handed over */
    bool answered; /* it got at least one answer */
    bool closing;  /* everything is said; dropped when it is sent */
    bool broken;   /* it cannot be reached any more; dropped by the next sweep */
};

struct control {
    struct platform_source *listener;
    struct client *clients[CONTROL_CLIENTS_MAX]; /* owned; NULL: free */
};

/* Begins to listen on a handle (taken over); a former listener is closed. */
int control_open(struct control *control, platform_handle listener, int role, struct err *err);
void control_close(struct control *control);

/* Takes a connection that is there already. */
struct client *control_adopt(struct control *control, platform_handle handle, int role);

/* Handles an event of its role.  Returns the client that has lines to read, or NULL. */
struct client *control_on_event(struct control *control, const struct platform_event *event);

void control_send(struct client *client, const struct buffer *message);
void control_drop(struct control *control, struct client *client);
/* Drops the clients that are done with; pointers to them are void then. */
void control_sweep(struct control *control);

/* Notes that a request is answered later; false if the client waits for too much already. */
bool control_wait(struct client *client, enum client_wait wait, const struct protocol_id *id,
        uint32_t generation);

/* Whether the connection that 'start' handed over still waits for a word. */
bool control_owes_first(const struct control *control);
/* Whether everything that was said has been sent. */
bool control_is_flushed(const struct control *control);

#endif
