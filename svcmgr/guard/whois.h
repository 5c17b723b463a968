/* Who a process is and who started it.  What the system does not say is unknown. */
#ifndef SVCMGR_WHOIS_H
#define SVCMGR_WHOIS_H

#include "holder.h"

/* Fills in what can be found out about a process that holds an address; one that is gone: nothing
 * but its pid. */
void whois_fill(int64_t pid, struct holder *ret_holder);

/* Which service a keeper or supervisor is for, if that can be told. */
void whois_read_service(int64_t pid, struct holder *ret_holder);

/* Whether it is a keeper or supervisor, by its command line. */
bool whois_is_svcmgr(const char *command);

#endif
