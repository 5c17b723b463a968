#include "answer.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "net.h"
#include "page.h"

#define SLOW_MS_MAX 10000

static const char json_type[] = "application/json";

static const char *reason(int status)
{
    switch (status) {
    case 200:
        return "OK";
    case 400:
        return "Bad Request";
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed";
    case 431:
        return "Request Header Fields Too Large";
    case 503:
        return "Service Unavailable";
    default:
        return "Unknown";
    }
}

static void set_text_body(struct answer *answer, const char *content_type)
{
    answer->content_type = content_type;
    answer->part[0] = (struct http_span) { answer->text, strlen(answer->text) };
    answer->part[1] = (struct http_span) { answer->text, 0 };
}

void answer_error(int status, struct answer *ret_answer)
{
    ret_answer->status = status;
    ret_answer->delay_ms = 0;
    snprintf(ret_answer->text, sizeof ret_answer->text, "{\"error\":\"%s\"}\n", reason(status));
    set_text_body(ret_answer, json_type);
}

/* Makes a JSON string of it, without the quotes; what does not fit is left out. */
static void json_escape(const char *text, char *ret_text, size_t size)
{
    size_t used = 0;

    for (; *text != '\0' && used + 7 <= size; text++) {
        unsigned char c = (unsigned char)*text;

        if (c < ' ' || c == '"' || c == '\\' || c > 0x7e)
            used += (size_t)snprintf(ret_text + used, size - used, "\\u%04x", c);
        else
            ret_text[used++] = *text;
    }
    ret_text[used] = '\0';
}

static void answer_status(
        const struct server_facts *facts, int64_t now_ms, struct answer *ret_answer)
{
    char name[192], address[192];

    json_escape(facts->name, name, sizeof name);
    json_escape(facts->address, address, sizeof address);
    ret_answer->status = 200;
    snprintf(ret_answer->text, sizeof ret_answer->text,
            "{\"name\":\"%s\",\"generation\":%s,\"pid\":%ld,\"state\":\"%s\",\"uptime_ms\":%lld,"
            "\"requests\":%llu,\"socket\":\"%s\",\"address\":\"%s\"}\n",
            name, facts->generation ? facts->generation : "null", net_pid(),
            facts->stopping ? "draining" : "ready", (long long)(now_ms - facts->started_ms),
            (unsigned long long)facts->requests, facts->inherited ? "inherited" : "own", address);
    set_text_body(ret_answer, json_type);
}

/* The number after 'ms=' in the query, at most SLOW_MS_MAX; 0 if there is none. */
static int delay_from_query(struct http_span query)
{
    size_t at = 0;
    int value = 0;

    while (query.length - at >= 3 && memcmp(query.text + at, "ms=", 3) != 0) {
        while (at < query.length && query.text[at] != '&')
            at++;
        if (at++ == query.length)
            return 0;
    }
    if (query.length - at < 3)
        return 0;
    for (at += 3; at < query.length && value < SLOW_MS_MAX; at++) {
        if (query.text[at] < '0' || query.text[at] > '9')
            break;
        value = value * 10 + (query.text[at] - '0');
    }
    return value < SLOW_MS_MAX ? value : SLOW_MS_MAX;
}

void answer_request(const struct http_request *request, const struct server_facts *facts,
        int64_t now_ms, struct answer *ret_answer)
{
    ret_answer->delay_ms = 0;
    if (request->method == HTTP_OTHER) {
        answer_error(405, ret_answer);
    } else if (http_span_is(request->path, "/")) {
        ret_answer->status = 200;
        ret_answer->content_type = "text/html; charset=utf-8";
        ret_answer->part[0] = (struct http_span) { page_style, strlen(page_style) };
        ret_answer->part[1] = (struct http_span) { page_content, strlen(page_content) };
    } else if (http_span_is(request->path, "/api/status")) {
        answer_status(facts, now_ms, ret_answer);
    } else if (http_span_is(request->path, "/health")) {
        ret_answer->status = facts->stopping ? 503 : 200;
        snprintf(ret_answer->text, sizeof ret_answer->text, "{\"status\":\"%s\"}\n",
                facts->stopping ? "draining" : "ok");
        set_text_body(ret_answer, json_type);
    } else if (http_span_is(request->path, "/slow")) {
        ret_answer->status = 200;
        ret_answer->delay_ms = delay_from_query(request->query);
        snprintf(ret_answer->text, sizeof ret_answer->text, "{\"slept_ms\":%d,\"pid\":%ld}\n",
                ret_answer->delay_ms, net_pid());
        set_text_body(ret_answer, json_type);
    } else {
        answer_error(404, ret_answer);
    }
}

/* The date changes once a second, and formatting it costs more than all the rest of an answer. */
static const char *http_date(void)
{
    static char text[40];
    static time_t formatted;
    time_t now = time(NULL);
    const struct tm *parts = now != formatted ? gmtime(&now) : NULL;

    if (parts != NULL) {
        strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", parts);
        formatted = now;
    }
    return text;
}

size_t answer_format_head(const struct answer *answer, bool keep_alive, char *ret_text, size_t size)
{
    int length = snprintf(ret_text, size,
            "HTTP/1.1 %d %s\r\n"
            "Date: %s\r\n"
            "Content-Type: %s\r\n"
            "Content-Length: %zu\r\n"
            "Cache-Control: no-store\r\n"
            "%s"
            "Connection: %s\r\n\r\n",
            answer->status, reason(answer->status), http_date(), answer->content_type,
            answer->part[0].length + answer->part[1].length,
            answer->status == 405 ? "Allow: GET, HEAD\r\n" : "",
            keep_alive ? "keep-alive" : "close");

    return length > 0 && (size_t)length < size ? (size_t)length : 0;
}
