/* Calling systemctl(1).  The static executable can load no library, so systemd is asked with its
 * own program; every call is bounded in time. */
#ifndef SVCMGR_SYSTEMCTL_H
#define SVCMGR_SYSTEMCTL_H

#include <stdbool.h>
#include <stdint.h>

#include "buffer.h"
#include "err.h"
#include "unit_state.h"

#define SYSTEMCTL_LIMIT_MS 15000 /* a machine at its start is slow to answer */

enum systemctl_manager { SYSTEMCTL_SYSTEM, SYSTEMCTL_USER };

/* Whether systemd is the init process: sd_booted(3). */
bool systemctl_is_here(void);

/* Runs systemctl with these words and collects what it prints.  On failure, its complaint in our
 * words. */
int systemctl_call(enum systemctl_manager manager, const char *const *words, int64_t limit_ms,
        struct buffer *out, struct err *err);

/* What systemd knows of a unit.  False: it cannot be asked, or does not know the unit. */
bool systemctl_show_state(enum systemctl_manager manager, const char *unit, int64_t deadline_ms,
        struct unit_state *ret_state);

#endif
