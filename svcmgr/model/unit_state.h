/* What 'systemctl show' says of a unit, and what follows for the service that the unit may run too.
 *
 * The properties are those of org.freedesktop.systemd1(5). */
#ifndef SVCMGR_UNIT_STATE_H
#define SVCMGR_UNIT_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "address.h"

#define UNIT_STATE_NAME_BYTES  256
#define UNIT_STATE_LISTENS_MAX 16

/* What to ask for. */
#define UNIT_STATE_PROPERTIES                                                                      \
    "--property=Id,LoadState,ActiveState,SubState,MainPID,Job,TriggeredBy,Listen"

enum unit_state_load { UNIT_STATE_UNKNOWN, UNIT_STATE_MISSING, UNIT_STATE_LOADED };

/* What its ActiveState means here. */
enum unit_state_activity {
    UNIT_STATE_DOWN,     /* inactive, failed */
    UNIT_STATE_COMING,   /* it comes, or comes back: activating (also auto-restart), or it is down
                          * and a job waits for it */
    UNIT_STATE_UP,       /* active */
    UNIT_STATE_CHANGING, /* it is up and will be something else: reloading, or a job waits for it */
    UNIT_STATE_LEAVING   /* deactivating; whether it comes back is not known yet */
};

struct unit_state {
    enum unit_state_load load;
    enum unit_state_activity activity;
    char id[UNIT_STATE_NAME_BYTES];
    char words[96];                          /* "activating (auto-restart)" */
    int64_t main_pid;                        /* 0: none */
    char socket_unit[UNIT_STATE_NAME_BYTES]; /* the first .socket that triggers it; "" none */
    /* Of a socket unit: where it listens, as far as this is an address. */
    struct address listens[UNIT_STATE_LISTENS_MAX];
    size_t listen_count;
};

/* Reads the output of 'systemctl show'.  What is not there stays unknown. */
void unit_state_parse(const char *text, size_t length, struct unit_state *ret_state);

/* Whether it waits for its automatic restart; "auto-restart-queued" is of systemd 254. */
bool unit_state_waits(const struct unit_state *state);

#endif
