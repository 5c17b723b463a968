#include "unit.h"

#include "str.h"
#include "systemd_escape.h"
#include "systemd_read.h"

#include "banned.h"

#define ROUNDS 20000

/* Whatever means something to anybody, and some of the rest. */
static const char *const pieces[] = { "a", "Z", "0", " ", "\t", "\n", "\r", "\"", "'", "\\", "%",
    "%i", "%%", "$", "$HOME", "${x}", "$$", ";", "#", "=", "-", "/", "..", "\x01", "\x7f",
    "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x90\x9f", "\xff", "\x80", "\\n", "\\x41", "{", "}", "@",
    ":", "+", "!", "[", "]", "\xc2\x85", "&", "|", "*", "~" };

static uint32_t random_state = 1;

static uint32_t next_random(uint32_t below)
{
    random_state = random_state * 1664525u + 1013904223u;
    return (random_state >> 8) % below;
}

static void make_text(char *ret_text, size_t size)
{
    size_t count = next_random(12);

    ret_text[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        const char *piece = pieces[next_random(sizeof pieces / sizeof pieces[0])];

        if (strlen(ret_text) + strlen(piece) + 1 < size)
            (void)snprintf(ret_text + strlen(ret_text), size - strlen(ret_text), "%s", piece);
    }
}

static void any_word_comes_back(void **state)
{
    static struct read_words words;

    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        char texts[3][256];
        struct buffer out = { 0 };
        const char *value;

        buffer_puts(&out, "[Service]\nExecStart=/bin/x");
        for (size_t i = 0; i < 3; i++) {
            make_text(texts[i], sizeof texts[i]);
            buffer_puts(&out, " ");
            systemd_escape_word(texts[i], &out);
        }
        buffer_puts(&out, "\nType=notify\n");
        value = read_value(buffer_text(&out), "Service", "Type", 0);
        assert_non_null(value);
        assert_string_equal(value, "notify");
        value = read_value(buffer_text(&out), "Service", "ExecStart", 0);
        assert_true(str_is_utf8(value, strlen(value)));
        assert_null(strpbrk(value, "\r\n"));
        read_command(value, &words);
        assert_int_equal(words.count, 4);
        for (size_t i = 0; i < 3; i++)
            assert_string_equal(words.list[i + 1], texts[i]);
        buffer_free(&out);
    }
}

static void words_look_as_a_person_writes_them(void **state)
{
    static const struct {
        const char *text;
        const char *written;
    } rows[] = {
        { "/usr/bin/svcmgr", "/usr/bin/svcmgr" },
        { "--a=b,c:d@e+f", "--a=b,c:d@e+f" },
        { "", "\"\"" },
        { ";", "\";\"" },
        { "a b", "\"a b\"" },
        { "50%", "\"50%%\"" },
        { "$HOME", "\"$$HOME\"" },
        { "say \"x\"", "\"say \\\"x\\\"\"" },
        { "it's", "\"it's\"" },
        { "C:\\x", "\"C:\\\\x\"" },
        { "a\nb\tc\r", "\"a\\nb\\x09c\\x0d\"" },
        { "caf\xc3\xa9", "\"caf\xc3\xa9\"" },
        { "\xff!", "\"\\xff!\"" },
        { "# no comment", "\"# no comment\"" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct buffer out = { 0 };

        systemd_escape_word(rows[i].text, &out);
        assert_string_equal(buffer_text(&out), rows[i].written);
        buffer_free(&out);
    }
}

static void listed_path_is(const char *path, const char *wanted)
{
    static struct read_words words;
    struct buffer out = { 0 };
    const char *value;

    buffer_puts(&out, "[Service]\nReadWritePaths=");
    systemd_escape_path("-", path, &out);
    buffer_puts(&out, " ");
    systemd_escape_path("", "/second", &out);
    buffer_puts(&out, "\n");
    value = read_value(buffer_text(&out), "Service", "ReadWritePaths", 0);
    read_paths(value, &words);
    assert_int_equal(words.count, 2);
    assert_int_equal(words.list[0][0], '-');
    assert_string_equal(words.list[0] + 1, wanted);
    assert_string_equal(words.list[1], "/second");
    buffer_free(&out);
}

static void paths_come_back_or_become_the_folder_above(void **state)
{
    (void)state;
    listed_path_is("/var/lib/svcmgr", "/var/lib/svcmgr");
    listed_path_is("/", "/");
    listed_path_is("/a b/\"c\"/d'e/f\\g/100%/$x", "/a b/\"c\"/d'e/f\\g/100%/$x");
    listed_path_is("/caf\xc3\xa9\t/x\x01", "/caf\xc3\xa9\t/x\x01");
    listed_path_is("/a/b\nc/d", "/a");
    listed_path_is("/a/b\rc", "/a");
    listed_path_is("/a/b/\xff", "/a/b");
    listed_path_is("/a\n", "/");
    listed_path_is("/a/../b", "/");
    listed_path_is("/a/b/..", "/");
    listed_path_is("/a/..b", "/a/..b");
    listed_path_is("/a\\", "/a\\");
}

static void any_path_comes_back_or_becomes_one_above(void **state)
{
    static struct read_words words;

    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        char text[256] = "/";
        struct buffer out = { 0 };
        size_t length;

        make_text(text + 1, sizeof text - 1);
        buffer_puts(&out, "[Service]\nReadWritePaths=");
        systemd_escape_path("-", text, &out);
        buffer_puts(&out, "\n");
        read_paths(read_value(buffer_text(&out), "Service", "ReadWritePaths", 0), &words);
        assert_int_equal(words.count, 1);
        length = strlen(words.list[0] + 1);
        if (strcmp(words.list[0], "-/") != 0)
            assert_true(text[length] == '\0' || text[length] == '/');
        assert_int_equal(strncmp(words.list[0] + 1, text, length), 0);
        assert_true(strpbrk(text, "\n\r") != NULL || strstr(text, "/..") != NULL ||
                !str_is_utf8(text, strlen(text)) || text[length] == '\0');
        buffer_free(&out);
    }
}

static void text_is(const char *text, const char *wanted)
{
    struct buffer out = { 0 };
    char value[256];

    buffer_puts(&out, "[Unit]\nDescription=");
    systemd_escape_text(text, &out);
    buffer_puts(&out, "\nAfter=network.target\n");
    (void)snprintf(
            value, sizeof value, "%s", read_value(buffer_text(&out), "Unit", "Description", 0));
    read_doubled(value, '%');
    assert_string_equal(value, wanted);
    assert_string_equal(read_value(buffer_text(&out), "Unit", "After", 0), "network.target");
    buffer_free(&out);
}

static void a_text_stays_on_its_line(void **state)
{
    (void)state;
    text_is("The web UI", "The web UI");
    text_is("100% \"of\" $HOME; it's", "100% \"of\" $HOME; it's");
    text_is("two\nlines\tand more", "two lines and more");
    text_is("ends with \\", "ends with");
    text_is("ends with \\\\\\", "ends with");
    text_is("ends with \\\t", "ends with");
    text_is("a \\ inside", "a \\ inside");
    text_is("", "");
    text_is("caf\xc3\xa9", "caf\xc3\xa9");
}

static void what_cannot_be_a_value_is_known(void **state)
{
    static const struct {
        const char *text;
        bool good;
    } rows[] = {
        { "/run/web.sock", true },
        { "/run/a b%c\"d'$e\\f", true },
        { "/run/caf\xc3\xa9", true },
        { "", false },
        { "/run/x ", false },
        { " /run/x", false },
        { "/run/x\\", false },
        { "/run/x\ny", false },
        { "/run/\xff", false },
        { "/run/\x7f", false },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct buffer out = { 0 };
        char value[256];

        assert_int_equal(systemd_escape_is_value(rows[i].text), rows[i].good);
        if (!rows[i].good)
            continue;
        buffer_puts(&out, "[Socket]\nListenStream=");
        systemd_escape_value(rows[i].text, &out);
        buffer_puts(&out, "\n");
        (void)snprintf(value, sizeof value, "%s",
                read_value(buffer_text(&out), "Socket", "ListenStream", 0));
        read_doubled(value, '%');
        assert_string_equal(value, rows[i].text);
        buffer_free(&out);
    }
}

static void a_program_that_systemd_would_refuse_is_known(void **state)
{
    (void)state;
    assert_true(systemd_escape_is_program("/usr/bin/svcmgr"));
    assert_true(systemd_escape_is_program("/opt/my app/100%/caf\xc3\xa9;x"));
    assert_false(systemd_escape_is_program("svcmgr"));
    assert_false(systemd_escape_is_program("/opt/a\"b"));
    assert_false(systemd_escape_is_program("/opt/it's"));
    assert_false(systemd_escape_is_program("/opt/a\\b"));
    assert_false(systemd_escape_is_program("/opt/a$b"));
    assert_false(systemd_escape_is_program("/opt/a\nb"));
    assert_false(systemd_escape_is_program("/opt/\xff"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_word_comes_back),
        cmocka_unit_test(words_look_as_a_person_writes_them),
        cmocka_unit_test(paths_come_back_or_become_the_folder_above),
        cmocka_unit_test(any_path_comes_back_or_becomes_one_above),
        cmocka_unit_test(a_text_stays_on_its_line),
        cmocka_unit_test(what_cannot_be_a_value_is_known),
        cmocka_unit_test(a_program_that_systemd_would_refuse_is_known),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
