#include "unit.h"

#include "buffer.h"
#include "json.h"

#include "banned.h"

static int parse(const char *text, size_t length, enum json_dialect dialect,
        struct json_document *document, struct json_faults *faults)
{
    *faults = (struct json_faults) { 0 };
    *document = (struct json_document) { 0 };
    return json_parse(text, length, dialect, document, faults);
}

/* What each dialect says of a text. */
static void accepts_and_refuses(void **state)
{
    static const struct {
        const char *text;
        const char *strict;   /* NULL: accepted; else "LINE:COLUMN " and a part of the fault */
        const char *comments; /* likewise */
    } rows[] = {
        { "{}", NULL, NULL },
        { "[]", NULL, NULL },
        { " \t\r\n1 \n", NULL, NULL },
        { "\"\"", NULL, NULL },
        { "true", NULL, NULL },
        { "null", NULL, NULL },
        { "{\"a\":1,\"b\":[true,false,null,\"x\",-0,1.5e+3]}", NULL, NULL },
        { "{\"a\":{\"a\":1},\"b\":{\"a\":2}}", NULL, NULL },
        { "[\"a\",\"a\"]", NULL, NULL },
        { "{\"a\":1,\"A\":2}", NULL, NULL },

        { "", "1:1 expected a value", "1:1 expected a value" },
        { "  ", "1:3 expected a value", "1:3 expected a value" },
        { "{", "1:2 the text ends here", "1:2 the text ends here" },
        { "[", "1:2 expected a value", "1:2 expected a value" },
        { "{\"a\"", "1:5 ':' after the key", "1:5 ':' after the key" },
        { "{\"a\":", "1:6 expected a value", "1:6 expected a value" },
        { "{\"a\" 1}", "1:6 unexpected '1'; expected ':'", "1:6 unexpected '1'" },
        { "{\"a\":1", "1:7 expected ',' or '}'", "1:7 expected ',' or '}'" },
        { "[1", "1:3 expected ',' or ']'", "1:3 expected ',' or ']'" },
        { "[1}", "1:3 unexpected '}'", "1:3 unexpected '}'" },
        { "{\"a\":1]", "1:7 unexpected ']'", "1:7 unexpected ']'" },
        { "[1 2]", "1:4 expected ',' or ']'", "1:4 expected ',' or ']'" },
        { "{a:1}", "1:2 a key in double quotes", "1:2 a key in double quotes" },
        { "{'a':1}", "1:2 a key in double quotes", "1:2 a key in double quotes" },
        { "{1:1}", "1:2 a key in double quotes", "1:2 a key in double quotes" },
        { "[,]", "1:2 expected a value", "1:2 expected a value" },
        { "{,}", "1:2 a key", "1:2 a key" },
        { "[1,,2]", "1:4 expected a value", "1:4 expected a value" },
        { "{} {}", "1:4 the end of the text", "1:4 the end of the text" },
        { "1 x", "1:3 the end of the text", "1:3 the end of the text" },
        { "nul", "1:1 expected a value", "1:1 expected a value" },
        { "True", "1:1 expected a value", "1:1 expected a value" },
        { "NaN", "1:1 expected a value", "1:1 expected a value" },
        { "\xC3\xA9", "1:1 unexpected byte 0xc3", "1:1 unexpected byte 0xc3" },
        { "\x01", "1:1 unexpected byte 0x01", "1:1 unexpected byte 0x01" },

        { "01", "1:1 begin with 0", "1:1 begin with 0" },
        { "-01", "1:1 begin with 0", "1:1 begin with 0" },
        { "-", "1:1 needs a digit", "1:1 needs a digit" },
        { "+1", "1:1 expected a value", "1:1 expected a value" },
        { ".5", "1:1 expected a value", "1:1 expected a value" },
        { "1.", "1:1 after its point", "1:1 after its point" },
        { "1.e5", "1:1 after its point", "1:1 after its point" },
        { "1e", "1:1 in its exponent", "1:1 in its exponent" },
        { "1E+", "1:1 in its exponent", "1:1 in its exponent" },
        { "0x10", "1:2 the end of the text", "1:2 the end of the text" },
        { "[1.0E-2, 0, -0.0]", NULL, NULL },
        { "100000000000000000000000000000000000000000000000000000000000000", NULL, NULL },
        { "1000000000000000000000000000000000000000000000000000000000000000", "1:1 too many digits",
                "1:1 too many digits" },

        { "\"a", "1:1 never closed", "1:1 never closed" },
        { "[\"a\nb\"]", "1:2 never closed", "1:2 never closed" },
        { "\"a\tb\"", "1:3 control character", "1:3 control character" },
        { "\"a\\", "1:3 unknown escape", "1:3 unknown escape" },
        { "\"a\\x41\"", "1:3 unknown escape", "1:3 unknown escape" },
        { "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", NULL, NULL },
        { "\"\\u00e9\\u20AC\"", NULL, NULL },
        { "\"\\u12\"", "1:2 four hexadecimal", "1:2 four hexadecimal" },
        { "\"\\u12g4\"", "1:2 four hexadecimal", "1:2 four hexadecimal" },
        { "\"\\u0000\"", "1:2 NUL", "1:2 NUL" },
        { "\"\\ud83d\\ude00\"", NULL, NULL },
        { "\"\\ud83d\"", "1:2 no second half", "1:2 no second half" },
        { "\"\\ud83dx\"", "1:2 no second half", "1:2 no second half" },
        { "\"\\ud83d\\n\"", "1:2 no second half", "1:2 no second half" },
        { "\"\\ud83d\\u0041\"", "1:2 no second half", "1:2 no second half" },
        { "\"\\ud83d\\ud83d\"", "1:2 no second half", "1:2 no second half" },
        { "\"\\ud83d\\u00\"", "1:2 four hexadecimal", "1:2 four hexadecimal" },
        { "\"\\ud83d\\ue000\"", "1:2 no second half", "1:2 no second half" },
        { "\"\\ue000\\uffee\"", NULL, NULL },
        { "{\"a", "1:2 never closed", "1:2 never closed" },
        { "\"\\ude00\"", "1:2 no first half", "1:2 no first half" },
        { "\"\x7F\"", NULL, NULL },

        { "[1,]", "1:3 trailing comma", NULL },
        { "{\"a\":1,}", "1:7 trailing comma", NULL },
        { "{\"a\":[1,2,],\n}", "1:10 trailing comma", NULL },
        { "// x\n1", "1:1 comments", NULL },
        { "1 // x", "1:3 comments", NULL },
        { "/**/1/***/", "1:1 comments", NULL },
        { "/* a * / \n */ [ /* b */ 1 /* c */ , /* d */ ] // e", "1:1 comments", NULL },
        { "{ /*a*/ \"a\" /*b*/ : /*c*/ 1 /*d*/ }", "1:3 comments", NULL },
        { "[\"// no comment\", \"/* none */\"]", NULL, NULL },
        { "1 /* x", "1:3 comments", "1:3 never closed" },
        { "1 /* x *", "1:3 comments", "1:3 never closed" },
        { "1 /*/", "1:3 comments", "1:3 never closed" },
        { "1 /", "1:3 comments", "1:3 begins with //" },
        { "[1 / 2]", "1:4 comments", "1:4 begins with //" },
        { "[ / 2]", "1:3 comments", "1:3 begins with //" },
        { "{ / 2}", "1:3 comments", "1:3 begins with //" },
        { "{\"a\" / 2}", "1:6 comments", "1:6 begins with //" },
        { "{\"a\": / 2}", "1:7 comments", "1:7 begins with //" },
        { "[1, / 2]", "1:5 comments", "1:5 begins with //" },
        { "# x\n1", "1:1 expected a value", "1:1 expected a value" },
        { "\xEF\xBB\xBF{}", "1:1 unexpected byte 0xef", NULL },
        { "\xEF\xBB\xBF\n[x]", "1:1 unexpected byte", "2:2 expected a value" },
        { "\xEF\xBB\xBF[x]", "1:1 unexpected byte", "1:2 expected a value" },
        { "[\xEF\xBB\xBF]", "1:2 unexpected byte", "1:2 unexpected byte" },

        { "\"\xFF\"", "1:2 invalid UTF-8", "1:2 invalid UTF-8" },
        { "\"\xC3\"", "1:2 invalid UTF-8", "1:2 invalid UTF-8" },
        { "1\xFF", "1:2 invalid UTF-8", "1:2 invalid UTF-8" },
        { "\"\xC3\xA9\x80\"", "1:3 invalid UTF-8", "1:3 invalid UTF-8" },
        { "[\"\xC3\xA9\",\n\"\xED\xA0\x80\"]", "2:2 invalid UTF-8", "2:2 invalid UTF-8" },
        { "// \xFF\n1", "1:4 invalid UTF-8", "1:4 invalid UTF-8" },
        /* Columns are characters. */
        { "[\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\", x]", "1:9 expected a value",
                "1:9 expected a value" },
        { "[1,\r\n\r\n x]", "3:2 expected a value", "3:2 expected a value" },

        { "{\"a\":1,\"a\":2}", "1:8 duplicate key \"a\"", "1:8 duplicate key \"a\"" },
        { "{\"a\":1,\"\\u0061\":2}", "1:8 duplicate key \"a\"", "1:8 duplicate key \"a\"" },
        { "[{\"x\":{\"a\\n\":1,\n\"a\\u000a\":2}}]", "2:1 duplicate key \"a?\"",
                "2:1 duplicate key \"a?\"" },
        { "{\"\":1,\"\":2}", "1:7 duplicate key \"\"", "1:7 duplicate key \"\"" },
    };

    for (size_t i = 0; i < 2 * COUNT_OF(rows); i++) {
        const char *text = rows[i / 2].text;
        const char *expected = i % 2 == 0 ? rows[i / 2].strict : rows[i / 2].comments;
        struct json_document document;
        struct json_faults faults;
        char place[32] = "";
        int result = parse(text, strlen(text), i % 2 == 0 ? JSON_STRICT : JSON_WITH_COMMENTS,
                &document, &faults);

        CHECK(text, (result == 0) == (expected == NULL));
        CHECK_INT(text, faults.count, expected == NULL ? 0u : 1u);
        if (expected != NULL) {
            size_t length = strcspn(expected, " ");

            (void)snprintf(
                    place, sizeof place, "%zu:%zu", faults.list[0].line, faults.list[0].column);
            if (strlen(place) != length || strncmp(place, expected, length) != 0 ||
                    strstr(faults.list[0].text, expected + length + 1) == NULL)
                fail_msg("row \"%s\": found \"%s %s\", expected \"%s\"", text, place,
                        faults.list[0].text, expected);
            CHECK(text, document.root == NULL && document.places == NULL);
        }
        json_document_free(&document);
        json_faults_free(&faults);
    }
}

static void refuses_a_nul_byte(void **state)
{
    struct json_document document;
    struct json_faults faults;

    assert_int_equal(parse("[1,\n\0 2]", 8, JSON_WITH_COMMENTS, &document, &faults), -1);
    assert_int_equal(faults.list[0].line, 2);
    assert_int_equal(faults.list[0].column, 1);
    assert_string_equal(faults.list[0].text, "unexpected NUL byte");
    json_faults_free(&faults);
    /* Only what comes first is told. */
    assert_int_equal(parse("\0\xFF", 2, JSON_STRICT, &document, &faults), -1);
    assert_string_equal(faults.list[0].text, "unexpected NUL byte");
    json_faults_free(&faults);
    assert_int_equal(parse("\xFF\0", 2, JSON_STRICT, &document, &faults), -1);
    assert_string_equal(faults.list[0].text, "invalid UTF-8");
    json_faults_free(&faults);
}

static void needs_no_nul_behind_the_text(void **state)
{
    char *text = malloc(5); /* exactly, so that a sanitizer sees a read behind it */
    struct json_document document;
    struct json_faults faults;

    memcpy(text, "12345", 5);
    assert_int_equal(parse(text, 5, JSON_STRICT, &document, &faults), 0);
    assert_true(document.root->valuedouble == 12345);
    json_document_free(&document);
    for (size_t length = 0; length < 5; length++) {
        memcpy(text, "[[[[[", 5);
        assert_int_equal(parse(text, length, JSON_WITH_COMMENTS, &document, &faults), -1);
        json_faults_free(&faults);
        memcpy(text, "1/*\"\\", 5);
        (void)parse(text, length, JSON_WITH_COMMENTS, &document, &faults);
        json_document_free(&document);
        json_faults_free(&faults);
    }
    free(text);
}

/* An innermost value in depth lists. */
static char *nested(size_t depth, size_t *ret_length)
{
    char *text = malloc(2 * depth + 1);

    memset(text, '[', depth);
    memset(text + depth, ']', depth);
    text[2 * depth] = '\0';
    *ret_length = 2 * depth;
    return text;
}

static void limits_the_depth(void **state)
{
    static const size_t depths[] = { JSON_DEPTH_MAX, JSON_DEPTH_MAX + 1, 10000, 500000 };

    for (size_t i = 0; i < COUNT_OF(depths); i++) {
        size_t length;
        char *text = nested(depths[i], &length);
        struct json_document document;
        struct json_faults faults;
        int result = parse(text, length, JSON_STRICT, &document, &faults);

        assert_int_equal(result, i == 0 ? 0 : -1);
        if (result == -1) {
            assert_int_equal(faults.count, 1);
            assert_int_equal(faults.list[0].column, JSON_DEPTH_MAX + 1);
            assert_non_null(strstr(faults.list[0].text, "nested deeper than 32"));
        }
        json_document_free(&document);
        json_faults_free(&faults);
        free(text);
    }
}

static void depth_counts_what_is_open(void **state)
{
    struct buffer text = { 0 };
    struct json_document document;
    struct json_faults faults;

    buffer_puts(&text, "[");
    for (int i = 0; i < 100; i++)
        buffer_puts(&text, "{\"a\":[]},");
    buffer_puts(&text, "{}]");
    assert_int_equal(parse(text.data, text.length, JSON_STRICT, &document, &faults), 0);
    json_document_free(&document);
    buffer_free(&text);
}

/* Places are found for every value, also behind comments and in nested objects. */
static void knows_places(void **state)
{
    static const char text[] = "{ // c\n"
                               "  \"a\": 1, /* \"a\": 2 */ \"\xC3\xA9\": [ true,\n"
                               "\"x\", { \"b\" :null } ],\n"
                               " \"big\": 3000000000, }";
    struct json_document document;
    struct json_faults faults;
    const cJSON *root;
    const cJSON *list;

    assert_int_equal(parse(text, strlen(text), JSON_WITH_COMMENTS, &document, &faults), 0);
    root = document.root;
    list = json_member(root, "\xC3\xA9");
    json_fault_at_value(&document, json_member(root, "big"), &faults, "big value");
    json_fault_at_value(
            &document, json_member(cJSON_GetArrayItem(list, 2), "b"), &faults, "b value");
    json_fault_at_key(&document, json_member(cJSON_GetArrayItem(list, 2), "b"), &faults, "b key");
    json_fault_at_value(&document, root, &faults, "root");
    json_fault_at_key(&document, list, &faults, "list key");
    json_fault_at_key(&document, cJSON_GetArrayItem(list, 1), &faults, "element has no %s", "key");
    json_faults_sort(&faults);
    {
        static const struct {
            const char *text;
            size_t line, column;
        } rows[] = {
            { "root", 1, 1 },
            { "list key", 2, 24 },
            { "element has no key", 3, 1 },
            { "b key", 3, 8 },
            { "b value", 3, 13 },
            { "big value", 4, 9 },
        };

        assert_int_equal(faults.count, COUNT_OF(rows));
        for (size_t i = 0; i < COUNT_OF(rows); i++) {
            CHECK_TEXT(rows[i].text, faults.list[i].text, rows[i].text);
            CHECK_INT(rows[i].text, faults.list[i].line, rows[i].line);
            CHECK_INT(rows[i].text, faults.list[i].column, rows[i].column);
        }
    }
    json_faults_free(&faults);
    json_document_free(&document);
}

static void finds_members_by_exact_name(void **state)
{
    static const char text[] = "{\"a\":1,\"B\":2,\"\\u00e9\\ud83d\\ude00\":3,\"l\":[4]}";
    struct json_document document;
    struct json_faults faults;

    assert_int_equal(parse(text, strlen(text), JSON_STRICT, &document, &faults), 0);
    assert_true(json_member(document.root, "a")->valuedouble == 1);
    assert_null(json_member(document.root, "A"));
    assert_null(json_member(document.root, "b"));
    assert_null(json_member(document.root, ""));
    assert_true(json_member(document.root, "\xC3\xA9\xF0\x9F\x98\x80")->valuedouble == 3);
    assert_null(json_member(json_member(document.root, "l"), "a"));
    assert_null(json_member(json_member(document.root, "a"), "a"));
    assert_null(json_member(NULL, "a"));
    json_document_free(&document);
}

static void reads_whole_numbers(void **state)
{
    static const struct {
        const char *text;
        bool good; /* from -5 to 2^60, and at most 2^53 */
        double value;
    } rows[] = {
        { "0", true, 0 },
        { "-5", true, -5 },
        { "-6", false, 0 },
        { "5.0", true, 5 },
        { "5e2", true, 500 },
        { "5.5", false, 0 },
        { "3000000000", true, 3000000000.0 },
        { "9007199254740992", true, 9007199254740992.0 },
        { "9007199254740994", false, 0 },
        { "1e400", false, 0 },
        { "\"5\"", false, 0 },
        { "true", false, 0 },
        { "null", false, 0 },
        { "[5]", false, 0 },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct json_document document;
        struct json_faults faults;
        double value = 77;

        assert_int_equal(
                parse(rows[i].text, strlen(rows[i].text), JSON_STRICT, &document, &faults), 0);
        CHECK(rows[i].text,
                json_whole_number(document.root, -5, 1152921504606846976.0, &value) ==
                        rows[i].good);
        CHECK(rows[i].text, value == (rows[i].good ? rows[i].value : 77));
        json_document_free(&document);
    }
}

static void names_types(void **state)
{
    static const char *const rows[][2] = {
        { "true", "true" },
        { "false", "false" },
        { "null", "null" },
        { "1", "a number" },
        { "\"a\"", "a string" },
        { "[]", "a list" },
        { "{}", "an object" },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct json_document document;
        struct json_faults faults;

        assert_int_equal(parse(rows[i][0], strlen(rows[i][0]), JSON_STRICT, &document, &faults), 0);
        CHECK_TEXT(rows[i][0], json_type_name(document.root), rows[i][1]);
        json_document_free(&document);
    }
}

static void two_halves_keep_duplicates(void **state)
{
    static const char text[] = "{\"a\":1,\"b\":{\"c\":1,\"c\":2,\"c\":3},\"a\":2}";
    struct json_document document;
    struct json_faults faults = { 0 };

    assert_int_equal(json_parse_unchecked(text, strlen(text), JSON_STRICT, &document, &faults), 0);
    assert_int_equal(faults.count, 0);
    assert_int_equal(cJSON_GetArraySize(document.root), 3);
    assert_int_equal(json_check_keys(&document, &faults), -1);
    json_faults_sort(&faults);
    assert_int_equal(faults.count, 3);
    assert_int_equal(faults.list[0].column, 19);
    assert_int_equal(faults.list[1].column, 25);
    assert_int_equal(faults.list[2].column, 32);
    json_document_free(&document);
    json_faults_free(&faults);
}

static void counts_faults_that_it_does_not_keep(void **state)
{
    struct json_faults faults = { 0 };

    for (int i = 0; i < JSON_FAULTS_MAX + 5; i++)
        json_fault_at("ab\ncd", 5, 4, &faults, "fault %d", i);
    assert_int_equal(faults.count, JSON_FAULTS_MAX);
    assert_int_equal(faults.dropped, 5);
    assert_int_equal(faults.list[0].line, 2);
    assert_int_equal(faults.list[0].column, 2);
    json_faults_free(&faults);
    assert_int_equal(faults.count, 0);
    assert_int_equal(faults.dropped, 0);
    json_faults_sort(&faults);
}

static void a_fault_is_one_line(void **state)
{
    struct json_faults faults = { 0 };
    char long_text[2 * JSON_FAULT_TEXT_BYTES];

    memset(long_text, 'x', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    json_fault_at("", 0, 0, &faults, "a\nb\x1B[m");
    json_fault_at("", 0, 99, &faults, "%s", long_text);
    assert_string_equal(faults.list[0].text, "a?b?[m");
    assert_int_equal(strlen(faults.list[1].text), JSON_FAULT_TEXT_BYTES - 1);
    assert_string_equal(faults.list[1].text + JSON_FAULT_TEXT_BYTES - 4, "...");
    json_faults_free(&faults);
}

static void sorts_by_place_and_text(void **state)
{
    struct json_faults faults = { 0 };

    json_fault_at("ab\nc", 4, 3, &faults, "d");
    json_fault_at("ab\nc", 4, 1, &faults, "c");
    json_fault_at("ab\nc", 4, 0, &faults, "b");
    json_fault_at("ab\nc", 4, 0, &faults, "a");
    json_faults_sort(&faults);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(faults.list[i].text[0], "abcd"[i]);
    json_faults_free(&faults);
}

/* A megabyte of keys: what grows with the square of them would take minutes. */
static void large_objects_are_fast(void **state)
{
    struct buffer text = { 0 };
    struct json_document document;
    struct json_faults faults;

    buffer_puts(&text, "{");
    for (int i = 0; i < 100000; i++)
        buffer_printf(&text, "\"k%d\":1,", i);
    buffer_puts(&text, "\"k0\":1}");
    assert_true(text.length > 1000000);
    assert_int_equal(parse(text.data, text.length, JSON_STRICT, &document, &faults), -1);
    assert_int_equal(faults.count, 1);
    assert_string_equal(faults.list[0].text, "duplicate key \"k0\": keep one of them");
    json_faults_free(&faults);

    buffer_free(&text);
    buffer_puts(&text, "{");
    for (int i = 0; i < 100000; i++)
        buffer_puts(&text, "\"same\":1,");
    buffer_puts(&text, "\"same\":1}");
    assert_int_equal(parse(text.data, text.length, JSON_STRICT, &document, &faults), -1);
    assert_int_equal(faults.count, JSON_FAULTS_MAX);
    assert_int_equal(faults.dropped, 100000 - JSON_FAULTS_MAX);
    json_faults_free(&faults);
    buffer_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepts_and_refuses),
        cmocka_unit_test(refuses_a_nul_byte),
        cmocka_unit_test(needs_no_nul_behind_the_text),
        cmocka_unit_test(limits_the_depth),
        cmocka_unit_test(depth_counts_what_is_open),
        cmocka_unit_test(knows_places),
        cmocka_unit_test(finds_members_by_exact_name),
        cmocka_unit_test(reads_whole_numbers),
        cmocka_unit_test(names_types),
        cmocka_unit_test(two_halves_keep_duplicates),
        cmocka_unit_test(counts_faults_that_it_does_not_keep),
        cmocka_unit_test(a_fault_is_one_line),
        cmocka_unit_test(sorts_by_place_and_text),
        cmocka_unit_test(large_objects_are_fast),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
