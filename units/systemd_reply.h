/* Reading what systemctl(1) prints: properties, and its complaints, for us to tell in our words. */
#ifndef SVCMGR_SYSTEMD_REPLY_H
#define SVCMGR_SYSTEMD_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"

/* 'text' is what a systemctl that failed has printed in the C locale, 'doing' what it was asked for
 * ("start svcmgr-webui.service").  Is -1. */
int systemd_reply_explain(const char *text, const char *doing, bool of_user, struct err *err);

/* Why the unit of a service has ended, from 'systemctl show' with these properties; the kind is the
 * exit code that svcmgr ended with, where it did. */
#define SYSTEMD_REPLY_END_PROPERTIES "--property=Result,ExecMainCode,ExecMainStatus,StatusText"
int systemd_reply_explain_end(const char *text, const char *unit, bool of_user, struct err *err);

/* The value of a property in the output of 'systemctl show'; "" if it is not there. */
void systemd_reply_value(const char *text, const char *property, char *ret_value, size_t size);

/* Milliseconds in a time as systemctl shows it, "1min 35s"; 0 for "infinity" and for what is none.
 */
int64_t systemd_reply_time_ms(const char *text);

#endif
