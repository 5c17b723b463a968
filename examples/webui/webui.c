/* webui: a small web server to try a service manager with.
 *
 * It takes a listening socket that it is given, or makes one; tells NOTIFY_SOCKET when it is ready
 * and when it stops; and on SIGTERM (Ctrl-Break on Windows) finishes what it has accepted.  One
 * thread, one net_wait(). */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "connection.h"
#include "listener.h"
#include "notify.h"

#define CONNECTIONS_MAX 512
#define DRAIN_LIMIT_MS  8000
#define ACCEPT_AT_ONCE  32
#define ACCEPT_PAUSE_MS 100
#define ITEMS_MAX       (LISTENER_MAX + CONNECTIONS_MAX)

static struct connection connections[CONNECTIONS_MAX];
static struct server server;
static struct listener listener;

static struct {
    int open;                 /* connections */
    int slots_used;           /* all slots from this one on are free */
    int64_t accept_again_ms;  /* no descriptors were left: not before this */
    int64_t stop_deadline_ms; /* once stopping */
    int64_t watchdog_ms;      /* when to send the next WATCHDOG=1 */
    int watchdog_every_ms;    /* 0: nobody asks for it */
} loop;

static void say(const char *format, ...) NET_PRINTF(1, 2);

static void say(const char *format, ...)
{
    char text[512];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    fprintf(stderr, "webui: %s\n", text);
}

static void advance(struct connection *connection, int64_t now)
{
    connection_advance(connection, &server, now);
    if (connection->phase == CONNECTION_FREE)
        loop.open--;
}

/* The lowest free slot: memory that was never used costs nothing. */
static struct connection *free_slot(void)
{
    int i = 0;

    while (i < CONNECTIONS_MAX && connections[i].phase != CONNECTION_FREE)
        i++;
    if (i == CONNECTIONS_MAX)
        return NULL;
    if (i >= loop.slots_used)
        loop.slots_used = i + 1;
    return &connections[i];
}

static void accept_some(net_socket from, int limit, int64_t now)
{
    while (limit-- > 0 && loop.open < CONNECTIONS_MAX && net_is_readable(from)) {
        bool is_exhausted;
        net_socket accepted = net_accept(from, &is_exhausted);
        struct connection *connection;

        if (accepted == NET_NO_SOCKET) {
            if (is_exhausted)
                loop.accept_again_ms = now + ACCEPT_PAUSE_MS;
            return;
        }
        connection = free_slot();
        loop.open++;
        server.full = loop.open == CONNECTIONS_MAX;
        connection_open(connection, accepted, now);
        advance(connection, now);
    }
}

static void begin_stop(int64_t now)
{
    /* Whoever waits on a socket of our own would be refused after all: let them in.  On one that
     * was handed over they wait for the next generation. */
    if (!listener.inherited) {
        for (int i = 0; i < listener.count; i++)
            accept_some(listener.sockets[i], CONNECTIONS_MAX, now);
    }
    listener_close(&listener);
    server.facts.stopping = true;
    loop.stop_deadline_ms = now + DRAIN_LIMIT_MS;
    notify_send("STOPPING=1\nSTATUS=Finishing requests", true);
    for (int i = 0; i < loop.slots_used; i++) {
        if (connections[i].phase == CONNECTION_FREE)
            continue;
        connection_stopping(&connections[i], &server, now);
        if (connections[i].phase == CONNECTION_FREE)
            loop.open--;
    }
    say("stopping, %d connections to finish", loop.open);
}

/* A second signal means: now. */
static void take_stops(int64_t now)
{
    for (int count = net_take_stops(); count > 0; count--) {
        if (server.facts.stopping)
            loop.stop_deadline_ms = now;
        else
            begin_stop(now);
    }
}

static void earlier(int64_t *deadline_ms, int64_t other_ms)
{
    if (other_ms < *deadline_ms)
        *deadline_ms = other_ms;
}

/* Fills the items: the listeners, then the connections, slots[i] naming that of item i.  Says until
 * when to wait. */
static int prepare_wait(struct net_item *items, int *slots, int64_t now, int64_t *ret_deadline_ms)
{
    int count = 0;
    bool accepting = loop.open < CONNECTIONS_MAX && now >= loop.accept_again_ms;
    int last_used = 0;

    *ret_deadline_ms = INT64_MAX;
    if (server.facts.stopping)
        earlier(ret_deadline_ms, loop.stop_deadline_ms);
    if (now < loop.accept_again_ms)
        earlier(ret_deadline_ms, loop.accept_again_ms);
    if (loop.watchdog_every_ms > 0)
        earlier(ret_deadline_ms, loop.watchdog_ms);

    for (int i = 0; i < listener.count; i++)
        items[count++] =
                (struct net_item) { .socket = accepting ? listener.sockets[i] : NET_NO_SOCKET,
                    .for_reading = true };
    for (int i = 0; i < loop.slots_used; i++) {
        struct connection *connection = &connections[i];
        enum connection_phase phase = connection->phase;

        if (phase == CONNECTION_FREE)
            continue;
        last_used = i + 1;
        earlier(ret_deadline_ms, connection->deadline_ms);
        items[count] = (struct net_item) {
            .socket = connection->socket,
            .for_reading = phase == CONNECTION_READING || phase == CONNECTION_LINGERING,
            .for_writing = phase == CONNECTION_WRITING,
        };
        slots[count++] = i;
    }
    loop.slots_used = last_used;
    return count;
}

static int wait_limit(int64_t now, int64_t deadline_ms)
{
    if (deadline_ms == INT64_MAX)
        return -1;
    if (deadline_ms <= now)
        return 0;
    return deadline_ms - now < 60000 ? (int)(deadline_ms - now) : 60000;
}

static void handle_connections(
        const struct net_item *items, const int *slots, int count, int64_t now)
{
    for (int i = listener.count; i < count; i++) {
        struct connection *connection = &connections[slots[i]];

        if (connection->phase == CONNECTION_WAITING && items[i].happened) {
            connection_close(connection); /* an error or a hang-up: nobody waits any more */
            loop.open--;
        } else if (items[i].happened || now >= connection->deadline_ms) {
            advance(connection, now);
        }
    }
}

static void serve(void)
{
    static struct net_item items[ITEMS_MAX];
    static int slots[ITEMS_MAX];

    while (!server.facts.stopping || (loop.open > 0 && net_now_ms() < loop.stop_deadline_ms)) {
        int64_t deadline_ms;
        int64_t now = net_now_ms();
        int count = prepare_wait(items, slots, now, &deadline_ms);

        if (!net_wait(items, count, wait_limit(now, deadline_ms)))
            count = 0;
        now = net_now_ms();
        if (count > 0)
            handle_connections(items, slots, count, now);
        server.full = loop.open == CONNECTIONS_MAX;
        for (int i = 0; i < listener.count && count > 0; i++) {
            if (items[i].happened)
                accept_some(listener.sockets[i], ACCEPT_AT_ONCE, now);
        }
        take_stops(now);
        if (loop.watchdog_every_ms > 0 && now >= loop.watchdog_ms) {
            notify_send("WATCHDOG=1", false);
            loop.watchdog_ms = now + loop.watchdog_every_ms;
        }
    }
}

/* All or nothing: who waits for the file finds the whole port in it. */
static int write_port_file(const char *path)
{
    char temporary[1024];
    FILE *file;
    bool written;

    if (snprintf(temporary, sizeof temporary, "%s.new", path) >= (int)sizeof temporary) {
        errno = ENAMETOOLONG;
        return -1;
    }
    file = fopen(temporary, "w");
    if (file == NULL)
        return -1;
    written = fprintf(file, "%u\n", listener.port) > 0;
    if (fclose(file) != 0 || !written || rename(temporary, path) == -1) {
        (void)remove(temporary);
        return -1;
    }
    return 0;
}

static int usage(FILE *stream)
{
    fprintf(stream,
            "usage: webui [--quiet] [--port-file PATH]\n"
            "A small web server on the socket that it is given, or on $HOST:$PORT.\n"
            "  --quiet           no line per request on standard output\n"
            "  --port-file PATH  write the port to PATH when it is open\n");
    return stream == stderr ? 2 : 0;
}

static bool is_number(const char *text)
{
    return text != NULL && text[0] != '\0' && strlen(text) < 20 &&
            strspn(text, "0123456789") == strlen(text);
}

static void gather_facts(void)
{
    const char *name = getenv("SVCMGR_NAME");
    const char *generation = getenv("SVCMGR_GENERATION");

    server.facts.name = name ? name : "webui";
    server.facts.generation = is_number(generation) ? generation : NULL;
    server.facts.started_ms = net_now_ms();
}

static void tell_ready(void)
{
    char text[256];

    server.facts.address = listener.url;
    server.facts.inherited = listener.inherited;
    loop.watchdog_every_ms = notify_watchdog_ms();
    loop.watchdog_ms = net_now_ms() + loop.watchdog_every_ms;
    say("pid %ld serves %s (%s socket)", net_pid(), listener.url,
            listener.inherited ? "inherited" : "own");
    snprintf(text, sizeof text, "READY=1\nSTATUS=Serving %s", listener.url);
    notify_send(text, true);
}

int main(int argc, char **argv)
{
    const char *port_file = NULL;
    char problem[256];

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--quiet") == 0)
            server.quiet = true;
        else if (strcmp(argv[i], "--port-file") == 0 && i + 1 < argc)
            port_file = argv[++i];
        else
            return usage(strcmp(argv[i], "--help") == 0 ? stdout : stderr);
    }
    if (net_begin() == -1) {
        say("cannot use sockets: %s", net_problem());
        return 1;
    }
    gather_facts();
    if (listener_open(&listener, problem, sizeof problem) == -1) {
        say("%s", problem);
        return 1;
    }
    if (net_catch_stop(listener.sockets, listener.inherited ? listener.count : 0) == -1) {
        say("cannot set up signals: %s", net_problem());
        return 1;
    }
    if (port_file != NULL && write_port_file(port_file) == -1) {
        say("cannot write %s: %s", port_file, strerror(errno));
        return 1;
    }
    tell_ready();
    serve();
    say("stopped after %" PRIu64 " requests", server.facts.requests);
    return 0;
}
