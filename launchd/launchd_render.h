/* The plist of a service, as text: launchd.plist(5).  Nothing here asks the system for anything. */
#ifndef SVCMGR_LAUNCHD_RENDER_H
#define SVCMGR_LAUNCHD_RENDER_H

#include "definition.h"
#include "err.h"

/* The one name that all sockets of a service have: they are told apart by their addresses. */
#define LAUNCHD_RENDER_SOCKETS "Listeners"

/* launchd kills what a user's session runs after that, whatever ExitTimeOut says. */
#define LAUNCHD_RENDER_SESSION_EXIT_S 60

#define LAUNCHD_RENDER_AQUA       "Aqua"       /* of the session at the screen: gui/UID */
#define LAUNCHD_RENDER_BACKGROUND "Background" /* of none: user/UID */

/* "svcmgr.NAME", and its file's name */
void launchd_render_label(const char *name, char *ret_label, size_t size);
void launchd_render_file_name(const char *name, char *ret_name, size_t size);
/* What svcmgr prints itself as a job: in the service's state directory. */
void launchd_render_log(const char *state_path, char *ret_path, size_t size);

/* Fills *ret_definition with the plist.  What a plist cannot say: ERR_CONFIG. */
int launchd_render(
        const struct definition_input *input, struct definition *ret_definition, struct err *err);

/* Whose a plist is. */
enum definition_owner launchd_render_owner_of(const char *text, const char *state_path);

/* A value in a plist of ours; false if it is not there, or not as we write it. */
bool launchd_render_string(const char *text, const char *key, char *ret_value, size_t size);
bool launchd_render_number(const char *text, const char *key, uint64_t *ret_value);
bool launchd_render_has_sockets(const char *text);

#endif
