/* What commands print about services. */
#ifndef SVCMGR_PRINT_H
#define SVCMGR_PRINT_H

#include "json.h"
#include "scope.h"

/* The status document of a service that no supervisor runs, as JSON text in *out. */
void print_stopped_status(const struct target *target, struct buffer *out);

/* A status document for people. */
void print_status(const cJSON *status, bool verbose);
/* "pid 123 on http://127.0.0.1:8787, started by systemd" */
void print_short(const cJSON *status, char *ret_text, size_t size);
void print_table_head(void);
void print_table_row(const cJSON *status);

/* A JSON value as the service's part of the command's document. */
void print_json(const cJSON *value);
/* The same for a supervisor's status document. */
void print_status_json(const struct target *target, const cJSON *status);
/* What a supervisor answers to a part of its own instance, which cannot wait for its end. */
void print_accepted(const struct cli *cli, const struct target *target, const char *line);

/* 0 or 3: the exit code that a state means for status. */
int print_exit_code(const cJSON *status);

/* The last lines of a log on standard error: those from 'from' on, at most PRINT_LOG_LINES. */
#define PRINT_LOG_LINES 20
void print_log_tail(const char *directory, int64_t from);

#endif
