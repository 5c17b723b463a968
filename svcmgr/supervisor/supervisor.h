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
#include "exec.h"
#include "given.h"
#include "guard.h"
#include "handover.h"
#include "health.h"
#include "journal.h"
#include "launcher.h"
#include "link.h"
#include "listener.h"
#include "machine.h"
#include "news.h"
#include "output.h"
#include "platform.h"
#include "record.h"
#include "service.h"
#include "standby.h"
#include "upgrade.h"

/* Whose events these are: the 'role' of a source. */
enum supervisor_role {
    ROLE_KEEPER,
    ROLE_CONTROL, /* the control listener and the connections that it accepted */
    ROLE_GUARD_PROBE,
    ROLE_HEALTH_PROBE,
    ROLE_OUTPUT,
    ROLE_NOTIFY,    /* owner: the instance */
    ROLE_FAILURE,   /* owner: the instance */
    ROLE_HELPER,    /* owner: the helper, of which it tells that it could not execute */
    ROLE_PROCESS,   /* owner: the instance */
    ROLE_STRANGER,  /* the process that a standby waits for */
    ROLE_HOLDER,    /* the other supervisor of this service, behind which we stand in line */
    ROLE_CHECK,     /* what a new svcmgr says while it proves itself */
    ROLE_SUCCESSOR, /* the channel to one that is to take our place, where there is no keeper */
    ROLE_EXEC       /* owner: the stream of a command that a client asked for */
};

/* How the command line wants it. */
struct supervisor_options {
    const char *name;
    const char *config_path;
    const char *state_directory; /* <state-dir>/NAME */
    bool system_scope;
    bool background;          /* started by 'start': speaks through its first client, not stderr */
    bool is_alone;            /* nobody holds anything for it: no keeper, no supervisor before it */
    const char *const *words; /* argv of a supervisor that takes its place */
    bool exit_when_failed;
    bool exit_code_from_instance;
    bool control_over_tcp;
    bool duplicate_set;
    enum config_duplicate duplicate;
};

/* Where an instance's exit status comes from. */
enum instance_parent {
    INSTANCE_OF_OURS,   /* our child */
    INSTANCE_OF_KEEPER, /* became the keeper's child when a former supervisor died */
    INSTANCE_OF_NOBODY  /* neither's child: watched by its handle, or looked at */
};

/* A generation's process, beside what the machine and the record know of it. */
struct instance {
    bool used;
    enum machine_slot slot;
    struct service *service; /* what it was spawned with, as far as it can be applied live */
    enum instance_parent parent;
    struct platform_source *failure; /* until it has executed */
    struct platform_source *notify;
    struct platform_source *watch; /* a process whose end may be told to nobody */
    bool looked_at;                /* ... that cannot be watched */
    int64_t settled_at_ms;         /* ready: spawn; PLATFORM_NEVER if not used */
    int64_t watchdog_at_ms;        /* PLATFORM_NEVER: off */
    int64_t owner_look_ms;         /* 'self': when to look again whose listener it is */
    int64_t owner_pause_ms;
    uint64_t ownerless_id; /* 'self': the listener that no process was seen to have last */
    int64_t ownerless_since_ms;
    bool owner_proved;                      /* 'self': the listener belongs to its tree */
    bool owner_unproved;                    /* ... and the system does not say */
    bool wants_ready;                       /* it was ready, but its listener is not proved yet */
    bool stops;                             /* it was asked to, or says so: no watchdog any more */
    bool says_reloading;                    /* status_text is ours and goes with the next READY=1 */
    char status_text[256];                  /* STATUS= */
    char failure_text[RECORD_REASON_BYTES]; /* why it could not be started */
    struct health health;
};

enum helper_kind {
    HELPER_HEALTH,
    HELPER_STOP,
    HELPER_CHECK, /* a new svcmgr proves itself; it belongs to no slot */
    HELPER_EXEC   /* a client's command; likewise */
};

#define HELPER_ROLE_EXEC "exec" /* in the record */

/* A short-lived process beside an instance. */
struct helper {
    bool used;
    enum helper_kind kind;
    struct identity process;
    struct platform_source *failure;
    enum machine_slot slot; /* MACHINE_SLOT_COUNT: none */
    int64_t deadline_ms;
    bool killed;
    bool ended; /* EXEC: its main process has; what that left in its session has not */
    struct exec_session *session; /* EXEC */
    char failure_text[RECORD_REASON_BYTES];
    enum platform_stage failure_stage;
    long failure_code; /* the system's, if failure_text is not "" */
};

#define SUPERVISOR_HELPERS_MAX (8 + EXEC_SESSIONS_MAX)
_Static_assert(SUPERVISOR_HELPERS_MAX <= RECORD_HELPERS_MAX, "a helper cannot be recorded");
#define SUPERVISOR_REAP_MAX 8

/* What is used together lies together; what is large and hardly ever touched comes last.  What a
 * spawn writes to comes first: after a fork each page that is written to is copied, and the child
 * waits for that. */
struct supervisor {
    struct supervisor_options options;
    const struct launcher *launcher;
    struct link link;
    platform_handle lock;
    struct service *service; /* for the next spawn */

    bool is_init;    /* process 1 of a container is our keeper */
    bool may_record; /* the guard has said yes: before, nothing of a former run is overwritten */
    bool record_dirty;
    bool record_failed; /* the last write did: said once */
    bool guarded_once;
    bool needs_restart; /* the configuration in use has keys that only a new instance gets */
    bool adopted;
    bool output_lost;  /* adopted without the pipe that it writes to */
    bool lock_is_held; /* somebody else has the lock: whoever started us asks there */
    bool has_groups;   /* a control group was delegated to us: each generation has its own */
    bool group_told;   /* that a limit cannot be kept by one */
    bool may_shrink;   /* what needed much stack is over: it is given back */
    bool done;
    bool decided; /* the keeper has been told that it is done */
    int exit_code;
    int stops_asked;
    bool had_to_kill;   /* in this stop a main process did not end when it was asked to */
    bool had_to_search; /* nor did the system know all of its tree */
    bool stop_deferred; /* until the guard has cleared what the last run left */
    /* Until then what nobody waits for is left undone, so that a new child has the processor. */
    int64_t child_first_ms;
    int64_t end_by_ms;      /* when to end even if something was not sent yet */
    int64_t tree_look_ms;   /* when to look again whether a tree is gone; PLATFORM_NEVER */
    int64_t tree_looked_ms; /* when that was done last */
    int64_t standby_pause_ms;
    int64_t standby_at_ms;                 /* when to look again; PLATFORM_NEVER */
    struct platform_source *standby_watch; /* the stranger's process, where it can be watched */
    struct platform_peer asked_by; /* who asked for the change that is under way; uid -1: nobody */
    enum machine_state told_state; /* the last one that the world was told */
    struct {
        bool is_set;
        enum machine_state state;
        char cause[RECORD_REASON_BYTES];
    } untold; /* a change that nobody was told of while a new child had the processor */
    char cause[RECORD_REASON_BYTES];               /* of the change that is under way */
    uint32_t instance_numbers[MACHINE_SLOT_COUNT]; /* generations; the machine forgets them first */
    int64_t reap[SUPERVISOR_REAP_MAX];             /* ended: reaped when that is written down */
    size_t reap_count;
    size_t listeners_held; /* how many places of sockets the keeper may hold */
    int64_t failure_log_at;
    int64_t oom_kills; /* in the group that we are in, at the last look; -1: nobody counts */
    struct service *next_service; /* a restart's configuration, while the guard looks at the
                                   * addresses that it adds; else NULL */
    platform_handle record_file;
    uint64_t record_number; /* of the last write */
    struct buffer record_text;
    struct record record;
    struct instance instances[MACHINE_SLOT_COUNT];
    struct record *former; /* what was on disk at the start, until the guard is done; NULL: none */

    struct listener_set added; /* the addresses that next_service adds */
    struct news news;
    struct given *given; /* NULL: there is no launcher that has to do with sockets */
    struct standby standby;
    struct journal journal;
    struct output output;
    struct control control;
    struct platform_user user;  /* who we are */
    struct journal_asker asker; /* of 'asked_by'; uid -1: not looked at yet */
    struct machine machine;
    struct err failure; /* why the last start or restart failed, for whoever waits */
    struct exec exec;
    size_t ended_commands; /* clients' commands that the supervisor before us took along */
    struct upgrade upgrade;
    struct handover handover;
    struct guard guard;
    struct helper helpers[SUPERVISOR_HELPERS_MAX];
};

/* Runs until the end by decision; returns the exit code that the keeper was told. */
int supervisor_run(const struct supervisor_options *options);

/* ---- supervisor.c ---- */

/* Feeds the machine one event and does what it says. */
void supervisor_feed(struct supervisor *sup, struct machine_event event);
void supervisor_feed_slot(
        struct supervisor *sup, enum machine_event_kind kind, enum machine_slot slot);
/* Feeds it a stop, once nothing of the last run is left: a stop leaves nothing behind. */
void supervisor_stop(struct supervisor *sup, bool kill);
/* Notes why the next change happens. */
void supervisor_cause(struct supervisor *sup, const char *format, ...) ERR_PRINTF(2, 3);

/* ---- claim.c ---- */

void claim_begin_guard(struct supervisor *sup);
/* Does what the guard has decided, once it has. */
void claim_look_at_guard(struct supervisor *sup);
/* Gives the keeper the sockets of the service in use, under their places. */
void claim_hold_listeners(struct supervisor *sup);
void claim_close_sockets(struct supervisor *sup);
/* Makes a configuration the one for the next spawn. */
void claim_use_service(struct supervisor *sup, struct service *service);
/* Frees a configuration that neither the next spawn nor an instance uses any more. */
void claim_release_service(struct supervisor *sup, struct service *service);
/* After a restart by overlap that failed: the old generation goes on with its configuration. */
void claim_go_back(struct supervisor *sup);

/* ---- change.c ---- */

/* Begins a restart with a configuration, which is now the supervisor's; addresses that it adds are
 * guarded first, and refused ones refuse the restart. */
void change_begin(struct supervisor *sup, struct service *service);
/* Once more: what its guard was about was another instance's. */
void change_begin_again(struct supervisor *sup);
/* Whether the guard is about what a restart adds; and does what it has decided. */
bool change_is_looked_at(const struct supervisor *sup);
void change_is_guarded(struct supervisor *sup);
/* Refuses that restart if its guard is not done: the service is about to stop. */
void change_give_up(struct supervisor *sup);

/* ---- start.c ---- */

/* Reads a configuration, as service_load() does, and adds what the command line and the launcher
 * say about it. */
int supervisor_load_service(struct supervisor *sup, const char *path, struct service **ret_service,
        struct json_faults *faults, struct err *err);

/* ---- events.c ---- */

void events_dispatch(struct supervisor *sup, const struct platform_event *event);
void events_keeper_gone(struct supervisor *sup);
void events_on_keeper_message(struct supervisor *sup, const struct keeper_message *message);

/* ---- publish.c ---- */

void publish_record(struct supervisor *sup);     /* marks it to be written */
void publish_record_now(struct supervisor *sup); /* writes it if it changed */
/* Writes it before what is in it may execute: what cannot be recorded is not started. */
int publish_record_for_spawn(struct supervisor *sup, struct err *err);
/* Reaps what has ended and is written down. */
void publish_reap(struct supervisor *sup);
/* Tells launcher, journal and terminal of a new state. */
void publish_state(struct supervisor *sup);
/* Remembers one to be told by the next publish_state(), before what has become of it by then. */
void publish_state_later(struct supervisor *sup);
/* Who asked for the change that is under way; NULL: nobody.  Looked at while it waits, since it may
 * be gone as soon as it is answered. */
const struct journal_asker *publish_asker(struct supervisor *sup);
void publish_note_asker(struct supervisor *sup, const struct platform_peer *peer);
void publish_forget_asker(struct supervisor *sup);
/* Says of which ports, chosen by the kernel, another one had to be chosen. */
void publish_lost_ports(struct supervisor *sup);

/* ---- publish_status.c ---- */

void publish_status(struct supervisor *sup, struct json_writer *writer, const char *key);
/* The generation that serves, or is about to. */
enum machine_slot publish_shown_slot(const struct supervisor *sup);
/* The status in one line for people. */
void publish_sentence(struct supervisor *sup, char *ret_text, size_t size);

/* ---- instance.c ---- */

/* A new random id, as SVCMGR_INSTANCE has it. */
int instance_new_id(char ret_id[RECORD_ID_BYTES], struct err *err);
int instance_spawn(struct supervisor *sup, enum machine_slot slot, struct err *err);
void instance_stop(struct supervisor *sup, enum machine_slot slot);
void instance_stop_rest(struct supervisor *sup, enum machine_slot slot);
void instance_kill(struct supervisor *sup, enum machine_slot slot);
/* The main process has ended; its zombie (if it is ours) still lies. */
void instance_ended(
        struct supervisor *sup, enum machine_slot slot, const struct platform_exit *how);
/* What may help a generation that is about to fail without ever having accepted on a socket that it
 * inherited; "" if that is not so. */
void instance_hint(
        const struct supervisor *sup, enum machine_slot slot, char *ret_text, size_t size);
/* Sees to it that the end of a main process that is no child of ours (nor the keeper's) is noticed.
 */
void instance_watch(struct supervisor *sup, enum machine_slot slot);
/* Another process of its tree is the main one from now on. */
void instance_set_main(
        struct supervisor *sup, enum machine_slot slot, const struct identity *identity);
/* Its messages come here again, after keeper and supervisor had both died. */
void instance_listen_again(struct supervisor *sup, enum machine_slot slot);
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

/* One with what the configuration says of the slot's instance. */
int helper_start(struct supervisor *sup, enum machine_slot slot, enum helper_kind kind,
        const struct config_words *command, int64_t timeout_ms, struct err *err);
/* Any program; timeout_ms may be PLATFORM_NEVER. */
int helper_spawn(struct supervisor *sup, enum machine_slot slot, enum helper_kind kind,
        const struct platform_spawn *spec, int64_t timeout_ms, struct helper **ret_helper,
        struct err *err);
/* Kills it, with its tree; its end is told as ever. */
void helper_kill(struct supervisor *sup, struct helper *helper);
/* The end of one that has ended: what is left in its session is killed, and it is forgotten. */
void helper_forget(struct supervisor *sup, struct helper *helper);
bool helper_on_exit(struct supervisor *sup, int64_t pid, const struct platform_exit *how);
void helper_on_failure_event(const struct platform_event *event);
void helper_on_time(struct supervisor *sup, int64_t now_ms);
int64_t helper_deadline(const struct supervisor *sup);
void helper_end_all(struct supervisor *sup, enum machine_slot slot);
void helper_end_kind(struct supervisor *sup, enum helper_kind kind);

/* ---- group.c ---- */

/* Divides the control group that the launcher has delegated to us, if it has. */
void group_open(struct supervisor *sup);
/* Makes the group of a generation that is about to be spawned, and says whether it keeps the limit
 * of memory; false if there is none. */
bool group_make(struct supervisor *sup, enum machine_slot slot, bool *ret_limited);
/* After a death by SIGKILL that was not ours: whether it was for want of memory. */
bool group_was_out_of_memory(struct supervisor *sup, enum machine_slot slot);

/* ---- readiness.c ---- */

void readiness_begin(struct supervisor *sup, enum machine_slot slot);
void readiness_on_notify(struct supervisor *sup, const struct platform_event *event);
void readiness_on_time(struct supervisor *sup, int64_t now_ms);
int64_t readiness_deadline(const struct supervisor *sup);
/* A health check has ended; 'text' says how. */
void readiness_checked(struct supervisor *sup, enum machine_slot slot, bool good, const char *text);
/* The health probe of a slot may have its verdict. */
void readiness_look_at_probe(struct supervisor *sup, enum machine_slot slot);

/* ---- adoption.c ---- */

/* Reads the record on disk into sup->former, and frees that again. */
void adoption_read_record(struct supervisor *sup);
void adoption_forget_record(struct supervisor *sup);
/* A new supervisor under the same keeper: goes on where the former one was.  Fails if the record
 * cannot be used; then nothing was taken up. */
int adoption_revive(struct supervisor *sup, struct err *err);
/* Keeper and supervisor had both died, and the guard found the recorded instance alive.  False if
 * it is not any more; then nothing was taken up. */
bool adoption_adopt(struct supervisor *sup, enum decision_kind how);
/* Keeps a copy of the configuration in use beside the record, for the next supervisor. */
void adoption_save_config(struct supervisor *sup);

/* ---- methods.c ---- */

/* Answers one line of a client. */
void methods_line(struct supervisor *sup, struct client *client, const char *line, size_t length);
/* Reads the configuration again and applies what can be applied live; HUP does that too. */
void methods_reload(struct supervisor *sup);

/* ---- answer.c ---- */

/* Tells those who wait what is being waited for. */
void answer_progress(struct supervisor *sup);
/* Notes who is cut off for not reading; before the next sweep. */
void answer_tell_deaf(struct supervisor *sup);
/* Answers everybody who waits for this. */
void answer_waiting(struct supervisor *sup, enum client_wait wait, bool ok);

#endif
