#ifndef WEBUI_ANSWER_H
#define WEBUI_ANSWER_H

#include <stdbool.h>
#include <stdint.h>

#include "http.h"

/* What there is to tell about this process.  One per process; what it points to lives as long. */
struct server_facts {
    const char *name;       /* SVCMGR_NAME */
    const char *generation; /* SVCMGR_GENERATION; NULL if it is not a number */
    const char *address;
    bool inherited; /* the socket was handed over */
    bool stopping;
    int64_t started_ms; /* monotonic */
    uint64_t requests;
};

/* What to say to a request; plain data, but for part[0].text, which may point to its own text. */
struct answer {
    int status;
    int delay_ms; /* to wait before the first byte is sent */
    const char *content_type;
    struct http_span part[2]; /* the body */
    char text[768];
};

/* Answers what http_parse() has found. */
void answer_request(const struct http_request *request, const struct server_facts *facts,
        int64_t now_ms, struct answer *ret_answer);

/* Answers what cannot be answered otherwise: 400, 431. */
void answer_error(int status, struct answer *ret_answer);

/* Writes status line and headers, without a NUL; returns their length, which is below 400. */
size_t answer_format_head(
        const struct answer *answer, bool keep_alive, char *ret_text, size_t size);

#endif
