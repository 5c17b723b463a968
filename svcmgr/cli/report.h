/* What a command says: lines for people, and with --json one document on standard output. */
#ifndef SVCMGR_REPORT_H
#define SVCMGR_REPORT_H

#include <stdbool.h>

#include "err.h"
#include "json.h"

/* From now on what is reported becomes a part of the document too. */
void report_begin_json(void);

/* A JSON value of the command's result; with several services one a service. */
void report_document(const char *text);

/* Prints the document: a list of all values, or the only one.  A command that reported none has
 * said with its code all there is. */
void report_end_json(bool as_list, int code);

/* One line on standard error: "svcmgr: NAME: WHAT: TEXT"; name and what may be NULL.  It is why a
 * command failed, so the document tells it too.  Returns the exit code that it means. */
int report_failure(const char *name, const char *what, const struct err *err);

/* What is wrong with a configuration, on standard error: file:line:column and a sentence each. */
void report_faults(const char *path, struct json_faults *faults);

#endif
