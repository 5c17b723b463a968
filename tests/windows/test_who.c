/* Who a process is, and the programs that are no instance, on Windows. */
#include "started.h"

#include "str.h"

#include <stdio.h>

static int open_loop(void **state)
{
    struct err err;

    return platform_loop_open(false, &err);
}

/* ---- Identity -------------------------------------------------------------------------------- */

static void a_process_is_identified(void **state)
{
    const char *const words[] = { "hang", NULL };
    struct identity own;
    struct identity other;
    char text[SAID_BYTES];
    struct platform_exit how;
    struct started started;

    assert_true(platform_identify(platform_pid(), true, &own));
    assert_true(platform_identify(platform_pid(), true, &other));
    assert_true(identity_equal(&own, &other));
    /* What OpenProcess() would take for the same number. */
    for (int64_t i = 1; i < 4; i++)
        assert_false(platform_identify(platform_pid() + i, false, &other));
    assert_false(platform_identify(0, false, &other));
    assert_false(platform_identify(-4, false, &other));
    started_begin(words, &started);
    started_line(&started, text);
    assert_true(platform_identify(started.child.identity.pid, true, &other));
    assert_true(identity_equal(&other, &started.child.identity));
    assert_false(platform_is_gone(&other));
    other.start_time++;
    assert_true(platform_is_gone(&other));
    assert_int_equal(
            platform_tree_signal(&(struct platform_tree) { .main_pid = started.child.identity.pid,
                                         .main_start = started.child.identity.start_time },
                    "KILL"),
            1);
    started_await(&started, &how);
    /* It lies there, and is told from one that lives. */
    assert_true(platform_is_gone(&started.child.identity));
    assert_true(platform_identify(started.child.identity.pid, false, &other));
    assert_false(platform_identify(started.child.identity.pid, true, &other));
    platform_reap(started.child.identity.pid);
    (void)CloseHandle(started.output);
}

static void it_is_said_who_a_process_is(void **state)
{
    const char *const words[] = { "hang", "two words", "--state", "C:\\x y\\", NULL };
    struct platform_spawn spec = started_spec(words);
    char variable[] = "SVCMGR_INSTANCE=0123456789abcdef";
    char root[] = "SystemRoot=C:\\windows";
    char *environment[] = { root, variable, NULL };
    struct platform_process_info info;
    char text[SAID_BYTES];
    struct platform_exit how;
    struct started started;
    struct platform_user user;
    int64_t pids[4];
    struct err err;
    int64_t pid;

    spec.environment = environment;
    started_make(&spec, &started);
    assert_int_equal(platform_spawn_release(&started.child, &err), 0);
    started_line(&started, text);
    pid = started.child.identity.pid;
    assert_true(platform_process_info(pid, &info));
    assert_int_equal(info.pid, pid);
    assert_int_equal(info.parent, platform_pid());
    assert_true(info.start_time == started.child.identity.start_time);
    assert_in_range(platform_wall_us() - info.started_wall_us, 0, 1000 * (int64_t)LIMIT_MS);
    assert_false(info.zombie);
    assert_non_null(strstr(info.command, "child.exe"));
    assert_non_null(strstr(info.command, " hang 'two words' --state 'C:\\x y\\'"));
    assert_int_equal(platform_user_self(&user, &err), 0);
    assert_string_equal(info.user, user.name);
    assert_int_equal(info.uid, (int64_t)platform_uid());
    assert_true(platform_process_word_after(pid, "--state", text, sizeof text));
    assert_string_equal(text, "C:\\x y\\");
    assert_false(platform_process_word_after(pid, "C:\\x y\\", text, sizeof text));
    assert_false(platform_process_word_after(pid, "none", text, sizeof text));
    assert_true(platform_process_has_variable(pid, "SVCMGR_INSTANCE", "0123456789abcdef"));
    assert_false(platform_process_has_variable(pid, "SVCMGR_INSTANCE", "0123456789abcde"));
    assert_false(platform_process_has_variable(pid, "INSTANCE", "0123456789abcdef"));
    assert_int_equal(platform_find_instance("0123456789abcdef", pids, 4), 1);
    assert_int_equal(pids[0], pid);
    assert_int_equal(platform_find_instance("0123456789abcdee", pids, 4), 0);
    assert_int_equal(platform_signal(&started.child.identity, "KILL", &err), 0);
    started_end(&started, &how);
    assert_false(platform_process_info(platform_pid() + 1, &info));
}

/* ---- The job's life -------------------------------------------------------------------------- */

/* Starts this program as another one would, with a pipe for what it says. */
static PROCESS_INFORMATION start_self(const char *word, HANDLE *ret_output)
{
    SECURITY_ATTRIBUTES inherited = { .nLength = sizeof inherited, .bInheritHandle = TRUE };
    STARTUPINFOW start = { .cb = sizeof start, .dwFlags = STARTF_USESTDHANDLES };
    PROCESS_INFORMATION process;
    WCHAR file[MAX_PATH];
    WCHAR line[MAX_PATH * 2];
    WCHAR wide[32];

    assert_true(windows_to_wide(word, wide, 32));
    assert_true(CreatePipe(ret_output, &start.hStdOutput, &inherited, 0));
    start.hStdError = start.hStdOutput;
    assert_true(GetModuleFileNameW(NULL, file, MAX_PATH) > 0);
    (void)_snwprintf(line, MAX_PATH * 2, L"\"%ls\" %ls", file, wide);
    assert_true(CreateProcessW(file, line, NULL, NULL, TRUE, 0, NULL, NULL, &start, &process));
    (void)CloseHandle(start.hStdOutput);
    return process;
}

/* "hold": what a supervisor does, and waits to be killed. */
static int hold(bool releases)
{
    const char *const words[] = { "hang", NULL };
    struct platform_spawn spec = started_spec(words);
    struct platform_child child;
    struct err err;

    platform_begin();
    if (platform_loop_open(false, &err) == -1 || platform_spawn(&spec, &child, &err) == -1)
        return 1;
    if (releases && platform_spawn_release(&child, &err) == -1)
        return 1;
    (void)printf("%lld\n", (long long)child.identity.pid);
    (void)fflush(stdout);
    return (int)WaitForSingleObject(GetCurrentProcess(), INFINITE);
}

static void expect_death_with_the_supervisor(const char *word)
{
    struct started holder;
    PROCESS_INFORMATION process = start_self(word, &holder.output);
    char text[SAID_BYTES];
    HANDLE instance;

    started_line(&holder, text);
    instance = windows_open_process(strtoll(text, NULL, 10), SYNCHRONIZE);
    assert_non_null(instance);
    assert_false(windows_has_ended(instance));
    assert_true(TerminateProcess(process.hProcess, 1));
    started_await_handle(process.hProcess);
    started_await_handle(instance);
    (void)CloseHandle(process.hThread);
    (void)CloseHandle(holder.output);
}

static void a_supervisor_takes_its_instance_along(void **state)
{
    expect_death_with_the_supervisor("hold");
}

static void nothing_is_left_at_the_barrier_by_a_supervisor_that_dies(void **state)
{
    expect_death_with_the_supervisor("hold-back");
}

static void a_tree_has_no_more_memory_than_its_limit(void **state)
{
    const char *const words[] = { "memory", "256", NULL };
    const struct platform_limit limits[] = {
        { .name = "memory", .value = 64 << 20 },
        { .name = "cpu", .value = PLATFORM_UNLIMITED },
    };
    struct platform_spawn spec = started_spec(words);
    struct platform_exit how;
    struct started started;
    struct err err;

    SKIP_ON_WINE("jobs limit nothing there");
    spec.limits = limits;
    spec.limit_count = COUNT_OF(limits);
    started_make(&spec, &started);
    assert_int_equal(platform_spawn_release(&started.child, &err), 0);
    started_end(&started, &how);
    assert_int_equal(how.code, 3);
}

static void limits_of_a_job_are_set(void **state)
{
    const char *const words[] = { "hang", NULL };
    const struct platform_limit limits[] = {
        { .name = "memory", .value = 64 << 20 },
        { .name = "nproc", .value = 7 },
        { .name = "cpu", .value = 30 },
        { .name = "core", .value = PLATFORM_UNLIMITED },
    };
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION job;
    struct platform_spawn spec = started_spec(words);
    struct started started;

    SKIP_ON_WINE("a job's limits cannot be asked for there");
    spec.limits = limits;
    spec.limit_count = COUNT_OF(limits);
    started_make(&spec, &started);
    assert_true(QueryInformationJobObject(windows_find_child(started.child.identity.pid, 0)->job,
            JobObjectExtendedLimitInformation, &job, sizeof job, NULL));
    assert_int_equal(job.JobMemoryLimit, 64 << 20);
    assert_int_equal(job.BasicLimitInformation.ActiveProcessLimit, 7);
    assert_int_equal(job.BasicLimitInformation.PerProcessUserTimeLimit.QuadPart, 300000000);
    platform_spawn_abandon(&started.child);
    (void)CloseHandle(started.output);
}

/* ---- Other programs -------------------------------------------------------------------------- */

static void what_a_program_prints_is_captured(void **state)
{
    const char *words[] = { started_file(), "words", "a b", "c", NULL };
    struct buffer out = { 0 };
    struct err err;
    int code;

    assert_int_equal(platform_capture(words, LIMIT_MS, 1000, &out, &code, &err), 0);
    assert_string_equal(buffer_text(&out), "a b\r\nc\r\n");
    assert_int_equal(code, 0);
    buffer_free(&out);
}

static void a_captured_program_has_limits(void **state)
{
    const char *hangs[] = { started_file(), "hang", NULL };
    const char *prints[] = { started_file(), "words", "12345678", NULL };
    const char *fails[] = { started_file(), "exit", "0xC0000005", NULL };
    const char *none[] = { "C:/none.exe", NULL };
    struct buffer out = { 0 };
    struct err err;
    int code;

    assert_int_equal(platform_capture(hangs, 300, 1000, &out, &code, &err), -1);
    assert_non_null(strstr(err.text, "did not end in time"));
    out.length = 0;
    assert_int_equal(platform_capture_all(prints, LIMIT_MS, 4, &out, &code, &err), -1);
    out.length = 0;
    assert_int_equal(platform_capture(fails, LIMIT_MS, 1000, &out, &code, &err), 0);
    assert_int_equal(code, 128 + 11);
    assert_int_equal(platform_capture(none, LIMIT_MS, 1000, &out, &code, &err), -1);
    assert_non_null(strstr(err.text, "cannot run C:/none.exe: "));
    buffer_free(&out);
}

static void a_program_is_run_to_its_end(void **state)
{
    const char *words[] = { started_file(), "exit", "7", NULL };
    struct err err;
    int code;

    assert_int_equal(platform_run(words, &code, &err), 0);
    assert_int_equal(code, 7);
}

/* "given": what was passed is there, and nothing of whoever started it. */
static int say_what_was_given(void)
{
    platform_handle stream;
    char text[256];
    WCHAR place[MAX_PATH];
    DWORD flags = HANDLE_FLAG_INHERIT;
    int length;

    platform_begin();
    stream = platform_given(0);
    if (!windows_sockets_begin() || !windows_is_socket(stream))
        return 1;
    (void)GetHandleInformation(windows_handle(stream), &flags);
    (void)GetCurrentDirectoryW(MAX_PATH, place);
    length = snprintf(text, sizeof text,
            "inherited %d, ours %d, named %d, system %d, at %d, next %d\n",
            (flags & HANDLE_FLAG_INHERIT) != 0,
            GetEnvironmentVariableW(L"SVCMGR_TEST_OURS", NULL, 0) != 0,
            GetEnvironmentVariableW(L"SVCMGR_GIVEN", NULL, 0) != 0,
            GetEnvironmentVariableW(L"SystemRoot", NULL, 0) != 0, (int)wcslen(place),
            platform_given(1) != PLATFORM_NO_HANDLE);
    return send(windows_socket(stream), text, length, 0) == length ? 0 : 1;
}

static void a_program_of_ours_in_the_background_gets_what_is_passed(void **state)
{
    const char *const words[] = { "svcmgr", "given", NULL };
    platform_handle ends[2];
    char text[256] = "";
    struct err err;
    size_t length = 0;
    long got;

    assert_true(SetEnvironmentVariableW(L"SVCMGR_TEST_OURS", L"1"));
    assert_int_equal(platform_stream_pair(ends, &err), 0);
    if (platform_spawn_background(words, &ends[1], 1, &err) == -1)
        fail_msg("%s", err.text);
    platform_close(ends[1]);
    while ((got = platform_receive(ends[0], text + length, sizeof text - 1 - length,
                    platform_now_ms() + LIMIT_MS)) > 0)
        length += (size_t)got;
    assert_int_equal(got, 0); /* it has ended, and nobody else has the other end */
    assert_string_equal(text, "inherited 0, ours 0, named 0, system 1, at 3, next 0\n");
    platform_close(ends[0]);
}

static void this_program_is_found(void **state)
{
    char path[PLATFORM_PATH_BYTES];
    platform_handle handle = platform_open_executable();
    platform_handle other;
    struct err err;

    assert_int_not_equal(handle, PLATFORM_NO_HANDLE);
    assert_true(platform_executable(path, sizeof path));
    assert_non_null(strstr(path, "test_who.exe"));
    assert_int_equal(platform_open_program(path, &other, &err), 0);
    platform_close(handle);
    platform_close(other);
    assert_int_equal(platform_open_program("C:/none", &other, &err), -1);
    assert_true(platform_means_missing(err.os_code));
}

static void the_systems_words_are_one_line(void **state)
{
    const char *text = platform_error_text(ERROR_ACCESS_DENIED);

    assert_true(strcmp(text, "Access is denied") == 0 || strcmp(text, "Access denied") == 0);
    assert_string_equal(platform_error_text(123456789), "error 123456789");
}

int main(int count, char **words)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_process_is_identified),
        cmocka_unit_test(it_is_said_who_a_process_is),
        cmocka_unit_test(a_supervisor_takes_its_instance_along),
        cmocka_unit_test(nothing_is_left_at_the_barrier_by_a_supervisor_that_dies),
        cmocka_unit_test(a_tree_has_no_more_memory_than_its_limit),
        cmocka_unit_test(limits_of_a_job_are_set),
        cmocka_unit_test(what_a_program_prints_is_captured),
        cmocka_unit_test(a_captured_program_has_limits),
        cmocka_unit_test(a_program_is_run_to_its_end),
        cmocka_unit_test(a_program_of_ours_in_the_background_gets_what_is_passed),
        cmocka_unit_test(this_program_is_found),
        cmocka_unit_test(the_systems_words_are_one_line),
    };

    if (count > 1 && strncmp(words[1], "hold", 4) == 0)
        return hold(strcmp(words[1], "hold") == 0);
    if (count > 1 && strcmp(words[1], "given") == 0)
        return say_what_was_given();
    (void)setvbuf(stdout, NULL, _IONBF, 0);
    if (count > 1)
        cmocka_set_test_filter(words[1]);
    return cmocka_run_group_tests(tests, open_loop, NULL);
}
