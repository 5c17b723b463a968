/* Processes, spawning, jobs and signals on Windows. */
#include "started.h"

#include "str.h"

#define HANDLES_BEFORE 1000

static int open_loop(void **state)
{
    struct err err;

    platform_begin();
    return platform_loop_open(false, &err);
}

/* ---- Exits ----------------------------------------------------------------------------------- */

static void an_exit_is_told_once_with_its_code(void **state)
{
    const char *const words[] = { "exit", "5", NULL };
    struct platform_exit how;
    struct platform_event event;
    struct started started;

    started_begin(words, &started);
    started_await(&started, &how);
    assert_int_equal(how.code, 5);
    assert_int_equal(how.by_signal, 0);
    assert_true(platform_child_ended(started.child.identity.pid, &how));
    assert_int_equal(how.code, 5);
    platform_wait(platform_now_ms(), &event);
    assert_int_equal(event.kind, PLATFORM_EVENT_TIMER);
    platform_reap(started.child.identity.pid);
    assert_false(platform_child_ended(started.child.identity.pid, &how));
    assert_null(windows_find_child(started.child.identity.pid, 0));
    (void)CloseHandle(started.output);
}

static void a_reaped_child_is_not_told(void **state)
{
    const char *const words[] = { "exit", "0", NULL };
    struct platform_event event;
    struct platform_exit how;
    struct started first;
    struct started second;

    started_begin(words, &first);
    (void)WaitForSingleObject(windows_find_child(first.child.identity.pid, 0)->process, LIMIT_MS);
    assert_true(platform_child_ended(first.child.identity.pid, &how));
    platform_reap(first.child.identity.pid);
    started_begin(words, &second);
    do {
        platform_wait(platform_now_ms() + LIMIT_MS, &event);
        assert_int_equal(event.kind, PLATFORM_EVENT_EXIT);
        assert_int_not_equal(event.pid, first.child.identity.pid);
    } while (event.pid != second.child.identity.pid);
    platform_reap(event.pid);
    (void)CloseHandle(first.output);
    (void)CloseHandle(second.output);
}

static void exit_codes_mean_the_same_as_elsewhere(void **state)
{
    static const struct {
        const char *name;
        DWORD code;
        int asked;
        bool killed;
        int want_code;
        int want_signal;
    } rows[] = {
        { "zero", 0, 0, false, 0, 0 },
        { "one", 1, 15, false, 1, 0 },
        { "STILL_ACTIVE", 259, 0, false, 259, 0 },
        { "our kill", 137, 0, true, -1, 9 },
        { "its own 137", 137, 0, false, 137, 0 },
        { "it ended before the kill", 3, 0, true, 3, 0 },
        { "Ctrl-Break that we sent", 0xC000013A, 15, false, -1, 15 },
        { "Ctrl-Break that we sent, and a kill", 0xC000013A, 15, true, -1, 15 },
        { "somebody's Ctrl-C", 0xC000013A, 0, false, -1, 2 },
        { "a bad address", 0xC0000005, 0, false, -1, 11 },
        { "abort", 0xC0000409, 0, false, -1, 6 },
        { "a missing library", 0xC0000135, 0, false, 127, 0 },
        { "exit(-1)", 0xFFFFFFFF, 0, false, 255, 0 },
        { "exit(-256)", 0xFFFFFF00, 0, false, 0xFF00, 0 },
        { "a COM error", 0x80070005, 0, false, 5, 0 },
        { "an error without a number", 0x80000000, 0, false, 255, 0 },
        { "the largest", 0x7FFFFFFF, 0, false, 0x7FFFFFFF, 0 },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct platform_exit how;

        windows_fill_exit(rows[i].code, rows[i].asked, rows[i].killed, &how);
        CHECK_INT(rows[i].name, how.code, rows[i].want_code);
        CHECK_INT(rows[i].name, how.by_signal, rows[i].want_signal);
    }
}

/* ---- The barrier ----------------------------------------------------------------------------- */

static void nothing_runs_before_it_is_released(void **state)
{
    const char *const words[] = { "pid", NULL };
    struct platform_spawn spec = started_spec(words);
    char text[SAID_BYTES];
    struct platform_exit how;
    struct started started;
    struct platform_tree tree;
    HANDLE thread;
    struct err err;

    started_make(&spec, &started);
    tree = started_tree(&started);
    assert_true(platform_tree_contains(&tree, started.child.identity.pid));
    thread = windows_handle(started.child.barrier);
    assert_int_equal(SuspendThread(thread), 1); /* so often before this */
    assert_int_equal(ResumeThread(thread), 2);
    assert_int_equal(platform_spawn_release(&started.child, &err), 0);
    started_rest(&started, text);
    assert_int_equal(strtoll(text, NULL, 10), started.child.identity.pid);
    started_end(&started, &how);
    assert_int_equal(how.code, 0);
}

static void an_abandoned_one_leaves_nothing(void **state)
{
    const char *const words[] = { "pid", NULL };
    struct platform_spawn spec = started_spec(words);
    char text[SAID_BYTES];
    struct started started;
    HANDLE process;

    started_make(&spec, &started);
    process = windows_open_process(started.child.identity.pid, SYNCHRONIZE);
    assert_non_null(process);
    platform_spawn_abandon(&started.child);
    assert_true(windows_has_ended(process));
    (void)CloseHandle(process);
    started_rest(&started, text);
    assert_string_equal(text, "");
    assert_null(windows_find_child(started.child.identity.pid, 0));
    (void)CloseHandle(started.output);
}

/* ---- What a child gets ----------------------------------------------------------------------- */

static void assert_says(const char *const *words, const char *expected)
{
    char text[SAID_BYTES];
    struct platform_exit how;
    struct started started;

    started_begin(words, &started);
    started_rest(&started, text);
    assert_string_equal(text, expected);
    started_end(&started, &how);
}

static const char *const hard_words[] = {
    "",
    "plain",
    "two words",
    "tab\there",
    "a\"b",
    "\"",
    "\\",
    "\\\\",
    "ends in a backslash\\",
    "C:\\dir\\",
    "\\\"",
    "a\\\\\"b c\\\\",
    "%PATH% ^ & | < >",
    "gr\xC3\xB6\xC3\x9F"
    "e \xE2\x82\xAC",
    NULL,
};

static void words_arrive_as_they_are(void **state)
{
    const char *words[COUNT_OF(hard_words) + 1] = { "words" };
    char expected[SAID_BYTES] = "";

    for (size_t i = 0; hard_words[i] != NULL; i++) {
        words[i + 1] = hard_words[i];
        assert_true(str_format(expected + strlen(expected), sizeof expected - strlen(expected),
                "%s\n", hard_words[i]));
    }
    assert_says(words, expected);
}

static void words_of_a_line_are_found_again(void **state)
{
    const char *words[COUNT_OF(hard_words) + 1] = { "C:\\Program Files\\x.exe" };
    char text[SAID_BYTES];
    const char *at = text;
    WCHAR *line;
    long length;

    for (size_t i = 0; hard_words[i] != NULL; i++)
        words[i + 1] = hard_words[i];
    line = windows_join_words(words);
    assert_non_null(line);
    length = windows_split_words(line, text, sizeof text);
    for (size_t i = 0; words[i] != NULL; i++) {
        CHECK_TEXT(words[i], at, words[i]);
        at += strlen(at) + 1;
    }
    assert_int_equal(length, at - text);
    assert_int_equal(windows_split_words(line, text, 20), -1);
    free(line);
}

static void the_environment_is_its_own(void **state)
{
    const char *const ours[] = { "variable", "SVCMGR_TEST_OURS", NULL };
    const char *const upper[] = { "variable", "TEST_NAME", NULL };
    const char *const hole[] = { "variable", "LISTEN_PID", NULL };
    static char pid[] = "LISTEN_PID=" PLATFORM_PID_HOLE;
    static char zone[] = "zone=1";
    static char earlier[] = "Test_Name=earlier";
    static char later[] = "TEST_NAME=gr\xC3\xB6\xC3\x9F"
                          "er";
    static char root[] = "SystemRoot=C:\\windows";
    char *environment[] = { zone, pid, earlier, root, later, NULL };
    const char *const *const rows[] = { ours, upper, hole };
    static const char *const expected[] = { "(none)\n",
        "gr\xC3\xB6\xC3\x9F"
        "er\n",
        "(none)\n" };

    assert_true(SetEnvironmentVariableW(L"SVCMGR_TEST_OURS", L"1"));
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct platform_spawn spec = started_spec(rows[i]);
        char text[SAID_BYTES];
        struct platform_exit how;
        struct started started;
        struct err err;

        spec.environment = environment;
        spec.listen_pid_hole = pid + 11;
        started_make(&spec, &started);
        assert_int_equal(platform_spawn_release(&started.child, &err), 0);
        started_rest(&started, text);
        CHECK_TEXT(rows[i][1], text, expected[i]);
        started_end(&started, &how);
    }
}

static void a_block_is_in_order(void **state)
{
    static char b[] = "b=2";
    static char a[] = "A=1";
    static char drive[] = "=C:=C:\\x";
    char *environment[] = { b, a, drive, NULL };
    WCHAR *block = windows_make_block(environment, NULL, 0);

    assert_non_null(block);
    assert_memory_equal(block, L"=C:=C:\\x\0A=1\0b=2\0", 18 * sizeof(WCHAR));
    free(block);
}

static void standard_input_is_empty(void **state)
{
    const char *const words[] = { "stdin", NULL };

    assert_says(words, "end\n");
}

static void say_handle(HANDLE handle, bool passed, const char *expected)
{
    char number[32];
    const char *const words[] = { "handle", number, NULL };
    struct platform_spawn spec = started_spec(words);
    platform_handle list[] = { windows_of_handle(handle) };
    char text[SAID_BYTES];
    struct platform_exit how;
    struct started started;
    struct err err;

    (void)str_format(number, sizeof number, "%llu", (unsigned long long)(uintptr_t)handle);
    spec.passed = list;
    spec.passed_count = passed;
    started_make(&spec, &started);
    assert_int_equal(platform_spawn_release(&started.child, &err), 0);
    started_rest(&started, text);
    assert_string_equal(text, expected);
    started_end(&started, &how);
}

/* An event that would be inherited, with a number that no handle of a child's own has. */
static HANDLE make_inheritable(void)
{
    SECURITY_ATTRIBUTES inherited = { .nLength = sizeof inherited, .bInheritHandle = TRUE };
    HANDLE before[HANDLES_BEFORE];
    HANDLE handle;

    for (size_t i = 0; i < HANDLES_BEFORE; i++)
        before[i] = CreateEventW(NULL, TRUE, FALSE, NULL);
    handle = CreateEventW(&inherited, TRUE, FALSE, NULL);
    assert_non_null(handle);
    for (size_t i = 0; i < HANDLES_BEFORE; i++)
        assert_true(CloseHandle(before[i]));
    return handle;
}

static void only_passed_handles_are_inherited(void **state)
{
    HANDLE handle = make_inheritable();
    DWORD flags = 0;

    say_handle(handle, false, "none\n");
    say_handle(handle, true, "there\n");
    assert_true(GetHandleInformation(handle, &flags));
    assert_int_equal(flags & HANDLE_FLAG_INHERIT, 0);
    (void)CloseHandle(handle);
}

static void a_socket_that_listens_is_accepted_on_by_a_child(void **state)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int size = sizeof address;
    SOCKET listener = windows_sockets_begin()
            ? WSASocketW(AF_INET, SOCK_STREAM, 0, NULL, 0,
                      WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT)
            : INVALID_SOCKET;
    platform_handle passed[] = { windows_of_socket(listener) };
    char number[32];
    const char *const words[] = { "serve", number, NULL };
    struct platform_spawn spec = started_spec(words);
    char text[SAID_BYTES];
    struct platform_exit how;
    struct started started;
    struct err err;
    SOCKET client;

    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener, 5), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    (void)str_format(number, sizeof number, "%llu", (unsigned long long)listener);
    spec.passed = passed;
    spec.passed_count = 1;
    started_make(&spec, &started);
    assert_int_equal(platform_spawn_release(&started.child, &err), 0);
    started_line(&started, text);
    assert_string_equal(text, "ready");
    client = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(client, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(recv(client, text, 5, MSG_WAITALL), 5);
    assert_memory_equal(text, "hello", 5);
    started_end(&started, &how);
    assert_int_equal(how.code, 0);
    (void)closesocket(client);
    (void)closesocket(listener);
}

static void it_begins_in_its_directory(void **state)
{
    const char *const words[] = { "place", NULL };
    struct platform_spawn spec = started_spec(words);
    char text[SAID_BYTES];
    struct platform_exit how;
    struct started started;
    struct err err;

    spec.directory = "C:/windows/system32";
    started_make(&spec, &started);
    assert_int_equal(platform_spawn_release(&started.child, &err), 0);
    started_line(&started, text);
    assert_true(str_equal_nocase(text, "C:\\windows\\system32"));
    started_end(&started, &how);
}

/* ---- What cannot be started ------------------------------------------------------------------ */

static void expect_refusal(
        const char *row, const struct platform_spawn *spec, const char *text, bool is_missing)
{
    struct platform_child child;
    struct err err = { .text = "" };

    CHECK(row, platform_spawn(spec, &child, &err) == -1);
    if (strncmp(err.text, text, strlen(text)) != 0)
        fail_msg("row \"%s\": found \"%s\", expected \"%s\"", row, err.text, text);
    CHECK(row, platform_means_missing(err.os_code) == is_missing);
    CHECK(row, windows_first_child() == NULL);
}

static void what_cannot_be_started_says_why(void **state)
{
    const char *const words[] = { "exit", "0", NULL };
    const char *const wild[] = { "a&calc", NULL };
    const struct platform_limit limit = { .name = "nofile", .value = 10 };
    struct platform_spawn spec = started_spec(words);

    spec.file = "C:/none/x.exe";
    expect_refusal("no folder", &spec, "cannot execute C:/none/x.exe: ", true);
    spec.file = "C:/windows/none.exe";
    expect_refusal("no file", &spec, "cannot execute C:/windows/none.exe: ", true);
    spec.file = "C:/windows/win.ini";
    expect_refusal("no program", &spec, "cannot execute C:/windows/win.ini: ", false);
    spec = started_spec(words);
    spec.directory = "C:/none";
    expect_refusal("no directory", &spec, "cannot enter its working directory C:/none: ", true);
    spec.directory = "C:/windows/win.ini";
    expect_refusal("a file as directory", &spec,
            "cannot enter its working directory C:/windows/win.ini: ", true);
    spec = started_spec(words);
    spec.switch_user = true;
    expect_refusal("another user", &spec, "cannot become its user: ", false);
    spec = started_spec(words);
    spec.on_terminal = true;
    expect_refusal("no terminal", &spec, "cannot have its terminal: its output is none", false);
    spec = started_spec(words);
    spec.limits = &limit;
    spec.limit_count = 1;
    expect_refusal(
            "a limit", &spec, "cannot set its limits: Windows has no limit \"nofile\"", false);
    spec = started_spec(wild);
    spec.file = "C:/windows/x.CMD";
    expect_refusal(
            "a batch file", &spec, "cannot execute C:/windows/x.CMD: the word 'a&calc'", false);
}

/* ---- Trees ----------------------------------------------------------------------------------- */

static void a_kill_takes_the_whole_tree(void **state)
{
    const char *const words[] = { "parent", NULL };
    struct platform_tree tree;
    char text[SAID_BYTES];
    struct platform_exit how;
    struct started started;
    int64_t pids[4];
    int64_t other;
    HANDLE process;

    started_begin(words, &started);
    tree = started_tree(&started);
    started_line(&started, text);
    other = strtoll(text, NULL, 10);
    started_line(&started, text);
    assert_string_equal(text, "ready");
    process = windows_open_process(other, SYNCHRONIZE);
    assert_int_equal(platform_tree_list(&tree, pids, 4), 2);
    assert_true(pids[0] == other || pids[1] == other);
    assert_true(platform_tree_contains(&tree, other));
    assert_false(platform_tree_contains(&tree, platform_pid()));
    assert_false(platform_tree_is_empty(&tree));
    assert_int_equal(platform_tree_signal(&tree, "KILL"), 2);
    started_await_handle(process);
    started_end(&started, &how);
    assert_int_equal(how.by_signal, platform_signal_number("KILL"));
    assert_int_equal(how.code, -1);
    started_await_empty(&tree);
}

static void what_a_main_process_leaves_is_still_known(void **state)
{
    const char *const words[] = { "leave", NULL };
    struct platform_tree tree;
    char text[SAID_BYTES];
    struct platform_exit how;
    struct started started;
    int64_t other;
    HANDLE process;

    started_begin(words, &started);
    started_line(&started, text);
    other = strtoll(text, NULL, 10);
    process = windows_open_process(other, SYNCHRONIZE);
    started_end(&started, &how);
    assert_int_equal(how.code, 0);
    tree = started_tree(&started);
    tree.main_pid = 0;
    assert_false(platform_child_ended(started.child.identity.pid, &how));
    assert_false(platform_tree_is_empty(&tree));
    assert_true(platform_tree_contains(&tree, other));
    assert_true(platform_tree_is_sure(&tree));
    /* Its number is nobody else's as long as the job lasts. */
    assert_non_null(windows_find_child(started.child.identity.pid, 0));
    assert_int_equal(platform_tree_signal(&tree, "KILL"), 1);
    started_await_handle(process);
    started_await_empty(&tree);
    windows_sweep_children();
    assert_null(windows_first_child());
}

static void a_tree_is_that_of_its_main_process_alone(void **state)
{
    const char *const words[] = { "hang", NULL };
    struct platform_tree whole = { .whole = true };
    struct platform_tree tree;
    char text[SAID_BYTES];
    struct platform_exit how;
    struct started first;
    struct started second;

    started_begin(words, &first);
    started_line(&first, text);
    started_begin(words, &second);
    started_line(&second, text);
    tree = started_tree(&first);
    tree.main_start++;
    assert_int_equal(platform_tree_signal(&tree, "KILL"), 0);
    assert_true(platform_tree_is_empty(&tree));
    tree.main_start--;
    assert_int_equal(platform_tree_signal(&tree, "KILL"), 1);
    started_end(&first, &how);
    assert_int_equal(how.by_signal, platform_signal_number("KILL"));
    assert_false(platform_child_ended(second.child.identity.pid, &how));
    assert_false(platform_tree_is_empty(&whole));
    assert_int_equal(platform_tree_signal(&whole, "KILL"), 1);
    started_end(&second, &how);
    assert_true(platform_tree_is_empty(&whole));
}

static void nobody_leaves_the_job(void **state)
{
    const char *const words[] = { "flee", NULL };
    char text[SAID_BYTES];
    struct platform_exit how;
    struct started started;

    started_begin(words, &started);
    started_line(&started, text);
    assert_string_equal(text, "error 5");
    started_end(&started, &how);
}

/* Of a process that is none of our children the tree is what is below it. */
static void descendants_of_a_stranger_are_found(void **state)
{
    WCHAR line[MAX_PATH * 2];
    WCHAR wide[MAX_PATH];
    STARTUPINFOW start = { .cb = sizeof start, .dwFlags = STARTF_USESTDHANDLES };
    SECURITY_ATTRIBUTES inherited = { .nLength = sizeof inherited, .bInheritHandle = TRUE };
    struct started stranger;
    PROCESS_INFORMATION process;
    struct platform_tree tree;
    char text[SAID_BYTES];
    int64_t pids[4];
    int64_t other;

    assert_true(CreatePipe(&stranger.output, &start.hStdOutput, &inherited, 0));
    assert_true(windows_to_wide(started_file(), wide, MAX_PATH));
    (void)_snwprintf(line, MAX_PATH * 2, L"\"%ls\" parent", wide);
    assert_true(CreateProcessW(wide, line, NULL, NULL, TRUE, 0, NULL, NULL, &start, &process));
    (void)CloseHandle(start.hStdOutput);
    started_line(&stranger, text);
    other = strtoll(text, NULL, 10);
    assert_true(platform_identify(process.dwProcessId, true, &stranger.child.identity));
    tree = started_tree(&stranger);
    assert_int_equal(platform_tree_list(&tree, pids, 4), 2);
    assert_true(platform_tree_contains(&tree, other));
    assert_int_equal(platform_tree_signal(&tree, "KILL"), 2);
    started_await_handle(process.hProcess);
    started_await_empty(&tree);
    (void)CloseHandle(process.hThread);
    (void)CloseHandle(stranger.output);
}

/* ---- Stopping -------------------------------------------------------------------------------- */

static void expect_stop(const char *word, const char *signal, int code)
{
    const char *const words[] = { word, NULL };
    char text[SAID_BYTES];
    struct platform_exit how;
    struct started started;
    struct err err;

    started_begin(words, &started);
    started_line(&started, text);
    if (strcmp(text, "no window") == 0)
        SKIP_ON_WINE("a window needs a display there");
    assert_string_equal(text, "ready");
    if (platform_signal(&started.child.identity, signal, &err) == -1)
        fail_msg("%s", err.text);
    started_end(&started, &how);
    if (code >= 0)
        assert_int_equal(how.code, code);
    else
        assert_int_equal(how.by_signal, -code);
}

static void a_handler_of_ctrl_break_decides_how_it_ends(void **state)
{
    SKIP_ON_WINE("GenerateConsoleCtrlEvent() fails there");
    expect_stop("break", "TERM", 42);
}

static void ctrl_break_ends_a_program_without_a_handler(void **state)
{
    SKIP_ON_WINE("GenerateConsoleCtrlEvent() fails there");
    expect_stop("hang", "TERM", -platform_signal_number("TERM"));
}

static void a_window_is_closed(void **state)
{
    expect_stop("close", "TERM", 7);
}

static void a_kill_of_one_process_is_a_signal(void **state)
{
    expect_stop("hang", "KILL", -platform_signal_number("KILL"));
}

static void there_is_a_console_to_share(void **state)
{
    SKIP_ON_WINE("a console needs a display there");
    windows_need_console();
    assert_int_not_equal(GetConsoleCP(), 0);
}

static void a_signal_hits_nobody_else(void **state)
{
    const char *const words[] = { "hang", NULL };
    struct identity other;
    char text[SAID_BYTES];
    struct platform_exit how;
    struct started started;
    struct err err;

    started_begin(words, &started);
    started_line(&started, text);
    other = started.child.identity;
    other.start_time++;
    assert_int_equal(platform_signal(&other, "KILL", &err), 0);
    assert_false(windows_has_ended(windows_find_child(other.pid, 0)->process));
    assert_int_equal(platform_signal(&started.child.identity, "HUP", &err), -1);
    assert_string_equal(err.text,
            "Windows has nothing like HUP; there are TERM, INT and QUIT, which are Ctrl-Break and "
            "the "
            "closing of windows, and KILL");
    assert_int_equal(platform_signal(&started.child.identity, "KILL", &err), 0);
    started_end(&started, &how);
    assert_int_equal(platform_signal(&started.child.identity, "KILL", &err), 0);
}

int main(int count, char **words)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_exit_is_told_once_with_its_code),
        cmocka_unit_test(a_reaped_child_is_not_told),
        cmocka_unit_test(exit_codes_mean_the_same_as_elsewhere),
        cmocka_unit_test(nothing_runs_before_it_is_released),
        cmocka_unit_test(an_abandoned_one_leaves_nothing),
        cmocka_unit_test(words_arrive_as_they_are),
        cmocka_unit_test(words_of_a_line_are_found_again),
        cmocka_unit_test(the_environment_is_its_own),
        cmocka_unit_test(a_block_is_in_order),
        cmocka_unit_test(standard_input_is_empty),
        cmocka_unit_test(only_passed_handles_are_inherited),
        cmocka_unit_test(a_socket_that_listens_is_accepted_on_by_a_child),
        cmocka_unit_test(it_begins_in_its_directory),
        cmocka_unit_test(what_cannot_be_started_says_why),
        cmocka_unit_test(a_kill_takes_the_whole_tree),
        cmocka_unit_test(what_a_main_process_leaves_is_still_known),
        cmocka_unit_test(a_tree_is_that_of_its_main_process_alone),
        cmocka_unit_test(nobody_leaves_the_job),
        cmocka_unit_test(descendants_of_a_stranger_are_found),
        cmocka_unit_test(a_handler_of_ctrl_break_decides_how_it_ends),
        cmocka_unit_test(ctrl_break_ends_a_program_without_a_handler),
        cmocka_unit_test(a_window_is_closed),
        cmocka_unit_test(a_kill_of_one_process_is_a_signal),
        cmocka_unit_test(there_is_a_console_to_share),
        cmocka_unit_test(a_signal_hits_nobody_else),
    };

    (void)setvbuf(stdout, NULL, _IONBF, 0); /* what was said is seen, whatever happens then */
    if (count > 1)
        cmocka_set_test_filter(words[1]);
    return cmocka_run_group_tests(tests, open_loop, NULL);
}
