/* JSON-RPC 2.0 as the control channel speaks it: one message a line.
 *
 * The member "jsonrpc" may be missing in a request; an answer carries it exactly if the request
 * did. */
#ifndef SVCMGR_PROTOCOL_H
#define SVCMGR_PROTOCOL_H

#include <stdbool.h>
#include <stddef.h>

#include "buffer.h"
#include "err.h"
#include "json.h"
#include "json_write.h"

#define PROTOCOL_VERSION       1
#define PROTOCOL_REQUEST_BYTES ((size_t)1024 * 1024)
#define PROTOCOL_ID_BYTES      160

enum protocol_error {
    PROTOCOL_PARSE_ERROR = -32700,
    PROTOCOL_INVALID_REQUEST = -32600,
    PROTOCOL_NO_METHOD = -32601,
    PROTOCOL_INVALID_PARAMS = -32602,
    PROTOCOL_INTERNAL = -32603,
    PROTOCOL_OVERLOADED = -32001,
    PROTOCOL_FAILED = -32000 /* the operation failed; data.exit is the exit code for a command */
};

/* Who is answered, and how: kept while an answer is pending. */
struct protocol_id {
    char json[PROTOCOL_ID_BYTES]; /* the id as JSON; "" for a notification */
    bool with_version;            /* the request had "jsonrpc" */
};

struct protocol_request {
    struct json_document document; /* owned */
    struct protocol_id id;
    const char *method;  /* borrowed from document */
    const cJSON *params; /* an object, or NULL */
};

/* Reads one line.  Returns 0 and fills *ret_request (free it with protocol_request_free), or the
 * negative code to answer with; then ret_request->id is set as far as it could be read, *err holds
 * the sentence, and there is nothing to free. */
int protocol_request_parse(
        const char *line, size_t length, struct protocol_request *ret_request, struct err *err);
void protocol_request_free(struct protocol_request *request);

/* Writes an answer: begin, then the value with key "result", then end (which adds the newline). */
void protocol_answer_begin(
        struct json_writer *writer, struct buffer *out, const struct protocol_id *id);
void protocol_answer_end(struct json_writer *writer);
void protocol_answer_error(struct buffer *out, const struct protocol_id *id, int code,
        const char *message, const struct err *reason);

/* Writes a request or, with id 0, a notification: begin, then "params", then end. */
void protocol_request_begin(
        struct json_writer *writer, struct buffer *out, int id, const char *method);
void protocol_request_end(struct json_writer *writer);

/* What came back: an answer to request 'id', or a notification (id 0, method set). */
struct protocol_answer {
    struct json_document document; /* owned */
    int id;
    const char *method;
    const cJSON *params;
    const cJSON *result; /* NULL: it failed, and err says why */
    const cJSON *error_data;
    struct err err;
};

/* Returns 0, or -1 (ERR_FAILED) when the line is no message of this protocol. */
int protocol_answer_parse(
        const char *line, size_t length, struct protocol_answer *ret_answer, struct err *err);
/* Whether it says that a request could not be read: then it belongs to none. */
bool protocol_answer_is_refusal(const struct protocol_answer *answer);
void protocol_answer_free(struct protocol_answer *answer);

#endif
