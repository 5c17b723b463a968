#include "serve.h"

#include <stdio.h>
#include <stdlib.h>

#include "script.h"

/* Fatal: handshake_failure. */
const unsigned char serve_alert[ALERT_BYTES] = { 0x15, 3, 1, 0, 2, 2, 40 };

void serve_read_answers(void)
{
    FILE *file = settings.answers != NULL ? fopen(settings.answers, "rb") : NULL;
    char text[64] = "";
    char *end;

    if (file == NULL)
        return;
    if (fgets(text, sizeof text, file) == NULL)
        script_refuse((struct fault) { REFUSAL_EMPTY, .about = settings.answers });
    fclose(file);
    settings.status = (int)strtol(text, &end, 10);
    settings.slow_ms = (int)strtol(end, NULL, 10);
}

void serve_format_head(char *ret_head, size_t body_length)
{
    snprintf(ret_head, HEAD_MAX,
            "HTTP/1.1 %d Asked For\r\nContent-Type: application/json\r\n"
            "Content-Length: %zu\r\nConnection: close\r\n\r\n",
            settings.status, body_length);
}

char serve_drip_byte(size_t at)
{
    static const char text[] = "HTTP/1.1 200 OK\r\nX-Drip: ";

    return at < sizeof text - 1 ? text[at] : 'x';
}

void word_serve(char **arguments)
{
    (void)arguments;
    serve(MANNER_HTTP, NULL);
}

void word_accept_silent(char **arguments)
{
    (void)arguments;
    serve(MANNER_SILENT, NULL);
}

void word_banner(char **arguments)
{
    serve(MANNER_BANNER, arguments[0]);
}

void word_drip(char **arguments)
{
    (void)arguments;
    serve(MANNER_DRIP, NULL);
}

void word_close_at_once(char **arguments)
{
    (void)arguments;
    serve(MANNER_CLOSE, NULL);
}

void word_tls_like(char **arguments)
{
    (void)arguments;
    serve(MANNER_TLS, NULL);
}

void word_rst(char **arguments)
{
    (void)arguments;
    serve(MANNER_RESET, NULL);
}
