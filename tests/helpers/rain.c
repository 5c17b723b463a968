/* rain: a steady rain of requests, and what became of each.
 *
 *     rain PORT RATE SECONDS [PATH]
 *
 * Begins RATE connections a second to 127.0.0.1:PORT, whatever becomes of the former ones, each
 * with one request (Connection: close), until SECONDS have passed or standard input ends; then
 * waits for those that are under way.  Prints what became of them, as JSON.
 *
 * A server that is slower than RATE would fill the listener's queue, and the kernel would drop what
 * comes then: so at UNDER_WAY_MAX the next one waits, is counted as late, and the rest follow it.
 */
#define _POSIX_C_SOURCE 200809L

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define UNDER_WAY_MAX 500 /* below any usual queue: node and nginx ask listen(2) for 511 */
#define ANSWER_BYTES  8192
#define TIMEOUT_US    (30 * INT64_C(1000000)) /* a request that has no answer by then is lost */

enum fate { FINE, REFUSED, RESET, SHORT, TIMED_OUT, WRONG, FATES };

static const char *const names[FATES] = { "fine", "refused", "reset", "short", "timed_out",
    "wrong" };

struct drop {
    int fd; /* -1: free */
    int sent;
    int64_t since_us;
    size_t length;
    char answer[ANSWER_BYTES];
};

static struct drop drops[UNDER_WAY_MAX];
static struct pollfd polls[UNDER_WAY_MAX + 1];
static struct sockaddr_in target;
static char request[512];
static unsigned long counts[FATES];
static unsigned long missed; /* not begun, for want of descriptors */
static unsigned long late;   /* begun when another one had ended */
static int64_t slowest_us;
static int64_t longest_gap_us;
static int64_t last_answer_us;

static int64_t now_us(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void end(struct drop *drop, enum fate fate)
{
    int64_t now = now_us();

    counts[fate]++;
    (void)close(drop->fd);
    drop->fd = -1;
    if (now - drop->since_us > slowest_us)
        slowest_us = now - drop->since_us;
    if (fate != FINE)
        return;
    if (last_answer_us != 0 && now - last_answer_us > longest_gap_us)
        longest_gap_us = now - last_answer_us;
    last_answer_us = now;
}

static enum fate fate_of(int error)
{
    return error == ECONNREFUSED ? REFUSED : error == ETIMEDOUT ? TIMED_OUT : RESET;
}

static struct drop *free_drop(void)
{
    for (int i = 0; i < UNDER_WAY_MAX; i++)
        if (drops[i].fd == -1)
            return &drops[i];
    return NULL;
}

static void begin(struct drop *drop)
{
    drop->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (drop->fd == -1) {
        missed++;
        return;
    }
    (void)fcntl(drop->fd, F_SETFL, O_NONBLOCK);
    drop->sent = 0;
    drop->length = 0;
    drop->since_us = now_us();
    if (connect(drop->fd, (struct sockaddr *)&target, sizeof target) == -1 && errno != EINPROGRESS)
        end(drop, fate_of(errno));
}

/* The whole answer has come: was it one? */
static enum fate judge(const struct drop *drop)
{
    const char *body = strstr(drop->answer, "\r\n\r\n");
    const char *at = drop->answer;
    long wanted = -1;

    if (drop->length == 0)
        return RESET; /* accepted, and closed without a word */
    if (body == NULL)
        return SHORT;
    body += 4;
    while (at < body && wanted == -1) {
        if (strncasecmp(at, "Content-Length:", 15) == 0)
            wanted = strtol(at + 15, NULL, 10);
        at = strstr(at, "\r\n") + 2;
    }
    if (wanted >= 0 && drop->answer + drop->length - body < wanted)
        return SHORT;
    return strncmp(drop->answer, "HTTP/1.", 7) == 0 && strncmp(drop->answer + 8, " 200", 4) == 0
            ? FINE
            : WRONG;
}

static void go_on(struct drop *drop)
{
    size_t length = strlen(request);
    int error = 0;
    socklen_t size = sizeof error;

    if (!drop->sent) {
        (void)getsockopt(drop->fd, SOL_SOCKET, SO_ERROR, &error, &size);
        if (error != 0) {
            end(drop, fate_of(error));
            return;
        }
        if (send(drop->fd, request, length, MSG_NOSIGNAL) != (ssize_t)length) {
            end(drop, fate_of(errno));
            return;
        }
        drop->sent = 1;
        return;
    }
    for (;;) {
        ssize_t got =
                recv(drop->fd, drop->answer + drop->length, ANSWER_BYTES - 1 - drop->length, 0);

        if (got == -1 && (errno == EAGAIN || errno == EINTR))
            return;
        if (got == -1) {
            end(drop, fate_of(errno));
            return;
        }
        drop->length += (size_t)got;
        drop->answer[drop->length] = '\0';
        if (got == 0 || drop->length == ANSWER_BYTES - 1) {
            end(drop, judge(drop));
            return;
        }
    }
}

/* Waits for what happens next, at most until a time; returns how many are under way. */
static int wait_until_us(int64_t until_us, int *input)
{
    nfds_t count = 1;
    int under_way = 0;
    int64_t now = now_us();
    int64_t left_ms = (until_us - now + 999) / 1000;

    polls[0] = (struct pollfd) { .fd = *input, .events = POLLIN };
    for (int i = 0; i < UNDER_WAY_MAX; i++) {
        if (drops[i].fd == -1)
            continue;
        if (now - drops[i].since_us > TIMEOUT_US) {
            end(&drops[i], TIMED_OUT);
            continue;
        }
        polls[count++] =
                (struct pollfd) { .fd = drops[i].fd, .events = drops[i].sent ? POLLIN : POLLOUT };
        under_way++;
    }
    if (poll(polls, count, left_ms < 0 ? 0 : (int)left_ms) <= 0)
        return under_way;
    if (polls[0].revents != 0) {
        char byte[16];

        if (read(*input, byte, sizeof byte) <= 0)
            *input = -1; /* not watched any more: it has ended */
    }
    for (nfds_t at = 1, i = 0; at < count && i < UNDER_WAY_MAX; i++)
        if (drops[i].fd != -1 && drops[i].fd == polls[at].fd) {
            if (polls[at].revents != 0)
                go_on(&drops[i]);
            at++;
        }
    return under_way;
}

static void rain(long rate, long seconds)
{
    int64_t start_us = now_us();
    int64_t end_us = start_us + (int64_t)seconds * 1000000;
    int64_t next_us = start_us;
    int64_t between_us = 1000000 / rate;
    int input = STDIN_FILENO;
    int held = 0;

    while (now_us() < end_us && input != -1) {
        int64_t now = now_us();
        struct drop *drop = now >= next_us ? free_drop() : NULL;

        if (drop != NULL) {
            begin(drop);
            late += (unsigned long)held;
            next_us = (held ? now : next_us) + between_us;
        }
        held = now >= next_us && drop == NULL;
        (void)wait_until_us(held ? now + 1000 : next_us, &input);
    }
    input = -1;
    while (wait_until_us(now_us() + 100000, &input) > 0)
        ;
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        (void)fprintf(stderr, "usage: rain PORT RATE SECONDS [PATH]\n");
        return 2;
    }
    target.sin_family = AF_INET;
    target.sin_port = htons((uint16_t)strtol(argv[1], NULL, 10));
    target.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    (void)snprintf(request, sizeof request,
            "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n",
            argc > 4 ? argv[4] : "/");
    for (int i = 0; i < UNDER_WAY_MAX; i++)
        drops[i].fd = -1;
    rain(strtol(argv[2], NULL, 10), strtol(argv[3], NULL, 10));
    (void)printf("{");
    for (int i = 0; i < FATES; i++)
        (void)printf("\"%s\":%lu,", names[i], counts[i]);
    (void)printf("\"missed\":%lu,\"late\":%lu,\"slowest_ms\":%.3f,\"longest_gap_ms\":%.3f}\n",
            missed, late, (double)slowest_us / 1000, (double)longest_gap_us / 1000);
    return 0;
}
