/* What the loop watches; shared by posix_loop.c and posix_source.c. */
#ifndef SVCMGR_POSIX_SOURCE_H
#define SVCMGR_POSIX_SOURCE_H

#include <poll.h>

#include "posix.h"
#include "send_queue.h"

enum source_kind {
    SOURCE_FREE,
    SOURCE_STREAM,
    SOURCE_CONNECTING,
    SOURCE_LISTENER,
    SOURCE_NOTIFY,
    SOURCE_CHANNEL,
    SOURCE_FAILURE,
    SOURCE_PROCESS
};

struct platform_source {
    enum source_kind kind;
    int fd;
    int role;
    void *owner;
    int64_t pid;  /* SOURCE_PROCESS */
    bool fresh;   /* made since the last poll: its readiness is not known yet */
    bool ended;   /* END was told: nothing more comes */
    bool is_pipe; /* write(2), not send(2) */
    bool paused;
    bool awaits_close;       /* after the end: until the other side has closed everything */
    int close_watch;         /* tells when to look for that; -1: 'fd' does */
    struct send_queue queue; /* what could not be sent yet */
};

#define LOOP_SIGNALS_MAX 32

/* What is used together lies together, and nothing is set before it is used: an idle process has
 * few pages of its own. */
struct platform_loop_state {
    bool is_open; /* signals are taken */
    bool children_may_have_ended;
    int64_t polled_since_end; /* the ended child after whose end everything was polled; or 0 */
    bool told_timer;
    unsigned hushed; /* roles, as bits */
    int signal_pipe[2];
    pid_t left_unreaped;
    unsigned char signals[LOOP_SIGNALS_MAX];
    size_t signal_count;
    size_t polled_count;
    size_t next;
    size_t used; /* highest place in use, plus one */
    struct pollfd fds[PLATFORM_SOURCES_MAX + 1];
    struct platform_source *polled[PLATFORM_SOURCES_MAX];
    struct platform_source sources[PLATFORM_SOURCES_MAX];
};

extern struct platform_loop_state platform_loop;

/* A signal arrives as an event from now on. */
void posix_take_signal(int number);

/* The poll events that a source waits for (0: none now), and of which descriptor. */
short posix_source_interest(const struct platform_source *source);
int posix_source_fd(const struct platform_source *source);

/* Turns readiness into an event; false when there is nothing to tell. */
bool posix_source_handle(
        struct platform_source *source, short revents, struct platform_event *event);

#endif
