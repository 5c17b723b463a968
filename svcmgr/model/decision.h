/* The guard's decision: facts in, what to do next out.
 *
 * The guard collects facts in a fixed order and asks after each one.  A fact that is not known yet
 * makes the decision name the step that finds it out, so the order itself is decided (and tested)
 * here:
 *
 *   lock -> launchers -> record -> leftovers -> probe -> bind
 *
 * Rules.
 *   1. Without the lock nothing is done.  Who holds it is asked: a supervisor that answers is this
 *      service running already; one that does not answer in time is an error of its own.
 *   2. A launcher's job that serves, starts or will be restarted is there, and is not probed.  One
 *      that ends is waited for, as long as for an address, and asked about again.
 *   3. A recorded instance that lives and is the same process is taken up, never doubled.  One that
 *      was being stopped is stopped first.  In another pid namespace nothing can be proved:
 * refused.
 *   4. What a dead instance left behind is cleared before anything else starts.
 *   5. Any answer on an address that is not ours means that somebody serves: refused.
 *   6. Silence means dying or hung: the bind decides, tried again and again until its time is up,
 *      with a probe before each try.
 *   7. Sockets that are held already are neither probed nor bound.
 *   8. Where refusing would be the end, 'standby' waits instead. */
#ifndef SVCMGR_DECISION_H
#define SVCMGR_DECISION_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"

#define DECISION_BIND_RETRY_MS 50

enum decision_lock {
    DECISION_LOCK_UNTRIED,
    DECISION_LOCK_OURS,
    DECISION_LOCK_HELD,        /* by a supervisor that answers hello */
    DECISION_LOCK_HELD_SILENT, /* and hello was not answered in time */
    DECISION_LOCK_UNUSABLE     /* the state directory cannot be used: 'lock_kind' says why */
};

enum decision_launcher {
    DECISION_LAUNCHER_UNASKED,
    DECISION_LAUNCHER_NONE,
    DECISION_LAUNCHER_SERVES,
    DECISION_LAUNCHER_PENDING, /* starting, reloading, or waiting to restart */
    DECISION_LAUNCHER_LEAVING  /* ending, and it may come back */
};

enum decision_record {
    DECISION_RECORD_UNREAD,
    DECISION_RECORD_NONE,   /* missing or unreadable */
    DECISION_RECORD_DEAD,   /* the process is gone, or a zombie */
    DECISION_RECORD_REUSED, /* the number belongs to another process now */
    DECISION_RECORD_SAME,
    DECISION_RECORD_SAME_STOPPING, /* it lives and was being stopped, or has to be */
    DECISION_RECORD_TWO,           /* two generations live: an overlap was under way */
    DECISION_RECORD_ELSEWHERE      /* recorded in another pid namespace of this boot */
};

enum decision_leftovers {
    DECISION_LEFTOVERS_UNSEEN,
    DECISION_LEFTOVERS_NONE,
    DECISION_LEFTOVERS_FOUND
};

enum decision_sockets { DECISION_SOCKETS_NEEDED, DECISION_SOCKETS_HELD };

/* The worst answer of all addresses. */
enum decision_probe {
    DECISION_PROBE_UNTRIED,
    DECISION_PROBE_FREE,
    DECISION_PROBE_SILENT,
    DECISION_PROBE_ALIVE,
    DECISION_PROBE_NO_ADDRESS /* this machine does not have the address */
};

enum decision_bind {
    DECISION_BIND_UNTRIED,
    DECISION_BIND_DONE,
    DECISION_BIND_TAKEN,
    DECISION_BIND_BY_SUPERVISOR, /* taken, and the holder is a svcmgr supervisor */
    DECISION_BIND_NO_ADDRESS,    /* this machine does not have the address (any more) */
    DECISION_BIND_IMPOSSIBLE     /* not permitted, a bad path, no descriptors */
};

enum decision_duplicate { DECISION_REFUSE, DECISION_STANDBY, DECISION_TAKEOVER };

struct decision_facts {
    bool foreground; /* 'run': an own other supervisor is a duplicate; 'start': it is what was
                        wanted */
    enum decision_duplicate duplicate;
    enum decision_lock lock;
    enum err_kind lock_kind;
    enum decision_launcher launcher;
    int64_t launcher_waited_ms; /* since one was seen to end */
    enum decision_record record;
    enum decision_leftovers leftovers;
    enum decision_sockets sockets;
    enum decision_probe probe;
    enum decision_bind bind;
    int64_t bind_waited_ms;
    int64_t bind_timeout_ms;
};

enum decision_kind {
    /* Steps: find this out and ask again. */
    DECISION_TAKE_LOCK,
    DECISION_ASK_LAUNCHERS,
    DECISION_AWAIT_LAUNCHER, /* after DECISION_BIND_RETRY_MS: ask again */
    DECISION_READ_RECORD,
    DECISION_LOOK_FOR_LEFTOVERS,
    DECISION_PROBE,
    DECISION_BIND,
    DECISION_RETRY, /* after DECISION_BIND_RETRY_MS: probe and bind again */
    DECISION_CLEAR_LEFTOVERS,
    /* Ends. */
    DECISION_START,
    DECISION_ADOPT,
    DECISION_ADOPT_OLDER, /* of two: the other one is stopped */
    DECISION_FINISH_STOP, /* adopt, stop, then start */
    DECISION_ALREADY_RUNNING,
    DECISION_STAND_BY,
    DECISION_TAKE_OVER, /* ask our own other supervisor to stop, then begin anew */
    DECISION_REFUSED,   /* 'code' says how */
    DECISION_COUNT
};

struct decision {
    enum decision_kind kind;
    enum err_kind code; /* REFUSED and STAND_BY: why; the exit code of a refusal */
};

struct decision decision_make(const struct decision_facts *facts);

#endif
