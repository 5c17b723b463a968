/* What the files of the keeper share; nothing outside this folder includes it. */
#ifndef SVCMGR_KEEPER_PARTS_H
#define SVCMGR_KEEPER_PARTS_H

#include "keeper.h"
#include "keeper_state.h"

enum keeper_role { ROLE_BELL };

struct keeper {
    platform_handle executable; /* what it revives with: proved */
    platform_handle candidate;  /* what the next supervisor is tried with; none */
    platform_handle client;
    struct platform_source *bell; /* the supervisor has sent something */
    int64_t revive_at_ms;
    int64_t trial_by_ms; /* when a supervisor on trial must have taken over */
    bool on_trial;       /* the present supervisor runs the candidate */
    bool renews;         /* the candidate has taken over: we follow */
    enum keeper_came came;
    char trial_end[KEEPER_TRIAL_END_BYTES];
    bool decided;
    int decided_code;
    struct keeper_state state; /* what the next image of it is told; all else it finds out */
};

/* The one keeper of this process: static, since it allocates nothing. */
extern struct keeper keeper;

int keeper_open_loop(struct err *err);
/* Runs until the supervisor has ended by decision; returns the code that it was told. */
int keeper_loop(void);
/* Takes everything that the supervisor has sent so far, also one that has died since. */
void keeper_read_messages(void);
/* The next supervisor is to run another program (none: not after all), on trial. */
void keeper_take_candidate(platform_handle program);
void keeper_begin_trial(void);
void keeper_candidate_took_over(void);
/* It never took over: the program before it goes on. */
void keeper_end_trial(const struct platform_exit *how);
/* Becomes the program that the supervisor runs now; goes on with the present one if it cannot. */
void keeper_renew(void);

#endif
