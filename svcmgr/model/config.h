/* The configuration of one service: what <config-dir>/NAME.json says, checked, with defaults.
 *
 * config_parse() reads it from bytes; every key, type, range and default stands in one table
 * (config_fields.c), from which the man page's table is made too.  Times are milliseconds, sizes
 * bytes.  All text belongs to the config and is freed with it. */
#ifndef SVCMGR_CONFIG_H
#define SVCMGR_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abilities.h"
#include "address.h"
#include "arena.h"
#include "json.h"

#define CONFIG_MAX_BYTES     1048576 /* 1 MiB */
#define CONFIG_LISTENERS_MAX 16
#define CONFIG_PREVENT_MAX   32
#define CONFIG_DEPENDS_MAX   256
#define CONFIG_NAME_BYTES    65 /* [A-Za-z0-9][A-Za-z0-9._-]{0,63} and a NUL */
#define CONFIG_BURST_MAX     100
#define CONFIG_UMASK_DEFAULT 022

enum config_socket { CONFIG_SOCKET_INHERIT, CONFIG_SOCKET_SELF, CONFIG_SOCKET_COUNT };
enum config_health {
    CONFIG_HEALTH_NONE,
    CONFIG_HEALTH_HTTP,
    CONFIG_HEALTH_TCP,
    CONFIG_HEALTH_COMMAND,
    CONFIG_HEALTH_COUNT
};
enum config_ready {
    CONFIG_READY_HEALTH,
    CONFIG_READY_NOTIFY,
    CONFIG_READY_SPAWN,
    CONFIG_READY_COUNT
};
enum config_when {
    CONFIG_WHEN_ALWAYS,
    CONFIG_WHEN_ON_FAILURE,
    CONFIG_WHEN_NEVER,
    CONFIG_WHEN_COUNT
};
enum config_replace { CONFIG_REPLACE_OVERLAP, CONFIG_REPLACE_SEQUENTIAL, CONFIG_REPLACE_COUNT };
enum config_duplicate {
    CONFIG_DUPLICATE_REFUSE,
    CONFIG_DUPLICATE_STANDBY,
    CONFIG_DUPLICATE_TAKEOVER,
    CONFIG_DUPLICATE_COUNT
};
enum config_rival {
    CONFIG_RIVAL_SYSTEMD,
    CONFIG_RIVAL_LAUNCHD,
    CONFIG_RIVAL_WINSVC,
    CONFIG_RIVAL_COUNT
};
enum config_log {
    CONFIG_LOG_FILE,
    CONFIG_LOG_JOURNAL,
    CONFIG_LOG_EVENTLOG,
    CONFIG_LOG_INHERIT,
    CONFIG_LOG_COUNT
};

/* Resource limits.  Sizes in bytes, cpu in seconds, the others counts: getrlimit(2). */
enum config_limit {
    CONFIG_LIMIT_NOFILE,
    CONFIG_LIMIT_NPROC,
    CONFIG_LIMIT_CORE,
    CONFIG_LIMIT_MEMORY,
    CONFIG_LIMIT_CPU,
    CONFIG_LIMIT_FSIZE,
    CONFIG_LIMIT_STACK,
    CONFIG_LIMIT_DATA,
    CONFIG_LIMIT_MEMLOCK,
    CONFIG_LIMIT_COUNT
};
#define CONFIG_LIMIT_UNSET     INT64_C(-2)
#define CONFIG_LIMIT_UNLIMITED INT64_C(-1)

struct config_variable {
    const char *name;
    const char *value; /* tokens not yet expanded; NULL: unset the variable */
};

struct config_file {
    const char *path;
    bool optional; /* written with a leading '-' */
};

struct config_listener {
    const char *name;          /* unique; "http" for the first unless named, then "listener2" ... */
    struct address address;    /* as requested: the port may be 0 */
    bool localhost;            /* "localhost": address is 127.0.0.1, ::1 goes with it */
    bool both;                 /* localhost only: pass a socket of each family */
    enum config_socket socket; /* decided: explicit, or by the rule for the default */
    bool socket_set;           /* explicit; else a socket that a launcher hands us is inherited */
    uint32_t backlog;
    int64_t mode; /* of a Unix socket; 0600 unless given */
};

struct config_rival_job {
    enum config_rival launcher;
    const char *job;
};

struct config_words { /* a command: count words and a NULL behind them */
    const char **list;
    size_t count; /* 0: not configured */
};

struct config {
    const char *name;
    const char *description; /* NULL unless given */
    struct config_words command;
    const char *directory; /* NULL: the user's home, / in system scope */
    int64_t umask;
    int64_t nice;
    bool nice_set;

    const struct config_variable *environment;
    size_t environment_count;
    const struct config_file *environment_files;
    size_t environment_file_count;

    const char *user;  /* NULL unless given; system scope only */
    const char *group; /* likewise */
    int64_t limits[CONFIG_LIMIT_COUNT];

    struct config_listener *listeners; /* at most CONFIG_LISTENERS_MAX */
    size_t listener_count;
    bool listen_pid;

    enum config_health health;
    const char *health_path; /* HTTP: begins with '/' */
    struct config_words health_command;
    int64_t health_interval_ms;
    int64_t health_timeout_ms;
    int64_t health_failures;
    int64_t health_start_period_ms;

    enum config_ready ready;
    int64_t settle_ms;
    int64_t start_timeout_ms;

    enum config_when restart_when;
    int64_t restart_delay_ms;
    int64_t restart_max_delay_ms;
    int64_t restart_factor_thousandths;
    int64_t restart_burst; /* 0: never gives up */
    int64_t restart_within_ms;
    int restart_prevent_on[CONFIG_PREVENT_MAX];
    size_t restart_prevent_count;
    bool restart_on_unhealthy;

    enum config_replace replace;

    const char *stop_signal; /* a name of signal_name.h */
    int64_t stop_timeout_ms;
    struct config_words stop_command;

    enum config_duplicate duplicate;
    int64_t probe_timeout_ms;
    int64_t bind_timeout_ms;
    const struct config_rival_job *rivals;
    size_t rival_count;

    int64_t watchdog_ms; /* 0: off */

    const char *const *depends_on;
    size_t depends_on_count;

    enum config_log log_destination;
    bool log_destination_set;
    bool log_separate;
    int64_t log_max_bytes;
    int64_t log_keep;
    bool log_timestamps;

    struct arena arena; /* what all the pointers point into */
};

/* Reads a configuration.
 *
 * Returns 0 and fills *ret_config (free it with config_free); or -1, with everything that is wrong
 * appended to *faults, in the order of the text. */
int config_parse(const char *name, const char *text, size_t length, struct config *ret_config,
        struct json_faults *faults);
/* The same for a system; what it has nothing like is wrong there.  NULL: one that has everything.
 */
int config_parse_for(const struct abilities *abilities, const char *name, const char *text,
        size_t length, struct config *ret_config, struct json_faults *faults);

void config_free(struct config *config);

/* Whether text is a NAME as the command line takes it; if not, *ret_why is a phrase that says what
 * it must be. */
bool config_name_is_valid(const char *text, const char **ret_why);

/* What is asked of a server that may be there: the path of the health check, else "/health". */
const char *config_probe_path(const struct config *config);

/* The words that the configuration uses for the values of these enums. */
const char *config_socket_word(enum config_socket socket);
const char *config_ready_word(enum config_ready ready);
const char *config_replace_word(enum config_replace replace);
const char *config_duplicate_word(enum config_duplicate duplicate);
bool config_duplicate_from_word(const char *word, enum config_duplicate *ret_duplicate);

/* Whether the socket that is held for the one serves the other one too.  The name does not matter,
 * nor the backlog, which a second listen() changes. */
bool config_same_listener(const struct config_listener *a, const struct config_listener *b);

/* One row of the table of keys, for the man page and for the test against the schema. */
struct config_key {
    const char *path;     /* "restart.burst" */
    const char *kind;     /* "a duration", "a list of strings" ... */
    const char *range;    /* what follows the kind: "from 10ms to 1d"; "" if there is none */
    const char *fallback; /* the default as text, "" if there is none */
    bool computed;        /* fallback is a sentence, since the default depends on other keys */
    const char *help;
};
const struct config_key *config_keys(size_t *ret_count); /* static; in the order of the man page */

#endif
