/* <state-dir>/NAME/control.json: where the supervisor is whose control channel is TCP. */
#ifndef SVCMGR_MARKER_FILE_H
#define SVCMGR_MARKER_FILE_H

#include <stdbool.h>

#include "err.h"
#include "marker.h"

#define MARKER_FILE_NAME "control.json"

int marker_file_write(const char *directory, const struct marker *marker, struct err *err);
/* False when there is none that can be relied on, be it missing, half-written or somebody else's:
 * then there is no supervisor. */
bool marker_file_read(const char *directory, struct marker *ret_marker);
/* How often who waits for the other side's proof looks whether it still makes sense. */
#define MARKER_FILE_LOOK_MS 100
/* Whether a marker still says where the holder of the lock is: it is what a client would find now,
 * and somebody has the lock.  A supervisor that is started again publishes another one; that of a
 * dead one stays, and whoever has got its port may accept connections and never say a word. */
bool marker_file_is_current(const char *directory, const struct marker *marker);
/* Removes it if it is this one still; with NULL whatever is there. */
void marker_file_remove(const char *directory, const struct marker *ours);

#endif
