/* Seam 2: whatever may have started us, or may start the service beside us.
 *
 * A launcher is a person ("manual"), systemd, launchd or the Windows SCM.  The core knows none of
 * them by name: it goes through the list.  A function that a launcher does not have is NULL. */
#ifndef SVCMGR_LAUNCHER_H
#define SVCMGR_LAUNCHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config.h"
#include "platform.h"

#define LAUNCHER_UNIT_BYTES     256
#define LAUNCHER_SENTENCE_BYTES 512
#define LAUNCHER_SOCKETS_MAX    16

/* A socket that a launcher hands to the service. */
struct launcher_socket {
    char name[64];
    platform_handle handle;
};

/* What a launcher is told about the service. */
enum launcher_news { LAUNCHER_STARTING, LAUNCHER_READY, LAUNCHER_RELOADING, LAUNCHER_STOPPING,
    LAUNCHER_STATUS };

/* What a launcher's job does as to the service's address. */
enum launcher_job { LAUNCHER_JOB_NONE, LAUNCHER_JOB_SERVES, LAUNCHER_JOB_PENDING };

struct launcher {
    const char *kind; /* as status shows it */

    /* Whether this process was started by it, and as which unit. */
    bool (*detect)(char *ret_unit, size_t size);
    /* Whether it starts us again by itself, so that the restart policy applies from the first. */
    bool restarts;
    /* The sockets that it hands over, taken out of the environment; returns how many. */
    size_t (*take_sockets)(struct launcher_socket *ret_sockets, size_t max);
    void (*tell)(enum launcher_news news, const char *status);
    /* Which of its jobs a process belongs to. */
    bool (*unit_of)(int64_t pid, char *ret_unit, size_t size);
    /* What its job for this service does: the one that we installed, or a rival's.  *ret_sentence
     * says it for people, with the command to type. */
    enum launcher_job (*ask)(const struct config *config, char *ret_sentence, size_t size);
    /* Definitions: the text of one, for any platform; and the rest, for this one only. */
    int (*render)(const struct config *config, struct buffer *out, struct err *err);
    int (*install)(const struct config *config, struct err *err);
    int (*uninstall)(const char *name, struct err *err);
    bool (*is_installed)(const char *name, char *ret_unit, size_t size);
    int (*start)(const char *name, struct err *err);
    int (*stop)(const char *name, struct err *err);
};

/* All of them, the one that is detected last ("manual", which always is) at the end. */
const struct launcher *const *launcher_all(size_t *ret_count);

/* The one that started this process; never NULL. */
const struct launcher *launcher_detect(char *ret_unit, size_t size);

/* Asks all of them; the first that has a job there decides. */
enum launcher_job launcher_ask_all(const struct config *config, char *ret_sentence, size_t size);

/* "systemd unit hermes.service", or "" if no launcher says that it owns the process. */
void launcher_unit_of(int64_t pid, char *ret_text, size_t size);

extern const struct launcher launcher_manual;

#endif
