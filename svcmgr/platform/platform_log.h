/* The part of seam 1 that is the log which the system itself keeps: systemd's journal, the Event
 * Log of Windows. */
#ifndef SVCMGR_PLATFORM_LOG_H
#define SVCMGR_PLATFORM_LOG_H

#include "platform.h"

/* ---- Words of svcmgr's own ------------------------------------------------------------------- */

enum platform_severity {
    PLATFORM_SEVERITY_INFORMATION,
    PLATFORM_SEVERITY_WARNING,
    PLATFORM_SEVERITY_ERROR
};
/* An entry in the Event Log, where there is one. */
void platform_event_log(const char *source, enum platform_severity severity, const char *text);

/* ---- What services print --------------------------------------------------------------------- */

/* The longest text of an entry, in bytes: ReportEvent() takes 31,839 characters, and the journal
 * cuts at 48 KiB itself (LineMax=, journald.conf(5)). */
#define PLATFORM_ENTRY_BYTES ((size_t)31 * 1024)

struct platform_entry {
    const char *service;
    uint32_t generation;
    const char *stream; /* "out", "err"; NULL: not known */
    int priority;       /* 0 to 7 as in syslog(3) */
    const char *text;   /* any bytes */
    size_t length;
};

/* Hands one line over, without its end.  Where the log takes no more at once it fails, with the
 * journal; the Event Log is waited for.  Fails where there is no such log. */
int platform_log_entry(const struct platform_entry *entry, struct err *err);

#endif
