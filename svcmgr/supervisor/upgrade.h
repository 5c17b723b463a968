/* Giving the place to another svcmgr program: the one that is on disk now.
 *
 * It first proves itself on a copy of the state ('svcmgr self-check').  Then this supervisor ends,
 * and the keeper starts the next one with that program, which takes up what there is as after a
 * crash; keeper.h says what becomes of one that cannot.  Where there is no keeper this supervisor
 * starts it, and ends when it has taken up everything: handover.h. */
#ifndef SVCMGR_UPGRADE_H
#define SVCMGR_UPGRADE_H

#include <stdbool.h>
#include <stddef.h>

#include "platform.h"

#define UPGRADE_SAID_BYTES 512

struct supervisor;
struct helper;
struct call;

struct upgrade {
    bool checks;   /* the program proves itself */
    bool gives_up; /* it has: this supervisor ends, and not by decision */
    platform_handle program;
    struct platform_file file; /* what was opened */
    struct platform_source *output;
    size_t said_length;
    char said[UPGRADE_SAID_BYTES]; /* its last words, or the version that it is */
    char path[PLATFORM_PATH_BYTES];
};

/* The method: whoever asks is answered when it fails, or by the successor. */
void upgrade_call(const struct call *call);
void upgrade_on_event(struct supervisor *sup, const struct platform_event *event);
/* The check has ended. */
void upgrade_checked(
        struct supervisor *sup, const struct helper *helper, const struct platform_exit *how);

/* It has proved itself and did not take over, though this supervisor had stayed until it would:
 * 'trial_end' says what it did instead.  Whoever waits is told. */
void upgrade_not_taken(struct supervisor *sup, const char *trial_end);

/* The service is about to end: a check that is under way is ended, and whoever waits is told. */
void upgrade_give_up(struct supervisor *sup);

/* What 'svcmgr self-check' does: whether this program can go on with the state in a directory, a
 * copy of which it may write to, under a keeper that speaks this protocol and with a control
 * channel of this kind. */
int upgrade_self_check(const char *name, const char *config_path, const char *state_directory,
        int keeper_protocol, bool over_tcp, struct err *err);

#endif
