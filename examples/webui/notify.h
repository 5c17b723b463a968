#ifndef WEBUI_NOTIFY_H
#define WEBUI_NOTIFY_H

#include <stdbool.h>

/* sd_notify(3) in a few lines: one datagram to the socket that NOTIFY_SOCKET names (a path, or
 * '@' and an abstract name).  Without the variable, or if nobody listens there, nothing happens:
 * a server must not fail because nobody wants to hear that it runs.
 *
 * A service manager that hangs lets its queue fill up.  patient: waits for room, at most two
 * seconds, since the message is said only once; else the message is dropped. */
void notify_send(const char *text, bool patient);

/* How often the service manager wants to hear WATCHDOG=1, halved so that one late message is no
 * missed one; 0: not at all. */
int notify_watchdog_ms(void);

#endif
