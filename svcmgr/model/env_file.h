/* Environment files: lines of NAME=VALUE, read and never evaluated.
 *
 *   # comment                    also ';', and after a blank behind a value
 *   NAME=value                   blanks around an unquoted value are not part of it
 *   export NAME=value
 *   NAME='as it stands'
 *   NAME="with \" \\ \n \t \$"   other escapes keep their backslash; '$' is never expanded
 *
 * A quoted value may go over several lines.  A byte order mark and a carriage return at the end of
 * a line are not part of the text.  UID, EUID, GID, EGID and PPID are passed over, since
 * shells make them read-only and files written by shells carry them. */
#ifndef SVCMGR_ENV_FILE_H
#define SVCMGR_ENV_FILE_H

#include <stddef.h>

#include "arena.h"
#include "err.h"

#define ENV_FILE_MAX_BYTES 1048576 /* 1 MiB */

struct env_file_entry {
    const char *name;
    const char *value;
};

struct env_file {
    struct env_file_entry *entries; /* in the order of the file; a name may come twice */
    size_t count;
};

/* Returns 0 with *ret_file in arena; or -1 with *err (ERR_CONFIG, "line N: ...").  Refused: a name
 * that is not [A-Za-z_][A-Za-z0-9_]*, a line without '=', an open quote, text behind a closing
 * quote, a NUL byte, invalid UTF-8. */
int env_file_parse(const char *text, size_t length, struct arena *arena, struct env_file *ret_file,
        struct err *err);

#endif
