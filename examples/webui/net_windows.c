#include "sockets.h"

#include <windows.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ITEMS_MAX 1024

/* A datagram socket that is connected to itself: the console's thread writes, net_wait() reads. */
static SOCKET bell = INVALID_SOCKET;

int net_begin(void)
{
    WSADATA data;

    return WSAStartup(MAKEWORD(2, 2), &data) == 0 ? 0 : -1;
}

int64_t net_now_ms(void)
{
    return (int64_t)GetTickCount64();
}

long net_pid(void)
{
    return (long)GetCurrentProcessId();
}

void net_print(const char *text, size_t length)
{
    DWORD written;

    (void)WriteFile(GetStdHandle(STD_OUTPUT_HANDLE), text, (DWORD)length, &written, NULL);
}

static const char *problem_text(int code)
{
    static char text[32];

    snprintf(text, sizeof text, "error %d", code);
    return text;
}

const char *net_problem(void)
{
    return problem_text((int)GetLastError());
}

/* ---- Listening ------------------------------------------------------------------------------- */

int net_make_ready(net_handle s, char *text, size_t size)
{
    u_long on = 1;

    if (ioctlsocket(s, (long)FIONBIO, &on) == 0) {
        (void)SetHandleInformation((HANDLE)s, HANDLE_FLAG_INHERIT, 0);
        return 0;
    }
    snprintf(text, size, "cannot set up socket %llu: %s", (unsigned long long)s,
            problem_text(WSAGetLastError()));
    return -1;
}

/* An inherited socket is used through a descriptor of this process's own: Wine 8 knows no other one
 * in getsockopt(), WSAPoll() and closesocket(). */
static SOCKET import_socket(SOCKET inherited)
{
    WSAPROTOCOL_INFOW info;
    SOCKET made;

    if (WSADuplicateSocketW(inherited, GetCurrentProcessId(), &info) != 0)
        return inherited;
    made = WSASocketW(FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, &info, 0,
            WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT);
    if (made == INVALID_SOCKET)
        return inherited;
    if (closesocket(inherited) != 0)
        (void)CloseHandle((HANDLE)inherited);
    return made;
}

/* SVCMGR_LISTEN_HANDLES: numbers of inherited sockets with a colon between them. */
int net_take_passed(net_socket *ret_sockets, int max, char *text, size_t size)
{
    const char *list = getenv("SVCMGR_LISTEN_HANDLES");
    int count = 0;

    for (const char *at = list; at != NULL && *at != '\0';) {
        char *end;
        SOCKET s = (SOCKET)strtoull(at, &end, 10);

        if (end == at || (*end != '\0' && *end != ':') || count == max) {
            snprintf(text, size, "SVCMGR_LISTEN_HANDLES='%s' is no list of at most %d numbers",
                    list, max);
            return -1;
        }
        s = import_socket(s);
        if (!net_is_listening_stream(s)) {
            snprintf(text, size, "passed handle %.*s is not a listening socket", (int)(end - at),
                    at);
            return -1;
        }
        if (net_make_ready(s, text, size) == -1)
            return -1;
        ret_sockets[count++] = (net_socket)s;
        at = *end == ':' ? end + 1 : end;
    }
    return count;
}

void net_describe_other(const struct sockaddr_storage *address, char *ret_url, size_t size)
{
    (void)address;
    (void)ret_url;
    (void)size;
}

/* ---- Connections ----------------------------------------------------------------------------- */

void net_close(net_socket s)
{
    closesocket((SOCKET)s);
}

net_socket net_accept(net_socket listener, bool *ret_is_exhausted)
{
    SOCKET accepted = accept((SOCKET)listener, NULL, NULL);
    u_long on = 1;

    *ret_is_exhausted = accepted == INVALID_SOCKET &&
            (WSAGetLastError() == WSAEMFILE || WSAGetLastError() == WSAENOBUFS);
    if (accepted == INVALID_SOCKET)
        return NET_NO_SOCKET;
    (void)ioctlsocket(accepted, (long)FIONBIO, &on);
    return (net_socket)accepted;
}

bool net_is_readable(net_socket s)
{
    WSAPOLLFD item = { .fd = (SOCKET)s, .events = POLLRDNORM };

    return WSAPoll(&item, 1, 0) == 1 && (item.revents & POLLRDNORM) != 0;
}

void net_no_delay(net_socket s)
{
    BOOL on = TRUE;

    (void)setsockopt((SOCKET)s, IPPROTO_TCP, TCP_NODELAY, (const char *)&on, sizeof on);
}

long net_receive(net_socket s, char *ret_data, size_t size)
{
    int got = recv((SOCKET)s, ret_data, (int)size, 0);

    if (got == SOCKET_ERROR)
        return WSAGetLastError() == WSAEWOULDBLOCK ? NET_LATER : NET_FAILED;
    return got;
}

long net_send(net_socket s, const struct http_span *pieces, int count)
{
    WSABUF list[NET_PIECES_MAX];
    DWORD sent = 0;

    for (int i = 0; i < count; i++)
        list[i] = (WSABUF) { .len = (ULONG)pieces[i].length,
            .buf = (char *)(uintptr_t)pieces[i].text };
    if (WSASend((SOCKET)s, list, (DWORD)count, &sent, 0, NULL, NULL) != 0)
        return WSAGetLastError() == WSAEWOULDBLOCK ? NET_LATER : NET_FAILED;
    return (long)sent;
}

void net_end_sending(net_socket s)
{
    shutdown((SOCKET)s, SD_SEND);
}

bool net_wait(struct net_item *items, int count, int timeout_ms)
{
    static WSAPOLLFD list[1 + ITEMS_MAX];
    ULONG used = 1;
    bool good;

    list[0] = (WSAPOLLFD) { .fd = bell, .events = POLLRDNORM };
    for (int i = 0; i < count; i++)
        if (items[i].socket != NET_NO_SOCKET)
            list[used++] = (WSAPOLLFD) {
                .fd = (SOCKET)items[i].socket,
                .events = (SHORT)((items[i].for_reading ? POLLRDNORM : 0) |
                        (items[i].for_writing ? POLLWRNORM : 0)),
            };
    good = WSAPoll(list, used, timeout_ms) != SOCKET_ERROR;
    used = 1;
    for (int i = 0; i < count; i++)
        items[i].happened = items[i].socket != NET_NO_SOCKET && list[used++].revents != 0 && good;
    return good;
}

/* ---- Stopping -------------------------------------------------------------------------------- */

/* In a thread of the system's own: HandlerRoutine.  After a close event the process would be ended
 * as soon as it returns. */
static BOOL WINAPI on_console_event(DWORD event)
{
    char byte = (char)event;

    (void)send(bell, &byte, 1, 0);
    if (event == CTRL_CLOSE_EVENT || event == CTRL_LOGOFF_EVENT || event == CTRL_SHUTDOWN_EVENT)
        Sleep(INFINITE);
    return TRUE;
}

int net_catch_stop(const net_socket *passed, int count)
{
    struct sockaddr_in here = { .sin_family = AF_INET };
    int length = sizeof here;
    u_long on = 1;

    (void)passed;
    (void)count;
    here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    bell = socket(AF_INET, SOCK_DGRAM, 0);
    if (bell == INVALID_SOCKET || bind(bell, (const struct sockaddr *)&here, sizeof here) != 0 ||
            getsockname(bell, (struct sockaddr *)&here, &length) != 0 ||
            connect(bell, (const struct sockaddr *)&here, length) != 0 ||
            ioctlsocket(bell, (long)FIONBIO, &on) != 0)
        return -1;
    return SetConsoleCtrlHandler(on_console_event, TRUE) ? 0 : -1;
}

int net_take_stops(void)
{
    char byte[1];
    int count = 0;

    while (recv(bell, byte, sizeof byte, 0) == 1)
        count++;
    return count;
}
