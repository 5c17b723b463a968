/* What configurations are refused for: each fault at its exact place, all of them at once. */
#include "unit.h"

#include "buffer.h"
#include "config.h"

#include "banned.h"

#define FAULTS_PER_ROW 4

/* "LINE:COLUMN " and how the sentence begins, or "LINE:COLUMN ~" and a part of it. */
struct row {
    const char *text;
    const char *faults[FAULTS_PER_ROW];
};

static void check_fault(const char *text, const struct json_fault *fault, const char *expected)
{
    char found[JSON_FAULT_TEXT_BYTES + 32];
    const char *part = strchr(expected, '~');
    size_t length = part == NULL ? strlen(expected) : (size_t)(part - expected);

    (void)snprintf(found, sizeof found, "%zu:%zu %s", fault->line, fault->column, fault->text);
    if (strncmp(found, expected, length) != 0 || (part != NULL && strstr(found, part + 1) == NULL))
        fail_msg("in %s\n  found    %s\n  expected %s", text, found, expected);
}

static void check_row_for(const struct abilities *abilities, const char *text,
        const char *const *expected, size_t most)
{
    struct config config;
    struct json_faults faults = { 0 };
    size_t count = 0;

    while (count < most && expected[count] != NULL)
        count++;
    if (config_parse_for(abilities, "web", text, strlen(text), &config, &faults) != -1)
        fail_msg("accepted: %s", text);
    for (size_t i = 0; i < faults.count && i < count; i++)
        check_fault(text, &faults.list[i], expected[i]);
    if (faults.count != count)
        fail_msg("in %s: %zu faults, expected %zu; the next is %s", text, faults.count, count,
                faults.count > count ? faults.list[count].text : expected[faults.count]);
    json_faults_free(&faults);
}

static void check_row(const char *text, const char *const *expected, size_t most)
{
    check_row_for(NULL, text, expected, most);
}

/* Rows whose text stands behind the command, from column 18 on. */
static void check_members(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char text[1024];

        (void)snprintf(text, sizeof text, "{\"command\":[\"x\"],%s}", rows[i].text);
        check_row(text, rows[i].faults, FAULTS_PER_ROW);
    }
}

static void the_text_as_a_whole(void **state)
{
    static const struct row rows[] = {
        { "", { "1:1 the text ends here; expected a value" } },
        { "{\n \"command\": [\"x\"]\n", { "3:1 the text ends here; expected ',' or '}'" } },
        { "{\"command\": [\"x\xFF\"]}", { "1:16 invalid UTF-8" } },
        { "[]", { "1:1 a configuration is an object" } },
        { "\"x\"", { "1:1 a configuration is an object" } },
        { "null", { "1:1 a configuration is an object" } },
        { "\n{}", { "2:1 \"command\" is missing" } },
        { "{\"name\":\"web\"}", { "1:1 \"command\" is missing", "1:2 unknown key \"name\"" } },
        { "{\"command\":[\"x\"]} x", { "1:19 ~expected the end of the text" } },
        { "{\"command\":[\"x\"],\n\"nice\":1,\"nice\":99}",
                { "2:10 duplicate key \"nice\"", "2:17 nice: must be a whole number" } },
        { "{\"command\":[\"x\"],\"a\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]"
          "]]]]]]}",
                { "1:53 nested deeper than 32" } },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++)
        check_row(rows[i].text, rows[i].faults, FAULTS_PER_ROW);
}

static void too_long(void **state)
{
    char *text = malloc(CONFIG_MAX_BYTES + 1);
    struct config config;
    struct json_faults faults = { 0 };

    memset(text, ' ', CONFIG_MAX_BYTES + 1);
    memcpy(text, "{\"command\":[\"x\"]}", 17);
    assert_int_equal(config_parse("web", text, CONFIG_MAX_BYTES, &config, &faults), 0);
    config_free(&config);
    assert_int_equal(config_parse("web", text, CONFIG_MAX_BYTES + 1, &config, &faults), -1);
    assert_int_equal(faults.count, 1);
    check_fault("(long)", &faults.list[0], "1:1 longer than 1048576 bytes");
    json_faults_free(&faults);
    free(text);
}

static void keys(void **state)
{
    static const struct row rows[] = {
        { "\"comand\":[]", { "1:18 unknown key \"comand\"; did you mean \"command\"?" } },
        { "\"Nice\":1", { "1:18 unknown key \"Nice\"; did you mean \"nice\"?" } },
        { "\"zzzzz\":1", { "1:18 unknown key \"zzzzz\"" } },
        { "\"restart\":{\"brust\":1}", { "1:29 unknown key \"brust\"; did you mean \"burst\"?" } },
        { "\"restart\":{\"nice\":1}", { "1:29 unknown key \"nice\" in restart" } },
        { "\"restart.burst\":1", { "1:18 unknown key \"restart.burst\"" } },
        { "\"health\":{\"command\":[\"x\"],\"intervall\":1}",
                { "1:44 unknown key \"intervall\"; did you mean \"interval\"?" } },
        { "\"listen\":{\"prot\":1}", { "1:28 unknown key \"prot\"; did you mean \"port\"?" } },
        { "\"listen\":[1,{\"port\":2,\"backlogs\":1}]",
                { "1:40 unknown key \"backlogs\"; did you mean \"backlog\"?" } },
        { "\"rivals\":[{\"sytemd\":\"a\"}]",
                { "1:29 unknown key \"sytemd\"; did you mean \"systemd\"?" } },
        { "\"a\\nb\":1", { "1:18 unknown key \"a?b\"" } },
        { "\"logs\":{\"keep\":1,\"keep\":2}", { "1:35 duplicate key \"keep\": keep one" } },
        { "\"environment\":{\"A\":\"1\",\"A\":\"2\"}", { "1:41 duplicate key \"A\"" } },
        { "\"k\":1,\"e\":2,\n\"nise\":3",
                { "1:18 unknown key \"k\"", "1:24 unknown key \"e\"",
                        "2:1 unknown key \"nise\"; did you mean" } },
    };

    check_members(rows, COUNT_OF(rows));
}

static void types_of_single_values(void **state)
{
    static const struct row rows[] = {
        { "\"description\":5", { "1:32 description: must be a string of one line, not 5" } },
        { "\"description\":\"a\\nb\"",
                { "1:32 description: must be a string of one line, not "
                  "\"a?b\"" } },
        { "\"description\":\"\\u007f\"", { "1:32 description:" } },
        { "\"directory\":\"srv\"",
                { "1:30 directory: must be an absolute path, or one that begins "
                  "with ~/, not \"srv\"" } },
        { "\"directory\":\"\"", { "1:30 directory:" } },
        { "\"directory\":\"~\"", { "1:30 directory:" } },
        { "\"directory\":\"~bob/x\"", { "1:30 directory:" } },
        { "\"directory\":\"./x\"", { "1:30 directory:" } },
        { "\"directory\":\"C:x\"", { "1:30 directory:" } },
        { "\"directory\":\"\\\\x\"", { "1:30 directory:" } },
        { "\"umask\":22",
                { "1:26 umask: must be an octal number of three or four digits from "
                  "\"000\" to \"777\", not 22 (in quotes, since JSON has no octal" } },
        { "\"umask\":\"22\"", { "1:26 ~not \"22\"" } },
        { "\"nice\":\"5\"", { "1:25 nice: must be a whole number from -20 to 19, not \"5\"" } },
        { "\"nice\":true", { "1:25 ~not true" } },
        { "\"nice\":null", { "1:25 ~not null" } },
        { "\"user\":\"\"",
                { "1:25 user: must be a string of one line that is not empty, not \"\"" } },
        { "\"group\":\"\"", { "1:26 group:" } },
        { "\"listen_pid\":\"true\"", { "1:31 listen_pid: must be true or false, not \"true\"" } },
        { "\"listen_pid\":1", { "1:31 listen_pid: must be true or false, not 1" } },
        { "\"ready\":\"notfy\"",
                { "1:26 ready: must be one of \"health\", \"notify\" or \"spawn\", "
                  "not \"notfy\"; did you mean \"notify\"?" } },
        { "\"ready\":\"Spawn\"", { "1:26 ~did you mean \"spawn\"?" } },
        { "\"duplicate\":\"zzz\"",
                { "1:30 duplicate: must be one of \"refuse\", \"standby\" or "
                  "\"takeover\", not \"zzz\"" } },
        { "\"replace\":[]",
                { "1:28 replace: must be one of \"overlap\" or \"sequential\", not a "
                  "list" } },
        { "\"settle\":\"1x\"",
                { "1:27 settle: must be a duration from 0ms to 1h, not \"1x\" (as "
                  "in \"250ms\", \"2s\", \"5m\", \"1h\", or a number of" } },
        { "\"settle\":-1", { "1:27 ~not -1" } },
        { "\"settle\":{}", { "1:27 ~not an object" } },
        { "\"settle\":\"61m\"", { "1:27 ~from 0ms to 1h, not \"61m\"" } },
        { "\"watchdog\":\"50ms\"",
                { "1:29 watchdog: must be \"off\", false, or a duration from "
                  "100ms to 1d, not \"50ms\"" } },
        { "\"watchdog\":true", { "1:29 ~not true" } },
        { "\"watchdog\":\"on\"", { "1:29 ~not \"on\"" } },
        { "\"watchdog\":0", { "1:29 ~not 0" } },
        { "\"logs\":{\"max_size\":\"1kib\"}",
                { "1:37 logs.max_size: must be a size from 1KiB to "
                  "1TiB, not \"1kib\"" } },
        { "\"logs\":{\"streams\":\"both\"}",
                { "1:36 logs.streams: must be one of \"merged\" or "
                  "\"separate\", not \"both\"" } },
        { "\"logs\":{\"destination\":\"journald\"}", { "1:40 ~did you mean \"journal\"?" } },
        { "\"logs\":\"file\"", { "1:25 logs: must be an object in braces, not \"file\"" } },
        { "\"restart\":\"always\"", { "1:28 restart: must be an object in braces, not" } },
        { "\"limits\":[]", { "1:27 limits: must be an object in braces, not a list" } },
        { "\"limits\":{\"nofile\":\"many\"}",
                { "1:37 limits.nofile: must be \"unlimited\" or a "
                  "whole number from 3 to 1073741824, not \"many\"" } },
        { "\"limits\":{\"memory\":512}",
                { "1:37 limits.memory: must be \"unlimited\" or a size from "
                  "1MiB to 1024TiB, not 512" } },
        { "\"limits\":{\"cpu\":\"90ms\"}",
                { "1:34 limits.cpu: must be \"unlimited\" or a duration "
                  "of whole seconds from 1s to 365d, not \"90ms\"" } },
        { "\"stop\":{\"signal\":\"STOP\"}",
                { "1:35 stop.signal: must be the name of a signal, not "
                  "\"STOP\" (as in \"TERM\" or \"INT\"" } },
        { "\"description\":\"a long text that nobody reads in a fault\\n but goes on and on and "
          "on\"",
                { "1:32 ~not \"a long text that nobody reads in a fault? but goes on and "
                  "on...\"" } },
        { "\"restart\":{\"burst\":101,\"factor\":\"2\"}",
                { "1:37 restart.burst: must be a whole number from 0 to 100, not 101",
                        "1:50 restart.factor: must be a number from 1 to 10, not \"2\"" } },
    };

    check_members(rows, COUNT_OF(rows));
}

static void commands_and_tokens(void **state)
{
    static const struct row rows[] = {
        { "{\"command\":\"x\"}",
                { "1:12 command: must be a list of strings, as in [\"python3\", "
                  "\"server.py\"]; no shell reads it" } },
        { "{\"command\":[]}", { "1:12 command: must be a list" } },
        { "{\"command\":{}}", { "1:12 command: must be a list" } },
        { "{\"command\":{\"a\":\"x\"}}", { "1:12 command: must be a list" } },
        { "{\"command\":[\"\"]}", { "1:13 command: the first word is the program" } },
        { "{\"command\":[8080]}", { "1:13 command: must be a string; write \"8080\" with its" } },
        { "{\"command\":[\"x\",\n8080, true, null, [\"y\"]]}",
                { "2:1 command: must be a string; write \"8080\"",
                        "2:7 command: must be a string; write \"true\"",
                        "2:13 command: must be a string, not null",
                        "2:19 command: must be a string, not a list" } },
        { "{\"command\":[\"x\",\"{prot}\"]}",
                { "1:17 unknown token {prot}; did you mean {port}?" } },
        { "{\"command\":[\"x\",\"{port}\"]}", { "1:17 {port}: the service has no \"listen\"" } },
        { "{\"command\":[\"x\",\"{port:a}\", \"{url:http}\"],\"listen\":1}",
                { "1:17 {port:a}: there is no listener \"a\"" } },
        { "{\"command\":[\"{fd\",\"{name:x}\"]}", { "1:19 {name:: the service's name" } },
        { "{\"command\":[\"x\",\"{port}\"],\"listen\":\"unix:/a\"}",
                { "1:17 {port}: a Unix socket has no port" } },
        { "{\"command\":[\"x\"],\"environment\":{\"A\":\"${HOME}\"}}",
                { "1:37 unknown token {HOME}" } },
        { "{\"command\":[\"x\"],\"health\":{\"command\":[\"c\",\"{x}\"]}}",
                { "1:43 unknown token {x}" } },
        { "{\"command\":[\"x\"],\"stop\":{\"command\":[\"{x}\"]}}", { "1:37 unknown token {x}" } },
        { "{\"command\":[\"x\"],\"stop\":{\"command\":\"x\"}}",
                { "1:36 stop.command: must be a" } },
        /* A listener with a fault is a listener: its tokens are not faults too. */
        { "{\"command\":[\"x\",\"{port}\",\"{port:b}\"],\"listen\":[true,{\"name\":\"b\"}]}",
                { "1:48 listen: must be a port", "1:53 listen: a listener needs \"address\"" } },
        { "{\"command\":[\"x\",\"{port:9}\"],\"listen\":{\"port\":1,\"name\":\"9\"}}",
                { "1:55 listen.name: must be a letter" } },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++)
        check_row(rows[i].text, rows[i].faults, FAULTS_PER_ROW);
}

static void lists(void **state)
{
    static const struct row rows[] = {
        { "\"environment\":[\"A=1\"]", { "1:32 environment: must be an object" } },
        { "\"environment\":{\"A\":1,\"B\":true,\"C\":[]}",
                { "1:37 environment.A: must be a string; write \"1\" with its quotes",
                        "1:43 environment.B: must be a string; write \"true\"",
                        "1:52 environment.C: must be a string, not a list" } },
        { "\"environment\":{\"\":\"1\",\"A=B\":\"2\"}",
                { "1:33 environment.: the name of a variable is not empty and has no '='",
                        "1:40 environment.A=B: the name" } },
        { "\"environment_file\":\"etc/x\"", { "1:37 environment_file: must be an absolute path" } },
        { "\"environment_file\":\"-\"", { "1:37 environment_file:" } },
        { "\"environment_file\":\"/a\\nb\"", { "1:37 environment_file: ~not \"/a?b\"" } },
        { "\"environment_file\":5", { "1:37 environment_file: ~not 5" } },
        { "\"environment_file\":{\"a\":1}", { "1:37 environment_file: ~not an object" } },
        { "\"environment_file\":[\"/x\",\"x\",5,[\"/x\"]]",
                { "1:43 environment_file: ~not \"x\"", "1:47 ~not 5", "1:49 ~not a list" } },
        { "\"restart\":{\"prevent_on\":5}", { "1:42 restart.prevent_on: must be a list of exit" } },
        { "\"restart\":{\"prevent_on\":[256,-1,\"1\",1.5]}",
                { "1:43 restart.prevent_on: must be an exit code from 0 to 255, not 256",
                        "1:47 ~not -1", "1:50 ~not \"1\"", "1:54 ~not 1.5" } },
        { "\"restart\":{\"prevent_on\":[0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,"
          "23,"
          "24,25,26,27,28,29,30,31,32,33]}",
                { "1:129 restart.prevent_on: has more than 32 codes" } },
        { "\"depends_on\":\"db\"", { "1:31 depends_on: must be a list of names" } },
        { "\"depends_on\":[\"a b\",5,\"\"]",
                { "1:32 depends_on: must be a name of 1 to 64 letters",
                        "1:38 depends_on: must be a string", "1:40 ~not \"\"" } },
        { "\"depends_on\":[\"WEB\"]", { "1:32 depends_on: a service cannot depend on itself" } },
        { "\"depends_on\":[\"a\",\"b\",\"A\"]",
                { "1:40 depends_on: \"a\" stands in the list twice" } },
        { "\"depends_on\":[\"con\"]",
                { "1:32 depends_on: must be a name that is not the name of a "
                  "Windows device" } },
        { "\"rivals\":{\"systemd\":\"a\"}", { "1:27 rivals: must be a list, as in" } },
        { "\"rivals\":[\"a\",{},{\"systemd\":\"a\",\"winsvc\":\"b\"},{\"launchd\":\"\"}]",
                { "1:28 rivals: each is an object with one of", "1:32 rivals: each is",
                        "1:35 rivals: each is",
                        "1:75 rivals.launchd: must be a string of one line that is not empty" } },
    };

    check_members(rows, COUNT_OF(rows));
}

static void listeners(void **state)
{
    static const struct row rows[] = {
        { "\"listen\":true", { "1:27 listen: must be a port from 0 to 65535, an address as in" } },
        { "\"listen\":null", { "1:27 listen: must be a port" } },
        { "\"listen\":70000", { "1:27 ~not 70000" } },
        { "\"listen\":-1", { "1:27 ~not -1" } },
        { "\"listen\":80.5", { "1:27 ~not 80.5" } },
        { "\"listen\":\"8787\"", { "1:27 listen: \"8787\": write an address and a port, as in" } },
        { "\"listen\":\"localhost\"",
                { "1:27 listen: \"localhost\": write an address and a port" } },
        { "\"listen\":\"localhost:99999\"", { "1:27 ~port must be a number" } },
        { "\"listen\":\"localhost:"
          "000000000000000000000000000000000000000000000000000000000000000000000"
          "000000000000000000000000000000000000000000000000000000000000000000080\"",
                { "1:27 ~port must be a number" } },
        { "\"listen\":\"localhosts:1\"", { "1:27 ~not an IP address" } },
        { "\"listen\":\"example.com:80\"", { "1:27 ~not an IP address; write one, or localhost" } },
        { "\"listen\":\"::1:80\"", { "1:27 ~brackets" } },
        { "\"listen\":\"unix:x\"", { "1:27 ~must be absolute" } },
        { "\"listen\":[[1]]", { "1:28 listen: must be a port" } },
        { "\"listen\":{}", { "1:27 listen: a listener needs \"address\" or \"port\"" } },
        { "\"listen\":{\"name\":\"a\"}", { "1:27 listen: a listener needs" } },
        { "\"listen\":{\"address\":\"127.0.0.1\"}",
                { "1:38 listen.address: the port is missing" } },
        { "\"listen\":{\"address\":\"localhost\"}",
                { "1:38 listen.address: the port is missing" } },
        { "\"listen\":{\"address\":\"127.0.0.1:1\",\"port\":2}",
                { "1:59 listen.port: \"127.0.0.1:1\" has its port already" } },
        { "\"listen\":{\"address\":\"unix:/a\",\"port\":2}",
                { "1:55 listen.port: \"unix:/a\" has no port" } },
        { "\"listen\":{\"address\":\"zzz\",\"port\":2}",
                { "1:38 listen.address: \"zzz\": write an address" } },
        { "\"listen\":{\"address\":5,\"port\":2}", { "1:38 listen.address: must be a string" } },
        { "\"listen\":{\"port\":\"8787\"}",
                { "1:35 listen.port: must be a whole number from 0 to 65535, not \"8787\"" } },
        { "\"listen\":{\"port\":1,\"mode\":\"600\"}",
                { "1:44 listen.mode: only a Unix socket has permissions" } },
        { "\"listen\":{\"address\":\"unix:/a\",\"mode\":600}",
                { "1:55 listen.mode: must be an octal" } },
        { "\"listen\":{\"port\":1,\"backlog\":0}", { "1:47 listen.backlog: must be a whole" } },
        { "\"listen\":{\"port\":1,\"name\":\"9a\"}",
                { "1:44 listen.name: must be a letter and then "
                  "up to 31 letters" } },
        { "\"listen\":{\"port\":1,\"name\":\"a.b\"}", { "1:44 listen.name: ~not \"a.b\"" } },
        { "\"listen\":{\"port\":1,\"name\":\"a23456789012345678901234567890123\"}",
                { "1:44 listen.name:" } },
        { "\"listen\":{\"port\":1,\"name\":\"\"}", { "1:44 listen.name:" } },
        { "\"listen\":{\"port\":1,\"socket\":\"own\"}", { "1:46 listen.socket: must be one of" } },
        { "\"listen\":{\"port\":1,\"both\":true,\"socket\":\"inherit\"}",
                { "1:44 listen.both: needs the address \"localhost\"" } },
        { "\"listen\":{\"address\":\"unix:/a\",\"both\":true,\"socket\":\"inherit\"}",
                { "1:55 listen.both: needs the address" } },
        { "\"listen\":{\"address\":\"localhost:1\",\"both\":true}",
                { "1:59 listen.both: passes two sockets, and with \"self\" none" } },
        { "\"listen\":{\"address\":\"localhost:1\",\"both\":true,\"socket\":\"self\"},"
          "\"ready\":\"notify\"",
                { "1:59 listen.both: passes two sockets" } },
        { "\"listen\":{\"address\":\"zzz:1\",\"both\":true,\"socket\":\"inherit\"}",
                { "1:38 listen.address:" } },
        { "\"listen\":[1,\"zzz:1\"]", { "1:30 listen: \"zzz:1\": not an IP address" } },
        { "\"listen\":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,true]",
                { "1:67 listen: has more than 16 listeners" } },
    };

    check_members(rows, COUNT_OF(rows));
}

static void listeners_that_clash(void **state)
{
    static const struct row rows[] = {
        { "\"listen\":[1,1]",
                { "1:30 listen: this address is the same as, or overlaps, 127.0.0.1:1 "
                  "of listener \"http\"" } },
        { "\"listen\":[1,2,1,1]", { "1:32 listen: this address", "1:34 listen: this address" } },
        { "\"listen\":[\"0.0.0.0:1\",\"127.0.0.1:1\"]", { "1:40 ~overlaps, 0.0.0.0:1" } },
        { "\"listen\":[\"127.0.0.1:1\",\"0.0.0.0:1\"]", { "1:42 ~overlaps, 127.0.0.1:1" } },
        { "\"listen\":[\"[::]:1\",\"127.0.0.1:1\"]", { "1:37 ~overlaps, [::]:1" } },
        { "\"listen\":[\"127.0.0.1:1\",\"localhost:1\"]", { "1:42 ~overlaps" } },
        { "\"listen\":[\"[::1]:1\",\"localhost:1\"]", { "1:38 ~overlaps" } },
        { "\"listen\":[\"localhost:1\",\"[::1]:1\"]", { "1:42 ~overlaps" } },
        { "\"listen\":[\"unix:/a\",\"unix:/a\"]", { "1:38 ~overlaps, unix:/a" } },
        { "\"listen\":[{\"port\":1,\"name\":\"a\"},{\"port\":2,\"name\":\"a\"}]",
                { "1:67 listen: two listeners are called \"a\"; give one another \"name\"" } },
        { "\"listen\":[{\"port\":1,\"name\":\"listener2\"},2]",
                { "1:58 listen: two listeners are called \"listener2\"" } },
        { "\"listen\":[{\"port\":1,\"name\":\"a\"},{\"port\":1,\"name\":\"a\"}]",
                { "1:50 listen: this address", "1:67 listen: two listeners" } },
    };

    check_members(rows, COUNT_OF(rows));
}

static void keys_that_contradict(void **state)
{
    static const struct row rows[] = {
        { "\"health\":{}", { "1:27 health: needs one of \"http\", \"tcp\" or \"command\"" } },
        { "\"health\":{\"interval\":1}", { "1:27 health: needs one of" } },
        { "\"health\":5", { "1:27 health: must be an object" } },
        { "\"health\":{\"htpp\":\"/\"}", { "1:28 unknown key \"htpp\"; did you mean \"http\"?" } },
        { "\"health\":{\"http\":\"/\",\"tcp\":true},\"listen\":1",
                { "1:39 health: one of \"http\", \"tcp\" and \"command\" only" } },
        { "\"health\":{\"command\":[\"x\"],\"http\":\"/\"},\"listen\":1",
                { "1:28 health: one of" } },
        { "\"health\":{\"http\":\"/\"}", { "1:28 health.http: there is nothing to connect to" } },
        { "\"health\":{\"tcp\":true},\"listen\":[]", { "1:28 health.tcp: there is nothing" } },
        { "\"health\":{\"tcp\":false},\"listen\":1",
                { "1:34 health.tcp: must be true, not false (leave it out for no check)" } },
        { "\"health\":{\"http\":\"health\"},\"listen\":1",
                { "1:35 health.http: must be a path that begins with '/'" } },
        { "\"health\":{\"http\":\"/a b\"},\"listen\":1", { "1:35 health.http:" } },
        { "\"health\":{\"http\":\"/\\u00e9\"},\"listen\":1", { "1:35 health.http:" } },
        { "\"health\":{\"http\":\"/\\u007f\"},\"listen\":1", { "1:35 health.http:" } },
        { "\"health\":{\"http\":\"\"},\"listen\":1", { "1:35 health.http:" } },
        { "\"ready\":\"health\"", { "1:26 ready: there is no \"health\" that could say so" } },
        { "\"ready\":\"health\",\"health\":{}", { "1:44 health: needs one of" } },

        { "\"replace\":\"overlap\"",
                { "1:28 replace: \"overlap\" needs \"ready\": \"notify\" or a "
                  "health.command, since an answer on a shared socket",
                        "1:28 replace: \"overlap\" needs listeners that all" } },
        { "\"replace\":\"overlap\",\"ready\":\"notify\"",
                { "1:28 replace: \"overlap\" needs listen" } },
        { "\"replace\":\"overlap\",\"listen\":1,\"health\":{\"command\":[\"x\"]}",
                { "1:28 replace: \"overlap\" needs listeners that all are \"socket\": "
                  "\"inherit\"" } },
        { "\"replace\":\"overlap\",\"listen\":{\"port\":1,\"socket\":\"inherit\"},"
          "\"health\":{\"http\":\"/\"}",
                { "1:28 replace: \"overlap\" needs \"ready\"" } },
        { "\"replace\":\"overlap\",\"listen\":{\"port\":1,\"socket\":\"inherit\"}",
                { "1:28 replace: \"overlap\" needs \"ready\"" } },
        { "\"replace\":\"overlap\",\"ready\":\"notify\",\"listen\":[1,{\"port\":2,\"socket\":"
          "\"self\"}]",
                { "1:28 replace: \"overlap\" needs listeners" } },
        { "\"listen\":{\"port\":1,\"socket\":\"self\"},\"environment\":{\"A\":\"{fd}\"}",
                { "1:46 listen.socket: \"self\" passes no socket, but {fd} is used" } },
        { "\"listen\":[1,{\"port\":2,\"socket\":\"self\",\"name\":\"b\"}],"
          "\"environment\":{\"A\":\"{fd:b}\"}",
                { "1:49 listen.socket: \"self\" passes no socket" } },

        { "\"restart\":{\"delay\":\"2s\",\"max_delay\":\"1s\"}",
                { "1:54 restart.max_delay: is shorter than restart.delay" } },

        /* What would only follow from another fault is not told. */
        { "\"replace\":\"overlap\",\"ready\":\"notfy\",\"listen\":1",
                { "1:46 ready: must be one of" } },
        { "\"replace\":\"overlap\",\"ready\":\"notify\",\"listen\":true",
                { "1:64 listen: must be" } },
        { "\"replace\":\"overlap\",\"listen\":{\"port\":1,\"socket\":\"inherit\"},\"health\":5",
                { "1:86 health: must be" } },
        { "\"replace\":\"overlaps\"", { "1:28 replace: must be one of" } },
        { "\"listen\":{\"address\":\"localhost:1\",\"both\":true},\"ready\":5",
                { "1:73 ready: must" } },
        { "\"ready\":5,\"health\":{\"command\":[]}", { "1:26 ready:", "1:48 health.command:" } },
        { "\"ready\":[]", { "1:26 ready:" } },
        { "\"restart\":{\"delay\":\"2h\",\"max_delay\":\"1ms\"}", { "1:37 restart.delay: must" } },
        { "\"restart\":{\"delay\":\"1m\",\"max_delay\":\"1x\"}",
                { "1:54 restart.max_delay: must" } },
        { "\"listen\":{\"port\":\"x\",\"socket\":\"self\"},\"environment\":{\"A\":\"{fd}\"}",
                { "1:35 listen.port: must" } },
    };

    check_members(rows, COUNT_OF(rows));
}

static void a_path_that_is_too_long(void **state)
{
    char path[1026];
    char members[2048];
    static const char *const expected[] = { "1:35 health.http: must be a path" };
    struct json_faults faults = { 0 };
    struct config config;

    memset(path, '/', sizeof path - 1);
    path[1025] = '\0';
    (void)snprintf(members, sizeof members,
            "{\"command\":[\"x\"],\"health\":{\"http\":\"%s\"},\"listen\":1}", path);
    check_row(members, expected, COUNT_OF(expected));
    (void)snprintf(members, sizeof members,
            "{\"command\":[\"x\"],\"health\":{\"http\":\"%s\"},\"listen\":1}", path + 1);
    assert_int_equal(config_parse("web", members, strlen(members), &config, &faults), 0);
    assert_int_equal(strlen(config.health_path), 1024);
    config_free(&config);
}

static void all_at_once_and_sorted(void **state)
{
    static const char text[] = "// a comment, so that lines count\n"
                               "{\n"
                               "  \"comand\": [\"x\"],\n"
                               "  \"listen\": [8787, {\"port\": 8787}], \"nice\": 20,\n"
                               "  \"environment\": {\"PORT\": 1, \"A\": \"{prot}\"},\n"
                               "  /* \xC3\xA9 */ \"nice\": 5,\n"
                               "  \"replace\": \"overlap\"\n"
                               "}";
    static const char *const expected[] = {
        "2:1 \"command\" is missing",
        "3:3 unknown key \"comand\"; did you mean \"command\"?",
        "4:20 listen: this address",
        "4:45 nice: must be a whole number from -20 to 19, not 20",
        "5:27 environment.PORT: must be a string; write \"1\"",
        "5:35 unknown token {prot}",
        "6:11 duplicate key \"nice\"",
        "7:14 replace: \"overlap\" needs \"ready\"",
        "7:14 replace: \"overlap\" needs listeners",
    };

    check_row(text, expected, COUNT_OF(expected));
}

static void many_faults_are_fast_and_counted(void **state)
{
    struct buffer text = { 0 };
    struct json_faults faults = { 0 };
    struct config config;

    buffer_puts(&text, "{\"command\":[\"x\"]");
    for (int i = 0; i < 80000; i++)
        buffer_printf(&text, ",\n\"n%d\":1", i);
    buffer_puts(&text, "}");
    assert_int_equal(config_parse("web", text.data, text.length, &config, &faults), -1);
    assert_int_equal(faults.count, JSON_FAULTS_MAX);
    assert_int_equal(faults.dropped, 80000 - JSON_FAULTS_MAX);
    json_faults_free(&faults);
    buffer_free(&text);

    buffer_puts(&text, "{\"command\":[\"x\"],\"depends_on\":[\"a\"");
    for (int i = 0; i < 200000; i++)
        buffer_puts(&text, ",\"a\"");
    buffer_puts(&text, "]}");
    assert_int_equal(config_parse("web", text.data, text.length, &config, &faults), -1);
    assert_int_equal(faults.count, JSON_FAULTS_MAX);
    json_faults_free(&faults);
    buffer_free(&text);
}

static void too_many_dependencies(void **state)
{
    struct buffer text = { 0 };
    struct json_faults faults = { 0 };
    struct config config;

    buffer_puts(&text, "{\"command\":[\"x\"],\"depends_on\":[\"n0\"");
    for (int i = 1; i < CONFIG_DEPENDS_MAX; i++)
        buffer_printf(&text, ",\"n%d\"", i);
    buffer_puts(&text, "]}");
    assert_int_equal(config_parse("web", text.data, text.length, &config, &faults), 0);
    assert_int_equal(config.depends_on_count, CONFIG_DEPENDS_MAX);
    config_free(&config);
    text.length -= 2;
    buffer_puts(&text, ",\n\"more\",\"b c\"]}");
    assert_int_equal(config_parse("web", text.data, text.length, &config, &faults), -1);
    assert_int_equal(faults.count, 1);
    check_fault("(long)", &faults.list[0], "2:1 depends_on: has more than 256 names");
    json_faults_free(&faults);
    buffer_free(&text);
}

/* Faults that the caller had already stay, in their place. */
static void appends_to_the_list(void **state)
{
    struct json_faults faults = { 0 };
    struct config config = { .umask = 77 };

    json_fault_at("ab", 2, 1, &faults, "mine");
    assert_int_equal(config_parse("web", "{\"command\":[\"x\"]}", 17, &config, &faults), 0);
    config_free(&config);
    assert_int_equal(faults.count, 1);
    config.umask = 77;
    assert_int_equal(config_parse("web", "[]", 2, &config, &faults), -1);
    assert_int_equal(config.umask, 77); /* untouched */
    assert_int_equal(faults.count, 2);
    assert_string_equal(faults.list[1].text, "mine");
    json_faults_free(&faults);
}

static void check_taken(const struct abilities *abilities, const char *members)
{
    struct json_faults faults = { 0 };
    struct config config;
    char text[1024];

    (void)snprintf(text, sizeof text, "{\"command\":[\"x\"],%s}", members);
    if (config_parse_for(abilities, "web", text, strlen(text), &config, &faults) == -1)
        fail_msg("refused: %s: %s", text, faults.list[0].text);
    config_free(&config);
}

/* A system like Windows.  What it has is taken, and all of it is where everything is. */
static void what_a_system_has_not(void **state)
{
    static const char *const limits[] = { "memory", "cpu", NULL };
    static const char *const signals[] = { "TERM", "KILL", NULL };
    static const char *const logs[] = { "file", "inherit", NULL };
    static const struct abilities poor = {
        .name = "Sys",
        .limits = limits,
        .limits_text = "memory and cpu",
        .signals = signals,
        .signals_text = "TERM and KILL",
        .logs = logs,
        .logs_text = "files",
    };
    static const struct abilities rich = { .name = "Sys",
        .notifies = true,
        .groups = true,
        .umasks = true,
        .limits = limits,
        .signals = signals };
    static const struct row rows[] = {
        { "\"ready\":\"notify\"", { "1:26 ready: Sys has no notification sockets" } },
        { "\"watchdog\":\"5s\"", { "1:29 watchdog: Sys has no notification sockets" } },
        { "\"group\":\"g\"", { "1:26 group: on Sys a program has the groups of its user" } },
        { "\"umask\":\"077\"", { "1:26 umask: on Sys it is a directory that says who" } },
        { "\"limits\":{\"cpu\":9,\"core\":1,\"nofile\":\"x\"}",
                { "1:43 limits.core: Sys has no such limit, but memory and cpu", "1:54 ~limits" } },
        { "\"stop\":{\"signal\":\"HUP\"}",
                { "1:35 stop.signal: Sys has nothing like it; there are TERM and KILL" } },
        { "\"logs\":{\"destination\":\"journal\"}",
                { "1:40 logs.destination: Sys has no journal; there are files" } },
        { "\"logs\":{\"destination\":\"journals\"}", { "1:40 ~logs.destination" } },
    };
    static const char *const taken[] = {
        "\"ready\":\"spawn\",\"watchdog\":\"off\",\"user\":\"u\"",
        "\"limits\":{\"cpu\":9,\"memory\":\"1GiB\"}",
        "\"stop\":{\"signal\":\"SIGKILL\"}",
        "\"stop\":{\"timeout\":1}",
        "\"logs\":{\"destination\":\"inherit\",\"keep\":3}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[1024];

        (void)snprintf(text, sizeof text, "{\"command\":[\"x\"],%s}", rows[i].text);
        check_row_for(&poor, text, rows[i].faults, FAULTS_PER_ROW);
    }
    for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++)
        check_taken(&poor, taken[i]);
    for (size_t i = 0; i < 4; i++)
        check_taken(&rich, rows[i].text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_text_as_a_whole),
        cmocka_unit_test(too_long),
        cmocka_unit_test(keys),
        cmocka_unit_test(types_of_single_values),
        cmocka_unit_test(commands_and_tokens),
        cmocka_unit_test(lists),
        cmocka_unit_test(listeners),
        cmocka_unit_test(listeners_that_clash),
        cmocka_unit_test(keys_that_contradict),
        cmocka_unit_test(a_path_that_is_too_long),
        cmocka_unit_test(all_at_once_and_sorted),
        cmocka_unit_test(many_faults_are_fast_and_counted),
        cmocka_unit_test(too_many_dependencies),
        cmocka_unit_test(appends_to_the_list),
        cmocka_unit_test(what_a_system_has_not),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
