/* What the POSIX files share among themselves; nothing outside this folder includes it. */
#ifndef SVCMGR_POSIX_H
#define SVCMGR_POSIX_H

#include <sys/socket.h>
#include <sys/types.h>

#include "platform.h"

/* Close-on-exec, for descriptors that come from calls without a flag for it. */
int posix_set_cloexec(int fd);
int posix_set_nonblocking(int fd, bool nonblocking);

/* The kind of error that an errno means for the exit code: EACCES and EPERM are ERR_DENIED. */
enum err_kind posix_kind(int code);

/* An address as the system wants it; returns its length, 0 if it cannot be expressed. */
socklen_t posix_to_sockaddr(const struct address *address, struct sockaddr_storage *ret_storage);
bool posix_from_sockaddr(const struct sockaddr_storage *storage, struct address *ret_address);

int posix_open_socket(const struct address *address);

/* Makes datagrams tell who sent them, where the system can do that. */
int posix_pass_credentials(int fd);

/* Who is at the other end of a connected Unix socket. */
void posix_peer(int fd, struct platform_peer *ret_peer);
/* Receives a datagram with its sender and a descriptor, if one came; -1: nothing there. */
long posix_receive_notify(int fd, char *ret_data, size_t size, struct platform_peer *ret_peer,
        platform_handle *ret_handle);

/* Whether the connection whose server side is 'own' was accepted: platform_is_accepted(). */
int posix_connection_accepted(const struct address *own, const struct address *peer);

/* Waits for one descriptor; 1 ready, 0 time is up, -1 error.  EINTR is waited out. */
int posix_poll_one(int fd, short events, int64_t deadline_ms);

/* Takes a descriptor of our own out of the way of the numbers 0 to 'below' - 1. */
int posix_move_up(int fd, int below);

/* In a forked child: default dispositions for every signal. */
void posix_reset_signals(void);
/* Blocks every signal (in the parent, around fork) and gives the former mask back. */
void posix_block_signals(void *ret_mask);
void posix_restore_signals(const void *mask);
/* Closes every descriptor from 'first' on. */
void posix_close_from(int first);

/* What linux.c and darwin.c provide for posix_loop.c: a descriptor that becomes readable when the
 * process ends (-1: cannot be had), and what it then tells. */
int posix_open_process(const struct identity *identity);
void posix_process_exit(int fd, struct platform_exit *ret_exit);

#endif
