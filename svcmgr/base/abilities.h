#ifndef SVCMGR_ABILITIES_H
#define SVCMGR_ABILITIES_H

#include <stdbool.h>

/* What the system at hand has of what a configuration can ask for, where it has not everything. */
struct abilities {
    const char *name;
    bool notifies; /* has sockets for READY=1 and the like */
    bool users;    /* a supervisor can start a program as another user than its own */
    bool groups;
    bool umasks; /* who may read a new file is its program's to say */
    /* Each with NULL at the end, or NULL: whatever there is; and the same for people. */
    const char *const *limits;
    const char *limits_text;
    const char *const *signals;
    const char *signals_text;
    const char *const *logs; /* destinations of output */
    const char *logs_text;
};

#endif
