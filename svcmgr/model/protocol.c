#include "protocol.h"

#include <string.h>

#include "str.h"

#include "banned.h"

/* An id is a string or a whole number (null and the rest identify nobody). */
static int read_id(const cJSON *item, struct protocol_id *ret_id, struct err *err)
{
    struct buffer text = { .limit = sizeof ret_id->json - 1 };
    struct json_writer writer = { .out = &text };
    double number;
    int result = 0;

    if (cJSON_IsString(item))
        json_write_string(&writer, NULL, item->valuestring);
    else if (json_whole_number(item, -9007199254740991.0, 9007199254740991.0, &number))
        json_write_int(&writer, NULL, (int64_t)number);
    else
        result = err_set(err, ERR_FAILED, 0, "id must be a string or a whole number");
    if (result == 0 &&
            (text.failed || !str_copy(ret_id->json, sizeof ret_id->json, buffer_text(&text))))
        result = err_set(err, ERR_FAILED, 0, "id is too long");
    buffer_free(&text);
    return result;
}

static int read_request(struct protocol_request *request, struct err *err)
{
    const cJSON *root = request->document.root;
    const cJSON *version = json_member(root, "jsonrpc");
    const cJSON *id = json_member(root, "id");
    const cJSON *method = json_member(root, "method");
    const cJSON *params = json_member(root, "params");

    if (!cJSON_IsObject(root)) {
        err_set(err, ERR_FAILED, 0, "a request must be an object");
        return PROTOCOL_INVALID_REQUEST;
    }
    request->id.with_version = version != NULL;
    if (id != NULL && read_id(id, &request->id, err) == -1)
        return PROTOCOL_INVALID_REQUEST;
    if (version != NULL && (!cJSON_IsString(version) || strcmp(version->valuestring, "2.0") != 0)) {
        err_set(err, ERR_FAILED, 0, "jsonrpc must be \"2.0\" or missing");
        return PROTOCOL_INVALID_REQUEST;
    }
    if (!cJSON_IsString(method)) {
        err_set(err, ERR_FAILED, 0, "method must be a string");
        return PROTOCOL_INVALID_REQUEST;
    }
    if (params != NULL && !cJSON_IsObject(params) && !cJSON_IsNull(params)) {
        err_set(err, ERR_FAILED, 0, "params must be an object");
        return PROTOCOL_INVALID_PARAMS;
    }
    request->method = method->valuestring;
    request->params = cJSON_IsObject(params) ? params : NULL;
    return 0;
}

int protocol_request_parse(
        const char *line, size_t length, struct protocol_request *ret_request, struct err *err)
{
    struct protocol_request request = { 0 };
    struct json_faults faults = { 0 };
    int code;

    *ret_request = request;
    if (json_parse(line, length, JSON_STRICT, &request.document, &faults) == -1) {
        err_set(err, ERR_FAILED, 0, "the request is not valid JSON: column %zu: %s",
                faults.count > 0 ? faults.list[0].column : 1,
                faults.count > 0 ? faults.list[0].text : "out of memory");
        json_faults_free(&faults);
        return PROTOCOL_PARSE_ERROR;
    }
    code = read_request(&request, err);
    if (code != 0)
        json_document_free(&request.document);
    *ret_request = request;
    return code;
}

void protocol_request_free(struct protocol_request *request)
{
    json_document_free(&request->document);
}

void protocol_answer_begin(
        struct json_writer *writer, struct buffer *out, const struct protocol_id *id)
{
    *writer = (struct json_writer) { .out = out };
    json_write_object(writer, NULL);
    if (id->with_version)
        json_write_string(writer, "jsonrpc", "2.0");
    json_write_raw(writer, "id", id->json[0] != '\0' ? id->json : "null");
}

void protocol_answer_end(struct json_writer *writer)
{
    json_write_object_end(writer);
    buffer_puts(writer->out, "\n");
}

void protocol_answer_error(struct buffer *out, const struct protocol_id *id, int code,
        const char *message, const struct err *reason)
{
    struct json_writer writer;

    protocol_answer_begin(&writer, out, id);
    json_write_object(&writer, "error");
    json_write_int(&writer, "code", code);
    json_write_string(&writer, "message", message);
    if (reason != NULL) {
        json_write_object(&writer, "data");
        json_write_int(&writer, "exit", reason->kind);
        json_write_object_end(&writer);
    }
    json_write_object_end(&writer);
    protocol_answer_end(&writer);
}

void protocol_request_begin(
        struct json_writer *writer, struct buffer *out, int id, const char *method)
{
    *writer = (struct json_writer) { .out = out };
    json_write_object(writer, NULL);
    json_write_string(writer, "jsonrpc", "2.0");
    if (id != 0)
        json_write_int(writer, "id", id);
    json_write_string(writer, "method", method);
}

void protocol_request_end(struct json_writer *writer)
{
    json_write_object_end(writer);
    buffer_puts(writer->out, "\n");
}

static void read_error(const cJSON *error, struct protocol_answer *answer)
{
    const cJSON *message = json_member(error, "message");
    double code = ERR_FAILED;

    answer->error_data = json_member(error, "data");
    (void)json_whole_number(json_member(answer->error_data, "exit"), 1, 255, &code);
    err_set(&answer->err, (enum err_kind)(int)code, 0, "%s",
            cJSON_IsString(message) ? message->valuestring : "the supervisor refused");
}

int protocol_answer_parse(
        const char *line, size_t length, struct protocol_answer *ret_answer, struct err *err)
{
    struct protocol_answer answer = { 0 };
    struct json_faults faults = { 0 };
    const cJSON *method;
    const cJSON *error;
    double id = 0;

    if (json_parse(line, length, JSON_STRICT, &answer.document, &faults) == -1) {
        json_faults_free(&faults);
        return err_set(err, ERR_FAILED, 0, "the supervisor sent something that is not JSON");
    }
    method = json_member(answer.document.root, "method");
    error = json_member(answer.document.root, "error");
    answer.result = json_member(answer.document.root, "result");
    answer.params = json_member(answer.document.root, "params");
    (void)json_whole_number(json_member(answer.document.root, "id"), 1, 1e9, &id);
    answer.id = (int)id;
    if (cJSON_IsString(method))
        answer.method = method->valuestring;
    if (error != NULL)
        read_error(error, &answer);
    if (answer.method == NULL && answer.result == NULL && error == NULL) {
        json_document_free(&answer.document);
        return err_set(err, ERR_FAILED, 0, "the supervisor sent something that is no answer");
    }
    *ret_answer = answer;
    return 0;
}

bool protocol_answer_is_refusal(const struct protocol_answer *answer)
{
    return answer->id == 0 && answer->method == NULL && answer->result == NULL;
}

void protocol_answer_free(struct protocol_answer *answer)
{
    json_document_free(&answer->document);
}
