/* The methods that read and follow the log and the history of events. */
#ifndef SVCMGR_LOG_CALLS_H
#define SVCMGR_LOG_CALLS_H

#include "answer.h"

#define LOG_CALLS_LINES      100                    /* that logs/read gives unless it is told */
#define LOG_CALLS_LINES_MAX  10000                  /* that can be asked for */
#define LOG_CALLS_BYTES      ((int64_t)1024 * 1024) /* of the log in one answer */
#define LOG_CALLS_SCAN_BYTES ((int64_t)64 * 1024 * 1024) /* looked through for one answer */

void log_calls_read(const struct call *call);
void log_calls_follow(const struct call *call);
void log_calls_follow_events(const struct call *call);

#endif
