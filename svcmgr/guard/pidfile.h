/* The pidfile: <state-dir>/NAME/pid, whose lock says who is the supervisor.
 *
 * The lock is the truth; the line in it (the supervisor's pid) is for people.  Content of any kind,
 * and a pid in it, are never an obstacle and never a target. */
#ifndef SVCMGR_PIDFILE_H
#define SVCMGR_PIDFILE_H

#include "platform.h"

/* Makes the service's state directory where needed, refuses one that others could write to, and
 * takes the lock.  Somebody has it: kind ERR_DUPLICATE.  The handle stays open as long as the lock
 * is wanted; a duplicate of it (the keeper's) holds the lock as well. */
int pidfile_take(const char *directory, platform_handle *ret_lock, struct err *err);

/* Locks it for whoever comes after the present holder: platform_lock_as_heir(). */
int pidfile_take_as_heir(const char *directory, platform_handle *ret_lock, struct err *err);

/* Writes the line. */
int pidfile_write(platform_handle lock, int64_t pid, struct err *err);

/* Whether somebody has it now. */
bool pidfile_is_taken(const char *directory);

#endif
