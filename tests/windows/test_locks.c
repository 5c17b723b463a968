/* Locks: one process at a time, whoever looks, and gone with the process.  "test_locks hold FILE"
 * or "watch FILE" is the other process. */
#include "folder.h"

#include "str.h"

#define HANDOVERS 200

struct other {
    PROCESS_INFORMATION process;
    HANDLE said;
};

/* Starts this program again, which tries to lock the file ("hold"), says what came of that in a
 * letter, and stays; or looks ("watch") until it does not find it locked. */
static char begin_other(const char *what, const char *path, struct other *ret_other)
{
    STARTUPINFOW start = { .cb = sizeof start, .dwFlags = STARTF_USESTDHANDLES };
    SECURITY_ATTRIBUTES inherited = { .nLength = sizeof inherited, .bInheritHandle = TRUE };
    char own[PLATFORM_PATH_BYTES];
    const char *words[] = { own, what, path, NULL };
    WCHAR *line;
    char said = '\0';
    DWORD length;

    assert_true(platform_executable(own, sizeof own));
    line = windows_join_words(words);
    assert_non_null(line);
    assert_true(CreatePipe(&ret_other->said, &start.hStdOutput, &inherited, 0));
    assert_true(SetHandleInformation(ret_other->said, HANDLE_FLAG_INHERIT, 0));
    assert_true(CreateProcessW(
            NULL, line, NULL, NULL, TRUE, 0, NULL, NULL, &start, &ret_other->process));
    free(line);
    assert_true(CloseHandle(start.hStdOutput));
    assert_true(ReadFile(ret_other->said, &said, 1, &length, NULL));
    return said;
}

static void end_other(struct other *other)
{
    assert_true(TerminateProcess(other->process.hProcess, 1));
    started_await_handle(other->process.hProcess);
    assert_true(CloseHandle(other->process.hThread));
    assert_true(CloseHandle(other->said));
}

/* main() has its words in the code page of the machine: they are taken from where they are whole.
 */
static const char *third_word(void)
{
    static char words[3 * PLATFORM_PATH_BYTES];
    const char *at = words;

    if (windows_split_words(GetCommandLineW(), words, sizeof words) == -1)
        return "";
    at += strlen(at) + 1;
    return at + strlen(at) + 1;
}

static int hold(void)
{
    const char *path = third_word();
    platform_handle lock;
    struct err err;
    char said = platform_lock(path, &lock, &err) == 0 ? 'y' : err.kind == ERR_DUPLICATE ? 'n' : '?';

    (void)platform_write(platform_standard_output(), &said, 1, &err);
    return (int)WaitForSingleObject(GetCurrentProcess(), LIMIT_MS);
}

static int watch(void)
{
    const char *path = third_word();
    platform_handle lock;
    struct err err;

    while (platform_is_locked(path) && platform_lock(path, &lock, &err) == -1)
        (void)platform_write(platform_standard_output(), "w", 1, &err);
    return 1;
}

static void one_holds_it(void **state)
{
    platform_handle lock;
    platform_handle second;
    struct other other;
    struct err err;

    assert_false(platform_is_locked(folder_path("pid")));
    if (platform_lock(folder_path("pid"), &lock, &err) == -1)
        fail_msg("%s", err.text);
    assert_true(platform_is_locked(folder_path("pid")));
    assert_int_equal(platform_lock(folder_path("pid"), &second, &err), -1);
    assert_int_equal(err.kind, ERR_DUPLICATE);
    assert_non_null(strstr(err.text, "is locked"));
    assert_int_equal(begin_other("hold", folder_path("pid"), &other), 'n');
    end_other(&other);
    platform_close(lock);
    assert_false(platform_is_locked(folder_path("pid")));
    assert_int_equal(platform_lock(folder_path("pid"), &lock, &err), 0);
    platform_close(lock);
}

static void it_goes_with_its_process(void **state)
{
    platform_handle lock;
    struct other other;
    struct err err;

    assert_int_equal(begin_other("hold", folder_path("pid"), &other), 'y');
    assert_true(platform_is_locked(folder_path("pid")));
    assert_int_equal(platform_lock(folder_path("pid"), &lock, &err), -1);
    assert_int_equal(err.kind, ERR_DUPLICATE);
    end_other(&other);
    assert_false(platform_is_locked(folder_path("pid")));
    assert_int_equal(platform_lock(folder_path("pid"), &lock, &err), 0);
    platform_close(lock);
}

/* Whoever looks has it shared for an instant: that is no owner, and keeps nobody from it for long.
 */
static void who_looks_does_not_hold_it(void **state)
{
    OVERLAPPED place = { .Offset = 0x100000 };
    platform_handle lock;
    HANDLE looker;
    struct err err;

    folder_put("pid", "");
    looker = windows_open(folder_path("pid"), GENERIC_READ, OPEN_EXISTING, 0, NULL);
    assert_true(looker != INVALID_HANDLE_VALUE);
    assert_true(LockFileEx(looker, LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, &place));
    assert_false(platform_is_locked(folder_path("pid")));
    assert_true(UnlockFileEx(looker, 0, 1, 0, &place));
    assert_int_equal(platform_lock(folder_path("pid"), &lock, &err), 0);
    assert_false(LockFileEx(looker, LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, &place));
    assert_true(CloseHandle(looker));
    platform_close(lock);
}

static void check_refused(void)
{
    platform_handle lock;
    struct err err;

    assert_true(platform_is_locked(folder_path("pid")));
    assert_int_equal(platform_lock(folder_path("pid"), &lock, &err), -1);
    assert_int_equal(err.kind, ERR_DUPLICATE);
}

/* Nobody gets it between the two, and it counts as held all the time. */
static void it_goes_to_its_heir_and_to_nobody_else(void **state)
{
    platform_handle lock;
    platform_handle heir;
    platform_handle second;
    struct err err;

    assert_int_equal(platform_lock(folder_path("pid"), &lock, &err), 0);
    assert_int_equal(platform_lock_as_heir(folder_path("pid"), &heir, &err), 0);
    assert_int_equal(platform_lock_as_heir(folder_path("pid"), &second, &err), -1);
    assert_int_equal(err.kind, ERR_DUPLICATE);
    assert_false(platform_lock_inherit(heir, platform_now_ms()));
    check_refused();
    platform_close(lock);
    check_refused();
    assert_true(platform_lock_inherit(heir, platform_now_ms() + LIMIT_MS));
    check_refused();
    assert_int_equal(platform_write_lock(heir, "4242\n", &err), 0);
    folder_check("pid", "4242\n");
    /* It can have an heir of its own. */
    assert_int_equal(platform_lock_as_heir(folder_path("pid"), &second, &err), 0);
    platform_close(heir);
    check_refused();
    platform_close(second);
    assert_false(platform_is_locked(folder_path("pid")));
}

static void an_heir_that_goes_leaves_it_to_its_holder(void **state)
{
    platform_handle lock;
    platform_handle heir;
    struct err err;

    assert_int_equal(platform_lock(folder_path("pid"), &lock, &err), 0);
    assert_int_equal(platform_lock_as_heir(folder_path("pid"), &heir, &err), 0);
    platform_close(heir);
    check_refused();
    platform_close(lock);
    assert_false(platform_is_locked(folder_path("pid")));
    assert_int_equal(platform_lock(folder_path("pid"), &lock, &err), 0);
    platform_close(lock);
}

/* Until one of its looks has begun and ended; false: it has found it not locked. */
static bool await_look(const struct other *other)
{
    char looks[64];
    DWORD waiting = 1;
    DWORD got = 1;

    while (waiting > 0 && got > 0)
        if (!PeekNamedPipe(other->said, NULL, 0, NULL, &waiting, NULL) ||
                (waiting > 0 && !ReadFile(other->said, looks, sizeof looks, &got, NULL)))
            return false;
    for (int i = 0; i < 2; i++) /* the first may have begun before */
        if (!ReadFile(other->said, looks, 1, &got, NULL) || got == 0)
            return false;
    return true;
}

/* Looked at all the time from another process, it is held all the time. */
static void it_is_held_however_often_it_is_handed_over(void **state)
{
    platform_handle lock;
    platform_handle heir;
    struct other other;
    struct err err;

    assert_int_equal(platform_lock(folder_path("pid"), &lock, &err), 0);
    assert_int_equal(begin_other("watch", folder_path("pid"), &other), 'w');
    for (int i = 0; i < HANDOVERS; i++) {
        assert_int_equal(platform_lock_as_heir(folder_path("pid"), &heir, &err), 0);
        platform_close(lock);
        assert_true(platform_lock_inherit(heir, platform_now_ms() + LIMIT_MS));
        lock = heir;
        assert_true(await_look(&other));
    }
    end_other(&other);
    platform_close(lock);
}

static void everybody_can_read_it_while_it_is_held(void **state)
{
    platform_handle lock;
    struct err err;

    folder_put("pid", "something much longer than a pid");
    assert_int_equal(platform_lock(folder_path("pid"), &lock, &err), 0);
    folder_check("pid", "something much longer than a pid");
    assert_int_equal(platform_write_lock(lock, "4242\n", &err), 0);
    folder_check("pid", "4242\n");
    platform_close(lock);
    folder_check("pid", "4242\n");
}

/* Else another one could be locked in its place. */
static void nobody_can_take_it_away_while_it_is_held(void **state)
{
    platform_handle lock;
    struct err err;

    assert_int_equal(platform_lock(folder_path("pid"), &lock, &err), 0);
    assert_int_equal(platform_remove_file(folder_path("pid"), &err), -1);
    assert_int_equal(platform_rename(folder_path("pid"), folder_path("x"), &err), -1);
    assert_true(folder_has("pid"));
    platform_close(lock);
    assert_int_equal(platform_remove_file(folder_path("pid"), &err), 0);
}

static void what_is_no_file_is_not_locked(void **state)
{
    platform_handle lock;
    struct err err;

    assert_int_equal(platform_make_directory(folder_path("pid"), 0700, &err), 0);
    assert_int_equal(platform_lock(folder_path("pid"), &lock, &err), -1);
    assert_int_equal(platform_lock(folder_path("no/where"), &lock, &err), -1);
    assert_non_null(strstr(err.text, "cannot open"));
    assert_false(platform_is_locked(folder_path("no/where")));
}

static void its_holder_is_found(void **state)
{
    int64_t pids[4];
    platform_handle lock;
    struct err err;

    assert_int_equal(platform_lock_holders(folder_path("pid"), pids, COUNT_OF(pids)), 0);
    SKIP_ON_WINE("Wine 8 has no Restart Manager that looks");
    assert_int_equal(platform_lock(folder_path("pid"), &lock, &err), 0);
    assert_int_equal(platform_lock_holders(folder_path("pid"), pids, COUNT_OF(pids)), 1);
    assert_int_equal(pids[0], platform_pid());
    platform_close(lock);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(one_holds_it),
        IN_FOLDER(it_goes_with_its_process),
        IN_FOLDER(who_looks_does_not_hold_it),
        IN_FOLDER(it_goes_to_its_heir_and_to_nobody_else),
        IN_FOLDER(an_heir_that_goes_leaves_it_to_its_holder),
        IN_FOLDER(it_is_held_however_often_it_is_handed_over),
        IN_FOLDER(everybody_can_read_it_while_it_is_held),
        IN_FOLDER(nobody_can_take_it_away_while_it_is_held),
        IN_FOLDER(what_is_no_file_is_not_locked),
        IN_FOLDER(its_holder_is_found),
    };

    if (argc == 3 && strcmp(argv[1], "hold") == 0)
        return hold();
    if (argc == 3 && strcmp(argv[1], "watch") == 0)
        return watch();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
