/* What every unit test includes: cmocka, and checks that name the row that failed. */
#ifndef SVCMGR_UNIT_H
#define SVCMGR_UNIT_H

/* cmocka.h needs the first four in front of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT_OF(list) (sizeof(list) / sizeof(list)[0])

/* Like assert_true, for a loop over rows: says which row it was. */
#define CHECK(row, condition)                                                                      \
    do {                                                                                           \
        if (!(condition))                                                                          \
            fail_msg("row \"%s\": %s", row, #condition);                                           \
    } while (0)

/* Every how-manieth case a search that tries very many of them takes: 1, all of them.  Under a tool
 * that makes a program fifty times slower SVCMGR_TEST_STEP says more. */
static inline size_t unit_step(void)
{
    const char *text = getenv("SVCMGR_TEST_STEP");
    long step = text != NULL ? strtol(text, NULL, 10) : 1;

    return step > 1 ? (size_t)step : 1;
}

#define CHECK_TEXT(row, found, expected)                                                           \
    do {                                                                                           \
        if (strcmp(found, expected) != 0)                                                          \
            fail_msg("row \"%s\": found \"%s\", expected \"%s\"", row, found, expected);           \
    } while (0)

#define CHECK_INT(row, found, expected)                                                            \
    do {                                                                                           \
        if ((found) != (expected))                                                                 \
            fail_msg("row \"%s\": %s is %lld, expected %lld", row, #found, (long long)(found),     \
                    (long long)(expected));                                                        \
    } while (0)

#endif
