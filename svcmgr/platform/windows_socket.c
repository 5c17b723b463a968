#include "windows_parts.h"

#include <iphlpapi.h>
#include <mstcpip.h>
#include <stdlib.h>
#include <string.h>

#include "str.h"

#include "banned.h"

#define ADAPTERS_BYTES 16384
#define ADAPTERS_TRIES 3

bool windows_sockets_begin(void)
{
    static bool has_begun;
    WSADATA data;
    int code;

    if (has_begun)
        return true;
    code = WSAStartup(MAKEWORD(2, 2), &data);
    if (code != 0)
        WSASetLastError(code);
    has_begun = code == 0;
    return has_begun;
}

/* ---- Addresses ------------------------------------------------------------------------------- */

bool windows_own_address(SOCKET s, struct address *ret_address)
{
    struct sockaddr_storage storage;
    int length = sizeof storage;

    memset(&storage, 0, sizeof storage);
    return getsockname(s, (struct sockaddr *)&storage, &length) == 0 &&
            sockaddr_read(&storage, ret_address);
}

bool windows_peer_address(SOCKET s, struct address *ret_address)
{
    struct sockaddr_storage storage;
    int length = sizeof storage;

    memset(&storage, 0, sizeof storage);
    return getpeername(s, (struct sockaddr *)&storage, &length) == 0 &&
            sockaddr_read(&storage, ret_address);
}

static bool add_address(
        const SOCKET_ADDRESS *from, struct address *ret_addresses, size_t max, size_t *count)
{
    struct sockaddr_storage storage;

    if (*count == max)
        return false;
    memset(&storage, 0, sizeof storage);
    memcpy(&storage, from->lpSockaddr,
            (size_t)from->iSockaddrLength < sizeof storage ? (size_t)from->iSockaddrLength
                                                           : sizeof storage);
    if (sockaddr_read(&storage, &ret_addresses[*count])) {
        ret_addresses[*count].port = 0;
        (*count)++;
    }
    return true;
}

/* The caller frees it; NULL: cannot be had. */
static IP_ADAPTER_ADDRESSES *list_adapters(void)
{
    ULONG flags = GAA_FLAG_SKIP_ANYCAST | GAA_FLAG_SKIP_MULTICAST | GAA_FLAG_SKIP_DNS_SERVER;
    ULONG bytes = ADAPTERS_BYTES;

    for (int i = 0; i < ADAPTERS_TRIES; i++) {
        IP_ADAPTER_ADDRESSES *list = malloc(bytes);
        ULONG code = list == NULL ? ERROR_NOT_ENOUGH_MEMORY
                                  : GetAdaptersAddresses(AF_UNSPEC, flags, NULL, list, &bytes);

        if (code == NO_ERROR)
            return list;
        free(list);
        if (code != ERROR_BUFFER_OVERFLOW)
            break;
    }
    return NULL;
}

size_t platform_own_addresses(struct address *ret_addresses, size_t max)
{
    IP_ADAPTER_ADDRESSES *list = list_adapters();
    size_t count = 0;

    for (const IP_ADAPTER_ADDRESSES *at = list; at != NULL; at = at->Next)
        for (const IP_ADAPTER_UNICAST_ADDRESS *one = at->FirstUnicastAddress; one != NULL;
                one = one->Next)
            if (!add_address(&one->Address, ret_addresses, max, &count))
                break;
    free(list);
    return count;
}

/* ---- Sockets --------------------------------------------------------------------------------- */

SOCKET windows_open_socket(const struct address *address)
{
    int family = address->family == ADDRESS_IPV4 ? AF_INET
            : address->family == ADDRESS_IPV6    ? AF_INET6
                                                 : AF_UNIX;

    if (!windows_sockets_begin())
        return INVALID_SOCKET;
    return WSASocketW(
            family, SOCK_STREAM, 0, NULL, 0, WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT);
}

SOCKET windows_open_described(WSAPROTOCOL_INFOW *description)
{
    if (!windows_sockets_begin())
        return INVALID_SOCKET;
    return WSASocketW(FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, description, 0,
            WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT);
}

void windows_send_at_once(SOCKET s)
{
    BOOL on = TRUE;

    (void)setsockopt(s, IPPROTO_TCP, TCP_NODELAY, (const char *)&on, (int)sizeof on);
}

/* Windows asks again twice, half a second apart, where nobody listens, also on this machine:
 * SIO_TCP_INITIAL_RTO. */
void windows_refuse_at_once(SOCKET s, const struct address *address)
{
    TCP_INITIAL_RTO_PARAMETERS once = {
        .Rtt = TCP_INITIAL_RTO_UNSPECIFIED_RTT,
        .MaxSynRetransmissions = TCP_INITIAL_RTO_NO_SYN_RETRANSMISSIONS,
    };
    DWORD bytes;

    if (address_is_loopback(address) || address_is_wildcard(address))
        (void)WSAIoctl(s, SIO_TCP_INITIAL_RTO, &once, sizeof once, NULL, 0, &bytes, NULL, NULL);
}

static bool is_listening(SOCKET s)
{
    DWORD listening = 0;
    int length = sizeof listening;

    return getsockopt(s, SOL_SOCKET, SO_ACCEPTCONN, (char *)&listening, &length) == 0 &&
            listening != 0;
}

bool platform_check_listener(platform_handle handle, struct address *ret_bound)
{
    u_long off = 0;

    if (!windows_sockets_begin())
        return false;
    (void)ioctlsocket(windows_socket(handle), (long)FIONBIO, &off);
    return windows_own_address(windows_socket(handle), ret_bound) &&
            is_listening(windows_socket(handle));
}

void platform_set_backlog(platform_handle handle, uint32_t backlog)
{
    if (is_listening(windows_socket(handle)))
        (void)listen(windows_socket(handle), (int)backlog);
}

/* TCP does not say. */
void platform_peer(platform_handle handle, struct platform_peer *ret_peer)
{
    (void)handle;
    *ret_peer = (struct platform_peer) { .uid = -1 };
}

bool platform_unix_is_live(const char *path)
{
    struct address address = { .family = ADDRESS_UNIX };
    struct sockaddr_storage storage;
    SOCKET s;
    bool is_live;
    int length;

    if (!str_copy(address.path, sizeof address.path, path))
        return false;
    s = windows_open_socket(&address);
    length = sockaddr_make(&address, &storage);
    is_live = s != INVALID_SOCKET && connect(s, (struct sockaddr *)&storage, length) == 0;
    if (s != INVALID_SOCKET)
        (void)closesocket(s);
    return is_live;
}
