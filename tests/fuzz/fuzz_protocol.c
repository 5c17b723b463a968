/* Bytes -> lines, split where the first byte says, -> requests and answers.  How the bytes come in
 * pieces makes no difference; whatever a request says, the answer to it is one line of JSON. */
#include <stdint.h>
#include <string.h>

#include "base64.h"
#include "exec_delta.h"
#include "fuzz.h"
#include "line.h"
#include "protocol.h"

#include "banned.h"

#define LINE_BYTES 4096

static void check_answer(const struct protocol_id *id, int code, const struct err *err)
{
    struct buffer out = { 0 };
    struct json_faults faults = { 0 };
    struct json_document document;

    protocol_answer_error(&out, id, code, err->text, NULL);
    REQUIRE(!out.failed);
    if (out.length > 0) {
        REQUIRE(memchr(out.data, '\n', out.length) == out.data + out.length - 1);
        REQUIRE(json_parse(out.data, out.length, JSON_STRICT, &document, &faults) == 0);
        json_document_free(&document);
    }
    buffer_free(&out);
}

/* What is read at once as a piece of output is one to the other reader too. */
static void check_delta(const char *line, size_t length)
{
    struct buffer data = { 0 };
    struct buffer again = { 0 };
    struct protocol_answer answer;
    struct exec_delta delta;
    struct err err;
    const cJSON *text;

    if (exec_delta_read(line, length, "c", &delta, &data)) {
        REQUIRE(protocol_answer_parse(line, length, &answer, &err) == 0);
        REQUIRE(strcmp(answer.method, EXEC_DELTA_METHOD) == 0);
        REQUIRE(cJSON_IsTrue(json_member(answer.params, "capReached")) == delta.reached);
        text = json_member(answer.params, "deltaBase64");
        REQUIRE(base64_decode(text->valuestring, strlen(text->valuestring), &again, &err) == 0);
        REQUIRE(again.length == data.length);
        protocol_answer_free(&answer);
    }
    buffer_free(&again);
    buffer_free(&data);
}

static void check_line(const char *line, size_t length)
{
    struct protocol_request request = { 0 };
    struct protocol_answer answer;
    struct err err = { 0 };
    int code = protocol_request_parse(line, length, &request, &err);

    REQUIRE(strlen(request.id.json) < PROTOCOL_ID_BYTES);
    if (code == 0) {
        REQUIRE(request.method != NULL);
        REQUIRE(request.params == NULL || cJSON_IsObject(request.params));
        check_answer(&request.id, PROTOCOL_INTERNAL, &err);
        protocol_request_free(&request);
    } else {
        REQUIRE(code < 0 && strlen(err.text) > 0);
        check_answer(&request.id, code, &err);
    }
    check_delta(line, length);
    if (protocol_answer_parse(line, length, &answer, &err) == 0)
        protocol_answer_free(&answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct line_reader reader;
    size_t step = size > 0 ? bytes[0] + 1u : 1;
    size_t expected_at = 1;
    char *line;
    size_t length;

    line_init(&reader, LINE_BYTES);
    for (size_t at = 1; at < size; at += step) {
        size_t part = size - at < step ? size - at : step;

        if (line_push(&reader, (const char *)bytes + at, part) == -1)
            break;
        while ((line = line_next(&reader, &length)) != NULL) {
            REQUIRE(length <= LINE_BYTES && expected_at + length < size);
            REQUIRE(memcmp(line, bytes + expected_at, length) == 0);
            REQUIRE(bytes[expected_at + length] == '\n');
            expected_at += length + 1;
            check_line(line, length);
        }
    }
    line_free(&reader);
    return 0;
}
