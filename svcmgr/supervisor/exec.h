/* Commands that clients run in the service's place: command/exec and the methods that go with it.
 *
 * A command is a helper with streams.  Its answer comes when it has ended and its output has been
 * read to the end as drain.h says; whoever asked for it takes it along when the connection closes.
 * It belongs to nobody's instance: a restart of the service leaves it alone, the end of the
 * supervisor does not. */
#ifndef SVCMGR_EXEC_H
#define SVCMGR_EXEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buffer.h"
#include "drain.h"
#include "exec_params.h"
#include "platform.h"
#include "protocol.h"

#define EXEC_SESSIONS_MAX 24
/* What a command does not read yet: further writes are answered when it has been read. */
#define EXEC_INPUT_BYTES ((size_t)2 * 1024 * 1024)

struct supervisor;
struct helper;
struct client;
struct call;
struct exec_session;

enum exec_stream_kind { EXEC_INPUT, EXEC_OUTPUT, EXEC_ERROR, EXEC_STREAM_COUNT };

struct exec_stream {
    struct exec_session *session;
    struct platform_source *source; /* NULL: closed, or there is none */
    struct buffer kept;             /* output that is not streamed */
    size_t taken;                   /* of the cap */
    bool reached;                   /* the cap: what follows is read and dropped */
    bool hung_up; /* a terminal that nobody has open: it is kept, since closing it would end a
                   * command that is on its way out by SIGHUP: termio(7) */
    bool wide;    /* it prints more than is read at a time */
    struct drain drain;
};

struct exec_session {
    struct client *client; /* NULL: it is gone, and nobody is answered */
    struct protocol_id request;
    struct helper *helper;
    bool has_id;
    bool tty; /* then input and output are one source, that of the output */
    bool stream_input;
    bool stream_output;
    bool input_closed;
    bool terminated; /* by its client or for want of one: not by its time limit */
    bool timed_out;
    size_t cap;
    struct platform_exit how;
    struct buffer message; /* its memory: a command that prints much sends many alike */
    bool write_waits;      /* the answer to a write, until there is room for more */
    struct protocol_id write_request;
    char id[EXEC_ID_BYTES];
    char file[PLATFORM_PATH_BYTES];
    struct exec_stream streams[EXEC_STREAM_COUNT];
};

struct exec {
    struct exec_session *sessions[EXEC_SESSIONS_MAX]; /* owned; NULL: free */
};

/* ---- exec_call.c: the methods ---- */

void exec_call(const struct call *call);
void exec_write_call(const struct call *call);
void exec_resize_call(const struct call *call);
void exec_terminate_call(const struct call *call);

/* ---- exec.c ---- */

/* A place for one more; NULL: there are too many, or there is no memory. */
struct exec_session *exec_add(struct supervisor *sup);
void exec_remove(struct supervisor *sup, struct exec_session *session);
/* An active one of this client's; NULL: there is none. */
struct exec_session *exec_find(struct supervisor *sup, const struct client *client, const char *id);
/* Takes our ends of its streams (none where there is none) under watch; false: too many sources. */
bool exec_watch(struct exec_session *session, platform_handle handles[EXEC_STREAM_COUNT]);
/* Where its input is written to; NULL: closed. */
struct platform_source *exec_input(const struct exec_session *session);
void exec_close_input(struct exec_session *session);

void exec_on_event(struct supervisor *sup, const struct platform_event *event);
/* Its main process has ended. */
void exec_ended(struct supervisor *sup, struct helper *helper, const struct platform_exit *how);
void exec_on_time(struct supervisor *sup, int64_t now_ms);
int64_t exec_deadline(const struct supervisor *sup);
/* Everything that was queued for a client has gone out. */
void exec_source_has_room(struct supervisor *sup, const struct platform_source *source);
/* Ends the commands of clients that are gone; before those are forgotten. */
void exec_sweep(struct supervisor *sup);
/* Ends all of them; returns how many there were. */
size_t exec_end_all(struct supervisor *sup);
bool exec_is_idle(const struct supervisor *sup);

#endif
