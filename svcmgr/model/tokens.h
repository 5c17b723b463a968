/* Tokens in the words of a command and in environment values.
 *
 *   {port} {address} {url} {fd}       of the first listener
 *   {port:NAME} {address:NAME} ...    of the listener with that name
 *   {name}                            the service's name
 *   {{                                a literal brace
 *
 * A '{' that letters and then '}' or ':' follow must be one of these, so that a typing mistake is
 * found; every other '{' and every '}' is literal. */
#ifndef SVCMGR_TOKENS_H
#define SVCMGR_TOKENS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "address.h"
#include "buffer.h"
#include "err.h"

struct tokens_listener {
    const char *name;
    struct address address; /* as bound */
    int64_t fd;             /* the number that the instance gets it under; -1: not passed */
};

struct tokens_context {
    const char *name; /* of the service */
    const struct tokens_listener *listeners;
    size_t listener_count;
};

/* Checks text against the configured listeners; an address of family ADDRESS_NONE is one that is
 * not known.  Returns 0, or -1 with *err (kind ERR_CONFIG; the sentence names the token and the
 * nearest right one) and *ret_at, the offset of the brace.  ret_uses_fd has an element for each
 * listener: set to true when the listener's {fd} stands in text, else left alone. */
int tokens_check(const char *text, const struct tokens_context *context, bool *ret_uses_fd,
        size_t *ret_at, struct err *err);

/* Appends text to *out with its tokens replaced.  Fails (ERR_CONFIG, nothing appended) for what
 * tokens_check refuses, and for {fd} of a listener that is not passed. */
int tokens_expand(const char *text, const struct tokens_context *context, struct buffer *out,
        struct err *err);

/* Appends text to *out so that tokens_expand gives it back: '{{' where that is needed. */
void tokens_escape(const char *text, struct buffer *out);

#endif
