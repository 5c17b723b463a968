/* What the tables of listening sockets say about an address or a tree. */
#ifndef SVCMGR_LISTENING_H
#define SVCMGR_LISTENING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "address.h"
#include "platform.h"

/* The sockets bound to the port or the path of an address, whatever their own; -1 if the system
 * does not say. */
int listening_near(
        const struct address *address, struct platform_listener *ret_listeners, size_t max);

/* Whether this socket and one that is bound to 'address' get in each other's way. */
bool listening_conflicts(const struct platform_listener *listener, const struct address *address);

/* Whose the listener is that a connection to an address reaches; of several, the highest. */
enum listening_owner {
    LISTENING_NOBODY,    /* nobody listens there */
    LISTENING_OWNERLESS, /* no process has it: it is on its way from one to another (SCM_RIGHTS,
                          * unix(7)), its last one is just going, or it is outside this machine's
                          * view (another pid namespace) */
    LISTENING_STRANGER,  /* a process that is not of the tree */
    LISTENING_HIDDEN,    /* the system does not say */
    LISTENING_TREE,      /* a process of the tree */
};
/* *ret_socket_id is the socket's; 0 with nobody, or if it cannot be listed. */
enum listening_owner listening_owner(
        const struct platform_tree *tree, const struct address *address, uint64_t *ret_socket_id);

/* Finds a TCP address that a process of a tree listens on, at any port of the hosts given (NULL:
 * of any); of several, the first that the system names. */
bool listening_of_tree(const struct platform_tree *tree, const struct address *hosts, size_t count,
        struct address *ret_address);

#endif
