/* Text of an XML document: XML 1.0. */
#ifndef SVCMGR_XML_TEXT_H
#define SVCMGR_XML_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "buffer.h"
#include "err.h"

/* Writes text so that a parser reads it back as it is.  'document' and 'what' say of what it is:
 * "a plist", "the path of svcmgr".  What XML 1.0 has no form for (most control characters, bytes
 * that are no UTF-8): ERR_CONFIG. */
int xml_text(const char *document, const char *what, const char *text, struct buffer *out,
        struct err *err);

/* The other way, up to the next element; false if it does not fit, or has references that the above
 * does not write. */
bool xml_text_read(const char *xml, char *ret_text, size_t size);

/* Into a comment, which "--" would end. */
void xml_text_comment(const char *text, struct buffer *out);

#endif
