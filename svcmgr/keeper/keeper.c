#include "keeper.h"

#include <stdio.h>
#include <string.h>

#include "str.h"

#include "banned.h"

enum role { ROLE_CHANNEL };

struct held {
    char name[KEEPER_NAME_BYTES]; /* "": free */
    platform_handle handle;
};

/* The one keeper of this process: static, since it allocates nothing. */
static struct {
    const char *const *words;
    platform_handle executable;
    platform_handle client;
    struct platform_source *channel; /* NULL while there is no supervisor to talk to */
    int64_t supervisor;              /* pid; 0: none runs */
    int64_t started_ms;
    int64_t revive_at_ms;
    int64_t delay_ms;
    int32_t lives;
    bool greeted; /* the present supervisor has said hello */
    bool decided;
    int decided_code;
    bool had_terminal;
    int stops_asked;
    bool stop_unheard; /* a stop was passed on and HEARD has not come */
    bool reload_asked;
    bool missed; /* a message to the supervisor did not go out */
    int64_t recorded[KEEPER_RECORDED_MAX];
    struct held held[KEEPER_HELD_MAX];
} keeper;

static void tell_with(const struct keeper_message *message, platform_handle handle)
{
    struct err err;

    /* A supervisor that died meanwhile is noticed by its exit.  One that is stopped must not stop us:
     * what did not go out is told again when it speaks. */
    if (keeper.channel != NULL &&
            platform_channel_send(
                    platform_source_handle(keeper.channel), message, handle, 0, &err) == -1)
        keeper.missed = true;
}

static void tell(struct keeper_message message)
{
    tell_with(&message, PLATFORM_NO_HANDLE);
}

static struct held *find_held(const char *name)
{
    for (int i = 0; i < KEEPER_HELD_MAX; i++)
        if (strcmp(keeper.held[i].name, name) == 0)
            return &keeper.held[i];
    return NULL;
}

static void drop(const char *name)
{
    struct held *held = name[0] == '\0' ? NULL : find_held(name);

    if (held == NULL)
        return;
    platform_close(held->handle);
    held->name[0] = '\0';
}

static void hold(const char *name, platform_handle handle)
{
    struct held *held;

    drop(name);
    held = find_held("");
    if (handle == PLATFORM_NO_HANDLE || held == NULL ||
            !str_copy(held->name, sizeof held->name, name)) {
        platform_close(handle);
        return;
    }
    held->handle = handle;
}

static int64_t *find_recorded(int64_t pid)
{
    for (int i = 0; i < KEEPER_RECORDED_MAX; i++)
        if (keeper.recorded[i] == pid)
            return &keeper.recorded[i];
    return NULL;
}

static void record(int64_t pid)
{
    int64_t *place = find_recorded(pid) != NULL ? NULL : find_recorded(0);

    if (place != NULL)
        *place = pid;
}

static void forget(int64_t pid)
{
    int64_t *place = find_recorded(pid);

    if (place != NULL && pid != 0)
        *place = 0;
    platform_reap(pid);
}

static void tell_ended(int64_t pid, const struct platform_exit *how)
{
    tell((struct keeper_message){
            .kind = KEEPER_ENDED,
            .pid = pid,
            .code = how->code,
            .by_signal = how->by_signal,
    });
}

static void tell_all_ended(void)
{
    struct platform_exit how;

    for (int i = 0; i < KEEPER_RECORDED_MAX; i++)
        if (keeper.recorded[i] != 0 && platform_child_ended(keeper.recorded[i], &how))
            tell_ended(keeper.recorded[i], &how);
}

static void pass_on_asks(void)
{
    if (!keeper.greeted)
        return;
    if (keeper.stops_asked > 0) {
        tell((struct keeper_message){
                .kind = KEEPER_ASK,
                .number = keeper.stops_asked > 1 ? KEEPER_ASK_KILL : KEEPER_ASK_STOP,
        });
        keeper.stop_unheard = true;
    }
    if (keeper.reload_asked)
        tell((struct keeper_message){ .kind = KEEPER_ASK, .number = KEEPER_ASK_RELOAD });
    keeper.reload_asked = false;
}

/* Gives a new supervisor everything: what was held, what ended meanwhile, what was asked. */
static void welcome(void)
{
    keeper.greeted = true;
    for (int i = 0; i < KEEPER_HELD_MAX; i++) {
        struct keeper_message message = { .kind = KEEPER_HELD };

        if (keeper.held[i].name[0] == '\0')
            continue;
        (void)str_copy(message.name, sizeof message.name, keeper.held[i].name);
        tell_with(&message, keeper.held[i].handle);
    }
    tell_all_ended();
    tell((struct keeper_message){
            .kind = KEEPER_WELCOME,
            .pid = platform_pid(),
            .number = keeper.lives - 1,
    });
    pass_on_asks();
}

static void on_message(const struct keeper_message *message, platform_handle handle)
{
    char name[KEEPER_NAME_BYTES];

    (void)str_format(name, sizeof name, "%.*s", (int)sizeof message->name - 1, message->name);
    switch ((enum keeper_message_kind)message->kind) {
    case KEEPER_HELLO:
        welcome();
        break;
    case KEEPER_HOLD:
        hold(name, handle);
        return;
    case KEEPER_DROP:
        drop(name);
        break;
    case KEEPER_RECORD:
        record(message->pid);
        break;
    case KEEPER_REAP:
        forget(message->pid);
        break;
    case KEEPER_DECIDED:
        keeper.decided = true;
        keeper.decided_code = message->code;
        tell((struct keeper_message){ .kind = KEEPER_ACK });
        break;
    case KEEPER_SYNC:
        tell((struct keeper_message){ .kind = KEEPER_ACK });
        break;
    case KEEPER_HEARD:
        keeper.stop_unheard = false;
        break;
    case KEEPER_HELD:
    case KEEPER_WELCOME:
    case KEEPER_ACK:
    case KEEPER_ENDED:
    case KEEPER_ORPHAN:
    case KEEPER_ASK:
        break;
    }
    platform_close(handle);
}

static void lose_channel(void)
{
    platform_unwatch(keeper.channel);
    keeper.channel = NULL;
    keeper.greeted = false;
    keeper.stop_unheard = false;
}

/* Messages that a supervisor sent right before it died are still there. */
static void read_last_messages(void)
{
    struct keeper_message message;
    platform_handle handle;

    while (keeper.channel != NULL &&
            platform_channel_receive(
                    platform_source_handle(keeper.channel), 0, &message, &handle) == 1)
        on_message(&message, handle);
}

static void plan_revival(int64_t now_ms)
{
    if (now_ms - keeper.started_ms >= KEEPER_GOOD_LIFE_MS)
        keeper.delay_ms = 0;
    keeper.revive_at_ms = now_ms + keeper.delay_ms;
    keeper.delay_ms = keeper.delay_ms == 0 ? KEEPER_FIRST_DELAY_MS : keeper.delay_ms * 2;
    if (keeper.delay_ms > KEEPER_MAX_DELAY_MS)
        keeper.delay_ms = KEEPER_MAX_DELAY_MS;
}

static void start_supervisor(void)
{
    platform_handle ends[2];
    struct err err;

    keeper.started_ms = platform_now_ms();
    keeper.revive_at_ms = PLATFORM_NEVER;
    if (platform_channel_pair(ends, &err) == -1) {
        plan_revival(keeper.started_ms);
        return;
    }
    keeper.channel = platform_watch_channel(ends[0], ROLE_CHANNEL, NULL);
    if (platform_spawn_supervisor(keeper.executable, keeper.words, ends[1], keeper.client,
                &keeper.supervisor, &err) == -1) {
        lose_channel();
        plan_revival(keeper.started_ms);
    } else {
        keeper.lives++;
        platform_close(keeper.client);
        keeper.client = PLATFORM_NO_HANDLE;
    }
    platform_close(ends[1]);
}

static void on_exit_of(int64_t pid, const struct platform_exit *how)
{
    if (pid == keeper.supervisor) {
        read_last_messages();
        platform_reap(pid);
        keeper.supervisor = 0;
        lose_channel();
        if (!keeper.decided)
            plan_revival(platform_now_ms());
        return;
    }
    if (find_recorded(pid) != NULL) {
        platform_leave_unreaped(pid);
        if (keeper.greeted)
            tell_ended(pid, how);
        return;
    }
    platform_reap(pid);
    tell((struct keeper_message){ .kind = KEEPER_ORPHAN, .pid = pid });
}

static void ask_stop(void)
{
    bool first_unheard = keeper.stop_unheard;
    struct identity supervisor;
    struct err err;

    keeper.stops_asked++;
    /* A second stop goes through even to a supervisor that hangs: its successor gets it. */
    if (keeper.stops_asked > 1 && first_unheard && keeper.supervisor != 0 &&
            platform_identify(keeper.supervisor, true, &supervisor)) {
        (void)platform_signal(&supervisor, "KILL", &err);
        return;
    }
    pass_on_asks();
}

static void on_signal_event(const struct platform_event *event)
{
    switch (event->ask) {
    case PLATFORM_ASK_STOP:
        ask_stop();
        break;
    case PLATFORM_ASK_HANGUP:
        if (keeper.had_terminal && !platform_has_terminal()) {
            ask_stop();
        } else {
            keeper.reload_asked = true;
            pass_on_asks();
        }
        break;
    case PLATFORM_ASK_FORWARD:
        tell((struct keeper_message){
                .kind = KEEPER_ASK,
                .number = KEEPER_ASK_FORWARD,
                .by_signal = event->signal_number,
        });
        break;
    case PLATFORM_ASK_RESIZE:
        break;
    }
}

static void dispatch(const struct platform_event *event)
{
    struct keeper_message message;

    switch (event->kind) {
    case PLATFORM_EVENT_TIMER:
        if (keeper.supervisor == 0)
            start_supervisor();
        break;
    case PLATFORM_EVENT_SIGNAL:
        on_signal_event(event);
        break;
    case PLATFORM_EVENT_EXIT:
        on_exit_of(event->pid, &event->exit);
        break;
    case PLATFORM_EVENT_MESSAGE:
        memcpy(&message, event->data, sizeof message);
        on_message(&message, event->handle);
        if (keeper.missed) {
            keeper.missed = false;
            tell_all_ended();
            tell((struct keeper_message){ .kind = KEEPER_ORPHAN });
        }
        break;
    case PLATFORM_EVENT_END:
    case PLATFORM_EVENT_GONE:
    case PLATFORM_EVENT_ACCEPTED:
    case PLATFORM_EVENT_CONNECTED:
    case PLATFORM_EVENT_DATA:
    case PLATFORM_EVENT_WRITTEN:
    case PLATFORM_EVENT_NOTIFY:
    case PLATFORM_EVENT_CHILD_FAILED:
        break; /* END: the supervisor's exit follows */
    }
}

int keeper_run(const char *const *words, platform_handle client)
{
    struct err err;

    keeper.words = words;
    keeper.client = client;
    keeper.executable = platform_open_executable();
    keeper.had_terminal = platform_has_terminal();
    keeper.revive_at_ms = PLATFORM_NEVER;
    if (keeper.executable == PLATFORM_NO_HANDLE || platform_loop_open(&err) == -1) {
        (void)fprintf(stderr, "svcmgr: cannot start: %s\n",
                keeper.executable == PLATFORM_NO_HANDLE ? "the executable cannot be opened"
                                                        : err.text);
        return ERR_FAILED;
    }
    platform_loop_take_signals(true);
    platform_become_reaper();
    start_supervisor();
    platform_trim_stack();
    while (!keeper.decided || keeper.supervisor != 0) {
        struct platform_event event;

        platform_wait(keeper.supervisor == 0 ? keeper.revive_at_ms : PLATFORM_NEVER, &event);
        dispatch(&event);
    }
    return keeper.decided_code;
}
