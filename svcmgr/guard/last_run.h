/* What the last run left: its record, and processes of its tree. */
#ifndef SVCMGR_LAST_RUN_H
#define SVCMGR_LAST_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include "decision.h"
#include "guard.h"
#include "record.h"

/* What became of the recorded processes; 'record' may be NULL. */
enum decision_record last_run_fact(const struct record *record);

/* Processes that carry the instance ids of the record. */
bool last_run_left_something(const struct guard *guard);
/* Begins to stop them, and names them in guard->leftovers. */
void last_run_clear(struct guard *guard, int64_t now_ms);
/* Goes on with that: they are killed when their time is up, and refused if not even that helps. */
void last_run_look(struct guard *guard, int64_t now_ms);

#endif
