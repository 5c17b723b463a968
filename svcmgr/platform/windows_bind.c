/* Binding so that nobody else can have the same.
 *
 * SO_REUSEADDR takes a port away from somebody else here, and without any option a wildcard and one
 * address may be bound side by side; so ours are exclusive, and what the system would still allow
 * beside them is looked for: "Using SO_REUSEADDR and SO_EXCLUSIVEADDRUSE", whose table says that an
 * exclusive wildcard is refused whoever has the port. */
#include "str.h"
#include "windows_parts.h"

#include "banned.h"

static bool set_flag(SOCKET s, int level, int name, DWORD value)
{
    return setsockopt(s, level, name, (const char *)&value, (int)sizeof value) == 0;
}

/* 0, or a code. */
static DWORD bind_exclusively(SOCKET s, const struct address *address, bool only_ipv6)
{
    struct sockaddr_storage storage;
    int length = sockaddr_make(address, &storage);

    if (length == 0)
        return WSAENAMETOOLONG;
    if ((address_is_ip(address) && !set_flag(s, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, TRUE)) ||
            /* Said explicitly, since the default is the opposite of POSIX's. */
            (address->family == ADDRESS_IPV6 &&
                    !set_flag(s, IPPROTO_IPV6, IPV6_V6ONLY, only_ipv6)) ||
            bind(s, (struct sockaddr *)&storage, length) != 0)
        return (DWORD)WSAGetLastError();
    return 0;
}

static bool is_wildcard_free(const struct address *address)
{
    struct address any = { .family = address->family, .port = address->port };
    SOCKET s = windows_open_socket(&any);
    DWORD code;

    if (s == INVALID_SOCKET)
        return true; /* the bind itself will say it */
    code = bind_exclusively(s, &any, true);
    (void)closesocket(s);
    return code == 0;
}

/* Whether somebody who listens on the port would get our connections, or lose his to us;
 * *ret_explains: whether somebody listens who does neither. */
static bool has_rival(const struct address *address, bool *ret_explains)
{
    struct platform_listener listeners[PLATFORM_LISTENERS_MAX];
    int count = platform_listeners_on_port(address->port, listeners, PLATFORM_LISTENERS_MAX);

    *ret_explains = false;
    for (int i = 0; i < count; i++) {
        bool other_family = listeners[i].only_ipv6 && address->family == ADDRESS_IPV4;

        if (!other_family && address_overlap(&listeners[i].address, address))
            return true;
        *ret_explains = *ret_explains || listeners[i].address.family == address->family;
    }
    return false;
}

/* An exclusive wildcard sees everybody itself. */
static bool is_overlapped(const struct address *address)
{
    bool explains;

    if (!address_is_ip(address) || address_is_wildcard(address) || address->port == 0 ||
            is_wildcard_free(address))
        return false;
    return has_rival(address, &explains) || !explains;
}

/* 0, or a code. */
static DWORD bind_socket(SOCKET s, const struct platform_bind *bind)
{
    struct address address = bind->address;
    bool explains;
    DWORD code;

    if (bind->temporary != NULL)
        (void)str_copy(address.path, sizeof address.path, bind->temporary);
    if (is_overlapped(&address))
        return WSAEADDRINUSE;
    code = bind_exclusively(s, &address, bind->only_ipv6);
    if (code != 0)
        return code;
    /* Of two who looked and bound at once, the one that is late with listening sees the other. */
    if (address_is_ip(&address) && address.port != 0 && has_rival(&address, &explains))
        return WSAEADDRINUSE;
    if (bind->listen && listen(s, (int)bind->backlog) != 0)
        return (DWORD)WSAGetLastError();
    return 0;
}

/* A port that somebody has exclusively is WSAEACCES as well. */
static enum platform_bind_result explain(
        const struct platform_bind *bind, DWORD code, struct err *err)
{
    char text[ADDRESS_TEXT_BYTES];
    uint16_t first;
    uint16_t last;

    address_format(&bind->address, text, sizeof text);
    if (code == WSAEACCES && address_is_ip(&bind->address) &&
            windows_reserved_ports(&bind->address, &first, &last)) {
        err_set(err, ERR_OCCUPIED, (long)code,
                "cannot bind %s: Windows reserves the ports %u to %u (netsh int %s show "
                "excludedportrange protocol=tcp); choose another port",
                text, first, last, bind->address.family == ADDRESS_IPV4 ? "ipv4" : "ipv6");
        return PLATFORM_BIND_FAILED;
    }
    err_set(err, ERR_OCCUPIED, (long)code, "cannot bind %s: %s", text,
            platform_error_text((long)code));
    if (code == WSAEADDRINUSE || (code == WSAEACCES && address_is_ip(&bind->address)))
        return PLATFORM_BIND_TAKEN;
    return code == WSAEADDRNOTAVAIL || code == WSAEAFNOSUPPORT ? PLATFORM_BIND_NO_ADDRESS
                                                               : PLATFORM_BIND_FAILED;
}

enum platform_bind_result platform_bind(const struct platform_bind *bind,
        platform_handle *ret_handle, struct address *ret_bound, struct err *err)
{
    struct address bound = bind->address;
    SOCKET s = windows_open_socket(&bind->address);
    DWORD code;

    if (s == INVALID_SOCKET)
        return explain(bind, (DWORD)WSAGetLastError(), err);
    code = bind_socket(s, bind);
    if (code == 0 && address_is_ip(&bind->address) && !windows_own_address(s, &bound))
        code = (DWORD)WSAGetLastError();
    if (code != 0) {
        (void)closesocket(s);
        return explain(bind, code, err);
    }
    *ret_handle = windows_of_socket(s);
    *ret_bound = bound;
    return PLATFORM_BIND_OK;
}
