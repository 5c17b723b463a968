/* Standing in line for the lock that another supervisor of the same service holds, and the line
 * behind ourselves. */
#ifndef SVCMGR_STANDBY_H
#define SVCMGR_STANDBY_H

#include <stdbool.h>
#include <stdint.h>

#include "json.h"
#include "line.h"
#include "marker.h"
#include "platform.h"
#include "proof.h"
#include "status.h"

/* The notification that ends those in line. */
#define STANDBY_END_METHOD "standby/end"
/* The one that tells them who serves now. */
#define STANDBY_SERVES_METHOD "standby/serves"

struct supervisor;
struct client;

/* Our place in line. */
struct standby {
    bool active;
    bool takes_over; /* the holder is asked to stop */
    bool known;      /* the holder has answered */
    bool refused;    /* ... that it does not let us in */
    bool hurried;    /* a connection that ended without a word was made again at once */
    int stops;       /* that a takeover was answered: others in line may be faster */
    struct platform_source *holder; /* the connection to it; NULL: none now */
    struct line_reader lines;
    bool proves; /* over TCP: who is there has to prove first that it is the holder */
    struct proof proof;
    struct marker marker; /* ... which says where, and holds the token */
    int64_t pause_ms;
    int64_t try_at_ms;    /* when to try lock and connection again; PLATFORM_NEVER */
    int64_t prove_by_ms;  /* when the holder must have proved itself; PLATFORM_NEVER */
    int64_t answer_by_ms; /* of a takeover: when some holder must have answered; PLATFORM_NEVER */
};

/* ---- standby.c ---- */

/* Gets in line; with 'takes_over' the holder is asked to stop.  When the lock is ours the start
 * goes on by itself (start_take_place()); what makes a takeover impossible ends the supervisor. */
void standby_begin(struct supervisor *sup, bool takes_over);
/* Gives the place up. */
void standby_leave(struct supervisor *sup);
void standby_on_event(struct supervisor *sup, const struct platform_event *event);
void standby_on_time(struct supervisor *sup, int64_t now_ms);
int64_t standby_deadline(const struct supervisor *sup);

/* ---- standby_line.c ---- */

/* Puts a client into the line behind us; false: the line is full. */
bool standby_register(struct supervisor *sup, struct client *client, const cJSON *params);
/* Tells those in line who serves now. */
void standby_tell_others(struct supervisor *sup);
/* Asks those in line to end, since the service is about to stop; and whether they have. */
void standby_end_others(struct supervisor *sup);
bool standby_others_are_gone(const struct supervisor *sup);
/* The pid of one that takes over when we end; 0: none, or unknown. */
int64_t standby_next(const struct supervisor *sup);
void standby_fill_status(const struct supervisor *sup, struct status *status);

#endif
