#include "http.h"

#include <string.h>
#include <strings.h>

#define METHOD_BYTES_MAX 32

/* What the headers said, while they are being read. */
struct headers {
    unsigned hosts;
    bool close;
    bool keep_alive;
    bool has_body;
};

bool http_span_is(struct http_span span, const char *text)
{
    return strlen(text) == span.length && memcmp(span.text, text, span.length) == 0;
}

static bool span_is_word(struct http_span span, const char *word)
{
    return strlen(word) == span.length && strncasecmp(span.text, word, span.length) == 0;
}

static struct http_span span_trim(struct http_span span)
{
    while (span.length > 0 && (*span.text == ' ' || *span.text == '\t')) {
        span.text++;
        span.length--;
    }
    while (span.length > 0 &&
            (span.text[span.length - 1] == ' ' || span.text[span.length - 1] == '\t'))
        span.length--;
    return span;
}

/* Takes what stands before the separator, or everything, off the front of *rest. */
static struct http_span span_split(struct http_span *rest, char separator)
{
    const char *at = memchr(rest->text, separator, rest->length);
    struct http_span first = { rest->text, at ? (size_t)(at - rest->text) : rest->length };
    size_t taken = first.length + (at != NULL);

    rest->text += taken;
    rest->length -= taken;
    return first;
}

/* RFC 9110's token, of which methods and header names are made. */
static bool is_token(struct http_span span)
{
    for (size_t i = 0; i < span.length; i++) {
        char c = span.text[i];
        bool alphanumeric =
                (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');

        if (!alphanumeric && (c == '\0' || strchr("!#$%&'*+-.^_`|~", c) == NULL))
            return false;
    }
    return span.length > 0;
}

static bool has_control(struct http_span span, unsigned char lowest_allowed)
{
    for (size_t i = 0; i < span.length; i++) {
        unsigned char c = (unsigned char)span.text[i];

        if ((c < lowest_allowed && c != '\t') || c == 0x7f || (c == '\t' && lowest_allowed > ' '))
            return true;
    }
    return false;
}

/* A line without its end.  Bare LF is taken as an end too, as RFC 9112 permits. */
static bool take_line(struct http_span *rest, struct http_span *ret_line)
{
    if (memchr(rest->text, '\n', rest->length) == NULL)
        return false;
    *ret_line = span_split(rest, '\n');
    if (ret_line->length > 0 && ret_line->text[ret_line->length - 1] == '\r')
        ret_line->length--;
    return true;
}

static int parse_target(struct http_span target, struct http_request *request)
{
    /* The form that clients send to a proxy must be accepted by every server. */
    if (target.length > 7 && strncasecmp(target.text, "http://", 7) == 0) {
        const char *slash = memchr(target.text + 7, '/', target.length - 7);

        if (slash == NULL)
            return -1;
        target.length -= (size_t)(slash - target.text);
        target.text = slash;
    }
    if (target.text[0] != '/')
        return -1;
    request->path = span_split(&target, '?');
    request->query = target;
    return 0;
}

static int parse_request_line(struct http_span line, struct http_request *request, int *ret_minor)
{
    struct http_span rest = line;
    struct http_span method = span_split(&rest, ' ');
    struct http_span target = span_split(&rest, ' ');

    if (!is_token(method) || method.length > METHOD_BYTES_MAX || target.length == 0 ||
            has_control(target, '!'))
        return -1;
    if (rest.length != 8 || memcmp(rest.text, "HTTP/1.", 7) != 0 || rest.text[7] < '0' ||
            rest.text[7] > '9')
        return -1;
    *ret_minor = rest.text[7] - '0';
    request->line = line;
    request->method = HTTP_OTHER;
    if (http_span_is(method, "GET"))
        request->method = HTTP_GET;
    else if (http_span_is(method, "HEAD"))
        request->method = HTTP_HEAD;
    else
        return 0; /* 'OPTIONS *' and 'CONNECT host:1' have targets that are no paths */
    return parse_target(target, request);
}

static int parse_content_length(struct http_span value, bool *ret_has_body)
{
    for (size_t i = 0; i < value.length; i++) {
        if (value.text[i] < '0' || value.text[i] > '9')
            return -1;
        if (value.text[i] != '0')
            *ret_has_body = true;
    }
    return value.length > 0 ? 0 : -1;
}

static int parse_header(struct http_span line, struct headers *headers)
{
    struct http_span value = line;
    struct http_span name = span_split(&value, ':');

    /* A name is followed by its colon at once; a folded line begins with a blank: both are how
     * one server is made to see a header that another does not. */
    if (name.length == line.length || !is_token(name) || has_control(value, ' '))
        return -1;
    value = span_trim(value);
    if (span_is_word(name, "Host"))
        headers->hosts++;
    else if (span_is_word(name, "Transfer-Encoding"))
        headers->has_body = true;
    else if (span_is_word(name, "Content-Length"))
        return parse_content_length(value, &headers->has_body);
    else if (span_is_word(name, "Connection")) {
        while (value.length > 0) {
            struct http_span word = span_trim(span_split(&value, ','));

            headers->close = headers->close || span_is_word(word, "close");
            headers->keep_alive = headers->keep_alive || span_is_word(word, "keep-alive");
        }
    }
    return 0;
}

/* The first line has not ended yet: can it become a request line at all? */
static bool may_become_request(struct http_span rest)
{
    struct http_span method = span_split(&rest, ' ');

    if (method.length > 0 && method.text[method.length - 1] == '\r')
        return method.length == 1;
    return method.length == 0 || (is_token(method) && method.length <= METHOD_BYTES_MAX);
}

int http_parse(const char *bytes, size_t length, struct http_request *ret_request, size_t *ret_used)
{
    struct http_span rest = { bytes, length };
    struct http_span line = { bytes, 0 };
    struct http_request request = { .method = HTTP_OTHER };
    struct headers headers = { 0 };
    int minor;

    /* RFC 9112: empty lines before a request are to be passed over. */
    do {
        if (!take_line(&rest, &line))
            return may_become_request(rest) ? 0 : -1;
    } while (line.length == 0);
    if (parse_request_line(line, &request, &minor) == -1)
        return -1;
    for (;;) {
        if (!take_line(&rest, &line))
            return 0;
        if (line.length == 0)
            break;
        if (parse_header(line, &headers) == -1)
            return -1;
    }
    if (headers.hosts > 1 || (headers.hosts == 0 && minor > 0))
        return -1;
    request.has_body = headers.has_body;
    request.keep_alive = !headers.close && (minor > 0 || headers.keep_alive);
    *ret_request = request;
    *ret_used = length - rest.length;
    return 1;
}
