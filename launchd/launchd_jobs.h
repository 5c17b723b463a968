/* Loading, unloading, starting and stopping an installed service's job.
 *
 * launchd has a job while it is loaded; with RunAtLoad it is started when it is.  So start loads
 * and stop unloads: what is loaded anew has no throttle of its last life on it, and its sockets are
 * nobody's while it is not. */
#ifndef SVCMGR_LAUNCHD_JOBS_H
#define SVCMGR_LAUNCHD_JOBS_H

#include "installed_file.h"
#include "launchctl.h"

/* Where launchd has the service's job. */
struct launchd_loaded {
    bool found;
    enum launchctl_domain domain;
    struct launchd_job job;
};

/* The service's plist as it is: installed_file_read().  The caller frees file->text. */
int launchd_read_plist(
        const struct launcher_place *place, struct installed_file *file, struct err *err);
/* Where a plist with this text belongs. */
enum launchctl_domain launchd_domain_of(bool system_scope, const char *text);

/* One that is loaded from another plist is an error that says what to do. */
int launchd_find(const struct launcher_place *place, const char *path,
        struct launchd_loaded *ret_loaded, struct err *err);
/* Loads a plist and has launchd say that it has it. */
int launchd_load(const struct launcher_place *place, enum launchctl_domain domain, const char *path,
        struct err *err);
/* Unloads it, and waits until launchd has let go of it: as long as its plist 'text' gives it. */
int launchd_unload(const struct launcher_place *place, enum launchctl_domain domain,
        const char *text, struct err *err);

/* What struct launcher has. */
int launchd_start(const struct launcher_place *place, struct err *err);
enum launcher_progress launchd_progress(const struct launcher_place *place, struct err *err);
int launchd_stop(const struct launcher_place *place, struct err *err);

#endif
