/* Addresses as the systems' socket calls have them: the same structures everywhere, from other
 * headers.  Only this folder includes it. */
#ifndef SVCMGR_SOCKADDR_H
#define SVCMGR_SOCKADDR_H

#ifdef _WIN32
#include <winsock2.h>
#include <ws2tcpip.h>
#else
#include <sys/socket.h>
#endif

#include "address.h"

/* An address as the system wants it; returns its length, 0 if it cannot be expressed. */
socklen_t sockaddr_make(const struct address *address, struct sockaddr_storage *ret_storage);

/* False: it is of a family that nobody here speaks. */
bool sockaddr_read(const struct sockaddr_storage *storage, struct address *ret_address);

#endif
