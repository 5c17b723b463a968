/* The keeper: the supervisor's tiny parent, which holds what must not be lost and starts the
 * supervisor again.
 *
 * It is the first process of 'svcmgr run'.  It reads no configuration and allocates nothing.  It
 * keeps duplicates of the handles that the supervisor gives it, each under a name; it is the
 * sub-reaper, and does not reap a recorded process before a supervisor has said so, so that the
 * zombie keeps the exit status and the pid; it passes on what people ask with signals; and it ends,
 * with the code that it was told, only when the supervisor has ended by decision.
 *
 * This header is also the protocol between the two.  Messages have PLATFORM_MESSAGE_BYTES, go over
 * the channel at descriptor KEEPER_CHANNEL_FD of the supervisor, and never leave the machine. */
#ifndef SVCMGR_KEEPER_H
#define SVCMGR_KEEPER_H

#include <stdbool.h>
#include <stdint.h>

#include "platform.h"

#define KEEPER_CHANNEL_FD 3
#define KEEPER_CLIENT_FD  4 /* a connection that waits for the start; the first supervisor's only */
#define KEEPER_HELD_MAX   96
#define KEEPER_RECORDED_MAX 32
#define KEEPER_NAME_BYTES 96

/* A supervisor that lived for so long is started again at once; a shorter life waits, doubling. */
#define KEEPER_GOOD_LIFE_MS   1000
#define KEEPER_FIRST_DELAY_MS 5
#define KEEPER_MAX_DELAY_MS   1000

enum keeper_message_kind {
    /* From the supervisor. */
    KEEPER_HELLO,   /* begins; answered by HELD..., ENDED..., WELCOME, ASK... */
    KEEPER_HOLD,    /* name, handle: keep this; takes the place of one with the same name */
    KEEPER_DROP,    /* name */
    KEEPER_RECORD,  /* pid: do not reap it before REAP */
    KEEPER_REAP,    /* pid: its end is written down */
    KEEPER_SYNC,    /* answered by ACK: all before it is done */
    KEEPER_DECIDED, /* code: my end will be by decision; answered by ACK */
    KEEPER_HEARD,   /* the last ASK has arrived */
    /* From the keeper. */
    KEEPER_HELD,    /* name, handle */
    KEEPER_WELCOME, /* pid: the keeper's; number: how many supervisors there were before */
    KEEPER_ACK,
    KEEPER_ENDED,  /* pid, code, by_signal: a recorded process */
    KEEPER_ORPHAN, /* some other process below the keeper ended */
    KEEPER_ASK     /* number: enum keeper_ask; by_signal: which, to forward */
};

enum keeper_ask { KEEPER_ASK_STOP, KEEPER_ASK_KILL, KEEPER_ASK_RELOAD, KEEPER_ASK_FORWARD };

struct keeper_message {
    uint32_t kind;
    int32_t number;
    int64_t pid;
    int32_t code;
    int32_t by_signal;
    char name[PLATFORM_MESSAGE_BYTES - 24];
};
_Static_assert(sizeof(struct keeper_message) == PLATFORM_MESSAGE_BYTES, "a message has one size");

/* Runs until the supervisor has ended by decision; returns the exit code.  'words' is the argv of
 * the supervisor.  'client' (or none) is handed to the first supervisor. */
int keeper_run(const char *const *words, platform_handle client);

#endif
