#include "fake_machine.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fake_processes.h"
#include "keeper.h"
#include "platform_sys.h"
#include "posix_source.h"

#define FIRST_FD          64   /* of what the processes have open: not where the supervisor looks */
#define SEND_BUFFER_BYTES 4096 /* so that a reader is soon behind */
#define TICK_US           20   /* what a turn of the loop takes */
#define FAKE_PORT         4711
#define TIMERS_MAX        20000
#define WALL_AT_START_US  INT64_C(1767225600000000) /* 2026-01-01T00:00:00Z */

static struct {
    int64_t now_us;
    uint64_t chance;
    int keeper;
    int bell;
    unsigned timers; /* told since anything happened */
    void (*idle)(int64_t deadline_ms);
} machine;

void fake_close(int *fd)
{
    if (*fd != -1)
        (void)close(*fd);
    *fd = -1;
}

int fake_copy(platform_handle handle)
{
    return handle == PLATFORM_NO_HANDLE ? -1 : fcntl((int)handle, F_DUPFD_CLOEXEC, FIRST_FD);
}

/* ---- Time and chance ------------------------------------------------------------------------- */

int64_t __wrap_platform_now_us(void);
int64_t __wrap_platform_now_ms(void);
int64_t __wrap_platform_wall_us(void);
int __wrap_platform_random(void *bytes, size_t length, struct err *err);

int64_t __wrap_platform_now_us(void)
{
    return machine.now_us;
}

int64_t __wrap_platform_now_ms(void)
{
    return machine.now_us / 1000;
}

int64_t __wrap_platform_wall_us(void)
{
    return WALL_AT_START_US + machine.now_us;
}

int __wrap_platform_random(void *bytes, size_t length, struct err *err)
{
    unsigned char *at = bytes;

    (void)err;
    for (size_t i = 0; i < length; i++) {
        machine.chance = machine.chance * 6364136223846793005u + 1442695040888963407u;
        at[i] = (unsigned char)(machine.chance >> 56);
    }
    return 0;
}

int64_t fake_now_ms(void)
{
    return machine.now_us / 1000;
}

void fake_advance(int64_t ms)
{
    machine.now_us += ms * 1000;
    machine.timers = 0;
}

/* ---- What has no meaning here ---------------------------------------------------------------- */

int64_t __wrap_platform_pid(void);
int __wrap_platform_capture(const char *const *words, int64_t timeout_ms, size_t limit,
        struct buffer *out, int *ret_code, struct err *err);
void __wrap_platform_become_reaper(void);
void __wrap_platform_leave_terminal_group(void);
void __wrap_platform_trim_stack(void);
int __wrap_platform_loop_open(bool takes_signals, struct err *err);
int __real_platform_loop_open(bool takes_signals, struct err *err);

int64_t __wrap_platform_pid(void)
{
    return FAKE_SUPERVISOR_PID;
}

int __wrap_platform_capture(const char *const *words, int64_t timeout_ms, size_t limit,
        struct buffer *out, int *ret_code, struct err *err)
{
    (void)timeout_ms;
    (void)limit;
    (void)out;
    (void)ret_code;
    return err_set(err, ERR_FAILED, ENOENT, "cannot execute %s", words[0]);
}

void __wrap_platform_become_reaper(void)
{
}

void __wrap_platform_leave_terminal_group(void)
{
}

void __wrap_platform_trim_stack(void)
{
}

int __wrap_platform_loop_open(bool takes_signals, struct err *err)
{
    (void)takes_signals;
    (void)err;
    return 0; /* open since fake_begin(): the fuzzer's signals are its own */
}

/* ---- TCP ------------------------------------------------------------------------------------- */

enum platform_bind_result __wrap_platform_bind(const struct platform_bind *bind,
        platform_handle *ret_handle, struct address *ret_bound, struct err *err);
enum platform_bind_result __real_platform_bind(const struct platform_bind *bind,
        platform_handle *ret_handle, struct address *ret_bound, struct err *err);

static socklen_t tcp_address(struct sockaddr_un *ret_address)
{
    *ret_address = (struct sockaddr_un) { .sun_family = AF_UNIX };
    (void)snprintf(ret_address->sun_path + 1, sizeof ret_address->sun_path - 1, "svcmgr-fuzz-%lld",
            (long long)getpid());
    return sizeof *ret_address;
}

enum platform_bind_result __wrap_platform_bind(const struct platform_bind *bind,
        platform_handle *ret_handle, struct address *ret_bound, struct err *err)
{
    struct sockaddr_un address;
    socklen_t length = tcp_address(&address);
    int fd;

    if (bind->address.family == ADDRESS_UNIX)
        return __real_platform_bind(bind, ret_handle, ret_bound, err);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    REQUIRE(fd != -1 && sys.bind(fd, (const struct sockaddr *)&address, length) == 0);
    REQUIRE(listen(fd, 16) == 0);
    *ret_handle = fd;
    *ret_bound = bind->address;
    ret_bound->port = FAKE_PORT;
    return PLATFORM_BIND_OK;
}

int fake_connect_tcp(void)
{
    struct sockaddr_un address;
    socklen_t length = tcp_address(&address);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd == -1 || connect(fd, (const struct sockaddr *)&address, length) == 0)
        return fd;
    (void)close(fd);
    return -1;
}

/* ---- System calls ---------------------------------------------------------------------------- */

static pid_t no_fork(void)
{
    __builtin_trap();
}

static int no_kill(pid_t pid, int number)
{
    (void)pid;
    (void)number;
    __builtin_trap();
}

static int accept_small(int fd, struct sockaddr *address, socklen_t *length)
{
    int bytes = SEND_BUFFER_BYTES;
    int accepted = accept(fd, address, length);

    if (accepted != -1)
        (void)setsockopt(accepted, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    return accepted;
}

/* ---- The keeper ------------------------------------------------------------------------------ */

static void send_to_supervisor(const struct keeper_message *message)
{
    struct err err;

    if (machine.keeper != -1)
        (void)platform_channel_send(machine.keeper, message, PLATFORM_NO_HANDLE, 0, &err);
}

static void drain_keeper(void)
{
    struct keeper_message message;
    platform_handle passed;
    char bytes[64];

    while (machine.keeper != -1 &&
            platform_channel_receive(machine.keeper, 0, &message, &passed) == 1)
        platform_close(passed);
    while (machine.bell != -1 && read(machine.bell, bytes, sizeof bytes) > 0)
        ;
}

void fake_keeper_ask(int what)
{
    send_to_supervisor(&(struct keeper_message) { .kind = KEEPER_ASK,
            .number = what,
            .by_signal = what == KEEPER_ASK_FORWARD ? SIGUSR1 : 0 });
}

void fake_keeper_die(void)
{
    fake_close(&machine.keeper);
    fake_close(&machine.bell);
}

void fake_ask_stop(void)
{
    platform_loop.signals[0] = SIGTERM;
    platform_loop.signal_count = 1;
}

/* ---- The loop -------------------------------------------------------------------------------- */

void __real_platform_wait(int64_t deadline_ms, struct platform_event *ret_event);
void __wrap_platform_wait(int64_t deadline_ms, struct platform_event *ret_event);

void __wrap_platform_wait(int64_t deadline_ms, struct platform_event *ret_event)
{
    machine.now_us += TICK_US;
    for (;;) {
        int64_t now_ms = fake_now_ms();

        drain_keeper();
        fake_read_inputs();
        /* It tells of the time before it has looked again. */
        for (int i = 0; i < 2; i++) {
            __real_platform_wait(now_ms, ret_event);
            if (ret_event->kind != PLATFORM_EVENT_TIMER)
                return;
            if (deadline_ms <= now_ms) {
                REQUIRE(machine.timers++ < TIMERS_MAX); /* it spins */
                return;
            }
        }
        machine.timers = 0;
        machine.idle(deadline_ms);
    }
}

void fake_on_idle(void (*idle)(int64_t deadline_ms))
{
    machine.idle = idle;
}

/* ---- Its life -------------------------------------------------------------------------------- */

void fake_begin(void)
{
    struct err err;

    for (int fd = KEEPER_CHANNEL_FD; fd <= KEEPER_CLIENT_FD; fd++)
        if (fcntl(fd, F_GETFD) == -1)
            REQUIRE(open("/dev/null", O_RDWR | O_CLOEXEC) == fd);
    REQUIRE(__real_platform_loop_open(false, &err) == 0);
    sys.fork = no_fork;
    sys.kill = no_kill;
    sys.waitid = fake_waitid;
    sys.accept = accept_small;
}

static void put_at(int from, int fd)
{
    REQUIRE(dup2(from, fd) == fd);
    (void)close(from);
}

void fake_reset(platform_handle first_client)
{
    struct keeper_message welcome = {
        .kind = KEEPER_WELCOME, .pid = FAKE_KEEPER_PID, .code = KEEPER_CAME_FIRST
    };
    void (*idle)(int64_t) = machine.idle;
    platform_handle channel[2];
    struct err err;
    int bell[2];

    memset(&machine, 0, sizeof machine);
    machine.idle = idle;
    machine.now_us = INT64_C(1000000000);
    fake_processes_begin();
    REQUIRE(platform_channel_pair(channel, &err) == 0 && pipe2(bell, O_CLOEXEC | O_NONBLOCK) == 0);
    machine.keeper = fake_copy(channel[1]);
    machine.bell = fake_copy(bell[0]);
    platform_close(channel[1]);
    (void)close(bell[0]);
    put_at((int)first_client, KEEPER_CLIENT_FD);
    put_at(bell[1], KEEPER_BELL_FD);
    put_at((int)channel[0], KEEPER_CHANNEL_FD);
    send_to_supervisor(&welcome);
}

void fake_end(void)
{
    fake_processes_end();
    fake_keeper_die();
    while (platform_loop.used > 0)
        platform_unwatch(&platform_loop.sources[platform_loop.used - 1]);
    for (int fd = KEEPER_CHANNEL_FD; fd <= KEEPER_CLIENT_FD; fd++) {
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);

        if (null != fd)
            put_at(null, fd);
    }
    platform_loop.children_may_have_ended = false;
    platform_loop.left_unreaped = 0;
    platform_loop.signal_count = 0;
    platform_loop.polled_count = 0;
    platform_loop.next = 0;
    platform_loop.told_timer = false;
    platform_loop.polled_since_end = 0;
    platform_loop.hushed = 0;
}
