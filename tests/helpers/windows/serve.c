#include "serve.h"
#include "misbehave.h"

#include <stdlib.h>
#include <string.h>

#include <winsock2.h>
#include <ws2tcpip.h>

#include <windows.h>

static enum manner manner;
static const char *banner;
static SOCKET listener = INVALID_SOCKET; /* where visitors come in; none: not decided */
static volatile LONG answered;

void serve_begin(void)
{
    WSADATA data;

    if (WSAStartup(MAKEWORD(2, 2), &data) != 0)
        fail("sockets", "there are none");
}

/* ---- Where visitors come in ------------------------------------------------------------------ */

void word_listen_fd(char **arguments)
{
    const char *list = getenv("SVCMGR_LISTEN_HANDLES");

    (void)arguments;
    if (list == NULL)
        fail("listen-fd", "SVCMGR_LISTEN_HANDLES is not set");
    listener = (SOCKET)strtoull(list, NULL, 10);
}

static SOCKET bind_v4(const char *host, unsigned short port)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = port };
    SOCKET made = socket(AF_INET, SOCK_STREAM, 0);
    BOOL on = TRUE;

    (void)setsockopt(made, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, (const char *)&on, sizeof on);
    return inet_pton(AF_INET, host, &at.sin_addr) == 1 &&
                    bind(made, (const struct sockaddr *)&at, sizeof at) == 0
            ? made
            : INVALID_SOCKET;
}

static SOCKET bind_v6(const char *host, unsigned short port)
{
    struct sockaddr_in6 at = { .sin6_family = AF_INET6, .sin6_port = port };
    SOCKET made = socket(AF_INET6, SOCK_STREAM, 0);
    DWORD only = 0; /* as it is elsewhere */
    BOOL on = TRUE;

    (void)setsockopt(made, IPPROTO_IPV6, IPV6_V6ONLY, (const char *)&only, sizeof only);
    (void)setsockopt(made, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, (const char *)&on, sizeof on);
    return inet_pton(AF_INET6, host, &at.sin6_addr) == 1 &&
                    bind(made, (const struct sockaddr *)&at, sizeof at) == 0
            ? made
            : INVALID_SOCKET;
}

/* Wine looks for whose a listener is in the files that processes have open below, and keeps a
 * socket in its server until its process asks for an option that the server does not know
 * (dlls/nsiproxy.sys/tcp.c and dlls/ntdll/unix/socket.c of Wine 8). */
static void show_owner(SOCKET made)
{
    BOOL on;
    int length = sizeof on;

    (void)getsockopt(made, SOL_SOCKET, SO_KEEPALIVE, (char *)&on, &length);
}

/* PORT, HOST:PORT, [HOST]:PORT, or env. */
static SOCKET make(const char *address, bool listens)
{
    const char *colon = strrchr(address, ':');
    const char *text = colon != NULL ? colon + 1 : address;
    char host[64] = "127.0.0.1";
    unsigned short port;
    SOCKET made;

    if (strcmp(address, "env") == 0)
        text = getenv("PORT") != NULL ? getenv("PORT") : "0";
    else if (address[0] == '[')
        snprintf(host, sizeof host, "%.*s", (int)strcspn(address + 1, "]"), address + 1);
    else if (colon != NULL)
        snprintf(host, sizeof host, "%.*s", (int)(colon - address), address);
    port = htons((unsigned short)script_number(text, 65535));
    made = address[0] == '[' ? bind_v6(host, port) : bind_v4(host, port);
    if (made == INVALID_SOCKET || (listens && listen(made, SOMAXCONN) != 0))
        fail(address, "cannot be bound");
    show_owner(made);
    return made;
}

void word_bind(char **arguments)
{
    listener = make(arguments[0], true);
}

void word_listen_silent(char **arguments)
{
    (void)make(arguments[0], true);
    settings.stay = true;
}

void word_bind_only(char **arguments)
{
    (void)make(arguments[0], false);
    settings.stay = true;
}

/* ---- Visitors, each in a thread of its own --------------------------------------------------- */

static void say(SOCKET visitor, const char *text)
{
    (void)send(visitor, text, (int)strlen(text), 0);
}

static void answer_http(SOCKET visitor, const char *request)
{
    const char *asked = strstr(request, "env=");
    const char *generation = getenv("SVCMGR_GENERATION");
    char body[2048];
    char head[HEAD_MAX];
    char name[128];
    LONG number = InterlockedIncrement(&answered);

    snprintf(name, sizeof name, "%.*s", asked != NULL ? (int)strcspn(asked + 4, " &\r\n") : 0,
            asked != NULL ? asked + 4 : "");
    snprintf(body, sizeof body,
            "{\"pid\":%lu,\"generation\":%s,\"requests\":%ld,\"name\":\"%s\",\"instance\":\"%s\","
            "\"env\":{\"%s\":\"%s\"}}\n",
            (unsigned long)GetCurrentProcessId(), generation != NULL ? generation : "0",
            (long)number, getenv("SVCMGR_NAME") != NULL ? getenv("SVCMGR_NAME") : "",
            getenv("SVCMGR_INSTANCE") != NULL ? getenv("SVCMGR_INSTANCE") : "", name,
            getenv(name) != NULL ? getenv(name) : "");
    serve_format_head(head, strlen(body));
    say(visitor, head);
    say(visitor, body);
    (void)shutdown(visitor, SD_SEND);
    (void)recv(visitor, head, sizeof head, 0);
    if (number == settings.exit_after)
        exit(settings.exit_code);
}

static DWORD WINAPI hear(void *argument)
{
    SOCKET visitor = (SOCKET)argument;
    char request[REQUEST_MAX + 1];
    int used = 0;

    request[0] = '\0';
    while (used < REQUEST_MAX && strstr(request, "\r\n\r\n") == NULL) {
        int got = recv(visitor, request + used, REQUEST_MAX - used, 0);

        if (got <= 0)
            goto out;
        used += got;
        request[used] = '\0';
    }
    serve_read_answers();
    if (settings.slow_ms > 0)
        Sleep((DWORD)settings.slow_ms);
    answer_http(visitor, request);
out:
    (void)closesocket(visitor);
    return 0;
}

static DWORD WINAPI drip(void *argument)
{
    SOCKET visitor = (SOCKET)argument;

    for (size_t i = 0;; i++) {
        char next = serve_drip_byte(i);

        Sleep(DRIP_EVERY_MS);
        if (send(visitor, &next, 1, 0) != 1)
            break;
    }
    (void)closesocket(visitor);
    return 0;
}

static DWORD WINAPI hear_tls(void *argument)
{
    SOCKET visitor = (SOCKET)argument;
    char bytes[REQUEST_MAX];

    if (recv(visitor, bytes, sizeof bytes, 0) > 0 && bytes[0] == TLS_FIRST_BYTE)
        (void)send(visitor, (const char *)serve_alert, sizeof serve_alert, 0);
    (void)shutdown(visitor, SD_SEND);
    (void)closesocket(visitor);
    return 0;
}

static void attend(SOCKET visitor, LPTHREAD_START_ROUTINE how)
{
    HANDLE thread = CreateThread(NULL, 0, how, (void *)visitor, 0, NULL);

    if (thread != NULL)
        (void)CloseHandle(thread);
}

static void welcome(SOCKET visitor)
{
    struct linger reset = { .l_onoff = 1, .l_linger = 0 };

    switch (manner) {
    case MANNER_HTTP:
        attend(visitor, hear);
        break;
    case MANNER_DRIP:
        attend(visitor, drip);
        break;
    case MANNER_TLS:
        attend(visitor, hear_tls);
        break;
    case MANNER_RESET:
        (void)setsockopt(visitor, SOL_SOCKET, SO_LINGER, (const char *)&reset, sizeof reset);
        (void)closesocket(visitor);
        break;
    case MANNER_SILENT:
        break;
    case MANNER_BANNER:
        say(visitor, banner);
        say(visitor, "\r\n");
        break;
    case MANNER_CLOSE:
        (void)closesocket(visitor);
        break;
    }
}

_Noreturn void serve(enum manner how, const char *text)
{
    manner = how;
    banner = text;
    script_run_options();
    if (listener == INVALID_SOCKET)
        word_listen_fd(NULL);
    for (;;) {
        SOCKET visitor = accept(listener, NULL, NULL);

        if (visitor != INVALID_SOCKET)
            welcome(visitor);
        else
            Sleep(1);
    }
}
