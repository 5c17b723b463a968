/* The signals of a system, by their names without SIG. */
#ifndef SVCMGR_SIGNALS_H
#define SVCMGR_SIGNALS_H

struct signal_entry {
    const char *name; /* NULL: the last */
    int number;
};

extern const struct signal_entry platform_signals[];

#endif
