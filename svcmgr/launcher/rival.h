/* Whether a launcher's job that runs is in the way of a service. */
#ifndef SVCMGR_RIVAL_H
#define SVCMGR_RIVAL_H

#include "launcher.h"

/* Whether a process belongs to the job. */
typedef bool rival_owns(const void *job, int64_t pid);

/* A job that runs counts as serving unless it is seen to listen elsewhere, and only there.
 * 'main_pid' is its main process, 0: unknown. */
bool rival_serves(const struct config *config, rival_owns *owns, const void *job, int64_t main_pid);

#endif
