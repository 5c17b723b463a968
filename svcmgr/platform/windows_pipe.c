#include <stdio.h>
#include <string.h>

#include "str.h"
#include "windows_parts.h"

#include "banned.h"

#define PIPE_BYTES      65536
#define PIPE_TRIES      8
#define PAIR_STRANGERS  16
#define PIPE_NAME_BYTES 64
#define CONNECT_POLL_S  3600

/* ---- Pipes ----------------------------------------------------------------------------------- */

static int name_pipe(char name[PIPE_NAME_BYTES], struct err *err)
{
    unsigned char random[16];
    char hex[2 * sizeof random + 1];

    if (platform_random(random, sizeof random, err) == -1)
        return -1;
    str_hex(hex, random, sizeof random);
    (void)str_format(name, PIPE_NAME_BYTES, "\\\\.\\pipe\\svcmgr-%s", hex);
    return 0;
}

/* A pipe without a name cannot be overlapped, so each gets one that nobody can guess, for one
 * connection, which is the child's end from the start.  That end is not overlapped: few programs
 * expect it of their standard handles.  Ours can always be read, since that tells when the child's
 * is closed. */
static int open_pipe(DWORD our_access, DWORD child_access, DWORD child_flags, HANDLE *ret_ours,
        HANDLE *ret_child, struct err *err)
{
    char name[PIPE_NAME_BYTES];
    WCHAR wide[PIPE_NAME_BYTES];
    HANDLE ours = INVALID_HANDLE_VALUE;
    HANDLE child = INVALID_HANDLE_VALUE;
    DWORD code = 0;

    for (int i = 0; i < PIPE_TRIES && child == INVALID_HANDLE_VALUE; i++) {
        if (name_pipe(name, err) == -1)
            return -1;
        (void)windows_to_wide(name, wide, PIPE_NAME_BYTES);
        ours = CreateNamedPipeW(wide,
                our_access | FILE_FLAG_OVERLAPPED | FILE_FLAG_FIRST_PIPE_INSTANCE,
                PIPE_TYPE_BYTE | PIPE_READMODE_BYTE | PIPE_WAIT | PIPE_REJECT_REMOTE_CLIENTS, 1,
                PIPE_BYTES, PIPE_BYTES, 0, NULL);
        if (ours != INVALID_HANDLE_VALUE)
            child = CreateFileW(wide, child_access, 0, NULL, OPEN_EXISTING,
                    child_flags | SECURITY_SQOS_PRESENT | SECURITY_ANONYMOUS, NULL);
        if (child == INVALID_HANDLE_VALUE) {
            code = GetLastError();
            if (ours != INVALID_HANDLE_VALUE)
                CloseHandle(ours); /* somebody else has connected: with nothing in it */
        }
    }
    if (child == INVALID_HANDLE_VALUE)
        return err_set(err, windows_kind(code), (long)code, "cannot make a pipe: %s",
                platform_error_text((long)code));
    *ret_ours = ours;
    *ret_child = child;
    return 0;
}

int platform_pipe(platform_handle *ret_read, platform_handle *ret_write, struct err *err)
{
    HANDLE ours;
    HANDLE child;

    if (open_pipe(PIPE_ACCESS_INBOUND, GENERIC_WRITE | FILE_READ_ATTRIBUTES, 0, &ours, &child,
                err) == -1)
        return -1;
    *ret_read = windows_of_handle(ours);
    *ret_write = windows_of_handle(child);
    return 0;
}

int platform_input_pipe(platform_handle *ret_read, platform_handle *ret_write, struct err *err)
{
    HANDLE ours;
    HANDLE child;

    if (open_pipe(PIPE_ACCESS_DUPLEX, GENERIC_READ | FILE_WRITE_ATTRIBUTES, 0, &ours, &child,
                err) == -1)
        return -1;
    *ret_read = windows_of_handle(child);
    *ret_write = windows_of_handle(ours);
    return 0;
}

int windows_duplex_pipe(HANDLE *ret_ours, HANDLE *ret_other, struct err *err)
{
    return open_pipe(PIPE_ACCESS_DUPLEX, GENERIC_READ | GENERIC_WRITE, FILE_FLAG_OVERLAPPED,
            ret_ours, ret_other, err);
}

/* A handle says who may use it, and not a file. */
void platform_give_pipe(platform_handle handle, uint32_t uid)
{
    (void)handle;
    (void)uid;
}

/* ---- Streams that the loop does not watch ---------------------------------------------------- */

static DWORD left_ms(int64_t deadline_ms)
{
    int64_t left;

    if (deadline_ms == PLATFORM_NEVER)
        return INFINITE;
    left = deadline_ms - platform_now_ms();
    return left <= 0 ? 0 : left > INT32_MAX ? (DWORD)INT32_MAX : (DWORD)left;
}

/* Whether an overlapped call came to its end by the deadline; it has ended in any case. */
static bool finish(SOCKET s, WSAOVERLAPPED *overlapped, int64_t deadline_ms, DWORD *ret_bytes)
{
    DWORD flags;
    bool in_time = WaitForSingleObject(overlapped->hEvent, left_ms(deadline_ms)) == WAIT_OBJECT_0;

    if (!in_time)
        (void)CancelIoEx((HANDLE)s, overlapped);
    /* It may have been quicker than being cancelled. */
    return WSAGetOverlappedResult(s, overlapped, ret_bytes, TRUE, &flags);
}

int platform_send_all(platform_handle handle, const void *data, size_t length, int64_t deadline_ms,
        struct err *err)
{
    SOCKET s = windows_socket(handle);
    WSAOVERLAPPED overlapped = { .hEvent = CreateEventW(NULL, TRUE, FALSE, NULL) };
    DWORD code = overlapped.hEvent == NULL ? GetLastError() : 0;
    size_t done = 0;

    if (code == 0 && !windows_sockets_begin()) /* it may have been handed to us */
        code = (DWORD)WSAGetLastError();
    while (code == 0 && done < length) {
        WSABUF what = { .buf = (char *)(uintptr_t)data + done,
            .len = length - done > PIPE_BYTES ? PIPE_BYTES : (ULONG)(length - done) };
        DWORD bytes = 0;

        if ((WSASend(s, &what, 1, NULL, 0, &overlapped, NULL) != 0 &&
                    WSAGetLastError() != WSA_IO_PENDING) ||
                !finish(s, &overlapped, deadline_ms, &bytes))
            code = (DWORD)WSAGetLastError();
        done += bytes;
    }
    if (overlapped.hEvent != NULL)
        CloseHandle(overlapped.hEvent);
    if (code == WSA_OPERATION_ABORTED)
        return err_set(err, ERR_NO_ANSWER, WSAETIMEDOUT, "the other side does not read");
    return code == 0 ? 0
                     : err_set(err, ERR_NOT_RUNNING, (long)code, "cannot send: %s",
                               platform_error_text((long)code));
}

long platform_receive(platform_handle handle, void *ret_data, size_t size, int64_t deadline_ms)
{
    SOCKET s = windows_socket(handle);
    WSAOVERLAPPED overlapped = { .hEvent = CreateEventW(NULL, TRUE, FALSE, NULL) };
    WSABUF room = { .buf = ret_data, .len = size > PIPE_BYTES ? PIPE_BYTES : (ULONG)size };
    DWORD flags = 0;
    DWORD bytes = 0;
    long result = 0;

    if (overlapped.hEvent == NULL)
        return 0;
    if (!windows_sockets_begin()) {
        CloseHandle(overlapped.hEvent);
        return 0;
    }
    if (WSARecv(s, &room, 1, NULL, &flags, &overlapped, NULL) == 0 ||
            WSAGetLastError() == WSA_IO_PENDING) {
        if (finish(s, &overlapped, deadline_ms, &bytes))
            result = (long)bytes;
        else if (WSAGetLastError() == WSA_OPERATION_ABORTED)
            result = -1;
    }
    CloseHandle(overlapped.hEvent);
    return result;
}

/* ---- Connecting ------------------------------------------------------------------------------ */

/* What came of a connect that is being made; select() tells of a failure as of an exception. */
static DWORD finish_connect(SOCKET s, int64_t deadline_ms)
{
    DWORD left = left_ms(deadline_ms);
    struct timeval limit = { .tv_sec = left == INFINITE ? CONNECT_POLL_S : (long)(left / 1000),
        .tv_usec = left == INFINITE ? 0 : (long)(left % 1000 * 1000) };
    DWORD code = 0;
    int length = sizeof code;
    fd_set written;
    fd_set failed;

    FD_ZERO(&written);
    FD_ZERO(&failed);
    FD_SET(s, &written);
    FD_SET(s, &failed);
    if (select(0, NULL, &written, &failed, &limit) <= 0)
        return WSAETIMEDOUT;
    if (getsockopt(s, SOL_SOCKET, SO_ERROR, (char *)&code, &length) != 0)
        return (DWORD)WSAGetLastError();
    return code;
}

int platform_tcp_connect(const struct address *address, int64_t deadline_ms,
        platform_handle *ret_handle, struct err *err)
{
    struct sockaddr_storage storage;
    int length = sockaddr_make(address, &storage);
    SOCKET s = windows_open_socket(address);
    DWORD code = 0;
    u_long on = 1;

    if (s == INVALID_SOCKET)
        return err_set(err, ERR_FAILED, WSAGetLastError(), "cannot make a socket: %s",
                platform_error_text(WSAGetLastError()));
    windows_refuse_at_once(s, address);
    if (ioctlsocket(s, (long)FIONBIO, &on) != 0 ||
            connect(s, (struct sockaddr *)&storage, length) != 0)
        code = (DWORD)WSAGetLastError();
    if (code == WSAEWOULDBLOCK)
        code = finish_connect(s, deadline_ms);
    if (code != 0) {
        (void)closesocket(s);
        return err_set(err, ERR_NOT_RUNNING, (long)code, "cannot connect: %s",
                platform_error_text((long)code));
    }
    windows_send_at_once(s);
    *ret_handle = windows_of_socket(s);
    return 0;
}

/* ---- A pair ---------------------------------------------------------------------------------- */

/* Whoever else on this machine connected in between is not ours: his end has another address. */
static SOCKET accept_ours(SOCKET listener, SOCKET ours)
{
    struct address wanted;
    struct address peer;

    if (!windows_own_address(ours, &wanted))
        return INVALID_SOCKET;
    for (int i = 0; i < PAIR_STRANGERS; i++) {
        SOCKET s = accept(listener, NULL, NULL);

        if (s == INVALID_SOCKET)
            break;
        if (windows_peer_address(s, &peer) && address_equal(&peer, &wanted)) {
            (void)SetHandleInformation((HANDLE)s, HANDLE_FLAG_INHERIT, 0);
            return s;
        }
        (void)closesocket(s);
    }
    return INVALID_SOCKET;
}

int platform_stream_pair(platform_handle ret_ends[2], struct err *err)
{
    struct platform_bind bind = {
        .address = address_ipv4(INADDR_LOOPBACK, 0),
        .listen = true,
        .backlog = PAIR_STRANGERS,
    };
    platform_handle listener;
    platform_handle ours;
    struct address bound;
    SOCKET other;

    if (platform_bind(&bind, &listener, &bound, err) != PLATFORM_BIND_OK)
        return err_prefix(err, "cannot make a socket pair");
    if (platform_tcp_connect(&bound, PLATFORM_NEVER, &ours, err) == -1) {
        platform_close(listener);
        return err_prefix(err, "cannot make a socket pair");
    }
    other = accept_ours(windows_socket(listener), windows_socket(ours));
    platform_close(listener);
    if (other == INVALID_SOCKET) {
        platform_close(ours);
        return err_set(err, ERR_FAILED, 0, "cannot make a socket pair: somebody came in between");
    }
    windows_send_at_once(other);
    ret_ends[0] = ours;
    ret_ends[1] = windows_of_socket(other);
    return 0;
}
