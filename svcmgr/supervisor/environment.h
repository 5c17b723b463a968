/* The environment of an instance: the same whoever launches. */
#ifndef SVCMGR_ENVIRONMENT_H
#define SVCMGR_ENVIRONMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "arena.h"
#include "config.h"
#include "listener.h"
#include "platform.h"
#include "tokens.h"

struct environment {
    char **list; /* "NAME=VALUE" and a NULL; in arena */
    size_t count;
    size_t capacity;
    char *listen_pid_hole; /* into list; NULL: none */
    char *watchdog_pid_hole;
    struct arena arena;
    bool failed; /* out of memory */
};

/* What one command has otherwise. */
struct environment_change {
    const char *name;
    const char *value; /* NULL: unset */
};

/* What of a generation goes into it. */
struct environment_facts {
    const struct config *config;
    const struct listener_set *listeners;
    const struct platform_user *user; /* whom the instance runs as */
    const char *home;                 /* for "~/" in paths */
    uint32_t generation;
    const char *instance;
    const char *notify_name; /* "" none */
    int64_t main_pid;        /* for a helper: the instance's, as SVCMGR_PID; 0: none */
    bool pass_sockets;       /* the LISTEN_* variables */
    const struct environment_change *changes; /* after everything else */
    size_t change_count;
};

/* Returns 0, or -1 with *err (an environment file that cannot be read, a token).  Free it with
 * environment_free() either way. */
int environment_build(const struct environment_facts *facts, struct environment *ret_environment,
        struct err *err);
/* What every one begins with, for a program that is nobody's instance; likewise. */
int environment_base(
        const struct platform_user *user, struct environment *ret_environment, struct err *err);
void environment_free(struct environment *environment);
/* A variable's value; NULL if it is not set. */
const char *environment_get(const struct environment *environment, const char *name);

/* The tokens' values for this generation. */
struct environment_tokens {
    struct tokens_listener list[CONFIG_LISTENERS_MAX];
    struct tokens_context context;
};
void environment_tokens(
        const struct environment_facts *facts, struct environment_tokens *ret_tokens);

/* "~/x" -> "HOME/x"; other paths as they are. */
bool environment_expand_home(const char *path, const char *home, char *ret_path, size_t size);

#endif
