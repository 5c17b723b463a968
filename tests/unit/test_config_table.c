/* The table of keys against what is accepted; names and words. */
#include "unit.h"

#include "config.h"
#include "duration.h"
#include "str.h"

#include "banned.h"

/* What must stand beside a key so that its value is all that can be wrong. */
static const char *sibling_of(const char *path)
{
    if (strncmp(path, "health.", 7) == 0)
        return "\"command\":[\"x\"],";
    if (strcmp(path, "restart.max_delay") == 0)
        return "\"delay\":0,";
    if (strcmp(path, "listen.mode") == 0)
        return "\"address\":\"unix:/a\",";
    return strcmp(path, "listen.backlog") == 0 ? "\"port\":1," : "";
}

/* Whether a configuration is accepted in which the key at path has this value. */
static bool accepts(const char *path, const char *value)
{
    const char *dot = strchr(path, '.');
    char text[256];
    struct config config;
    struct json_faults faults = { 0 };
    bool good;

    if (dot == NULL)
        (void)snprintf(text, sizeof text, "{\"command\":[\"x\"],\"%s\":%s}", path, value);
    else
        (void)snprintf(text, sizeof text, "{\"command\":[\"x\"],\"%.*s\":{%s\"%s\":%s}}",
                (int)(dot - path), path, sibling_of(path), dot + 1, value);
    good = config_parse("web", text, strlen(text), &config, &faults) == 0;
    if (good)
        config_free(&config);
    json_faults_free(&faults);
    return good;
}

enum unit { UNIT_NONE, UNIT_MS, UNIT_BYTES, UNIT_COUNT };

static enum unit unit_of(const struct config_key *key)
{
    if (strstr(key->kind, "duration") != NULL)
        return UNIT_MS;
    if (strstr(key->kind, "size") != NULL)
        return UNIT_BYTES;
    return strstr(key->kind, "a whole number") != NULL ? UNIT_COUNT : UNIT_NONE;
}

/* Reads one end of a range: "10ms", "64KiB", "-20". */
static int64_t read_end(enum unit unit, const char *text)
{
    int64_t ms = 0;
    uint64_t number = 0;

    if (unit == UNIT_MS)
        assert_true(duration_parse(text, &ms));
    else if (unit == UNIT_BYTES)
        assert_true(duration_parse_size(text, &number));
    else
        assert_true(str_to_uint(text[0] == '-' ? text + 1 : text, UINT32_MAX, &number));
    return unit == UNIT_MS ? ms : text[0] == '-' ? -(int64_t)number : (int64_t)number;
}

static bool accepts_number(const struct config_key *key, enum unit unit, int64_t number)
{
    char value[32];

    if (unit == UNIT_MS && number >= 0)
        (void)snprintf(value, sizeof value, "\"%lldms\"", (long long)number);
    else
        (void)snprintf(value, sizeof value, "%lld", (long long)number);
    return accepts(key->path, value);
}

/* Whatever range the table says: its ends are accepted, and what is next to them is not. */
static void ranges_are_as_the_table_says(void **state)
{
    size_t count;
    const struct config_key *keys = config_keys(&count);
    int checked = 0;

    for (size_t i = 0; i < count; i++) {
        enum unit unit = unit_of(&keys[i]);
        int64_t step = strcmp(keys[i].path, "limits.cpu") == 0 ? 1000 : 1;
        const char *to = strstr(keys[i].range, " to ");
        char from[32] = "";
        int64_t low;
        int64_t high;

        if (unit == UNIT_NONE)
            continue;
        CHECK(keys[i].path, strncmp(keys[i].range, "from ", 5) == 0 && to != NULL);
        (void)snprintf(from, sizeof from, "%.*s", (int)(to - keys[i].range - 5), keys[i].range + 5);
        low = read_end(unit, from);
        high = read_end(unit, to + 4);
        CHECK(keys[i].path, low < high);
        CHECK(keys[i].path, accepts_number(&keys[i], unit, low));
        CHECK(keys[i].path, accepts_number(&keys[i], unit, high));
        CHECK(keys[i].path, !accepts_number(&keys[i], unit, low - step));
        CHECK(keys[i].path, !accepts_number(&keys[i], unit, high + step));
        checked++;
    }
    assert_int_equal(checked, 28);
}

static void other_ranges(void **state)
{
    static const struct {
        const char *path;
        const char *value;
        bool good;
    } rows[] = {
        { "restart.factor", "1", true },
        { "restart.factor", "10", true },
        { "restart.factor", "1.001", true },
        { "restart.factor", "0.9999", false },
        { "restart.factor", "10.0001", false },
        { "restart.factor", "1e300", false },
        { "umask", "\"000\"", true },
        { "umask", "\"0000\"", true },
        { "umask", "\"777\"", true },
        { "umask", "\"0777\"", true },
        { "umask", "\"1000\"", false },
        { "umask", "\"00\"", false },
        { "umask", "\"00022\"", false },
        { "umask", "\"028\"", false },
        { "umask", "\"0o22\"", false },
        { "umask", "\"0-2\"", false },
        { "nice", "1e300", false },
        { "limits.cpu", "\"x\"", false },
        { "limits.memory", "\"512\"", false },
        { "logs.max_size", "\"1B\"", false },
        { "directory", "\"/a\\nb\"", false },
        { "listen.mode", "\"777\"", true },
        { "listen.mode", "\"1777\"", false },
        { "limits.cpu", "\"1500ms\"", false },
        { "limits.cpu", "1.5", false },
        { "limits.cpu", "1", true },
        { "limits.cpu", "\"unlimited\"", true },
        { "limits.nofile", "\"1024\"", false },
        { "health.interval", "0.01", true },
        { "health.interval", "0.009", false },
        { "health.failures", "1.5", false },
        { "health.failures", "1.0", true },
        { "nice", "1e1", true },
        { "stop.signal", "\"KILL\"", true },
        { "stop.signal", "\"SIGUSR1\"", true },
        { "stop.signal", "\"STOP\"", false },
        { "stop.signal", "\"sigcont\"", false },
        { "stop.signal", "\"CHLD\"", false },
        { "stop.signal", "\"TERMINATE\"", false },
        { "stop.signal", "\"15\"", false },
        { "stop.signal", "15", false },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (accepts(rows[i].path, rows[i].value) != rows[i].good)
            fail_msg("row %s: %s", rows[i].path, rows[i].value);
}

static void the_table_describes_every_key(void **state)
{
    size_t count;
    const struct config_key *keys = config_keys(&count);

    assert_int_equal(count, 68);
    for (size_t i = 0; i < count; i++) {
        CHECK(keys[i].path, keys[i].kind[0] != '\0' && keys[i].help[0] != '\0');
        CHECK(keys[i].path, keys[i].fallback != NULL && keys[i].range != NULL);
        CHECK(keys[i].path, !keys[i].computed || keys[i].fallback[0] != '\0');
        for (size_t k = 0; k < i; k++)
            CHECK(keys[i].path, strcmp(keys[i].path, keys[k].path) != 0);
    }
    assert_string_equal(keys[0].path, "command");
}

static void knows_valid_names(void **state)
{
    static const struct {
        const char *name;
        const char *why; /* NULL: valid; else a part of what is said */
    } rows[] = {
        { "web", NULL },
        { "a", NULL },
        { "9", NULL },
        { "A.b_c-9", NULL },
        { "a234567890123456789012345678901234567890123456789012345678901234", NULL },
        { "a2345678901234567890123456789012345678901234567890123456789012345", "1 to 64" },
        { "", "1 to 64" },
        { ".a", "begins with" },
        { "_a", "begins with" },
        { "-a", "begins with" },
        { "a b", "letters" },
        { "a/b", "letters" },
        { "a\\b", "letters" },
        { "a:b", "letters" },
        { "\xC3\xA9", "letters" },
        { "a\n", "letters" },
        { "con", "Windows device" },
        { "CON", "Windows device" },
        { "Con.txt", "Windows device" },
        { "prn.a.b", "Windows device" },
        { "aux", "Windows device" },
        { "nul", "Windows device" },
        { "com1", "Windows device" },
        { "COM9.x", "Windows device" },
        { "lpt5", "Windows device" },
        { "com0", NULL },
        { "com10", NULL },
        { "com", NULL },
        { "lpt", NULL },
        { "con1", NULL },
        { "console", NULL },
        { "xcon", NULL },
        { "a.con", NULL },
        { "comx", NULL },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const char *why = "";
        bool valid = config_name_is_valid(rows[i].name, &why);

        CHECK(rows[i].name, valid == (rows[i].why == NULL));
        CHECK(rows[i].name, valid || strstr(why, rows[i].why) != NULL);
    }
}

static void has_words_for_values(void **state)
{
    enum config_duplicate duplicate = CONFIG_DUPLICATE_COUNT;

    assert_string_equal(config_socket_word(CONFIG_SOCKET_SELF), "self");
    assert_string_equal(config_ready_word(CONFIG_READY_NOTIFY), "notify");
    assert_string_equal(config_replace_word(CONFIG_REPLACE_OVERLAP), "overlap");
    assert_false(config_duplicate_from_word("Refuse", &duplicate));
    assert_int_equal(duplicate, CONFIG_DUPLICATE_COUNT);
    for (int i = 0; i < CONFIG_DUPLICATE_COUNT; i++) {
        const char *word = config_duplicate_word((enum config_duplicate)i);

        assert_true(config_duplicate_from_word(word, &duplicate));
        assert_int_equal(duplicate, i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_are_as_the_table_says),
        cmocka_unit_test(other_ranges),
        cmocka_unit_test(the_table_describes_every_key),
        cmocka_unit_test(knows_valid_names),
        cmocka_unit_test(has_words_for_values),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
