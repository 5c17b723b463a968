#include "unit.h"

#include "protocol.h"

#include "banned.h"

/* ---- Requests -------------------------------------------------------------------------------- */

static void reads_requests(void **state)
{
    static const struct {
        const char *line;
        const char *id;
        bool with_version;
        const char *method;
        bool has_params;
    } rows[] = {
        { "{\"id\":1,\"method\":\"hello\"}", "1", false, "hello", false },
        { "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"hello\"}", "1", true, "hello", false },
        { "{\"method\":\"initialized\"}", "", false, "initialized", false },
        { "{\"id\":\"a\",\"method\":\"stop\",\"params\":{\"now\":true}}", "\"a\"", false, "stop",
                true },
        { "{\"id\":0,\"method\":\"x\",\"params\":null}", "0", false, "x", false },
        { "{\"id\":-7,\"method\":\"x\",\"params\":{}}", "-7", false, "x", true },
        { "{\"id\":9007199254740991,\"method\":\"x\"}", "9007199254740991", false, "x", false },
        { "{\"id\":\"\",\"method\":\"\"}", "\"\"", false, "", false },
        { "{\"id\":\"\\\"\\n\\u00e9\",\"method\":\"x\"}", "\"\\\"\\n\xC3\xA9\"", false, "x",
                false },
        { " { \"more\" : [1,2] , \"method\" : \"x\" , \"id\" : 1e3 } ", "1000", false, "x", false },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct protocol_request request;
        struct err err = { 0 };

        if (protocol_request_parse(rows[i].line, strlen(rows[i].line), &request, &err) != 0)
            fail_msg("row \"%s\": %s", rows[i].line, err.text);
        CHECK_TEXT(rows[i].line, request.id.json, rows[i].id);
        CHECK_TEXT(rows[i].line, request.method, rows[i].method);
        CHECK(rows[i].line, request.id.with_version == rows[i].with_version);
        CHECK(rows[i].line, (request.params != NULL) == rows[i].has_params);
        protocol_request_free(&request);
    }
}

/* A string of count characters as a request's id. */
static void long_id(char *line, size_t size, size_t count)
{
    (void)snprintf(line, size, "{\"method\":\"x\",\"id\":\"%0*d\"}", (int)count, 7);
}

static void refuses_requests(void **state)
{
    static const struct {
        const char *line;
        int code;
        const char *id; /* as far as it could be read */
        bool with_version;
        const char *said;
    } rows[] = {
        { "", PROTOCOL_PARSE_ERROR, "", false, "not valid JSON: column 1" },
        { "hello", PROTOCOL_PARSE_ERROR, "", false, "not valid JSON: column 1" },
        { "{\"id\":1,", PROTOCOL_PARSE_ERROR, "", false, "not valid JSON: column" },
        { "{\"id\":1,\"id\":2,\"method\":\"x\"}", PROTOCOL_PARSE_ERROR, "", false,
                "not valid JSON: column 9" },
        { "{\"id\":01}", PROTOCOL_PARSE_ERROR, "", false, "not valid JSON" },
        { "{\"method\":\"\xFF\"}", PROTOCOL_PARSE_ERROR, "", false, "not valid JSON" },
        { "{\"method\":\"x\"} {}", PROTOCOL_PARSE_ERROR, "", false, "not valid JSON" },
        { "// x\n{}", PROTOCOL_PARSE_ERROR, "", false, "not valid JSON" },
        { "[]", PROTOCOL_INVALID_REQUEST, "", false, "a request must be an object" },
        { "1", PROTOCOL_INVALID_REQUEST, "", false, "a request must be an object" },
        { "null", PROTOCOL_INVALID_REQUEST, "", false, "a request must be an object" },
        { "[{\"id\":1,\"method\":\"x\"}]", PROTOCOL_INVALID_REQUEST, "", false,
                "a request must be an object" },
        { "{}", PROTOCOL_INVALID_REQUEST, "", false, "method must be a string" },
        { "{\"id\":5}", PROTOCOL_INVALID_REQUEST, "5", false, "method must be a string" },
        { "{\"id\":5,\"method\":1}", PROTOCOL_INVALID_REQUEST, "5", false,
                "method must be a string" },
        { "{\"ID\":5,\"Method\":\"x\"}", PROTOCOL_INVALID_REQUEST, "", false,
                "method must be a string" },
        { "{\"id\":null,\"method\":\"x\"}", PROTOCOL_INVALID_REQUEST, "", false,
                "id must be a string or a whole number" },
        { "{\"id\":1.5,\"method\":\"x\"}", PROTOCOL_INVALID_REQUEST, "", false,
                "id must be a string or a whole number" },
        { "{\"id\":1e300,\"method\":\"x\"}", PROTOCOL_INVALID_REQUEST, "", false,
                "id must be a string or a whole number" },
        { "{\"id\":{},\"method\":\"x\"}", PROTOCOL_INVALID_REQUEST, "", false,
                "id must be a string or a whole number" },
        { "{\"jsonrpc\":\"1.0\",\"id\":5,\"method\":\"x\"}", PROTOCOL_INVALID_REQUEST, "5", true,
                "jsonrpc must be \"2.0\" or missing" },
        { "{\"jsonrpc\":2.0,\"id\":5,\"method\":\"x\"}", PROTOCOL_INVALID_REQUEST, "5", true,
                "jsonrpc must be \"2.0\" or missing" },
        { "{\"id\":5,\"method\":\"x\",\"params\":[]}", PROTOCOL_INVALID_PARAMS, "5", false,
                "params must be an object" },
        { "{\"id\":5,\"method\":\"x\",\"params\":\"a\"}", PROTOCOL_INVALID_PARAMS, "5", false,
                "params must be an object" },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct protocol_request request;
        struct err err = { 0 };
        int code = protocol_request_parse(rows[i].line, strlen(rows[i].line), &request, &err);

        CHECK_INT(rows[i].line, code, rows[i].code);
        CHECK_TEXT(rows[i].line, request.id.json, rows[i].id);
        CHECK(rows[i].line, request.id.with_version == rows[i].with_version);
        if (strstr(err.text, rows[i].said) == NULL)
            fail_msg("row \"%s\" says \"%s\"", rows[i].line, err.text);
    }
}

static void limits_an_id(void **state)
{
    struct protocol_request request;
    struct err err;
    char line[2 * PROTOCOL_ID_BYTES];

    long_id(line, sizeof line, PROTOCOL_ID_BYTES - 3); /* two quotes and a NUL */
    assert_int_equal(protocol_request_parse(line, strlen(line), &request, &err), 0);
    assert_int_equal(strlen(request.id.json), PROTOCOL_ID_BYTES - 1);
    protocol_request_free(&request);
    long_id(line, sizeof line, PROTOCOL_ID_BYTES - 2);
    assert_int_equal(
            protocol_request_parse(line, strlen(line), &request, &err), PROTOCOL_INVALID_REQUEST);
    assert_string_equal(err.text, "id is too long");
    assert_string_equal(request.id.json, "");
}

/* ---- Answers --------------------------------------------------------------------------------- */

static struct protocol_id id_of(const char *line)
{
    struct protocol_request request;
    struct protocol_id id;
    struct err err;

    if (protocol_request_parse(line, strlen(line), &request, &err) == 0)
        protocol_request_free(&request);
    id = request.id;
    return id;
}

static void answers_with_the_id_and_version_of_the_request(void **state)
{
    static const struct {
        const char *request;
        const char *answer;
        const char *failure;
    } rows[] = {
        { "{\"id\":1,\"method\":\"x\"}", "{\"id\":1,\"result\":{\"a\":2}}\n",
                "{\"id\":1,\"error\":{\"code\":-32601,\"message\":\"no \\\"x\\\"\"}}\n" },
        { "{\"jsonrpc\":\"2.0\",\"id\":\"q\",\"method\":\"x\"}",
                "{\"jsonrpc\":\"2.0\",\"id\":\"q\",\"result\":{\"a\":2}}\n",
                "{\"jsonrpc\":\"2.0\",\"id\":\"q\",\"error\":{\"code\":-32601,\"message\":"
                "\"no \\\"x\\\"\"}}\n" },
        { "{", "{\"id\":null,\"result\":{\"a\":2}}\n",
                "{\"id\":null,\"error\":{\"code\":-32601,\"message\":\"no \\\"x\\\"\"}}\n" },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct protocol_id id = id_of(rows[i].request);
        struct buffer out = { 0 };
        struct json_writer writer;

        protocol_answer_begin(&writer, &out, &id);
        json_write_object(&writer, "result");
        json_write_int(&writer, "a", 2);
        json_write_object_end(&writer);
        protocol_answer_end(&writer);
        CHECK_TEXT(rows[i].request, buffer_text(&out), rows[i].answer);
        out.length = 0;
        protocol_answer_error(&out, &id, PROTOCOL_NO_METHOD, "no \"x\"", NULL);
        CHECK_TEXT(rows[i].request, buffer_text(&out), rows[i].failure);
        buffer_free(&out);
    }
}

static void writes_requests(void **state)
{
    struct buffer out = { 0 };
    struct json_writer writer;

    protocol_request_begin(&writer, &out, 7, "stop");
    json_write_object(&writer, "params");
    json_write_bool(&writer, "now", true);
    json_write_object_end(&writer);
    protocol_request_end(&writer);
    assert_string_equal(buffer_text(&out),
            "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"stop\",\"params\":{\"now\":true}}\n");
    out.length = 0;
    protocol_request_begin(&writer, &out, 0, "progress");
    protocol_request_end(&writer);
    assert_string_equal(buffer_text(&out), "{\"jsonrpc\":\"2.0\",\"method\":\"progress\"}\n");
    buffer_free(&out);
}

static void reads_answers(void **state)
{
    static const struct {
        const char *line;
        int id;
        const char *method; /* NULL: none */
        bool has_result, has_params;
        int kind; /* 0: no error */
        const char *said;
    } rows[] = {
        { "{\"id\":1,\"result\":{}}", 1, NULL, true, false, 0, "" },
        { "{\"jsonrpc\":\"2.0\",\"id\":1000000000,\"result\":null}", 1000000000, NULL, true, false,
                0, "" },
        { "{\"method\":\"progress\",\"params\":{\"a\":1}}", 0, "progress", false, true, 0, "" },
        { "{\"id\":2,\"error\":{\"code\":-32000,\"message\":\"taken\",\"data\":{\"exit\":11}}}", 2,
                NULL, false, false, ERR_OCCUPIED, "taken" },
        { "{\"id\":2,\"error\":{\"code\":-32601,\"message\":\"what?\"}}", 2, NULL, false, false,
                ERR_FAILED, "what?" },
        { "{\"id\":2,\"error\":{\"message\":5,\"data\":{\"exit\":0}}}", 2, NULL, false, false,
                ERR_FAILED, "the supervisor refused" },
        { "{\"id\":2,\"error\":{\"data\":{\"exit\":256}}}", 2, NULL, false, false, ERR_FAILED,
                "the supervisor refused" },
        { "{\"id\":2,\"error\":null}", 2, NULL, false, false, ERR_FAILED,
                "the supervisor refused" },
        { "{\"id\":\"x\",\"result\":1}", 0, NULL, true, false, 0, "" },
        { "{\"id\":1e99,\"result\":1}", 0, NULL, true, false, 0, "" },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct protocol_answer answer;
        struct err err = { 0 };

        if (protocol_answer_parse(rows[i].line, strlen(rows[i].line), &answer, &err) == -1)
            fail_msg("row \"%s\": %s", rows[i].line, err.text);
        CHECK_INT(rows[i].line, answer.id, rows[i].id);
        if (rows[i].method == NULL)
            CHECK(rows[i].line, answer.method == NULL);
        else
            CHECK_TEXT(rows[i].line, answer.method, rows[i].method);
        CHECK(rows[i].line, (answer.result != NULL) == rows[i].has_result);
        CHECK(rows[i].line, (answer.params != NULL) == rows[i].has_params);
        CHECK_INT(rows[i].line, (int)answer.err.kind, rows[i].kind);
        CHECK_TEXT(rows[i].line, answer.err.text, rows[i].said);
        protocol_answer_free(&answer);
    }
}

static void knows_an_answer_that_belongs_to_no_request(void **state)
{
    static const struct {
        const char *line;
        bool is_refusal;
    } rows[] = {
        { "{\"id\":null,\"error\":{\"code\":-32700,\"message\":\"what?\"}}", true },
        { "{\"error\":{\"code\":-32600,\"message\":\"unauthorized\"}}", true },
        { "{\"id\":3,\"error\":{\"code\":-32600,\"message\":\"no\"}}", false },
        { "{\"id\":3,\"result\":{}}", false },
        { "{\"method\":\"progress\",\"params\":{}}", false },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct protocol_answer answer;
        struct err err;

        assert_int_equal(
                protocol_answer_parse(rows[i].line, strlen(rows[i].line), &answer, &err), 0);
        CHECK(rows[i].line, protocol_answer_is_refusal(&answer) == rows[i].is_refusal);
        protocol_answer_free(&answer);
    }
}

static void refuses_what_is_no_answer(void **state)
{
    static const char *const rows[] = { "", "{", "null", "1", "[]", "{}", "{\"id\":1}",
        "{\"id\":1,\"method\":5}", "{\"Result\":1}", "[{\"result\":1}]" };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct protocol_answer answer = { .id = 77 };
        struct err err = { 0 };

        CHECK(rows[i], protocol_answer_parse(rows[i], strlen(rows[i]), &answer, &err) == -1);
        CHECK(rows[i], answer.id == 77);
        CHECK(rows[i], err.kind == ERR_FAILED && strstr(err.text, "the supervisor sent") != NULL);
    }
}

/* What one side writes the other one reads. */
static void understands_itself(void **state)
{
    struct buffer out = { 0 };
    struct protocol_request request;
    struct protocol_answer answer;
    struct json_writer writer;
    struct err reason;
    struct err err;

    protocol_request_begin(&writer, &out, 12, "restart");
    protocol_request_end(&writer);
    assert_int_equal(protocol_request_parse(out.data, out.length, &request, &err), 0);
    assert_string_equal(request.method, "restart");
    out.length = 0;
    (void)err_set(&reason, ERR_OTHER_PID, 0, "unused");
    protocol_answer_error(&out, &request.id, PROTOCOL_FAILED, "it is not \"4\"", &reason);
    protocol_request_free(&request);
    assert_int_equal(protocol_answer_parse(out.data, out.length, &answer, &err), 0);
    assert_int_equal(answer.id, 12);
    assert_int_equal(answer.err.kind, ERR_OTHER_PID);
    assert_string_equal(answer.err.text, "it is not \"4\"");
    assert_non_null(answer.error_data);
    protocol_answer_free(&answer);
    buffer_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_requests),
        cmocka_unit_test(refuses_requests),
        cmocka_unit_test(limits_an_id),
        cmocka_unit_test(answers_with_the_id_and_version_of_the_request),
        cmocka_unit_test(writes_requests),
        cmocka_unit_test(reads_answers),
        cmocka_unit_test(knows_an_answer_that_belongs_to_no_request),
        cmocka_unit_test(refuses_what_is_no_answer),
        cmocka_unit_test(understands_itself),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
