/* Channels between a supervisor and the one that takes its place: a pipe, and frames of one size.
 *
 * A handle is duplicated into the other process before its number is sent, so it is there whatever
 * becomes of the sender; of a socket a provider keeps more than the handle, which is described:
 * WSADuplicateSocketW. */
#include <string.h>

#include "windows_source.h"

#include "banned.h"

enum frame_kind { FRAME_ALONE, FRAME_HANDLE, FRAME_SOCKET };

struct frame {
    char message[PLATFORM_MESSAGE_BYTES];
    uint64_t handle;
    uint32_t kind;
    uint32_t unused;
    WSAPROTOCOL_INFOW socket;
};

static int64_t served;

void windows_channel_serves(int64_t pid)
{
    served = pid;
}

int platform_channel_pair(platform_handle ret_ends[2], struct err *err)
{
    HANDLE ours;
    HANDLE other;

    if (windows_duplex_pipe(&ours, &other, err) == -1)
        return -1;
    ret_ends[0] = windows_of_handle(ours);
    ret_ends[1] = windows_of_handle(other);
    return 0;
}

/* ---- Handles --------------------------------------------------------------------------------- */

/* 0, or a code of GetLastError(). */
static DWORD put_handle(platform_handle handle, struct frame *frame)
{
    const struct windows_child *child = windows_find_child(served, 0);
    HANDLE there;

    if (child == NULL)
        return ERROR_INVALID_HANDLE;
    if (windows_is_socket(handle)) {
        frame->kind = FRAME_SOCKET;
        return WSADuplicateSocketW(windows_socket(handle), (DWORD)child->pid, &frame->socket) == 0
                ? 0
                : (DWORD)WSAGetLastError();
    }
    if (!DuplicateHandle(GetCurrentProcess(), windows_handle(handle), child->process, &there, 0,
                FALSE, DUPLICATE_SAME_ACCESS))
        return GetLastError();
    frame->kind = FRAME_HANDLE;
    frame->handle = (uint64_t)(uintptr_t)there;
    return 0;
}

static platform_handle take_handle(struct frame *frame)
{
    HANDLE handle = (HANDLE)(uintptr_t)frame->handle;

    if (frame->kind == FRAME_SOCKET)
        return windows_of_socket(windows_open_described(&frame->socket));
    if (frame->kind != FRAME_HANDLE)
        return PLATFORM_NO_HANDLE;
    return windows_of_handle(handle) |
            (GetFileType(handle) == FILE_TYPE_PIPE ? WINDOWS_TAKEN_MARK : 0);
}

/* ---- Frames ---------------------------------------------------------------------------------- */

/* Whether a call came to its end by the deadline; it has ended in any case. */
static bool finish(HANDLE handle, OVERLAPPED *overlapped, int64_t deadline_ms, DWORD *ret_bytes)
{
    int64_t left_ms = deadline_ms - platform_now_ms();

    if (WaitForSingleObject(overlapped->hEvent, left_ms > 0 ? (DWORD)left_ms : 0) != WAIT_OBJECT_0)
        (void)CancelIoEx(handle, overlapped);
    return GetOverlappedResult(handle, overlapped, ret_bytes, TRUE);
}

/* All of it, by the deadline; else a code of GetLastError(), ERROR_OPERATION_ABORTED for the
 * deadline.  The event's mark keeps what is done out of a port: GetQueuedCompletionStatus. */
static DWORD move(HANDLE handle, void *data, DWORD length, bool sends, int64_t deadline_ms)
{
    HANDLE event = CreateEventW(NULL, TRUE, FALSE, NULL);
    DWORD code = event == NULL ? GetLastError() : 0;
    DWORD done = 0;

    while (code == 0 && done < length) {
        OVERLAPPED overlapped = { .hEvent = (HANDLE)((ULONG_PTR)event | 1) };
        char *at = (char *)data + done;
        DWORD bytes = 0;
        BOOL begun = sends ? WriteFile(handle, at, length - done, NULL, &overlapped)
                           : ReadFile(handle, at, length - done, NULL, &overlapped);

        if ((!begun && GetLastError() != ERROR_IO_PENDING) ||
                !finish(handle, &overlapped, deadline_ms, &bytes))
            code = GetLastError();
        done += bytes;
    }
    if (event != NULL)
        (void)CloseHandle(event);
    return code;
}

int platform_channel_send(platform_handle channel, const void *message, platform_handle passed,
        int64_t timeout_ms, struct err *err)
{
    struct frame frame = { .kind = FRAME_ALONE };
    DWORD code = passed != PLATFORM_NO_HANDLE ? put_handle(passed, &frame) : 0;

    memcpy(frame.message, message, sizeof frame.message);
    if (code == 0)
        code = move(windows_handle(channel), &frame, sizeof frame, true,
                platform_now_ms() + timeout_ms);
    return code == 0 ? 0
                     : err_set(err, ERR_FAILED, (long)code, "cannot send on a channel: %s",
                               platform_error_text((long)code));
}

int platform_channel_receive(
        platform_handle channel, int64_t timeout_ms, void *ret_message, platform_handle *ret_passed)
{
    struct frame frame;
    DWORD code = move(
            windows_handle(channel), &frame, sizeof frame, false, platform_now_ms() + timeout_ms);

    if (code != 0)
        return code == ERROR_OPERATION_ABORTED ? 0 : -1;
    memcpy(ret_message, frame.message, sizeof frame.message);
    *ret_passed = take_handle(&frame);
    return 1;
}

/* ---- In the loop ----------------------------------------------------------------------------- */

struct platform_source *platform_watch_channel(platform_handle handle, int role, void *owner)
{
    if (handle == PLATFORM_NO_HANDLE)
        return NULL;
    if (windows_source_attach(handle))
        return windows_source_add(SOURCE_CHANNEL, handle, role, owner);
    platform_close(handle);
    return NULL;
}

bool windows_channel_handle(struct platform_source *source, struct platform_event *event)
{
    static char message[PLATFORM_MESSAGE_BYTES];
    DWORD waiting = 0;

    if (!source->is_ready || source->ended || source->is_paused)
        return false;
    if (!PeekNamedPipe(windows_handle(source->handle), NULL, 0, NULL, &waiting, NULL))
        return windows_source_end(source, GetLastError(), event);
    source->is_ready = waiting >= sizeof(struct frame);
    if (!source->is_ready)
        return false;
    if (platform_channel_receive(source->handle, 0, message, &event->handle) != 1)
        return windows_source_end(source, GetLastError(), event);
    event->kind = PLATFORM_EVENT_MESSAGE;
    event->data = message;
    event->length = sizeof message;
    return true;
}
