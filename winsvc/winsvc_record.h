/* A service record as text: what 'install --print' shows, what is compared, and what is installed
 * is read from. */
#ifndef SVCMGR_WINSVC_RECORD_H
#define SVCMGR_WINSVC_RECORD_H

#include "buffer.h"
#include "err.h"
#include "scm.h"

/* As a JSON document, one member a line. */
void winsvc_record_write(const struct scm_service *service, struct buffer *out);

/* The other way; fails for a document that the above has not written. */
int winsvc_record_read(const char *text, struct scm_service *ret_service, struct err *err);

/* What the system does not tell of 'found' is taken to be as wanted. */
void winsvc_record_assume(struct scm_service *found, const struct scm_service *wanted);

/* "recovery, required privileges": what was not told; "" nothing. */
void winsvc_record_untold(const struct scm_service *service, char *ret_text, size_t size);

#endif
