#ifndef SVCMGR_ABILITIES_H
#define SVCMGR_ABILITIES_H

#include <stdbool.h>

/* What the system at hand has of what a configuration can ask for, where it has not everything. */
struct abilities {
    const char *name;
    bool notifies; /* has sockets for READY=1 and the like */
    bool users;    /* a supervisor can start a program as another user than its own */
    bool groups;
    bool umasks;                /* who may read a new file is its program's to say */
    const char *const *limits;  /* NULL at the end */
    const char *limits_text;    /* the same for people */
    const char *const *signals; /* NULL at the end */
    const char *signals_text;
};

#endif
