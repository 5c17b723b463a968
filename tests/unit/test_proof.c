#include "unit.h"

#include "proof.h"

#include "banned.h"

#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"

/* Both ends of one connection, and what each of them said last. */
struct pair {
    struct proof client;
    struct proof server;
    struct buffer of_client;
    struct buffer of_server;
};

static void begin(struct pair *pair, uint8_t client_token, uint8_t server_token, uint8_t nonce)
{
    uint8_t bytes[PROOF_BYTES];

    *pair = (struct pair) { .of_client = { 0 } };
    memset(bytes, nonce, sizeof bytes);
    {
        uint8_t token[PROOF_BYTES];

        memset(token, client_token, sizeof token);
        proof_begin_client(&pair->client, token, bytes, &pair->of_client);
        memset(token, server_token, sizeof token);
        memset(bytes, nonce + 1, sizeof bytes);
        proof_begin_server(&pair->server, token, bytes);
    }
}

/* Gives a line (of which the newline is taken off) to one end. */
static enum proof_result give(struct proof *to, const struct buffer *line, struct buffer *out)
{
    size_t before = out->length;
    enum proof_result result;

    assert_true(line->length > 0 && line->data[line->length - 1] == '\n');
    assert_null(memchr(line->data, '\n', line->length - 1));
    assert_true(line->length <= PROOF_LINE_BYTES);
    result = proof_take(to, line->data, line->length - 1, out);
    assert_true(out->length >= before);
    if (result == PROOF_REFUSED) /* whoever is refused learns nothing */
        assert_int_equal(out->length, before);
    return result;
}

static void finish(struct pair *pair)
{
    buffer_free(&pair->of_client);
    buffer_free(&pair->of_server);
}

static void who_knows_the_token_is_let_in(void **state)
{
    struct pair pair;
    char token[PROOF_HEX_BYTES];

    begin(&pair, 7, 7, 1);
    assert_int_equal(give(&pair.server, &pair.of_client, &pair.of_server), PROOF_MORE);
    buffer_free(&pair.of_client);
    assert_int_equal(give(&pair.client, &pair.of_server, &pair.of_client), PROOF_DONE);
    proof_to_hex(pair.client.token, token);
    assert_null(strstr(buffer_text(&pair.of_server), token));
    assert_null(strstr(buffer_text(&pair.of_client), token));
    buffer_free(&pair.of_server);
    assert_int_equal(give(&pair.server, &pair.of_client, &pair.of_server), PROOF_DONE);
    assert_int_equal(pair.of_server.length, 0);
    finish(&pair);
}

/* Computed with another implementation (Python's hmac), so that both ends cannot be wrong in the
 * same way. */
static void says_what_the_protocol_says(void **state)
{
    static const char hello[] = "{\"hello\":{\"nonce\":\""
                                "0101010101010101010101010101010101010101010101010101010101010101"
                                "\"}}\n";
    static const char server[] = "{\"nonce\":\""
                                 "0202020202020202020202020202020202020202020202020202020202020202"
                                 "\",\"proof\":\""
                                 "06b62563b34d201b52782f46b28529a64011a5a6ba406c19a38f40da21719103"
                                 "\"}\n";
    static const char client[] = "{\"proof\":\""
                                 "cdb20ed3d0e43144dcb8bb9d754629adb9fc920df2a22b124dfcaaf6b8d8f744"
                                 "\"}\n";
    struct pair pair;

    begin(&pair, 7, 7, 1);
    assert_string_equal(buffer_text(&pair.of_client), hello);
    (void)give(&pair.server, &pair.of_client, &pair.of_server);
    assert_string_equal(buffer_text(&pair.of_server), server);
    buffer_free(&pair.of_client);
    (void)give(&pair.client, &pair.of_server, &pair.of_client);
    assert_string_equal(buffer_text(&pair.of_client), client);
    finish(&pair);
}

static void another_token_is_refused_by_either_end(void **state)
{
    struct pair pair;
    struct pair other;

    begin(&pair, 7, 8, 1);
    assert_int_equal(give(&pair.server, &pair.of_client, &pair.of_server), PROOF_MORE);
    buffer_free(&pair.of_client);
    assert_int_equal(give(&pair.client, &pair.of_server, &pair.of_client), PROOF_REFUSED);
    assert_int_equal(pair.of_client.length, 0);
    /* A client that does not care who the server is. */
    begin(&other, 7, 7, 1);
    (void)give(&other.server, &other.of_client, &other.of_server);
    buffer_free(&other.of_client);
    (void)give(&other.client, &other.of_server, &other.of_client);
    assert_int_equal(give(&pair.server, &other.of_client, &pair.of_server), PROOF_REFUSED);
    finish(&pair);
    finish(&other);
}

static void what_was_heard_cannot_be_used_again(void **state)
{
    struct pair first;
    struct pair second;
    struct buffer replayed = { 0 };

    begin(&first, 7, 7, 1);
    (void)give(&first.server, &first.of_client, &first.of_server);
    buffer_append(&replayed, first.of_client.data, first.of_client.length);
    buffer_free(&first.of_client);
    (void)give(&first.client, &first.of_server, &first.of_client);
    /* To a server: the client's nonce is the same one, the server's is not. */
    begin(&second, 7, 7, 40);
    (void)give(&second.server, &replayed, &second.of_server);
    assert_int_equal(give(&second.server, &first.of_client, &second.of_server), PROOF_REFUSED);
    /* To a client. */
    buffer_free(&second.of_client);
    assert_int_equal(give(&second.client, &first.of_server, &second.of_client), PROOF_REFUSED);
    buffer_free(&replayed);
    finish(&first);
    finish(&second);
}

static void what_was_said_cannot_be_sent_back(void **state)
{
    struct pair pair;
    struct buffer copy = { 0 };

    /* The client's own hello, to the client: connected to itself. */
    begin(&pair, 7, 7, 1);
    buffer_append(&copy, pair.of_client.data, pair.of_client.length);
    assert_int_equal(give(&pair.client, &copy, &pair.of_client), PROOF_REFUSED);
    finish(&pair);
    /* The server's proof, to the server. */
    begin(&pair, 7, 7, 1);
    (void)give(&pair.server, &pair.of_client, &pair.of_server);
    copy.length = 0;
    buffer_append(&copy, pair.of_server.data, pair.of_server.length);
    assert_int_equal(give(&pair.server, &copy, &pair.of_server), PROOF_REFUSED);
    buffer_free(&copy);
    finish(&pair);
}

static void one_mistake_is_the_end(void **state)
{
    struct pair pair;
    struct buffer bad = { 0 };
    struct buffer again = { 0 };

    begin(&pair, 7, 7, 1);
    buffer_puts(&bad, "{}\n");
    buffer_append(&again, pair.of_client.data, pair.of_client.length);
    assert_int_equal(give(&pair.server, &bad, &pair.of_server), PROOF_REFUSED);
    assert_int_equal(give(&pair.server, &again, &pair.of_server), PROOF_REFUSED);
    buffer_free(&bad);
    buffer_free(&again);
    finish(&pair);
}

static void anything_else_is_refused(void **state)
{
    static const struct {
        const char *line;
        enum proof_result of_new_server;
    } rows[] = {
        { "{\"hello\":{\"nonce\":\"" ZEROS "\"}}", PROOF_MORE },
        { "{\"hello\":{\"nonce\":\"" ZEROS "\",\"later\":1},\"later\":{}}", PROOF_MORE },
        { "", PROOF_REFUSED },
        { "{", PROOF_REFUSED },
        { "{}", PROOF_REFUSED },
        { "[]", PROOF_REFUSED },
        { "null", PROOF_REFUSED },
        { "\"hello\"", PROOF_REFUSED },
        { "{\"hello\":null}", PROOF_REFUSED },
        { "{\"hello\":[]}", PROOF_REFUSED },
        { "{\"hello\":\"" ZEROS "\"}", PROOF_REFUSED },
        { "{\"hello\":{}}", PROOF_REFUSED },
        { "{\"hello\":{\"nonce\":null}}", PROOF_REFUSED },
        { "{\"hello\":{\"nonce\":0}}", PROOF_REFUSED },
        { "{\"hello\":{\"nonce\":true}}", PROOF_REFUSED },
        { "{\"hello\":{\"nonce\":[\"" ZEROS "\"]}}", PROOF_REFUSED },
        { "{\"hello\":{\"nonce\":{}}}", PROOF_REFUSED },
        { "{\"hello\":{\"nonce\":\"\"}}", PROOF_REFUSED },
        { "{\"hello\":{\"nonce\":\"0" ZEROS "\"}}", PROOF_REFUSED },
        { "{\"hello\":{\"nonce\":\" " ZEROS "\"}}", PROOF_REFUSED },
        { "{\"Hello\":{\"nonce\":\"" ZEROS "\"}}", PROOF_REFUSED },
        { "{\"hello\":{\"nonce\":\"" ZEROS "\"},\"hello\":{}}", PROOF_REFUSED },
        { "{\"hello\":{\"nonce\":\"" ZEROS "\"}}}", PROOF_REFUSED },
        { "{\"nonce\":\"" ZEROS "\",\"proof\":\"" ZEROS "\"}", PROOF_REFUSED },
        { "{\"proof\":\"" ZEROS "\"}", PROOF_REFUSED },
        { "{\"id\":1,\"method\":\"hello\"}", PROOF_REFUSED },
        { "GET / HTTP/1.1", PROOF_REFUSED },
        { "\xff\xfe", PROOF_REFUSED },
    };
    static const char *const for_others[] = { "{\"proof\":null}", "{\"proof\":7}",
        "{\"proof\":[\"" ZEROS "\"]}", "{\"proof\":\"\"}", "{\"proof\":\"" ZEROS "\"}",
        "{\"nonce\":7,\"proof\":7}", "{\"nonce\":\"" ZEROS "\"}",
        "{\"nonce\":\"" ZEROS "\",\"proof\":null}",
        "{\"nonce\":\"" ZEROS "\",\"proof\":\"" ZEROS "\"}",
        "{\"error\":{\"code\":-32600,\"message\":\"unauthorized\"}}" };

    for (size_t i = 0; i < COUNT_OF(rows) + COUNT_OF(for_others); i++) {
        const char *line = i < COUNT_OF(rows) ? rows[i].line : for_others[i - COUNT_OF(rows)];
        struct pair pair;
        struct buffer out = { 0 };

        begin(&pair, 7, 7, 1);
        CHECK_INT(line, proof_take(&pair.client, line, strlen(line), &out), PROOF_REFUSED);
        CHECK_INT(line, proof_take(&pair.server, line, strlen(line), &out),
                i < COUNT_OF(rows) ? rows[i].of_new_server : PROOF_REFUSED);
        buffer_free(&out);
        finish(&pair);
        /* A server that has said its part. */
        begin(&pair, 7, 7, 1);
        (void)give(&pair.server, &pair.of_client, &pair.of_server);
        CHECK_INT(line, proof_take(&pair.server, line, strlen(line), &out), PROOF_REFUSED);
        CHECK_INT(line, (long long)out.length, 0);
        buffer_free(&out);
        finish(&pair);
    }
}

static void a_long_line_is_not_read(void **state)
{
    static const char hello[] = "{\"hello\":{\"nonce\":\"" ZEROS "\"}}";
    static char line[PROOF_LINE_BYTES + 1];
    struct buffer out = { 0 };
    struct pair pair;

    memset(line, ' ', sizeof line);
    memcpy(line, hello, strlen(hello));
    begin(&pair, 7, 7, 1);
    assert_int_equal(proof_take(&pair.server, line, sizeof line, &out), PROOF_REFUSED);
    finish(&pair);
    begin(&pair, 7, 7, 1);
    assert_int_equal(proof_take(&pair.server, line, sizeof line - 1, &out), PROOF_MORE);
    finish(&pair);
    buffer_free(&out);
}

static void hex_comes_back_as_it_was(void **state)
{
    uint8_t bytes[PROOF_BYTES];
    uint8_t read[PROOF_BYTES] = { 0 };
    char text[PROOF_HEX_BYTES];

    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 8 + 5);
    proof_to_hex(bytes, text);
    assert_int_equal(strlen(text), 64);
    assert_true(proof_from_hex(text, read));
    assert_memory_equal(read, bytes, sizeof bytes);
    for (char *at = text; *at != '\0'; at++)
        if (*at >= 'a')
            *at = (char)(*at - 'a' + 'A');
    assert_true(proof_from_hex(text, read));
    text[63] = 'g';
    assert_false(proof_from_hex(text, read));
    text[63] = '\0';
    assert_false(proof_from_hex(text, read));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_knows_the_token_is_let_in),
        cmocka_unit_test(says_what_the_protocol_says),
        cmocka_unit_test(another_token_is_refused_by_either_end),
        cmocka_unit_test(what_was_heard_cannot_be_used_again),
        cmocka_unit_test(what_was_said_cannot_be_sent_back),
        cmocka_unit_test(one_mistake_is_the_end),
        cmocka_unit_test(anything_else_is_refused),
        cmocka_unit_test(a_long_line_is_not_read),
        cmocka_unit_test(hex_comes_back_as_it_was),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
