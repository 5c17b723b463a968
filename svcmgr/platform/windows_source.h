/* What the loop watches; shared by windows_loop.c, windows_source.c, windows_stream.c and
 * windows_input.c.
 *
 * A source looks the same to the core as on POSIX: it is read when somebody wants an event, and not
 * before.  The completion port tells only of what is done, so what waits there is a read of no
 * bytes, which is done when there is something to read (or nothing more will come). */
#ifndef SVCMGR_WINDOWS_SOURCE_H
#define SVCMGR_WINDOWS_SOURCE_H

#include "send_queue.h"
#include "windows_parts.h"

enum source_kind {
    SOURCE_FREE,
    SOURCE_STREAM,  /* socket or overlapped pipe */
    SOURCE_CHANNEL, /* an overlapped pipe with messages of one size */
    SOURCE_INPUT,   /* cannot be overlapped: a thread reads it */
    SOURCE_CONNECTING,
    SOURCE_LISTENER,
    SOURCE_PROCESS
};

/* One call that is under way.  The system writes into it until its completion has come out of the
 * port, so it lives that long, whatever becomes of its source. */
struct windows_operation {
    OVERLAPPED overlapped;          /* first: the port gives its address back */
    struct platform_source *source; /* NULL: nobody waits for it any more */
    void (*release)(struct windows_operation *operation); /* frees it */
    bool is_pending;
    volatile LONG posted; /* how often a thread that waited has put it into the port, by now */
    SOCKET accepted;      /* INVALID_SOCKET: none */
    DWORD bytes;          /* that were moved */
    size_t length;        /* of what is to be sent */
    char *data;           /* likewise; or where the addresses of an accepted socket go */
};

struct platform_source {
    enum source_kind kind;
    platform_handle handle;
    int role;
    void *owner;
    int64_t pid;   /* SOURCE_PROCESS */
    bool is_ready; /* there may be something to tell */
    bool is_late;  /* SOURCE_LISTENER: it failed, and is not asked again at once */
    bool has_written;
    bool has_failed; /* what was to be sent could not be, with ... */
    DWORD code;
    DWORD read_code; /* what waiting for something to read has failed with; 0: it has not */
    bool ended;      /* END was told: nothing more comes */
    bool is_paused;
    struct windows_operation *incoming; /* read, accept, connect; NULL: none was made yet */
    struct windows_operation *outgoing;
    struct windows_input *input; /* SOURCE_INPUT */
    HANDLE wait;                 /* SOURCE_PROCESS, and ... */
    HANDLE event;                /* a pipe that cannot have our port: its reads are told by this */
    struct send_queue queue;     /* what has not gone out yet */
};

#define LOOP_ASKS_MAX  32
#define LOOP_EXITS_MAX 256

struct windows_ask {
    enum platform_ask ask;
    int number;
};

struct windows_loop_state {
    HANDLE port;
    HANDLE read_event; /* for reads that are done at once */
    int64_t swept_for; /* the ended child after whose end everything was looked at; or 0 */
    bool is_sweeping;  /* also the sources that are hushed */
    bool told_timer;
    bool lacks_accept; /* a listener that could not be armed: soon again */
    unsigned hushed;   /* roles, as bits */
    size_t next;
    size_t used; /* highest place in use, plus one */
    size_t ask_count;
    size_t exit_count;
    struct windows_ask asks[LOOP_ASKS_MAX];
    int64_t exits[LOOP_EXITS_MAX];
    struct platform_source sources[PLATFORM_SOURCES_MAX];
};

extern struct windows_loop_state windows_loop;

/* The port, made when it is first asked for; NULL with GetLastError(). */
HANDLE windows_loop_port(void);
/* Completions of a handle come to the port. */
bool windows_loop_attach(HANDLE handle);
/* As if the operation had been done; from any thread. */
void windows_loop_post(struct windows_operation *operation);

/* The handle is the source's, or closed where there is no room (NULL). */
struct platform_source *windows_source_add(
        enum source_kind kind, platform_handle handle, int role, void *owner);
/* Fit for the port; false for a handle that is not overlapped, and for one that a port has already:
 * CreateIoCompletionPort. */
bool windows_source_attach(platform_handle handle);
/* Is true, the event END. */
bool windows_source_end(struct platform_source *source, DWORD code, struct platform_event *event);

/* Starts what the source waits for, unless it is under way. */
void windows_source_arm(struct platform_source *source);
/* Whether it may have something to tell. */
bool windows_source_is_ready(const struct platform_source *source);
/* It is looked at in the next round, whatever the port says. */
void windows_source_look(struct platform_source *source);
/* An operation is done. */
void windows_source_complete(struct windows_operation *operation);
/* Turns readiness into an event; false when there is nothing to tell. */
bool windows_source_handle(struct platform_source *source, struct platform_event *event);

/* A new operation of a source; NULL: out of memory. */
struct windows_operation *windows_operation_new(struct platform_source *source, size_t length);
/* Nobody waits for it any more; NULL is fine. */
void windows_operation_forget(struct windows_operation *operation);
/* What RegisterWaitForSingleObject() calls with an operation, which then is in the port. */
VOID CALLBACK windows_operation_done(PVOID context, BOOLEAN timed_out);
/* What a done operation of this handle came to: 0, or a code of (WSA)GetLastError(). */
DWORD windows_operation_result(struct windows_operation *operation, platform_handle handle);

/* windows_channel.c */
bool windows_channel_handle(struct platform_source *source, struct platform_event *event);

/* windows_connect.c */
bool windows_connecting_handle(struct platform_source *source, struct platform_event *event);
bool windows_listener_handle(struct platform_source *source, struct platform_event *event);
bool windows_listener_arm(struct platform_source *source);

/* windows_stream.c: reads what is there.  How many bytes came, good until the next platform_wait();
 * 0 at the end; -1: nothing is there now, or (with *ret_code not 0) it failed. */
long windows_stream_read(struct platform_source *source, const char **ret_data, DWORD *ret_code);
/* Waits for something to read. */
void windows_stream_arm(struct platform_source *source);
/* Has a pipe's reads told by an event, since its completions go to another process's port. */
bool windows_stream_use_event(struct platform_source *source);
/* Nothing is told by it any more, and nothing written to. */
void windows_stream_end_event(struct platform_source *source);
/* Something may be there to read. */
void windows_stream_completed(struct platform_source *source, struct windows_operation *operation);
/* What was being sent is done. */
void windows_stream_sent(struct platform_source *source, DWORD code);

/* windows_input.c: a thread that reads when it is asked to; NULL on failure, and the handle stays
 * the caller's. */
struct windows_input *windows_input_new(struct platform_source *source, HANDLE handle);
/* Has it read, unless it does. */
void windows_input_arm(struct windows_input *input);
/* What came since, once; -1 nothing; 0 the end, or with *ret_code not 0 a failure. */
long windows_input_take(struct windows_input *input, const char **ret_data, DWORD *ret_code);
/* Closes the handle as soon as its thread is done with it. */
void windows_input_end(struct windows_input *input);

#endif
