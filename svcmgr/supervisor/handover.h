/* Giving the place to another supervisor where there is no keeper: the present one plays the
 * keeper's part for the time of the trial.
 *
 * It starts the new one and goes on as ever.  When that one has said HELLO, it writes everything
 * down and does nothing of its own any more: the new one gets a duplicate of whatever is held (the
 * names are the keeper's, and those of handover_name()), then WELCOME, and takes it all up.  It
 * says TAKEN and waits; until then it has acted on nothing but the marker of the control channel.
 * The former one then lets go of everything, the lock before the channel, and the end of the
 * channel is what the new one waits for: from there on it acts.  Whatever goes wrong before TAKEN
 * ends the new one, and the former one, which still has all of it, goes on.
 *
 * The lock is one process's: the new one has become its heir by then (platform_lock_as_heir()), so
 * that nobody gets it in between. */
#ifndef SVCMGR_HANDOVER_H
#define SVCMGR_HANDOVER_H

#include <stdbool.h>
#include <stdint.h>

#include "machine.h"
#include "platform.h"

struct supervisor;

struct handover {
    int64_t successor; /* its pid, as long as it is on trial; 0: none is */
    int64_t until_ms;  /* when it must have taken over; PLATFORM_NEVER: not any more, or never */
    struct platform_source *channel;
    bool was_greeted; /* it has said hello, and may have changed the marker */
    bool waits;       /* for what it is to get */
    bool is_late;     /* killed, since its time was up */
    bool has_taken;   /* all is its own: this supervisor ends, and not by decision */
};

/* The parts of a generation's process that are handed over under a name. */
enum handover_part { HANDOVER_PROCESS, HANDOVER_TREE };
#define HANDOVER_NAME_BYTES 32
void handover_name(
        enum handover_part part, enum machine_slot slot, char ret_name[HANDOVER_NAME_BYTES]);

/* Begins with a program; whoever has asked for it is answered when that fails, or by it. */
int handover_begin(struct supervisor *sup, platform_handle program, struct err *err);
void handover_on_event(struct supervisor *sup, const struct platform_event *event);
/* It has not taken over by 'until_ms'. */
void handover_time_is_up(struct supervisor *sup);
/* The end of the one that was on trial. */
void handover_on_exit(struct supervisor *sup, const struct platform_exit *how);
/* Gives it everything, between two events; returns when it has taken over, or is being ended. */
void handover_give(struct supervisor *sup);
/* It is ended, whatever it does: the service is about to end. */
void handover_give_up(struct supervisor *sup);
/* Lets go of everything.  Then one that was started in the foreground stays for as long as its
 * successor lives, for whoever waits for it; returns what it is to end with. */
int handover_leave(struct supervisor *sup);

/* The other side: all has been taken up, and is ours when this returns 0. */
int handover_take(struct supervisor *sup, struct err *err);

#endif
