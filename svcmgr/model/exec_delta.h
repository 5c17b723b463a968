/* The notification command/exec/outputDelta: a piece of a command's output, on its way. */
#ifndef SVCMGR_EXEC_DELTA_H
#define SVCMGR_EXEC_DELTA_H

#include <stdbool.h>
#include <stddef.h>

#include "buffer.h"

#define EXEC_DELTA_METHOD "command/exec/outputDelta"

struct exec_delta {
    const char *process_id; /* any text, as the client gave it */
    bool is_error;          /* of standard error */
    bool reached;           /* the cap: no more of this stream follows */
    const char *data;       /* to be written; what was read is elsewhere */
    size_t length;
};

/* Appends it as one line. */
void exec_delta_write(struct buffer *out, const struct exec_delta *delta);

/* Reads a line that is byte for byte what exec_delta_write() makes for this process_id (which needs
 * no escapes), and appends its data to 'out'; 'ret_delta' gets what else it says.  False for any
 * other line, with nothing appended: that may still be such a notification, and is for
 * protocol_answer_parse() to say.
 *
 * It is for output by the gigabyte: to make a document of each piece costs several times what the
 * command needs to print it. */
bool exec_delta_read(const char *line, size_t length, const char *process_id,
        struct exec_delta *ret_delta, struct buffer *out);

#endif
