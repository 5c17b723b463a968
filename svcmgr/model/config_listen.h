/* A listener as the configuration writes it, before it is one: config_listen.c. */
#ifndef SVCMGR_CONFIG_LISTEN_H
#define SVCMGR_CONFIG_LISTEN_H

#include "config.h"

struct config_raw_listener {
    const char *name;    /* NULL unless given */
    const char *address; /* NULL unless given */
    int64_t port;
    enum config_socket socket;
    int64_t backlog;
    int64_t mode;
    bool both;
};

#endif
