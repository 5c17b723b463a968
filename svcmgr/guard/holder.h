/* Who is on an address that is not ours: for people, and for status.  What cannot be found out is
 * unknown, never guessed. */
#ifndef SVCMGR_HOLDER_H
#define SVCMGR_HOLDER_H

#include <stdbool.h>
#include <stdint.h>

#include "address.h"
#include "platform.h"

#define HOLDER_LAUNCHER_BYTES 300
#define HOLDER_TEXT_BYTES     900

struct holder {
    bool found;       /* a socket was seen there */
    int64_t pid;      /* 0 unknown */
    char command[PLATFORM_COMMAND_BYTES];
    char user[PLATFORM_USER_BYTES];
    char launcher[HOLDER_LAUNCHER_BYTES]; /* "systemd unit x.service", "a terminal"; "" unknown */
    char answers[128]; /* "HTTP 200 from /health", "" unknown; the caller's to fill */
    struct address address; /* of the socket that stands in the way */
    bool listening;
    bool is_supervisor; /* another svcmgr supervisor or keeper */
};

/* Looks who holds a socket that conflicts with address. */
void holder_find(const struct address *address, struct holder *ret_holder);

/* The same for a process that is known. */
void holder_describe_process(int64_t pid, struct holder *ret_holder);

/* "pid 812, "python3 server.py", user bob, started by systemd unit hermes.service" */
void holder_sentence(const struct holder *holder, char *ret_text, size_t size);

/* Whether one of the pids of a tree has a socket that listens on (or covers) address.  *ret_known is
 * false if the system does not say who has it; *ret_any whether somebody listens there at all. */
bool holder_is_in_tree(const struct platform_tree *tree, const struct address *address,
        bool *ret_known, bool *ret_any);

/* The TCP port that a tree listens on, if it does on exactly one; 0 otherwise. */
uint16_t holder_port_of_tree(const struct platform_tree *tree, struct address *ret_address);

#endif
