/* Sockets: binding, listening, connecting, whose they are; pipes and pairs. */
#include "started.h"

static struct platform_event event;

static int64_t limit(void)
{
    return platform_now_ms() + LIMIT_MS;
}

static void expect(enum platform_event_kind kind)
{
    platform_wait(limit(), &event);
    if (event.kind != kind)
        fail_msg("event %d came in place of %d (os_code %ld)", event.kind, kind, event.os_code);
}

static struct address loopback(uint16_t port)
{
    return address_ipv4(INADDR_LOOPBACK, port);
}

static enum platform_bind_result try_bind(
        const struct platform_bind *bind, platform_handle *ret_handle, struct address *ret_bound)
{
    struct err err = { .kind = ERR_FAILED };
    enum platform_bind_result result = platform_bind(bind, ret_handle, ret_bound, &err);

    if (result != PLATFORM_BIND_OK)
        assert_int_equal(err.kind, ERR_OCCUPIED);
    return result;
}

static platform_handle make_listener(const struct address *address, struct address *ret_bound)
{
    struct platform_bind bind = { .address = *address, .listen = true, .backlog = 64 };
    platform_handle handle = PLATFORM_NO_HANDLE;

    assert_int_equal(try_bind(&bind, &handle, ret_bound), PLATFORM_BIND_OK);
    return handle;
}

static platform_handle listen_anywhere(struct address *ret_bound)
{
    struct address any_port = loopback(0);

    return make_listener(&any_port, ret_bound);
}

static enum platform_bind_result bind_result(const struct address *address)
{
    struct platform_bind bind = { .address = *address, .listen = true, .backlog = 16 };
    platform_handle handle;
    struct address bound;
    enum platform_bind_result result = try_bind(&bind, &handle, &bound);

    if (result == PLATFORM_BIND_OK)
        platform_close(handle);
    return result;
}

/* A stranger's: without any option, as most programs have it. */
static SOCKET bind_plainly(const struct address *address, bool both_families, bool listens)
{
    struct sockaddr_storage storage;
    int length = sockaddr_make(address, &storage);
    SOCKET s = windows_open_socket(address);
    DWORD off = 0;

    assert_true(s != INVALID_SOCKET);
    if (both_families)
        assert_int_equal(
                setsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, (const char *)&off, sizeof off), 0);
    assert_int_equal(bind(s, (struct sockaddr *)&storage, length), 0);
    if (listens)
        assert_int_equal(listen(s, 16), 0);
    return s;
}

static uint16_t port_of(SOCKET s)
{
    struct address own;

    assert_true(windows_own_address(s, &own));
    return own.port;
}

/* ---- Binding --------------------------------------------------------------------------------- */

static void the_system_chooses_a_port(void **state)
{
    struct address bound;
    struct address again;
    platform_handle handle = listen_anywhere(&bound);

    assert_int_not_equal(bound.port, 0);
    assert_true(platform_check_listener(handle, &again));
    assert_true(address_equal(&bound, &again));
    platform_close(handle);
}

static void two_cannot_have_one_address(void **state)
{
    struct address bound;
    struct address wildcard = { .family = ADDRESS_IPV4 };
    struct address both = { .family = ADDRESS_IPV6 };
    platform_handle handle = listen_anywhere(&bound);

    wildcard.port = both.port = bound.port;
    assert_int_equal(bind_result(&bound), PLATFORM_BIND_TAKEN);
    assert_int_equal(bind_result(&wildcard), PLATFORM_BIND_TAKEN);
    assert_int_equal(bind_result(&both), PLATFORM_BIND_TAKEN);
    platform_close(handle);
    assert_int_equal(bind_result(&bound), PLATFORM_BIND_OK);
}

/* Bound, and not listening, is enough. */
static void a_claim_keeps_others_out(void **state)
{
    struct platform_bind claim = { .address = loopback(0), .hold = true };
    struct platform_bind other = { .listen = false };
    platform_handle handle;
    platform_handle second;
    struct address bound;
    struct address again;

    assert_int_equal(try_bind(&claim, &handle, &bound), PLATFORM_BIND_OK);
    assert_false(platform_check_listener(handle, &again));
    other.address = bound;
    assert_int_equal(try_bind(&other, &second, &again), PLATFORM_BIND_TAKEN);
    assert_int_equal(bind_result(&bound), PLATFORM_BIND_TAKEN);
    platform_close(handle);
}

/* The exclusive wildcard as a test: without it a wildcard of somebody's and one address of ours
 * would stand side by side. */
static void a_strangers_wildcard_is_seen(void **state)
{
    static const struct {
        const char *name;
        enum address_family family;
        bool both_families;
        bool listens;
    } rows[] = {
        { "0.0.0.0, listening", ADDRESS_IPV4, false, true },
        { "0.0.0.0, bound", ADDRESS_IPV4, false, false },
        { "[::] for both, listening", ADDRESS_IPV6, true, true },
        { "[::] for both, bound", ADDRESS_IPV6, true, false },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct address wildcard = { .family = rows[i].family };
        SOCKET s;
        struct address ours;

        if (is_wine() && rows[i].both_families && !rows[i].listens) {
            print_message("skipped on Wine: %s: it looks at one family alone\n", rows[i].name);
            continue;
        }
        s = bind_plainly(&wildcard, rows[i].both_families, rows[i].listens);
        ours = loopback(port_of(s));
        CHECK_INT(rows[i].name, bind_result(&ours), PLATFORM_BIND_TAKEN);
        assert_int_equal(closesocket(s), 0);
        CHECK_INT(rows[i].name, bind_result(&ours), PLATFORM_BIND_OK);
    }
}

static void another_address_is_nobodys_business(void **state)
{
    struct address other = address_ipv4(INADDR_LOOPBACK + 1, 0);
    SOCKET s = bind_plainly(&other, false, true);
    struct address ours = loopback(port_of(s));

    assert_int_equal(bind_result(&ours), PLATFORM_BIND_OK);
    assert_int_equal(closesocket(s), 0);
}

static void the_other_family_is_held_beside(void **state)
{
    struct address bound;
    struct address other;
    struct platform_bind twin = { .hold = true, .only_ipv6 = true };
    platform_handle handle;
    platform_handle held;

    if (!platform_has_ipv6()) {
        print_message("skipped: this machine has no IPv6\n");
        skip();
    }
    handle = listen_anywhere(&bound);
    twin.address = address_ipv6_loopback(bound.port);
    assert_int_equal(try_bind(&twin, &held, &other), PLATFORM_BIND_OK);
    assert_int_equal(bind_result(&twin.address), PLATFORM_BIND_TAKEN);
    platform_close(held);
    platform_close(handle);
}

static void an_address_of_another_machine(void **state)
{
    struct address elsewhere = address_ipv4(0xC0000201u, 0); /* RFC 5737 */
    struct address here = loopback(1);
    struct address own[64];
    size_t count = platform_own_addresses(own, COUNT_OF(own));
    bool has_loopback = false;

    assert_int_equal(bind_result(&elsewhere), PLATFORM_BIND_NO_ADDRESS);
    assert_false(platform_has_address(&elsewhere));
    assert_true(platform_has_address(&here));
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(own[i].port, 0);
        assert_true(platform_has_address(&own[i]));
        has_loopback = has_loopback || address_is_loopback(&own[i]);
    }
    assert_true(has_loopback);
}

/* What the server closes first waits on, and is no obstacle. */
static void a_port_is_bound_again_at_once(void **state)
{
    struct address bound;
    platform_handle listener = listen_anywhere(&bound);
    platform_handle client;
    SOCKET served;
    struct err err;
    char byte;

    assert_int_equal(platform_tcp_connect(&bound, limit(), &client, &err), 0);
    served = accept(windows_socket(listener), NULL, NULL);
    assert_true(served != INVALID_SOCKET);
    platform_close(listener);
    assert_int_equal(closesocket(served), 0);
    assert_int_equal(platform_receive(client, &byte, 1, limit()), 0);
    platform_close(client);
    assert_int_equal(bind_result(&bound), PLATFORM_BIND_OK);
}

/* What Wine does not know: bind() says WSAEACCES there, in a range that netsh names. */
static void ranges_of_the_system_are_found(void **state)
{
    static const char text[] = "\r\nProtokoll tcp: ausgeschlossene Portbereiche\r\n\r\n"
                               "Startport    Endport\r\n----------    --------\r\n"
                               "      5357        5357\r\n     50000       50059     *\r\n\r\n"
                               "* - Verwaltete Portausschluesse.\r\n";
    static const struct {
        uint16_t port;
        uint16_t first; /* 0: in none */
        uint16_t last;
    } rows[] = { { 5356, 0, 0 }, { 5357, 5357, 5357 }, { 5358, 0, 0 }, { 49999, 0, 0 },
        { 50000, 50000, 50059 }, { 50059, 50000, 50059 }, { 50060, 0, 0 } };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        uint16_t first = 0;
        uint16_t last = 0;

        assert_int_equal(windows_find_range(text, rows[i].port, &first, &last), rows[i].first != 0);
        assert_int_equal(first, rows[i].first);
        assert_int_equal(last, rows[i].last);
    }
    assert_false(windows_find_range("", 1, &(uint16_t) { 0 }, &(uint16_t) { 0 }));
    assert_false(windows_find_range("1 65536\n", 1, &(uint16_t) { 0 }, &(uint16_t) { 0 }));
}

/* ---- What a child gets ----------------------------------------------------------------------- */

static bool is_inheritable(platform_handle handle)
{
    DWORD flags;

    assert_true(GetHandleInformation(windows_handle(handle), &flags));
    return (flags & HANDLE_FLAG_INHERIT) != 0;
}

static void nothing_is_inherited_by_itself(void **state)
{
    struct address bound;
    platform_handle made[8];
    struct platform_source *source;
    struct err err;

    made[0] = listen_anywhere(&bound);
    assert_int_equal(platform_pipe(&made[1], &made[2], &err), 0);
    assert_int_equal(platform_input_pipe(&made[3], &made[4], &err), 0);
    assert_int_equal(platform_stream_pair(&made[5], &err), 0);
    assert_int_equal(platform_tcp_connect(&bound, limit(), &made[7], &err), 0);
    for (size_t i = 0; i < COUNT_OF(made); i++)
        assert_false(is_inheritable(made[i]));
    source = platform_watch_listener(made[0], 1, NULL);
    expect(PLATFORM_EVENT_ACCEPTED);
    assert_false(is_inheritable(platform_source_handle(event.accepted)));
    platform_unwatch(event.accepted);
    platform_unwatch(source);
    for (size_t i = 1; i < COUNT_OF(made); i++)
        platform_close(made[i]);
}

static void expect_hello(const struct address *address)
{
    platform_handle client;
    char text[8];
    size_t length = 0;
    long got;
    struct err err;

    assert_int_equal(platform_tcp_connect(address, limit(), &client, &err), 0);
    while ((got = platform_receive(client, text + length, sizeof text - length, limit())) > 0)
        length += (size_t)got;
    assert_int_equal(length, 5);
    assert_memory_equal(text, "hello", 5);
    platform_close(client);
}

/* Two in turn accept on it, and what connects in between waits. */
static void a_listener_is_a_childs(void **state)
{
    struct address bound;
    struct address again;
    platform_handle listener = listen_anywhere(&bound);
    char number[32];
    char line[SAID_BYTES];

    (void)snprintf(number, sizeof number, "%llu", (unsigned long long)windows_socket(listener));
    for (int i = 0; i < 2; i++) {
        struct platform_spawn spec = started_spec((const char *const[]) { "serve", number, NULL });
        struct started started;
        struct platform_exit how;
        struct err err;

        spec.passed = &listener;
        spec.passed_count = 1;
        started_make(&spec, &started);
        assert_int_equal(platform_spawn_release(&started.child, &err), 0);
        started_line(&started, line);
        assert_string_equal(line, "ready");
        expect_hello(&bound);
        started_end(&started, &how);
        assert_int_equal(how.code, 0);
        assert_true(platform_check_listener(listener, &again));
    }
    platform_close(listener);
}

/* No port of ours has it: a server could not attach it to its own then. */
static void a_listener_is_left_to_the_childs_port(void **state)
{
    struct address bound;
    platform_handle listener = listen_anywhere(&bound);
    HANDLE port = CreateIoCompletionPort(INVALID_HANDLE_VALUE, NULL, 0, 1);
    u_long waiting;

    assert_true(platform_check_listener(listener, &bound));
    platform_set_backlog(listener, 16);
    assert_ptr_equal(CreateIoCompletionPort(windows_handle(listener), port, 0, 0), port);
    assert_int_equal(ioctlsocket(windows_socket(listener), FIONREAD, &waiting), 0);
    platform_close(listener);
    assert_true(CloseHandle(port));
}

/* A server that has ended leaves the listener attached to its port. */
static void the_next_child_can_attach_it_again(void **state)
{
    struct address bound;
    platform_handle listener = listen_anywhere(&bound);
    HANDLE port = CreateIoCompletionPort(INVALID_HANDLE_VALUE, NULL, 0, 1);

    assert_ptr_equal(CreateIoCompletionPort(windows_handle(listener), port, 0, 0), port);
    assert_true(CloseHandle(port));
    port = CreateIoCompletionPort(INVALID_HANDLE_VALUE, NULL, 0, 1);
    assert_null(CreateIoCompletionPort(windows_handle(listener), port, 0, 0));
    if (is_wine()) {
        assert_false(windows_detach_listener(listener));
        platform_close(listener);
        assert_true(CloseHandle(port));
    }
    SKIP_ON_WINE("FileReplaceCompletionInformation is not implemented there");
    windows_detach_listeners(&listener, 1);
    assert_ptr_equal(CreateIoCompletionPort(windows_handle(listener), port, 0, 0), port);
    platform_close(listener);
    assert_true(CloseHandle(port));
}

/* ---- The loop's connections ------------------------------------------------------------------ */

static void many_connect_and_are_accepted(void **state)
{
    enum { COUNT = 60 };
    struct address bound;
    struct platform_source *clients[COUNT];
    struct platform_source *served[COUNT];
    struct platform_source *listener = platform_watch_listener(listen_anywhere(&bound), 1, &bound);
    size_t connected = 0;
    size_t accepted = 0;
    struct err err;

    assert_non_null(listener);
    for (size_t i = 0; i < COUNT; i++) {
        clients[i] = platform_connect(&bound, 2, NULL, &err);
        assert_non_null(clients[i]);
    }
    while (connected < COUNT || accepted < COUNT) {
        platform_wait(limit(), &event);
        if (event.kind == PLATFORM_EVENT_CONNECTED) {
            assert_int_equal(event.role, 2);
            assert_false(platform_is_self_connected(event.source));
            assert_int_equal(platform_send(event.source, "hi", 2, 2), 0);
            connected++;
        } else if (event.kind == PLATFORM_EVENT_ACCEPTED) {
            assert_ptr_equal(event.source, listener);
            assert_ptr_equal(event.owner, &bound);
            assert_int_equal(event.role, 1);
            assert_int_equal(event.peer.uid, -1);
            served[accepted++] = event.accepted;
        } else {
            if (event.kind != PLATFORM_EVENT_DATA)
                fail_msg("event %d, os_code %ld, role %d", event.kind, event.os_code, event.role);
            assert_int_equal(event.role, 1);
            assert_int_equal(event.length, 2);
        }
    }
    for (size_t i = 0; i < COUNT; i++) {
        platform_unwatch(clients[i]);
        platform_unwatch(served[i]);
    }
    platform_unwatch(listener);
}

static void nobody_there_is_said_at_once(void **state)
{
    struct address bound;
    platform_handle closed = listen_anywhere(&bound);
    struct platform_source *source;
    platform_handle handle;
    struct err err;

    platform_close(closed);
    source = platform_connect(&bound, 1, NULL, &err);
    if (source == NULL) {
        assert_true(platform_means_nobody(err.os_code));
    } else {
        expect(PLATFORM_EVENT_END);
        assert_ptr_equal(event.source, source);
        assert_int_equal(event.os_code, WSAECONNREFUSED);
        assert_true(platform_means_nobody(event.os_code));
        platform_unwatch(source);
    }
    assert_int_equal(platform_tcp_connect(&bound, limit(), &handle, &err), -1);
    assert_int_equal(err.kind, ERR_NOT_RUNNING);
    assert_int_equal(err.os_code, WSAECONNREFUSED);
}

static void a_listener_that_is_left_refuses(void **state)
{
    struct address bound;
    struct platform_source *listener = platform_watch_listener(listen_anywhere(&bound), 1, NULL);
    platform_handle client;
    struct err err;

    platform_wait(platform_now_ms(), &event); /* it is waiting for somebody now */
    assert_int_equal(event.kind, PLATFORM_EVENT_TIMER);
    platform_unwatch(listener);
    assert_int_equal(platform_tcp_connect(&bound, limit(), &client, &err), -1);
    assert_int_equal(bind_result(&bound), PLATFORM_BIND_OK);
    platform_wait(platform_now_ms(), &event);
    assert_int_equal(event.kind, PLATFORM_EVENT_TIMER);
}

static void a_connection_to_itself_is_told(void **state)
{
    struct address own = loopback(0);
    SOCKET s = bind_plainly(&own, false, false);
    struct sockaddr_storage storage;
    struct platform_source *source;
    int length;

    own.port = port_of(s);
    length = sockaddr_make(&own, &storage);
    assert_int_equal(connect(s, (struct sockaddr *)&storage, length), 0);
    source = platform_watch_stream(windows_of_socket(s), 1, NULL);
    assert_true(platform_is_self_connected(source));
    platform_end_by_reset(source);
    platform_unwatch(source);
    assert_int_equal(bind_result(&own), PLATFORM_BIND_OK);
}

/* ---- Streams outside the loop ---------------------------------------------------------------- */

static void a_pair_is_connected_to_itself(void **state)
{
    platform_handle ends[2];
    struct address own[2];
    struct address peer[2];
    char text[16];
    struct err err;

    assert_int_equal(platform_stream_pair(ends, &err), 0);
    for (int i = 0; i < 2; i++) {
        assert_true(windows_own_address(windows_socket(ends[i]), &own[i]));
        assert_true(windows_peer_address(windows_socket(ends[i]), &peer[i]));
        assert_true(address_is_loopback(&own[i]));
    }
    assert_true(address_equal(&own[0], &peer[1]));
    assert_true(address_equal(&own[1], &peer[0]));
    assert_int_equal(platform_send_all(ends[0], "there", 5, limit(), &err), 0);
    assert_int_equal(platform_receive(ends[1], text, sizeof text, limit()), 5);
    assert_memory_equal(text, "there", 5);
    assert_int_equal(platform_send_all(ends[1], "back", 4, limit(), &err), 0);
    assert_int_equal(platform_receive(ends[0], text, sizeof text, limit()), 4);
    assert_int_equal(platform_receive(ends[0], text, sizeof text, platform_now_ms()), -1);
    platform_close(ends[0]);
    assert_int_equal(platform_receive(ends[1], text, sizeof text, limit()), 0);
    platform_close(ends[1]);
}

static void who_does_not_read_is_not_waited_for_beyond_the_deadline(void **state)
{
    enum { LENGTH = 64 << 20 };
    char *data = calloc(1, LENGTH);
    platform_handle ends[2];
    struct err err;

    assert_non_null(data);
    assert_int_equal(platform_stream_pair(ends, &err), 0);
    assert_int_equal(platform_send_all(ends[0], data, LENGTH, platform_now_ms() + 200, &err), -1);
    assert_int_equal(err.kind, ERR_NO_ANSWER);
    platform_close(ends[1]);
    assert_int_equal(platform_send_all(ends[0], data, LENGTH, limit(), &err), -1);
    assert_int_equal(err.kind, ERR_NOT_RUNNING);
    platform_close(ends[0]);
    free(data);
}

/* ---- Whose a port is ------------------------------------------------------------------------- */

static void listeners_are_listed(void **state)
{
    struct address bound;
    platform_handle handle = listen_anywhere(&bound);
    struct platform_listener found[PLATFORM_LISTENERS_MAX];
    int count = platform_listeners_on_port(bound.port, found, PLATFORM_LISTENERS_MAX);

    assert_int_equal(count, 1);
    assert_true(found[0].listening);
    assert_true(address_equal(&found[0].address, &bound));
    assert_int_not_equal(found[0].socket_id, 0);
    count = platform_listeners_on_port(0, found, 1);
    assert_int_equal(count, 1);
    platform_close(handle);
    assert_int_equal(platform_listeners_on_port(bound.port, found, PLATFORM_LISTENERS_MAX), 0);
}

static void the_owner_of_a_listener_is_told(void **state)
{
    struct address bound;
    platform_handle handle = listen_anywhere(&bound);
    struct platform_listener found[PLATFORM_LISTENERS_MAX];
    int64_t owners[4];
    bool hidden;

    assert_int_equal(platform_listeners_on_port(bound.port, found, PLATFORM_LISTENERS_MAX), 1);
    if (is_wine()) {
        assert_int_equal(platform_socket_owners(found[0].socket_id, owners, 4, &hidden), 0);
        assert_true(hidden);
        assert_false(platform_owns_socket(platform_pid(), found[0].socket_id));
    }
    platform_close(handle);
    SKIP_ON_WINE("its table of TCP ports has no pids");
    handle = make_listener(&bound, &bound);
    assert_int_equal(platform_listeners_on_port(bound.port, found, PLATFORM_LISTENERS_MAX), 1);
    assert_int_equal(found[0].uid, platform_uid());
    assert_int_equal(platform_socket_owners(found[0].socket_id, owners, 4, &hidden), 1);
    assert_int_equal(owners[0], platform_pid());
    assert_false(hidden);
    assert_true(platform_owns_socket(platform_pid(), found[0].socket_id));
    assert_false(platform_owns_socket(4, found[0].socket_id));
    platform_close(handle);
}

/* A server that died has left its socket to a child. */
static void a_dead_owners_children_are_named(void **state)
{
    struct started started;
    struct platform_exit how;
    char line[SAID_BYTES];
    int64_t owners[8];
    bool hidden;
    uint64_t socket_id;
    int64_t dead;
    int64_t heir;
    size_t count;

    started_begin((const char *const[]) { "leave", NULL }, &started);
    started_line(&started, line);
    heir = strtoll(line, NULL, 10);
    dead = started.child.identity.pid;
    started_await(&started, &how);
    socket_id = (uint64_t)dead << 32 | 80u << 16; /* as the table would have it */
    platform_reap(dead);
    count = platform_socket_owners(socket_id, owners, COUNT_OF(owners), &hidden);
    assert_int_equal(count, 1);
    assert_int_equal(owners[0], heir);
    assert_false(hidden);
    assert_true(platform_owns_socket(heir, socket_id));
    assert_false(platform_owns_socket(platform_pid(), socket_id));
    (void)platform_tree_signal(&(struct platform_tree) { .main_pid = dead,
                                       .main_start = started.child.identity.start_time,
                                       .instance = "" },
            "KILL");
}

/* ---- What is refused by name ----------------------------------------------------------------- */

static void what_windows_lacks_is_refused_by_name(void **state)
{
    platform_handle handle;
    char name[PLATFORM_NOTIFY_BYTES];
    struct err err;

    assert_int_equal(platform_notify_listen(0, &handle, name, &err), -1);
    assert_int_equal(err.kind, ERR_CONFIG);
    assert_non_null(strstr(err.text, "notification"));
    assert_int_equal(platform_notify_send("@x", "READY=1", 7, PLATFORM_NO_HANDLE, &err), -1);
    assert_int_equal(platform_become(PLATFORM_NO_HANDLE, NULL, NULL, 0, &err), -1);
    assert_non_null(strstr(err.text, "cannot replace its program"));
    assert_false(platform_has_control_sockets());
    assert_int_equal(platform_control_listen("x", "y", &handle, &err), -1);
    assert_non_null(strstr(err.text, "TCP"));
    assert_int_equal(platform_control_connect("x", "y", &handle, &err), -1);
    assert_int_equal(err.kind, ERR_NOT_RUNNING);
}

static void unix_sockets_are_served_where_they_are(void **state)
{
    struct address path = { .family = ADDRESS_UNIX };
    struct platform_bind bind = { .listen = true, .backlog = 4 };
    struct platform_source *source;
    platform_handle handle;
    struct address bound;
    struct err err;

    SKIP_ON_WINE("it has no AF_UNIX");
    (void)snprintf(path.path, sizeof path.path, "C:/Windows/Temp/svcmgr-%lld.sock",
            (long long)platform_pid());
    bind.address = path;
    assert_false(platform_unix_is_live(path.path));
    assert_int_equal(try_bind(&bind, &handle, &bound), PLATFORM_BIND_OK);
    assert_true(platform_unix_is_live(path.path));
    source = platform_connect(&path, 1, NULL, &err);
    assert_non_null(source);
    expect(PLATFORM_EVENT_CONNECTED);
    platform_unwatch(source);
    platform_close(handle);
    assert_int_equal(platform_remove_file(path.path, &err), 0);
}

static int open_loop(void **state)
{
    struct err err;

    return platform_loop_open(false, &err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_system_chooses_a_port),
        cmocka_unit_test(two_cannot_have_one_address),
        cmocka_unit_test(a_claim_keeps_others_out),
        cmocka_unit_test(a_strangers_wildcard_is_seen),
        cmocka_unit_test(another_address_is_nobodys_business),
        cmocka_unit_test(the_other_family_is_held_beside),
        cmocka_unit_test(an_address_of_another_machine),
        cmocka_unit_test(a_port_is_bound_again_at_once),
        cmocka_unit_test(ranges_of_the_system_are_found),
        cmocka_unit_test(nothing_is_inherited_by_itself),
        cmocka_unit_test(a_listener_is_a_childs),
        cmocka_unit_test(a_listener_is_left_to_the_childs_port),
        cmocka_unit_test(the_next_child_can_attach_it_again),
        cmocka_unit_test(many_connect_and_are_accepted),
        cmocka_unit_test(nobody_there_is_said_at_once),
        cmocka_unit_test(a_listener_that_is_left_refuses),
        cmocka_unit_test(a_connection_to_itself_is_told),
        cmocka_unit_test(a_pair_is_connected_to_itself),
        cmocka_unit_test(who_does_not_read_is_not_waited_for_beyond_the_deadline),
        cmocka_unit_test(listeners_are_listed),
        cmocka_unit_test(the_owner_of_a_listener_is_told),
        cmocka_unit_test(a_dead_owners_children_are_named),
        cmocka_unit_test(what_windows_lacks_is_refused_by_name),
        cmocka_unit_test(unix_sockets_are_served_where_they_are),
    };

    return cmocka_run_group_tests(tests, open_loop, NULL);
}
