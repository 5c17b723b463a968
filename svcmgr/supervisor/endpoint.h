/* Where the control channel is: a socket in the state directory, or a port and a marker. */
#ifndef SVCMGR_ENDPOINT_H
#define SVCMGR_ENDPOINT_H

#include <stdbool.h>

#include "err.h"

struct supervisor;

/* Opens the channel of the kind that the command line wants, and removes what says that there is
 * one of the other kind. */
int endpoint_open(struct supervisor *sup, struct err *err);
/* Removes what says where it is, if it still is ours. */
void endpoint_remove(const struct supervisor *sup);

/* Whether a supervisor could listen in this directory, and be reached. */
int endpoint_try(const char *state_directory, bool over_tcp, struct err *err);

#endif
