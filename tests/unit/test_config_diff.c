#include "config_text.h"

#include "config_diff.h"

#include "banned.h"

/* One key changes: it is told, as a live one or as one that needs a restart. */
static const struct {
    const char *name;
    const char *before;
    const char *after;
    const char *live; /* the keys in the order that they are told in, a blank between two */
    const char *restart;
} rows[] = {
    { "nothing", "\"listen\":80,\"user\":\"a\"", "\"listen\":80,\"user\":\"a\"", "", "" },
    { "a default that is written out", "\"umask\":\"022\"", "\"settle\":\"200ms\"", "", "" },

    { "description", "\"umask\":\"022\"", "\"description\":\"a\"", "description", "" },
    { "description, another", "\"description\":\"b\"", "\"description\":\"a\"", "description", "" },
    { "health path", "\"listen\":1,\"health\":{\"http\":\"/a\"}",
            "\"listen\":1,\"health\":{\"http\":\"/b\"}", "health", "" },
    { "health kind", "\"listen\":1,\"ready\":\"spawn\",\"health\":{\"http\":\"/a\"}",
            "\"listen\":1,\"ready\":\"spawn\",\"health\":{\"tcp\":true}", "health", "" },
    { "health command", "\"health\":{\"command\":[\"a\"]}", "\"health\":{\"command\":[\"b\"]}",
            "health", "" },
    { "health command, longer", "\"health\":{\"command\":[\"a\"]}",
            "\"health\":{\"command\":[\"a\",\"b\"]}", "health", "" },
    { "health interval", "\"listen\":1,\"health\":{\"tcp\":true}",
            "\"listen\":1,\"health\":{\"tcp\":true,\"interval\":\"1s\"}", "health", "" },
    { "health timeout", "\"listen\":1,\"health\":{\"tcp\":true}",
            "\"listen\":1,\"health\":{\"tcp\":true,\"timeout\":\"1s\"}", "health", "" },
    { "health failures", "\"listen\":1,\"health\":{\"tcp\":true}",
            "\"listen\":1,\"health\":{\"tcp\":true,\"failures\":1}", "health", "" },
    { "health start period", "\"listen\":1,\"health\":{\"tcp\":true}",
            "\"listen\":1,\"health\":{\"tcp\":true,\"start_period\":\"1s\"}", "health", "" },
    { "settle", "\"settle\":\"1s\"", "\"settle\":\"2s\"", "settle", "" },
    { "start_timeout", "\"start_timeout\":\"1s\"", "\"start_timeout\":\"2s\"", "start_timeout",
            "" },
    { "restart.when", "\"restart\":{\"when\":\"always\"}", "\"restart\":{\"when\":\"never\"}",
            "restart", "" },
    { "restart.delay", "\"restart\":{}", "\"restart\":{\"delay\":\"1s\"}", "restart", "" },
    { "restart.max_delay", "\"restart\":{}", "\"restart\":{\"max_delay\":\"1h\"}", "restart", "" },
    { "restart.factor", "\"restart\":{}", "\"restart\":{\"factor\":3}", "restart", "" },
    { "restart.burst", "\"restart\":{}", "\"restart\":{\"burst\":3}", "restart", "" },
    { "restart.within", "\"restart\":{}", "\"restart\":{\"within\":\"1h\"}", "restart", "" },
    { "restart.prevent_on, another", "\"restart\":{\"prevent_on\":[1]}",
            "\"restart\":{\"prevent_on\":[2]}", "restart", "" },
    { "restart.prevent_on, one more", "\"restart\":{\"prevent_on\":[1]}",
            "\"restart\":{\"prevent_on\":[1,2]}", "restart", "" },
    { "restart.on_unhealthy", "\"restart\":{}", "\"restart\":{\"on_unhealthy\":false}", "restart",
            "" },
    { "replace", "\"listen\":1,\"ready\":\"notify\",\"replace\":\"sequential\"",
            "\"listen\":1,\"ready\":\"notify\",\"replace\":\"overlap\"", "replace", "" },
    { "stop.signal", "\"stop\":{}", "\"stop\":{\"signal\":\"INT\"}", "stop", "" },
    { "stop.timeout", "\"stop\":{}", "\"stop\":{\"timeout\":\"1s\"}", "stop", "" },
    { "stop.command", "\"stop\":{}", "\"stop\":{\"command\":[\"a\"]}", "stop", "" },
    { "duplicate", "\"duplicate\":\"refuse\"", "\"duplicate\":\"standby\"", "duplicate", "" },
    { "probe_timeout", "\"probe_timeout\":\"1s\"", "\"probe_timeout\":\"3s\"", "probe_timeout",
            "" },
    { "bind_timeout", "\"bind_timeout\":\"1s\"", "\"bind_timeout\":\"3s\"", "bind_timeout", "" },
    { "rivals, another job", "\"rivals\":[{\"systemd\":\"a\"}]", "\"rivals\":[{\"systemd\":\"b\"}]",
            "rivals", "" },
    { "rivals, another launcher", "\"rivals\":[{\"systemd\":\"a\"}]",
            "\"rivals\":[{\"launchd\":\"a\"}]", "rivals", "" },
    { "rivals, none", "\"rivals\":[{\"systemd\":\"a\"}]", "\"rivals\":[]", "rivals", "" },
    { "depends_on, another", "\"depends_on\":[\"a\"]", "\"depends_on\":[\"b\"]", "depends_on", "" },
    { "depends_on, one more", "\"depends_on\":[\"a\"]", "\"depends_on\":[\"a\",\"b\"]",
            "depends_on", "" },
    { "logs.max_size", "\"logs\":{}", "\"logs\":{\"max_size\":\"1MiB\"}", "logs", "" },
    { "logs.keep", "\"logs\":{}", "\"logs\":{\"keep\":1}", "logs", "" },
    { "logs.timestamps", "\"logs\":{}", "\"logs\":{\"timestamps\":false}", "logs", "" },

    { "directory", "\"umask\":\"022\"", "\"directory\":\"/srv\"", "", "directory" },
    { "umask", "\"umask\":\"022\"", "\"umask\":\"077\"", "", "umask" },
    { "nice", "\"nice\":1", "\"nice\":2", "", "nice" },
    { "nice 0 is not the same as none", "\"umask\":\"022\"", "\"nice\":0", "", "nice" },
    { "environment value", "\"environment\":{\"A\":\"1\"}", "\"environment\":{\"A\":\"2\"}", "",
            "environment" },
    { "environment name", "\"environment\":{\"A\":\"1\"}", "\"environment\":{\"B\":\"1\"}", "",
            "environment" },
    { "environment unset", "\"environment\":{\"A\":\"1\"}", "\"environment\":{\"A\":null}", "",
            "environment" },
    { "environment, less", "\"environment\":{\"A\":\"1\"}", "\"environment\":{}", "",
            "environment" },
    { "environment_file", "\"environment_file\":\"/a\"", "\"environment_file\":\"/b\"", "",
            "environment_file" },
    { "environment_file, optional", "\"environment_file\":\"/a\"", "\"environment_file\":\"-/a\"",
            "", "environment_file" },
    { "environment_file, two", "\"environment_file\":\"/a\"",
            "\"environment_file\":[\"/a\",\"/b\"]", "", "environment_file" },
    { "user", "\"user\":\"a\"", "\"user\":\"b\"", "", "user" },
    { "group", "\"group\":\"a\"", "\"group\":\"b\"", "", "group" },
    { "limits", "\"limits\":{\"nofile\":64}", "\"limits\":{\"nofile\":32}", "", "limits" },
    { "listen, another port", "\"listen\":1", "\"listen\":2", "", "listen" },
    { "listen, another name", "\"listen\":1", "\"listen\":{\"port\":1,\"name\":\"b\"}", "",
            "listen" },
    { "listen, another kind of socket", "\"listen\":{\"port\":1,\"socket\":\"self\"}",
            "\"listen\":{\"port\":1,\"socket\":\"inherit\"}", "", "listen" },
    { "listen, one more", "\"listen\":1", "\"listen\":[1,2]", "", "listen" },
    { "listen_pid", "\"listen\":1", "\"listen\":1,\"listen_pid\":false", "", "listen_pid" },
    { "ready", "\"replace\":\"sequential\",\"ready\":\"notify\"",
            "\"replace\":\"sequential\",\"ready\":\"spawn\"", "", "ready" },
    { "watchdog", "\"watchdog\":\"1s\"", "\"watchdog\":\"2s\"", "", "watchdog" },
    { "logs.destination", "\"logs\":{}", "\"logs\":{\"destination\":\"inherit\"}", "",
            "logs.destination" },
    { "logs.streams", "\"logs\":{}", "\"logs\":{\"streams\":\"separate\"}", "", "logs.streams" },

    { "several", "\"nice\":1,\"settle\":\"1s\"", "\"umask\":\"077\",\"description\":\"x\"",
            "description settle", "umask nice" },
};

static void join(const char *const *keys, size_t count, char *ret_text, size_t size)
{
    ret_text[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        size_t used = strlen(ret_text);

        (void)snprintf(ret_text + used, size - used, "%s%s", i > 0 ? " " : "", keys[i]);
    }
}

static void check_diff(const char *row, const struct config *from, const struct config *to,
        const char *live, const char *restart)
{
    struct config_diff diff;
    char text[512];

    config_diff(from, to, &diff);
    join(diff.live, diff.live_count, text, sizeof text);
    CHECK_TEXT(row, text, live);
    join(diff.restart, diff.restart_count, text, sizeof text);
    CHECK_TEXT(row, text, restart);
}

static void tells_what_changed(void **state)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct config before = parsed_with(rows[i].before);
        struct config after = parsed_with(rows[i].after);

        check_diff(rows[i].name, &before, &after, rows[i].live, rows[i].restart);
        check_diff(rows[i].name, &after, &before, rows[i].live, rows[i].restart);
        check_diff(rows[i].name, &before, &before, "", "");
        config_free(&before);
        config_free(&after);
    }
}

/* After the live keys were copied only those are different that need a restart. */
static void applies_what_is_live(void **state)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct config before = parsed_with(rows[i].before);
        struct config after = parsed_with(rows[i].after);

        config_apply_live(&after, &before);
        check_diff(rows[i].name, &before, &after, "", rows[i].restart);
        config_free(&before);
        config_free(&after);
    }
}

static void tells_another_command(void **state)
{
    struct config one = parsed("{\"command\":[\"a\",\"b\"]}");
    struct config other = parsed("{\"command\":[\"a\",\"c\"]}");

    check_diff("command", &one, &other, "", "command");
    config_free(&one);
    config_free(&other);
}

/* Every key of the table is told by some row, so that a new one cannot be forgotten. */
static void knows_every_key(void **state)
{
    size_t count;
    const struct config_key *all = config_keys(&count);

    for (size_t i = 0; i < count; i++) {
        size_t length = strcspn(all[i].path, ".");
        bool told = strcmp(all[i].path, "command") == 0;

        for (size_t k = 0; k < COUNT_OF(rows); k++)
            told = told || strncmp(rows[k].live, all[i].path, length) == 0 ||
                    strncmp(rows[k].restart, all[i].path, length) == 0;
        CHECK(all[i].path, told);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_what_changed),
        cmocka_unit_test(applies_what_is_live),
        cmocka_unit_test(tells_another_command),
        cmocka_unit_test(knows_every_key),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
