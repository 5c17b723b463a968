/* Where configurations and state are, and which service a NAME means. */
#ifndef SVCMGR_SCOPE_H
#define SVCMGR_SCOPE_H

#include <stdbool.h>

#include "cli.h"

struct scope {
    bool is_system;
    char config_dir[PLATFORM_PATH_BYTES];
    char state_dir[PLATFORM_PATH_BYTES];
};

/* A service that was named. */
struct target {
    char name[CONFIG_NAME_BYTES]; /* as its configuration file spells it */
    char config_path[PLATFORM_PATH_BYTES];
    char state_path[PLATFORM_PATH_BYTES]; /* <state-dir>/NAME */
    bool is_system;
    bool has_config;
    bool has_state;
    int code; /* not 0: the NAME was wrong and was complained about */
};

/* Paths on the command line are relative to the caller's directory; a supervisor runs in another.
 */
int scope_absolute(const char *path, char *ret_path, size_t size, struct err *err);

/* The options that moved configurations and state on our command line, for another one; returns how
 * many words they are. */
#define SCOPE_PLACE_WORDS_MAX 4
size_t scope_place_words(const struct cli *cli, const char *ret_words[SCOPE_PLACE_WORDS_MAX]);

/* Where a scope's files are.  No usable home: ERR_DENIED. */
int scope_resolve(const struct cli *cli, bool is_system, struct scope *ret_scope, struct err *err);

/* Finds a service: in the scope, then in the other one.  Names are compared without case.  Not a
 * name: ERR_USAGE.  Neither configuration nor state: ERR_NO_SERVICE. */
int scope_find(const struct cli *cli, const char *name, struct target *ret_target, struct err *err);

/* The same for a service that need not exist yet. */
int scope_place(
        const struct cli *cli, const char *name, struct target *ret_target, struct err *err);

/* Every service that has a configuration in the scope, by name; the caller frees the list. */
int scope_list(
        const struct cli *cli, struct target **ret_targets, size_t *ret_count, struct err *err);

/* The services that a command is about: its NAMEs in their order, or all with --all.  A NAME that
 * is wrong is complained about, and has its 'code' set. */
int scope_targets(
        const struct cli *cli, struct target **ret_targets, size_t *ret_count, struct err *err);

/* Calls 'each' for every service of the command; returns the first code that is not 0. */
int scope_each(const struct cli *cli, int (*each)(const struct cli *cli, struct target *target));

#endif
