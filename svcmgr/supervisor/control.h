/* The control channel's server: accepts connections, checks who they are, cuts lines, keeps who
 * waits for what.  What the methods do is in methods.c. */
#ifndef SVCMGR_CONTROL_H
#define SVCMGR_CONTROL_H

#include <stdbool.h>
#include <stdint.h>

#include "line.h"
#include "marker.h"
#include "platform.h"
#include "protocol.h"
#include "stranger.h"

#define CONTROL_CLIENTS_MAX 64
#define CONTROL_WAITS_MAX   4 /* requests of one client that are not answered yet */
#define CONTROL_UNSENT_BYTES                                                                       \
    ((size_t)8 * 1024 * 1024) /* a reader that is further behind is dropped */

/* What a client waits for. */
enum client_wait {
    CLIENT_WAIT_NONE,
    CLIENT_WAIT_START,
    CLIENT_WAIT_STOP,
    CLIENT_WAIT_RESTART,
    CLIENT_WAIT_UPGRADE,
    CLIENT_WAIT_COUNT
};

struct client_pending {
    enum client_wait wait;
    struct protocol_id id;
    uint32_t generation; /* RESTART: the one that was there when it asked */
};

struct follower;

/* Of a client that is a supervisor in line behind us. */
struct client_standby {
    int64_t since_wall_us; /* 0: it is none */
    int64_t pid;           /* 0 unknown */
    int64_t keeper_pid;    /* 0 unknown */
    char launcher[16];
    bool told_to_end;
};

struct client {
    struct platform_source *source; /* NULL: free */
    struct platform_peer peer;
    struct line_reader lines;
    int64_t heard_ms; /* when it came, or said something */
    struct client_pending pending[CONTROL_WAITS_MAX];
    struct client_standby standby;
    int commands;               /* that it runs: exec.h */
    struct follower *followers; /* owned: follow.h */
    bool wants_progress;
    bool is_first; /* the connection that 'start' handed over */
    bool answered; /* it got at least one answer */
    bool ended;    /* it has closed its sending side: done when it has got its answers */
    bool closing;  /* everything is said; dropped when it is sent */
    bool broken;   /* it cannot be reached any more; dropped by the next sweep */
    bool deaf;     /* ... since it does not read what it is sent */
};

struct control {
    struct platform_source *listener;
    bool over_tcp;        /* who connects has to prove first that he knows the token */
    struct marker marker; /* over TCP: what is published */
    struct stranger_set strangers;
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
/* The same without a limit to how far behind its reader is: for an answer that is as long as its
 * request asked for. */
void control_send_whole(struct client *client, const struct buffer *message);
/* Drops the clients that are done with (pointers to them are void then), and strangers whose time
 * is up; and when that is next. */
void control_sweep(struct control *control);
int64_t control_deadline(const struct control *control);

/* Notes that a request is answered later; false if the client waits for too much already. */
bool control_wait(struct client *client, enum client_wait wait, const struct protocol_id *id,
        uint32_t generation);

/* Whether the connection that 'start' handed over still waits for a word. */
bool control_owes_first(const struct control *control);
/* Whether everything that was said has been sent, but for those who follow: follow_is_done(). */
bool control_is_flushed(const struct control *control);

#endif
