#include "keeper.h"

#include <stdio.h>
#include <string.h>

#include "keeper_parts.h"
#include "str.h"

#include "banned.h"

struct keeper keeper;

static void tell_with(const struct keeper_message *message, platform_handle handle)
{
    struct err err;

    /* A supervisor that died meanwhile is noticed by its exit.  One that is stopped must not stop
     * us: what did not go out is told again when it speaks. */
    if (keeper.state.channel != PLATFORM_NO_HANDLE &&
            platform_channel_send(keeper.state.channel, message, handle, 0, &err) == -1)
        keeper.state.missed = true;
}

static void tell(struct keeper_message message)
{
    tell_with(&message, PLATFORM_NO_HANDLE);
}

static struct keeper_held *find_held(const char *name)
{
    for (int i = 0; i < KEEPER_HELD_MAX; i++)
        if (strcmp(keeper.state.held[i].name, name) == 0)
            return &keeper.state.held[i];
    return NULL;
}

static void drop(const char *name)
{
    struct keeper_held *held = name[0] == '\0' ? NULL : find_held(name);

    if (held == NULL)
        return;
    platform_close(held->handle);
    held->name[0] = '\0';
}

static void hold(const char *name, platform_handle handle)
{
    struct keeper_held *held;

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
        if (keeper.state.recorded[i] == pid)
            return &keeper.state.recorded[i];
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
    tell((struct keeper_message) {
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
        if (keeper.state.recorded[i] != 0 && platform_child_ended(keeper.state.recorded[i], &how))
            tell_ended(keeper.state.recorded[i], &how);
}

static void pass_on_asks(void)
{
    if (!keeper.state.greeted)
        return;
    if (keeper.state.stops_asked > 0) {
        tell((struct keeper_message) {
                .kind = KEEPER_ASK,
                .number = keeper.state.stops_asked > 1 ? KEEPER_ASK_KILL : KEEPER_ASK_STOP,
        });
        keeper.state.stop_unheard = true;
    }
    if (keeper.state.reload_asked)
        tell((struct keeper_message) { .kind = KEEPER_ASK, .number = KEEPER_ASK_RELOAD });
    keeper.state.reload_asked = false;
}

/* Gives a new supervisor everything: what was held, what ended meanwhile, what was asked. */
static void welcome(void)
{
    struct keeper_message last = {
        .kind = KEEPER_WELCOME,
        .pid = platform_pid(),
        .number = keeper.state.lives - 1,
        .code = (int32_t)keeper.came,
    };

    (void)str_copy(last.name, sizeof last.name, keeper.trial_end);
    keeper.state.greeted = true;
    for (int i = 0; i < KEEPER_HELD_MAX; i++) {
        struct keeper_message message = { .kind = KEEPER_HELD };

        if (keeper.state.held[i].name[0] == '\0')
            continue;
        (void)str_copy(message.name, sizeof message.name, keeper.state.held[i].name);
        tell_with(&message, keeper.state.held[i].handle);
    }
    tell_all_ended();
    tell(last);
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
        break;
    case KEEPER_HEARD:
        keeper.state.stop_unheard = false;
        break;
    case KEEPER_UP:
        keeper.state.stops_asked = 0;
        keeper.state.stop_unheard = false;
        break;
    case KEEPER_UPGRADE:
        keeper_take_candidate(handle);
        return;
    case KEEPER_TAKEN:
        keeper_candidate_took_over();
        break;
    case KEEPER_HELD:
    case KEEPER_WELCOME:
    case KEEPER_ENDED:
    case KEEPER_ORPHAN:
    case KEEPER_ASK:
        break;
    }
    platform_close(handle);
}

static void lose_channel(void)
{
    platform_unwatch(keeper.bell);
    keeper.bell = NULL;
    keeper.state.bell = PLATFORM_NO_HANDLE;
    platform_close(keeper.state.channel);
    keeper.state.channel = PLATFORM_NO_HANDLE;
    keeper.state.greeted = false;
    keeper.state.stop_unheard = false;
}

/* Takes everything that the supervisor has sent so far, also one that has died since. */
void keeper_read_messages(void)
{
    struct keeper_message message;
    platform_handle handle;

    while (keeper.state.channel != PLATFORM_NO_HANDLE &&
            platform_channel_receive(keeper.state.channel, 0, &message, &handle) == 1)
        on_message(&message, handle);
}

static void plan_revival(int64_t now_ms, bool killed)
{
    int64_t life_ms = now_ms - keeper.state.started_ms;

    if (killed || life_ms >= KEEPER_GOOD_LIFE_MS)
        keeper.state.delay_ms = 0;
    if (killed && life_ms < KEEPER_SHORT_LIFE_MS)
        keeper.state.delay_ms = KEEPER_FIRST_DELAY_MS;
    keeper.revive_at_ms = now_ms + keeper.state.delay_ms;
    keeper.state.delay_ms =
            keeper.state.delay_ms == 0 ? KEEPER_FIRST_DELAY_MS : keeper.state.delay_ms * 2;
    if (keeper.state.delay_ms > KEEPER_MAX_DELAY_MS)
        keeper.state.delay_ms = KEEPER_MAX_DELAY_MS;
}

static void start_supervisor(void)
{
    platform_handle channel[2];
    platform_handle bell[2];
    platform_handle passed[3];
    struct err err;

    keeper.state.started_ms = platform_now_ms();
    keeper.revive_at_ms = PLATFORM_NEVER;
    if (platform_channel_pair(channel, &err) == -1) {
        plan_revival(keeper.state.started_ms, false);
        return;
    }
    if (platform_pipe(&bell[0], &bell[1], &err) == -1) {
        platform_close(channel[0]);
        platform_close(channel[1]);
        plan_revival(keeper.state.started_ms, false);
        return;
    }
    keeper.state.channel = channel[0];
    keeper.state.bell = bell[0];
    keeper.bell = platform_watch_stream(bell[0], ROLE_BELL, NULL);
    passed[KEEPER_CHANNEL_FD - KEEPER_FIRST_FD] = channel[1];
    passed[KEEPER_BELL_FD - KEEPER_FIRST_FD] = bell[1];
    passed[KEEPER_CLIENT_FD - KEEPER_FIRST_FD] = keeper.client;
    if (platform_spawn_supervisor(keeper.on_trial ? keeper.candidate : keeper.executable,
                keeper.state.words, passed, keeper.client == PLATFORM_NO_HANDLE ? 2 : 3,
                &keeper.state.supervisor, &err) == -1) {
        lose_channel();
        plan_revival(keeper.state.started_ms, false);
    } else {
        keeper.state.lives++;
        keeper.trial_by_ms = keeper.on_trial ? platform_now_ms() + KEEPER_TRIAL_MS : PLATFORM_NEVER;
        platform_close(keeper.client);
        keeper.client = PLATFORM_NO_HANDLE;
    }
    platform_close(channel[1]);
    platform_close(bell[1]);
}

static void supervisor_ended(const struct platform_exit *how)
{
    keeper_read_messages();
    platform_reap(keeper.state.supervisor);
    keeper.state.supervisor = 0;
    lose_channel();
    if (keeper.decided)
        return;
    if (keeper.on_trial) {
        keeper_end_trial(how);
        return;
    }
    if (keeper.candidate != PLATFORM_NO_HANDLE) {
        keeper_begin_trial();
        return;
    }
    keeper.came = KEEPER_CAME_REVIVED;
    plan_revival(platform_now_ms(), how->by_signal == platform_signal_number("KILL"));
}

static void on_exit_of(int64_t pid, const struct platform_exit *how)
{
    struct platform_exit hidden;

    keeper_read_messages(); /* the word that this process is recorded may still lie there */
    if (pid == keeper.state.supervisor) {
        supervisor_ended(how);
        return;
    }
    if (find_recorded(pid) != NULL) {
        platform_leave_unreaped(pid);
        if (keeper.state.greeted)
            tell_ended(pid, how);
        if (keeper.state.supervisor != 0 && platform_child_ended(keeper.state.supervisor, &hidden))
            supervisor_ended(&hidden);
        return;
    }
    platform_reap(pid);
    tell((struct keeper_message) { .kind = KEEPER_ORPHAN, .pid = pid });
}

static void kill_supervisor(void)
{
    struct identity supervisor;
    struct err err;

    if (keeper.state.supervisor != 0 &&
            platform_identify(keeper.state.supervisor, true, &supervisor))
        (void)platform_signal(&supervisor, "KILL", &err);
}

static void end_trial_in_time(void)
{
    keeper_read_messages(); /* that it has taken over may lie there */
    if (platform_now_ms() < keeper.trial_by_ms)
        return;
    keeper.trial_by_ms = PLATFORM_NEVER;
    kill_supervisor();
}

static void ask_stop(void)
{
    bool first_unheard = keeper.state.stop_unheard;

    keeper.state.stops_asked++;
    /* A second stop goes through even to a supervisor that hangs: its successor gets it. */
    if (keeper.state.stops_asked > 1 && first_unheard && keeper.state.supervisor != 0) {
        kill_supervisor();
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
        if (keeper.state.had_terminal && !platform_has_terminal()) {
            ask_stop();
        } else {
            keeper.state.reload_asked = true;
            pass_on_asks();
        }
        break;
    case PLATFORM_ASK_FORWARD:
        tell((struct keeper_message) {
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
    switch (event->kind) {
    case PLATFORM_EVENT_TIMER:
        if (keeper.state.supervisor == 0)
            start_supervisor();
        else
            end_trial_in_time();
        break;
    case PLATFORM_EVENT_SIGNAL:
        on_signal_event(event);
        break;
    case PLATFORM_EVENT_EXIT:
        on_exit_of(event->pid, &event->exit);
        break;
    case PLATFORM_EVENT_DATA:
        keeper_read_messages();
        if (keeper.state.missed) {
            keeper.state.missed = false;
            tell_all_ended();
            tell((struct keeper_message) { .kind = KEEPER_ORPHAN });
        }
        break;
    case PLATFORM_EVENT_END:
    case PLATFORM_EVENT_GONE:
    case PLATFORM_EVENT_ACCEPTED:
    case PLATFORM_EVENT_CONNECTED:
    case PLATFORM_EVENT_MESSAGE:
    case PLATFORM_EVENT_WRITTEN:
    case PLATFORM_EVENT_NOTIFY:
    case PLATFORM_EVENT_CHILD_FAILED:
        break; /* END: the supervisor's exit follows */
    }
}

/* ---- Life ------------------------------------------------------------------------------------ */

int keeper_open_loop(struct err *err)
{
    keeper.candidate = PLATFORM_NO_HANDLE;
    keeper.revive_at_ms = PLATFORM_NEVER;
    keeper.trial_by_ms = PLATFORM_NEVER;
    keeper.executable = platform_open_executable();
    if (keeper.executable == PLATFORM_NO_HANDLE)
        return err_set(err, ERR_FAILED, 0, "the executable cannot be opened");
    if (platform_loop_open(true, err) == -1)
        return -1;
    platform_become_reaper();
    return 0;
}

static int64_t deadline(void)
{
    return keeper.state.supervisor == 0 ? keeper.revive_at_ms : keeper.trial_by_ms;
}

int keeper_loop(void)
{
    platform_trim_stack();
    while (!keeper.decided || keeper.state.supervisor != 0) {
        struct platform_event event;

        platform_wait(deadline(), &event);
        dispatch(&event);
        if (keeper.renews && !keeper.decided && keeper.candidate == PLATFORM_NO_HANDLE)
            keeper_renew();
    }
    return keeper.decided_code;
}

void keeper_give(const char *name, platform_handle handle)
{
    hold(name, handle);
}

int keeper_run(const char *const *words, platform_handle client)
{
    struct err err;

    for (size_t i = 0; i < KEEPER_WORDS_MAX && words[i] != NULL; i++)
        keeper.state.words[i] = words[i];
    keeper.client = client;
    keeper.state.channel = keeper.state.bell = PLATFORM_NO_HANDLE;
    keeper.state.had_terminal = platform_has_terminal();
    if (keeper_open_loop(&err) == -1) {
        (void)fprintf(stderr, "svcmgr: cannot start: %s\n", err.text);
        return ERR_FAILED;
    }
    start_supervisor();
    return keeper_loop();
}
