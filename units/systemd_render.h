/* The units of a service, as text.  Nothing here asks the system for anything. */
#ifndef SVCMGR_SYSTEMD_RENDER_H
#define SVCMGR_SYSTEMD_RENDER_H

#include "definition.h"
#include "err.h"

#define SYSTEMD_RENDER_TEMPLATE "svcmgr@.service"

/* "svcmgr-NAME.service", "svcmgr-NAME.socket" */
void systemd_render_service_name(const char *name, char *ret_unit, size_t size);
void systemd_render_socket_name(const char *name, char *ret_unit, size_t size);

/* Fills *ret_definition with the service unit, and the socket unit if it is wanted; without a
 * configuration, with the template of all services.  What a socket unit cannot say: ERR_CONFIG. */
int systemd_render(
        const struct definition_input *input, struct definition *ret_definition, struct err *err);

/* Whose a unit file is. */
enum definition_owner systemd_render_owner_of(const char *text, const char *state_path);

#endif
