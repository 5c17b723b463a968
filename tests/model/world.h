/* A small model of the world around a machine, and the rules of machine.h as checks.
 *
 * The world knows what exists (per slot nothing, a main process, or what is left of its tree), what
 * the guard does, who waits for an answer, and what was asked for.  It feeds the machine events,
 * does what the machine says, and names the first rule that was broken.  It shares no code with the
 * machine, so that a mistake has to be made twice to stay unseen. */
#ifndef SVCMGR_WORLD_H
#define SVCMGR_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "machine.h"

#define WORLD_BROKEN_BYTES 160

enum world_life {
    WORLD_NOTHING,
    WORLD_RUNS, /* its main process runs */
    WORLD_REST  /* its main process has ended, others of its tree are there */
};

struct world_slot {
    enum world_life life;
    uint32_t number;
    bool ready; /* it was, and its end has not begun */
    bool sick;
    bool was_ready;
    int64_t ready_ms;
    bool stopped;   /* it was told to stop */
    uint32_t kills; /* since it was told to stop */
    uint32_t all_kills;
    bool unwanted; /* somebody asked for its end: a stop, a restart, a removal */
    bool failed;   /* it was told to stop though nobody had asked for that */
    bool stable;
    int code;
    bool clean;
    bool prevented;
    int end_code;
};

struct world {
    const struct machine_config *config;
    struct machine machine;
    struct machine_actions actions; /* of the last step */
    int64_t now_ms;
    struct world_slot slots[MACHINE_SLOT_COUNT];
    bool guard_runs;
    bool stands_by;
    bool gave_up;
    bool done;
    int exit_code;
    bool stop_wanted;
    bool start_waits;
    bool stop_waits;
    bool restart_waits;
    bool ever_ready;
    uint32_t last_number;
    uint32_t restarts;
    int64_t short_runs;
    char broken[WORLD_BROKEN_BYTES]; /* "" as long as every rule held */
};

/* A fresh machine whose guard runs. */
void world_init(struct world *world, const struct machine_config *config);

/* What a supervisor takes up: 'current' in a phase, and 'next' too unless its phase is none. */
void world_adopt(struct world *world, const struct machine_config *config,
        enum machine_phase current, enum machine_phase next);

/* Whether an event makes sense now; one that does not must change nothing. */
bool world_makes_sense(const struct world *world, const struct machine_event *event);

/* Feeds one event at world->now_ms and checks every rule.  False when one is broken. */
bool world_step(struct world *world, struct machine_event event);

/* How everything around the machine goes on when nobody asks for anything any more. */
enum world_manner {
    WORLD_WORKS,    /* the guard allows, generations become ready and stop when told */
    WORLD_CRASHES,  /* generations end at once */
    WORLD_HANGS,    /* generations do nothing, and end only when killed */
    WORLD_IMMORTAL, /* not even then */
    WORLD_REFUSES,  /* the guard does not allow a start */
    WORLD_MANNER_COUNT
};

/* Goes on until nobody waits and nothing happens by itself.  False when somebody is never answered,
 * a stop is never done, or a rule is broken. */
bool world_settle(struct world *world, enum world_manner manner);

#endif
