/* Sockets as POSIX has them: for net.c and net_posix.c, which include this before all else. */
#ifndef WEBUI_SOCKETS_H
#define WEBUI_SOCKETS_H

#define _POSIX_C_SOURCE 200809L
#define _DARWIN_C_SOURCE

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "net.h"

typedef int net_handle;
#define NET_NO_HANDLE (-1)

/* For what a predecessor left in TIME_WAIT.  It lets nobody share the port. */
#define NET_OPTION_ALONE SO_REUSEADDR

#include "net_parts.h"

#endif
