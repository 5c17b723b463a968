#define _POSIX_C_SOURCE 200809L
#define _DARWIN_C_SOURCE

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "misbehave.h"
#include "serve.h"

#define VISITORS_MAX 256
#define NEVER        INT64_MAX

struct visitor {
    int fd;         /* -1: nobody */
    int64_t due_ms; /* the answer, or the next byte, is due; NEVER: nothing is */
    size_t used;    /* bytes read; DRIP: bytes written */
    char bytes[REQUEST_MAX];
};

static struct visitor visitors[VISITORS_MAX];
static enum manner manner;
static const char *banner;
static int answered;
static bool blocking; /* leave the listener's O_NONBLOCK as it is */

static void leave(struct visitor *visitor)
{
    close(visitor->fd);
    visitor->fd = -1;
}

/* A peer that has gone is no reason to end. */
static void say(struct visitor *visitor, const void *bytes, size_t length)
{
    size_t sent = 0;

    while (sent < length) {
        ssize_t now = send(visitor->fd, (const char *)bytes + sent, length - sent, 0);

        if (now == -1 && errno != EINTR)
            return;
        if (now > 0)
            sent += (size_t)now;
    }
}

/* The value of NAME in '?env=NAME', or NULL. */
static void put_asked_variable(FILE *file, const char *line)
{
    const char *at = strstr(line, "env=");
    char name[128];
    size_t length = at ? strcspn(at + 4, " &\r\n") : 0;

    if (at == NULL || length >= sizeof name)
        return;
    memcpy(name, at + 4, length);
    name[length] = '\0';
    json_put_string(file, name);
    fputs(":", file);
    json_put_string(file, getenv(name));
}

static void put_body(FILE *file, const struct visitor *visitor)
{
    const char *generation = getenv("SVCMGR_GENERATION");
    char line[256];

    snprintf(line, sizeof line, "%.*s", (int)strcspn(visitor->bytes, "\r\n"), visitor->bytes);
    fprintf(file, "{\"pid\":%ld,\"ppid\":%ld,\"generation\":%ld,\"requests\":%d,\"request\":",
            (long)getpid(), (long)getppid(), generation ? strtol(generation, NULL, 10) : 0,
            answered);
    json_put_string(file, line);
    fputs(",\"argv0\":", file);
    json_put_string(file, settings.argv0);
    fputs(",\"name\":", file);
    json_put_string(file, getenv("SVCMGR_NAME"));
    fputs(",\"instance\":", file);
    json_put_string(file, getenv("SVCMGR_INSTANCE"));
    fputs(",\"env\":{", file);
    put_asked_variable(file, line);
    fputs("}}\n", file);
}

static void answer_http(struct visitor *visitor)
{
    bool head_only = strncmp(visitor->bytes, "HEAD ", 5) == 0;
    char head[HEAD_MAX];
    char *body = NULL;
    size_t length = 0;
    FILE *file = open_memstream(&body, &length);

    if (file == NULL)
        fail("out of memory");
    answered++;
    put_body(file, visitor);
    if (fclose(file) != 0)
        fail("out of memory");
    serve_format_head(head, length);
    say(visitor, head, strlen(head));
    if (!head_only)
        say(visitor, body, length);
    free(body);
    leave(visitor);
    if (answered == settings.exit_after)
        exit(settings.exit_code);
}

static void drip(struct visitor *visitor, int64_t now_ms)
{
    char next = serve_drip_byte(visitor->used);

    visitor->used++;
    visitor->due_ms = now_ms + DRIP_EVERY_MS;
    say(visitor, &next, 1);
}

static void hear(struct visitor *visitor, int64_t now_ms)
{
    char ignored[REQUEST_MAX];
    bool keep = manner == MANNER_HTTP && visitor->used < sizeof visitor->bytes - 1;
    char *to = keep ? visitor->bytes + visitor->used : ignored;
    size_t room = keep ? sizeof visitor->bytes - 1 - visitor->used : sizeof ignored;
    ssize_t got = recv(visitor->fd, to, room, MSG_DONTWAIT);

    if (got == -1 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return;
    if (got <= 0) {
        leave(visitor);
    } else if (manner == MANNER_TLS) {
        if ((unsigned char)to[0] == TLS_FIRST_BYTE)
            say(visitor, serve_alert, sizeof serve_alert);
        leave(visitor);
    } else if (keep) {
        visitor->used += (size_t)got;
        visitor->bytes[visitor->used] = '\0';
        if (visitor->due_ms == NEVER && strstr(visitor->bytes, "\r\n\r\n") != NULL) {
            serve_read_answers();
            visitor->due_ms = now_ms + settings.slow_ms;
        }
    }
}

static void welcome(struct visitor *visitor, int fd, int64_t now_ms)
{
    struct linger reset = { .l_onoff = 1, .l_linger = 0 };

    visitor->fd = fd;
    visitor->used = 0;
    visitor->due_ms = NEVER;
    switch (manner) {
    case MANNER_HTTP:
    case MANNER_TLS:
        hear(visitor, now_ms); /* it may be there already */
        break;
    case MANNER_SILENT:
        break;
    case MANNER_BANNER:
        say(visitor, banner, strlen(banner));
        say(visitor, "\r\n", 2);
        break;
    case MANNER_DRIP:
        visitor->due_ms = now_ms + DRIP_EVERY_MS;
        break;
    case MANNER_RESET:
        (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        leave(visitor);
        break;
    case MANNER_CLOSE:
        leave(visitor);
        break;
    }
}

static void act_when_due(struct visitor *visitor, int64_t now_ms)
{
    if (visitor->fd == -1 || visitor->due_ms > now_ms)
        return;
    if (manner == MANNER_DRIP)
        drip(visitor, now_ms);
    else
        answer_http(visitor);
}

static struct visitor *free_place(void)
{
    for (int i = 0; i < VISITORS_MAX; i++) {
        if (visitors[i].fd == -1)
            return &visitors[i];
    }
    return NULL;
}

static void accept_one(int listen_fd, int64_t now_ms)
{
    struct visitor *place = free_place();
    int fd = place ? accept(listen_fd, NULL, NULL) : -1;

    if (fd != -1)
        welcome(place, fd, now_ms);
}

/* Item 0 is the listener, if there is room; item i + 1 is visitor places[i]. */
static nfds_t prepare_poll(struct pollfd *items, int *places, int listen_fd, int *ret_timeout_ms)
{
    int64_t first_ms = NEVER, now_ms = limit_now_ms();
    nfds_t count = 1;

    items[0] = (struct pollfd) { .fd = free_place() ? listen_fd : -1, .events = POLLIN };
    for (int i = 0; i < VISITORS_MAX; i++) {
        if (visitors[i].fd == -1)
            continue;
        if (visitors[i].due_ms < first_ms)
            first_ms = visitors[i].due_ms;
        places[count - 1] = i;
        items[count++] = (struct pollfd) { .fd = visitors[i].fd, .events = POLLIN };
    }
    *ret_timeout_ms = first_ms == NEVER ? -1 : first_ms <= now_ms ? 0 : (int)(first_ms - now_ms);
    return count;
}

void word_blocking(char **arguments)
{
    (void)arguments;
    blocking = true;
}

_Noreturn void serve(enum manner wanted, const char *text)
{
    static struct pollfd items[1 + VISITORS_MAX];
    static int places[VISITORS_MAX];
    int listen_fd = listen_current();
    int timeout_ms;

    manner = wanted;
    banner = text;
    script_run_options();
    signals_set(SIGPIPE, SIG_IGN);
    /* Else accept() may wait for ever for a visitor whom another process has welcomed. */
    if (!blocking)
        (void)fcntl(listen_fd, F_SETFL, fcntl(listen_fd, F_GETFL) | O_NONBLOCK);
    for (int i = 0; i < VISITORS_MAX; i++)
        visitors[i].fd = -1;
    for (;;) {
        nfds_t count = prepare_poll(items, places, listen_fd, &timeout_ms);
        int ready = poll(items, count, timeout_ms);
        int64_t now_ms = limit_now_ms();

        for (nfds_t i = 1; i < count && ready > 0; i++) {
            if (items[i].revents != 0)
                hear(&visitors[places[i - 1]], now_ms);
        }
        if (ready > 0 && (items[0].revents & POLLIN) != 0)
            accept_one(listen_fd, now_ms);
        else if (ready > 0 && items[0].revents != 0)
            limit_sleep_us(10000); /* it was shut down: nobody will come, but we go on */
        for (int i = 0; i < VISITORS_MAX; i++)
            act_when_due(&visitors[i], now_ms);
    }
}
