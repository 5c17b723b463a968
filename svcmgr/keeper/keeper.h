/* The keeper: the supervisor's tiny parent, which holds what must not be lost and starts the
 * supervisor again.
 *
 * It is the first process of 'svcmgr run'.  It reads no configuration and allocates nothing.  It
 * keeps duplicates of the handles that the supervisor gives it, each under a name; it is the
 * sub-reaper, and does not reap a recorded process before a supervisor has said so, so that the
 * zombie keeps the exit status and the pid; it passes on what people ask with signals; and it ends,
 * with the code that it was told, only when the supervisor has ended by decision.
 *
 * It revives with the program that it runs itself, held open, whatever has become of the file.  A
 * supervisor that is to be upgraded hands over another program and ends: its successor runs that
 * one on trial.  When it has taken over, the keeper replaces itself with that program too, in place
 * (execve(2) keeps pid, children, descriptors and the sub-reaper's mark); else the former program
 * is back.
 *
 * Where there is no keeper, a supervisor that is upgraded plays its part for the time of the trial:
 * handover.h.
 *
 * This header is also the protocol between the two.  Messages have PLATFORM_MESSAGE_BYTES, go over
 * the channel at descriptor KEEPER_CHANNEL_FD of the supervisor, and never leave the machine.  A
 * message that was sent is as good as received: it lies in the receiver's queue, with the handle
 * that it carries, whatever becomes of the sender; and the keeper empties the queue before it
 * judges the end of any process.  So nothing waits for an acknowledgement.
 *
 * Nor does a message wake the keeper, which would cost the sender a good part of a fork: it looks
 * into its queue when a process has ended, and when the supervisor rings, by a byte into the pipe
 * at KEEPER_BELL_FD. */
#ifndef SVCMGR_KEEPER_H
#define SVCMGR_KEEPER_H

#include <stdbool.h>
#include <stdint.h>

#include "keeper_state.h"
#include "platform.h"

#define KEEPER_FIRST_FD   3
#define KEEPER_CHANNEL_FD 3
#define KEEPER_BELL_FD    4
/* A connection that waits for the start; only the first supervisor gets it. */
#define KEEPER_CLIENT_FD 5

/* The version of what follows: a program that is to take over says which one it speaks. */
#define KEEPER_PROTOCOL 1

/* A supervisor that lived for so long, or that was killed from outside, is started again at once;
 * one that crashed early waits, doubling. */
#define KEEPER_GOOD_LIFE_MS   1000
#define KEEPER_SHORT_LIFE_MS  20 /* killed before it could do anything: not quite at once */
#define KEEPER_FIRST_DELAY_MS 5
#define KEEPER_MAX_DELAY_MS   1000

enum keeper_message_kind {
    /* From the supervisor. */
    KEEPER_HELLO,   /* begins; answered by HELD..., ENDED..., WELCOME, ASK... */
    KEEPER_HOLD,    /* name, handle: keep this; takes the place of one with the same name */
    KEEPER_DROP,    /* name */
    KEEPER_RECORD,  /* pid: do not reap it before REAP */
    KEEPER_REAP,    /* pid: its end is written down */
    KEEPER_DECIDED, /* code: my end will be by decision */
    KEEPER_HEARD,   /* the last ASK has arrived */
    KEEPER_UP,      /* somebody wants it up again: the stops that were asked for are over */
    KEEPER_UPGRADE, /* handle: the program that my successor is to run, on trial */
    KEEPER_TAKEN,   /* I have taken over what there is; a trial is over */
    /* From the keeper. */
    KEEPER_HELD,    /* name, handle; number: handover.h */
    KEEPER_WELCOME, /* pid: the keeper's; number: how many supervisors there were before; code:
                     * enum keeper_came; name: how the trial before ended */
    KEEPER_ENDED,   /* pid, code, by_signal: a recorded process */
    KEEPER_ORPHAN,  /* some other process below the keeper ended */
    KEEPER_ASK      /* number: enum keeper_ask; by_signal: which, to forward */
};

enum keeper_ask { KEEPER_ASK_STOP, KEEPER_ASK_KILL, KEEPER_ASK_RELOAD, KEEPER_ASK_FORWARD };

/* How a supervisor came to be. */
enum keeper_came {
    KEEPER_CAME_FIRST,
    KEEPER_CAME_REVIVED,
    KEEPER_CAME_UPGRADED, /* on trial: it ends rather than end what it cannot take up */
    KEEPER_CAME_RESTORED  /* a trial has failed: the program before it is back */
};

/* A supervisor on trial that has not taken over by then is replaced. */
#define KEEPER_TRIAL_MS        5000
#define KEEPER_TRIAL_END_BYTES 64

struct keeper_message {
    uint32_t kind;
    int32_t number;
    int64_t pid;
    int32_t code;
    int32_t by_signal;
    char name[PLATFORM_MESSAGE_BYTES - 24];
};
_Static_assert(sizeof(struct keeper_message) == PLATFORM_MESSAGE_BYTES, "a message has one size");

/* How a trial ended, in words: not in time, or by the end of the process. */
void keeper_trial_text(
        bool in_time, const struct platform_exit *how, char ret_text[KEEPER_TRIAL_END_BYTES]);

/* Before keeper_run(): a handle that it holds from the start, as if a supervisor had asked for it.
 */
void keeper_give(const char *name, platform_handle handle);

/* Runs until the supervisor has ended by decision; returns the exit code.  'words' is the argv of
 * the supervisor.  'client' (or none) is handed to the first supervisor. */
int keeper_run(const char *const *words, platform_handle client);

/* Goes on where another image of this process left off; 'from' is the pipe with what it knew. */
int keeper_resume(platform_handle from);

#endif
