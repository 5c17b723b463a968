/* Starting a keeper and its supervisor in the background. */
#ifndef SVCMGR_LAUNCH_H
#define SVCMGR_LAUNCH_H

#include "cli.h"
#include "peer.h"
#include "scope.h"

/* They speak over *ret_peer, to which the first question has to be sent. */
int launch_supervisor(
        const struct cli *cli, const struct target *target, struct peer *ret_peer, struct err *err);

/* Which kind of control channel --control asks for; without it, the one that the system has. */
int launch_check_control(const struct cli *cli, struct err *err);
bool launch_is_over_tcp(const struct cli *cli);

#endif
