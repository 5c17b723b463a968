/* Makes system calls of the POSIX seam (platform_sys.h) fail, one at a time, in us and in the
 * children that we fork. */
#ifndef SVCMGR_FAULT_H
#define SVCMGR_FAULT_H

#include "unit.h"

#include "err.h"

/* One thing to do with the platform.  Returns 0, or -1 with *err set; leaves no descriptor and no
 * child behind either way, and checks that what it promised is so. */
typedef int fault_attempt(struct err *err);

/* Runs the attempt with the first, second, third ... call of every entry of the table failing with
 * every error that it may have, until no call is hit any more.  An interrupted call (EINTR) must
 * make no difference, and a short read or write neither.  'least' is how many failures there must
 * have been, so that a test that exercises nothing is noticed. */
void fault_try(const char *name, fault_attempt *attempt, int least);

/* Whether the call that had to fail in the present attempt has. */
bool fault_was_hit(void);

/* A path in the test's directory, which is removed with all in it at the end of the program; good
 * until the fourth call after this one. */
const char *fault_path(const char *name);

#endif
