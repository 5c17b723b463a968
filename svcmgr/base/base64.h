/* Base 64 as RFC 4648 section 4 has it: with padding, no line breaks. */
#ifndef SVCMGR_BASE64_H
#define SVCMGR_BASE64_H

#include <stddef.h>

#include "buffer.h"
#include "err.h"

/* Appends the text for 'length' bytes. */
void base64_encode(const void *data, size_t length, struct buffer *out);

/* Appends the bytes.  Returns 0, or -1 with what is wrong and where; nothing is appended then.
 * Anything that encoding would not have made is refused, bits behind the last byte too. */
int base64_decode(const char *text, size_t length, struct buffer *out, struct err *err);

#endif
