#include "signal_name.h"

#include "str.h"

#include "banned.h"

static const char *const names[] = {
    "HUP",
    "INT",
    "QUIT",
    "ILL",
    "TRAP",
    "ABRT",
    "BUS",
    "FPE",
    "KILL",
    "USR1",
    "SEGV",
    "USR2",
    "PIPE",
    "ALRM",
    "TERM",
    "CHLD",
    "CONT",
    "STOP",
    "TSTP",
    "TTIN",
    "TTOU",
    "URG",
    "XCPU",
    "XFSZ",
    "VTALRM",
    "PROF",
    "WINCH",
    "IO",
    "SYS",
};

const char *signal_name_find(const char *text)
{
    char prefixed[16];

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        (void)str_format(prefixed, sizeof prefixed, "SIG%s", names[i]);
        if (str_equal_nocase(text, names[i]) || str_equal_nocase(text, prefixed))
            return names[i];
    }
    return NULL;
}

const char *const *signal_name_all(size_t *ret_count)
{
    *ret_count = sizeof names / sizeof names[0];
    return names;
}
