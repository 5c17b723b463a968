/* Sockets, channels and pipes. */
#include "fault.h"

#include "platform.h"

#include "banned.h"

#define LIMIT_MS 20000

static int bind_ip(struct err *err)
{
    struct platform_bind bind = {
        .address = address_ipv4(0x7f000001, 0), .listen = true, .backlog = 8
    };
    platform_handle handle;
    struct address bound = { 0 };

    if (platform_bind(&bind, &handle, &bound, err) != PLATFORM_BIND_OK)
        return -1;
    assert_true(bound.port != 0);
    if (!fault_was_hit()) {
        struct address seen;

        assert_true(platform_check_listener(handle, &seen) || fault_was_hit());
    }
    platform_close(handle);
    return 0;
}

static int bind_unix(struct err *err)
{
    struct platform_bind bind = { .listen = true, .backlog = 8, .mode = 0600 };
    platform_handle handle;
    struct address bound;
    char text[160];
    char temporary[160];

    (void)snprintf(temporary, sizeof temporary, "%s", fault_path("socket.new"));
    (void)snprintf(text, sizeof text, "unix:%s", fault_path("socket"));
    assert_null(address_parse(text, &bind.address));
    bind.temporary = temporary;
    (void)remove(temporary);
    if (platform_bind(&bind, &handle, &bound, err) != PLATFORM_BIND_OK)
        return -1;
    platform_close(handle);
    return 0;
}

static void binds_or_says_why(void **state)
{
    fault_try("bind IP", bind_ip, 8);
    fault_try("bind Unix", bind_unix, 6);
}

static int send_message(struct err *err)
{
    static const char message[PLATFORM_MESSAGE_BYTES] = "a message";
    char received[PLATFORM_MESSAGE_BYTES];
    platform_handle ends[2];
    platform_handle passed = PLATFORM_NO_HANDLE;
    platform_handle pipe_ends[2] = { PLATFORM_NO_HANDLE, PLATFORM_NO_HANDLE };
    int result = -1;

    if (platform_channel_pair(ends, err) == -1)
        return -1;
    if (platform_pipe(&pipe_ends[0], &pipe_ends[1], err) == -1 ||
            platform_channel_send(ends[0], message, pipe_ends[1], LIMIT_MS, err) == -1)
        goto out;
    if (platform_channel_receive(ends[1], LIMIT_MS, received, &passed) != 1) {
        err_set(err, ERR_FAILED, 0, "no message came");
        goto out;
    }
    assert_memory_equal(received, message, sizeof message);
    /* The handle that came is the one that was sent, and ours is only one of two. */
    assert_int_not_equal(passed, PLATFORM_NO_HANDLE);
    platform_close(pipe_ends[1]);
    pipe_ends[1] = PLATFORM_NO_HANDLE;
    result = platform_write(passed, "x", 1, err);
    if (result == 0 &&
            platform_receive(pipe_ends[0], received, 1, platform_now_ms() + LIMIT_MS) != 1)
        result = err_set(err, ERR_FAILED, 0, "nothing came through the pipe");
out:
    platform_close(passed);
    platform_close(pipe_ends[0]);
    platform_close(pipe_ends[1]);
    platform_close(ends[0]);
    platform_close(ends[1]);
    return result;
}

static int send_stream(struct err *err)
{
    static const char text[] = "all of it, however often";
    char received[sizeof text];
    platform_handle ends[2];
    size_t have = 0;
    int result;

    if (platform_stream_pair(ends, err) == -1)
        return -1;
    result = platform_send_all(ends[0], text, sizeof text, platform_now_ms() + LIMIT_MS, err);
    while (result == 0 && have < sizeof text) {
        long got = platform_receive(
                ends[1], received + have, sizeof text - have, platform_now_ms() + LIMIT_MS);

        if (got <= 0)
            result = err_set(err, ERR_FAILED, 0, "the stream ended early");
        else
            have += (size_t)got;
    }
    if (result == 0)
        assert_string_equal(received, text);
    platform_close(ends[0]);
    platform_close(ends[1]);
    return result;
}

static void passes_messages_and_handles(void **state)
{
    fault_try("message", send_message, 12);
    fault_try("stream", send_stream, 8);
}

static int control(struct err *err)
{
    char folder[128];
    platform_handle listener;
    platform_handle client;
    int result;

    (void)snprintf(folder, sizeof folder, "%s", fault_path(""));
    folder[strlen(folder) - 1] = '\0';
    if (platform_control_listen(folder, "control.sock", &listener, err) == -1)
        return -1;
    result = platform_control_connect(folder, "control.sock", &client, err);
    if (result == 0)
        platform_close(client);
    platform_close(listener);
    return result;
}

static int connect_by_tcp(struct err *err)
{
    struct platform_bind bind = {
        .address = address_ipv4(0x7f000001, 0), .listen = true, .backlog = 8
    };
    platform_handle listener;
    platform_handle client;
    struct address bound;
    int result;

    if (platform_bind(&bind, &listener, &bound, err) != PLATFORM_BIND_OK)
        return -1;
    result = platform_tcp_connect(&bound, platform_now_ms() + LIMIT_MS, &client, err);
    if (result == 0)
        platform_close(client);
    platform_close(listener);
    return result;
}

static int notify(struct err *err)
{
    char name[PLATFORM_NOTIFY_BYTES];
    platform_handle handle;

    if (platform_notify_listen(platform_uid(), &handle, name, err) == -1)
        return -1;
    platform_close(handle);
    platform_notify_remove(name);
    return 0;
}

/* To somebody else's, with a handle; who receives has both. */
static int send_notification(struct err *err)
{
    char name[PLATFORM_NOTIFY_BYTES];
    struct platform_source *source;
    struct platform_event event;
    platform_handle handle;
    platform_handle copy;
    int result;

    if (platform_notify_listen(platform_uid(), &handle, name, err) == -1)
        return -1;
    source = platform_watch_notify(handle, 1, NULL);
    assert_non_null(source);
    result = platform_duplicate(platform_standard_input(), &copy, err);
    if (result == 0) {
        result = platform_notify_send(name, "READY=1", 7, copy, err);
        platform_close(copy);
    }
    if (result == 0) {
        platform_wait(platform_now_ms() + LIMIT_MS, &event);
        if (event.kind == PLATFORM_EVENT_NOTIFY) {
            assert_memory_equal(event.data, "READY=1", 7);
            platform_close(event.handle);
        } else {
            result = err_set(err, ERR_FAILED, 0, "nothing came");
        }
    }
    platform_unwatch(source);
    platform_notify_remove(name);
    return result;
}

static void opens_control_and_notification_sockets(void **state)
{
    fault_try("control", control, 6);
    fault_try("control over TCP", connect_by_tcp, 6);
    fault_try("notify", notify, 2);
}

/* ---- The loop -------------------------------------------------------------------------------- */

/* Whatever fails, a stream says what came or that it ended: it is never silent. */
static int watch(struct err *err)
{
    static const char text[] = "some bytes";
    platform_handle ends[2];
    struct platform_source *source;
    struct platform_event event = { .kind = PLATFORM_EVENT_TIMER };
    int64_t deadline_ms = platform_now_ms() + LIMIT_MS;
    size_t have = 0;
    int result = -1;

    if (platform_stream_pair(ends, err) == -1)
        return -1;
    source = platform_watch_stream(ends[0], 1, NULL);
    assert_non_null(source);
    if (platform_send_all(ends[1], text, sizeof text, deadline_ms, err) == 0)
        result = 0;
    platform_close(ends[1]);
    do {
        platform_wait(deadline_ms, &event);
        if (event.kind == PLATFORM_EVENT_DATA) {
            assert_memory_equal(event.data, text + have, event.length);
            have += event.length;
        }
    } while (event.kind == PLATFORM_EVENT_DATA || event.kind == PLATFORM_EVENT_WRITTEN);
    assert_int_equal(event.kind, PLATFORM_EVENT_END);
    if (result == 0 && have != sizeof text)
        result = err_set(err, ERR_FAILED, event.os_code, "the stream ended early");
    platform_unwatch(source);
    return result;
}

static int accept_one(struct err *err)
{
    struct platform_bind bind = {
        .address = address_ipv4(0x7f000001, 0), .listen = true, .backlog = 8
    };
    int64_t deadline_ms = platform_now_ms() + LIMIT_MS;
    struct platform_source *listener;
    struct platform_source *client;
    struct platform_source *server = NULL;
    struct platform_event event = { .kind = PLATFORM_EVENT_TIMER };
    platform_handle handle;
    struct address bound;
    int result = -1;

    if (platform_bind(&bind, &handle, &bound, err) != PLATFORM_BIND_OK)
        return -1;
    listener = platform_watch_listener(handle, 1, NULL);
    assert_non_null(listener);
    client = platform_connect(&bound, 2, NULL, err);
    while (client != NULL && server == NULL && result == -1) {
        platform_wait(deadline_ms, &event);
        if (event.kind == PLATFORM_EVENT_ACCEPTED)
            server = event.accepted;
        else if (event.kind == PLATFORM_EVENT_END || event.kind == PLATFORM_EVENT_TIMER)
            break;
    }
    if (server != NULL)
        result = 0;
    else if (client != NULL)
        err_set(err, ERR_FAILED, event.os_code, "not accepted");
    platform_unwatch(server);
    platform_unwatch(client);
    platform_unwatch(listener);
    return result;
}

static void tells_what_happens_to_a_stream(void **state)
{
    struct err err;

    assert_int_equal(platform_loop_open(false, &err), 0);
    fault_try("watch", watch, 8);
    fault_try("accept", accept_one, 8);
    fault_try("send a notification", send_notification, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(binds_or_says_why),
        cmocka_unit_test(passes_messages_and_handles),
        cmocka_unit_test(opens_control_and_notification_sockets),
        cmocka_unit_test(tells_what_happens_to_a_stream),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
