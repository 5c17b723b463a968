/* Listeners, and the rules that decide sockets, readiness and replacement. */
#include "config_text.h"

#include "banned.h"

/* "http=127.0.0.1:8787/self" and so on, one word a listener. */
static void describe_listeners(const struct config *config, char *text, size_t size)
{
    size_t at = 0;

    text[0] = '\0';
    for (size_t i = 0; i < config->listener_count; i++) {
        const struct config_listener *listener = &config->listeners[i];
        char address[ADDRESS_TEXT_BYTES];

        address_format(&listener->address, address, sizeof address);
        (void)snprintf(text + at, size - at, "%s%s=%s/%s%s%s%s", i > 0 ? " " : "", listener->name,
                address, config_socket_word(listener->socket), listener->socket_set ? "!" : "",
                listener->localhost ? "/localhost" : "", listener->both ? "/both" : "");
        at = strlen(text);
    }
}

static void reads_listeners(void **state)
{
    static const struct {
        const char *listen;
        const char *listeners;
    } rows[] = {
        { "8787", "http=127.0.0.1:8787/self" },
        { "0", "http=127.0.0.1:0/self" },
        { "65535", "http=127.0.0.1:65535/self" },
        { "\"127.0.0.1:8787\"", "http=127.0.0.1:8787/self" },
        { "\"[::1]:8787\"", "http=[::1]:8787/self" },
        { "\"0.0.0.0:80\"", "http=0.0.0.0:80/self" },
        { "\"[::]:80\"", "http=[::]:80/self" },
        { "\"localhost:8787\"", "http=127.0.0.1:8787/self/localhost" },
        { "\"unix:/run/x\"", "http=unix:/run/x/self" },
        { "[]", "" },
        { "[8787]", "http=127.0.0.1:8787/self" },
        { "[1, \"[::1]:1\", {\"port\":2}]",
                "http=127.0.0.1:1/self listener2=[::1]:1/self listener3=127.0.0.1:2/self" },
        { "[0, 0]", "http=127.0.0.1:0/self listener2=127.0.0.1:0/self" },
        { "[0, \"0.0.0.0:0\"]", "http=127.0.0.1:0/self listener2=0.0.0.0:0/self" },
        { "[1, \"127.0.0.2:1\"]", "http=127.0.0.1:1/self listener2=127.0.0.2:1/self" },
        { "[\"0.0.0.0:1\", \"[::1]:1\"]", "http=0.0.0.0:1/self listener2=[::1]:1/self" },
        { "[\"unix:/a\", \"unix:/b\"]", "http=unix:/a/self listener2=unix:/b/self" },
        { "{\"port\":8787}", "http=127.0.0.1:8787/self" },
        { "{\"address\":\"::1\",\"port\":1}", "http=[::1]:1/self" },
        { "{\"address\":\"::\",\"port\":1}", "http=[::]:1/self" },
        { "{\"address\":\"0.0.0.0\",\"port\":1}", "http=0.0.0.0:1/self" },
        { "{\"address\":\"localhost\",\"port\":1}", "http=127.0.0.1:1/self/localhost" },
        { "{\"address\":\"localhost:1\"}", "http=127.0.0.1:1/self/localhost" },
        { "{\"address\":\"127.0.0.1:8787\"}", "http=127.0.0.1:8787/self" },
        { "{\"address\":\"[::1]:8787\"}", "http=[::1]:8787/self" },
        { "{\"address\":\"unix:/a\"}", "http=unix:/a/self" },
        { "{\"port\":1,\"name\":\"api\"}", "api=127.0.0.1:1/self" },
        { "[{\"port\":1,\"name\":\"api\"},2]", "api=127.0.0.1:1/self listener2=127.0.0.1:2/self" },
        { "[1,{\"port\":2,\"name\":\"A-b_9\"},3]",
                "http=127.0.0.1:1/self A-b_9=127.0.0.1:2/self listener3=127.0.0.1:3/self" },
        { "{\"port\":1,\"name\":\"a2345678901234567890123456789012\"}",
                "a2345678901234567890123456789012=127.0.0.1:1/self" },
        { "{\"port\":1,\"socket\":\"inherit\"}", "http=127.0.0.1:1/inherit!" },
        { "{\"port\":1,\"socket\":\"self\"}", "http=127.0.0.1:1/self!" },
        { "{\"address\":\"localhost:1\",\"both\":true,\"socket\":\"inherit\"}",
                "http=127.0.0.1:1/inherit!/localhost/both" },
        { "{\"address\":\"localhost:1\",\"both\":false}", "http=127.0.0.1:1/self/localhost" },
        { "{\"address\":\"127.0.0.1:1\",\"both\":false}", "http=127.0.0.1:1/self" },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char text[512];
        struct config config;

        (void)snprintf(text, sizeof text, "\"listen\":%s", rows[i].listen);
        config = parsed_with(text);
        describe_listeners(&config, text, sizeof text);
        CHECK_TEXT(rows[i].listen, text, rows[i].listeners);
        config_free(&config);
    }
}

static void reads_the_rest_of_a_listener(void **state)
{
    struct config config =
            parsed_with("\"listen\":[1,{\"port\":2,\"backlog\":1},"
                        "{\"address\":\"unix:/a\"},"
                        "{\"address\":\"unix:/b\",\"mode\":\"660\",\"backlog\":65535}]");

    assert_int_equal(config.listeners[0].backlog, 4096);
    assert_int_equal(config.listeners[1].backlog, 1);
    assert_int_equal(config.listeners[2].mode, 0600);
    assert_int_equal(config.listeners[3].mode, 0660);
    assert_int_equal(config.listeners[3].backlog, 65535);
    config_free(&config);
}

static void takes_sixteen_listeners(void **state)
{
    struct config config = parsed_with("\"listen\":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16]");

    assert_int_equal(config.listener_count, CONFIG_LISTENERS_MAX);
    assert_string_equal(config.listeners[15].name, "listener16");
    config_free(&config);
}

/* The defaults that depend on other keys. */
static void decides_by_rule(void **state)
{
    static const struct {
        const char *members;
        enum config_ready ready;
        const char *sockets; /* i or s for each listener */
        enum config_replace replace;
    } rows[] = {
        { "\"nice\":1", CONFIG_READY_SPAWN, "", CONFIG_REPLACE_SEQUENTIAL },
        { "\"listen\":1", CONFIG_READY_SPAWN, "s", CONFIG_REPLACE_SEQUENTIAL },
        { "\"listen\":1,\"health\":{\"http\":\"/\"}", CONFIG_READY_HEALTH, "s",
                CONFIG_REPLACE_SEQUENTIAL },
        { "\"listen\":1,\"health\":{\"tcp\":true},\"ready\":\"spawn\"", CONFIG_READY_SPAWN, "s",
                CONFIG_REPLACE_SEQUENTIAL },
        { "\"listen\":1,\"health\":{\"tcp\":true},\"ready\":\"health\"", CONFIG_READY_HEALTH, "s",
                CONFIG_REPLACE_SEQUENTIAL },
        { "\"health\":{\"command\":[\"x\"]}", CONFIG_READY_HEALTH, "", CONFIG_REPLACE_SEQUENTIAL },
        { "\"ready\":\"notify\"", CONFIG_READY_NOTIFY, "", CONFIG_REPLACE_SEQUENTIAL },
        { "\"ready\":\"notify\",\"listen\":1", CONFIG_READY_NOTIFY, "i", CONFIG_REPLACE_OVERLAP },
        { "\"ready\":\"notify\",\"listen\":[1,2]", CONFIG_READY_NOTIFY, "ii",
                CONFIG_REPLACE_OVERLAP },
        { "\"ready\":\"notify\",\"listen\":[1,{\"port\":2,\"socket\":\"self\"}]",
                CONFIG_READY_NOTIFY, "is", CONFIG_REPLACE_SEQUENTIAL },
        { "\"ready\":\"notify\",\"listen\":1,\"replace\":\"sequential\"", CONFIG_READY_NOTIFY, "i",
                CONFIG_REPLACE_SEQUENTIAL },
        { "\"ready\":\"notify\",\"listen\":1,\"replace\":\"overlap\"", CONFIG_READY_NOTIFY, "i",
                CONFIG_REPLACE_OVERLAP },
        { "\"listen\":{\"port\":1,\"socket\":\"inherit\"}", CONFIG_READY_SPAWN, "i",
                CONFIG_REPLACE_SEQUENTIAL },
        { "\"listen\":{\"port\":1,\"socket\":\"inherit\"},\"replace\":\"overlap\","
          "\"health\":{\"command\":[\"x\"]}",
                CONFIG_READY_HEALTH, "i", CONFIG_REPLACE_OVERLAP },
        { "\"listen\":[1,2],\"environment\":{\"FD\":\"{fd}\"}", CONFIG_READY_SPAWN, "is",
                CONFIG_REPLACE_SEQUENTIAL },
        { "\"listen\":[1,{\"port\":2,\"name\":\"b\"}],\"environment\":{\"FD\":\"{fd:b}\"}",
                CONFIG_READY_SPAWN, "si", CONFIG_REPLACE_SEQUENTIAL },
        { "\"listen\":[1,2],\"stop\":{\"command\":[\"x\",\"{fd:http}\"]}", CONFIG_READY_SPAWN, "is",
                CONFIG_REPLACE_SEQUENTIAL },
        { "\"listen\":[1,2],\"health\":{\"command\":[\"x\",\"{fd:listener2}\"]}",
                CONFIG_READY_HEALTH, "si", CONFIG_REPLACE_SEQUENTIAL },
        { "\"listen\":1,\"environment\":{\"FD\":\"{fd}\"},\"replace\":\"overlap\","
          "\"health\":{\"command\":[\"x\"]}",
                CONFIG_READY_HEALTH, "i", CONFIG_REPLACE_OVERLAP },
        { "\"listen\":1,\"environment\":{\"FD\":\"{{fd}\"}", CONFIG_READY_SPAWN, "s",
                CONFIG_REPLACE_SEQUENTIAL },
        { "\"listen\":{\"port\":1,\"socket\":\"inherit\"},\"environment\":{\"FD\":\"{fd}\"}",
                CONFIG_READY_SPAWN, "i", CONFIG_REPLACE_SEQUENTIAL },
        { "\"listen\":{\"address\":\"localhost:1\",\"both\":true},\"ready\":\"notify\"",
                CONFIG_READY_NOTIFY, "i", CONFIG_REPLACE_OVERLAP },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct config config = parsed_with(rows[i].members);

        CHECK_INT(rows[i].members, config.ready, rows[i].ready);
        CHECK_INT(rows[i].members, config.replace, rows[i].replace);
        CHECK_INT(rows[i].members, config.listener_count, strlen(rows[i].sockets));
        for (size_t k = 0; k < config.listener_count; k++)
            CHECK_INT(rows[i].members, config.listeners[k].socket,
                    rows[i].sockets[k] == 'i' ? CONFIG_SOCKET_INHERIT : CONFIG_SOCKET_SELF);
        config_free(&config);
    }
}

static void knows_when_a_socket_serves_again(void **state)
{
    static const struct {
        const char *a;
        const char *b;
        bool same;
    } rows[] = {
        { "1", "1", true },
        { "1", "{\"address\":\"127.0.0.1:1\",\"name\":\"x\",\"backlog\":5}", true },
        { "1", "2", false },
        { "1", "\"[::1]:1\"", false },
        { "1", "\"localhost:1\"", false },
        { "{\"port\":1,\"socket\":\"inherit\"}", "1", false },
        { "{\"address\":\"localhost:1\",\"socket\":\"inherit\"}",
                "{\"address\":\"localhost:1\",\"socket\":\"inherit\",\"both\":true}", false },
        { "\"unix:/a\"", "{\"address\":\"unix:/a\",\"mode\":\"600\"}", true },
        { "\"unix:/a\"", "{\"address\":\"unix:/a\",\"mode\":\"660\"}", false },
        { "\"unix:/a\"", "\"unix:/b\"", false },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char text[256];
        struct config a;
        struct config b;

        (void)snprintf(text, sizeof text, "\"listen\":%s", rows[i].a);
        a = parsed_with(text);
        (void)snprintf(text, sizeof text, "\"listen\":%s", rows[i].b);
        b = parsed_with(text);
        CHECK(rows[i].b, config_same_listener(&a.listeners[0], &b.listeners[0]) == rows[i].same);
        CHECK(rows[i].b, config_same_listener(&b.listeners[0], &a.listeners[0]) == rows[i].same);
        config_free(&a);
        config_free(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_listeners),
        cmocka_unit_test(reads_the_rest_of_a_listener),
        cmocka_unit_test(takes_sixteen_listeners),
        cmocka_unit_test(decides_by_rule),
        cmocka_unit_test(knows_when_a_socket_serves_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
