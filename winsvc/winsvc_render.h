/* What a service is to be for the service control manager of Windows.  Nothing here asks the system
 * for anything. */
#ifndef SVCMGR_WINSVC_RENDER_H
#define SVCMGR_WINSVC_RENDER_H

#include "definition.h"
#include "err.h"
#include "scm.h"

/* "svcmgr-NAME" */
void winsvc_render_name(const char *name, char *ret_name, size_t size);
/* What svcmgr prints itself as a service: in the service's state directory. */
void winsvc_render_log(const char *state_path, char *ret_path, size_t size);

/* The words that start the service; '*ret_line' is what CreateService takes.  'line' says what is
 * in them that Windows would change: ERR_CONFIG. */
int winsvc_render_command(
        const struct definition_input *input, bool stays, struct buffer *ret_line, struct err *err);

/* Fills *ret_definition with one file, the record as text (winsvc_record.h).  What Windows cannot
 * do: ERR_CONFIG, or ERR_USAGE where another option can. */
int winsvc_render(
        const struct definition_input *input, struct definition *ret_definition, struct err *err);

#endif
