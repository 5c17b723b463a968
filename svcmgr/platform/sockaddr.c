#include "sockaddr.h"

#ifdef _WIN32
#include <afunix.h>
#else
#include <netinet/in.h>
#include <sys/un.h>
#endif

#include <string.h>

#include "str.h"

#include "banned.h"

socklen_t sockaddr_make(const struct address *address, struct sockaddr_storage *ret_storage)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)ret_storage;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret_storage;
    struct sockaddr_un *local = (struct sockaddr_un *)ret_storage;

    memset(ret_storage, 0, sizeof *ret_storage);
    switch (address->family) {
    case ADDRESS_NONE:
        break;
    case ADDRESS_IPV4:
        v4->sin_family = AF_INET;
        v4->sin_port = htons(address->port);
        memcpy(&v4->sin_addr, address->ip, 4);
        return sizeof *v4;
    case ADDRESS_IPV6:
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(address->port);
        memcpy(&v6->sin6_addr, address->ip, 16);
        return sizeof *v6;
    case ADDRESS_UNIX:
        local->sun_family = AF_UNIX;
        if (str_copy(local->sun_path, sizeof local->sun_path, address->path))
            return sizeof *local;
        break;
    }
    return 0;
}

bool sockaddr_read(const struct sockaddr_storage *storage, struct address *ret_address)
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)storage;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)storage;
    const struct sockaddr_un *local = (const struct sockaddr_un *)storage;
    struct address address = { .family = ADDRESS_NONE };

    if (storage->ss_family == AF_INET) {
        address.family = ADDRESS_IPV4;
        address.port = ntohs(v4->sin_port);
        memcpy(address.ip, &v4->sin_addr, 4);
    } else if (storage->ss_family == AF_INET6) {
        address.family = ADDRESS_IPV6;
        address.port = ntohs(v6->sin6_port);
        memcpy(address.ip, &v6->sin6_addr, 16);
    } else if (storage->ss_family == AF_UNIX) {
        address.family = ADDRESS_UNIX;
        (void)str_format(address.path, sizeof address.path, "%.*s", (int)sizeof local->sun_path,
                local->sun_path);
    } else {
        return false;
    }
    *ret_address = address;
    return true;
}
