/* Seam 2: whatever may have started us, or may start the service beside us.
 *
 * A launcher is a person ("manual"), systemd, launchd or the Windows SCM.  The core knows none of
 * them by name: it goes through the list.  A function that a launcher does not have is NULL. */
#ifndef SVCMGR_LAUNCHER_H
#define SVCMGR_LAUNCHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config.h"
#include "definition.h"
#include "platform.h"

#define LAUNCHER_UNIT_BYTES     256
#define LAUNCHER_OWNER_BYTES    384
#define LAUNCHER_REMEDY_BYTES   384
#define LAUNCHER_SENTENCE_BYTES 512
#define LAUNCHER_SOCKET_BYTES   72
#define LAUNCHER_SOCKETS_MAX    40 /* those of a job, and both halves of each that it keeps for us */
#define LAUNCHER_ASK_LIMIT_MS   3000

/* A socket that a launcher hands over. */
struct launcher_socket {
    char name[LAUNCHER_SOCKET_BYTES]; /* cut off if it is longer */
    platform_handle handle;
};

/* What a launcher is told.  Each comes with a sentence, and with for how long it should at least
 * wait for the next one, where it waits. */
enum launcher_news {
    LAUNCHER_STATUS, /* only the sentence is new */
    LAUNCHER_READY,  /* the start, or the reload, is over */
    LAUNCHER_RELOADING,
    LAUNCHER_STOPPING /* for good */
};

/* What a launcher's job does as to the service's address. */
enum launcher_job {
    LAUNCHER_JOB_NONE,
    LAUNCHER_JOB_SERVES,
    LAUNCHER_JOB_PENDING, /* it comes, or comes back, by itself */
    LAUNCHER_JOB_LEAVING  /* it ends, and may come back: to be asked about again when it has */
};

struct launcher_answer {
    enum launcher_job job;
    bool own;     /* it is installed for this very service */
    int64_t pid;  /* its main process; 0: none, or unknown */
    bool unasked; /* a job could not be asked about; what follows says which */
    char sentence[LAUNCHER_SENTENCE_BYTES];
    char remedy[LAUNCHER_REMEDY_BYTES]; /* what to type against it */
};

/* The job that a process belongs to. */
struct launcher_owner {
    char text[LAUNCHER_OWNER_BYTES];    /* "systemd unit hermes.service"; "" unknown */
    char remedy[LAUNCHER_REMEDY_BYTES]; /* what to type to stop it, or to see more of it */
    bool starts_others; /* the launcher itself: whoever connects to it may start a job */
};

/* A service as a launcher's job. */
struct launcher_place {
    const char *name;
    const char *state_path; /* <state-dir>/NAME: there may be more services of a name */
    bool system_scope;
};

struct launcher_installed {
    const char *kind;  /* "systemd" */
    const char *scope; /* "system", "user" */
    char unit[LAUNCHER_UNIT_BYTES];
    char path[PLATFORM_PATH_BYTES]; /* of its main file */
    bool enabled;
    bool with_socket; /* the launcher holds its sockets */
};

/* What an installation did: lines for people, "-" and "+" in front of a file's. */
struct launcher_report {
    struct buffer text;
    bool changed;
};

enum launcher_progress {
    LAUNCHER_COMING,
    LAUNCHER_UP, /* the job runs, whatever its service does */
    LAUNCHER_DOWN
};

struct launcher {
    const char *kind;     /* as status shows it */
    const char *job_word; /* "unit": what it calls a job */

    /* Whether it started 'main_pid', our keeper, and as which unit. */
    bool (*detect)(int64_t main_pid, char *ret_unit, size_t size);
    /* Whether it starts us again by itself, so that the restart policy applies from the first. */
    bool restarts;
    /* It cannot look at an exit code: what ends by decision has to end with 0, or is started again.
     */
    bool reads_no_codes;
    /* Its job is over when the keeper is, whatever of us goes on. */
    bool ends_with_keeper;
    /* It watches the very process that it has started: where there is no keeper, nobody else can
     * take that one's place. */
    bool watches_process;
    /* What is printed goes to a file that grows for ever: only why a run ends is. */
    bool keeps_output;
    /* In the first process of its job, before anything is printed. */
    void (*begin)(const char *state_path);
    /* The last thing in that process: what it ends with.  The name may be NULL, if nobody said it.
     */
    void (*end)(const char *name, int code);
    /* The sockets that it hands over to this process, which was started by it; returns how many. */
    size_t (*take_sockets)(struct launcher_socket *ret_sockets, size_t max);
    /* These never wait; false: it cannot be told now, and is to be told again a moment later. */
    bool (*tell)(enum launcher_news news, const char *sentence, int64_t wait_ms);
    bool (*ping)(void);
    /* Keeps a duplicate of a socket under a name for the next run of its job, which gets it with
     * take_sockets(); and lets it go again.  A launcher that cannot keep any may still say true. */
    bool (*keep)(const char *name, platform_handle handle, bool listens);
    bool (*give_back)(const char *name);
    /* Whether it takes standard error line by line, with a level in front: "<4>" for a warning. */
    bool (*reads_levels)(void);
    /* In which time it wants a ping; 0: it wants none. */
    int64_t (*watchdog_ms)(int64_t main_pid);
    /* Which of its jobs a process belongs to, if it is not in a container. */
    bool (*owner_of)(int64_t pid, struct launcher_owner *ret_owner);
    /* What its job for this service does: the one that we installed, or a rival's.  Who asks has
     * the service's lock, so that an installed one that is up stands in line or knows of no
     * service.  May take LAUNCHER_ASK_LIMIT_MS; whatever cannot be found out in that time is no
     * job. */
    void (*ask)(const struct launcher_place *place, const struct config *config,
            struct launcher_answer *ret_answer);

    /* Definitions.  Rendering works on every system; the rest needs the launcher to be here. */
    int (*render)(const struct definition_input *input, struct definition *ret_definition,
            struct err *err);
    bool (*is_here)(void);
    /* Adds to the input what it alone can say. */
    void (*look)(const struct launcher_place *place, struct definition_input *input);
    /* Makes what is installed be the definition: writes, registers, enables, and reads back. */
    int (*install)(const struct launcher_place *place, const struct definition *definition,
            struct launcher_report *report, struct err *err);
    /* Of a service that is stopped; one that is not installed is fine. */
    int (*uninstall)(
            const struct launcher_place *place, struct launcher_report *report, struct err *err);
    /* Whether a definition for this very service is there. */
    bool (*installed)(const struct launcher_place *place, struct launcher_installed *ret_installed);
    /* Whether what is installed is another definition than this one. */
    bool (*differs)(const struct launcher_place *place, const struct definition *definition);
    /* Asks it to start the job, without waiting. */
    int (*start)(const struct launcher_place *place, struct err *err);
    /* How that goes; DOWN: *err says why. */
    enum launcher_progress (*progress)(const struct launcher_place *place, struct err *err);
    /* Stops the job and waits for its end; what holds its sockets is stopped first. */
    int (*stop)(const struct launcher_place *place, struct err *err);
    /* Whether jobs of this scope end with the user's login session; and how not. */
    bool (*ends_with_session)(const struct launcher_place *place);
    int (*outlive_session)(
            const struct launcher_place *place, struct launcher_report *report, struct err *err);
};

/* The one that started 'main_pid', our keeper (0: there is none); never NULL. */
const struct launcher *launcher_detect(int64_t main_pid, char *ret_unit, size_t size);

/* The one of this kind; NULL: there is none. */
const struct launcher *launcher_find(const char *kind);

/* The one that runs this machine; NULL: none. */
const struct launcher *launcher_here(void);

/* The one that has a definition of this service and is here; NULL: none. */
const struct launcher *launcher_installed_by(
        const struct launcher_place *place, struct launcher_installed *ret_installed);

/* Asks all of them; the first that has a job there decides. */
void launcher_ask_all(const struct launcher_place *place, const struct config *config,
        struct launcher_answer *ret_answer);

/* False if no launcher says that it owns the process. */
bool launcher_owner_of(int64_t pid, struct launcher_owner *ret_owner);

extern const struct launcher launcher_systemd; /* units/systemd.c */
extern const struct launcher launcher_launchd; /* launchd/launchd.c */
extern const struct launcher launcher_winsvc;  /* winsvc/winsvc.c */
extern const struct launcher launcher_task;    /* likewise: the Task Scheduler */
extern const struct launcher launcher_manual;

#endif
