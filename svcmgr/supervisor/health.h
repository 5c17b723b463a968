/* Health checks of one generation: when to ask, what an answer means, when it is too bad.
 *
 * While a generation starts it is asked at 1, 2, 4 ... 250 ms; when it is ready, every interval.
 * One late answer never kills: 'failures' of them in a row do.  The checks themselves (a probe, or
 * a command) are started by the supervisor, which calls health_result(). */
#ifndef SVCMGR_HEALTH_H
#define SVCMGR_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

#include "config.h"
#include "probe.h"

#define HEALTH_FIRST_PAUSE_MS 1
#define HEALTH_MAX_PAUSE_MS   250
#define HEALTH_TEXT_BYTES     192

struct health {
    bool active;
    bool checking; /* a probe or command is under way */
    bool ready;    /* the generation is: the interval counts, not the starting pace */
    int64_t next_ms;
    int64_t pause_ms;
    int64_t grace_until_ms; /* start_period: failures before it do not count */
    int64_t failures;       /* in a row */
    bool ever;              /* a check has ended */
    bool answered;          /* somebody took a probe out of the backlog, whatever it said */
    bool healthy;           /* the last one was good */
    int64_t latency_us;
    int64_t wall_us;
    int64_t started_us;
    char text[HEALTH_TEXT_BYTES]; /* what the last check saw */
    struct probe probe;
};

enum health_verdict { HEALTH_NOTHING, HEALTH_IS_READY, HEALTH_IS_SICK, HEALTH_IS_WELL };

void health_begin(struct health *health, const struct config *config, int64_t now_ms);
void health_stop(struct health *health);
/* The generation is ready (whoever said so): from now on the interval counts. */
void health_is_ready(struct health *health, const struct config *config, int64_t now_ms);

/* Whether it is time for a check; if so it counts as begun. */
bool health_is_due(struct health *health, int64_t now_ms);
int64_t health_deadline(const struct health *health);

/* A check has ended.  'text' says what it saw. */
enum health_verdict health_result(struct health *health, const struct config *config, bool good,
        const char *text, int64_t now_ms);

/* Reads the verdict of health->probe: whether it is good, and what to say. */
bool health_read_probe(
        const struct health *health, const struct config *config, char *ret_text, size_t size);

#endif
