/* Files: reading, writing, replacing, whatever else has them open. */
#include "folder.h"

#include "str.h"

static void a_file_is_read_to_its_end_or_not_at_all(void **state)
{
    struct buffer text = { 0 };
    struct err err;

    folder_put("file", "one two three");
    assert_int_equal(platform_read_file(folder_path("file"), 13, &text, &err), 0);
    assert_string_equal(text.data, "one two three");
    assert_int_equal(platform_read_file(folder_path("file"), 12, &text, &err), -1);
    assert_non_null(strstr(err.text, "is larger than 12 bytes"));
    assert_int_equal(platform_read_file(folder_path("none"), 12, &text, &err), -1);
    assert_int_equal(err.kind, ERR_NO_SERVICE);
    assert_int_equal(platform_read_file(folder_path("no/where"), 12, &text, &err), -1);
    assert_int_equal(err.kind, ERR_NO_SERVICE);
    assert_int_equal(platform_read_file(folder_path(""), 12, &text, &err), -1);
    assert_non_null(strstr(err.text, "is not a regular file"));
    assert_int_equal(platform_read_file("NUL", 12, &text, &err), -1);
    buffer_free(&text);
}

static void the_last_bytes_are_read(void **state)
{
    static const struct {
        const char *name;
        int64_t from;
        size_t limit;
        const char *expected;
    } rows[] = {
        { "all of it", 0, 100, "0123456789" },
        { "the last ones", 0, 4, "6789" },
        { "from an offset on", 8, 4, "89" },
        { "an offset that is cut", 3, 4, "6789" },
        { "an offset behind the end", 11, 4, "6789" },
        { "nothing", 10, 4, "" },
    };
    struct err err;

    folder_put("file", "0123456789");
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buffer text = { 0 };

        CHECK_INT(rows[i].name,
                platform_read_tail(folder_path("file"), rows[i].from, rows[i].limit, &text, &err),
                0);
        CHECK_TEXT(rows[i].name, buffer_text(&text), rows[i].expected);
        buffer_free(&text);
    }
}

/* Who reads the old file reads it to its end, and the next one reads the new one. */
static void a_file_is_replaced_while_somebody_reads_it(void **state)
{
    char data[16] = "";
    platform_handle reader;
    struct err err;

    SKIP_ON_WINE("Wine 8 has no FileRenameInfoEx, so a file that is open cannot be replaced");
    folder_put("file", "old");
    assert_int_equal(platform_open_to_read(folder_path("file"), &reader, &err), 0);
    if (platform_replace_file(folder_path("file"), "newer", 5, 0600, &err) == -1)
        fail_msg("%s", err.text);
    folder_check("file", "newer");
    assert_int_equal(platform_read_at(reader, 0, data, sizeof data - 1), 3);
    assert_string_equal(data, "old");
    assert_false(folder_has("file.new"));
    platform_close(reader);
}

static void what_cannot_be_replaced_stays(void **state)
{
    WCHAR wide[WINDOWS_PATH_COUNT];
    HANDLE held;
    struct err err;

    folder_put("file", "old");
    assert_true(windows_to_path(folder_path("file"), wide));
    /* Shared with nobody, as an editor or a scanner may have it. */
    held = CreateFileW(wide, GENERIC_READ, 0, NULL, OPEN_EXISTING, 0, NULL);
    assert_true(held != INVALID_HANDLE_VALUE);
    assert_int_equal(platform_replace_file(folder_path("file"), "new", 3, 0600, &err), -1);
    assert_int_equal(CloseHandle(held), TRUE);
    assert_non_null(strstr(err.text, "cannot rename"));
    folder_check("file", "old");
    assert_false(folder_has("file.new"));
    assert_int_equal(platform_replace_file(folder_path("no/where"), "new", 3, 0600, &err), -1);
    assert_non_null(strstr(err.text, "cannot create"));
}

static void put_log(platform_handle log, const char *text)
{
    struct err err;

    if (platform_write(log, text, strlen(text), &err) == -1)
        fail_msg("%s", err.text);
}

static void a_log_is_appended_to_by_all_who_have_it_open(void **state)
{
    platform_handle one;
    platform_handle other;
    struct platform_file file;
    struct err err;

    assert_int_equal(platform_open_log(folder_path("log"), &one, &err), 0);
    assert_int_equal(platform_open_log(folder_path("log"), &other, &err), 0);
    put_log(one, "a");
    put_log(other, "b");
    put_log(one, "c");
    folder_check("log", "abc");
    assert_true(platform_stat_handle(one, &file));
    assert_int_equal(file.size, 3);
    platform_empty(other);
    put_log(one, "d");
    folder_check("log", "d");
    platform_close(one);
    platform_close(other);
}

/* Rotation: the name goes to a new file, and who writes to the old one goes on there. */
static void a_log_is_renamed_while_it_is_open(void **state)
{
    platform_handle log;
    platform_handle reader;
    platform_handle fresh;
    char data[8] = "";
    struct err err;

    assert_int_equal(platform_open_log(folder_path("current"), &log, &err), 0);
    put_log(log, "1");
    assert_int_equal(platform_open_to_read(folder_path("current"), &reader, &err), 0);
    if (platform_rename(folder_path("current"), folder_path("@old"), &err) == -1)
        fail_msg("%s", err.text);
    assert_int_equal(platform_open_log(folder_path("current"), &fresh, &err), 0);
    put_log(log, "2");
    put_log(fresh, "3");
    assert_int_equal(platform_read_at(reader, 0, data, sizeof data - 1), 2);
    assert_string_equal(data, "12");
    folder_check("@old", "12");
    folder_check("current", "3");
    platform_close(log);
    platform_close(reader);
    platform_close(fresh);
}

static void a_removed_file_lets_its_name_go_at_once(void **state)
{
    platform_handle log;
    struct err err;

    SKIP_ON_WINE("Wine 8 has no FileDispositionInfoEx, so a file goes when it is closed");
    assert_int_equal(platform_open_log(folder_path("log"), &log, &err), 0);
    assert_int_equal(platform_remove_file(folder_path("log"), &err), 0);
    assert_false(folder_has("log"));
    folder_put("log", "another one");
    platform_close(log);
    folder_check("log", "another one");
}

static void what_is_not_there_is_removed_already(void **state)
{
    struct err err;

    folder_put("file", "x");
    assert_int_equal(platform_remove_file(folder_path("file"), &err), 0);
    assert_int_equal(platform_remove_file(folder_path("file"), &err), 0);
    assert_int_equal(platform_remove_file(folder_path("no/where"), &err), 0);
    assert_int_equal(platform_rename(folder_path("file"), folder_path("x"), &err), -1);
    assert_non_null(strstr(err.text, "cannot rename"));
    assert_int_equal(platform_remove_file(folder_path(""), &err), -1);
    assert_non_null(strstr(err.text, "cannot remove"));
}

static void a_state_file_is_written_in_place(void **state)
{
    platform_handle file;
    char data[8] = "";
    struct err err;

    assert_int_equal(platform_open_state(folder_path("record"), &file, &err), 0);
    assert_int_equal(platform_write_at(file, 0, "aaaa", 4, &err), 0);
    assert_int_equal(platform_write_at(file, 2, "bb", 2, &err), 0);
    assert_int_equal(platform_write_at(file, 0, "c", 1, &err), 0);
    assert_int_equal(platform_read_at(file, 1, data, sizeof data), 3);
    assert_string_equal(data, "abb");
    assert_int_equal(platform_read_at(file, 4, data, sizeof data), 0);
    platform_close(file);
    assert_int_equal(platform_open_state(folder_path("record"), &file, &err), 0);
    platform_close(file);
    folder_check("record", "cabb");
}

static void pieces_arrive_in_their_order(void **state)
{
    static char big[2 * PLATFORM_PIECE_BYTES];
    static char found[3 * sizeof big];
    const struct platform_piece pieces[] = {
        { "ab", 2 },
        { big, sizeof big },
        { "", 0 },
        { "cd", 2 },
        { big, PLATFORM_PIECE_BYTES - 1 },
        { "ef", 2 },
    };
    size_t all = 2 + sizeof big + 2 + PLATFORM_PIECE_BYTES - 1 + 2;
    platform_handle log;
    platform_handle reader;
    struct err err;

    memset(big, 'x', sizeof big);
    assert_int_equal(platform_open_log(folder_path("log"), &log, &err), 0);
    assert_int_equal(platform_write_pieces(log, pieces, COUNT_OF(pieces), &err), 0);
    platform_close(log);
    assert_int_equal(platform_open_to_read(folder_path("log"), &reader, &err), 0);
    assert_int_equal(platform_read_at(reader, 0, found, sizeof found), all);
    platform_close(reader);
    assert_memory_equal(found, "abx", 3);
    assert_memory_equal(found + 2 + sizeof big - 1, "xcdx", 4);
    assert_memory_equal(found + all - 3, "xef", 3);
}

static void writing_to_nobody_fails(void **state)
{
    HANDLE read;
    HANDLE write;
    platform_handle overlapped;
    HANDLE other;
    char data[8] = "";
    DWORD got;
    struct err err;

    assert_true(CreatePipe(&read, &write, NULL, 0));
    assert_true(CloseHandle(read));
    assert_int_equal(platform_write(windows_of_handle(write), "x", 1, &err), -1);
    assert_non_null(strstr(err.text, "cannot write: "));
    assert_true(CloseHandle(write));
    /* One that is for overlapped calls is written to as well. */
    assert_int_equal(windows_duplex_pipe(&read, &other, &err), 0);
    overlapped = windows_of_handle(read);
    assert_int_equal(platform_write(overlapped, "xyz", 3, &err), 0);
    assert_true(ReadFile(other, data, sizeof data, NULL, &(OVERLAPPED) { 0 }));
    assert_true(GetOverlappedResult(other, &(OVERLAPPED) { 0 }, &got, FALSE) || true);
    assert_string_equal(data, "xyz");
    assert_true(CloseHandle(other));
    assert_int_equal(platform_write(overlapped, "x", 1, &err), -1);
    platform_close(overlapped);
}

static void a_duplicate_is_a_handle_of_its_own(void **state)
{
    platform_handle log;
    platform_handle copy;
    DWORD flags;
    struct err err;

    assert_int_equal(platform_open_log(folder_path("log"), &log, &err), 0);
    assert_int_equal(platform_duplicate(log, &copy, &err), 0);
    assert_true(GetHandleInformation(windows_handle(copy), &flags));
    assert_int_equal(flags & HANDLE_FLAG_INHERIT, 0);
    platform_close(log);
    put_log(copy, "x");
    platform_close(copy);
    folder_check("log", "x");
    assert_int_equal(platform_duplicate(PLATFORM_NO_HANDLE, &copy, &err), -1);
    assert_non_null(strstr(err.text, "cannot duplicate a handle: "));
    platform_close(PLATFORM_NO_HANDLE);
}

static void a_duplicate_of_a_socket_is_one(void **state)
{
    struct platform_bind bind = { .address = { .family = ADDRESS_IPV4, .ip = { 127, 0, 0, 1 } },
        .listen = true };
    platform_handle listener;
    platform_handle copy;
    struct address bound;
    struct address again;
    DWORD flags;
    struct err err;

    assert_int_equal(platform_bind(&bind, &listener, &bound, &err), PLATFORM_BIND_OK);
    assert_int_equal(platform_duplicate(listener, &copy, &err), 0);
    platform_close(listener);
    assert_true(windows_is_socket(copy));
    assert_true(GetHandleInformation((HANDLE)windows_socket(copy), &flags));
    assert_int_equal(flags & HANDLE_FLAG_INHERIT, 0);
    assert_true(platform_check_listener(copy, &again));
    assert_int_equal(again.port, bound.port);
    platform_close(copy);
}

/* 16 folders of 60 letters each: far longer than MAX_PATH. */
static void a_path_may_be_long(void **state)
{
    char path[PLATFORM_PATH_BYTES];
    struct platform_file file;
    struct buffer text = { 0 };
    struct err err;
    size_t length;

    assert_true(str_copy(path, sizeof path, folder_path("deep")));
    for (int i = 0; i < 11; i++) {
        length = strlen(path);
        path[length] = '/';
        memset(path + length + 1, 'a' + i, 60);
        path[length + 61] = '\0';
    }
    if (platform_make_directory(path, 0700, &err) == -1)
        fail_msg("%s", err.text);
    assert_true(platform_stat(path, &file) && file.is_directory);
    length = strlen(path);
    assert_true(str_copy(path + length, sizeof path - length, "/../file"));
    if (platform_replace_file(path, "far away", 8, 0600, &err) == -1)
        fail_msg("%s", err.text);
    assert_int_equal(platform_read_file(path, 100, &text, &err), 0);
    assert_string_equal(text.data, "far away");
    buffer_free(&text);
    assert_int_equal(platform_remove_file(path, &err), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(a_file_is_read_to_its_end_or_not_at_all),
        IN_FOLDER(the_last_bytes_are_read),
        IN_FOLDER(a_file_is_replaced_while_somebody_reads_it),
        IN_FOLDER(what_cannot_be_replaced_stays),
        IN_FOLDER(a_log_is_appended_to_by_all_who_have_it_open),
        IN_FOLDER(a_log_is_renamed_while_it_is_open),
        IN_FOLDER(a_removed_file_lets_its_name_go_at_once),
        IN_FOLDER(what_is_not_there_is_removed_already),
        IN_FOLDER(a_state_file_is_written_in_place),
        IN_FOLDER(pieces_arrive_in_their_order),
        IN_FOLDER(writing_to_nobody_fails),
        IN_FOLDER(a_duplicate_is_a_handle_of_its_own),
        IN_FOLDER(a_duplicate_of_a_socket_is_one),
        IN_FOLDER(a_path_may_be_long),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
