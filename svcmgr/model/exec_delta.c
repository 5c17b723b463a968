#include "exec_delta.h"

#include <string.h>

#include "base64.h"
#include "protocol.h"

#include "banned.h"

void exec_delta_write(struct buffer *out, const struct exec_delta *delta)
{
    struct json_writer writer;

    protocol_request_begin(&writer, out, 0, EXEC_DELTA_METHOD);
    json_write_object(&writer, "params");
    json_write_string(&writer, "processId", delta->process_id);
    json_write_string(&writer, "stream", delta->is_error ? "stderr" : "stdout");
    json_write_base64(&writer, "deltaBase64", delta->data, delta->length);
    json_write_bool(&writer, "capReached", delta->reached);
    json_write_object_end(&writer);
    protocol_request_end(&writer);
}

/* What is left of a line. */
struct rest {
    const char *text;
    size_t length;
};

static bool begins_with(struct rest *rest, const char *text)
{
    size_t length = strlen(text);

    if (rest->length < length || memcmp(rest->text, text, length) != 0)
        return false;
    rest->text += length;
    rest->length -= length;
    return true;
}

static bool ends_with(struct rest *rest, const char *text)
{
    size_t length = strlen(text);

    if (rest->length < length || memcmp(rest->text + rest->length - length, text, length) != 0)
        return false;
    rest->length -= length;
    return true;
}

bool exec_delta_read(const char *line, size_t length, const char *process_id,
        struct exec_delta *ret_delta, struct buffer *out)
{
    struct rest rest = { .text = line, .length = length };
    bool reached = ends_with(&rest, "\",\"capReached\":true}}");
    bool is_error;
    struct err err;

    if (!reached && !ends_with(&rest, "\",\"capReached\":false}}"))
        return false;
    if (!begins_with(&rest, "{\"jsonrpc\":\"2.0\",\"method\":\"" EXEC_DELTA_METHOD "\",") ||
            !begins_with(&rest, "\"params\":{\"processId\":\"") ||
            !begins_with(&rest, process_id) || !begins_with(&rest, "\",\"stream\":\""))
        return false;
    is_error = begins_with(&rest, "stderr");
    if ((!is_error && !begins_with(&rest, "stdout")) ||
            !begins_with(&rest, "\",\"deltaBase64\":\"") ||
            base64_decode(rest.text, rest.length, out, &err) == -1)
        return false;
    *ret_delta = (struct exec_delta) {
        .process_id = process_id,
        .is_error = is_error,
        .reached = reached,
    };
    return true;
}
