/* Reading on in a stream after the process has ended that printed to it: the log's, a command's. */
#ifndef SVCMGR_DRAINED_H
#define SVCMGR_DRAINED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "drain.h"
#include "platform.h"

/* Takes a piece; false: there is no place for another one now. */
typedef bool drained_take(void *context, const char *data, size_t length);

/* Reads what the drain rule says is due.  False: it is over with the stream, which is the caller's
 * to close. */
bool drained_read(struct platform_source *source, struct drain *drain, int64_t now_ms,
        drained_take *take, void *context);

#endif
