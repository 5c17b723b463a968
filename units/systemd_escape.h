/* Writing values so that systemd reads them back as they are: systemd.syntax(7), and "COMMAND
 * LINES" of systemd.service(5). */
#ifndef SVCMGR_SYSTEMD_ESCAPE_H
#define SVCMGR_SYSTEMD_ESCAPE_H

#include <stdbool.h>

#include "buffer.h"

/* A word of a command line; any bytes. */
void systemd_escape_word(const char *text, struct buffer *out);

/* Whether systemd takes a path as the program of a command line, and hands it on unchanged. */
bool systemd_escape_is_program(const char *path);

/* A word of a list of paths (ReadWritePaths=, RequiresMountsFor=), behind a prefix like "-".  What
 * such a list cannot hold (a line's end, "..", bytes that are no UTF-8) becomes the nearest
 * directory above that it can. */
void systemd_escape_path(const char *prefix, const char *path, struct buffer *out);

/* A whole value for people, as Description= is: on one line, and without a backslash at its end. */
void systemd_escape_text(const char *text, struct buffer *out);

/* Whether a value that systemd takes to the end of its line, as ListenStream= is, can be said. */
bool systemd_escape_is_value(const char *text);
void systemd_escape_value(const char *text, struct buffer *out);

#endif
