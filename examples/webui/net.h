/* What a server needs of its system: sockets that do not block, waiting for several of them, the
 * wish to stop, and a few small things.  net.c, with net_posix.c or net_windows.c. */
#ifndef WEBUI_NET_H
#define WEBUI_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "http.h"

#if defined(__GNUC__) && !defined(__clang__)
/* For Windows gcc means the printf of Microsoft's library by "printf". */
#define NET_PRINTF(format_at, first_at) __attribute__((format(gnu_printf, format_at, first_at)))
#elif defined(__clang__)
#define NET_PRINTF(format_at, first_at) __attribute__((format(printf, format_at, first_at)))
#else
#define NET_PRINTF(format_at, first_at)
#endif

typedef intptr_t net_socket;
#define NET_NO_SOCKET ((net_socket)-1)

/* Before all else.  Returns 0, or -1. */
int net_begin(void);
int64_t net_now_ms(void); /* monotonic */
long net_pid(void);
/* To standard output, in one piece and at once. */
void net_print(const char *text, size_t length);
/* Why the last call has failed. */
const char *net_problem(void);

/* The sockets that the environment says this process was given: at most max.  Returns how many, 0
 * for none, -1 with a sentence in text. */
int net_take_passed(net_socket *ret_sockets, int max, char *text, size_t size);
/* Where a socket listens: for people, and the port (0: it has none). */
void net_describe(net_socket s, char *ret_url, size_t size, unsigned *ret_port);
/* A new one that listens on an IP address; none and a sentence in text if that cannot be. */
net_socket net_listen(const char *host, int port, char *text, size_t size);
void net_close(net_socket s);

#define NET_LATER  (-1) /* nothing can be done now */
#define NET_FAILED (-2)

/* A new connection; NET_NO_SOCKET if there is none after all.  *ret_is_exhausted: for want of
 * descriptors or memory. */
net_socket net_accept(net_socket listener, bool *ret_is_exhausted);
/* Is a connection waiting on this socket now? */
bool net_is_readable(net_socket s);
/* Short answers go out at once. */
void net_no_delay(net_socket s);
/* How many bytes came, 0 at the end, NET_LATER, NET_FAILED. */
long net_receive(net_socket s, char *ret_data, size_t size);
/* The same for bytes that went out, of several pieces in a row. */
#define NET_PIECES_MAX 3
long net_send(net_socket s, const struct http_span *pieces, int count);
/* No more bytes follow; those of the other side still come. */
void net_end_sending(net_socket s);

struct net_item {
    net_socket socket; /* none: passed over */
    bool for_reading;
    bool for_writing;
    bool happened; /* something did, an error or a hang-up as well */
};
/* Waits until something happens to one of them, the time is up (-1: never), or a stop was asked
 * for. False: the items say nothing. */
bool net_wait(struct net_item *items, int count, int timeout_ms);

/* From now on a stop signal is noted and ends net_wait().  'passed' are sockets that were handed
 * over: accept() on one must not wait when the stop comes.  Returns 0, or -1. */
int net_catch_stop(const net_socket *passed, int count);
/* How many stops were asked for since the last look. */
int net_take_stops(void);

#endif
