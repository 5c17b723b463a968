/* A live probe of one address: connect, ask, see what comes back, all within one deadline.
 *
 * It runs in the loop: probe_start(), then probe_on_event() for every event whose owner is the
 * probe and probe_on_time() when probe_deadline() has passed, until the verdict is not PENDING. */
#ifndef SVCMGR_PROBE_H
#define SVCMGR_PROBE_H

#include <stdbool.h>
#include <stdint.h>

#include "address.h"
#include "platform.h"
#include "reply.h"

#define PROBE_PATH_BYTES 1024

enum probe_purpose {
    PROBE_FOR_LIFE,  /* any byte is a sign of life; silence is asked once more in TLS */
    PROBE_FOR_HTTP,  /* the status line decides */
    PROBE_FOR_ACCEPT /* a program has to take the connection out of the backlog */
};

enum probe_verdict {
    PROBE_PENDING,
    PROBE_REFUSED, /* nobody listens (or it was a connection to itself) */
    PROBE_SILENT,  /* accepted, or about to be, and no byte came in time */
    PROBE_ALIVE    /* bytes came (PROBE_FOR_ACCEPT: it was accepted) */
};

struct probe {
    struct address address;
    enum probe_purpose purpose;
    enum probe_verdict verdict;
    int role;
    struct platform_source *source; /* NULL: no connection now */
    bool in_tls;
    bool connected; /* it was accepted at least once */
    int64_t started_us;
    int64_t ended_us;
    int64_t deadline_ms;
    int64_t look_ms; /* PROBE_FOR_ACCEPT: when to look again */
    int64_t pause_ms;
    char path[PROBE_PATH_BYTES];
    char bytes[REPLY_MAX_BYTES];
    size_t length;
};

/* Begins; a probe that ran before is stopped first.  'role' comes back in its events, whose owner
 * is the probe. */
void probe_start(struct probe *probe, const struct address *address, const char *path,
        enum probe_purpose purpose, int64_t timeout_ms, int role);
void probe_on_event(struct probe *probe, const struct platform_event *event);
void probe_on_time(struct probe *probe, int64_t now_ms);
int64_t probe_deadline(const struct probe *probe);
/* Ends it without a verdict; fine on one that never ran. */
void probe_stop(struct probe *probe);

/* Asks and waits for the verdict: for commands that do nothing else meanwhile. */
enum probe_verdict probe_now(
        struct probe *probe, const struct address *address, const char *path, int64_t timeout_ms);

/* "HTTP 200", "TLS", "no answer in 2s" ... */
void probe_describe(const struct probe *probe, char *ret_text, size_t size);

#endif
