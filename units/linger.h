/* Lingering: whether a user's manager, and so their services, are there without a login session
 * (loginctl(1)).  That we turned it on is remembered, so that the last service to go turns it off.
 */
#ifndef SVCMGR_LINGER_H
#define SVCMGR_LINGER_H

#include "launcher.h"

/* False in system scope, where there is no such thing. */
bool linger_is_off(const struct launcher_place *place);
int linger_turn_on(
        const struct launcher_place *place, struct launcher_report *report, struct err *err);
/* After an uninstall: if we turned it on, and no service of the user's is installed any more. */
int linger_give_back(
        const struct launcher_place *place, struct launcher_report *report, struct err *err);

#endif
