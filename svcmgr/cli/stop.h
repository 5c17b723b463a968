/* Stopping one service, which other commands do as well. */
#ifndef SVCMGR_STOP_H
#define SVCMGR_STOP_H

#include "scope.h"

/* Stops it as 'stop' does, and says so; returns the exit code. */
int stop_target(const struct cli *cli, struct target *target);

#endif
