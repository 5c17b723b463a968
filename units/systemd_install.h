/* Units of services: writing, enabling and removing them. */
#ifndef SVCMGR_SYSTEMD_INSTALL_H
#define SVCMGR_SYSTEMD_INSTALL_H

#include "launcher.h"
#include "systemctl.h"

enum systemctl_manager systemd_manager(const struct launcher_place *place);
/* The folder of a scope's units; no usable home: ERR_DENIED. */
int systemd_unit_folder(bool system_scope, char *ret_path, size_t size, struct err *err);

/* What struct launcher has. */
unsigned systemd_version(bool system_scope);
int systemd_install(const struct launcher_place *place, const struct definition *definition,
        struct launcher_report *report, struct err *err);
int systemd_uninstall(
        const struct launcher_place *place, struct launcher_report *report, struct err *err);
bool systemd_installed(
        const struct launcher_place *place, struct launcher_installed *ret_installed);
bool systemd_differs(const struct launcher_place *place, const struct definition *definition);

#endif
