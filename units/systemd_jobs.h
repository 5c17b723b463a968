/* Starting and stopping an installed service's units. */
#ifndef SVCMGR_SYSTEMD_JOBS_H
#define SVCMGR_SYSTEMD_JOBS_H

#include "launcher.h"

int systemd_start(const struct launcher_place *place, struct err *err);
enum launcher_progress systemd_progress(const struct launcher_place *place, struct err *err);
int systemd_stop(const struct launcher_place *place, struct err *err);

#endif
