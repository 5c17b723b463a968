#include "unit.h"

#include "json.h"
#include "record.h"

#include "banned.h"

#define LARGEST_WHOLE (INT64_C(1) << 53) /* that a JSON number keeps */

/* ---- Records to write ------------------------------------------------------------------------ */

static struct identity somebody(int64_t pid)
{
    return (struct identity) {
        .pid = pid,
        .start_time = UINT64_C(18446744073709551615), /* more than a double keeps */
        .pid_namespace = 4026531836,
        .boot_id = "7b3a1c9e-6f0d-4c2b-9a51-0d9d1f6f5a10",
    };
}

static struct address address_of(const char *text)
{
    struct address address;

    assert_null(address_parse(text, &address));
    return address;
}

/* Every member differs from what a fresh record has, and from its neighbours. */
static struct record everything(void)
{
    struct record record = {
        .name = "webui",
        .version = "0.1.0",
        .launcher = "systemd",
        .launcher_unit = "svcmgr-webui.service",
        .supervisor = somebody(4240),
        .keeper = somebody(4239),
        .started_wall_us = INT64_C(1795341600123456),
        .last_exit = { .known = true,
                .code = -1,
                .by_signal = 9,
                .wall_us = INT64_C(1795341600000001),
                .generation = 6,
                .reason = "ended by SIGKILL" },
        .machine = { .activity = MACHINE_RUNS,
                .want_down = true,
                .restart_asked = true,
                .first = true,
                .last_number = 8,
                .restarts = 5,
                .wait_until_ms = 123456,
                .backoff = { .random = UINT64_C(11400714819323198485),
                        .streak = 3,
                        .count = 2,
                        .times_ms = { 1000, 2000 } } },
        .listener_count = 2,
        .helper_count = 2,
        .helpers = { { somebody(5001), "exec" }, { somebody(5002), "health" } },
    };

    for (int slot = 0; slot < MACHINE_SLOT_COUNT; slot++) {
        record.generations[slot] = (struct record_generation) {
            .process = somebody(4242 + slot),
            .instance = "0123456789abcdef0123456789abcdef",
            .notify_name = "/run/svcmgr/webui/notify.7",
            .spawned_wall_us = INT64_C(1795341600200000) + slot,
            .ready_wall_us = INT64_C(1795341600300000) + slot,
            .log_at = 77 + slot,
        };
        record.machine.generations[slot] = (struct machine_generation) {
            .phase = slot == 0 ? MACHINE_PHASE_STOPPING : MACHINE_PHASE_READY,
            .number = 7u + (uint32_t)slot,
            .spawned_ms = 500 + slot,
            .ready_ms = 600 + slot,
            .deadline_ms = 700 + slot,
            .kills = 2,
            .asked = true,
            .failed = slot == 0,
            .main_ended = true,
            .stable = slot == 0,
            .clean = true,
            .prevented = slot == 0,
            .exit_code = 143,
            .end_code = 11,
        };
    }
    record.listeners[0] = (struct record_listener) {
        .requested = address_of("127.0.0.1:0"), .bound = address_of("127.0.0.1:8787"), .held = true
    };
    record.listeners[1] = (struct record_listener) {
        .requested = address_of("unix:/run/web ui.sock"),
        .bound = address_of("unix:/run/web ui.sock"),
        .file_id = UINT64_C(9223372036854775809),
    };
    return record;
}

/* A record whose times do not run and that knows nobody. */
static struct record fresh(const char *name)
{
    struct record record = { .machine = { .wait_until_ms = MACHINE_NEVER } };

    (void)snprintf(record.name, sizeof record.name, "%s", name);
    for (int slot = 0; slot < MACHINE_SLOT_COUNT; slot++) {
        record.machine.generations[slot].deadline_ms = MACHINE_NEVER;
        record.generations[slot].log_at = -1;
    }
    return record;
}

/* ---- Comparing ------------------------------------------------------------------------------- */

static struct buffer text_of(const struct record *record)
{
    struct buffer out = { 0 };

    record_format(record, &out);
    assert_false(out.failed);
    return out;
}

static void check_refused(const char *row, const char *text, size_t length)
{
    static const struct record untouched = { .name = "untouched" };
    struct record record = untouched;
    uint64_t number = 4711;
    struct err err = { 0 };

    CHECK_INT(row, record_parse(text, length, &record, &number, &err), -1);
    CHECK_INT(row, err.kind, ERR_FAILED);
    CHECK(row, strstr(err.text, "the record ") == err.text);
    CHECK(row, memcmp(&record, &untouched, sizeof record) == 0);
    CHECK_INT(row, number, 4711);
}

static void check_same(const char *row, const struct record *found, const struct record *expected)
{
    /* Padding may differ in a copy made by assignment, so the text is compared, and with the round
     * trip of every member checked once member by member, that is enough. */
    struct buffer a = text_of(found);
    struct buffer b = text_of(expected);

    CHECK_TEXT(row, buffer_text(&a), buffer_text(&b));
    buffer_free(&a);
    buffer_free(&b);
}

/* Parses what must be good, and says which write it was. */
static uint64_t check_read(
        const char *row, const char *text, size_t length, const struct record *expected)
{
    struct record record;
    uint64_t number = 4711;
    struct err err = { 0 };

    if (record_parse(text, length, &record, &number, &err) == -1)
        fail_msg("row \"%s\": %s", row, err.text);
    check_same(row, &record, expected);
    return number;
}

/* ---- Plain text ------------------------------------------------------------------------------ */

static void check_identity(const char *row, const struct identity *a, const struct identity *b)
{
    CHECK(row, identity_equal(a, b));
}

static void check_generation(const struct record *a, const struct record *b, int slot)
{
    const struct machine_generation *x = &a->machine.generations[slot];
    const struct machine_generation *y = &b->machine.generations[slot];
    const struct record_generation *p = &a->generations[slot];
    const struct record_generation *q = &b->generations[slot];

    assert_int_equal(x->phase, y->phase);
    assert_int_equal(x->number, y->number);
    assert_int_equal(x->spawned_ms, y->spawned_ms);
    assert_int_equal(x->ready_ms, y->ready_ms);
    assert_int_equal(x->deadline_ms, y->deadline_ms);
    assert_int_equal(x->kills, y->kills);
    assert_int_equal(x->asked, y->asked);
    assert_int_equal(x->failed, y->failed);
    assert_int_equal(x->main_ended, y->main_ended);
    assert_int_equal(x->stable, y->stable);
    assert_int_equal(x->clean, y->clean);
    assert_int_equal(x->prevented, y->prevented);
    assert_int_equal(x->exit_code, y->exit_code);
    assert_int_equal(x->end_code, y->end_code);
    check_identity("process", &p->process, &q->process);
    assert_string_equal(p->instance, q->instance);
    assert_string_equal(p->notify_name, q->notify_name);
    assert_int_equal(p->spawned_wall_us, q->spawned_wall_us);
    assert_int_equal(p->ready_wall_us, q->ready_wall_us);
    assert_int_equal(p->log_at, q->log_at);
}

static void check_machine(const struct machine *a, const struct machine *b)
{
    assert_int_equal(a->activity, b->activity);
    assert_int_equal(a->want_down, b->want_down);
    assert_int_equal(a->restart_asked, b->restart_asked);
    assert_int_equal(a->first, b->first);
    assert_int_equal(a->last_number, b->last_number);
    assert_int_equal(a->restarts, b->restarts);
    assert_int_equal(a->wait_until_ms, b->wait_until_ms);
    assert_true(a->backoff.random == b->backoff.random);
    assert_int_equal(a->backoff.streak, b->backoff.streak);
    assert_int_equal(a->backoff.count, b->backoff.count);
    for (uint32_t i = 0; i < a->backoff.count; i++)
        assert_int_equal(a->backoff.times_ms[i], b->backoff.times_ms[i]);
}

static void keeps_every_member(void **state)
{
    struct record a = everything();
    struct buffer text = text_of(&a);
    struct record b;
    uint64_t number = 4711;
    struct err err;

    assert_int_equal(record_parse(text.data, text.length, &b, &number, &err), 0);
    assert_int_equal(number, 0);
    assert_string_equal(a.name, b.name);
    assert_string_equal(a.version, b.version);
    assert_string_equal(a.launcher, b.launcher);
    assert_string_equal(a.launcher_unit, b.launcher_unit);
    check_identity("supervisor", &a.supervisor, &b.supervisor);
    check_identity("keeper", &a.keeper, &b.keeper);
    assert_int_equal(a.started_wall_us, b.started_wall_us);
    check_machine(&a.machine, &b.machine);
    for (int slot = 0; slot < MACHINE_SLOT_COUNT; slot++)
        check_generation(&a, &b, slot);
    assert_int_equal(a.last_exit.known, b.last_exit.known);
    assert_int_equal(a.last_exit.code, b.last_exit.code);
    assert_int_equal(a.last_exit.by_signal, b.last_exit.by_signal);
    assert_int_equal(a.last_exit.wall_us, b.last_exit.wall_us);
    assert_int_equal(a.last_exit.generation, b.last_exit.generation);
    assert_string_equal(a.last_exit.reason, b.last_exit.reason);
    assert_int_equal(a.listener_count, b.listener_count);
    for (size_t i = 0; i < a.listener_count; i++) {
        assert_true(address_equal(&a.listeners[i].requested, &b.listeners[i].requested));
        assert_true(address_equal(&a.listeners[i].bound, &b.listeners[i].bound));
        assert_int_equal(a.listeners[i].held, b.listeners[i].held);
        assert_true(a.listeners[i].file_id == b.listeners[i].file_id);
    }
    assert_int_equal(a.helper_count, b.helper_count);
    for (size_t i = 0; i < a.helper_count; i++) {
        check_identity("helper", &a.helpers[i].process, &b.helpers[i].process);
        assert_string_equal(a.helpers[i].role, b.helpers[i].role);
    }
    assert_int_equal(record_parse(text.data, text.length, &b, NULL, &err), 0);
    buffer_free(&text);
}

static void keeps_what_is_unknown(void **state)
{
    struct record record = fresh("a");
    struct buffer text = text_of(&record);
    struct record found;
    struct err err;

    assert_int_equal(record_parse(text.data, text.length, &found, NULL, &err), 0);
    assert_false(found.last_exit.known);
    assert_true(found.machine.wait_until_ms == MACHINE_NEVER);
    assert_true(found.machine.generations[0].deadline_ms == MACHINE_NEVER);
    assert_int_equal(found.generations[1].log_at, -1);
    assert_int_equal(found.generations[0].process.pid, 0);
    assert_int_equal(found.helper_count + found.listener_count, 0);
    buffer_free(&text);
}

/* The longest of everything still fits into a slot. */
static struct record longest(void)
{
    struct record record = everything();
    char path[ADDRESS_TEXT_BYTES];
    char filler[ADDRESS_PATH_BYTES];

    memset(filler, 'p', sizeof filler - 1);
    filler[sizeof filler - 1] = '\0';
    (void)snprintf(path, sizeof path, "unix:/%.*s", ADDRESS_PATH_BYTES - 2, filler);
    memset(record.name, 'n', sizeof record.name - 1);
    memset(record.version, 'v', sizeof record.version - 1);
    memset(record.launcher, 'l', sizeof record.launcher - 1);
    memset(record.launcher_unit, 'u', sizeof record.launcher_unit - 1);
    memset(record.last_exit.reason, '"', sizeof record.last_exit.reason - 1);
    record.listener_count = RECORD_LISTENERS_MAX;
    for (int i = 0; i < RECORD_LISTENERS_MAX; i++) {
        record.listeners[i].requested = record.listeners[i].bound = address_of(path);
        record.listeners[i].file_id = UINT64_MAX;
    }
    record.helper_count = RECORD_HELPERS_MAX;
    for (int i = 0; i < RECORD_HELPERS_MAX; i++)
        record.helpers[i] = (struct record_helper) { somebody(INT32_MAX), "unknown" };
    record.machine.backoff.count = BACKOFF_BURST_MAX + 1;
    for (int i = 0; i <= BACKOFF_BURST_MAX; i++)
        record.machine.backoff.times_ms[i] = LARGEST_WHOLE;
    for (int slot = 0; slot < MACHINE_SLOT_COUNT; slot++)
        memset(record.generations[slot].notify_name, 'y', RECORD_NOTIFY_BYTES - 1);
    return record;
}

static void holds_the_longest_of_everything(void **state)
{
    struct record record = longest();
    struct buffer out = { 0 };

    record_format_slot(&record, 1, &out);
    assert_false(out.failed);
    assert_true(out.length <= RECORD_SLOT_BYTES);
    assert_int_equal(check_read("longest", out.data, out.length, &record), 1);
    buffer_free(&out);
}

/* A reason that is not UTF-8 grows by replacement characters; it is cut, never refused. */
static void cuts_a_reason_that_grew(void **state)
{
    struct record record = fresh("a");
    struct buffer text;
    struct record found;
    struct err err;

    record.last_exit.known = true;
    memset(record.last_exit.reason, 0xff, sizeof record.last_exit.reason - 1);
    text = text_of(&record);
    assert_int_equal(record_parse(text.data, text.length, &found, NULL, &err), 0);
    assert_int_equal(strlen(found.last_exit.reason), RECORD_REASON_BYTES - 1);
    buffer_free(&text);
}

/* ---- Text that is wrong ---------------------------------------------------------------------- */

/* The text with one piece of it replaced. */
static struct buffer replaced(const struct buffer *text, const char *from, const char *to)
{
    const char *at = strstr(text->data, from);
    struct buffer out = { 0 };

    if (at == NULL)
        fail_msg("no \"%s\" in the record", from);
    buffer_append(&out, text->data, (size_t)(at - text->data));
    buffer_puts(&out, to);
    buffer_puts(&out, at + strlen(from));
    return out;
}

#define LONG_33 "123456789012345678901234567890123"
#define LONG_128                                                                                   \
    "12345678901234567890123456789012345678901234567890123456789012345678"                         \
    "901234567890123456789012345678901234567890123456789012345678"

static const struct {
    const char *from, *to, *named;
} wrong[] = {
    { "\"record\":1", "\"record\":2", "record (the version)" }, /* written by a newer version */
    { "\"record\":1", "\"record\":0", "record (the version)" },
    { "\"record\":1", "\"record\":\"1\"", "record" },
    { "\"record\":1", "\"recorded\":1", "record" },
    { "\"name\":\"webui\"", "\"name\":null", "name" },
    { "\"name\":\"webui\"", "\"Name\":\"webui\"", "name" },
    { "\"version\":\"0.1.0\"", "\"version\":\"" LONG_33 "\"", "version" },
    { "\"launcher\":\"systemd\"", "\"launcher\":\"1234567890123456\"", "launcher" },
    { "\"supervisor\":{", "\"supervisor\":{\"was\":1},\"x\":{", "pid" },
    { "\"keeper\":{\"pid\":4239", "\"keeper\":{\"pid\":-1", "pid" },
    { "\"keeper\":{\"pid\":4239", "\"keeper\":{\"pid\":2147483648", "pid" },
    { "\"keeper\":{\"pid\":4239", "\"keeper\":{\"pid\":4239.5", "pid" },
    { "\"start_time\":\"18446744073709551615\"", "\"start_time\":\"18446744073709551616\"",
            "start_time" },
    { "\"start_time\":\"18446744073709551615\"", "\"start_time\":5", "start_time" },
    { "\"pid_namespace\":4026531836", "\"pid_namespace\":9007199254740994", "pid_namespace" },
    { "\"boot_id\":\"7b3a", "\"boot_id\":\"7b3a7b3a", "boot_id" },
    { "\"started_wall_us\":1795341600123456", "\"started_wall_us\":-1", "started_wall_us" },
    { "\"machine\":{", "\"machine\":[],\"m\":{", "short_runs_ms" },
    { "\"activity\":1", "\"activity\":6", "activity" },
    { "\"want_down\":true", "\"want_down\":1", "want_down" },
    { "\"last_number\":8", "\"last_number\":4294967296", "last_number" },
    { "\"restarts\":5", "\"restarts\":null", "restarts" },
    { "\"wait_until_ms\":123456", "\"wait_until_ms\":-2", "wait_until_ms" },
    { "\"random\":\"11400714819323198485\"", "\"random\":\"-1\"", "random" },
    { "\"streak\":3", "\"streak\":[]", "streak" },
    { "\"short_runs_ms\":[1000,2000]", "\"short_runs_ms\":[1000,-1]", "short_runs_ms" },
    { "\"short_runs_ms\":[1000,2000]", "\"short_runs_ms\":[1000,\"2000\"]", "short_runs_ms" },
    { "\"short_runs_ms\":[1000,2000]", "\"short_runs_ms\":{}", "short_runs_ms" },
    { "\"generations\":[{", "\"generations\":[{},{", "generations" },
    { "\"generations\":[{", "\"generations\":{\"a\":1},\"g\":[{", "generations" },
    { "\"phase\":4", "\"phase\":6", "phase" },
    { "\"number\":7", "\"number\":-1", "number" },
    { "\"spawned_ms\":500", "\"spawned_ms\":\"500\"", "spawned_ms" },
    { "\"ready_ms\":600", "\"ready_ms\":-2", "ready_ms" },
    { "\"deadline_ms\":700", "\"deadline_ms\":1e300", "deadline_ms" },
    { "\"kills\":2", "\"kills\":-1", "kills" },
    { "\"main_ended\":true", "\"main_ended\":\"true\"", "main_ended" },
    { "\"exit_code\":143", "\"exit_code\":256", "exit_code" },
    { "\"end_code\":11", "\"end_code\":-1", "end_code" },
    { "\"process\":{", "\"process\":null,\"p\":{", "pid" },
    { "\"instance\":\"0123", "\"instance\":\"00123", "instance" },
    { "\"notify_name\":\"", "\"notify_name\":\"" LONG_128, "notify_name" },
    { "\"log_at\":77", "\"log_at\":-2", "log_at" },
    { "\"listeners\":[", "\"listeners\":null,\"l\":[", "listeners" },
    { "\"listeners\":[", "\"listeners\":[7,", "requested" },
    { "\"requested\":\"127.0.0.1:0\"", "\"requested\":\"127.0.0.1:65536\"", "requested" },
    { "\"bound\":\"127.0.0.1:8787\"", "\"bound\":\"127.0.0.1\"", "bound" },
    { "\"held\":true", "\"held\":0", "held" },
    { "\"file_id\":\"0\"", "\"file_id\":\"\"", "file_id" },
    { "\"last_exit\":{", "\"last_exit\":[],\"e\":{", "code" },
    { "\"signal\":9", "\"signal\":256", "signal" },
    { "\"reason\":\"ended by SIGKILL\"", "\"reason\":7", "reason" },
    { "\"helpers\":[", "\"helpers\":{},\"h\":[", "helpers" },
    { "\"helpers\":[{", "\"helpers\":[{\"pid\":1},{", "start_time" },
};

static void names_the_first_thing_that_is_wrong(void **state)
{
    struct record good = everything();
    struct buffer text = text_of(&good);

    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        struct buffer bad = replaced(&text, wrong[i].from, wrong[i].to);
        struct record record;
        char expected[80];
        struct err err = { 0 };

        check_refused(wrong[i].to, bad.data, bad.length);
        (void)record_parse(bad.data, bad.length, &record, NULL, &err);
        (void)snprintf(expected, sizeof expected,
                "the record cannot be used: '%s' is missing or wrong", wrong[i].named);
        CHECK_TEXT(wrong[i].to, err.text, expected);
        buffer_free(&bad);
    }
    buffer_free(&text);
}

/* Whatever of it is missing: no member has a default that could be taken for a fact. */
static void refuses_a_record_without_any_of_its_members(void **state)
{
    struct record good = everything();
    struct buffer text = text_of(&good);
    size_t members = 0;

    for (char *at = text.data; (at = strstr(at, "\":")) != NULL; at++, members++) {
        char *key = at - 1;

        /* Not by this name any more. */
        *key = *key == 'Z' ? 'Y' : (char)(*key - 'a' + 'A');
        check_refused(at, text.data, text.length);
        *key = (char)(*key - 'A' + 'a');
    }
    assert_true(members > 90);
    (void)check_read("put back", text.data, text.length, &good);
    buffer_free(&text);
}

/* A later version may add members and be read by this one, which rewrites the record anyway. */
static void passes_over_members_it_does_not_know(void **state)
{
    struct record good = everything();
    struct buffer text = text_of(&good);
    struct buffer more = replaced(
            &text, "{\"record\":1", "{\"later\":{\"a\":[1,null]},\"machine2\":7,\"record\":1");

    assert_int_equal(check_read("more members", more.data, more.length, &good), 0);
    buffer_free(&more);
    buffer_free(&text);
}

static struct buffer with_list(
        const struct buffer *text, const char *list, const char *element, int count)
{
    struct buffer begin = { 0 };
    struct buffer out;

    buffer_printf(&begin, "\"%s\":[", list);
    for (int i = 0; i < count; i++)
        buffer_printf(&begin, "%s,", element);
    out = replaced(text,
            list[0] == 's'           ? "\"short_runs_ms\":["
                    : list[0] == 'l' ? "\"listeners\":["
                                     : "\"helpers\":[",
            begin.data);
    buffer_free(&begin);
    return out;
}

static void refuses_lists_that_are_too_long(void **state)
{
    static const char listener[] = "{\"requested\":\"[::]:1\",\"bound\":\"[::]:1\",\"held\":true,"
                                   "\"file_id\":\"0\"}";
    static const char helper[] =
            "{\"pid\":1,\"start_time\":\"1\",\"pid_namespace\":1,\"boot_id\":\"\",\"role\":\"\"}";
    static const struct {
        const char *list, *element;
        int most; /* that fit beside the two that are there */
    } rows[] = {
        { "short_runs_ms", "5", BACKOFF_BURST_MAX + 1 - 2 },
        { "listeners", listener, RECORD_LISTENERS_MAX - 2 },
        { "helpers", helper, RECORD_HELPERS_MAX - 2 },
    };
    struct record good = everything();
    struct buffer text = text_of(&good);

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buffer full = with_list(&text, rows[i].list, rows[i].element, rows[i].most);
        struct buffer over = with_list(&text, rows[i].list, rows[i].element, rows[i].most + 1);
        struct record record;
        struct err err;

        CHECK_INT(rows[i].list, record_parse(full.data, full.length, &record, NULL, &err), 0);
        check_refused(rows[i].list, over.data, over.length);
        buffer_free(&full);
        buffer_free(&over);
    }
    buffer_free(&text);
}

static void refuses_what_is_no_record(void **state)
{
    static const char *const rows[] = { "", " ", "\n", "null", "[]", "{}", "7", "\"record\"",
        "{\"record\":1", "{\"record\":1}", "{\"record\":1,\"record\":1}", "svcmgr-record",
        "svcmgr-record 0000000000000001", "\xff\xfe", "{\"record\":1}x" };
    static char large[RECORD_MAX_BYTES + 1];
    static char garbage[RECORD_MAX_BYTES];
    uint32_t random = 12345;

    for (size_t i = 0; i < COUNT_OF(rows); i++)
        check_refused(rows[i], rows[i], strlen(rows[i]));
    check_refused("a NUL", "\0", 1);
    memset(large, ' ', sizeof large);
    check_refused("blanks", large, RECORD_MAX_BYTES);
    check_refused("too large", large, sizeof large);
    check_refused("zeros", garbage, sizeof garbage);
    for (int round = 0; round < 50; round++) {
        for (size_t i = 0; i < sizeof garbage; i++) {
            random = random * 1664525 + 1013904223;
            garbage[i] = (char)(random >> 24);
        }
        check_refused("garbage", garbage, sizeof garbage);
    }
}

/* A good record that is larger than a file may be is not looked at. */
static void refuses_a_file_that_is_too_large(void **state)
{
    struct record good = everything();
    struct buffer text = text_of(&good);
    size_t length = text.length;

    for (size_t i = length; i < RECORD_MAX_BYTES; i++)
        buffer_puts(&text, " ");
    (void)check_read("at the limit", text.data, RECORD_MAX_BYTES, &good);
    buffer_puts(&text, " ");
    check_refused("over the limit", text.data, text.length);
    buffer_free(&text);
}

static void refuses_every_beginning_of_a_text(void **state)
{
    struct record good = everything();
    struct buffer text = text_of(&good);

    for (size_t length = 0; length < text.length - 1; length++)
        check_refused("cut", text.data, length);
    (void)check_read("without its line end", text.data, text.length - 1, &good);
    buffer_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_every_member),
        cmocka_unit_test(keeps_what_is_unknown),
        cmocka_unit_test(holds_the_longest_of_everything),
        cmocka_unit_test(cuts_a_reason_that_grew),
        cmocka_unit_test(names_the_first_thing_that_is_wrong),
        cmocka_unit_test(refuses_a_record_without_any_of_its_members),
        cmocka_unit_test(passes_over_members_it_does_not_know),
        cmocka_unit_test(refuses_lists_that_are_too_long),
        cmocka_unit_test(refuses_what_is_no_record),
        cmocka_unit_test(refuses_a_file_that_is_too_large),
        cmocka_unit_test(refuses_every_beginning_of_a_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
