/* Starting and stopping a service of Windows. */
#ifndef SVCMGR_WINSVC_JOBS_H
#define SVCMGR_WINSVC_JOBS_H

#include "launcher.h"

/* What struct launcher has. */
int winsvc_start(const struct launcher_place *place, struct err *err);
enum launcher_progress winsvc_progress(const struct launcher_place *place, struct err *err);
int winsvc_stop(const struct launcher_place *place, struct err *err);

#endif
