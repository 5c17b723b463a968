#include "unit.h"

#include "reply.h"

#include "banned.h"

static const struct {
    const char *name;
    const char *bytes;
    size_t length;
    enum reply_kind kind;
    int status;
    bool healthy;
    const char *said;
} rows[] = {
#define BYTES(text) text, sizeof(text) - 1
    { "a page", BYTES("HTTP/1.1 200 OK\r\n\r\n"), REPLY_HTTP, 200, true, "HTTP 200" },
    { "nothing to say", BYTES("HTTP/1.1 204 "), REPLY_HTTP, 204, true, "HTTP 204" },
    { "moved", BYTES("HTTP/1.0 302 Found\r\n"), REPLY_HTTP, 302, true, "HTTP 302" },
    { "the last one that is healthy", BYTES("HTTP/1.1 399"), REPLY_HTTP, 399, true, "HTTP 399" },
    { "not found", BYTES("HTTP/1.1 404 Not Found\r\n"), REPLY_HTTP, 404, false, "HTTP 404" },
    { "degraded", BYTES("HTTP/1.1 503 x"), REPLY_HTTP, 503, false, "HTTP 503" },
    { "go on", BYTES("HTTP/1.1 100 Continue"), REPLY_HTTP, 100, false, "HTTP 100" },
    { "the first number that is not healthy", BYTES("HTTP/1.1 199"), REPLY_HTTP, 199, false,
            "HTTP 199" },
    { "an unheard-of number", BYTES("HTTP/1.1 999"), REPLY_HTTP, 999, false, "HTTP 999" },

    { "no byte", BYTES(""), REPLY_PARTIAL, 0, false, "0 bytes" },
    { "its first byte", BYTES("H"), REPLY_PARTIAL, 0, false, "1 byte" },
    { "up to the version", BYTES("HTTP/1."), REPLY_PARTIAL, 0, false, "\"HTTP/1.\"" },
    { "all but the last digit", BYTES("HTTP/1.1 20"), REPLY_PARTIAL, 0, false, "\"HTTP/1.1 20\"" },

    { "no digit", BYTES("HTTP/1.1 2x0 OK"), REPLY_OTHER, 0, false, "\"HTTP/1.1 2x0 OK\"" },
    { "no last digit", BYTES("HTTP/1.1 20x OK"), REPLY_OTHER, 0, false, "\"HTTP/1.1 20x OK\"" },
    { "below 100", BYTES("HTTP/1.1 099 OK"), REPLY_OTHER, 0, false, "\"HTTP/1.1 099 OK\"" },
    { "beyond a digit", BYTES("HTTP/1.1 :00 OK"), REPLY_OTHER, 0, false, "\"HTTP/1.1 :00 OK\"" },
    { "no blank", BYTES("HTTP/1.1_200 OK"), REPLY_OTHER, 0, false, "\"HTTP/1.1_200 OK\"" },
    { "another version", BYTES("HTTP/2 200 OK\r\n"), REPLY_OTHER, 0, false, "\"HTTP/2 200 OK\"" },
    { "another protocol", BYTES("SSH-2.0-OpenSSH_9.2p1\r\nx"), REPLY_OTHER, 0, false,
            "\"SSH-2.0-OpenSSH_9.2p1\"" },
    { "an error of Redis", BYTES("-ERR wrong\r\n"), REPLY_OTHER, 0, false, "\"-ERR wrong\"" },
    { "not enough to show", BYTES("ok\n"), REPLY_OTHER, 0, false, "3 bytes" },
    { "bytes that are no text", BYTES("\x80\x81\x82\x83"), REPLY_OTHER, 0, false, "4 bytes" },
    { "a NUL", BYTES("\0HTTP"), REPLY_OTHER, 0, false, "5 bytes" },

    { "a TLS alert", BYTES("\x15\x03\x01\x00\x02\x02\x46"), REPLY_TLS, 0, false, "TLS" },
    { "a TLS handshake", BYTES("\x16\x03\x03"), REPLY_TLS, 0, false, "TLS" },
    { "the first byte of one", BYTES("\x15"), REPLY_TLS, 0, false, "TLS" },
    { "the last kind of record", BYTES("\x17\x03"), REPLY_TLS, 0, false, "TLS" },
    { "the first kind of record", BYTES("\x14\x03"), REPLY_TLS, 0, false, "TLS" },
    { "no kind of record", BYTES("\x18\x03"), REPLY_OTHER, 0, false, "2 bytes" },
    { "no kind of record either", BYTES("\x13\x03"), REPLY_OTHER, 0, false, "2 bytes" },
    { "no version of TLS", BYTES("\x16\x02\x00"), REPLY_OTHER, 0, false, "3 bytes" },
};

static void reads_what_came_back(void **state)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct reply reply = reply_read(rows[i].bytes, rows[i].length);
        char said[REPLY_TEXT_BYTES];

        CHECK_INT(rows[i].name, reply.kind, rows[i].kind);
        CHECK_INT(rows[i].name, reply.status, rows[i].status);
        CHECK(rows[i].name, reply_is_healthy(&reply) == rows[i].healthy);
        reply_describe(rows[i].bytes, rows[i].length, said, sizeof said);
        CHECK_TEXT(rows[i].name, said, rows[i].said);
    }
}

/* A reply that comes in pieces is never taken for something else before it is whole. */
static void waits_for_a_whole_status_line(void **state)
{
    static const char text[] = "HTTP/1.1 200 OK\r\n";

    for (size_t length = 0; length < sizeof text; length++) {
        struct reply reply = reply_read(text, length);

        assert_int_equal(reply.kind, length < 12 ? REPLY_PARTIAL : REPLY_HTTP);
    }
}

static void shows_as_much_as_fits(void **state)
{
    char line[300];
    char said[REPLY_TEXT_BYTES];

    memset(line, 'x', sizeof line);
    reply_describe(line, sizeof line, said, sizeof said);
    assert_int_equal(strlen(said), REPLY_TEXT_BYTES - 1);
    assert_memory_equal(said, "\"xxxx", 5);
    reply_describe(line, sizeof line, said, 8);
    assert_string_equal(said, "\"xxxxxx");
}

static void asks(void **state)
{
    char text[256];
    const char *expected = "GET /health HTTP/1.1\r\nHost: 127.0.0.1:8787\r\n"
                           "User-Agent: svcmgr\r\nAccept: */*\r\nConnection: close\r\n\r\n";
    size_t length = reply_request("/health", "127.0.0.1:8787", text, sizeof text);

    assert_int_equal(length, strlen(expected));
    assert_string_equal(text, expected);
    assert_int_equal(reply_request("/health", "127.0.0.1:8787", text, length), 0);
    assert_int_equal(reply_request("/health", "127.0.0.1:8787", text, length + 1), length);
}

static size_t number_at(const unsigned char *bytes, size_t count)
{
    size_t number = 0;

    for (size_t i = 0; i < count; i++)
        number = number << 8 | bytes[i];
    return number;
}

/* The lengths inside of a ClientHello must add up, or servers do not answer it. */
static void says_hello_in_tls(void **state)
{
    size_t length;
    const unsigned char *hello = reply_client_hello(&length);
    size_t at;

    assert_int_equal(hello[0], 0x16);
    assert_int_equal(number_at(hello + 3, 2), length - 5);
    assert_int_equal(hello[5], 1);
    assert_int_equal(number_at(hello + 6, 3), length - 9);
    assert_int_equal(number_at(hello + 9, 2), 0x0303);
    at = 11 + 32;
    at += 1 + hello[at];                /* session */
    at += 2 + number_at(hello + at, 2); /* cipher suites */
    at += 1 + (size_t)hello[at];        /* compression */
    assert_int_equal(number_at(hello + at, 2), length - at - 2);
    assert_int_equal(number_at(hello + at + 4, 2), length - at - 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_came_back),
        cmocka_unit_test(waits_for_a_whole_status_line),
        cmocka_unit_test(shows_as_much_as_fits),
        cmocka_unit_test(asks),
        cmocka_unit_test(says_hello_in_tls),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
