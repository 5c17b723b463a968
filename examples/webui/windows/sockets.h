/* Sockets as Windows has them: for net.c and net_windows.c. */
#ifndef WEBUI_SOCKETS_H
#define WEBUI_SOCKETS_H

#include <winsock2.h>
#include <ws2tcpip.h>

#include "net.h"

typedef SOCKET net_handle;
#define NET_NO_HANDLE INVALID_SOCKET

/* Here SO_REUSEADDR would let somebody else take the port away: the opposite is wanted. */
#define NET_OPTION_ALONE SO_EXCLUSIVEADDRUSE

#include "net_parts.h"

#endif
