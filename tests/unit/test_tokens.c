#include "unit.h"

#include "tokens.h"

#include "banned.h"

static struct address parsed(const char *text)
{
    struct address address = { 0 };

    assert_null(address_parse(text, &address));
    return address;
}

/* web (8787), admin (IPv6), local (a Unix socket); the second is not passed */
static struct tokens_context context_of_three(struct tokens_listener listeners[3])
{
    listeners[0] = (struct tokens_listener) { "web", parsed("127.0.0.1:8787"), 3 };
    listeners[1] = (struct tokens_listener) { "admin", parsed("[::]:80"), -1 };
    listeners[2] = (struct tokens_listener) { "local", parsed("unix:/run/x.sock"), 5 };
    return (struct tokens_context) { "hermes", listeners, 3 };
}

static void expands(void **state)
{
    static const struct {
        const char *text;
        const char *expanded;
    } rows[] = {
        { "", "" },
        { "plain", "plain" },
        { "{port}", "8787" },
        { "{address}", "127.0.0.1" },
        { "{url}", "http://127.0.0.1:8787" },
        { "{fd}", "3" },
        { "{name}", "hermes" },
        { "--bind={address}:{port}/", "--bind=127.0.0.1:8787/" },
        { "{port}{port}", "87878787" },
        { "{port:web}", "8787" },
        { "{port:admin}", "80" },
        { "{address:admin}", "::" },
        { "{url:admin}", "http://127.0.0.1:80" },
        { "{address:local}", "/run/x.sock" },
        { "{url:local}", "unix:/run/x.sock" },
        { "{fd:local};", "5;" },

        { "{{", "{" },
        { "{{port}", "{port}" },
        { "{{{port}}}", "{8787}}" },
        { "{{{{port}", "{{port}" },
        { "{", "{" },
        { "}", "}" },
        { "}}", "}}" },
        { "{}", "{}" },
        { "{ port }", "{ port }" },
        { "{port", "{port" },
        { "{port }", "{port }" },
        { "{port_x}", "{port_x}" },
        { "{port1}", "{port1}" },
        { "{1}", "{1}" },
        { "{:port}", "{:port}" },
        { "{\"port\":1}", "{\"port\":1}" },
        { "{\xC3\xA9}", "{\xC3\xA9}" },
        { "a{b{port}", "a{b8787" },
        { "${{HOME}", "${HOME}" },
    };
    struct tokens_listener listeners[3];
    struct tokens_context context = context_of_three(listeners);

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buffer out = { 0 };
        struct err err;
        bool uses_fd[3] = { false };
        size_t at;

        buffer_puts(&out, ">");
        CHECK(rows[i].text, tokens_check(rows[i].text, &context, uses_fd, &at, &err) == 0);
        CHECK(rows[i].text, tokens_expand(rows[i].text, &context, &out, &err) == 0);
        CHECK_TEXT(rows[i].text, buffer_text(&out) + 1, rows[i].expanded);
        buffer_free(&out);
    }
}

static void refuses(void **state)
{
    static const struct {
        const char *text;
        size_t at;
        const char *said;
    } rows[] = {
        { "{prot}", 0,
                "unknown token {prot}; did you mean {port}? (for the text itself write "
                "{{prot})" },
        { "a{Port}", 1, "did you mean {port}?" },
        { "{{{prot}", 2, "did you mean {port}?" },
        { "{port}{adress}", 6, "did you mean {address}?" },
        { "{x}", 0,
                "unknown token {x}; there are {port}, {address}, {url}, {fd} and {name} (for "
                "the text itself write {{x})" },
        { "{a:1}", 0, "unknown token {a:1}" },
        { "{prot:web}", 0, "unknown token {prot:web}; did you mean {port}?" },
        { "{color:", 0, "unknown token {color:" },
        { "{antidisestablishmentarianism}", 0, "unknown token {antidisestablishmentarianism}" },
        { "{port:}", 0, "there is no listener \"\"; the first one is \"web\"" },
        { "{port:wbe}", 0, "there is no listener \"wbe\"; the first one is \"web\"" },
        { "{port:Web}", 0, "there is no listener \"Web\"; did you mean \"web\"?" },
        { "{fd:loacl}", 0, "{fd:loacl}: there is no listener \"loacl\"; did you mean \"local\"?" },
        { "{port: web}", 0, "there is no listener \" web\"" },
        { "{port:web", 0,
                "{port: is never closed; write {port} or {port:LISTENER} (for the text "
                "itself write {{port:)" },
        { "{port:", 0, "{port: is never closed" },
        { "{name:web}", 0, "the service's name has no listener; write {name}" },
        { "{name:", 0, "the service's name has no listener" },
        { "{port:local}", 0, "{port:local}: a Unix socket has no port; use {address}" },
        { "{port:"
          "a234567890123456789012345678901234567890123456789012345678901234567890123456789012345678"
          "901234567890123456789012345678901234567890123456789012345}",
                0, "there is no listener" },
    };
    struct tokens_listener listeners[3];
    struct tokens_context context = context_of_three(listeners);

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buffer out = { 0 };
        struct err err = { 0 };
        bool uses_fd[3] = { false };
        size_t at = 99;

        CHECK(rows[i].text, tokens_check(rows[i].text, &context, uses_fd, &at, &err) == -1);
        CHECK_INT(rows[i].text, at, rows[i].at);
        CHECK_INT(rows[i].text, err.kind, ERR_CONFIG);
        if (strstr(err.text, rows[i].said) == NULL)
            fail_msg("row \"%s\" says \"%s\"", rows[i].text, err.text);
        buffer_puts(&out, "before");
        CHECK(rows[i].text, tokens_expand(rows[i].text, &context, &out, &err) == -1);
        CHECK_TEXT(rows[i].text, buffer_text(&out), "before");
        CHECK(rows[i].text, strstr(err.text, rows[i].said) != NULL);
        buffer_free(&out);
    }
}

static void needs_a_listener(void **state)
{
    struct tokens_context context = { .name = "worker" };
    struct buffer out = { 0 };
    struct err err;
    size_t at;

    assert_int_equal(tokens_check("{port}", &context, NULL, &at, &err), -1);
    assert_string_equal(err.text, "{port}: the service has no \"listen\"");
    assert_int_equal(tokens_check("{url:web}", &context, NULL, &at, &err), -1);
    assert_string_equal(err.text, "{url:web}: the service has no \"listen\"");
    assert_int_equal(tokens_check("{name}", &context, NULL, &at, &err), 0);
    assert_int_equal(tokens_expand("{name}", &context, &out, &err), 0);
    assert_string_equal(buffer_text(&out), "worker");
    buffer_free(&out);
}

static void says_whose_socket_is_used(void **state)
{
    static const struct {
        const char *text;
        bool uses[3];
    } rows[] = {
        { "{fd}", { true, false, false } },
        { "{fd:web}", { true, false, false } },
        { "{fd:admin}", { false, true, false } },
        { "{fd}{fd:local}", { true, false, true } },
        { "{{fd}", { false, false, false } },
        { "{port}", { false, false, false } },
    };
    struct tokens_listener listeners[3];
    struct tokens_context context = context_of_three(listeners);

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        bool uses_fd[3] = { false };
        struct err err;
        size_t at;

        CHECK(rows[i].text, tokens_check(rows[i].text, &context, uses_fd, &at, &err) == 0);
        CHECK(rows[i].text, memcmp(uses_fd, rows[i].uses, sizeof uses_fd) == 0);
    }
    {
        bool uses_fd[3] = { true, true, true };
        struct err err;
        size_t at;

        assert_int_equal(tokens_check("{port}", &context, uses_fd, &at, &err), 0);
        assert_true(uses_fd[0] && uses_fd[1] && uses_fd[2]);
    }
}

static void does_not_expand_a_socket_that_is_not_passed(void **state)
{
    struct tokens_listener listeners[3];
    struct tokens_context context = context_of_three(listeners);
    struct buffer out = { 0 };
    struct err err;

    assert_int_equal(tokens_expand("x{fd:admin}", &context, &out, &err), -1);
    assert_int_equal(err.kind, ERR_CONFIG);
    assert_string_equal(err.text,
            "{fd}: the socket of listener \"admin\" is not passed to the "
            "program; set \"socket\": \"inherit\"");
    assert_string_equal(buffer_text(&out), "");
    buffer_free(&out);
}

static void an_unknown_address_has_its_tokens(void **state)
{
    struct tokens_listener listener = { .name = "http" };
    struct tokens_context context = { "web", &listener, 1 };
    struct err err;
    bool uses_fd = false;
    size_t at;

    assert_int_equal(tokens_check("{port}{address}{url}{fd}", &context, &uses_fd, &at, &err), 0);
    assert_true(uses_fd);
}

static void escapes_only_where_it_must(void **state)
{
    static const char *const rows[][2] = {
        { "plain", "plain" },
        { "{port}", "{{port}" },
        { "{x:", "{{x:" },
        { "{{", "{{{" },
        { "{{port}", "{{{{port}" },
        { "{\"a\":{}}", "{\"a\":{}}" },
        { "${HOME}", "${{HOME}" },
        { "{port", "{port" },
        { "}", "}" },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buffer out = { 0 };

        tokens_escape(rows[i][0], &out);
        CHECK_TEXT(rows[i][0], buffer_text(&out), rows[i][1]);
        buffer_free(&out);
    }
}

/* Every text over an alphabet that can make each case, up to seven characters. */
static void what_is_escaped_comes_back(void **state)
{
    static const char alphabet[] = "{}:fd";
    struct tokens_listener listeners[3];
    struct tokens_context context = context_of_three(listeners);
    size_t base = strlen(alphabet);

    for (size_t number = 0; number < 97656; number++) { /* 5^0 + 5^1 + ... + 5^7 */
        char text[16];
        size_t length = 0;
        struct buffer escaped = { 0 };
        struct buffer out = { 0 };
        struct err err;

        for (size_t rest = number; rest > 0; rest = (rest - 1) / base)
            text[length++] = alphabet[(rest - 1) % base];
        text[length] = '\0';
        tokens_escape(text, &escaped);
        CHECK(text, tokens_expand(buffer_text(&escaped), &context, &out, &err) == 0);
        CHECK_TEXT(text, buffer_text(&out), text);
        buffer_free(&escaped);
        buffer_free(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(expands),
        cmocka_unit_test(refuses),
        cmocka_unit_test(needs_a_listener),
        cmocka_unit_test(says_whose_socket_is_used),
        cmocka_unit_test(does_not_expand_a_socket_that_is_not_passed),
        cmocka_unit_test(an_unknown_address_has_its_tokens),
        cmocka_unit_test(escapes_only_where_it_must),
        cmocka_unit_test(what_is_escaped_comes_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
