/* Services of Windows: making and removing them, and what they say now. */
#ifndef SVCMGR_WINSVC_INSTALL_H
#define SVCMGR_WINSVC_INSTALL_H

#include "launcher.h"
#include "scm.h"

/* The record of this very service.  None: kind ERR_NO_SERVICE; one that is not ours, or another
 * one's: ERR_FAILED, ERR_DUPLICATE. */
int winsvc_read(
        const struct launcher_place *place, struct scm_service *ret_service, struct err *err);

/* What struct launcher has. */
void winsvc_look(const struct launcher_place *place, struct definition_input *input);
int winsvc_install(const struct launcher_place *place, const struct definition *definition,
        struct launcher_report *report, struct err *err);
int winsvc_uninstall(
        const struct launcher_place *place, struct launcher_report *report, struct err *err);
bool winsvc_installed(const struct launcher_place *place, struct launcher_installed *ret_installed);
bool winsvc_differs(const struct launcher_place *place, const struct definition *definition);

#endif
