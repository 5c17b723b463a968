#include "unit.h"

#include "signal_name.h"

#include "banned.h"

static void finds_signals_by_name(void **state)
{
    static const struct {
        const char *text;
        const char *name;
    } rows[] = {
        { "TERM", "TERM" },
        { "SIGTERM", "TERM" },
        { "term", "TERM" },
        { "sigterm", "TERM" },
        { "SigTerm", "TERM" },
        { "USR1", "USR1" },
        { "sigvtalrm", "VTALRM" },
        { "HUP", "HUP" },
        { "SYS", "SYS" },
        { "", NULL },
        { "SIG", NULL },
        { "15", NULL },
        { "TERMINATE", NULL },
        { "TER", NULL },
        { "SIGSIGTERM", NULL },
        { " TERM", NULL },
        { "USR3", NULL },
        { "RTMIN", NULL },
        { "a-name-that-is-much-longer-than-that-of-any-signal", NULL },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const char *found = signal_name_find(rows[i].text);

        if (rows[i].name == NULL)
            CHECK(rows[i].text, found == NULL);
        else
            CHECK(rows[i].text, found != NULL && strcmp(found, rows[i].name) == 0);
    }
}

static void finds_all_that_it_lists(void **state)
{
    size_t count;
    const char *const *names = signal_name_all(&count);

    assert_true(count > 20);
    for (size_t i = 0; i < count; i++) {
        char prefixed[32];

        CHECK(names[i], signal_name_find(names[i]) == names[i]);
        (void)snprintf(prefixed, sizeof prefixed, "sig%s", names[i]);
        CHECK(names[i], signal_name_find(prefixed) == names[i]);
        for (size_t k = 0; k < i; k++)
            CHECK(names[i], strcmp(names[i], names[k]) != 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_signals_by_name),
        cmocka_unit_test(finds_all_that_it_lists),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
