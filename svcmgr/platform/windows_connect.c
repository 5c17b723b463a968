/* Connections that are being made: by us, and to us. */
#include "windows_source.h"

#include <mswsock.h>

#include "banned.h"

/* AcceptEx: each address needs 16 bytes more than it is long. */
#define ACCEPT_ADDRESS_BYTES ((DWORD)sizeof(struct sockaddr_storage) + 16)

/* A function that has to be asked for; NULL with WSAGetLastError(). */
static bool find_function(SOCKET s, GUID name, void *ret_function, size_t size)
{
    DWORD bytes;

    return WSAIoctl(s, SIO_GET_EXTENSION_FUNCTION_POINTER, &name, sizeof name, ret_function,
                   (DWORD)size, &bytes, NULL, NULL) == 0;
}

static bool bind_anywhere(SOCKET s, enum address_family family)
{
    struct address any = { .family = family };
    struct sockaddr_storage storage;
    int length = sockaddr_make(&any, &storage);

    return bind(s, (struct sockaddr *)&storage, length) == 0;
}

/* ConnectEx is TCP's alone.  Whoever listens on a path has room in his queue, or refuses. */
static DWORD connect_at_once(
        SOCKET s, const struct sockaddr *address, int length, struct windows_operation *operation)
{
    u_long off = 0;
    u_long on = 1;
    DWORD code = 0;

    if (ioctlsocket(s, (long)FIONBIO, &off) != 0 || connect(s, address, length) != 0 ||
            ioctlsocket(s, (long)FIONBIO, &on) != 0)
        code = (DWORD)WSAGetLastError();
    if (code == 0) {
        operation->is_pending = true;
        windows_loop_post(operation);
    }
    return code;
}

/* 0, or a code. */
static DWORD begin_connect(
        SOCKET s, const struct address *address, struct windows_operation *operation)
{
    LPFN_CONNECTEX connect_ex;
    struct sockaddr_storage storage;
    int length = sockaddr_make(address, &storage);
    DWORD code;

    if (length == 0)
        return WSAENAMETOOLONG;
    if (!address_is_ip(address))
        return connect_at_once(s, (struct sockaddr *)&storage, length, operation);
    windows_refuse_at_once(s, address);
    if (!bind_anywhere(s, address->family) ||
            !find_function(s, (GUID)WSAID_CONNECTEX, &connect_ex, sizeof connect_ex))
        return (DWORD)WSAGetLastError();
    operation->is_pending = true;
    if (connect_ex(s, (struct sockaddr *)&storage, length, NULL, 0, NULL, &operation->overlapped))
        return 0;
    code = (DWORD)WSAGetLastError();
    operation->is_pending = code == ERROR_IO_PENDING;
    return operation->is_pending ? 0 : code;
}

static struct platform_source *add_connecting(SOCKET s, int role, void *owner)
{
    struct platform_source *source;

    if (!windows_source_attach(windows_of_socket(s))) {
        (void)closesocket(s);
        return NULL;
    }
    source = windows_source_add(SOURCE_CONNECTING, windows_of_socket(s), role, owner);
    if (source == NULL)
        return NULL;
    source->incoming = windows_operation_new(source, 0);
    if (source->incoming != NULL)
        return source;
    platform_unwatch(source);
    return NULL;
}

struct platform_source *platform_connect(
        const struct address *address, int role, void *owner, struct err *err)
{
    SOCKET s = windows_open_socket(address);
    struct platform_source *source;
    DWORD code;

    if (s == INVALID_SOCKET) {
        code = (DWORD)WSAGetLastError();
        err_set(err, ERR_FAILED, (long)code, "cannot make a socket: %s",
                platform_error_text((long)code));
        return NULL;
    }
    source = add_connecting(s, role, owner);
    if (source == NULL) {
        err_set(err, ERR_FAILED, WSAEMFILE, "cannot connect: too many connections");
        return NULL;
    }
    code = begin_connect(s, address, source->incoming);
    if (code == 0)
        return source;
    platform_unwatch(source);
    err_set(err, ERR_FAILED, (long)code, "cannot connect: %s", platform_error_text((long)code));
    return NULL;
}

bool platform_means_nobody(long os_code)
{
    return os_code == WSAECONNREFUSED || os_code == WSAENETUNREACH || os_code == WSAEHOSTUNREACH ||
            os_code == WSAEADDRNOTAVAIL || os_code == WSAEAFNOSUPPORT || os_code == WSAENOTSOCK ||
            os_code == WSAECONNRESET || os_code == ERROR_FILE_NOT_FOUND;
}

bool windows_connecting_handle(struct platform_source *source, struct platform_event *event)
{
    DWORD code;

    if (!source->is_ready || source->ended)
        return false;
    code = windows_operation_result(source->incoming, source->handle);
    if (code != 0)
        return windows_source_end(source, code, event);
    /* Without it getpeername() and shutdown() do not work: ConnectEx. */
    (void)setsockopt(
            windows_socket(source->handle), SOL_SOCKET, SO_UPDATE_CONNECT_CONTEXT, NULL, 0);
    source->kind = SOURCE_STREAM;
    source->is_ready = false;
    event->kind = PLATFORM_EVENT_CONNECTED;
    return true;
}

/* ---- Listening ------------------------------------------------------------------------------- */

bool windows_listener_arm(struct platform_source *source)
{
    struct windows_operation *operation = source->incoming;
    SOCKET listener = windows_socket(source->handle);
    LPFN_ACCEPTEX accept_ex;
    struct address own;
    DWORD bytes;

    if (operation == NULL)
        operation = source->incoming =
                windows_operation_new(source, 2 * (size_t)ACCEPT_ADDRESS_BYTES);
    if (operation == NULL || !windows_own_address(listener, &own) ||
            !find_function(listener, (GUID)WSAID_ACCEPTEX, &accept_ex, sizeof accept_ex))
        return false;
    operation->overlapped = (OVERLAPPED) { 0 };
    operation->accepted = windows_open_socket(&own);
    if (operation->accepted == INVALID_SOCKET)
        return false;
    operation->is_pending = true;
    if (accept_ex(listener, operation->accepted, operation->data, 0, ACCEPT_ADDRESS_BYTES,
                ACCEPT_ADDRESS_BYTES, &bytes, &operation->overlapped) ||
            WSAGetLastError() == ERROR_IO_PENDING)
        return true;
    operation->is_pending = false;
    (void)closesocket(operation->accepted);
    operation->accepted = INVALID_SOCKET;
    return false;
}

bool windows_listener_handle(struct platform_source *source, struct platform_event *event)
{
    struct windows_operation *operation = source->incoming;
    SOCKET listener = windows_socket(source->handle);
    SOCKET s;
    DWORD code;

    if (!source->is_ready)
        return false;
    source->is_ready = false;
    s = operation->accepted;
    operation->accepted = INVALID_SOCKET;
    code = windows_operation_result(operation, source->handle);
    if (code != 0) {
        source->is_late = code != WSAECONNRESET; /* else only who connected has gone */
        (void)closesocket(s);
        return false;
    }
    /* Without it getpeername() does not work: AcceptEx. */
    (void)setsockopt(
            s, SOL_SOCKET, SO_UPDATE_ACCEPT_CONTEXT, (const char *)&listener, (int)sizeof listener);
    windows_send_at_once(s);
    platform_peer(windows_of_socket(s), &event->peer);
    event->accepted = platform_watch_stream(windows_of_socket(s), source->role, source->owner);
    event->kind = PLATFORM_EVENT_ACCEPTED;
    return event->accepted != NULL;
}
