/* Why a start was not allowed: who is there, and what to do. */
#ifndef SVCMGR_EXPLAIN_H
#define SVCMGR_EXPLAIN_H

#include "guard.h"

/* Fills guard->err from the facts and the decision, and guard->other with who is there. */
void explain_refusal(struct guard *guard);

#endif
