#ifndef WEBUI_HTTP_H
#define WEBUI_HTTP_H

#include <stdbool.h>
#include <stddef.h>

/* HTTP/1.x requests as far as a server that reads no bodies needs them: bytes in, fields out.
 * Nothing here knows of sockets. */

enum http_method { HTTP_GET, HTTP_HEAD, HTTP_OTHER };

/* A piece of somebody else's bytes; not terminated by NUL. */
struct http_span {
    const char *text;
    size_t length;
};

/* Points into the bytes that were parsed and is good for as long as they are. */
struct http_request {
    enum http_method method;
    struct http_span line;  /* the whole request line: printable bytes, or above 127 */
    struct http_span path;  /* without the query; empty if the method is HTTP_OTHER */
    struct http_span query; /* what follows the '?' */
    bool keep_alive;        /* the client would like the connection to stay */
    bool has_body;          /* bytes follow that are not a request */
};

/* Looks for one request at the start of the bytes.
 *
 * Returns 1: *ret_request is filled and *ret_used says how many bytes it took; 0: more bytes are
 * needed; -1: this is not HTTP/1.x.  What can be refused early is refused early: a peer that
 * speaks something else need not wait for the time limit. */
int http_parse(
        const char *bytes, size_t length, struct http_request *ret_request, size_t *ret_used);

bool http_span_is(struct http_span span, const char *text);

#endif
