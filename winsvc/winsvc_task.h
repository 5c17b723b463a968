/* A service as a task of the Task Scheduler, as text.  Nothing here asks the system for anything.
 */
#ifndef SVCMGR_WINSVC_TASK_H
#define SVCMGR_WINSVC_TASK_H

#include "definition.h"
#include "err.h"

/* Fills *ret_definition with the task's XML.  What it cannot say: ERR_CONFIG. */
int winsvc_task_render(
        const struct definition_input *input, struct definition *ret_definition, struct err *err);

#endif
