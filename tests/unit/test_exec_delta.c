/* A piece of output is the same whether it is read at once or as any other message. */
#include "unit.h"

#include "base64.h"
#include "exec_delta.h"
#include "protocol.h"

#include "banned.h"

#define LINE_BYTES 1024

static const struct exec_delta deltas[] = {
    { .process_id = "exec", .data = "hi\n", .length = 3 },
    { .process_id = "exec", .data = "", .length = 0, .reached = true },
    { .process_id = "exec", .is_error = true, .data = "\0\xFF\"\\", .length = 4 },
    { .process_id = "stderr", .is_error = true, .data = "x", .length = 1, .reached = true },
    { .process_id = "", .data = "0123456789", .length = 10 },
};

static size_t write_line(const struct exec_delta *delta, char line[LINE_BYTES])
{
    struct buffer out = { 0 };
    size_t length;

    exec_delta_write(&out, delta);
    assert_false(out.failed);
    assert_true(out.length < LINE_BYTES);
    length = out.length - 1;
    memcpy(line, buffer_text(&out), out.length);
    assert_int_equal(line[length], '\n');
    line[length] = '\0';
    buffer_free(&out);
    return length;
}

static void is_what_the_protocol_says(void **state)
{
    char line[LINE_BYTES];

    (void)write_line(&deltas[0], line);
    assert_string_equal(line,
            "{\"jsonrpc\":\"2.0\",\"method\":\"command/exec/"
            "outputDelta\",\"params\":{\"processId\":"
            "\"exec\",\"stream\":\"stdout\",\"deltaBase64\":\"aGkK\",\"capReached\":false}}");
}

static void is_read_at_once(void **state)
{
    for (size_t i = 0; i < COUNT_OF(deltas); i++) {
        struct buffer data = { 0 };
        struct exec_delta delta;
        char line[LINE_BYTES];
        size_t length = write_line(&deltas[i], line);

        buffer_puts(&data, "before");
        assert_true(exec_delta_read(line, length, deltas[i].process_id, &delta, &data));
        assert_int_equal(delta.is_error, deltas[i].is_error);
        assert_int_equal(delta.reached, deltas[i].reached);
        assert_int_equal(data.length, 6 + deltas[i].length);
        assert_memory_equal(data.data + 6, deltas[i].data, deltas[i].length);
        buffer_free(&data);
    }
}

static bool same_as_a_message(
        const char *line, size_t length, const struct exec_delta *delta, const struct buffer *data)
{
    struct protocol_answer answer;
    struct buffer bytes = { 0 };
    struct err err;
    const cJSON *text;
    bool same;

    if (protocol_answer_parse(line, length, &answer, &err) == -1)
        return false;
    text = json_member(answer.params, "deltaBase64");
    same = answer.id == 0 && strcmp(answer.method, EXEC_DELTA_METHOD) == 0 &&
            strcmp(json_member(answer.params, "processId")->valuestring, delta->process_id) == 0 &&
            strcmp(json_member(answer.params, "stream")->valuestring,
                    delta->is_error ? "stderr" : "stdout") == 0 &&
            cJSON_IsTrue(json_member(answer.params, "capReached")) == delta->reached &&
            base64_decode(text->valuestring, strlen(text->valuestring), &bytes, &err) == 0 &&
            bytes.length == data->length &&
            memcmp(buffer_text(&bytes), buffer_text(data), data->length) == 0;
    buffer_free(&bytes);
    protocol_answer_free(&answer);
    return same;
}

/* Every byte of each line becomes every other one, and each line ends anywhere: what is still read
 * at once is the same as a message. */
static void nothing_else_is_read_at_once(void **state)
{
    for (size_t i = 0; i < COUNT_OF(deltas); i++) {
        const char *id = deltas[i].process_id;
        struct buffer data = { 0 };
        struct exec_delta delta;
        char line[LINE_BYTES];
        size_t length = write_line(&deltas[i], line);

        for (size_t at = 0; at < length; at++) {
            char former = line[at];

            assert_false(exec_delta_read(line, at, id, &delta, &data));
            assert_int_equal(data.length, 0);
            for (int c = 1; c < 256; c += (int)unit_step()) {
                line[at] = (char)c;
                data.length = 0;
                if (exec_delta_read(line, length, id, &delta, &data))
                    CHECK(line, same_as_a_message(line, length, &delta, &data));
                else
                    CHECK(line, c != (unsigned char)former);
            }
            line[at] = former;
            data.length = 0;
        }
        assert_false(exec_delta_read(line, length, "other", &delta, &data));
        assert_false(exec_delta_read(line + 1, length - 1, id, &delta, &data));
        buffer_free(&data);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_what_the_protocol_says),
        cmocka_unit_test(is_read_at_once),
        cmocka_unit_test(nothing_else_is_read_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
