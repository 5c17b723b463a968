#include "probe.h"

#include <string.h>

#include "str.h"

#include "banned.h"

#define REQUEST_BYTES       (PROBE_PATH_BYTES + 256)
#define ACCEPT_MAX_PAUSE_MS 50

static void conclude(struct probe *probe, enum probe_verdict verdict)
{
    platform_unwatch(probe->source);
    probe->source = NULL;
    probe->verdict = verdict;
    probe->ended_us = platform_now_us();
}

static void connect_again(struct probe *probe)
{
    struct err err;

    probe->source = platform_connect(&probe->address, probe->role, probe, &err);
    if (probe->source != NULL)
        return;
    /* A Unix socket with a full backlog fails at once: somebody is there and does not accept. */
    conclude(probe, platform_means_nobody(err.os_code) ? PROBE_REFUSED : PROBE_SILENT);
}

void probe_start(struct probe *probe, const struct address *address, const char *path,
        enum probe_purpose purpose, int64_t timeout_ms, int role)
{
    probe_stop(probe);
    *probe = (struct probe) {
        .address = *address,
        .purpose = purpose,
        .role = role,
        .started_us = platform_now_us(),
        .deadline_ms = platform_now_ms() + timeout_ms,
    };
    /* A wildcard cannot be connected to: its loopback can. */
    if (address_is_wildcard(address))
        probe->address = address->family == ADDRESS_IPV4 ? address_ipv4(0x7F000001, address->port)
                                                         : address_ipv6_loopback(address->port);
    (void)str_copy(probe->path, sizeof probe->path, path);
    connect_again(probe);
}

static void ask(struct probe *probe)
{
    char request[REQUEST_BYTES];
    char host[ADDRESS_TEXT_BYTES];
    const void *data = request;
    size_t length;

    address_format(&probe->address, host, sizeof host);
    if (probe->address.family == ADDRESS_UNIX)
        (void)str_copy(host, sizeof host, "localhost");
    if (probe->in_tls)
        data = reply_client_hello(&length);
    else
        length = reply_request(probe->path, host, request, sizeof request);
    if (platform_send(probe->source, data, length, sizeof request) == -1)
        probe->length = 0; /* it closes on us: the END that follows decides */
}

/* Where the system does not say who accepted, being connected has to do. */
static void look_if_accepted(struct probe *probe)
{
    if (platform_is_accepted(probe->source) != 0) {
        conclude(probe, PROBE_ALIVE);
        return;
    }
    probe->pause_ms = probe->pause_ms == 0 ? 1 : probe->pause_ms * 2;
    if (probe->pause_ms > ACCEPT_MAX_PAUSE_MS)
        probe->pause_ms = ACCEPT_MAX_PAUSE_MS;
    probe->look_ms = platform_now_ms() + probe->pause_ms;
}

static void on_connected(struct probe *probe)
{
    /* In the range of ephemeral ports a connect can meet itself: nobody listens then. */
    if (platform_is_self_connected(probe->source)) {
        /* Its TIME_WAIT would stand in the way of the bind for a minute. */
        platform_end_by_reset(probe->source);
        conclude(probe, PROBE_REFUSED);
        return;
    }
    probe->connected = true;
    if (probe->purpose == PROBE_FOR_ACCEPT)
        look_if_accepted(probe);
    else
        ask(probe);
}

static void on_data(struct probe *probe, const char *data, size_t length)
{
    size_t room = sizeof probe->bytes - probe->length;

    if (length > room)
        length = room;
    memcpy(probe->bytes + probe->length, data, length);
    probe->length += length;
    if (probe->purpose == PROBE_FOR_LIFE ||
            reply_read(probe->bytes, probe->length).kind != REPLY_PARTIAL)
        conclude(probe, PROBE_ALIVE);
}

static void on_end(struct probe *probe, long code)
{
    bool was_connected = probe->connected;

    platform_unwatch(probe->source);
    probe->source = NULL;
    if (probe->length > 0) {
        conclude(probe, PROBE_ALIVE);
    } else if (!was_connected) {
        conclude(probe, platform_means_nobody(code) ? PROBE_REFUSED : PROBE_SILENT);
    } else if (probe->purpose == PROBE_FOR_ACCEPT && code == 0) {
        /* Who closes in good order had accepted; what nobody had accepted is reset: tcp(7). */
        conclude(probe, PROBE_ALIVE);
    } else if (probe->purpose == PROBE_FOR_LIFE && !probe->in_tls) {
        /* Closed without a byte: a server that speaks TLS only does that. */
        probe->in_tls = true;
        probe->connected = false;
        connect_again(probe);
    } else {
        conclude(probe, PROBE_SILENT);
    }
}

void probe_on_event(struct probe *probe, const struct platform_event *event)
{
    if (probe->verdict != PROBE_PENDING || event->source != probe->source)
        return;
    switch (event->kind) {
    case PLATFORM_EVENT_CONNECTED:
        on_connected(probe);
        break;
    case PLATFORM_EVENT_DATA:
        on_data(probe, event->data, event->length);
        break;
    case PLATFORM_EVENT_END:
        on_end(probe, event->os_code);
        break;
    case PLATFORM_EVENT_TIMER:
    case PLATFORM_EVENT_SIGNAL:
    case PLATFORM_EVENT_EXIT:
    case PLATFORM_EVENT_GONE:
    case PLATFORM_EVENT_ACCEPTED:
    case PLATFORM_EVENT_WRITTEN:
    case PLATFORM_EVENT_NOTIFY:
    case PLATFORM_EVENT_MESSAGE:
    case PLATFORM_EVENT_CHILD_FAILED:
        break;
    }
}

void probe_on_time(struct probe *probe, int64_t now_ms)
{
    if (probe->verdict != PROBE_PENDING || probe->source == NULL)
        return;
    if (now_ms < probe->deadline_ms) {
        if (probe->look_ms != 0 && now_ms >= probe->look_ms)
            look_if_accepted(probe);
        return;
    }
    conclude(probe, probe->length > 0 ? PROBE_ALIVE : PROBE_SILENT);
}

int64_t probe_deadline(const struct probe *probe)
{
    if (probe->source == NULL)
        return PLATFORM_NEVER;
    return probe->look_ms != 0 && probe->look_ms < probe->deadline_ms ? probe->look_ms
                                                                      : probe->deadline_ms;
}

void probe_stop(struct probe *probe)
{
    platform_unwatch(probe->source);
    probe->source = NULL;
}

enum probe_verdict probe_now(
        struct probe *probe, const struct address *address, const char *path, int64_t timeout_ms)
{
    *probe = (struct probe) { .source = NULL };
    probe_start(probe, address, path, PROBE_FOR_LIFE, timeout_ms, 0);
    while (probe->verdict == PROBE_PENDING) {
        struct platform_event event;

        platform_wait(probe_deadline(probe), &event);
        if (event.owner == probe)
            probe_on_event(probe, &event);
        probe_on_time(probe, platform_now_ms());
    }
    return probe->verdict;
}

void probe_describe(const struct probe *probe, char *ret_text, size_t size)
{
    switch (probe->verdict) {
    case PROBE_PENDING:
    case PROBE_SILENT:
        (void)str_format(ret_text, size, "no answer");
        break;
    case PROBE_REFUSED:
        (void)str_format(ret_text, size, "connection refused");
        break;
    case PROBE_ALIVE:
        if (probe->length > 0)
            reply_describe(probe->bytes, probe->length, ret_text, size);
        else
            (void)str_format(ret_text, size, "accepted");
        break;
    }
}
