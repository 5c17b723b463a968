#include "reply.h"

#include <stdio.h>
#include <string.h>

#include "str.h"

#include "banned.h"

/* "HTTP/1.1 200" */
#define STATUS_LINE_BYTES 12

struct reply reply_read(const char *bytes, size_t length)
{
    static const char prefix[] = "HTTP/1.";
    size_t known = length < sizeof prefix - 1 ? length : sizeof prefix - 1;

    /* A TLS record: content type 20 to 23, then version major 3: RFC 8446, 5.1. */
    if (length >= 1 && bytes[0] >= 20 && bytes[0] <= 23)
        return (struct reply) { .kind = length == 1 || bytes[1] == 3 ? REPLY_TLS : REPLY_OTHER };
    if (memcmp(bytes, prefix, known) != 0)
        return (struct reply) { .kind = REPLY_OTHER };
    if (length < STATUS_LINE_BYTES)
        return (struct reply) { .kind = REPLY_PARTIAL };
    if (bytes[8] != ' ' || bytes[9] < '1' || bytes[9] > '9' || !str_is_digit(bytes[10]) ||
            !str_is_digit(bytes[11]))
        return (struct reply) { .kind = REPLY_OTHER };
    return (struct reply) {
        .kind = REPLY_HTTP,
        .status = (bytes[9] - '0') * 100 + (bytes[10] - '0') * 10 + (bytes[11] - '0'),
    };
}

bool reply_is_healthy(const struct reply *reply)
{
    return reply->kind == REPLY_HTTP && reply->status >= 200 && reply->status < 400;
}

void reply_describe(const char *bytes, size_t length, char *ret_text, size_t size)
{
    struct reply reply = reply_read(bytes, length);
    char line[REPLY_TEXT_BYTES];
    size_t end = 0;

    switch (reply.kind) {
    case REPLY_HTTP:
        (void)snprintf(ret_text, size, "HTTP %d", reply.status);
        return;
    case REPLY_TLS:
        (void)snprintf(ret_text, size, "TLS");
        return;
    case REPLY_PARTIAL:
    case REPLY_OTHER:
        break;
    }
    while (end < length && end + 1 < sizeof line && (unsigned char)bytes[end] >= 0x20 &&
            (unsigned char)bytes[end] < 0x7F) {
        line[end] = bytes[end];
        end++;
    }
    line[end] = '\0';
    if (end >= 3)
        (void)snprintf(ret_text, size, "\"%s\"", line);
    else
        (void)snprintf(ret_text, size, "%zu byte%s", length, length == 1 ? "" : "s");
}

size_t reply_request(const char *path, const char *host, char *ret_text, size_t size)
{
    int length = snprintf(ret_text, size,
            "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: svcmgr\r\nAccept: */*\r\n"
            "Connection: close\r\n\r\n",
            path, host);

    return length > 0 && (size_t)length < size ? (size_t)length : 0;
}

const unsigned char *reply_client_hello(size_t *ret_length)
{
    /* clang-format off */
    static const unsigned char hello[] = {
        0x16, 0x03, 0x01, 0x00, 0x3B,       /* record: handshake, 59 bytes */
        0x01, 0x00, 0x00, 0x37,             /* ClientHello, 55 bytes */
        0x03, 0x03,                         /* TLS 1.2 */
        's', 'v', 'c', 'm', 'g', 'r', ' ', 'p', 'r', 'o', 'b', 'e', 's', ' ', 't', 'h',
        'i', 's', ' ', 'p', 'o', 'r', 't', ' ', 'o', 'n', 'c', 'e', '.', '.', '.', '.',
        0x00,                               /* no session */
        0x00, 0x06,                         /* cipher suites */
        0xC0, 0x2F,                         /* ECDHE-RSA-AES128-GCM-SHA256 */
        0xC0, 0x2B,                         /* ECDHE-ECDSA-AES128-GCM-SHA256 */
        0x00, 0x2F,                         /* RSA-AES128-SHA */
        0x01, 0x00,                         /* no compression */
        0x00, 0x08,                         /* extensions, 8 bytes */
        0x00, 0x0D, 0x00, 0x04, 0x00, 0x02, 0x04, 0x01, /* signature_algorithms: rsa_pkcs1_sha256 */
    };
    /* clang-format on */

    *ret_length = sizeof hello;
    return hello;
}
