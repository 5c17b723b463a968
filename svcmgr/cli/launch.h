/* Starting a keeper and its supervisor in the background. */
#ifndef SVCMGR_LAUNCH_H
#define SVCMGR_LAUNCH_H

#include "peer.h"
#include "scope.h"

/* They speak over *ret_peer, to which the first question has to be sent. */
int launch_supervisor(const struct target *target, struct peer *ret_peer, struct err *err);

#endif
