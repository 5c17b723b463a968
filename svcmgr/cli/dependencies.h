/* What a service needs to run first. */
#ifndef SVCMGR_DEPENDENCIES_H
#define SVCMGR_DEPENDENCIES_H

#include "json.h"
#include "scope.h"

struct dependency {
    struct target target;
    size_t level;  /* 0: depends on nothing; else one more than the highest that it depends on */
    size_t *needs; /* owned: places in the list of what it depends on directly */
    size_t need_count;
    bool is_named; /* for the caller */
};

/* Services in an order in which each comes after what it depends on. */
struct dependency_order {
    struct dependency *list; /* owned */
    size_t count;
};

/* Reads a configuration file and its dependencies' to the end, and finds every fault: of the file
 * itself, a dependency without a configuration, a cycle.  Returns 0 and appends the services to
 * *order, dependencies first, each once; or -1 with *err and *faults (of the file in fault_path).
 */
int dependencies_resolve(const struct cli *cli, const struct target *target,
        struct dependency_order *order, struct json_faults *faults,
        char fault_path[PLATFORM_PATH_BYTES], struct err *err);
void dependencies_free(struct dependency_order *order);

/* Starts what the service of 'run' depends on; returns 0, or the exit code of what failed. */
int dependencies_start_first(const struct cli *cli, const struct target *target);

#endif
