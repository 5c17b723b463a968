/* What holds for any input; that it does not is what is looked for. */
#ifndef SVCMGR_REQUIRE_H
#define SVCMGR_REQUIRE_H

#include <stdio.h>

#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            (void)fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition);   \
            __builtin_trap();                                                                      \
        }                                                                                          \
    } while (0)

#endif
