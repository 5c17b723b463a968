/* The loop: platform_wait() and what it watches. */
#include "started.h"

#include <limits.h>

enum { ROLE_A = 1, ROLE_B, ROLE_C };

static struct platform_event event;

static int64_t limit(void)
{
    return platform_now_ms() + LIMIT_MS;
}

/* The next event has to be of this kind. */
static void expect(enum platform_event_kind kind)
{
    platform_wait(limit(), &event);
    if (event.kind != kind)
        fail_msg("event %d came in place of %d (os_code %ld)", event.kind, kind, event.os_code);
}

static void expect_data(const struct platform_source *source, const char *text)
{
    expect(PLATFORM_EVENT_DATA);
    assert_ptr_equal(event.source, source);
    assert_int_equal(event.length, strlen(text));
    assert_memory_equal(event.data, text, event.length);
}

/* Nothing more is to be told now. */
static void expect_nothing(void)
{
    windows_post_ask(PLATFORM_ASK_HANGUP, 0);
    expect(PLATFORM_EVENT_SIGNAL);
    platform_wait(platform_now_ms(), &event);
    assert_int_equal(event.kind, PLATFORM_EVENT_TIMER);
}

static void write_pipe(platform_handle handle, const char *text)
{
    DWORD bytes;

    assert_true(WriteFile(windows_handle(handle), text, (DWORD)strlen(text), &bytes, NULL));
    assert_int_equal(bytes, strlen(text));
}

static void make_pipe(platform_handle *ret_read, platform_handle *ret_write)
{
    struct err err;

    if (platform_pipe(ret_read, ret_write, &err) == -1)
        fail_msg("%s", err.text);
}

static void make_pair(platform_handle ends[2])
{
    struct err err;

    if (platform_stream_pair(ends, &err) == -1)
        fail_msg("%s", err.text);
}

/* ---- Timer, asks, exits ---------------------------------------------------------------------- */

static void a_deadline_is_told(void **state)
{
    platform_wait(platform_now_ms() - 1, &event);
    assert_int_equal(event.kind, PLATFORM_EVENT_TIMER);
    assert_null(event.source);
    platform_wait(platform_now_ms() + 5, &event);
    assert_int_equal(event.kind, PLATFORM_EVENT_TIMER);
}

static DWORD WINAPI ask_twice(void *context)
{
    windows_post_ask(PLATFORM_ASK_STOP, 0);
    windows_post_ask(PLATFORM_ASK_FORWARD, 10);
    return 0;
}

static void asks_of_another_thread_come_in_order(void **state)
{
    HANDLE thread = CreateThread(NULL, 0, ask_twice, NULL, 0, NULL);

    assert_non_null(thread);
    expect(PLATFORM_EVENT_SIGNAL);
    assert_int_equal(event.ask, PLATFORM_ASK_STOP);
    expect(PLATFORM_EVENT_SIGNAL);
    assert_int_equal(event.ask, PLATFORM_ASK_FORWARD);
    assert_int_equal(event.signal_number, 10);
    assert_null(event.source);
    assert_int_equal(WaitForSingleObject(thread, LIMIT_MS), WAIT_OBJECT_0);
    assert_true(CloseHandle(thread));
}

/* Both are there when the loop looks: the child's last words come first. */
static void what_a_child_said_comes_before_its_end(void **state)
{
    struct platform_spawn spec =
            started_spec((const char *const[]) { "words", "its", "words", NULL });
    struct platform_child child;
    struct platform_source *source;
    platform_handle read;
    size_t length = 0;
    HANDLE process;
    struct err err;

    make_pipe(&read, &spec.output);
    if (platform_spawn(&spec, &child, &err) == -1)
        fail_msg("%s", err.text);
    platform_close(spec.output);
    process = OpenProcess(SYNCHRONIZE, FALSE, (DWORD)child.identity.pid);
    assert_non_null(process);
    source = platform_watch_stream(read, ROLE_A, NULL);
    assert_non_null(source);
    assert_int_equal(platform_spawn_release(&child, &err), 0);
    started_await_handle(process);
    windows_post_exit(child.identity.pid); /* at the latest now */
    platform_wait(limit(), &event);
    assert_int_equal(event.kind, PLATFORM_EVENT_DATA);
    for (; event.kind == PLATFORM_EVENT_DATA; platform_wait(limit(), &event))
        length += event.length;
    assert_int_equal(length, strlen("its\r\nwords\r\n"));
    /* The end of the stream and that of the child: in either order. */
    for (bool ended = false; event.kind != PLATFORM_EVENT_EXIT; platform_wait(limit(), &event)) {
        assert_int_equal(event.kind, PLATFORM_EVENT_END);
        assert_false(ended);
        ended = true;
    }
    assert_int_equal(event.pid, child.identity.pid);
    assert_int_equal(event.exit.code, 0);
    assert_null(event.source);
    platform_reap(event.pid);
    platform_unwatch(source);
    while (platform_wait(platform_now_ms(), &event), event.kind != PLATFORM_EVENT_TIMER)
        assert_int_not_equal(event.kind, PLATFORM_EVENT_EXIT); /* who is reaped is not told again */
}

/* A hushed source wakes nobody, but is looked at before an end is told. */
static void hushed_words_come_before_the_end(void **state)
{
    struct started started;
    platform_handle read;
    platform_handle write;
    struct platform_source *source;
    struct platform_exit how;
    HANDLE process;

    make_pipe(&read, &write);
    source = platform_watch_stream(read, ROLE_A, NULL);
    platform_hush(1u << ROLE_A);
    write_pipe(write, "hushed");
    expect_nothing();
    started_begin((const char *const[]) { "exit", "3", NULL }, &started);
    process = OpenProcess(SYNCHRONIZE, FALSE, (DWORD)started.child.identity.pid);
    if (process != NULL)
        started_await_handle(process);
    expect_data(source, "hushed");
    started_end(&started, &how);
    assert_int_equal(how.code, 3);
    write_pipe(write, "again");
    expect_nothing();
    platform_hush(0);
    expect_data(source, "again");
    platform_unwatch(source);
    platform_close(write);
}

static void a_process_that_is_no_child_is_watched(void **state)
{
    WCHAR line[MAX_PATH + 32];
    WCHAR file[MAX_PATH];
    STARTUPINFOW start = { .cb = sizeof start };
    PROCESS_INFORMATION process;
    struct platform_source *source;
    struct identity identity;
    struct identity other;
    platform_handle read;
    platform_handle write;

    assert_true(windows_to_wide(started_file(), file, MAX_PATH));
    (void)_snwprintf(line, COUNT_OF(line), L"\"%ls\" exit 9", file);
    assert_true(CreateProcessW(
            file, line, NULL, NULL, FALSE, CREATE_SUSPENDED, NULL, NULL, &start, &process));
    assert_true(platform_identify((int64_t)process.dwProcessId, true, &identity));
    platform_unwatch(platform_watch_process(&identity, ROLE_B, NULL));
    make_pipe(&read, &write);
    source = platform_watch_stream(read, ROLE_B, NULL);
    expect_nothing();
    platform_unwatch(source); /* what was under way is told to the next at its place by nobody */
    platform_close(write);
    source = platform_watch_process(&identity, ROLE_A, &identity);
    assert_non_null(source);
    expect_nothing();
    other = identity;
    other.start_time++;
    assert_null(platform_watch_process(&other, ROLE_A, NULL));
    assert_int_not_equal(ResumeThread(process.hThread), -1);
    expect(PLATFORM_EVENT_GONE);
    assert_ptr_equal(event.source, source);
    assert_ptr_equal(event.owner, &identity);
    assert_int_equal(event.role, ROLE_A);
    assert_int_equal(event.pid, identity.pid);
    assert_int_equal(event.exit.code, 9);
    platform_unwatch(source);
    assert_true(CloseHandle(process.hThread));
    assert_true(CloseHandle(process.hProcess));
    expect_nothing();
}

/* ---- Streams --------------------------------------------------------------------------------- */

static void a_stream_carries_both_ways(void **state)
{
    platform_handle ends[2];
    struct platform_source *a;
    struct platform_source *b;

    make_pair(ends);
    a = platform_watch_stream(ends[0], ROLE_A, &ends[0]);
    b = platform_watch_stream(ends[1], ROLE_B, &ends[1]);
    assert_int_equal(platform_send(a, "there", 5, 64), 0);
    expect_data(b, "there");
    assert_int_equal(event.role, ROLE_B);
    assert_ptr_equal(event.owner, &ends[1]);
    platform_set_owner(a, ends);
    assert_int_equal(platform_send(b, "and back", 8, 64), 0);
    expect_data(a, "and back");
    assert_ptr_equal(event.owner, ends);
    assert_int_equal(platform_unsent(a), 0);
    assert_false(platform_is_self_connected(a));
    expect_nothing();
    assert_int_equal(platform_send(a, "last", 4, 64), 0);
    platform_unwatch(a);
    expect_data(b, "last");
    expect(PLATFORM_EVENT_END);
    assert_int_equal(event.os_code, 0);
    expect_nothing();
    platform_unwatch(b);
}

static void fill(char *data, size_t length, size_t from)
{
    for (size_t i = 0; i < length; i++)
        data[i] = (char)((from + i) * 7 % 251);
}

/* More than the system holds; the reader does not read at first. */
static void much_waits_for_its_reader(void **state)
{
    enum { LENGTH = 8 << 20 };
    char *data = malloc(LENGTH);
    platform_handle ends[2];
    struct platform_source *a;
    struct platform_source *b;
    size_t got = 0;
    bool written = false;

    assert_non_null(data);
    fill(data, LENGTH, 0);
    make_pair(ends);
    a = platform_watch_stream(ends[0], ROLE_A, NULL);
    b = platform_watch_stream(ends[1], ROLE_B, NULL);
    platform_pause(b, true);
    while (platform_unsent(a) == 0) /* Windows takes one send of any length */
        assert_int_equal(platform_send(a, data, LENGTH / 2, LENGTH), 0);
    platform_unwatch(a);
    platform_unwatch(b);

    make_pair(ends);
    a = platform_watch_stream(ends[0], ROLE_A, NULL);
    b = platform_watch_stream(ends[1], ROLE_B, NULL);
    platform_pause(b, true);
    for (size_t i = 0; i < 16; i++)
        assert_int_equal(platform_send(a, data + i * (LENGTH / 16), LENGTH / 16, LENGTH), 0);
    assert_true(platform_unsent(a) > 0);
    assert_int_equal(platform_send(a, data, LENGTH, LENGTH - 1), -1);
    expect_nothing();
    platform_pause(b, false);
    while (got < LENGTH || !written) {
        platform_wait(limit(), &event);
        if (event.kind == PLATFORM_EVENT_WRITTEN) {
            assert_ptr_equal(event.source, a);
            assert_false(written);
            assert_int_equal(platform_unsent(a), 0);
            written = true;
            continue;
        }
        assert_int_equal(event.kind, PLATFORM_EVENT_DATA);
        assert_ptr_equal(event.source, b);
        assert_true(got + event.length <= LENGTH);
        assert_memory_equal(event.data, data + got, event.length);
        got += event.length;
    }
    expect_nothing();
    platform_unwatch(a);
    platform_unwatch(b);
    free(data);
}

static void a_reset_is_an_end_with_a_code(void **state)
{
    platform_handle ends[2];
    struct platform_source *a;
    struct platform_source *b;

    make_pair(ends);
    a = platform_watch_stream(ends[0], ROLE_A, NULL);
    b = platform_watch_stream(ends[1], ROLE_B, NULL);
    expect_nothing(); /* Wine tells it to who waits already, and to nobody else */
    platform_end_by_reset(a);
    platform_unwatch(a);
    expect(PLATFORM_EVENT_END);
    assert_ptr_equal(event.source, b);
    assert_int_equal(event.os_code, WSAECONNRESET);
    assert_true(platform_means_nobody(event.os_code));
    assert_int_equal(platform_send(b, "x", 1, 64), -1);
    platform_unwatch(b);
}

static void a_busy_stream_lets_the_others_have_their_turn(void **state)
{
    platform_handle busy[2];
    platform_handle other[2];
    struct platform_source *sources[2];
    char data[4096] = "";
    size_t pieces = 0;
    struct err err;

    make_pair(busy);
    make_pair(other);
    sources[0] = platform_watch_stream(busy[0], ROLE_A, NULL);
    sources[1] = platform_watch_stream(other[0], ROLE_B, NULL);
    for (int i = 0; i < 64; i++) /* more than one piece of an event */
        assert_int_equal(platform_send_all(busy[1], data, sizeof data, limit(), &err), 0);
    assert_int_equal(platform_send_all(other[1], "y", 1, limit(), &err), 0);
    do {
        platform_wait(limit(), &event);
        assert_int_equal(event.kind, PLATFORM_EVENT_DATA);
        assert_true(++pieces <= 3);
    } while (event.source != sources[1]);
    for (int i = 0; i < 2; i++)
        platform_unwatch(sources[i]);
    platform_close(busy[1]);
    platform_close(other[1]);
}

static void what_is_there_is_read_past_the_loop(void **state)
{
    platform_handle read;
    platform_handle write;
    struct platform_source *source;
    const char *data;

    make_pipe(&read, &write);
    source = platform_watch_stream(read, ROLE_A, NULL);
    expect_nothing();
    assert_int_equal(platform_read_now(source, &data), 0);
    write_pipe(write, "now");
    assert_int_equal(platform_read_now(source, &data), 3);
    assert_memory_equal(data, "now", 3);
    assert_int_equal(platform_read_now(source, &data), 0);
    expect_nothing();
    platform_close(write);
    assert_int_equal(platform_read_now(source, &data), 0);
    expect_nothing(); /* its end was seen there */
    platform_unwatch(source);
}

/* ---- Pipes ----------------------------------------------------------------------------------- */

static void a_pipe_ends_when_its_writers_have_gone(void **state)
{
    platform_handle read;
    platform_handle write;
    platform_handle copy;
    struct platform_source *source;
    struct err err;

    make_pipe(&read, &write);
    source = platform_watch_stream(read, ROLE_A, NULL);
    assert_int_equal(platform_duplicate(write, &copy, &err), 0);
    write_pipe(write, "one");
    expect_data(source, "one");
    platform_close(write);
    expect_nothing();
    write_pipe(copy, "two");
    platform_close(copy);
    expect_data(source, "two");
    expect(PLATFORM_EVENT_END);
    assert_int_equal(event.os_code, 0);
    expect_nothing();
    platform_unwatch(source);
}

static void a_paused_pipe_holds_back_its_writer(void **state)
{
    platform_handle read;
    platform_handle write;
    struct platform_source *source;

    make_pipe(&read, &write);
    source = platform_watch_stream(read, ROLE_A, NULL);
    write_pipe(write, "a");
    expect_data(source, "a");
    platform_pause(source, true);
    write_pipe(write, "b");
    expect_nothing();
    platform_close(write);
    expect_nothing();
    platform_pause(source, false);
    expect_data(source, "b");
    expect(PLATFORM_EVENT_END);
    platform_unwatch(source);
}

static DWORD WINAPI read_all(void *context)
{
    HANDLE handle = context;
    char data[5000];
    size_t total = 0;
    DWORD got;

    while (ReadFile(handle, data, sizeof data, &got, NULL) && got > 0)
        for (DWORD i = 0; i < got; i++, total++)
            if (data[i] != (char)(total * 7 % 251))
                return 0;
    return (DWORD)total;
}

static void a_child_gets_all_of_its_input(void **state)
{
    enum { LENGTH = 1 << 20 };
    char *data = malloc(LENGTH);
    platform_handle read;
    platform_handle write;
    struct platform_source *source;
    struct err err;
    HANDLE reader;
    DWORD total;

    assert_non_null(data);
    fill(data, LENGTH, 0);
    assert_int_equal(platform_input_pipe(&read, &write, &err), 0);
    source = platform_watch_pipe(write, ROLE_A, NULL);
    assert_non_null(source);
    expect_nothing();
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(platform_send(source, data + i * LENGTH / 4, LENGTH / 4, LENGTH), 0);
    assert_true(platform_unsent(source) > 0);
    assert_int_equal(platform_send(source, data, LENGTH, LENGTH), -1);
    expect_nothing();
    reader = CreateThread(NULL, 0, read_all, windows_handle(read), 0, NULL);
    assert_non_null(reader);
    expect(PLATFORM_EVENT_WRITTEN);
    assert_ptr_equal(event.source, source);
    assert_int_equal(platform_unsent(source), 0);
    platform_unwatch(source);
    assert_int_equal(WaitForSingleObject(reader, LIMIT_MS), WAIT_OBJECT_0);
    assert_true(GetExitCodeThread(reader, &total));
    assert_int_equal(total, LENGTH);
    assert_true(CloseHandle(reader));
    platform_close(read);
    free(data);
}

static void a_child_that_closes_its_input_is_an_end(void **state)
{
    platform_handle read;
    platform_handle write;
    struct platform_source *source;
    struct err err;

    assert_int_equal(platform_input_pipe(&read, &write, &err), 0);
    source = platform_watch_pipe(write, ROLE_A, NULL);
    expect_nothing();
    platform_close(read);
    expect(PLATFORM_EVENT_END);
    assert_ptr_equal(event.source, source);
    platform_unwatch(source);
}

/* ---- Many ------------------------------------------------------------------------------------ */

static void as_many_as_there_is_room_for(void **state)
{
    static struct platform_source *sources[PLATFORM_SOURCES_MAX];
    static platform_handle writes[PLATFORM_SOURCES_MAX];
    static bool told[PLATFORM_SOURCES_MAX];
    platform_handle read;
    platform_handle write;
    DWORD flags;

    for (size_t i = 0; i < PLATFORM_SOURCES_MAX; i++) {
        make_pipe(&read, &writes[i]);
        sources[i] = platform_watch_stream(read, ROLE_A, &told[i]);
        assert_non_null(sources[i]);
    }
    make_pipe(&read, &write);
    assert_null(platform_watch_stream(read, ROLE_A, NULL));
    assert_false(GetHandleInformation(windows_handle(read), &flags)); /* it was closed */
    platform_close(write);
    expect_nothing();
    for (size_t i = 0; i < PLATFORM_SOURCES_MAX; i++)
        write_pipe(writes[i], "x");
    for (size_t i = 0; i < PLATFORM_SOURCES_MAX; i++) {
        expect(PLATFORM_EVENT_DATA);
        assert_false(*(bool *)event.owner);
        *(bool *)event.owner = true;
    }
    expect_nothing();
    for (size_t i = 0; i < PLATFORM_SOURCES_MAX; i++) {
        platform_unwatch(sources[i]);
        platform_close(writes[i]);
    }
    expect_nothing();
}

/* What was under way for the former source at the same place is not told of the next. */
static void a_place_that_is_taken_again_hears_nothing_old(void **state)
{
    for (int i = 0; i < 100; i++) {
        platform_handle read;
        platform_handle write;
        platform_handle ends[2];
        struct platform_source *source;

        make_pipe(&read, &write);
        source = platform_watch_stream(read, ROLE_A, NULL);
        platform_wait(platform_now_ms(), &event);
        assert_int_equal(event.kind, PLATFORM_EVENT_TIMER);
        write_pipe(write, "old");
        platform_unwatch(source);
        platform_close(write);
        make_pair(ends);
        source = platform_watch_stream(ends[0], ROLE_B, NULL);
        expect_nothing();
        platform_close(ends[1]);
        expect(PLATFORM_EVENT_END);
        assert_ptr_equal(event.source, source);
        platform_unwatch(source);
    }
}

/* ---- What cannot be overlapped --------------------------------------------------------------- */

static void an_anonymous_pipe_is_read_by_a_thread(void **state)
{
    HANDLE read;
    HANDLE write;
    struct platform_source *source;

    assert_true(CreatePipe(&read, &write, NULL, 0));
    source = platform_watch_input(windows_of_handle(read), ROLE_A, NULL);
    assert_non_null(source);
    expect_nothing();
    write_pipe(windows_of_handle(write), "typed");
    expect_data(source, "typed");
    platform_pause(source, true);
    write_pipe(windows_of_handle(write), "more");
    expect_nothing();
    platform_pause(source, false);
    expect_data(source, "more");
    assert_true(CloseHandle(write));
    expect(PLATFORM_EVENT_END);
    assert_int_equal(event.os_code, 0);
    expect_nothing();
    platform_unwatch(source);
}

/* The loop finds out by itself. */
static void a_stream_that_cannot_be_overlapped_is_read_all_the_same(void **state)
{
    WCHAR folder[MAX_PATH];
    WCHAR file[MAX_PATH];
    struct platform_source *source;
    HANDLE handle;
    DWORD bytes;

    assert_int_not_equal(GetTempPathW(MAX_PATH, folder), 0);
    assert_int_not_equal(GetTempFileNameW(folder, L"svc", 0, file), 0);
    handle = CreateFileW(file, GENERIC_READ | GENERIC_WRITE, 0, NULL, CREATE_ALWAYS,
            FILE_FLAG_DELETE_ON_CLOSE, NULL);
    assert_ptr_not_equal(handle, INVALID_HANDLE_VALUE);
    assert_true(WriteFile(handle, "in a file", 9, &bytes, NULL));
    assert_int_equal(SetFilePointer(handle, 0, NULL, FILE_BEGIN), 0);
    source = platform_watch_stream(windows_of_handle(handle), ROLE_A, NULL);
    assert_non_null(source);
    expect_data(source, "in a file");
    expect(PLATFORM_EVENT_END);
    platform_unwatch(source);
}

static void a_thread_that_reads_is_left(void **state)
{
    HANDLE read;
    HANDLE write;

    for (int i = 0; i < 20; i++) {
        struct platform_source *source;

        assert_true(CreatePipe(&read, &write, NULL, 0));
        source = platform_watch_input(windows_of_handle(read), ROLE_A, NULL);
        if (i % 2 == 0)
            expect_nothing(); /* it has begun to read */
        platform_unwatch(source);
        assert_true(CloseHandle(write));
    }
    expect_nothing();
}

static int open_loop(void **state)
{
    struct err err;

    return platform_loop_open(true, &err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_deadline_is_told),
        cmocka_unit_test(asks_of_another_thread_come_in_order),
        cmocka_unit_test(what_a_child_said_comes_before_its_end),
        cmocka_unit_test(hushed_words_come_before_the_end),
        cmocka_unit_test(a_process_that_is_no_child_is_watched),
        cmocka_unit_test(a_stream_carries_both_ways),
        cmocka_unit_test(much_waits_for_its_reader),
        cmocka_unit_test(a_reset_is_an_end_with_a_code),
        cmocka_unit_test(a_busy_stream_lets_the_others_have_their_turn),
        cmocka_unit_test(what_is_there_is_read_past_the_loop),
        cmocka_unit_test(a_pipe_ends_when_its_writers_have_gone),
        cmocka_unit_test(a_paused_pipe_holds_back_its_writer),
        cmocka_unit_test(a_child_gets_all_of_its_input),
        cmocka_unit_test(a_child_that_closes_its_input_is_an_end),
        cmocka_unit_test(as_many_as_there_is_room_for),
        cmocka_unit_test(a_place_that_is_taken_again_hears_nothing_old),
        cmocka_unit_test(an_anonymous_pipe_is_read_by_a_thread),
        cmocka_unit_test(a_stream_that_cannot_be_overlapped_is_read_all_the_same),
        cmocka_unit_test(a_thread_that_reads_is_left),
    };

    return cmocka_run_group_tests(tests, open_loop, NULL);
}
