#include <string.h>

#include "windows_source.h"

#include "banned.h"

/* What is sent in one piece. */
#define SEND_BYTES 65536

/* Bytes of events live here until the next platform_wait(). */
static char piece[PLATFORM_PIECE_BYTES];

/* ---- Reading --------------------------------------------------------------------------------- */

static bool means_end(DWORD code)
{
    return code == ERROR_BROKEN_PIPE || code == ERROR_PIPE_NOT_CONNECTED || code == ERROR_NO_DATA ||
            code == ERROR_HANDLE_EOF;
}

static long fail(DWORD code, DWORD *ret_code)
{
    if (means_end(code))
        return 0;
    *ret_code = code;
    return -1;
}

static long read_socket(SOCKET s, DWORD *ret_code)
{
    int got = recv(s, piece, (int)sizeof piece, 0);

    if (got != SOCKET_ERROR)
        return got;
    return WSAGetLastError() == WSAEWOULDBLOCK ? -1 : fail((DWORD)WSAGetLastError(), ret_code);
}

/* Asked for no more than is there, it is done at once.  An event with its lowest bit set keeps the
 * completion out of the port: GetQueuedCompletionStatus. */
static long read_pipe(HANDLE handle, DWORD *ret_code)
{
    OVERLAPPED overlapped = { .hEvent = (HANDLE)((ULONG_PTR)windows_loop.read_event | 1) };
    DWORD waiting;
    DWORD bytes = 0;

    if (!PeekNamedPipe(handle, NULL, 0, NULL, &waiting, NULL))
        return fail(GetLastError(), ret_code);
    if (waiting == 0)
        return -1;
    if (waiting > sizeof piece)
        waiting = sizeof piece;
    if ((!ReadFile(handle, piece, waiting, NULL, &overlapped) &&
                GetLastError() != ERROR_IO_PENDING) ||
            !GetOverlappedResult(handle, &overlapped, &bytes, TRUE))
        return fail(GetLastError(), ret_code);
    return (long)bytes;
}

/* A socket may tell of its failure only once, and did so to whoever waited. */
long windows_stream_read(struct platform_source *source, const char **ret_data, DWORD *ret_code)
{
    long got = windows_is_socket(source->handle)
            ? read_socket(windows_socket(source->handle), ret_code)
            : read_pipe(windows_handle(source->handle), ret_code);

    *ret_data = piece;
    if (got > 0 || *ret_code != 0 || source->read_code == 0)
        return got;
    *ret_code = source->read_code;
    return -1;
}

void windows_stream_completed(struct platform_source *source, struct windows_operation *operation)
{
    DWORD code = windows_operation_result(operation, source->handle);

    if (code == ERROR_IO_INCOMPLETE) {
        operation->is_pending = true; /* its event was for the read before */
        return;
    }
    if (code != ERROR_OPERATION_ABORTED && !means_end(code))
        source->read_code = code;
    source->is_ready = true;
}

/* The lowest bit of an event keeps the completion out of the port, as above. */
static bool begin_read(platform_handle handle, HANDLE event, OVERLAPPED *overlapped)
{
    static char nothing;
    WSABUF none = { .len = 0, .buf = &nothing };
    DWORD flags = 0;

    *overlapped = (OVERLAPPED) { 0 };
    if (event != NULL)
        overlapped->hEvent = (HANDLE)((ULONG_PTR)event | 1);
    if (windows_is_socket(handle))
        return WSARecv(windows_socket(handle), &none, 1, NULL, &flags, overlapped, NULL) == 0 ||
                WSAGetLastError() == WSA_IO_PENDING;
    return ReadFile(windows_handle(handle), &nothing, 0, NULL, overlapped) ||
            GetLastError() == ERROR_IO_PENDING;
}

void windows_stream_arm(struct platform_source *source)
{
    if (source->incoming == NULL)
        source->incoming = windows_operation_new(source, 0);
    if (source->incoming == NULL) {
        source->is_ready = true; /* out of memory: busy, but not deaf */
    } else if (!source->incoming->is_pending) {
        source->incoming->is_pending = true;
        if (!begin_read(source->handle, source->event, &source->incoming->overlapped)) {
            source->incoming->is_pending = false;
            source->is_ready = true; /* reading says what it is */
        }
    }
}

bool windows_stream_use_event(struct platform_source *source)
{
    source->incoming = windows_operation_new(source, 0);
    source->event = CreateEventW(NULL, FALSE, FALSE, NULL);
    return source->incoming != NULL && source->event != NULL && windows_loop_port() != NULL &&
            RegisterWaitForSingleObject(&source->wait, source->event, windows_operation_done,
                    source->incoming, INFINITE, WT_EXECUTEDEFAULT);
}

/* Once nobody else waits for the event, the end of a read that is cancelled can be awaited here. */
void windows_stream_end_event(struct platform_source *source)
{
    struct windows_operation *operation = source->incoming;
    DWORD bytes;

    if (operation != NULL && operation->is_pending &&
            (CancelIoEx(windows_handle(source->handle), &operation->overlapped) ||
                    GetLastError() != ERROR_NOT_FOUND))
        (void)GetOverlappedResult(
                windows_handle(source->handle), &operation->overlapped, &bytes, TRUE);
    (void)CloseHandle(source->event);
}

/* ---- Sending --------------------------------------------------------------------------------- */

size_t platform_unsent(const struct platform_source *source)
{
    return send_queue_left(&source->queue);
}

static bool begin_send(platform_handle handle, struct windows_operation *operation)
{
    WSABUF what = { .len = (ULONG)operation->length, .buf = operation->data };

    operation->overlapped = (OVERLAPPED) { 0 };
    if (windows_is_socket(handle))
        return WSASend(windows_socket(handle), &what, 1, NULL, 0, &operation->overlapped, NULL) ==
                0 ||
                WSAGetLastError() == WSA_IO_PENDING;
    return WriteFile(windows_handle(handle), operation->data, (DWORD)operation->length, NULL,
                   &operation->overlapped) ||
            GetLastError() == ERROR_IO_PENDING;
}

/* Goes on with what is queued, one piece at a time; false: it failed. */
static bool flush(struct platform_source *source)
{
    struct windows_operation *operation = source->outgoing;
    size_t left = platform_unsent(source);

    if (left == 0 || (operation != NULL && operation->is_pending))
        return true;
    if (operation == NULL)
        operation = source->outgoing = windows_operation_new(source, SEND_BYTES);
    if (operation == NULL) {
        source->code = ERROR_NOT_ENOUGH_MEMORY;
        return false;
    }
    operation->length = left < SEND_BYTES ? left : SEND_BYTES;
    memcpy(operation->data, send_queue_next(&source->queue), operation->length);
    operation->is_pending = begin_send(source->handle, operation);
    if (!operation->is_pending)
        source->code = GetLastError();
    return operation->is_pending;
}

void windows_stream_sent(struct platform_source *source, DWORD code)
{
    source->code = code;
    source->has_failed = code != 0;
    if (code != 0)
        return;
    send_queue_advance(&source->queue, source->outgoing->bytes);
    source->has_written = platform_unsent(source) == 0;
    source->has_failed = !flush(source);
}

/* Where a call cannot be overlapped whoever reads has to be waited for. */
static int write_all(HANDLE handle, const char *data, size_t length)
{
    while (length > 0) {
        DWORD bytes;

        if (!WriteFile(
                    handle, data, length < SEND_BYTES ? (DWORD)length : SEND_BYTES, &bytes, NULL))
            return -1;
        data += bytes;
        length -= bytes;
    }
    return 0;
}

int platform_send(struct platform_source *source, const void *data, size_t length, size_t limit)
{
    size_t done = 0;

    if (source->kind == SOURCE_INPUT)
        return write_all(windows_handle(source->handle), data, length);
    while (windows_is_socket(source->handle) && platform_unsent(source) == 0 && done < length) {
        size_t left = length - done;
        int sent = send(windows_socket(source->handle), (const char *)data + done,
                left < INT_MAX ? (int)left : INT_MAX, 0);

        if (sent == SOCKET_ERROR && WSAGetLastError() != WSAEWOULDBLOCK)
            return -1;
        if (sent == SOCKET_ERROR)
            break;
        done += (size_t)sent;
    }
    if (done == length)
        return 0;
    if (platform_unsent(source) + (length - done) > limit)
        return -1;
    if (send_queue_add(&source->queue, (const char *)data + done, length - done) == -1)
        return -1;
    return flush(source) ? 0 : -1;
}

/* ---- What the system does by itself, or does not say ----------------------------------------- */

/* TCP widens by itself, and a pipe is as wide as it was made. */
void platform_widen(struct platform_source *source)
{
    (void)source;
}

/* Of a socket whose other side has ended its sending half, nothing more is told: its reset is seen
 * when something is sent. */
void platform_await_close(struct platform_source *source)
{
    (void)source;
}

/* A connection is complete when it is in the backlog. */
int platform_is_accepted(const struct platform_source *source)
{
    (void)source;
    return -1;
}

bool platform_is_self_connected(const struct platform_source *source)
{
    struct address own;
    struct address peer;

    return windows_own_address(windows_socket(source->handle), &own) &&
            windows_peer_address(windows_socket(source->handle), &peer) &&
            address_equal(&own, &peer);
}

void platform_end_by_reset(struct platform_source *source)
{
    struct linger at_once = { .l_onoff = 1, .l_linger = 0 };

    (void)setsockopt(windows_socket(source->handle), SOL_SOCKET, SO_LINGER, (const char *)&at_once,
            (int)sizeof at_once);
}
