/* Sockets that the launcher hands over, and those that it keeps for the next run of its job.
 *
 * One that belongs to a job of its own (a socket unit, a plist) stays the launcher's: the keeper
 * and we hold it for as long as we live, and a listener gets a duplicate.  One that we gave it to
 * keep, under a name that begins with GIVEN_KEPT, becomes the listener's own again. */
#ifndef SVCMGR_GIVEN_H
#define SVCMGR_GIVEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config.h"
#include "keeper.h"
#include "launcher.h"
#include "listener.h"

#define GIVEN_KEPT     "svcmgr."
#define GIVEN_KEPT_MAX ((size_t)2 * CONFIG_LISTENERS_MAX)

struct supervisor;

struct given_socket {
    char held_as[KEEPER_NAME_BYTES]; /* the keeper's name: a number and the launcher's */
    platform_handle handle;          /* none: a listener has it */
};

struct given_kept {
    char name[LAUNCHER_SOCKET_BYTES];
    uint64_t socket_id;
};

/* Allocated under a launcher that hands over or keeps sockets; else there is none of it. */
struct given {
    struct given_socket sockets[LAUNCHER_SOCKETS_MAX];
    size_t count;
    struct given_kept kept[GIVEN_KEPT_MAX]; /* what the launcher keeps now, as far as we know */
    size_t kept_count;
    bool knows_rest; /* it was said which ones are for nobody */
};

/* In the process that becomes the keeper, before it opens anything: what the launcher hands over
 * lies at descriptor 3 and on.  The keeper holds it from then on. */
void given_to_keeper(void);

/* Takes what the keeper holds of these. */
void given_begin(struct supervisor *sup);
/* A listener whose kind of socket was left open inherits one that the launcher listens on. */
void given_decide(const struct supervisor *sup, struct config *config, struct listener_set *set);
/* Gives listeners without a socket those that are meant for them. */
void given_fill(struct supervisor *sup, struct listener_set *set);
/* The listeners have what is meant for them: whatever else was kept for us is for nobody. */
void given_settle(struct supervisor *sup);
/* Says which sockets of the launcher's are for none of the listeners. */
void given_tell_rest(struct supervisor *sup);
/* Has the launcher keep the sockets of the service, and no other; false: to be done again. */
bool given_keep(struct supervisor *sup);
/* The service ends, but perhaps only to be started again: a path whose socket is kept stays. */
void given_leave_paths(struct supervisor *sup);
/* Whether the launcher goes on listening whatever we do. */
bool given_is_shared(const struct supervisor *sup);

#endif
