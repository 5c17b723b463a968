/* Names of signals as the configuration and the command line take them. */
#ifndef SVCMGR_SIGNAL_NAME_H
#define SVCMGR_SIGNAL_NAME_H

#include <stddef.h>

/* "SIGTERM", "term", "TERM" -> "TERM" (static text); NULL if there is no such signal. */
const char *signal_name_find(const char *text);

/* All names, for messages. */
const char *const *signal_name_all(size_t *ret_count);

#endif
