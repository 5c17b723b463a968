/* The beginning and the end of a supervisor. */
#ifndef SVCMGR_START_H
#define SVCMGR_START_H

#include "supervisor.h"

/* Keeper, lock, configuration, control channel, record; then the guard is under way, or what a
 * former supervisor left is taken up.  On failure sup is done, with its exit code and the failure
 * to tell. */
void start_supervisor(struct supervisor *sup);

/* The lock is ours, after standing in line: goes on as at the beginning. */
int start_take_place(struct supervisor *sup, struct err *err);
/* Ends the supervisor before it had a service to run, with the reason. */
void start_fail(struct supervisor *sup, const struct err *err);

/* Removes what only a living supervisor needs. */
void start_clean_up(struct supervisor *sup);

#endif
