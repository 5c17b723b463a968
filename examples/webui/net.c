#include "sockets.h"

#include <stdio.h>
#include <string.h>

/* The kinds of IP address are laid out alike everywhere. */
union any_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_storage other;
};

static bool get_option(net_handle s, int option, int *ret_value)
{
    socklen_t size = sizeof *ret_value;

    return getsockopt(s, SOL_SOCKET, option, (void *)ret_value, &size) == 0;
}

bool net_is_listening_stream(net_handle s)
{
    int type = 0, listening = 0;

    return get_option(s, SO_TYPE, &type) && type == SOCK_STREAM &&
            get_option(s, SO_ACCEPTCONN, &listening) && listening != 0;
}

void net_describe(net_socket s, char *ret_url, size_t size, unsigned *ret_port)
{
    union any_address address;
    socklen_t length = sizeof address;
    char host[INET6_ADDRSTRLEN] = "?";

    memset(&address, 0, sizeof address);
    snprintf(ret_url, size, "unknown");
    if (getsockname((net_handle)s, &address.any, &length) != 0)
        return;
    if (address.any.sa_family == AF_INET) {
        *ret_port = ntohs(address.v4.sin_port);
        inet_ntop(AF_INET, &address.v4.sin_addr, host, sizeof host);
        snprintf(ret_url, size, "http://%s:%u", host, *ret_port);
    } else if (address.any.sa_family == AF_INET6) {
        *ret_port = ntohs(address.v6.sin6_port);
        inet_ntop(AF_INET6, &address.v6.sin6_addr, host, sizeof host);
        snprintf(ret_url, size, "http://[%s]:%u", host, *ret_port);
    } else {
        net_describe_other(&address.other, ret_url, size);
    }
}

static socklen_t parse_address(const char *host, int port, union any_address *ret_address)
{
    memset(ret_address, 0, sizeof *ret_address);
    if (inet_pton(AF_INET, host, &ret_address->v4.sin_addr) == 1) {
        ret_address->v4.sin_family = AF_INET;
        ret_address->v4.sin_port = htons((uint16_t)port);
        return sizeof ret_address->v4;
    }
    if (inet_pton(AF_INET6, host, &ret_address->v6.sin6_addr) == 1) {
        ret_address->v6.sin6_family = AF_INET6;
        ret_address->v6.sin6_port = htons((uint16_t)port);
        return sizeof ret_address->v6;
    }
    return 0;
}

net_socket net_listen(const char *host, int port, char *text, size_t size)
{
    union any_address address;
    socklen_t length = parse_address(host, port, &address);
    int on = 1;
    net_handle made;

    if (length == 0) {
        snprintf(text, size, "HOST='%s' is not an IPv4 or IPv6 address", host);
        return NET_NO_SOCKET;
    }
    made = socket(address.any.sa_family, SOCK_STREAM, 0);
    if (made == NET_NO_HANDLE ||
            setsockopt(made, SOL_SOCKET, NET_OPTION_ALONE, (const void *)&on, sizeof on) != 0 ||
            bind(made, &address.any, length) != 0 || listen(made, SOMAXCONN) != 0) {
        snprintf(text, size, "cannot listen on %s port %d: %s", host, port, net_problem());
        goto failed;
    }
    if (net_make_ready(made, text, size) == -1)
        goto failed;
    return (net_socket)made;
failed:
    if (made != NET_NO_HANDLE)
        net_close((net_socket)made);
    return NET_NO_SOCKET;
}
