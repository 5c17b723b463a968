/* From a configuration to what platform_spawn() wants: words, environment, user, limits. */
#ifndef SVCMGR_SPAWN_H
#define SVCMGR_SPAWN_H

#include "environment.h"
#include "supervisor.h"

struct spawn_plan {
    struct platform_spawn spec; /* its output handles are the caller's to set */
    struct environment environment;
    struct arena arena;
    struct platform_user user;
    uint32_t groups[PLATFORM_GROUPS_MAX];
    struct platform_limit limits[CONFIG_LIMIT_COUNT];
    platform_handle passed[PLATFORM_PASSED_MAX];
    char file[PLATFORM_PATH_BYTES];
    char directory[PLATFORM_PATH_BYTES];
};

/* What is spawned: an instance, or a command beside it. */
struct spawn_request {
    const struct supervisor *sup;
    struct service *service;
    const struct config_words *command;
    uint32_t generation;
    const char *instance;
    const char *notify_name;
    bool is_grouped;  /* its control group keeps the limit of memory */
    bool is_instance; /* gets the sockets */
    int64_t main_pid; /* for a command: the instance's; 0: there is none */
    /* Of a command that a client asked for: its words are what they are, and its own PATH counts.
     */
    bool is_literal;
    const char *directory; /* below the service's, unless it is absolute; NULL: the service's */
    const struct environment_change *changes;
    size_t change_count;
};

/* Fills a plan; free it with spawn_free() either way. */
int spawn_prepare(
        const struct spawn_request *request, struct spawn_plan *ret_plan, struct err *err);
void spawn_free(struct spawn_plan *plan);

/* The file of a command's first word, which is looked up in a PATH unless it has a slash.  Not
 * there: os_code means missing. */
int spawn_find_file(
        const char *word, const char *path, char *ret_file, size_t size, struct err *err);

/* Whether the configuration asks for nothing that this scope cannot give. */
int spawn_check_scope(const struct config *config, bool system_scope, struct err *err);

#endif
