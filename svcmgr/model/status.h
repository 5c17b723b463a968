/* The status document of one service: what 'status --json' prints and the control channel answers.
 *
 * Plain data that owns nothing; texts are borrowed from whoever fills it.  A text that is NULL, a
 * number that is STATUS_UNKNOWN and a time that is 0 are written as null. */
#ifndef SVCMGR_STATUS_H
#define SVCMGR_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config.h"
#include "json_write.h"
#include "machine.h"

#define STATUS_UNKNOWN       INT64_C(-1)
#define STATUS_STANDBY_MAX   16
#define STATUS_INSTALLED_MAX 4

struct status_exit {
    int64_t code;          /* STATUS_UNKNOWN: none */
    const char *by_signal; /* "KILL"; NULL: none */
    int64_t wall_us;
    const char *reason;
};

struct status_listener {
    const char *name;
    const char *address; /* without port; a path for a Unix socket */
    int64_t port;        /* STATUS_UNKNOWN for a Unix socket */
    const char *url;
    enum config_socket socket;
    bool held;
    const char *owner; /* "unproved" when the system does not say whose listener it is; NULL */
};

struct status_health {
    const char *status; /* "healthy", "unhealthy", "unknown" */
    int64_t latency_us; /* STATUS_UNKNOWN before the first reply */
    int64_t failures;
    int64_t wall_us;
    const char *reply; /* what the last check saw */
};

struct status_other {
    int64_t pid;
    const char *command;
    const char *user;
    const char *launcher;
    const char *answers;
};

struct status_standby {
    int64_t pid;
    int64_t keeper_pid;
    const char *launcher;
    int64_t since_wall_us;
};

struct status_installed {
    const char *kind;
    const char *unit;
    const char *scope;
    bool enabled;
};

struct status {
    const char *name;
    enum machine_state state;
    int64_t pid;
    int64_t supervisor_pid;
    int64_t keeper_pid;
    int64_t generation;
    bool adopted;
    int64_t started_wall_us;
    int64_t ready_wall_us;
    int64_t uptime_ms;
    int64_t restarts;
    bool has_exit;
    struct status_exit last_exit;
    struct status_listener listeners[CONFIG_LISTENERS_MAX];
    size_t listener_count;
    bool has_health;
    struct status_health health;
    const char *launcher_kind;
    const char *launcher_unit;
    struct status_installed installed[STATUS_INSTALLED_MAX];
    size_t installed_count;
    struct status_standby standby[STATUS_STANDBY_MAX];
    size_t standby_count;
    bool has_other;
    struct status_other other;
    bool config_changed;
    const char *text;   /* what is going on, in words: "waiting for ..."; the program's STATUS= */
    int64_t next_in_ms; /* until the next try in backoff */
    const char *log_error; /* why output cannot be written to the log */
    const char *config;
    const char *log;
    const char *version;
};

/* Writes it as one JSON object under 'key' (NULL: as the outermost value). */
void status_write(const struct status *status, struct json_writer *writer, const char *key);

/* What it says in one line for people: "ready: pid 42 serves http://127.0.0.1:8787"; printable. */
#define STATUS_SENTENCE_BYTES 400
void status_sentence(const struct status *status, char *ret_text, size_t size);

#endif
