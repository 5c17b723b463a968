/* What <state-dir>/NAME/control.json says: where a supervisor listens whose control channel is TCP
 * on 127.0.0.1, and the token that both ends of it have to know (proof.h). */
#ifndef SVCMGR_MARKER_H
#define SVCMGR_MARKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buffer.h"
#include "proof.h"

#define MARKER_MAX_BYTES 1024 /* one is about a hundred bytes long */

struct marker {
    uint16_t port;
    uint8_t token[PROOF_BYTES];
};

/* Appends the file's text. */
void marker_format(const struct marker *marker, struct buffer *out);
/* False for anything but a whole marker with a port and a token; members that are not known are
 * passed over. */
bool marker_parse(const char *text, size_t length, struct marker *ret_marker);

#endif
