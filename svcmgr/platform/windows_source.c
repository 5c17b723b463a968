#include "windows_source.h"

#include <stdlib.h>

#include "banned.h"

/* ---- Operations ------------------------------------------------------------------------------ */

static void release(struct windows_operation *operation)
{
    if (operation->accepted != INVALID_SOCKET)
        (void)closesocket(operation->accepted);
    free(operation->data);
    free(operation);
}

struct windows_operation *windows_operation_new(struct platform_source *source, size_t length)
{
    struct windows_operation *operation = calloc(1, sizeof *operation);

    if (operation == NULL)
        return NULL;
    operation->source = source;
    operation->release = release;
    operation->accepted = INVALID_SOCKET;
    operation->data = length == 0 ? NULL : malloc(length);
    if (length == 0 || operation->data != NULL)
        return operation;
    free(operation);
    return NULL;
}

void windows_operation_forget(struct windows_operation *operation)
{
    if (operation == NULL)
        return;
    operation->source = NULL;
    if (!operation->is_pending)
        operation->release(operation);
}

/* In a thread of the system's. */
VOID CALLBACK windows_operation_done(PVOID context, BOOLEAN timed_out)
{
    struct windows_operation *operation = context;

    (void)timed_out;
    (void)InterlockedIncrement(&operation->posted);
    windows_loop_post(operation);
}

DWORD windows_operation_result(struct windows_operation *operation, platform_handle handle)
{
    DWORD flags;

    operation->bytes = 0;
    if (windows_is_socket(handle))
        return WSAGetOverlappedResult(windows_socket(handle), &operation->overlapped,
                       &operation->bytes, FALSE, &flags)
                ? 0
                : (DWORD)WSAGetLastError();
    return GetOverlappedResult(
                   windows_handle(handle), &operation->overlapped, &operation->bytes, FALSE)
            ? 0
            : GetLastError();
}

/* ---- Watching -------------------------------------------------------------------------------- */

struct platform_source *windows_source_add(
        enum source_kind kind, platform_handle handle, int role, void *owner)
{
    struct windows_loop_state *loop = &windows_loop;
    size_t place = 0;

    while (place < loop->used && loop->sources[place].kind != SOURCE_FREE)
        place++;
    if (place == PLATFORM_SOURCES_MAX) {
        platform_close(handle);
        return NULL;
    }
    if (place == loop->used)
        loop->used++;
    loop->sources[place] = (struct platform_source) {
        .kind = kind,
        .handle = handle,
        .role = role,
        .owner = owner,
    };
    return &loop->sources[place];
}

bool windows_source_attach(platform_handle handle)
{
    u_long on = 1;

    return windows_loop_attach(windows_handle(handle)) &&
            (!windows_is_socket(handle) ||
                    ioctlsocket(windows_socket(handle), (long)FIONBIO, &on) == 0);
}

/* What cannot be overlapped (a console, a file, a pipe that somebody else made): a thread reads it.
 */
struct platform_source *platform_watch_input(platform_handle handle, int role, void *owner)
{
    struct platform_source *source = handle == PLATFORM_NO_HANDLE
            ? NULL
            : windows_source_add(SOURCE_INPUT, handle, role, owner);

    if (source == NULL)
        return NULL;
    source->input = windows_input_new(source, windows_handle(handle));
    if (source->input != NULL)
        return source;
    platform_unwatch(source);
    return NULL;
}

/* Of a pipe that another supervisor watched the completions go to that one's port for ever. */
static struct platform_source *watch_taken(platform_handle handle, int role, void *owner)
{
    struct platform_source *source = windows_source_add(SOURCE_STREAM, handle, role, owner);

    if (source == NULL || windows_stream_use_event(source))
        return source;
    platform_unwatch(source);
    return NULL;
}

struct platform_source *platform_watch_stream(platform_handle handle, int role, void *owner)
{
    if (handle == PLATFORM_NO_HANDLE)
        return NULL;
    if (windows_is_taken(handle))
        return watch_taken(handle, role, owner);
    if (windows_source_attach(handle))
        return windows_source_add(SOURCE_STREAM, handle, role, owner);
    if (!windows_is_socket(handle))
        return platform_watch_input(handle, role, owner);
    platform_close(handle);
    return NULL;
}

struct platform_source *platform_watch_pipe(platform_handle handle, int role, void *owner)
{
    return platform_watch_stream(handle, role, owner);
}

/* The control channel's: a listener that a child gets is never attached to the port, since nobody
 * else could attach it to one then. */
struct platform_source *platform_watch_listener(platform_handle handle, int role, void *owner)
{
    if (windows_source_attach(handle))
        return windows_source_add(SOURCE_LISTENER, handle, role, owner);
    platform_close(handle);
    return NULL;
}

/* Opened first and compared then: from here on its pid is nobody else's. */
struct platform_source *platform_watch_process(
        const struct identity *identity, int role, void *owner)
{
    HANDLE process = OpenProcess(
            SYNCHRONIZE | PROCESS_QUERY_LIMITED_INFORMATION, FALSE, (DWORD)identity->pid);
    struct identity found;
    struct platform_source *source;

    if (process == NULL)
        return NULL;
    if (!platform_identify(identity->pid, true, &found) || !identity_equal(&found, identity)) {
        CloseHandle(process);
        return NULL;
    }
    source = windows_source_add(SOURCE_PROCESS, windows_of_handle(process), role, owner);
    if (source == NULL)
        return NULL;
    source->pid = identity->pid;
    source->incoming = windows_operation_new(source, 0);
    if (source->incoming != NULL &&
            RegisterWaitForSingleObject(&source->wait, process, windows_operation_done,
                    source->incoming, INFINITE, WT_EXECUTEONLYONCE)) {
        source->incoming->is_pending = true;
        return source;
    }
    platform_unwatch(source);
    return NULL;
}

static void cancel(const struct platform_source *source, struct windows_operation *operation)
{
    if (operation != NULL && operation->is_pending)
        (void)CancelIoEx(windows_handle(source->handle), &operation->overlapped);
}

static void close_overlapped(struct platform_source *source)
{
    if (source->kind != SOURCE_PROCESS) {
        cancel(source, source->incoming);
        cancel(source, source->outgoing);
    }
    platform_close(source->handle);
}

void platform_unwatch(struct platform_source *source)
{
    struct windows_loop_state *loop = &windows_loop;

    if (source == NULL || source->kind == SOURCE_FREE)
        return;
    if (source->wait != NULL)
        (void)UnregisterWaitEx(source->wait, INVALID_HANDLE_VALUE); /* it is over, or was not */
    if (source->event != NULL)
        windows_stream_end_event(source);
    if (source->wait != NULL)
        source->incoming->is_pending = source->incoming->posted > 0;
    if (source->input != NULL)
        windows_input_end(source->input); /* and its handle */
    else
        close_overlapped(source);
    windows_operation_forget(source->incoming);
    windows_operation_forget(source->outgoing);
    send_queue_free(&source->queue);
    source->kind = SOURCE_FREE;
    while (loop->used > 0 && loop->sources[loop->used - 1].kind == SOURCE_FREE)
        loop->used--;
}

void platform_set_owner(struct platform_source *source, void *owner)
{
    if (source != NULL)
        source->owner = owner;
}

platform_handle platform_source_handle(const struct platform_source *source)
{
    return source->handle;
}

void platform_pause(struct platform_source *source, bool pause)
{
    source->is_paused = pause;
}

/* ---- The loop's side ------------------------------------------------------------------------- */

bool windows_source_end(struct platform_source *source, DWORD code, struct platform_event *event)
{
    source->ended = true;
    source->is_ready = false;
    event->kind = PLATFORM_EVENT_END;
    event->os_code = (long)code;
    return true;
}

bool windows_source_is_ready(const struct platform_source *source)
{
    return source->has_written || source->has_failed ||
            (source->is_ready && !source->ended && !source->is_paused);
}

void windows_source_look(struct platform_source *source)
{
    if (source->kind == SOURCE_STREAM)
        source->is_ready = true;
}

void windows_source_arm(struct platform_source *source)
{
    if (source->ended || source->is_paused || source->is_ready)
        return;
    switch (source->kind) {
    case SOURCE_STREAM:
    case SOURCE_CHANNEL:
        windows_stream_arm(source);
        break;
    case SOURCE_INPUT:
        windows_input_arm(source->input);
        break;
    case SOURCE_LISTENER:
        if (source->is_late ||
                ((source->incoming == NULL || !source->incoming->is_pending) &&
                        !windows_listener_arm(source)))
            windows_loop.lacks_accept = true;
        source->is_late = false;
        break;
    case SOURCE_FREE:
    case SOURCE_CONNECTING:
    case SOURCE_PROCESS:
        break;
    }
}

void windows_source_complete(struct windows_operation *operation)
{
    struct platform_source *source = operation->source;

    if (operation->posted > 0)
        (void)InterlockedDecrement(&operation->posted);
    operation->is_pending = operation->posted > 0;
    if (source == NULL && !operation->is_pending)
        operation->release(operation);
    if (source == NULL)
        return;
    if (operation == source->outgoing)
        windows_stream_sent(source, windows_operation_result(operation, source->handle));
    else if (source->kind == SOURCE_STREAM || source->kind == SOURCE_CHANNEL)
        windows_stream_completed(source, operation);
    else
        source->is_ready = true;
}

static bool handle_stream(struct platform_source *source, struct platform_event *event)
{
    DWORD code = 0;
    long got;

    if (source->has_failed) {
        source->has_failed = false;
        return windows_source_end(source, source->code, event);
    }
    if (source->has_written) {
        source->has_written = false;
        event->kind = PLATFORM_EVENT_WRITTEN;
        if (platform_unsent(source) == 0) /* else more was sent meanwhile */
            return true;
    }
    if (!source->is_ready || source->ended || source->is_paused)
        return false;
    if (source->kind == SOURCE_INPUT)
        got = windows_input_take(source->input, &event->data, &code);
    else
        got = windows_stream_read(source, &event->data, &code);
    if (got == -1 || source->kind == SOURCE_INPUT)
        source->is_ready = false;
    if (got == 0 || code != 0)
        return windows_source_end(source, code, event);
    if (got == -1)
        return false;
    event->kind = PLATFORM_EVENT_DATA;
    event->length = (size_t)got;
    return true;
}

size_t platform_read_now(struct platform_source *source, const char **ret_data)
{
    DWORD code = 0;
    long got;

    if (source->ended || source->kind != SOURCE_STREAM)
        return 0;
    got = windows_stream_read(source, ret_data, &code);
    if (got == 0)
        source->ended = true;
    return got > 0 ? (size_t)got : 0;
}

static bool handle_process(struct platform_source *source, struct platform_event *event)
{
    DWORD code;

    if (!source->is_ready || source->ended)
        return false;
    source->ended = true;
    event->kind = PLATFORM_EVENT_GONE;
    event->pid = source->pid;
    event->exit = (struct platform_exit) { .code = -1, .by_signal = -1 };
    if (GetExitCodeProcess(windows_handle(source->handle), &code))
        event->exit = (struct platform_exit) { .code = (int)code };
    return true;
}

bool windows_source_handle(struct platform_source *source, struct platform_event *event)
{
    event->source = source;
    event->role = source->role;
    event->owner = source->owner;
    switch (source->kind) {
    case SOURCE_FREE:
        return false;
    case SOURCE_STREAM:
    case SOURCE_INPUT:
        return handle_stream(source, event);
    case SOURCE_CHANNEL:
        return windows_channel_handle(source, event);
    case SOURCE_CONNECTING:
        return windows_connecting_handle(source, event);
    case SOURCE_LISTENER:
        return windows_listener_handle(source, event);
    case SOURCE_PROCESS:
        return handle_process(source, event);
    }
    return false;
}
