/* Services that are installed with the platform's own service manager. */
#ifndef SVCMGR_INSTALLED_H
#define SVCMGR_INSTALLED_H

#include "json.h"
#include "launcher.h"
#include "scope.h"

struct launcher_place installed_place(const struct target *target);

/* The launcher that start and stop of this service go through; NULL: none, they do it themselves.
 */
const struct launcher *installed_launcher(const struct cli *cli, const struct target *target);

/* Whether a start that the launcher was asked for since 'since_ms' may still come about; if not,
 * *err says why. */
bool installed_still_comes(const struct launcher *launcher, const struct target *target,
        int64_t since_ms, struct err *err);

/* Stops it through its launcher, where this stop can go that way.  Returns 0, or the exit code of a
 * failure that has been told; *ret_stopped says whether something ran and was stopped so. */
int installed_stop(const struct cli *cli, const struct target *target, bool *ret_stopped);

/* A supervisor's status document with what is installed; the caller deletes it. */
cJSON *installed_add(const struct target *target, const cJSON *status);

#endif
