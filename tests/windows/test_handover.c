/* What one process hands over to the next: channels, and what is sent through them.
 * "test_handover TEST" is the other process, which was started in this one's place. */
#include "started.h"

enum { ROLE_CHANNEL = 1, ROLE_PIPE };

/* A message, as both sides have it. */
struct message {
    char text[PLATFORM_MESSAGE_BYTES];
};

static struct platform_event event;

static void send_text(platform_handle channel, const char *text, platform_handle passed)
{
    struct message message = { .text = "" };
    struct err err;

    assert_true(strlen(text) < sizeof message.text);
    memcpy(message.text, text, strlen(text));
    if (platform_channel_send(channel, &message, passed, LIMIT_MS, &err) == -1)
        fail_msg("%s: %s", text, err.text);
}

/* The handle that came with a text, or none. */
static platform_handle expect_text(platform_handle channel, const char *text)
{
    platform_handle passed = PLATFORM_NO_HANDLE;
    struct message message;

    assert_int_equal(platform_channel_receive(channel, LIMIT_MS, &message, &passed), 1);
    assert_string_equal(message.text, text);
    return passed;
}

/* ---- The other process ----------------------------------------------------------------------- */

/* What it finds wrong ends it with this code. */
#define WRONG 3
#define NEED(holds)                                                                                \
    do {                                                                                           \
        if (!(holds))                                                                              \
            ExitProcess(WRONG);                                                                    \
    } while (0)

static void tell(platform_handle channel, const char *text)
{
    struct message message = { .text = "" };
    struct err err;

    memcpy(message.text, text, strlen(text));
    NEED(platform_channel_send(channel, &message, PLATFORM_NO_HANDLE, LIMIT_MS, &err) == 0);
}

static platform_handle take(platform_handle channel, struct message *ret_message)
{
    platform_handle passed = PLATFORM_NO_HANDLE;

    NEED(platform_channel_receive(channel, LIMIT_MS, ret_message, &passed) == 1);
    return passed;
}

static void await(enum platform_event_kind kind)
{
    platform_wait(platform_now_ms() + LIMIT_MS, &event);
    NEED(event.kind == kind);
}

/* Says all that comes out of a pipe, in as many messages as pieces come. */
static void read_pipe(platform_handle channel)
{
    struct message message;
    struct platform_source *source =
            platform_watch_stream(take(channel, &message), ROLE_PIPE, NULL);
    char text[PLATFORM_MESSAGE_BYTES];

    NEED(source != NULL);
    tell(channel, "watched");
    for (await(PLATFORM_EVENT_DATA); event.kind == PLATFORM_EVENT_DATA;
            platform_wait(platform_now_ms() + LIMIT_MS, &event)) {
        NEED(event.length < sizeof text);
        memcpy(text, event.data, event.length);
        text[event.length] = '\0';
        tell(channel, text);
    }
    NEED(event.kind == PLATFORM_EVENT_END && event.os_code == 0);
    platform_unwatch(source);
    tell(channel, "end");
}

static struct platform_source *wait_in_vain(platform_handle pipe)
{
    struct platform_source *source;
    platform_handle copy;
    struct err err;

    NEED(platform_duplicate(pipe, &copy, &err) == 0);
    source = platform_watch_stream(copy | WINDOWS_TAKEN_MARK, ROLE_PIPE, NULL);
    NEED(source != NULL);
    platform_wait(platform_now_ms(), &event);
    NEED(event.kind == PLATFORM_EVENT_TIMER);
    return source;
}

/* Waits for something to read, and does not take it when it comes. */
static void leave_pipe(platform_handle channel)
{
    struct platform_source *source;
    struct message message;
    platform_handle pipe = take(channel, &message);

    for (int i = 0; i < 20; i++)
        platform_unwatch(wait_in_vain(pipe));
    source = wait_in_vain(pipe);
    tell(channel, "waits");
    (void)take(channel, &message);
    platform_unwatch(source);
    source = platform_watch_stream(pipe, ROLE_PIPE, NULL);
    await(PLATFORM_EVENT_DATA);
    NEED(event.length == 4 && memcmp(event.data, "kept", 4) == 0);
    platform_unwatch(source);
    tell(channel, "read");
}

static void accept_one(platform_handle channel)
{
    struct message message;
    platform_handle listener = take(channel, &message);
    struct address bound;
    SOCKET peer;

    NEED(windows_is_socket(listener) && platform_check_listener(listener, &bound));
    peer = accept(windows_socket(listener), NULL, NULL);
    NEED(peer != INVALID_SOCKET && send(peer, "hello", 5, 0) == 5);
    NEED(closesocket(peer) == 0);
}

static struct identity take_child(platform_handle channel)
{
    struct platform_lent lent;
    struct identity child;
    struct message message;
    struct err err;

    lent.process = take(channel, &message);
    memcpy(&child, message.text, sizeof child);
    lent.tree = take(channel, &message);
    memcpy(&lent.state, message.text, sizeof lent.state);
    NEED(platform_child_take(&child, &lent, &err) == 0);
    tell(channel, "taken");
    return child;
}

static void tell_end(platform_handle channel)
{
    struct identity child = take_child(channel);
    char text[PLATFORM_MESSAGE_BYTES];

    await(PLATFORM_EVENT_EXIT);
    NEED(event.pid == child.pid);
    platform_reap(child.pid);
    (void)snprintf(text, sizeof text, "%d %d", event.exit.code, event.exit.by_signal);
    tell(channel, text);
}

static void take_rest(platform_handle channel)
{
    struct identity child = take_child(channel);
    struct platform_exit how;
    struct platform_tree tree;

    tree = (struct platform_tree) { .session = child.pid, .main_start = child.start_time };
    NEED(!platform_child_ended(child.pid, &how) && !platform_tree_is_empty(&tree));
    NEED(platform_tree_signal(&tree, "KILL") == 1);
    tell(channel, "killed");
}

static int be_other(const char *what)
{
    struct platform_source *source;
    platform_handle channel;
    struct message message;
    struct err err;

    platform_begin();
    NEED(platform_loop_open(false, &err) == 0);
    source = platform_watch_channel(platform_given(0), ROLE_CHANNEL, NULL);
    NEED(source != NULL);
    channel = platform_source_handle(source);
    tell(channel, "hello");
    if (strcmp(what, "pipe") == 0)
        read_pipe(channel);
    else if (strcmp(what, "leave") == 0)
        leave_pipe(channel);
    else if (strcmp(what, "socket") == 0)
        accept_one(channel);
    else if (strcmp(what, "child") == 0)
        tell_end(channel);
    else if (strcmp(what, "keep") == 0)
        (void)take_child(channel);
    else if (strcmp(what, "rest") == 0)
        take_rest(channel);
    else
        return 7;
    (void)take(channel, &message); /* when it may end */
    return 0;
}

/* ---- This one -------------------------------------------------------------------------------- */

struct other {
    struct platform_source *source;
    platform_handle channel;
    int64_t pid;
};

static void begin_other(const char *what, struct other *ret_other)
{
    const char *words[] = { "test_handover", what, NULL };
    platform_handle program = platform_open_executable();
    platform_handle ends[2];
    struct err err;

    assert_int_equal(platform_loop_open(false, &err), 0);
    assert_true(program != PLATFORM_NO_HANDLE);
    assert_int_equal(platform_channel_pair(ends, &err), 0);
    ret_other->source = platform_watch_channel(ends[0], ROLE_CHANNEL, ret_other);
    assert_non_null(ret_other->source);
    ret_other->channel = ends[0];
    if (platform_spawn_supervisor(program, words, &ends[1], 1, &ret_other->pid, &err) == -1)
        fail_msg("%s", err.text);
    platform_close(ends[1]);
    platform_close(program);
    platform_wait(platform_now_ms() + LIMIT_MS, &event);
    assert_int_equal(event.kind, PLATFORM_EVENT_MESSAGE);
    assert_ptr_equal(event.source, ret_other->source);
    assert_ptr_equal(event.owner, ret_other);
    assert_int_equal(event.length, PLATFORM_MESSAGE_BYTES);
    assert_string_equal(event.data, "hello");
    assert_true(event.handle == PLATFORM_NO_HANDLE);
}

static void await_end(const struct other *other, int code)
{
    bool channel_ended = false;

    for (event.kind = PLATFORM_EVENT_TIMER; event.kind != PLATFORM_EVENT_EXIT;) {
        platform_wait(platform_now_ms() + LIMIT_MS, &event);
        assert_int_not_equal(event.kind, PLATFORM_EVENT_TIMER);
        channel_ended = channel_ended || event.kind == PLATFORM_EVENT_END;
    }
    assert_int_equal(event.pid, other->pid);
    assert_int_equal(event.exit.code, code);
    platform_reap(other->pid);
    while (!channel_ended) {
        platform_wait(platform_now_ms() + LIMIT_MS, &event);
        assert_int_not_equal(event.kind, PLATFORM_EVENT_TIMER);
        channel_ended = event.kind == PLATFORM_EVENT_END;
    }
    platform_unwatch(other->source);
}

static void end_other(const struct other *other)
{
    send_text(other->channel, "end", PLATFORM_NO_HANDLE);
    await_end(other, 0);
}

static void the_end_of_the_other_one_is_told(void **state)
{
    platform_handle passed;
    struct message message;
    struct other other;

    begin_other("nothing", &other);
    assert_int_equal(platform_channel_receive(other.channel, LIMIT_MS, &message, &passed), -1);
    await_end(&other, 7);
}

static void a_message_that_does_not_come_is_waited_for_in_vain(void **state)
{
    platform_handle passed;
    struct message message;
    struct other other;

    begin_other("leave", &other);
    assert_int_equal(platform_channel_receive(other.channel, 1, &message, &passed), 0);
    assert_int_equal(platform_channel_receive(other.channel, 0, &message, &passed), 0);
    send_text(other.channel, "nothing", PLATFORM_NO_HANDLE);
    await_end(&other, WRONG);
}

static void write_pipe(platform_handle handle, const char *text)
{
    struct err err;

    assert_int_equal(platform_write(handle, text, strlen(text), &err), 0);
}

/* What nobody has read yet, what comes while both have it, and what comes later. */
static void a_pipe_is_read_on(void **state)
{
    struct platform_source *source;
    platform_handle read;
    platform_handle write;
    struct other other;
    struct err err;

    begin_other("pipe", &other);
    assert_int_equal(platform_pipe(&read, &write, &err), 0);
    source = platform_watch_stream(read, ROLE_PIPE, NULL);
    write_pipe(write, "one");
    platform_wait(platform_now_ms() + LIMIT_MS, &event);
    assert_int_equal(event.kind, PLATFORM_EVENT_DATA);
    assert_memory_equal(event.data, "one", 3);
    platform_wait(platform_now_ms(), &event);
    assert_int_equal(event.kind, PLATFORM_EVENT_TIMER);
    write_pipe(write, "two");
    send_text(other.channel, "pipe", read);
    assert_true(expect_text(other.channel, "watched") == PLATFORM_NO_HANDLE);
    (void)expect_text(other.channel, "two");
    write_pipe(write, "three");
    (void)expect_text(other.channel, "three");
    platform_unwatch(source);
    for (int i = 0; i < 20; i++) {
        write_pipe(write, "more");
        (void)expect_text(other.channel, "more");
    }
    platform_close(write);
    (void)expect_text(other.channel, "end");
    end_other(&other);
}

/* Nothing is read before somebody wants it: the next one gets it. */
static void a_pipe_can_be_left_while_it_is_waited_for(void **state)
{
    platform_handle read;
    platform_handle write;
    struct other other;
    struct err err;

    begin_other("leave", &other);
    assert_int_equal(platform_pipe(&read, &write, &err), 0);
    send_text(other.channel, "pipe", read);
    (void)expect_text(other.channel, "waits");
    write_pipe(write, "kept");
    send_text(other.channel, "written", PLATFORM_NO_HANDLE);
    (void)expect_text(other.channel, "read");
    end_other(&other);
    platform_close(read);
    platform_close(write);
}

static void a_socket_listens_on(void **state)
{
    struct platform_bind bind = {
        .address = address_ipv4(0x7f000001, 0), .listen = true, .backlog = 8
    };
    platform_handle listener;
    platform_handle client;
    struct address bound;
    struct other other;
    char text[8] = "";
    struct err err;

    begin_other("socket", &other);
    assert_int_equal(platform_bind(&bind, &listener, &bound, &err), PLATFORM_BIND_OK);
    send_text(other.channel, "socket", listener);
    assert_int_equal(platform_tcp_connect(&bound, platform_now_ms() + LIMIT_MS, &client, &err), 0);
    assert_int_equal(platform_receive(client, text, sizeof text, platform_now_ms() + LIMIT_MS), 5);
    assert_string_equal(text, "hello");
    platform_close(client);
    platform_close(listener);
    end_other(&other);
}

static void send_child(const struct other *other, const struct started *started)
{
    struct platform_lent lent;
    struct message message = { .text = "" };
    struct err err;

    assert_true(platform_child_lend(started->child.identity.pid, &lent));
    memcpy(message.text, &started->child.identity, sizeof started->child.identity);
    assert_int_equal(
            platform_channel_send(other->channel, &message, lent.process, LIMIT_MS, &err), 0);
    memset(&message, 0, sizeof message);
    memcpy(message.text, &lent.state, sizeof lent.state);
    assert_int_equal(platform_channel_send(other->channel, &message, lent.tree, LIMIT_MS, &err), 0);
    (void)expect_text(other->channel, "taken");
}

static void the_end_of_a_child_is_told_to_whoever_took_it(void **state)
{
    struct platform_spawn spec = started_spec((const char *const[]) { "exit", "41", NULL });
    struct started started;
    struct other other;
    struct err err;

    begin_other("child", &other);
    started_make(&spec, &started);
    send_child(&other, &started);
    assert_int_equal(platform_spawn_release(&started.child, &err), 0);
    (void)expect_text(other.channel, "41 0");
    platform_children_leave();
    assert_true(CloseHandle(started.output));
    end_other(&other);
}

/* A kill that we have begun is one to whoever is told of it, too. */
static void what_was_done_to_a_child_is_known_to_whoever_took_it(void **state)
{
    struct platform_tree tree;
    struct started started;
    struct other other;
    char text[SAID_BYTES];

    begin_other("child", &other);
    started_begin((const char *const[]) { "hang", NULL }, &started);
    started_line(&started, text);
    tree = started_tree(&started);
    assert_int_equal(platform_tree_signal(&tree, "KILL"), 1);
    send_child(&other, &started);
    (void)expect_text(other.channel, "-1 9");
    platform_children_leave();
    assert_true(CloseHandle(started.output));
    end_other(&other);
}

/* Its job dies with its last handle: until then it is the other one's. */
static void a_child_lives_as_long_as_whoever_took_it(void **state)
{
    struct started started;
    struct other other;
    HANDLE child;
    char text[SAID_BYTES];

    begin_other("keep", &other);
    started_begin((const char *const[]) { "hang", NULL }, &started);
    started_line(&started, text);
    child = windows_open_process(
            started.child.identity.pid, SYNCHRONIZE | PROCESS_QUERY_LIMITED_INFORMATION);
    assert_non_null(child);
    send_child(&other, &started);
    platform_children_leave();
    assert_false(windows_has_ended(child));
    end_other(&other);
    started_await_handle(child);
    assert_true(CloseHandle(started.output));
}

/* What its main process has left behind, whose end was told here. */
static void the_rest_of_a_tree_is_known_to_whoever_took_it(void **state)
{
    struct platform_tree tree;
    struct platform_exit how;
    struct started started;
    struct other other;
    char text[SAID_BYTES];

    begin_other("rest", &other);
    started_begin((const char *const[]) { "leave", NULL }, &started);
    started_line(&started, text);
    started_end(&started, &how);
    assert_int_equal(how.code, 0);
    send_child(&other, &started);
    (void)expect_text(other.channel, "killed");
    tree = (struct platform_tree) {
        .session = started.child.identity.pid,
        .main_start = started.child.identity.start_time,
    };
    started_await_empty(&tree);
    end_other(&other);
}

static void another_process_is_not_taken_for_the_child(void **state)
{
    struct platform_lent lent;
    struct started started;
    struct identity wrong;
    struct platform_exit how;
    char text[SAID_BYTES];
    HANDLE process;
    HANDLE job = CreateJobObjectW(NULL, NULL);
    struct err err;

    started_begin((const char *const[]) { "hang", NULL }, &started);
    started_line(&started, text);
    assert_true(DuplicateHandle(GetCurrentProcess(), GetCurrentProcess(), GetCurrentProcess(),
            &process, 0, FALSE, DUPLICATE_SAME_ACCESS));
    wrong = started.child.identity;
    lent = (struct platform_lent) { .process = windows_of_handle(process),
        .tree = windows_of_handle(job) };
    assert_int_equal(platform_child_take(&wrong, &lent, &err), -1);
    assert_non_null(strstr(err.text, "cannot be taken over"));
    assert_int_equal(platform_signal(&started.child.identity, "KILL", &err), 0);
    started_end(&started, &how);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_end_of_the_other_one_is_told),
        cmocka_unit_test(a_message_that_does_not_come_is_waited_for_in_vain),
        cmocka_unit_test(a_pipe_is_read_on),
        cmocka_unit_test(a_pipe_can_be_left_while_it_is_waited_for),
        cmocka_unit_test(a_socket_listens_on),
        cmocka_unit_test(the_end_of_a_child_is_told_to_whoever_took_it),
        cmocka_unit_test(what_was_done_to_a_child_is_known_to_whoever_took_it),
        cmocka_unit_test(a_child_lives_as_long_as_whoever_took_it),
        cmocka_unit_test(the_rest_of_a_tree_is_known_to_whoever_took_it),
        cmocka_unit_test(another_process_is_not_taken_for_the_child),
    };

    if (argc == 2)
        return be_other(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
