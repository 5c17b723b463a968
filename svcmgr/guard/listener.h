/* The sockets of a service: claimed, held, checked, given up.
 *
 * A listener with 'inherit' is bound and listening, and stays so across generations.  One with
 * 'self' is only claimed: bound without listening, and let go right before the program is spawned,
 * which then binds it itself. */
#ifndef SVCMGR_LISTENER_H
#define SVCMGR_LISTENER_H

#include <stdbool.h>
#include <stddef.h>

#include "config.h"
#include "platform.h"

struct listener {
    struct config_listener config; /* its name belongs to the configuration */
    struct address bound;          /* port 0 until it is known */
    struct address tried;          /* the one that listener_bind() asked for last */
    platform_handle handle;        /* the socket: listening, or claimed; none: not ours now */
    platform_handle twin;          /* "localhost": the one on ::1, bound and not listening, or
                                    * listening with 'both' */
    uint16_t lost_port;            /* one that the kernel chose and that could not be had again */
    uint64_t file_id;              /* Unix: the socket's file, so that only ours is removed */
};

struct listener_set {
    struct listener *list; /* owned */
    size_t count;
};

/* What the configuration asks for, with nothing bound yet. */
int listener_init(struct listener_set *set, const struct config *config, struct err *err);
/* Gives up what is held and frees the set. */
void listener_free(struct listener_set *set);

/* Binds one.  On anything but OK nothing of it is held, and *err says what is in the way. */
enum platform_bind_result listener_bind(struct listener *listener, struct err *err);

/* Whether one with an IP address could be bound just now.  It holds nothing, before and after. */
enum platform_bind_result listener_try(const struct listener *listener, struct err *err);

/* The other half of "localhost", where the first one is held and this one is not. */
enum platform_bind_result listener_bind_twin(struct listener *listener, struct err *err);

/* Whether the sockets of one are held (and, for 'inherit', still listen where they should).  What
 * does not is closed. */
bool listener_check(struct listener *listener);
bool listener_all_held(struct listener_set *set);

/* While nobody accepts, the queues are as long as configured, whatever the program made of them. */
void listener_restore_queues(const struct listener_set *set);

/* Lets the claims of 'self' listeners go: the program binds them next. */
void listener_release_claims(struct listener_set *set);

/* Gives them up: closed, socket files removed, ports that the kernel chose forgotten. */
void listener_close_all(struct listener_set *set);
/* Closes them, and nothing else: they live on in another process. */
void listener_leave_all(struct listener_set *set);

/* Moves the sockets that 'from' holds and 'to' asks for over; what is left in 'from' stays there.
 */
void listener_take_over(struct listener_set *to, struct listener_set *from);

/* Puts the handles that an instance gets into ret_handles, in order; returns how many. */
size_t listener_passed(const struct listener_set *set, platform_handle *ret_handles,
        const char **ret_names, size_t max);
/* The number under which listener 'index' is passed (3 and on); -1 if it is not. */
int64_t listener_passed_number(const struct listener_set *set, size_t index);

/* The addresses that a listener claims: its own, and ::1 for "localhost"; returns how many. */
#define LISTENER_ADDRESSES_MAX 2
size_t listener_addresses(
        const struct listener *listener, struct address ret_addresses[LISTENER_ADDRESSES_MAX]);

/* "http://127.0.0.1:8787", "http://localhost:8787", "unix:/path" */
void listener_url(const struct listener *listener, char *ret_text, size_t size);

#endif
