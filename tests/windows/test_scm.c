/* Services of Windows: making them, being one, starting and stopping them.  service.c is the one
 * that is started; each of its steps is let go by its semaphore. */
#include "started.h"

#include <shellapi.h>
#include <stdio.h>

#include "command_line.h"
#include "platform_log.h"
#include "str.h"
#include "windows_scm.h"
#include "winsvc_record.h"

#include "banned.h"

#define LINE_BYTES    2048
#define RECOVERY_CODE 1067 /* ERROR_PROCESS_ABORTED: it ended and did not say so */

static char service_name[SCM_SHORT_BYTES];
static char semaphore_name[64];
static HANDLE semaphore;

/* ---- A service for a test -------------------------------------------------------------------- */

static void folder(char *ret_path, size_t size)
{
    WCHAR path[MAX_PATH];

    assert_true(GetModuleFileNameW(NULL, path, MAX_PATH) > 0);
    *wcsrchr(path, L'\\') = L'\0';
    assert_true(windows_from_wide(path, ret_path, size));
}

static struct scm_service record_of(const char *const *steps)
{
    struct scm_service service = { .description = "gr\xc3\xb6\xc3\x9f"
                                                  "er",
        .account = "LocalSystem",
        .start = SCM_START_MANUAL,
        .sid_unrestricted = true,
        .privileges = { "SeChangeNotifyPrivilege", "SeCreateGlobalPrivilege" },
        .privilege_count = 2,
        .restart_delay_ms = { 1000, 5000, 30000 },
        .restart_count = 3,
        .reset_s = 3600,
        .restarts_non_crash = true,
        .preshutdown_ms = 25000 };
    char program[LINE_BYTES];
    char here[LINE_BYTES];
    const char *words[32] = { program, semaphore_name };
    struct buffer line = { 0 };

    folder(here, sizeof here);
    assert_true(str_format(program, sizeof program, "%s\\service.exe", here));
    (void)str_copy(service.name, sizeof service.name, service_name);
    (void)str_format(
            service.display_name, sizeof service.display_name, "%s (a test)", service_name);
    (void)str_copy(service.state_path, sizeof service.state_path, here);
    (void)str_copy(service.event_file, sizeof service.event_file, program);
    for (size_t i = 0; steps[i] != NULL; i++)
        words[2 + i] = steps[i];
    command_line_join(words, true, &line);
    assert_true(str_copy(service.command_line, sizeof service.command_line, buffer_text(&line)));
    buffer_free(&line);
    return service;
}

static void make(const char *const *steps)
{
    struct scm_service service = record_of(steps);
    struct err err;

    if (platform_scm_write(&service, true, &err) == -1)
        fail_msg("%s", err.text);
}

static void go(void)
{
    assert_true(ReleaseSemaphore(semaphore, 1, NULL));
}

static struct scm_status now(void)
{
    struct scm_status status;
    struct err err;

    if (platform_scm_query(service_name, &status, &err) == -1)
        fail_msg("%s", err.text);
    return status;
}

static struct scm_status await(enum scm_state state, uint32_t check_point)
{
    int64_t deadline_ms = platform_now_ms() + LIMIT_MS;
    struct platform_event event;
    struct scm_status status = now();

    while (status.state != state || status.check_point != check_point) {
        if (platform_now_ms() >= deadline_ms)
            fail_msg("state %d, check point %u instead of %d, %u", (int)status.state,
                    (unsigned)status.check_point, (int)state, (unsigned)check_point);
        platform_wait(platform_now_ms() + 5, &event);
        status = now();
    }
    return status;
}

static void start(void)
{
    struct err err;

    if (platform_scm_start(service_name, &err) == -1)
        fail_msg("%s", err.text);
}

static int set_up(void **state)
{
    static unsigned number;
    WCHAR wide[64];

    (void)state;
    number++;
    (void)str_format(service_name, sizeof service_name, "svcmgr-test-%u-%u",
            (unsigned)GetCurrentProcessId(), number);
    (void)str_format(semaphore_name, sizeof semaphore_name, "Global\\%s", service_name);
    if (!windows_to_wide(semaphore_name, wide, 64))
        return -1;
    semaphore = CreateSemaphoreW(NULL, 0, 100, wide);
    return semaphore != NULL ? 0 : -1;
}

/* A test that failed may have left it running. */
static int tear_down(void **state)
{
    struct scm_status status;
    struct err err;

    (void)state;
    if (platform_scm_query(service_name, &status, &err) == 0 && status.pid > 0) {
        HANDLE process = OpenProcess(PROCESS_TERMINATE | SYNCHRONIZE, FALSE, (DWORD)status.pid);

        if (process != NULL) {
            (void)TerminateProcess(process, 98);
            (void)WaitForSingleObject(process, LIMIT_MS);
            (void)CloseHandle(process);
        }
    }
    (void)CloseHandle(semaphore);
    return platform_scm_delete(service_name, &err);
}

/* ---- Making ---------------------------------------------------------------------------------- */

static void check_read_back(struct scm_service *wanted)
{
    struct scm_service found;
    struct buffer a = { 0 };
    struct buffer b = { 0 };
    struct err err;
    char untold[256];

    if (platform_scm_read(service_name, &found, &err) == -1)
        fail_msg("%s", err.text);
    winsvc_record_untold(&found, untold, sizeof untold);
    if (!is_wine())
        assert_string_equal(untold, "");
    else if (untold[0] != '\0')
        print_message("Wine does not tell: %s\n", untold);
    winsvc_record_assume(&found, wanted);
    winsvc_record_write(&found, &a);
    winsvc_record_write(wanted, &b);
    assert_string_equal(buffer_text(&a), buffer_text(&b));
    buffer_free(&a);
    buffer_free(&b);
}

static void what_was_written_is_read_back(void **state)
{
    static const char *const steps[] = { "end", "0", "0", NULL };
    struct scm_service service = record_of(steps);
    struct err err;

    if (platform_scm_write(&service, true, &err) == -1)
        fail_msg("%s", err.text);
    check_read_back(&service);
    assert_int_equal(service.command_line[0], '"');
    service.start = SCM_START_DELAYED;
    (void)str_copy(service.description, sizeof service.description, "another");
    (void)str_format(
            service.display_name, sizeof service.display_name, "%s (another)", service_name);
    (void)str_copy(service.dependencies[0], SCM_SHORT_BYTES, "Eventlog");
    (void)str_copy(service.dependencies[1], SCM_SHORT_BYTES, "RpcSs");
    service.dependency_count = 2;
    service.restart_delay_ms[0] = 7;
    service.restart_count = 1;
    if (platform_scm_write(&service, false, &err) == -1)
        fail_msg("%s", err.text);
    check_read_back(&service);
    service.dependency_count = 0;
    service.start = SCM_START_DISABLED;
    if (platform_scm_write(&service, false, &err) == -1)
        fail_msg("%s", err.text);
    check_read_back(&service);
}

static void what_is_not_there_is_said_to_be_so(void **state)
{
    struct scm_service service;
    struct scm_status status;
    struct err err;

    assert_int_equal(platform_scm_read(service_name, &service, &err), -1);
    assert_int_equal(err.kind, ERR_NO_SERVICE);
    assert_int_equal(platform_scm_query(service_name, &status, &err), -1);
    assert_int_equal(err.kind, ERR_NO_SERVICE);
    assert_int_equal(platform_scm_start(service_name, &err), -1);
    assert_int_equal(err.kind, ERR_NO_SERVICE);
    assert_int_equal(platform_scm_delete(service_name, &err), 0);
}

static void a_deleted_one_is_gone(void **state)
{
    static const char *const steps[] = { "end", "0", "0", NULL };
    WCHAR key[256];
    WCHAR name[SCM_SHORT_BYTES];
    HKEY opened;
    struct scm_status status;
    struct err err;

    make(steps);
    (void)windows_to_wide(service_name, name, SCM_SHORT_BYTES);
    (void)swprintf(
            key, 256, L"SYSTEM\\CurrentControlSet\\Services\\EventLog\\Application\\%ls", name);
    assert_int_equal(RegOpenKeyExW(HKEY_LOCAL_MACHINE, key, 0, KEY_READ, &opened), 0);
    (void)RegCloseKey(opened);
    assert_int_equal(platform_scm_delete(service_name, &err), 0);
    assert_int_equal(platform_scm_query(service_name, &status, &err), -1);
    assert_int_equal(err.kind, ERR_NO_SERVICE);
    assert_int_equal(
            RegOpenKeyExW(HKEY_LOCAL_MACHINE, key, 0, KEY_READ, &opened), ERROR_FILE_NOT_FOUND);
}

/* ---- Being one ------------------------------------------------------------------------------- */

static void it_comes_and_goes_with_rising_check_points(void **state)
{
    static const char *const steps[] = { "start", "5000", "start", "7000", "running", "running",
        "ask", "stopping", "8000", "running", "stopping", "9000", "end", "0", "0", NULL };
    struct scm_status status;
    char name[SCM_NAME_BYTES];
    struct err err;

    make(steps);
    start();
    status = await(SCM_START_PENDING, 1);
    assert_false(status.accepts_stop);
    go();
    assert_int_equal(await(SCM_START_PENDING, 2).wait_hint_ms, 5000);
    go();
    assert_int_equal(await(SCM_START_PENDING, 3).wait_hint_ms, 7000);
    go();
    status = await(SCM_RUNNING, 0);
    assert_true(status.accepts_stop);
    assert_true(platform_scm_service_of(status.pid, name, sizeof name));
    assert_string_equal(name, service_name);
    assert_int_equal(platform_scm_start(service_name, &err), 0); /* it runs */
    go();
    go();
    assert_int_equal(platform_scm_stop(service_name, &err), 0);
    status = await(SCM_STOP_PENDING, 1);
    assert_false(status.accepts_stop);
    go();
    assert_int_equal(await(SCM_STOP_PENDING, 2).wait_hint_ms, 8000);
    go(); /* "running" is no way back */
    assert_int_equal(await(SCM_STOP_PENDING, 3).state, SCM_STOP_PENDING);
    go();
    (void)await(SCM_STOP_PENDING, 4);
    go();
    status = await(SCM_STOPPED, 0);
    assert_int_equal(status.win32_code, 0);
    assert_int_equal(status.service_code, 0);
    assert_int_equal(platform_scm_stop(service_name, &err), 0); /* it is */
}

static uint32_t asked_for(DWORD control)
{
    static const char *const steps[] = { "running", "ask", "end-asked", NULL };
    struct windows_service open;
    SERVICE_STATUS ignored;
    struct err err;

    make(steps);
    start();
    go();
    (void)await(SCM_RUNNING, 0);
    assert_int_equal(
            windows_scm_open(service_name, SERVICE_STOP | SERVICE_PAUSE_CONTINUE, &open, &err), 0);
    if (ControlService(open.service, control, &ignored) == 0)
        fail_msg("control %lu: %s", control, platform_error_text((long)GetLastError()));
    windows_scm_close(&open);
    go();
    go();
    return await(SCM_STOPPED, 0).service_code;
}

static void a_stop_is_an_ask(void **state)
{
    assert_int_equal(asked_for(SERVICE_CONTROL_STOP), 100 + PLATFORM_ASK_STOP);
}

static void a_change_of_parameters_is_a_reload(void **state)
{
    assert_int_equal(asked_for(SERVICE_CONTROL_PARAMCHANGE), 100 + PLATFORM_ASK_HANGUP);
}

static void an_end_that_was_decided_is_no_failure(void **state)
{
    static const char *const steps[] = { "end", "0", "6", NULL };
    struct scm_status status;

    make(steps);
    start();
    (void)await(SCM_START_PENDING, 1);
    go();
    status = await(SCM_STOPPED, 0);
    assert_int_equal(status.win32_code, 0);
    assert_int_equal(status.service_code, 6);
}

static void any_other_end_has_a_code_of_the_service_s_own(void **state)
{
    static const char *const steps[] = { "running", "end", "1066", "42", NULL };
    struct scm_status status;

    make(steps);
    start();
    go();
    (void)await(SCM_RUNNING, 0);
    go();
    status = await(SCM_STOPPED, 0);
    assert_int_equal(status.win32_code, ERROR_SERVICE_SPECIFIC_ERROR);
    assert_int_equal(status.service_code, 42);
}

static void one_that_dies_is_known_to_have(void **state)
{
    static const char *const steps[] = { "running", "crash", NULL };
    struct scm_status status;

    SKIP_ON_WINE("its manager does not look after the processes of its services");
    make(steps);
    start();
    go();
    (void)await(SCM_RUNNING, 0);
    go();
    status = await(SCM_STOPPED, 0);
    assert_int_equal(status.pid, 0);
    assert_int_equal(status.win32_code, RECOVERY_CODE);
}

static void its_words_go_to_a_file(void **state)
{
    char here[LINE_BYTES];
    char path[LINE_BYTES];
    const char *const steps[] = { "output", path,
        "gr\xc3\xb6\xc3\x9f"
        "er",
        "end", "0", "0", NULL };
    struct buffer text = { 0 };
    struct err err;

    folder(here, sizeof here);
    (void)str_format(path, sizeof path, "%s\\%s.log", here, service_name);
    assert_int_equal(platform_replace_file(path, "before", 6, 0600, &err), 0);
    make(steps);
    start();
    go();
    go();
    assert_int_equal(await(SCM_STOPPED, 0).win32_code, 0);
    assert_int_equal(platform_read_file(path, 1000, &text, &err), 0);
    assert_string_equal(buffer_text(&text),
            "gr\xc3\xb6\xc3\x9f"
            "er\n");
    assert_int_equal(platform_remove_file(path, &err), 0);
    buffer_free(&text);
}

static void nobody_else_is_one(void **state)
{
    char name[SCM_NAME_BYTES];

    assert_false(platform_scm_begin(name, sizeof name));
    assert_true(platform_scm_tell(SCM_RUNNING, 0));
    platform_scm_end(0, 0);
    assert_false(platform_scm_service_of(platform_pid(), name, sizeof name));
}

/* ---- Accounts and words ---------------------------------------------------------------------- */

static void a_service_has_the_sid_of_its_name(void **state)
{
    union windows_sid sid;
    char text[128];
    size_t at;

    assert_true(windows_service_sid(L"TrustedInstaller", &sid));
    at = (size_t)snprintf(
            text, sizeof text, "S-%u-%u", sid.sid.Revision, sid.sid.IdentifierAuthority.Value[5]);
    for (DWORD i = 0; i < sid.sid.SubAuthorityCount; i++)
        at += (size_t)snprintf(
                text + at, sizeof text - at, "-%lu", *GetSidSubAuthority(&sid.sid, i));
    assert_string_equal(text, "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464");
}

/* Ours to write, the system's to read. */
static void the_system_reads_the_words_as_we_do(void **state)
{
    static const char *const lines[] = { "\"C:\\a b\\x.exe\" run \"a\\\\\\\"b\\\\\" \"\" c\\\\d",
        "x a\\\\\"b c\"d \\ \"e", "\"C:\\\" \\\\\\\"" };

    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        WCHAR wide[LINE_BYTES];
        const char *at = lines[i];
        char word[LINE_BYTES];
        char theirs[LINE_BYTES];
        int count;
        WCHAR **words;
        int found = 0;

        assert_true(windows_to_wide(lines[i], wide, LINE_BYTES));
        words = CommandLineToArgvW(wide, &count);
        assert_non_null(words);
        while (command_line_next(&at, found == 0, word, sizeof word)) {
            CHECK(lines[i], found < count);
            assert_true(windows_from_wide(words[found], theirs, sizeof theirs));
            CHECK_TEXT(lines[i], word, theirs);
            found++;
        }
        CHECK_INT(lines[i], found, count);
        (void)LocalFree(words);
    }
}

/* Without them every entry would read "the description cannot be found". */
static void what_a_service_prints_is_taken_whatever_it_is(void **state)
{
    static char longest[PLATFORM_ENTRY_BYTES];
    static const struct platform_entry rows[] = {
        { .service = "none-like-it", .priority = 0, .text = "bad", .length = 3 },
        { .service = "none-like-it", .priority = 4, .text = "a\0b\xff", .length = 4 },
        { .service = "none-like-it", .priority = 7, .text = "", .length = 0 },
        { .service = "none-like-it", .priority = 6, .text = longest, .length = sizeof longest },
    };
    struct err err;

    memset(longest, 'x', sizeof longest);
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (platform_log_entry(&rows[i], &err) == -1)
            fail_msg("%zu: %s", i, err.text);
}

static void entries_have_their_texts_in_the_program(void **state)
{
    static const DWORD numbers[] = { 0x40000001, 0x80000002, 0xC0000003 };
    DWORD_PTR words[] = { (DWORD_PTR)L"webui: stopped" };
    char here[LINE_BYTES];
    char program[LINE_BYTES];
    WCHAR wide[LINE_BYTES];
    HMODULE module;

    folder(here, sizeof here);
    assert_true(str_format(program, sizeof program, "%s\\..\\bin\\svcmgr.exe", here));
    assert_true(windows_to_wide(program, wide, LINE_BYTES));
    module = LoadLibraryExW(wide, NULL, LOAD_LIBRARY_AS_DATAFILE);
    assert_non_null(module);
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        WCHAR text[64] = L"";

        assert_true(FormatMessageW(FORMAT_MESSAGE_FROM_HMODULE | FORMAT_MESSAGE_ARGUMENT_ARRAY,
                            module, numbers[i], 0, text, 64, (va_list *)words) > 0);
        assert_int_equal(wcscmp(text, L"webui: stopped\r\n"), 0);
    }
    (void)FreeLibrary(module);
}

#define SCM_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCM_TEST(what_was_written_is_read_back),
        SCM_TEST(what_is_not_there_is_said_to_be_so),
        SCM_TEST(a_deleted_one_is_gone),
        SCM_TEST(it_comes_and_goes_with_rising_check_points),
        SCM_TEST(a_stop_is_an_ask),
        SCM_TEST(a_change_of_parameters_is_a_reload),
        SCM_TEST(an_end_that_was_decided_is_no_failure),
        SCM_TEST(any_other_end_has_a_code_of_the_service_s_own),
        SCM_TEST(one_that_dies_is_known_to_have),
        SCM_TEST(its_words_go_to_a_file),
        cmocka_unit_test(nobody_else_is_one),
        cmocka_unit_test(a_service_has_the_sid_of_its_name),
        cmocka_unit_test(the_system_reads_the_words_as_we_do),
        cmocka_unit_test(what_a_service_prints_is_taken_whatever_it_is),
        cmocka_unit_test(entries_have_their_texts_in_the_program),
    };
    struct err err;

    platform_begin();
    if (platform_loop_open(false, &err) == -1)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
