/* The command line: what all commands share. */
#ifndef SVCMGR_CLI_H
#define SVCMGR_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config.h"
#include "err.h"
#include "platform.h"

#define CLI_SETS_MAX 64

enum cli_command {
    CLI_ADD,
    CLI_CHECK,
    CLI_START,
    CLI_RUN,
    CLI_STOP,
    CLI_RESTART,
    CLI_RELOAD,
    CLI_SIGNAL,
    CLI_STATUS,
    CLI_LIST,
    CLI_LOGS,
    CLI_EVENTS,
    CLI_EXEC,
    CLI_DOCTOR,
    CLI_INSTALL,
    CLI_UNINSTALL,
    CLI_UPGRADE,
    CLI_VERSION,
    CLI_HELP,
    CLI_SUPERVISE, /* the keeper's child; not for people */
    CLI_SELF_CHECK,
    CLI_COMMAND_COUNT
};

/* An option that add takes over into the configuration: "--listen X". */
struct cli_set {
    const char *option;
    const char *value;
};

struct cli {
    enum cli_command command;
    const char **names; /* the words that are no options; in argv, which is reordered */
    size_t name_count;
    const char *const *rest; /* after "--": a command; NULL if there was no "--" */
    size_t rest_count;

    bool user_scope;
    bool system_scope;
    const char *config_dir;
    const char *state_dir;
    bool json;
    bool quiet;
    bool verbose;

    bool all;
    bool force;
    bool tokens;
    bool follow;
    bool now;
    bool direct;
    bool keep_standby;
    bool fail_exit;
    bool exit_code_from_instance;
    bool background;        /* of run: started by start */
    bool only_dependencies; /* of start: all but the service itself */
    bool tty;               /* of exec */
    bool stdin_too;         /* of exec */
    bool help;
    bool version;
    const char *lines;
    const char *since;
    const char *timeout;    /* of exec */
    const char *output_cap; /* of exec */
    const char *expect_pid;
    const char *duplicate;
    const char *control;
    const char *config_path; /* of supervise, and of run by start: the service's own paths */
    const char *state_path;
    const char *keeper_protocol; /* of self-check */
    const char *resume;          /* of run: the pipe from the image before */
    const char *executable;      /* of upgrade */
    const char *launcher;        /* of install */
    bool with_socket;            /* likewise, as what follows */
    bool as_task;
    bool print;
    bool for_all;
    bool linger;
    const struct cli_set *sets; /* of add; static */
    size_t set_count;
};

/* Runs the whole program; returns the exit code. */
int cli_main(int argc, char **argv);

/* One line on standard output, "NAME: TEXT", or on standard error, "svcmgr: NAME: TEXT".  What
 * makes a command fail is told by report_failure(). */
void cli_say(const char *name, const char *format, ...) ERR_PRINTF(2, 3);
void cli_warn(const char *name, const char *format, ...) ERR_PRINTF(2, 3);

/* The commands; each returns its exit code. */
int cli_add(const struct cli *cli);
int cli_check(const struct cli *cli);
int cli_start(const struct cli *cli);
int cli_run(const struct cli *cli);
int cli_stop(const struct cli *cli);
int cli_install(const struct cli *cli);
int cli_uninstall(const struct cli *cli);
int cli_upgrade(const struct cli *cli);
int cli_self_check(const struct cli *cli);
int cli_restart(const struct cli *cli);
int cli_reload(const struct cli *cli);
int cli_signal(const struct cli *cli);
int cli_status(const struct cli *cli);
int cli_list(const struct cli *cli);
int cli_logs(const struct cli *cli);
int cli_events(const struct cli *cli);
int cli_exec(const struct cli *cli);
int cli_doctor(const struct cli *cli);
int cli_version(const struct cli *cli);
int cli_help(const struct cli *cli);
int cli_supervise(const struct cli *cli);

/* What the first process of a launcher's job ends with, where 'code' is meant. */
int cli_end_code(const char *name, int code);

#endif
