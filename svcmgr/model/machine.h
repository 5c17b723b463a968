/* The life of one service, decided here and done elsewhere.
 *
 * The machine takes one event with its time and gives back the next state and a short list of
 * actions.  It knows no process, clock or socket.
 *
 * What there is.  At most two generations: 'current' and, only while a restart overlaps, 'next'.
 * Each is in a phase:
 *
 *   STARTING   spawned, not ready yet; start_timeout runs
 *   READY      serves
 *   UNHEALTHY  serves no more as it should; the checks go on
 *   STOPPING   asked to stop; stop_timeout runs
 *   KILLING    killed, or its main process ended by itself and the rest of its tree is cleared away
 *
 * Without a generation the machine guards (asks whether a start is allowed), waits (back-off), has
 * given up (failed), stands by, or is done.
 *
 * Rules.
 *   1. Nothing is spawned before the guard has said CLEARED, except 'next', whose sockets are the
 *      ones that 'current' serves on.
 *   2. The next generation of a sequential restart is spawned only when the tree of the former one
 *      is gone.
 *   3. A first start by hand is tried once: not ready in time, or ended before, ends everything.
 *   4. A run that was ready for MACHINE_STABLE_MS is restarted at once and does not count; a
 * shorter one waits (backoff.h) and counts.
 *   5. An end is not restarted when the policy says so, or its code is in prevent_on.
 *   6. A 'next' that fails is removed; 'current' never notices.
 *   7. Whoever asked gets one answer: START when a generation is ready or none will be, RESTART
 * when the new one is ready or has failed, STOP when nothing is left (or will not go).  While the
 *      machine stands by, START succeeds at once, since somebody serves, and RESTART fails.
 *   8. A stop wins over everything; a start or restart asked for during it begins when it is done.
 *   9. A restart that is asked for before the new one is ready joins the one that is under way; one
 *      that is asked for later begins when the old generation is gone. */
#ifndef SVCMGR_MACHINE_H
#define SVCMGR_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backoff.h"

#define MACHINE_STABLE_MS     1000
#define MACHINE_KILL_AGAIN_MS 1000 /* SIGKILL is repeated at this pace ... */
#define MACHINE_KILL_TRIES    10 /* ... and after so many the stop has failed, though it goes on */
#define MACHINE_NEVER         INT64_MAX

/* What the world sees. */
enum machine_state {
    MACHINE_STOPPED,
    MACHINE_STANDBY,
    MACHINE_STARTING,
    MACHINE_READY,
    MACHINE_UNHEALTHY,
    MACHINE_REPLACING,
    MACHINE_STOPPING,
    MACHINE_BACKOFF,
    MACHINE_FAILED,
    MACHINE_STATE_COUNT
};

enum machine_activity {
    MACHINE_GUARDS, /* also the state of a fresh machine */
    MACHINE_RUNS,   /* 'current' exists */
    MACHINE_WAITS,
    MACHINE_GAVE_UP,
    MACHINE_STANDS_BY,
    MACHINE_DONE,
    MACHINE_ACTIVITY_COUNT
};

enum machine_phase {
    MACHINE_PHASE_NONE,
    MACHINE_PHASE_STARTING,
    MACHINE_PHASE_READY,
    MACHINE_PHASE_UNHEALTHY,
    MACHINE_PHASE_STOPPING,
    MACHINE_PHASE_KILLING,
    MACHINE_PHASE_COUNT
};

enum machine_slot { MACHINE_CURRENT, MACHINE_NEXT, MACHINE_SLOT_COUNT };

enum machine_restart { MACHINE_RESTART_ALWAYS, MACHINE_RESTART_ON_FAILURE, MACHINE_RESTART_NEVER };

struct machine_config {
    int64_t start_timeout_ms;
    int64_t stop_timeout_ms;
    enum machine_restart restart;
    struct backoff_config backoff;
    bool restart_on_unhealthy;
    bool overlap;            /* restart by overlap instead of stop, then start */
    bool by_hand;            /* rule 3 */
    bool exit_when_failed;   /* --fail-exit */
    bool exit_with_instance; /* end with the instance's own code when its end is final */
};

struct machine_generation {
    enum machine_phase phase;
    uint32_t number;
    int64_t spawned_ms;
    int64_t ready_ms;    /* 0: never was */
    int64_t deadline_ms; /* MACHINE_NEVER: none */
    uint32_t kills;
    bool asked;      /* we ended it, for a stop or a restart */
    bool failed;     /* we ended it since it was not ready in time, or sick */
    bool main_ended; /* its main process is gone, its tree may not be */
    bool stable;     /* it had been ready for MACHINE_STABLE_MS when its end began */
    bool clean;      /* it ended with code 0 */
    bool prevented;  /* its code is in prevent_on */
    int exit_code;   /* 128+N for a signal; -1 unknown */
    int end_code;    /* what a first start that ends with it ends with; 0: 1 */
};

struct machine {
    enum machine_activity activity;
    bool want_down;
    bool restart_asked;
    bool first; /* no generation was ready yet, and the start was by hand */
    uint32_t last_number;
    uint32_t restarts; /* that nobody asked for */
    int64_t wait_until_ms;
    struct machine_generation generations[MACHINE_SLOT_COUNT];
    struct backoff backoff;
};

enum machine_event_kind {
    MACHINE_EVENT_CLEARED,      /* the guard allows the start */
    MACHINE_EVENT_REFUSED,      /* the guard does not; code */
    MACHINE_EVENT_DISPLACED,    /* slot: a stranger has its address; code */
    MACHINE_EVENT_STAND_BY,     /* the guard says: wait for somebody else's end */
    MACHINE_EVENT_GUARD_AGAIN,  /* what was waited for has ended */
    MACHINE_EVENT_SPAWN_FAILED, /* slot */
    MACHINE_EVENT_MAIN_ENDED,   /* slot, code, clean, prevented */
    MACHINE_EVENT_TREE_GONE,    /* slot: nothing of it is left */
    MACHINE_EVENT_IS_READY, /* slot; ms: for how long it has been, though it is known only now */
    MACHINE_EVENT_IS_SICK,  /* slot: too many checks failed, or its watchdog was silent */
    MACHINE_EVENT_IS_WELL,  /* slot */
    MACHINE_EVENT_REMOVE,   /* slot: stop this generation (two were taken up, one is too many) */
    MACHINE_EVENT_EXTEND,   /* slot, ms: it needs more time to start or stop */
    MACHINE_EVENT_TIMER,
    MACHINE_EVENT_ASK_START,
    MACHINE_EVENT_ASK_STOP,
    MACHINE_EVENT_ASK_KILL, /* stop, without waiting */
    MACHINE_EVENT_ASK_RESTART,
    MACHINE_EVENT_COUNT
};

struct machine_event {
    enum machine_event_kind kind;
    int64_t now_ms;
    enum machine_slot slot;
    int code;
    bool clean;
    bool prevented;
    int64_t ms;
};

enum machine_action_kind {
    MACHINE_ACT_GUARD, /* find out whether a start is allowed; answer by an event */
    MACHINE_ACT_GUARD_CANCEL,
    MACHINE_ACT_SPAWN,     /* slot; the generation's number is set */
    MACHINE_ACT_STOP,      /* slot: stop command or signal to the main process */
    MACHINE_ACT_STOP_REST, /* slot: the main process is gone, ask the rest of its tree */
    MACHINE_ACT_KILL,      /* slot: the whole tree */
    MACHINE_ACT_PROMOTE,   /* what was next is current now */
    MACHINE_ACT_CLOSE_SOCKETS,
    MACHINE_ACT_ANSWER_START,   /* ok */
    MACHINE_ACT_ANSWER_STOP,    /* ok */
    MACHINE_ACT_ANSWER_RESTART, /* ok */
    MACHINE_ACT_EXIT,           /* code */
    MACHINE_ACT_COUNT
};

struct machine_action {
    enum machine_action_kind kind;
    enum machine_slot slot;
    bool ok;
    int code;
};

#define MACHINE_ACTIONS_MAX 16

struct machine_actions {
    struct machine_action list[MACHINE_ACTIONS_MAX];
    size_t count;
};

/* A machine that wants its service up and guards; 'random' seeds the jitter. */
void machine_init(struct machine *machine, const struct machine_config *config, uint64_t random);

/* Takes one event.  Actions are appended to *actions, which the caller empties before.  An event
 * that makes no sense in the present state changes nothing. */
void machine_step(const struct machine_config *config, struct machine *machine,
        const struct machine_event *event, struct machine_actions *actions);

/* When a TIMER event is due: MACHINE_NEVER if no time runs. */
int64_t machine_deadline(const struct machine *machine);

enum machine_state machine_state(const struct machine *machine);
const char *machine_state_name(enum machine_state state);
const char *machine_phase_name(enum machine_phase phase);

#endif
