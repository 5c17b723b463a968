#ifndef WEBUI_LISTENER_H
#define WEBUI_LISTENER_H

#include <stdbool.h>
#include <stddef.h>

#include "net.h"

#define LISTENER_MAX 8

/* The sockets on which connections come in: handed over by a service manager, or our own. */
struct listener {
    net_socket sockets[LISTENER_MAX];
    int count;
    bool inherited;
    unsigned port; /* of the first; 0 for a Unix socket */
    char url[160]; /* of the first, for people */
};

/* Takes the sockets that the environment says we were given; if there are none, listens on
 * HOST:PORT (both from the environment, numbers only; 127.0.0.1:8787 if they are not set).
 *
 * All of it are non-blocking.  Returns 0, or -1 with one sentence in text. */
int listener_open(struct listener *ret_listener, char *text, size_t size);

void listener_close(struct listener *listener);

#endif
