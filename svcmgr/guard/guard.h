/* The guard: finds out, step by step, whether a start is allowed.
 *
 * It collects the facts and lets decision.h decide.  It runs in the loop: guard_begin(), then
 * guard_on_event() for events of its role and guard_on_time() when guard_deadline() has passed;
 * when guard->done is set, guard->decision is final, guard->err explains anything but a start, and
 * the listeners are bound.  The lock is taken before (pidfile.h). */
#ifndef SVCMGR_GUARD_H
#define SVCMGR_GUARD_H

#include <stdbool.h>
#include <stdint.h>

#include "config.h"
#include "decision.h"
#include "holder.h"
#include "launcher.h"
#include "listener.h"
#include "probe.h"
#include "record.h"

#define GUARD_PROBES_MAX      64
#define GUARD_CLEAR_LIMIT_MS  20000 /* leftovers that do not go by then cannot be killed */
#define GUARD_CLEAR_LOOK_MS   20
#define GUARD_LEFTOVERS_BYTES 1024

struct guard {
    /* Its owner's to set, once. */
    struct launcher_place place;
    int role;
    /* Set by guard_begin. */
    const struct config *config;
    struct listener_set *listeners;
    const struct record *record; /* of a former supervision; NULL if there is none */
    bool first;                  /* the whole guard; else only what a later spawn needs */
    /* Its own. */
    struct decision_facts facts;
    struct decision decision;
    bool running;
    bool done;
    size_t probe_count;
    bool probing;
    int64_t retry_at_ms;
    int64_t taken_since_ms; /* 0: no bind was refused yet */
    int64_t clear_since_ms;
    int64_t launcher_since_ms; /* 0: none of a launcher's jobs was seen to end */
    bool clear_killed;
    bool cleared; /* leftovers were found and stopped: these */
    char leftovers[GUARD_LEFTOVERS_BYTES];
    size_t taken_listener; /* the one that could not be bound */
    struct launcher_answer launcher;
    struct probe probes[GUARD_PROBES_MAX]; /* from here on most is never touched */
    struct holder other;                   /* who is there, when somebody is */
    struct err bind_err;
    struct err err;
};

/* Begins with the lock held.  'whole' is false for the spawns after the first: then launchers and
 * record are not asked again. */
void guard_begin(struct guard *guard, const struct config *config, struct listener_set *listeners,
        const struct record *record, bool whole);
void guard_on_event(struct guard *guard, const struct platform_event *event);
void guard_on_time(struct guard *guard, int64_t now_ms);
int64_t guard_deadline(const struct guard *guard);
void guard_cancel(struct guard *guard);

/* Whether leftovers of the last run are being stopped right now; and to kill them without waiting.
 */
bool guard_is_clearing(const struct guard *guard);
void guard_hurry(struct guard *guard);

/* What is being waited for, for people: "waiting for 127.0.0.1:8787, held by pid 12 ..." */
void guard_waits_for(const struct guard *guard, char *ret_text, size_t size);

#endif
