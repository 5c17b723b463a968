/* Every allocation fails once: the result is a failure that is told, and nothing is lost.  Linked
 * with --wrap=malloc,--wrap=realloc. */
#include "unit.h"

#include "arena.h"
#include "buffer.h"
#include "config.h"
#include "env_file.h"
#include "json.h"

#include "banned.h"

static int calls_until_failure; /* 0: none fails */
static bool has_failed;
static bool cjson_is_spared; /* its allocations are many, and all alike */

void *__real_malloc(size_t size);
void *__real_realloc(void *memory, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_realloc(void *memory, size_t size);

static bool fails_now(void)
{
    if (calls_until_failure == 0 || --calls_until_failure > 0)
        return false;
    has_failed = true;
    return true;
}

void *__wrap_malloc(size_t size)
{
    return fails_now() ? NULL : __real_malloc(size);
}

void *__wrap_realloc(void *memory, size_t size)
{
    return fails_now() ? NULL : __real_realloc(memory, size);
}

static void *cjson_malloc(size_t size)
{
    return cjson_is_spared ? __real_malloc(size) : __wrap_malloc(size);
}

/* Runs attempt with the first, second, third ... allocation failing, until none did.  attempt
 * returns whether it succeeded. */
static void with_each_failure(bool (*attempt)(void), int least)
{
    int number = 0;

    do {
        bool good;

        number++;
        has_failed = false;
        calls_until_failure = number;
        good = attempt();
        calls_until_failure = 0;
        if (good == has_failed)
            fail_msg("allocation %d %s, and the result was %s", number,
                    has_failed ? "failed" : "did not fail", good ? "good" : "a failure");
    } while (has_failed);
    if (number <= least)
        fail_msg("only %d allocations, expected more than %d", number, least);
}

static const char good_config[] =
        "{ \"command\": [\"py\", \"{port}\"], \"description\": \"A\", \"directory\": \"/srv\",\n"
        "\"environment\": { \"A\": \"{url}\", \"B\": null }, \"environment_file\": "
        "[\"/etc/web\"],\n"
        "\"listen\": [1, { \"port\": 2, \"name\": \"b\" }, 3], \"health\": { \"http\": \"/\" },\n"
        "\"rivals\": [{ \"systemd\": \"a\" }], \"depends_on\": [\"db\"],\n"
        "\"stop\": { \"command\": [\"x\"] }, \"user\": \"bob\" }";

static bool told(const struct json_faults *faults)
{
    for (size_t i = 0; i < faults->count; i++)
        if (strstr(faults->list[i].text, "out of memory") != NULL)
            return true;
    return faults->dropped > 0;
}

static bool read_good_config(void)
{
    struct json_faults faults = { 0 };
    struct config config;

    if (config_parse("web", good_config, strlen(good_config), &config, &faults) == 0) {
        config_free(&config);
        assert_int_equal(faults.count, 0);
        return true;
    }
    assert_true(told(&faults));
    json_faults_free(&faults);
    return false;
}

/* Long strings, so that each takes a block of the arena for itself. */
static bool read_long_config(void)
{
    static const char *const keys[] = { "\"user\":\"%s\"", "\"environment\":{\"A\":\"%s\"}",
        "\"environment\":{\"%s\":\"\"}", "\"depends_on\":[\"a\",\"b\"],\"description\":\"%s\"",
        "\"environment_file\":\"/%s\"", "\"stop\":{\"command\":[\"a\",\"%s\"]}",
        "\"rivals\":[{\"winsvc\":\"%s\"}]" };
    static char value[3000];
    static char text[4000];
    bool good = true;

    memset(value, 'v', sizeof value - 1);
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        struct json_faults faults = { 0 };
        struct config config;
        size_t length;

        (void)snprintf(text, sizeof text, "{\"command\":[\"x\"],");
        length = strlen(text);
        /* The rows are formats of this file, not somebody's text. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        (void)snprintf(text + length, sizeof text - length, keys[i], value);
#pragma GCC diagnostic pop
        length = strlen(text);
        text[length++] = '}';
        if (config_parse("web", text, length, &config, &faults) == 0) {
            config_free(&config);
            continue;
        }
        assert_true(told(&faults));
        json_faults_free(&faults);
        good = false;
    }
    return good;
}

/* Long lists, which take a block for themselves too. */
static bool read_wide_config(void)
{
    static const struct {
        const char *begin, *element, *end;
    } rows[] = {
        { "{\"command\":[\"x\"", "x", "]}" },
        { "{\"command\":[\"x\"],\"environment_file\":[\"/x\"", "/x", "]}" },
        { "{\"command\":[\"x\"],\"rivals\":[{\"winsvc\":\"x\"}", NULL, "]}" },
        { "{\"command\":[\"x\"],\"depends_on\":[\"x\"", NULL, "]}" },
        { "{\"command\":[\"x\"],\"environment\":{\"x\":null", NULL, "}}" },
    };
    bool good = true;

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        static char text[8000];
        struct json_faults faults = { 0 };
        struct config config;
        size_t at = (size_t)snprintf(text, sizeof text, "%s", rows[i].begin);

        for (int k = 0; k < 150; k++) {
            if (rows[i].element != NULL)
                at += (size_t)snprintf(text + at, sizeof text - at, ",\"%s\"", rows[i].element);
            else if (i == 2)
                at += (size_t)snprintf(text + at, sizeof text - at, ",{\"winsvc\":\"x\"}");
            else
                at += (size_t)snprintf(
                        text + at, sizeof text - at, i == 3 ? ",\"n%d\"" : ",\"n%d\":null", k);
        }
        at += (size_t)snprintf(text + at, sizeof text - at, "%s", rows[i].end);
        if (config_parse("web", text, at, &config, &faults) == 0) {
            config_free(&config);
            continue;
        }
        assert_true(told(&faults));
        json_faults_free(&faults);
        good = false;
    }
    return good;
}

static bool read_bad_config(void)
{
    struct json_faults faults = { 0 };
    struct config config;

    /* A fault is a failure with and without memory: what counts is that none is lost. */
    assert_int_equal(config_parse("web", "{\"a\":1,\"a\":2}", 13, &config, &faults), -1);
    assert_true(faults.count + faults.dropped >= (has_failed ? 1u : 4u));
    json_faults_free(&faults);
    return !has_failed;
}

static bool read_json(void)
{
    struct json_document document;
    struct json_faults faults = { 0 };
    static const char text[] =
            "{\"a\":[1,\"x\",{\"b\":null,\"c\":2}],\"d\":[1,2,3,4,5,6,7,8,9,10,11,"
            "12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,32]}";

    if (json_parse(text, strlen(text), JSON_STRICT, &document, &faults) == 0) {
        json_document_free(&document);
        return true;
    }
    assert_true(told(&faults));
    json_faults_free(&faults);
    return false;
}

static bool read_env_file(void)
{
    struct arena arena = { 0 };
    struct env_file file;
    struct err err;
    static char text[6000];
    size_t at = 0;
    bool good;

    for (int i = 0; i < 40; i++)
        at += (size_t)snprintf(
                text + at, sizeof text - at, "A%d=%d\nB='%d' \nC=\"%d\"\n", i, i, i, i);
    memset(text + at, 'L', 3000);
    memcpy(text + at + 1500, "='", 2);
    memcpy(text + at + 2999, "'", 2);
    good = env_file_parse(text, strlen(text), &arena, &file, &err) == 0;
    if (!good)
        assert_string_equal(err.text, "out of memory");
    arena_free(&arena);
    return good;
}

static bool refuse_env_file(void)
{
    struct arena arena = { 0 };
    struct env_file file;
    struct err err;

    assert_int_equal(env_file_parse("a b=1", 5, &arena, &file, &err), -1);
    assert_true(strcmp(err.text, "out of memory") == 0 || !has_failed);
    arena_free(&arena);
    return !has_failed;
}

static bool fill_buffer(void)
{
    struct buffer buffer = { 0 };
    bool good;

    for (int i = 0; i < 300; i++)
        buffer_printf(&buffer, "%d", i);
    good = !buffer.failed;
    assert_true(good || buffer.length < 790);
    buffer_free(&buffer);
    return good;
}

static bool copy_text(void)
{
    struct arena arena = { 0 };
    bool good = arena_copy(&arena, "text") != NULL;

    arena_free(&arena);
    return good;
}

static void configurations(void **state)
{
    with_each_failure(read_good_config, 40);
    with_each_failure(read_long_config, 40);
    cjson_is_spared = true;
    with_each_failure(read_wide_config, 40);
    cjson_is_spared = false;
    with_each_failure(read_bad_config, 8);
}

static void json(void **state)
{
    with_each_failure(read_json, 10);
}

static void env_files(void **state)
{
    with_each_failure(read_env_file, 4);
    with_each_failure(refuse_env_file, 1);
}

static void buffers_and_arenas(void **state)
{
    with_each_failure(fill_buffer, 2);
    with_each_failure(copy_text, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(configurations),
        cmocka_unit_test(json),
        cmocka_unit_test(env_files),
        cmocka_unit_test(buffers_and_arenas),
    };
    cJSON_Hooks hooks = { .malloc_fn = cjson_malloc, .free_fn = free };

    cJSON_InitHooks(&hooks);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
