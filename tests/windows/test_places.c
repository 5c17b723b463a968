/* Directories, what is told about a file, who may do what, users and their places, time. */
#include "folder.h"

#include "str.h"

/* ---- What is told about a file --------------------------------------------------------------- */

static void a_file_is_told_apart_from_others(void **state)
{
    struct platform_file one;
    struct platform_file other;
    struct platform_file open;
    platform_handle handle;
    struct err err;

    folder_put("one", "123");
    folder_put("other", "");
    assert_true(platform_stat(folder_path("one"), &one));
    assert_true(platform_stat_target(folder_path("other"), &other));
    assert_int_equal(one.size, 3);
    assert_false(one.is_directory || one.is_symlink || one.is_socket);
    assert_int_equal(one.owner, platform_uid());
    assert_int_equal(one.device_id, other.device_id);
    assert_true(one.file_id != other.file_id);
    assert_int_equal(platform_open_to_read(folder_path("one"), &handle, &err), 0);
    assert_true(platform_stat_handle(handle, &open));
    platform_close(handle);
    assert_int_equal(open.file_id, one.file_id);
    assert_int_equal(open.modified_ns, one.modified_ns);
    assert_true(platform_is_same_file(folder_path("one"), folder_path("./one")));
    assert_false(platform_is_same_file(folder_path("one"), folder_path("other")));
    assert_false(platform_is_same_file(folder_path("none"), folder_path("other")));
    assert_false(platform_stat(folder_path("none"), &one));
    assert_false(platform_stat_handle(PLATFORM_NO_HANDLE, &one));
}

/* From FILETIME to 1970 and back: a day of which the answer is known. */
static void times_are_counted_from_1970(void **state)
{
    const SYSTEMTIME moment = {
        .wYear = 2001, .wMonth = 9, .wDay = 9, .wHour = 1, .wMinute = 46, .wSecond = 40
    };
    struct platform_file file;
    WCHAR wide[WINDOWS_PATH_COUNT];
    FILETIME time;
    HANDLE handle;

    folder_put("file", "");
    assert_true(SystemTimeToFileTime(&moment, &time));
    assert_true(windows_to_path(folder_path("file"), wide));
    handle = CreateFileW(wide, FILE_WRITE_ATTRIBUTES, 0, NULL, OPEN_EXISTING, 0, NULL);
    assert_true(SetFileTime(handle, NULL, NULL, &time));
    assert_true(CloseHandle(handle));
    assert_true(platform_stat(folder_path("file"), &file));
    assert_true(file.modified_ns == INT64_C(1000000000) * 1000000000);
    assert_true(platform_wall_us() > INT64_C(1700000000) * 1000000);
}

static int64_t counter_seconds(void)
{
    LARGE_INTEGER count;
    LARGE_INTEGER frequency;

    assert_true(QueryPerformanceCounter(&count) && QueryPerformanceFrequency(&frequency));
    return count.QuadPart / frequency.QuadPart;
}

static void time_does_not_go_back(void **state)
{
    int64_t last = counter_seconds();
    int64_t seconds = platform_now_us() / 1000000;

    assert_true(last <= seconds && seconds <= counter_seconds());
    last = platform_now_us();
    for (int i = 0; i < 100000; i++) {
        int64_t now = platform_now_us();

        assert_true(now >= last);
        last = now;
    }
    assert_true(platform_now_ms() * 1000 <= platform_now_us());
}

static void random_bytes_are_never_the_same(void **state)
{
    unsigned char one[32] = { 0 };
    unsigned char other[32] = { 0 };
    struct err err;

    assert_int_equal(platform_random(one, sizeof one, &err), 0);
    assert_int_equal(platform_random(other, sizeof other, &err), 0);
    assert_memory_not_equal(one, other, sizeof one);
}

static void a_link_is_seen_as_one(void **state)
{
    WCHAR target[WINDOWS_PATH_COUNT];
    WCHAR link[WINDOWS_PATH_COUNT];
    struct platform_file file;
    platform_handle handle;
    struct err err;

    folder_put("target", "1234");
    assert_true(windows_to_path(folder_path("target"), target));
    assert_true(windows_to_path(folder_path("link"), link));
    SKIP_ON_WINE("Wine 8 makes no symbolic links");
    if (!CreateSymbolicLinkW(link, target, SYMBOLIC_LINK_FLAG_ALLOW_UNPRIVILEGED_CREATE)) {
        print_message("skipped: %s: this user may make no links\n", __func__);
        skip();
    }
    assert_true(platform_stat(folder_path("link"), &file) && file.is_symlink);
    assert_true(platform_stat_target(folder_path("link"), &file) && !file.is_symlink);
    assert_int_equal(file.size, 4);
    assert_int_equal(platform_open_log(folder_path("link"), &handle, &err), -1);
    assert_int_equal(platform_open_state(folder_path("link"), &handle, &err), -1);
    assert_int_equal(platform_lock(folder_path("link"), &handle, &err), -1);
    assert_int_equal(err.kind, ERR_DENIED);
    assert_non_null(strstr(err.text, "symbolic link"));
    folder_check("target", "1234");
}

static void programs_are_known_by_their_names(void **state)
{
    char own[PLATFORM_PATH_BYTES];

    folder_put("script.CMD", "");
    folder_put("text.txt", "MZ is not enough");
    assert_true(platform_executable(own, sizeof own));
    assert_true(platform_is_executable(own));
    assert_true(platform_is_executable(folder_path("script.CMD")));
    assert_false(platform_is_executable(folder_path("text.txt")));
    assert_false(platform_is_executable(folder_path("none.exe")));
    assert_false(platform_is_executable(folder_path("")));
}

/* ---- Directories ----------------------------------------------------------------------------- */

static void note_name(void *context, const char *name)
{
    char *all = context;

    assert_true(str_copy(all + strlen(all), 100 - strlen(all), name));
    assert_true(str_copy(all + strlen(all), 100 - strlen(all), ";"));
}

static void directories_are_made_with_their_parents(void **state)
{
    struct platform_file file;
    char names[100] = "";
    struct err err;

    assert_int_equal(platform_make_directory(folder_path("a/b\\c"), 0700, &err), 0);
    assert_int_equal(platform_make_directory(folder_path("a/b/c"), 0700, &err), 0);
    assert_true(platform_stat(folder_path("a/b/c"), &file) && file.is_directory);
    folder_put("a/file \xE2\x82\xAC", "");
    assert_int_equal(platform_make_directory(folder_path("a/file \xE2\x82\xAC"), 0700, &err), -1);
    assert_non_null(strstr(err.text, "is in the way: it is not a directory"));
    assert_int_equal(platform_list_directory(folder_path("a"), note_name, names, &err), 0);
    assert_true(strcmp(names, "b;file \xE2\x82\xAC;") == 0 ||
            strcmp(names, "file \xE2\x82\xAC;b;") == 0);
    names[0] = '\0';
    assert_int_equal(platform_list_directory(folder_path("none"), note_name, names, &err), 0);
    assert_string_equal(names, "");
    platform_remove_directory(folder_path("a")); /* it is not empty */
    assert_true(folder_has("a"));
    platform_remove_directory(folder_path("a/b/c"));
    assert_false(folder_has("a/b/c"));
    assert_int_equal(platform_make_directory("C:/", 0700, &err), 0);
    assert_int_equal(platform_make_directory("Q:/no/such/drive", 0700, &err), -1);
}

static void a_place_is_writable_or_the_error_says_which_is_not(void **state)
{
    struct err err;

    folder_put("file", "");
    assert_int_equal(platform_check_writable(folder_path("file"), &err), 0);
    assert_int_equal(platform_check_writable(folder_path("none/at/all"), &err), 0);
    assert_int_equal(platform_check_writable("Q:/no/such/drive", &err), -1);
    assert_non_null(strstr(err.text, "cannot write to Q:/"));
}

static void a_directory_is_private_unless_others_can_write(void **state)
{
    struct err err;

    assert_int_equal(platform_make_directory(folder_path("own"), 0700, &err), 0);
    if (platform_check_private(folder_path("own"), &err) == -1)
        fail_msg("%s", err.text);
    folder_grant(folder_path("own"), FILE_GENERIC_READ);
    if (platform_check_private(folder_path("own"), &err) == -1)
        fail_msg("%s", err.text);
    folder_grant(folder_path("own"), WRITE_RIGHTS);
    assert_int_equal(platform_check_private(folder_path("own"), &err), -1);
    assert_int_equal(err.kind, ERR_DENIED);
    assert_non_null(strstr(err.text, "others can write to "));
    assert_int_equal(platform_make_directory(folder_path("open"), 0700, &err), 0);
    folder_give_away(folder_path("open"));
    assert_int_equal(platform_check_private(folder_path("open"), &err), -1);
    assert_non_null(strstr(err.text, "others can write to "));
    folder_put("file", "");
    assert_int_equal(platform_check_private(folder_path("file"), &err), -1);
    assert_non_null(strstr(err.text, "is not a directory"));
    assert_int_equal(platform_check_private(folder_path("none"), &err), -1);
    assert_non_null(strstr(err.text, "cannot look at"));
}

/* The descriptor itself: nothing is inherited, and nobody is in it but who can help himself anyway.
 */
static void what_is_private_names_nobody_else(void **state)
{
    PSECURITY_DESCRIPTOR own = windows_make_private(NULL, false, false);
    PSECURITY_DESCRIPTOR readable = windows_make_private(NULL, true, true);
    SECURITY_DESCRIPTOR_CONTROL control;
    DWORD revision;
    BOOL present;
    BOOL defaulted;
    PACL list;

    assert_non_null(own);
    assert_non_null(readable);
    assert_true(GetSecurityDescriptorControl(own, &control, &revision));
    assert_true((control & SE_DACL_PROTECTED) != 0);
    assert_true(GetSecurityDescriptorDacl(own, &present, &list, &defaulted));
    assert_true(present && list != NULL);
    assert_int_equal(list->AceCount, 3);
    for (DWORD i = 0; i < list->AceCount; i++) {
        ACCESS_ALLOWED_ACE *entry;

        assert_true(GetAce(list, i, (LPVOID *)&entry));
        assert_true(IsWellKnownSid(&entry->SidStart, WinLocalSystemSid) ||
                IsWellKnownSid(&entry->SidStart, WinBuiltinAdministratorsSid) ||
                EqualSid(&entry->SidStart, windows_own_sid()));
    }
    assert_true(GetSecurityDescriptorDacl(readable, &present, &list, &defaulted));
    assert_int_equal(list->AceCount, 4);
    (void)LocalFree(own);
    (void)LocalFree(readable);
}

static void a_private_file_is_read_only_while_it_is_one(void **state)
{
    char data[8];
    size_t length;
    struct err err;
    const char *folder = folder_path(".");

    if (platform_write_private(folder, "control.json", "secret", 6, &err) == -1)
        fail_msg("%s", err.text);
    assert_int_equal(
            platform_read_private(folder, "control.json", data, sizeof data, &length, &err), 0);
    assert_int_equal(length, 6);
    assert_memory_equal(data, "secret", 6);
    /* The size must be larger than the file. */
    assert_int_equal(platform_read_private(folder, "control.json", data, 6, &length, &err), -1);
    assert_int_equal(platform_read_private(folder, "none", data, sizeof data, &length, &err), -1);
    assert_int_equal(err.kind, ERR_FAILED);
    assert_int_equal(platform_make_directory(folder_path("directory"), 0700, &err), 0);
    assert_int_equal(
            platform_read_private(folder, "directory", data, sizeof data, &length, &err), -1);
    folder_grant(folder_path("control.json"), WRITE_RIGHTS);
    assert_int_equal(
            platform_read_private(folder, "control.json", data, sizeof data, &length, &err), -1);
    assert_non_null(strstr(err.text, "is not a file of its owner's alone"));
    /* Written anew it is private again. */
    assert_int_equal(platform_write_private(folder, "control.json", "new", 3, &err), 0);
    assert_int_equal(
            platform_read_private(folder, "control.json", data, sizeof data, &length, &err), 0);
    assert_memory_equal(data, "new", 3);
}

/* ---- Users and places ------------------------------------------------------------------------ */

static void this_user_has_a_name_and_a_home(void **state)
{
    struct platform_user self;
    struct platform_user same;
    char name[PLATFORM_USER_BYTES];
    struct platform_file home;
    struct err err;

    if (platform_user_self(&self, &err) == -1)
        fail_msg("%s", err.text);
    assert_int_equal(self.uid, platform_uid());
    assert_true(self.uid != 0);
    assert_true(platform_stat_target(self.home, &home) && home.is_directory);
    assert_null(strchr(self.home, '\\'));
    assert_true(platform_is_executable(self.shell));
    assert_true(platform_user_name(self.uid, name, sizeof name));
    assert_string_equal(name, self.name);
    assert_false(platform_user_name(self.uid + 1, name, sizeof name));
    if (platform_user_by_name(self.name, &same, &err) == -1)
        fail_msg("%s", err.text);
    assert_int_equal(same.uid, self.uid);
    assert_string_equal(same.home, self.home);
    assert_int_equal(platform_user_by_name("nobody-has-this-name", &same, &err), -1);
    assert_int_equal(err.kind, ERR_CONFIG);
}

static void groups_are_looked_up(void **state)
{
    uint32_t gid;
    uint32_t groups[PLATFORM_GROUPS_MAX];
    size_t count;
    struct platform_user self;
    struct err err;

    if (platform_group_by_name("Administrators", &gid, &err) == -1)
        fail_msg("%s", err.text);
    assert_true(gid != 0 && gid != platform_uid());
    assert_int_equal(platform_group_by_name("no-such-group", &gid, &err), -1);
    assert_int_equal(err.kind, ERR_CONFIG);
    assert_int_equal(platform_user_self(&self, &err), 0);
    assert_int_equal(platform_user_groups(&self, 7, groups, &count, &err), 0);
    assert_int_equal(count, 1);
    assert_int_equal(groups[0], 7);
}

static void the_default_directories_do_not_depend_on_variables(void **state)
{
    char config[PLATFORM_PATH_BYTES];
    char places[PLATFORM_PATH_BYTES];
    char before[PLATFORM_PATH_BYTES];
    struct platform_user self;
    struct err err;

    assert_int_equal(platform_user_self(&self, &err), 0);
    platform_default_directories(false, &self, before, places, sizeof before);
    assert_true(
            strlen(before) > 16 && strcmp(before + strlen(before) - 16, "/svcmgr/services") == 0);
    assert_int_equal(strncmp(before, self.home, strlen(self.home)), 0);
    assert_true(SetEnvironmentVariableW(L"LOCALAPPDATA", L"C:\\elsewhere"));
    assert_true(SetEnvironmentVariableW(L"USERPROFILE", L"C:\\elsewhere"));
    assert_true(SetEnvironmentVariableW(L"ProgramData", L"C:\\elsewhere"));
    platform_default_directories(false, &self, config, places, sizeof config);
    assert_string_equal(config, before);
    platform_default_directories(true, &self, config, places, sizeof config);
    assert_non_null(strstr(config, "/ProgramData/svcmgr/services"));
    assert_non_null(strstr(places, "/ProgramData/svcmgr/state"));
    self.uid++;
    assert_true(str_copy(self.home, sizeof self.home, "C:/no such home"));
    platform_default_directories(false, &self, config, places, sizeof config);
    assert_string_equal(config, "");
    assert_string_equal(places, "");
}

static void variables_are_utf8_and_stay_good(void **state)
{
    const char *first;

    assert_null(platform_environment("SVCMGR_TEST_NONE"));
    assert_true(SetEnvironmentVariableW(L"SVCMGR_TEST",
            L"gr\x00F6\x00DF"
            L"er \x20AC"));
    first = platform_environment("SVCMGR_TEST");
    assert_string_equal(first,
            "gr\xC3\xB6\xC3\x9F"
            "er \xE2\x82\xAC");
    assert_ptr_equal(platform_environment("SVCMGR_TEST"), first);
    assert_true(SetEnvironmentVariableW(L"SVCMGR_TEST", L"new"));
    assert_string_equal(platform_environment("SVCMGR_TEST"), "new");
    assert_string_equal(first,
            "gr\xC3\xB6\xC3\x9F"
            "er \xE2\x82\xAC");
}

static void this_machine_and_directory_have_names(void **state)
{
    char name[256];
    char path[PLATFORM_PATH_BYTES];
    WCHAR wide[WINDOWS_PATH_COUNT];

    assert_true(platform_host_name(name, sizeof name));
    assert_true(name[0] != '\0');
    assert_true(windows_to_path(folder_path("."), wide));
    assert_true(SetCurrentDirectoryW(wide));
    assert_true(platform_working_directory(path, sizeof path));
    assert_true(platform_is_same_file(path, folder_path(".")));
    assert_null(strchr(path, '\\'));
    assert_false(platform_working_directory(path, 4));
    assert_true(SetCurrentDirectoryW(L"C:\\"));
    assert_false(platform_is_network_file_system(folder_path(".")));
}

/* ---- Text ------------------------------------------------------------------------------------ */

static void paths_change_their_form_at_the_seam(void **state)
{
    static const struct {
        const char *path;
        const WCHAR *wide;
        const char *back;
    } rows[] = {
        { "C:/a/b", L"C:\\a\\b", "C:/a/b" },
        { "C:\\a/b", L"C:\\a\\b", "C:/a/b" },
        { "//server/share/x", L"\\\\server\\share\\x", "//server/share/x" },
        { "\xC3\xA4", L"\x00E4", "\xC3\xA4" },
    };
    WCHAR wide[WINDOWS_PATH_COUNT];
    char back[PLATFORM_PATH_BYTES];
    char longest[2 * PLATFORM_PATH_BYTES];

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        CHECK(rows[i].path, windows_to_path(rows[i].path, wide));
        CHECK(rows[i].path, wcscmp(wide, rows[i].wide) == 0);
        CHECK(rows[i].path, windows_from_path(wide, back, sizeof back));
        CHECK_TEXT(rows[i].path, back, rows[i].back);
    }
    /* Too long for the classic limit: absolute, and with the prefix. */
    memset(longest, 'x', sizeof longest);
    memcpy(longest, "C:/a/../", 8);
    longest[300] = '\0';
    assert_true(windows_to_path(longest, wide));
    assert_memory_equal(wide, L"\\\\?\\C:\\xxx", 10 * sizeof(WCHAR));
    assert_true(windows_from_path(wide, back, sizeof back));
    assert_memory_equal(back, "C:/xxx", 6);
    memcpy(longest, "//server/share/", 15);
    assert_true(windows_to_path(longest, wide));
    assert_memory_equal(wide, L"\\\\?\\UNC\\server\\share\\xxx", 24 * sizeof(WCHAR));
    assert_true(windows_from_path(wide, back, sizeof back));
    assert_string_equal(back, longest);
    longest[300] = 'x';
    longest[sizeof longest - 1] = '\0';
    assert_false(windows_to_path(longest, wide));
    assert_false(windows_from_path(L"too long", back, 8));
    assert_string_equal(back, "");
}

/* Else a crash, or cmocka's own longjmp(), finds no way back through them. */
static void functions_have_unwind_tables(void **state)
{
    DWORD64 base;

    assert_non_null(RtlLookupFunctionEntry((DWORD64)(uintptr_t)platform_stat, &base, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(a_file_is_told_apart_from_others),
        IN_FOLDER(times_are_counted_from_1970),
        cmocka_unit_test(time_does_not_go_back),
        cmocka_unit_test(random_bytes_are_never_the_same),
        IN_FOLDER(a_link_is_seen_as_one),
        IN_FOLDER(programs_are_known_by_their_names),
        IN_FOLDER(directories_are_made_with_their_parents),
        IN_FOLDER(a_place_is_writable_or_the_error_says_which_is_not),
        IN_FOLDER(a_directory_is_private_unless_others_can_write),
        cmocka_unit_test(what_is_private_names_nobody_else),
        IN_FOLDER(a_private_file_is_read_only_while_it_is_one),
        cmocka_unit_test(this_user_has_a_name_and_a_home),
        cmocka_unit_test(groups_are_looked_up),
        cmocka_unit_test(the_default_directories_do_not_depend_on_variables),
        cmocka_unit_test(variables_are_utf8_and_stay_good),
        IN_FOLDER(this_machine_and_directory_have_names),
        cmocka_unit_test(paths_change_their_form_at_the_seam),
        cmocka_unit_test(functions_have_unwind_tables),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
