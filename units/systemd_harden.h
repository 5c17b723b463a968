/* What a unit's processes are kept away from, as far as this cannot be in the way of the service:
 * systemd.exec(5) "SANDBOXING". */
#ifndef SVCMGR_SYSTEMD_HARDEN_H
#define SVCMGR_SYSTEMD_HARDEN_H

#include "definition.h"

/* Whether the configuration limits what a control group of its own limits. */
bool systemd_harden_needs_cgroup(const struct definition_input *input);

void systemd_harden(const struct definition_input *input, struct buffer *out);

#endif
