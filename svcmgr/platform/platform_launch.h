/* The part of seam 1 that is for launchers alone: what runs the machine's services for us. */
#ifndef SVCMGR_PLATFORM_LAUNCH_H
#define SVCMGR_PLATFORM_LAUNCH_H

#include "platform.h"
#include "scm.h"

/* ---- launchd --------------------------------------------------------------------------------- */

/* launchd, where it runs the machine.  In the portable build a program that does what it does may
 * stand in for it: the folder that SVCMGR_LAUNCHD names holds its pid, launchctl and root. */
struct platform_launchd {
    int64_t pid;
    char launchctl[PLATFORM_PATH_BYTES];
    char root[PLATFORM_PATH_BYTES]; /* what its folders are below; "" on macOS */
};
bool platform_launchd(struct platform_launchd *ret_launchd);

/* The sockets that launchd holds for this process's job under a name of its plist, once; at most
 * max, the rest is closed.  They are the caller's to close: launch_activate_socket(3).  None of
 * that name, or no job of its: 0 of them. */
int platform_activate_socket(const char *name, platform_handle *ret_handles, size_t max,
        size_t *ret_count, struct err *err);

/* ---- The service control manager of Windows -------------------------------------------------- */

bool platform_has_scm(void);

/* Being one of its services.  First of all that a process does, since it is waited for: whether the
 * SCM has started this process, and as which service.  Whatever it asks for comes as the loop's
 * PLATFORM_EVENT_SIGNAL, a change of parameters as ASK_HANGUP. */
bool platform_scm_begin(char *ret_name, size_t size);
/* In a state on the way to another one, each word is a sign of life that holds for the hint. */
bool platform_scm_tell(enum scm_state state, int64_t wait_hint_ms);
/* The last word, 0 and 0 for a good end.  The SCM takes a win32 code for a failure. */
void platform_scm_end(uint32_t win32_code, uint32_t service_code);
/* What is printed on standard error goes to this file, from its beginning. */
int platform_scm_output(const char *path, struct err *err);

/* Services.  One that is not there: ERR_NO_SERVICE. */
int platform_scm_read(const char *name, struct scm_service *ret_service, struct err *err);
/* Makes it, or changes all of it, and grants its account what it says. */
int platform_scm_write(const struct scm_service *service, bool is_new, struct err *err);
/* It goes when it has ended, and the last program that has it open has closed it; one that is not
 * there is fine. */
int platform_scm_delete(const char *name, struct err *err);
int platform_scm_query(const char *name, struct scm_status *ret_status, struct err *err);
/* Asks for it, without waiting; one that runs, or is stopped, is fine. */
int platform_scm_start(const char *name, struct err *err);
int platform_scm_stop(const char *name, struct err *err);
/* The service whose process this is; one of them, where several share it. */
bool platform_scm_service_of(int64_t pid, char *ret_name, size_t size);

#endif
