/* Being a service of systemd's: what the files of this folder share.
 *
 * The main process of the unit is our keeper.  What systemd says to it stands in its environment,
 * which the supervisor inherits and an instance does not. */
#ifndef SVCMGR_SYSTEMD_RUN_H
#define SVCMGR_SYSTEMD_RUN_H

#include "launcher.h"

/* systemd.c: the system's manager, or a user's. */
bool systemd_is_manager(int64_t pid);

/* systemd_notify.c: members of struct launcher. */
bool systemd_detect(int64_t main_pid, char *ret_unit, size_t size);
bool systemd_tell(enum launcher_news news, const char *sentence, int64_t wait_ms);
bool systemd_ping(void);
bool systemd_reads_levels(void);
int64_t systemd_watchdog_ms(int64_t main_pid);

/* systemd_sockets.c: likewise. */
size_t systemd_take_sockets(struct launcher_socket *ret_sockets, size_t max);
bool systemd_keep(const char *name, platform_handle handle, bool listens);
bool systemd_give_back(const char *name);

/* Sends one message, with a handle or none; false: to be tried again.  Without a NOTIFY_SOCKET, and
 * where nobody listens on it any more, there is nothing to be done. */
bool systemd_notify(const char *message, platform_handle handle);

/* The pid that a variable names is main_pid. */
bool systemd_variable_is(const char *name, int64_t main_pid);

#endif
