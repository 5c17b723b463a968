/* What doctor finds out about one service, and how it says it. */
#ifndef SVCMGR_DOCTOR_H
#define SVCMGR_DOCTOR_H

#include <stdbool.h>

#include "json_write.h"
#include "record.h"
#include "scope.h"
#include "service.h"

#define DOCTOR_TEXT_BYTES    1600
#define DOCTOR_COMMAND_BYTES 1200

/* One line of the picture.  'bad' stands in the way and comes with the command to type next. */
struct finding {
    bool bad;
    const char *what;
    char text[DOCTOR_TEXT_BYTES];
    char command[DOCTOR_COMMAND_BYTES]; /* "" none */
};

struct report {
    const struct cli *cli;
    const struct target *target;
    struct json_writer *writer; /* NULL: for people */
    size_t bad;
    char next[DOCTOR_COMMAND_BYTES]; /* the first command that was named */
    struct service *service;         /* NULL: the configuration cannot be used */
    bool has_record;
    struct record record;
    bool supervised; /* a supervisor answers */
};

void doctor_tell(struct report *report, const struct finding *finding);

/* "svcmgr COMMAND NAME ..." with the directories that this command was given. */
void doctor_own_command(
        const struct report *report, const char *command, char *ret_text, size_t size);

/* Files and directories. */
void doctor_look_at_config(struct report *report);
void doctor_look_at_program(struct report *report);
void doctor_look_at_state(struct report *report);

/* The definition with the platform's own service manager. */
void doctor_look_at_installed(struct report *report);

/* What ends the process that holds an address. */
void doctor_end_holder(
        const struct report *report, const struct holder *holder, char *ret_text, size_t size);

#endif
