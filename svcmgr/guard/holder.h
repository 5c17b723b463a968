/* Who is on an address that is not ours: for people, and for status.  What cannot be found out is
 * unknown, never guessed. */
#ifndef SVCMGR_HOLDER_H
#define SVCMGR_HOLDER_H

#include <stdbool.h>
#include <stdint.h>

#include "address.h"
#include "config.h"
#include "launcher.h"
#include "origin.h"
#include "platform.h"

#define HOLDER_LAUNCHER_BYTES 512
#define HOLDER_TEXT_BYTES     1100

struct holder {
    bool found;  /* a socket was seen there */
    int64_t pid; /* 0 unknown */
    char command[PLATFORM_COMMAND_BYTES];
    char user[PLATFORM_USER_BYTES];
    int64_t uid;                          /* good if 'user' is not "" */
    int64_t started_wall_us;              /* 0 unknown */
    char launcher[HOLDER_LAUNCHER_BYTES]; /* "systemd unit x.service", "terminal pts/3"; "" unknown
                                           */
    struct origin origin;
    char remedy[LAUNCHER_REMEDY_BYTES]; /* what its launcher says to type; "" nothing */
    bool starts_others;                 /* a launcher: whoever asks it may start something */
    char service[CONFIG_NAME_BYTES]; /* it is, or belongs to, this service of svcmgr's; "" none */
    char service_state[PLATFORM_PATH_BYTES]; /* whose state directory that is; "" unknown */
    char answers[128];      /* "HTTP 200 from /health", "" unknown; the caller's to fill */
    struct address address; /* of the socket that stands in the way */
    bool listening;
    bool is_supervisor; /* another svcmgr supervisor or keeper */
};

/* Looks who holds a socket that conflicts with address. */
void holder_find(const struct address *address, struct holder *ret_holder);

/* The same for several addresses: the first one that somebody holds. */
void holder_find_first(const struct address *addresses, size_t count, struct holder *ret_holder);

/* The same for a process that is known. */
void holder_of_process(int64_t pid, struct holder *ret_holder);
/* Asks whoever listens there, and fills in 'answers'.  Not asked is who would start something for
 * it: the system's manager, or somebody who cannot be seen. */
void holder_ask(struct holder *holder, const char *path, int64_t timeout_ms);

/* Whether the supervisor that was seen there is one of this service: by its state directory, or,
 * where its words do not tell that, by its name. */
bool holder_may_be_of(const struct holder *holder, const char *name, const char *state_directory);

/* "pid 812, "python3 server.py", user bob, started by systemd unit hermes.service" */
void holder_sentence(const struct holder *holder, char *ret_text, size_t size);

#endif
