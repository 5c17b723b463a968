/* Terminals: a command on a pseudo-console, and what is no terminal. */
#include "folder.h"

enum { ROLE_TERMINAL = 1 };

#define SHOWN_BYTES 65536

/* What a console shows comes with sequences that move the cursor between the words. */
static struct {
    char text[SHOWN_BYTES];
    size_t length;
    bool has_ended;
} shown;

static void take(const struct platform_event *event)
{
    if (event->kind == PLATFORM_EVENT_END)
        shown.has_ended = true;
    if (event->kind != PLATFORM_EVENT_DATA)
        return;
    assert_true(shown.length + event->length < sizeof shown.text);
    memcpy(shown.text + shown.length, event->data, event->length);
    shown.length += event->length;
    shown.text[shown.length] = '\0';
}

static void await_text(const char *text)
{
    int64_t deadline_ms = platform_now_ms() + LIMIT_MS;
    struct platform_event event;

    while (strstr(shown.text, text) == NULL) {
        platform_wait(deadline_ms, &event);
        if (event.kind == PLATFORM_EVENT_TIMER || shown.has_ended)
            fail_msg("\"%s\" was never shown: %s", text, shown.text);
        if (event.kind == PLATFORM_EVENT_EXIT)
            fail_msg("the child has ended with %d", event.exit.code);
        take(&event);
    }
}

static void await_exit(int64_t pid)
{
    int64_t deadline_ms = platform_now_ms() + LIMIT_MS;
    struct platform_event event;

    do {
        platform_wait(deadline_ms, &event);
        assert_int_not_equal(event.kind, PLATFORM_EVENT_TIMER);
        take(&event);
    } while (event.kind != PLATFORM_EVENT_EXIT || event.pid != pid);
    platform_reap(pid);
}

/* The child on a terminal of this size; returns our side of it. */
static struct platform_source *begin(
        const char *const *words, struct platform_child *ret_child, platform_handle *ret_ours)
{
    struct platform_spawn spec = started_spec(words);
    struct platform_source *source;
    platform_handle child;
    struct err err;

    memset(&shown, 0, sizeof shown);
    if (platform_terminal_pair(platform_uid(), ret_ours, &child, &err) == -1)
        fail_msg("%s", err.text);
    if (platform_terminal_resize(*ret_ours, 30, 100, &err) == -1)
        fail_msg("%s", err.text);
    source = platform_watch_pipe(*ret_ours, ROLE_TERMINAL, NULL);
    assert_non_null(source);
    spec.on_terminal = true;
    spec.input = spec.output = spec.error_output = child;
    if (platform_spawn(&spec, ret_child, &err) == -1 ||
            platform_spawn_release(ret_child, &err) == -1)
        fail_msg("%s", err.text);
    platform_close(child);
    return source;
}

static void a_command_has_a_terminal_of_its_own(void **state)
{
    static const char *const words[] = { "terminal", NULL };
    struct platform_child child;
    struct platform_source *source;
    platform_handle ours;

    source = begin(words, &child, &ours);
    await_text("size=100x30");
    assert_int_equal(platform_send(source, "hello\r", 6, SIZE_MAX), 0);
    await_text("typed=hello.");
    /* Whoever has the other end has gone: so does the command. */
    platform_unwatch(source);
    await_exit(child.identity.pid);
}

static void its_standard_handles_are_the_terminal(void **state)
{
    static const char *const words[] = { "echo", "hello", NULL };
    struct platform_child child;
    struct platform_source *source;
    platform_handle ours;
    struct err err;

    SKIP_ON_WINE("Wine 8 leaves them empty, and has no ResizePseudoConsole()");
    source = begin(words, &child, &ours);
    await_text("hello");
    await_text("ready");
    assert_int_equal(platform_terminal_resize(ours, 40, 120, &err), 0);
    platform_unwatch(source);
    await_exit(child.identity.pid);
}

static void the_size_of_what_is_no_terminal_cannot_be_set(void **state)
{
    platform_handle ours;
    platform_handle child;
    HPCON console;
    struct err err;

    assert_int_equal(platform_terminal_resize(PLATFORM_NO_HANDLE, 30, 100, &err), -1);
    if (platform_terminal_pair(platform_uid(), &ours, &child, &err) == -1)
        fail_msg("%s", err.text);
    assert_int_equal(windows_terminal_console(ours, &console, &err), -1);
    assert_non_null(strstr(err.text, platform_stage_name(PLATFORM_STAGE_TERMINAL)));
    assert_int_equal(platform_terminal_resize(child, 30, 100, &err), -1);
    assert_int_equal(platform_terminal_resize(ours, 30, 100, &err), 0);
    assert_int_equal(platform_terminal_eof(ours), 26);
    platform_close(ours);
    platform_close(child);
}

static void files_and_pipes_are_no_terminals(void **state)
{
    platform_handle handles[3];
    platform_handle other;
    uint16_t rows;
    uint16_t cols;
    struct err err;

    assert_int_equal(platform_open_log(folder_path("log"), &handles[0], &err), 0);
    assert_int_equal(platform_pipe(&handles[1], &other, &err), 0);
    handles[2] = PLATFORM_NO_HANDLE;
    for (size_t i = 0; i < COUNT_OF(handles); i++) {
        assert_false(platform_is_terminal(handles[i]));
        assert_false(platform_terminal_size(handles[i], &rows, &cols));
        assert_int_equal(platform_terminal_width(handles[i]), 80);
        assert_int_equal(platform_terminal_raw(handles[i], &err), -1);
        assert_non_null(strstr(err.text, "cannot read the terminal's modes: "));
        platform_close(handles[i]);
    }
    platform_terminal_restore();
    platform_close(other);
}

static int open_loop(void **state)
{
    struct err err;

    platform_begin();
    return platform_loop_open(false, &err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_command_has_a_terminal_of_its_own),
        cmocka_unit_test(its_standard_handles_are_the_terminal),
        cmocka_unit_test(the_size_of_what_is_no_terminal_cannot_be_set),
        IN_FOLDER(files_and_pipes_are_no_terminals),
    };

    return cmocka_run_group_tests(tests, open_loop, NULL);
}
