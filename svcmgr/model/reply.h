/* Reading what came back from a probe.
 *
 * For the guard any byte is a sign of life, whatever it says.  For a health check the status line
 * decides. */
#ifndef SVCMGR_REPLY_H
#define SVCMGR_REPLY_H

#include <stdbool.h>
#include <stddef.h>

#define REPLY_MAX_BYTES  512 /* as much of a reply as is looked at */
#define REPLY_TEXT_BYTES 96

enum reply_kind {
    REPLY_PARTIAL, /* could still become an HTTP reply */
    REPLY_HTTP,
    REPLY_TLS,  /* an alert or a handshake record: a server that speaks TLS only */
    REPLY_OTHER /* some other protocol */
};

struct reply {
    enum reply_kind kind;
    int status; /* HTTP only: 100 to 999 */
};

struct reply reply_read(const char *bytes, size_t length);

/* 2xx or 3xx */
bool reply_is_healthy(const struct reply *reply);

/* "HTTP 200", "TLS", "SSH-2.0-OpenSSH_9.2", "6 bytes" ...: for messages; printable. */
void reply_describe(const char *bytes, size_t length, char *ret_text, size_t size);

/* A GET for a probe, ready to send; returns its length. */
size_t reply_request(const char *path, const char *host, char *ret_text, size_t size);

/* A TLS 1.2 ClientHello (RFC 5246, 7.4.1.2), enough for any TLS server to answer something. */
const unsigned char *reply_client_hello(size_t *ret_length);

#endif
