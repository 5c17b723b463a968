/* A configuration in use, with its sockets.  The one that runs and the one that a restart brings
 * can exist side by side. */
#ifndef SVCMGR_SERVICE_H
#define SVCMGR_SERVICE_H

#include <stdbool.h>

#include "config.h"
#include "holder.h"
#include "listener.h"
#include "machine.h"
#include "platform.h"

struct service {
    struct config config;
    struct listener_set listeners;
    struct machine_config machine;
    struct platform_file file; /* what the configuration file was when it was read */
    struct buffer text;        /* its text, for the copy that a later supervisor reads */
    struct service *reloaded;  /* owned: a reload's, whose texts the configuration uses now */
};

/* Reads and checks a configuration.  Missing: kind ERR_NO_SERVICE; wrong: ERR_CONFIG, with the
 * first faults in the sentence and, if 'faults' is not NULL, all of them there (the caller frees
 * them). */
int service_load(const char *name, const char *path, struct service **ret_service,
        struct json_faults *faults, struct err *err);
void service_free(struct service *service);

/* Takes over what a running instance can get of a newer configuration, which becomes ours. */
void service_apply_live(struct service *service, struct service *newer);

/* Asks a stranger on one of its addresses what the guard would ask, but not as patiently. */
#define SERVICE_ASK_MAX_MS 500
void service_ask_holder(const struct service *service, struct holder *holder);

/* Whether the file is another one now than the one that was read. */
bool service_file_changed(const struct service *service, const char *path);

#endif
