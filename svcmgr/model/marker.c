#include "marker.h"

#include <string.h>

#include "json.h"
#include "json_write.h"

#include "banned.h"

#define PORT_MAX 65535

void marker_format(const struct marker *marker, struct buffer *out)
{
    struct json_writer writer = { .out = out };
    char token[PROOF_HEX_BYTES];

    proof_to_hex(marker->token, token);
    json_write_object(&writer, NULL);
    json_write_int(&writer, "port", marker->port);
    json_write_string(&writer, "token", token);
    json_write_object_end(&writer);
    buffer_puts(out, "\n");
}

static bool read_marker(const cJSON *root, struct marker *marker)
{
    const cJSON *token = json_member(root, "token");
    double port;

    if (!json_whole_number(json_member(root, "port"), 1, PORT_MAX, &port) ||
            !cJSON_IsString(token) || !proof_from_hex(token->valuestring, marker->token))
        return false;
    marker->port = (uint16_t)port;
    return true;
}

bool marker_parse(const char *text, size_t length, struct marker *ret_marker)
{
    struct json_document document;
    struct json_faults faults = { 0 };
    struct marker marker = { .port = 0 };
    bool whole;

    if (length > MARKER_MAX_BYTES ||
            json_parse(text, length, JSON_STRICT, &document, &faults) == -1) {
        json_faults_free(&faults);
        return false;
    }
    whole = read_marker(document.root, &marker);
    json_document_free(&document);
    if (whole)
        *ret_marker = marker;
    return whole;
}
