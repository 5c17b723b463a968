/* The supervisor of one service: takes events from the loop, lets the machine decide, and does what
 * it says.
 *
 * This header is shared by the files of this folder; outside only supervisor_run() is used. */
#ifndef SVCMGR_SUPERVISOR_H
#define SVCMGR_SUPERVISOR_H

#include <stdbool.h>
#include <stdint.h>

#include "config.h"
#include "control.h"
#include "guard.h"
#include "health.h"
#include "journal.h"
#include "launcher.h"
#include "link.h"
#include "listener.h"
#include "machine.h"
#include "output.h"
#include "platform.h"
#include "record.h"
#include "service.h"

/* Whose events these are: the 'role' of a source. */
enum supervisor_role {
    ROLE_KEEPER,
    ROLE_CONTROL,     /* the control listener and the connections that it accepted */
    ROLE_GUARD_PROBE,
    ROLE_HEALTH_PROBE,
    ROLE_OUTPUT,
    ROLE_NOTIFY,      /* owner: the instance */
    ROLE_FAILURE,     /* owner: the instance */
    ROLE_HELPER,      /* owner: the helper, of which it tells that it could not execute */
    ROLE_PROCESS,     /* owner: the instance */
    ROLE_STRANGER     /* the process that a standby waits for */
};

/* How the command line wants it. */
struct supervisor_options {
    const char *name;
    const char *config_path;
    const char *state_directory; /* <state-dir>/NAME */
    bool system_scope;
    bool background; /* started by 'start': speaks through its first client, not stderr */
    bool exit_when_failed;
    bool exit_code_from_instance;
    bool duplicate_set;
    enum config_duplicate duplicate;
};

/* Where an instance's exit status comes from. */
enum instance_parent {
    INSTANCE_OF_OURS,   /* our child */
    INSTANCE_OF_KEEPER, /* became the keeper's child when a former supervisor died */
    INSTANCE_OF_NOBODY  /* both died: watched by its handle */
};

/* A generation's process, beside what the machine and the record know of it. */
struct instance {
    bool used;
    enum machine_slot slot;
    struct service *service; /* what it was spawned with, as far as it can be applied live */
    enum instance_parent parent;
    struct platform_source *failure; /* until it has executed */
    struct platform_source *notify;
    struct platform_source *watch; /* INSTANCE_OF_NOBODY */
    struct health health;
    int64_t settled_at_ms;   /* ready: spawn; PLATFORM_NEVER if not used */
    int64_t watchdog_at_ms;  /* PLATFORM_NEVER: off */
    int64_t owner_look_ms;   /* 'self': when to look again whose listener it is */
    int64_t owner_pause_ms;
    bool owner_proved;       /* 'self': the listener belongs to its tree */
    bool owner_unproved;     /* ... and the system does not say */
    bool wants_ready;        /* it was ready, but its listener is not proved yet */
    bool says_stopping;
    char status_text[256];   /* STATUS= */
    char failure_text[RECORD_REASON_BYTES]; /* why it could not be started */
};

/* A short-lived process beside an instance: a health command or the stop command. */
struct helper {
    bool used;
    struct identity process;
    struct platform_source *failure;
    enum machine_slot slot;
    bool is_stop; /* else health */
    int64_t deadline_ms;
    bool killed;
    char failure_text[RECORD_REASON_BYTES];
};

#define SUPERVISOR_HELPERS_MAX 8
#define SUPERVISOR_REAP_MAX    8

/* What is used together lies together; what is large and hardly ever touched comes last. */
struct supervisor {
    struct supervisor_options options;
    const struct launcher *launcher;
    struct link link;
    platform_handle lock;
    struct service *service; /* for the next spawn */

    bool is_init;       /* process 1 of a container is our keeper */
    bool may_record;    /* the guard has said yes: before, nothing of a former run is overwritten */
    bool record_dirty;
    bool record_failed; /* the last write did: said once */
    bool guarded_once;
    bool needs_restart; /* the configuration in use has keys that only a new instance gets */
    bool adopted;
    bool output_lost;  /* adopted without the pipe that it writes to */
    bool lock_is_held; /* somebody else has the lock: whoever started us asks there */
    bool may_shrink;   /* a start is over: the stack that it needed is given back */
    bool done;
    int exit_code;
    int stops_asked;
    int64_t end_by_ms;    /* when to end even if something was not sent yet */
    int64_t tree_look_ms; /* when to look again whether a tree is gone; PLATFORM_NEVER */
    int64_t standby_pause_ms;
    int64_t standby_at_ms; /* when to look again; PLATFORM_NEVER */
    struct platform_source *standby_watch; /* the stranger's process, where it can be watched */
    struct platform_peer asked_by; /* who asked for the change that is under way; uid -1: nobody */
    enum machine_state told_state; /* the last one that the world was told */
    uint32_t instance_numbers[MACHINE_SLOT_COUNT]; /* generations; the machine forgets them first */
    int64_t reap[SUPERVISOR_REAP_MAX]; /* ended: reaped when that is written down */
    size_t reap_count;
    size_t listeners_held; /* how many places of sockets the keeper may hold */
    int64_t failure_log_at;
    struct service *next_service; /* a restart's configuration, while the guard looks at the
                                   * addresses that it adds; else NULL */
    struct listener_set added;    /* those addresses */
    struct record *former; /* what was on disk at the start, until the guard is done; NULL: none */

    struct journal journal;
    struct output output;
    struct control control;
    struct platform_user user; /* who we are */
    char cause[RECORD_REASON_BYTES]; /* of the change that is under way */
    struct machine machine;
    struct record record;
    struct instance instances[MACHINE_SLOT_COUNT];
    struct helper helpers[SUPERVISOR_HELPERS_MAX];
    struct err failure; /* why the last start or restart failed, for whoever waits */
    struct guard guard;
};

/* Runs until the end by decision; returns the exit code that the keeper was told. */
int supervisor_run(const struct supervisor_options *options);

/* ---- supervisor.c ---- */

/* Feeds the machine one event and does what it says. */
void supervisor_feed(struct supervisor *sup, struct machine_event event);
void supervisor_feed_slot(
        struct supervisor *sup, enum machine_event_kind kind, enum machine_slot slot);
/* Gives the keeper the sockets of the service in use, under their places. */
void supervisor_hold_listeners(struct supervisor *sup);
/* Notes why the next change happens. */
void supervisor_cause(struct supervisor *sup, const char *format, ...) ERR_PRINTF(2, 3);
/* Looks whether trees whose main process has ended are gone. */
void supervisor_look_at_trees(struct supervisor *sup);
void supervisor_begin_guard(struct supervisor *sup);
/* Makes a configuration the one for the next spawn. */
void supervisor_use_service(struct supervisor *sup, struct service *service);
/* Begins a restart with a configuration, which is now the supervisor's; addresses that it adds are
 * guarded first, and refused ones refuse the restart. */
void supervisor_restart(struct supervisor *sup, struct service *service);
/* Frees a configuration that neither the next spawn nor an instance uses any more. */
void supervisor_release_service(struct supervisor *sup, struct service *service);

/* ---- publish.c ---- */

void publish_record(struct supervisor *sup);       /* marks it to be written */
/* Writes it if it changed, and reaps what it says has ended. */
void publish_record_now(struct supervisor *sup);
void publish_status(struct supervisor *sup, struct json_writer *writer, const char *key);
/* Tells launcher, journal and terminal of a new state. */
void publish_state(struct supervisor *sup);

/* ---- instance.c ---- */

int instance_spawn(struct supervisor *sup, enum machine_slot slot, struct err *err);
void instance_stop(struct supervisor *sup, enum machine_slot slot);
void instance_stop_rest(struct supervisor *sup, enum machine_slot slot);
void instance_kill(struct supervisor *sup, enum machine_slot slot);
/* The main process has ended; its zombie (if it is ours) still lies. */
void instance_ended(struct supervisor *sup, enum machine_slot slot, const struct platform_exit *how);
/* Another process of its tree is the main one from now on. */
void instance_set_main(
        struct supervisor *sup, enum machine_slot slot, const struct identity *identity);
void instance_forget(struct supervisor *sup, enum machine_slot slot);
void instance_promote(struct supervisor *sup);
void instance_on_failure_event(struct supervisor *sup, const struct platform_event *event);
/* The tree of one generation, as the platform wants it; 'except' is the caller's space. */
#define INSTANCE_EXCEPT_MAX (SUPERVISOR_HELPERS_MAX + MACHINE_SLOT_COUNT)
void instance_tree(const struct supervisor *sup, enum machine_slot slot,
        int64_t except[INSTANCE_EXCEPT_MAX], struct platform_tree *ret_tree);
/* Which slot a process belongs to; -1: none. */
int instance_slot_of(const struct supervisor *sup, int64_t pid);
bool instance_is_inside(const struct supervisor *sup, int64_t pid);

/* ---- helper.c ---- */

int helper_start(struct supervisor *sup, enum machine_slot slot, bool is_stop,
        const struct config_words *command, int64_t timeout_ms, struct err *err);
bool helper_on_exit(struct supervisor *sup, int64_t pid, const struct platform_exit *how);
void helper_on_failure_event(const struct platform_event *event);
void helper_on_time(struct supervisor *sup, int64_t now_ms);
int64_t helper_deadline(const struct supervisor *sup);
void helper_end_all(struct supervisor *sup, enum machine_slot slot);

/* ---- readiness.c ---- */

void readiness_begin(struct supervisor *sup, enum machine_slot slot);
void readiness_on_notify(struct supervisor *sup, const struct platform_event *event);
void readiness_on_time(struct supervisor *sup, int64_t now_ms);
int64_t readiness_deadline(const struct supervisor *sup);
void readiness_take_health(
        struct supervisor *sup, enum machine_slot slot, enum health_verdict verdict);
/* The health probe of a slot may have its verdict. */
void readiness_look_at_probe(struct supervisor *sup, enum machine_slot slot);
/* With 'self' sockets: whether the listener is the program's own. */
bool readiness_is_own_answer(struct supervisor *sup, enum machine_slot slot);
/* It would be ready: with 'self' sockets its listener must be its own first. */
void readiness_reached(struct supervisor *sup, enum machine_slot slot, const char *why);

/* ---- adoption.c ---- */

/* Reads the record on disk into sup->former, and frees that again. */
void adoption_read_record(struct supervisor *sup);
void adoption_forget_record(struct supervisor *sup);
/* A new supervisor under the same keeper: goes on where the former one was.  Fails if the record
 * cannot be used; then nothing was taken up. */
int adoption_revive(struct supervisor *sup, struct err *err);
/* Keeper and supervisor had both died, and the guard found the recorded instance alive. */
void adoption_adopt(struct supervisor *sup, enum decision_kind how);
/* Keeps a copy of the configuration in use beside the record, for the next supervisor. */
void adoption_save_config(struct supervisor *sup);

/* ---- methods.c ---- */

/* Answers one line of a client. */
void methods_line(struct supervisor *sup, struct client *client, const char *line, size_t length);
/* Reads the configuration again and applies what can be applied live; HUP does that too. */
void methods_reload(struct supervisor *sup);
/* Tells those who wait what is being waited for. */
void methods_tell_progress(struct supervisor *sup);
/* Answers everybody who waits for this. */
void methods_answer(struct supervisor *sup, enum client_wait wait, bool ok);

#endif
