/* The beginning and the end of a supervisor. */
#ifndef SVCMGR_START_H
#define SVCMGR_START_H

#include "supervisor.h"

/* Keeper, lock, configuration, control channel, record; then the guard is under way, or what a former
 * supervisor left is taken up.  On failure sup is done, with its exit code and the failure to tell. */
void start_supervisor(struct supervisor *sup);

/* Removes what only a living supervisor needs. */
void start_clean_up(struct supervisor *sup);

#endif
