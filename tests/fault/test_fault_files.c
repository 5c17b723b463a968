/* Files and locks: whatever fails, what is there is the old or the new, whole. */
#include "fault.h"

#include <errno.h>
#include <sys/stat.h>

#include "platform.h"

#include "banned.h"

#define OLD "the old text, which is a little longer\n"
#define NEW "the new text\n"

static void put(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
}

static void check_text(const char *path, const char *expected)
{
    static char text[300000];
    FILE *file = fopen(path, "r");

    assert_non_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    (void)fclose(file);
    assert_string_equal(text, expected);
}

static void count_name(void *context, const char *name)
{
    (void)name;
    ++*(int *)context;
}

static int count_files(const char *path)
{
    struct err err;
    int count = 0;

    assert_int_equal(platform_list_directory(path, count_name, &count, &err), 0);
    return count;
}

static int replace(struct err *err)
{
    const char *folder = fault_path("replace");
    const char *path = fault_path("replace/file");
    int result;

    (void)mkdir(folder, 0700);
    put(path, OLD);
    result = platform_replace_file(path, NEW, strlen(NEW), 0600, err);
    /* A file that cannot be removed stays: the next replacement takes its place. */
    check_text(path, result == 0 ? NEW : OLD);
    if (!fault_was_hit())
        assert_int_equal(count_files(folder), 1);
    return result;
}

static void replaces_all_or_nothing(void **state)
{
    fault_try("replace", replace, 8);
}

/* A temporary file is not left behind for a reason other than that it cannot be removed. */
static int replace_in_clean_folder(struct err *err)
{
    const char *path = fault_path("clean/file");
    int result;

    (void)mkdir(fault_path("clean"), 0700);
    (void)remove(path);
    result = platform_replace_file(path, NEW, strlen(NEW), 0600, err);
    assert_int_equal(count_files(fault_path("clean")), result == 0 ? 1 : 0);
    return result;
}

static void leaves_no_temporary_file(void **state)
{
    fault_try("replace, first time", replace_in_clean_folder, 8);
}

static int read_back(struct err *err)
{
    static char large[200001];
    struct buffer text = { 0 };
    int result;

    memset(large, 'x', sizeof large - 1);
    put(fault_path("read"), large);
    result = platform_read_file(fault_path("read"), 1 << 20, &text, err);
    if (result == 0)
        assert_string_equal(buffer_text(&text), large);
    buffer_free(&text);
    return result;
}

static int read_tail(struct err *err)
{
    struct buffer text = { 0 };
    int result;

    put(fault_path("tail"), "0123456789");
    result = platform_read_tail(fault_path("tail"), 2, 3, &text, err);
    if (result == 0)
        assert_string_equal(buffer_text(&text), "789");
    buffer_free(&text);
    return result;
}

static int read_at(struct err *err)
{
    platform_handle handle;
    char bytes[8];
    long got;

    put(fault_path("at"), "0123456789");
    if (platform_open_to_read(fault_path("at"), &handle, err) == -1)
        return -1;
    got = platform_read_at(handle, 7, bytes, sizeof bytes);
    if (got != -1)
        assert_int_equal(got, 3);
    if (got != -1)
        assert_memory_equal(bytes, "789", 3);
    platform_close(handle);
    return got == -1 ? err_set(err, ERR_FAILED, errno, "cannot read") : 0;
}

static void opens_regular_files_alone(void **state)
{
    platform_handle handle;
    struct err err;

    assert_int_equal(platform_open_to_read(fault_path("."), &handle, &err), -1);
    assert_int_equal(platform_open_to_read(fault_path("nothing"), &handle, &err), -1);
    assert_int_equal(err.kind, ERR_NO_SERVICE);
}

static void reads_all_or_fails(void **state)
{
    fault_try("at", read_at, 3);
    fault_try("read", read_back, 5);
    fault_try("tail", read_tail, 4);
}

static int write_at(struct err *err)
{
    platform_handle handle;
    int result;

    (void)remove(fault_path("state"));
    if (platform_open_state(fault_path("state"), &handle, err) == -1)
        return -1;
    result = platform_write_at(handle, 4, NEW, strlen(NEW), err);
    platform_close(handle);
    if (result == 0) {
        struct buffer text = { 0 };
        struct err ignored;

        if (platform_read_file(fault_path("state"), 100, &text, &ignored) == 0)
            assert_memory_equal(text.data, "\0\0\0\0" NEW, 4 + strlen(NEW));
        else
            assert_true(fault_was_hit());
        buffer_free(&text);
    }
    return result;
}

static int write_log(struct err *err)
{
    static const struct platform_piece pieces[] = { { "one ", 4 }, { "two ", 4 }, { "", 0 },
        { "three\n", 6 } };
    platform_handle handle;
    int result;

    (void)remove(fault_path("log"));
    if (platform_open_log(fault_path("log"), &handle, err) == -1)
        return -1;
    result = platform_write_pieces(handle, pieces, COUNT_OF(pieces), err);
    if (result == 0)
        result = platform_write(handle, NEW, strlen(NEW), err);
    platform_close(handle);
    if (result == 0)
        check_text(fault_path("log"), "one two three\n" NEW);
    return result;
}

static void writes_all_or_fails(void **state)
{
    fault_try("write at", write_at, 6);
    fault_try("write pieces", write_log, 8);
}

/* Nobody else ever sees it, and a reader sees the old text or the new. */
static int write_private(struct err *err)
{
    const char *folder = fault_path("private");
    const char *path = fault_path("private/file");
    struct stat info;
    int result;

    (void)mkdir(folder, 0700);
    put(path, OLD);
    result = platform_write_private(folder, "file", NEW, strlen(NEW), err);
    check_text(path, result == 0 ? NEW : OLD);
    if (result == 0) {
        assert_int_equal(stat(path, &info), 0);
        assert_int_equal(info.st_mode & 0777, 0600);
    }
    if (!fault_was_hit())
        assert_int_equal(count_files(folder), 1);
    return result;
}

static int read_private(struct err *err)
{
    const char *folder = fault_path("private");
    char text[100];
    size_t length = 0;

    (void)mkdir(folder, 0700);
    put(fault_path("private/file"), NEW);
    if (platform_read_private(folder, "file", text, sizeof text, &length, err) == -1)
        return -1;
    assert_int_equal(length, strlen(NEW));
    assert_memory_equal(text, NEW, length);
    return 0;
}

static void keeps_what_is_private(void **state)
{
    mode_t former = umask(0077);

    fault_try("write private", write_private, 4);
    fault_try("read private", read_private, 3);
    (void)umask(former);
}

static int make_directories(struct err *err)
{
    int result = platform_make_directory(fault_path("a/b/c"), 0700, err);

    if (result == 0)
        assert_int_equal(count_files(fault_path("a/b")), 1);
    (void)remove(fault_path("a/b/c"));
    (void)remove(fault_path("a/b"));
    (void)remove(fault_path("a"));
    return result;
}

static int rename_and_remove(struct err *err)
{
    put(fault_path("from"), NEW);
    if (platform_rename(fault_path("from"), fault_path("to"), err) == -1 ||
            platform_remove_file(fault_path("to"), err) == -1)
        return -1;
    assert_int_equal(remove(fault_path("to")), -1);
    return 0;
}

static void names_what_it_could_not_do(void **state)
{
    fault_try("directories", make_directories, 4);
    fault_try("rename and remove", rename_and_remove, 4);
}

/* Locked is locked: a failure never makes a second owner. */
static int lock_twice(struct err *err)
{
    struct err second_err = { 0 };
    platform_handle lock;
    platform_handle second;
    int result = platform_lock(fault_path("lock"), &lock, err);

    if (result == -1)
        return -1;
    assert_int_equal(platform_lock(fault_path("lock"), &second, &second_err), -1);
    if (!fault_was_hit()) {
        assert_int_equal(second_err.kind, ERR_DUPLICATE);
        assert_true(platform_is_locked(fault_path("lock")) || fault_was_hit());
    }
    result = platform_write_lock(lock, "4711\n", err);
    platform_close(lock);
    if (result == 0)
        check_text(fault_path("lock"), "4711\n");
    return result;
}

static void locks_once(void **state)
{
    fault_try("lock", lock_twice, 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replaces_all_or_nothing),
        cmocka_unit_test(leaves_no_temporary_file),
        cmocka_unit_test(opens_regular_files_alone),
        cmocka_unit_test(reads_all_or_fails),
        cmocka_unit_test(writes_all_or_fails),
        cmocka_unit_test(keeps_what_is_private),
        cmocka_unit_test(names_what_it_could_not_do),
        cmocka_unit_test(locks_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
