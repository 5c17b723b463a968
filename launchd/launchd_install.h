/* Plists of services: writing and removing them, and what they say now. */
#ifndef SVCMGR_LAUNCHD_INSTALL_H
#define SVCMGR_LAUNCHD_INSTALL_H

#include "launcher.h"

/* What struct launcher has. */
void launchd_look(const struct launcher_place *place, struct definition_input *input);
int launchd_install(const struct launcher_place *place, const struct definition *definition,
        struct launcher_report *report, struct err *err);
int launchd_uninstall(
        const struct launcher_place *place, struct launcher_report *report, struct err *err);
bool launchd_installed(
        const struct launcher_place *place, struct launcher_installed *ret_installed);
bool launchd_differs(const struct launcher_place *place, const struct definition *definition);

#endif
