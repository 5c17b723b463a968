#ifndef SERVE_H
#define SERVE_H

#include <stddef.h>

/* What misbehave says to visitors; how it waits for them is each system's serve.c. */

#define REQUEST_MAX    8192
#define DRIP_EVERY_MS  1000
#define TLS_FIRST_BYTE 0x16
#define HEAD_MAX       256

enum manner {
    MANNER_HTTP,
    MANNER_SILENT,
    MANNER_BANNER,
    MANNER_DRIP,
    MANNER_CLOSE,
    MANNER_TLS,
    MANNER_RESET
};

/* A system's serve.c: goes on for ever with the options that are left in the script.  banner is for
 * MANNER_BANNER. */
_Noreturn void serve(enum manner manner, const char *banner);

#define ALERT_BYTES 7
extern const unsigned char serve_alert[ALERT_BYTES]; /* to who begins with TLS_FIRST_BYTE */

/* What the test wants to be said from now on, if it wants it in a file. */
void serve_read_answers(void);
void serve_format_head(char *ret_head, size_t body_length); /* HEAD_MAX bytes */
char serve_drip_byte(size_t at);

#endif
