/* A service of Windows as its service control manager (SCM) has it.  Plain data that owns no
 * memory; every text is UTF-8. */
#ifndef SVCMGR_SCM_H
#define SVCMGR_SCM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SCM_NAME_BYTES       264 /* at most 256 characters: CreateService */
#define SCM_SHORT_BYTES      80
#define SCM_TEXT_BYTES       1024
#define SCM_PATH_BYTES       1024
#define SCM_COMMAND_BYTES    8192
#define SCM_DEPENDENCIES_MAX 64
#define SCM_PRIVILEGES_MAX   16
#define SCM_ACTIONS_MAX      4
#define SCM_GRANTS_MAX       2

enum scm_start {
    SCM_START_DELAYED, /* a while after the others that come with the machine */
    SCM_START_AUTOMATIC,
    SCM_START_MANUAL,
    SCM_START_DISABLED,
    SCM_START_COUNT
};

/* What its account may do with a file or a whole folder. */
struct scm_grant {
    char path[SCM_PATH_BYTES];
    bool modify; /* else only read */
};

/* What a system does not tell, and nobody can compare therefore. */
enum scm_untold {
    SCM_UNTOLD_DELAYED = 1,
    SCM_UNTOLD_SID = 2,
    SCM_UNTOLD_PRIVILEGES = 4,
    SCM_UNTOLD_RECOVERY = 8,
    SCM_UNTOLD_NON_CRASH = 16,
    SCM_UNTOLD_PRESHUTDOWN = 32
};

struct scm_service {
    char name[SCM_SHORT_BYTES];
    char state_path[SCM_PATH_BYTES]; /* whose it is: <state-dir>/NAME; "" not svcmgr's */
    char display_name[SCM_NAME_BYTES];
    char description[SCM_TEXT_BYTES];
    char command_line[SCM_COMMAND_BYTES];
    char account[SCM_NAME_BYTES];
    enum scm_start start;
    bool sid_unrestricted; /* its own SID is in its token, so that it can be granted something */
    char privileges[SCM_PRIVILEGES_MAX][SCM_SHORT_BYTES]; /* those that it keeps; none: all */
    size_t privilege_count;
    char dependencies[SCM_DEPENDENCIES_MAX][SCM_SHORT_BYTES];
    size_t dependency_count;
    /* After its n-th end the SCM starts it again when the n-th time has passed; the last counts for
     * all that follow, and after the reset period it begins anew. */
    int64_t restart_delay_ms[SCM_ACTIONS_MAX];
    size_t restart_count;
    int64_t reset_s;
    bool restarts_non_crash; /* also when it says that it has failed, and not only when it dies */
    int64_t preshutdown_ms;
    char event_file[SCM_PATH_BYTES]; /* has the texts of its entries in the Event Log; "" none */
    struct scm_grant grants[SCM_GRANTS_MAX]; /* set, and not read back */
    size_t grant_count;
    unsigned untold; /* enum scm_untold, one bit each */
};

enum scm_state {
    SCM_STOPPED,
    SCM_START_PENDING,
    SCM_STOP_PENDING,
    SCM_RUNNING,
    SCM_PAUSED, /* or on its way there or back */
    SCM_STATE_COUNT
};

struct scm_status {
    enum scm_state state;
    int64_t pid;           /* 0: none */
    uint32_t win32_code;   /* when it is stopped: how its last run ended */
    uint32_t service_code; /* likewise: its own word for that */
    uint32_t check_point;
    int64_t wait_hint_ms;
    bool accepts_stop;
};

#endif
