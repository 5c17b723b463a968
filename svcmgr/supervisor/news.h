/* What the launcher is told: launcher.h.
 *
 * The supervisor tells it, not the keeper, so that one that hangs is silent.  A launcher that does
 * not read is told again a little later, and never waited for. */
#ifndef SVCMGR_NEWS_H
#define SVCMGR_NEWS_H

#include <stdbool.h>
#include <stdint.h>

struct supervisor;

struct news {
    bool is_ready;        /* it was told so: it does not wait for the start any more */
    bool is_reloading;    /* it was told so, and waits for the end of that */
    bool is_stopping;     /* it was told of the end */
    bool is_over;         /* nothing is to be told any more */
    int64_t deadline_ms;  /* until when it was told to wait */
    int64_t again_at_ms;  /* PLATFORM_NEVER: it was told everything */
    int64_t extend_at_ms; /* what has no deadline goes on: it is told to wait longer */
    int64_t ping_at_ms;   /* PLATFORM_NEVER: it wants none */
    int64_t ping_every_ms;
};

/* The launcher is known; one that runs us alone, without a keeper, is told nothing. */
void news_begin(struct supervisor *sup);
/* The keeper is gone, and so is what the launcher had started: it is told nothing any more. */
void news_end(struct supervisor *sup);
/* Tells it what is so now. */
void news_tell(struct supervisor *sup);
/* Before what stands in the way of a supervisor that is not in its loop yet. */
void news_wait(struct supervisor *sup, const char *sentence, int64_t limit_ms);
/* The sockets of the service are others now. */
void news_sockets(struct supervisor *sup);
/* Around a reload. */
void news_reload_begins(struct supervisor *sup);
void news_reload_ends(struct supervisor *sup);
/* After every event: what it waits for may take longer than it was told. */
void news_look(struct supervisor *sup);
void news_on_time(struct supervisor *sup, int64_t now_ms);
int64_t news_deadline(const struct supervisor *sup);

#endif
