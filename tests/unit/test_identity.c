#include "unit.h"

#include "identity.h"

#include "banned.h"

#define BOOT  "6f1c4f4e-5d0b-4a0e-9c55-0d5d7d1f1a2b"
#define OTHER "6f1c4f4e-5d0b-4a0e-9c55-0d5d7d1f1a2c"

static void is_the_same_only_if_every_part_is_known_and_equal(void **state)
{
    static const struct {
        const char *name;
        struct identity a, b;
        bool equal;
    } rows[] = {
        { "the same", { 42, 777, 9, BOOT }, { 42, 777, 9, BOOT }, true },
        { "a system without pid namespaces", { 42, 777, 0, BOOT }, { 42, 777, 0, BOOT }, true },
        { "another pid", { 42, 777, 9, BOOT }, { 43, 777, 9, BOOT }, false },
        { "the number was used again", { 42, 777, 9, BOOT }, { 42, 778, 9, BOOT }, false },
        { "another boot, where the clock began anew", { 42, 777, 9, BOOT }, { 42, 777, 9, OTHER },
                false },
        { "another namespace", { 42, 777, 9, BOOT }, { 42, 777, 8, BOOT }, false },
        { "one namespace unknown", { 42, 777, 9, BOOT }, { 42, 777, 0, BOOT }, false },
        { "nobody is nobody", { 0, 0, 0, "" }, { 0, 0, 0, "" }, false },
        { "pid 0", { 0, 777, 9, BOOT }, { 0, 777, 9, BOOT }, false },
        { "a negative pid", { -42, 777, 9, BOOT }, { -42, 777, 9, BOOT }, false },
        { "start time unknown", { 42, 0, 9, BOOT }, { 42, 0, 9, BOOT }, false },
        { "one start time unknown", { 42, 777, 9, BOOT }, { 42, 0, 9, BOOT }, false },
        { "boot unknown", { 42, 777, 9, "" }, { 42, 777, 9, "" }, false },
        { "one boot unknown", { 42, 777, 9, BOOT }, { 42, 777, 9, "" }, false },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        CHECK(rows[i].name, identity_equal(&rows[i].a, &rows[i].b) == rows[i].equal);
        CHECK(rows[i].name, identity_equal(&rows[i].b, &rows[i].a) == rows[i].equal);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_the_same_only_if_every_part_is_known_and_equal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
