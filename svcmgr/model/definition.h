/* A launcher's definition of a service: what it is made from, and the files that it consists of.
 *
 * Every launcher renders on every system, so this is data alone.  Texts of the input are borrowed,
 * paths in it absolute. */
#ifndef SVCMGR_DEFINITION_H
#define SVCMGR_DEFINITION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buffer.h"
#include "config.h"

#define DEFINITION_FILES_MAX  2
#define DEFINITION_NAME_BYTES 128
#define DEFINITION_PATH_BYTES 4096

/* In what a run says at its end where its exit code cannot be looked at: "webui: ended with code 6"
 */
#define DEFINITION_END_WORDS ": ended with code "

struct definition_input {
    const struct config *config; /* NULL: one for all services, where the launcher has that */
    bool system_scope;
    bool with_socket;       /* the launcher holds the sockets, too */
    const char *executable; /* svcmgr itself */
    const char *config_dir; /* NULL: where it is by default */
    const char *state_dir;  /* likewise */
    const char *config_path;
    const char *state_path; /* <state-dir>/NAME */
    bool as_root;           /* the program runs as root */
    const char *home;       /* of the user that it runs as; NULL: unknown */
    int64_t start_first_ms; /* what it depends on may take to start, all together */
    /* What the launcher alone can say: struct launcher, look. */
    unsigned manager_version;                /* 0: unknown */
    bool without_screen;                     /* launchd: not of the session at the screen */
    char search_path[DEFINITION_PATH_BYTES]; /* PATH of svcmgr itself there; "" unset */
    char user[DEFINITION_NAME_BYTES];        /* whose task it is; "" unknown */
};

struct definition_file {
    char name[DEFINITION_NAME_BYTES];
    struct buffer text;
};

/* Zeroed before it is filled. */
struct definition {
    struct definition_file files[DEFINITION_FILES_MAX];
    size_t count;
};

/* Adds an empty file; never more than DEFINITION_FILES_MAX. */
struct buffer *definition_add(struct definition *definition, const char *name);
void definition_free(struct definition *definition);

/* Whose a file is, as its first lines say. */
enum definition_owner {
    DEFINITION_FOREIGN, /* svcmgr did not write it */
    DEFINITION_OTHER,   /* it is for a service of this name elsewhere */
    DEFINITION_OURS
};

/* How long a stop of the service may take until the launcher kills what is left. */
int64_t definition_stop_ms(const struct config *config);

/* How a run that was decided to end has ended: svcmgr's code and its last sentence, in what it has
 * printed; false if it says nothing. */
bool definition_read_end(const char *log, uint64_t *ret_code, char *ret_sentence, size_t size);

/* How the lines of one text become those of another: "-LINE" and "+LINE", in their order; nothing
 * for what stays.  Returns whether they differ. */
bool definition_diff(const char *from, const char *to, struct buffer *out);

#endif
