#include "unit.h"

#include "exec_params.h"
#include "protocol.h"

#include "banned.h"

static int read(const char *text, struct json_document *document, struct exec_params *params,
        struct err *err)
{
    struct json_faults faults = { 0 };

    if (json_parse(text, strlen(text), JSON_STRICT, document, &faults) == -1)
        fail_msg("%s: %s", text, faults.list[0].text);
    return exec_params_read(document->root, params, err);
}

static void has_the_defaults(void **state)
{
    struct json_document document;
    struct exec_params params;
    struct err err;

    assert_int_equal(read("{\"command\":[\"ls\",\"\"]}", &document, &params, &err), 0);
    assert_int_equal(cJSON_GetArraySize(params.command), 2);
    assert_null(params.process_id);
    assert_false(params.tty || params.stream_input || params.stream_output);
    assert_int_equal(params.timeout_ms, 10000);
    assert_int_equal(params.cap, 1024 * 1024);
    assert_null(params.directory);
    assert_null(params.variables);
    json_document_free(&document);
}

static void takes_everything(void **state)
{
    struct json_document document;
    struct exec_params params;
    struct err err;

    assert_int_equal(
            read("{\"command\":[\"sh\"],\"processId\":\"p\",\"tty\":true,"
                 "\"size\":{\"rows\":31,\"cols\":101},\"outputBytesCap\":0,\"timeoutMs\":0,"
                 "\"cwd\":\"x\",\"env\":{\"A\":\"b\",\"C\":null},\"sandboxPolicy\":null,"
                 "\"permissionProfile\":null,\"unknown\":[1]}",
                    &document, &params, &err),
            0);
    assert_string_equal(params.process_id, "p");
    assert_true(params.tty && params.stream_input && params.stream_output);
    assert_int_equal(params.size.rows, 31);
    assert_int_equal(params.size.cols, 101);
    assert_int_equal(params.cap, 0);
    assert_int_equal(params.timeout_ms, 0);
    assert_string_equal(params.directory, "x");
    assert_int_equal(cJSON_GetArraySize(params.variables), 2);
    json_document_free(&document);
}

static void has_no_limits_when_asked(void **state)
{
    struct json_document document;
    struct exec_params params;
    struct err err;

    assert_int_equal(read("{\"command\":[\"sh\"],\"processId\":\"p\",\"streamStdoutStderr\":true,"
                          "\"disableTimeout\":true,\"disableOutputCap\":true}",
                             &document, &params, &err),
            0);
    assert_int_equal(params.timeout_ms, EXEC_NO_TIMEOUT);
    assert_true(params.cap == SIZE_MAX);
    assert_false(params.tty || params.stream_input);
    json_document_free(&document);
    /* What is kept until the end has one all the same. */
    assert_int_equal(read("{\"command\":[\"sh\"],\"disableOutputCap\":true,\"timeoutMs\":9e15}",
                             &document, &params, &err),
            0);
    assert_true(params.cap == EXEC_KEPT_MAX);
    assert_true(params.timeout_ms == EXEC_TIMEOUT_MAX_MS);
    json_document_free(&document);
    assert_int_equal(
            read("{\"command\":[\"sh\"],\"outputBytesCap\":9e15}", &document, &params, &err), 0);
    assert_true(params.cap == EXEC_KEPT_MAX);
    json_document_free(&document);
}

static void refuses(void **state)
{
    static const struct {
        const char *text;
        int code;
        const char *reason;
    } rows[] = {
        { "{}", -32602, "command must be a list of strings" },
        { "{\"command\":\"ls\"}", -32602, "command must be a list of strings" },
        { "{\"command\":[1]}", -32602, "command must be a list of strings" },
        { "{\"command\":[]}", -32600, "command must not be empty" },
        { "{\"command\":[\"\"]}", -32600, "command must not be empty" },
        { "{\"command\":[\"a\"],\"size\":{\"rows\":1,\"cols\":1}}", -32602,
                "command/exec size requires tty: true" },
        { "{\"command\":[\"a\"],\"tty\":true,\"processId\":\"x\",\"size\":{\"rows\":0,\"cols\":1}}",
                -32602, "command/exec size rows and cols must be greater than 0" },
        { "{\"command\":[\"a\"],\"tty\":true,\"processId\":\"x\",\"size\":{\"rows\":1,\"cols\":0}}",
                -32602, "command/exec size rows and cols must be greater than 0" },
        { "{\"command\":[\"a\"],\"tty\":true,\"processId\":\"x\",\"size\":{\"rows\":1}}", -32602,
                "size must have rows and cols, whole numbers up to 65535" },
        { "{\"command\":[\"a\"],\"tty\":true,\"processId\":\"x\",\"size\":7}", -32602,
                "size must have rows and cols, whole numbers up to 65535" },
        { "{\"command\":[\"a\"],\"outputBytesCap\":1,\"disableOutputCap\":true}", -32602,
                "command/exec cannot set both outputBytesCap and disableOutputCap" },
        { "{\"command\":[\"a\"],\"timeoutMs\":1,\"disableTimeout\":true}", -32602,
                "command/exec cannot set both timeoutMs and disableTimeout" },
        { "{\"command\":[\"a\"],\"timeoutMs\":-1}", -32602,
                "command/exec timeoutMs must be non-negative, got -1" },
        { "{\"command\":[\"a\"],\"timeoutMs\":1.5}", -32602,
                "timeoutMs must be a whole number of milliseconds" },
        { "{\"command\":[\"a\"],\"outputBytesCap\":-1}", -32602,
                "outputBytesCap must be a whole number of bytes" },
        { "{\"command\":[\"a\"],\"tty\":true}", -32600,
                "command/exec tty or streaming requires a client-supplied processId" },
        { "{\"command\":[\"a\"],\"streamStdin\":true}", -32600,
                "command/exec tty or streaming requires a client-supplied processId" },
        { "{\"command\":[\"a\"],\"streamStdoutStderr\":true}", -32600,
                "command/exec tty or streaming requires a client-supplied processId" },
        { "{\"command\":[\"a\"],\"tty\":1}", -32602, "tty must be true or false" },
        { "{\"command\":[\"a\"],\"processId\":7}", -32602, "processId must be a string" },
        { "{\"command\":[\"a\"],\"cwd\":7}", -32602, "cwd must be a path" },
        { "{\"command\":[\"a\"],\"env\":[]}", -32602, "env must be an object of strings" },
        { "{\"command\":[\"a\"],\"env\":{\"A\":1}}", -32602,
                "env must be an object of strings; null unsets a variable" },
        { "{\"command\":[\"a\"],\"env\":{\"A=\":\"\"}}", -32602,
                "the name of a variable in env is empty or has a \"=\" in it" },
        { "{\"command\":[\"a\"],\"env\":{\"\":\"\"}}", -32602,
                "the name of a variable in env is empty or has a \"=\" in it" },
        { "{\"command\":[\"a\"],\"sandboxPolicy\":{}}", -32600, "sandboxPolicy is not supported" },
        { "{\"command\":[\"a\"],\"permissionProfile\":\"x\"}", -32600,
                "sandboxPolicy is not supported" },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct json_document document;
        struct exec_params params;
        struct err err;

        CHECK(rows[i].text, read(rows[i].text, &document, &params, &err) == rows[i].code);
        CHECK_TEXT(rows[i].text, err.text, rows[i].reason);
        json_document_free(&document);
    }
}

/* The cap cuts at exactly its byte, and is reached as soon as it is met. */
static void cuts(void **state)
{
    static const struct {
        const char *what;
        size_t cap, taken, length, passed;
        bool reached;
    } rows[] = {
        { "below", 10, 2, 7, 7, false },
        { "exactly", 10, 2, 8, 8, true },
        { "one more", 10, 2, 9, 8, true },
        { "zero", 0, 0, 5, 0, true },
        { "none", SIZE_MAX, 5, 1000, 1000, false },
        { "nothing came", 1, 0, 0, 0, false },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        bool reached;

        CHECK(rows[i].what,
                exec_cap(rows[i].cap, rows[i].taken, rows[i].length, &reached) == rows[i].passed);
        CHECK(rows[i].what, reached == rows[i].reached);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(has_the_defaults),
        cmocka_unit_test(takes_everything),
        cmocka_unit_test(has_no_limits_when_asked),
        cmocka_unit_test(refuses),
        cmocka_unit_test(cuts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
