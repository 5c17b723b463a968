/* Calling launchctl(1); every call is bounded in time. */
#ifndef SVCMGR_LAUNCHCTL_H
#define SVCMGR_LAUNCHCTL_H

#include <stdbool.h>
#include <stdint.h>

#include "buffer.h"
#include "err.h"
#include "launchd_reply.h"

#define LAUNCHCTL_LIMIT_MS     15000
#define LAUNCHCTL_TARGET_BYTES 320

/* Where launchd keeps a job: of the machine, of a user's session at the screen, of a user without
 * one. */
enum launchctl_domain { LAUNCHCTL_SYSTEM, LAUNCHCTL_GUI, LAUNCHCTL_USER };

/* "gui/501", "gui/501/svcmgr.webui"; 'label' may be NULL. */
void launchctl_target(
        enum launchctl_domain domain, const char *label, char *ret_target, size_t size);

bool launchctl_is_here(void);

/* Runs launchctl with these words and collects what it prints; -1 only if there is no answer. */
int launchctl_call(const char *const *words, int64_t limit_ms, struct buffer *out, int *ret_code,
        struct err *err);

/* "VERB TARGET", "VERB TARGET PATH" (path may be NULL).  Returns the code, or -1: no answer; unless
 * it is 0, *err says it. */
int launchctl_do(const char *verb, const char *target, const char *path, struct err *err);

enum launchctl_look { LAUNCHCTL_LOADED, LAUNCHCTL_ABSENT, LAUNCHCTL_UNKNOWN };
/* UNKNOWN: *err says why. */
enum launchctl_look launchctl_look(enum launchctl_domain domain, const char *label,
        int64_t limit_ms, struct launchd_job *ret_job, struct err *err);
bool launchctl_has_domain(enum launchctl_domain domain);
bool launchctl_is_disabled(enum launchctl_domain domain, const char *label);

#endif
