#include "listener.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static int bind_own_socket(struct listener *listener, char *text, size_t size)
{
    const char *host = getenv("HOST") ? getenv("HOST") : "127.0.0.1";
    const char *number = getenv("PORT");
    char *end = NULL;
    long port = 8787;

    errno = 0;
    if (number != NULL && number[0] != '\0')
        port = strtol(number, &end, 10);
    if ((end != NULL && *end != '\0') || errno != 0 || port < 0 || port > 65535) {
        snprintf(text, size, "PORT='%s' is not a port", number);
        return -1;
    }
    listener->sockets[0] = net_listen(host, (int)port, text, size);
    return listener->sockets[0] == NET_NO_SOCKET ? -1 : 1;
}

int listener_open(struct listener *ret_listener, char *text, size_t size)
{
    struct listener listener = { .count = 0 };

    listener.count = net_take_passed(listener.sockets, LISTENER_MAX, text, size);
    listener.inherited = listener.count > 0;
    if (listener.count == 0)
        listener.count = bind_own_socket(&listener, text, size);
    if (listener.count == -1)
        return -1;
    net_describe(listener.sockets[0], listener.url, sizeof listener.url, &listener.port);
    *ret_listener = listener;
    return 0;
}

void listener_close(struct listener *listener)
{
    for (int i = 0; i < listener->count; i++)
        net_close(listener->sockets[i]);
    listener->count = 0;
}
