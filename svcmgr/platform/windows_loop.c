/* The loop: one completion port for sockets, pipes, threads that read and wait, children, asks.
 *
 * One event at a time.  Who asks is told after what the sources have, and after a child's end
 * everything is looked at once more before the end is told, so that what the child sent before it
 * died comes first. */
#include <string.h>

#include "windows_source.h"

#include "banned.h"

#define COMPLETIONS_AT_ONCE 64
#define TRY_AGAIN_MS        100

/* What a packet in the port means; whatever is attached to the port is KEY_OPERATION. */
enum port_key { KEY_OPERATION, KEY_EXIT, KEY_ASK };

struct windows_loop_state windows_loop;

static struct windows_loop_state *const loop = &windows_loop;

HANDLE windows_loop_port(void)
{
    HANDLE port = InterlockedCompareExchangePointer(&loop->port, NULL, NULL);
    HANDLE made;

    if (port != NULL)
        return port;
    made = CreateIoCompletionPort(INVALID_HANDLE_VALUE, NULL, 0, 1);
    if (made == NULL)
        return NULL;
    port = InterlockedCompareExchangePointer(&loop->port, made, NULL);
    if (port == NULL)
        return made;
    CloseHandle(made); /* another thread was quicker */
    return port;
}

bool windows_loop_attach(HANDLE handle)
{
    HANDLE port = windows_loop_port();

    return port != NULL && CreateIoCompletionPort(handle, port, KEY_OPERATION, 0) == port;
}

void windows_loop_post(struct windows_operation *operation)
{
    (void)PostQueuedCompletionStatus(loop->port, 0, KEY_OPERATION, &operation->overlapped);
}

/* What is posted carries no operation, but numbers in the place of its address. */
static void post_number(enum port_key key, DWORD small, int64_t number)
{
    HANDLE port = windows_loop_port();

    if (port != NULL)
        (void)PostQueuedCompletionStatus(port, small, key, (OVERLAPPED *)(intptr_t)number);
}

void windows_post_exit(int64_t pid)
{
    post_number(KEY_EXIT, 0, pid);
}

void windows_post_ask(enum platform_ask ask, int number)
{
    post_number(KEY_ASK, (DWORD)ask, number);
}

int platform_loop_open(bool takes_signals, struct err *err)
{
    DWORD code = 0;

    if (!windows_sockets_begin())
        code = (DWORD)WSAGetLastError();
    else if (windows_loop_port() == NULL)
        code = GetLastError();
    if (code == 0 && loop->read_event == NULL) {
        loop->read_event = CreateEventW(NULL, TRUE, FALSE, NULL);
        code = loop->read_event == NULL ? GetLastError() : 0;
    }
    if (code != 0)
        return err_set(err, ERR_FAILED, (long)code, "cannot make the loop: %s",
                platform_error_text((long)code));
    if (takes_signals)
        windows_take_asks();
    return 0;
}

/* ---- What is posted -------------------------------------------------------------------------- */

static void keep_exit(int64_t pid)
{
    if (loop->exit_count < LOOP_EXITS_MAX)
        loop->exits[loop->exit_count++] = pid;
    else
        windows_post_exit(pid); /* later */
}

static void keep_ask(enum platform_ask ask, int number)
{
    if (loop->ask_count < LOOP_ASKS_MAX)
        loop->asks[loop->ask_count++] = (struct windows_ask) { .ask = ask, .number = number };
}

static bool next_ask(struct platform_event *event)
{
    if (loop->ask_count == 0)
        return false;
    event->kind = PLATFORM_EVENT_SIGNAL;
    event->ask = loop->asks[0].ask;
    event->signal_number = loop->asks[0].number;
    loop->ask_count--;
    memmove(loop->asks, loop->asks + 1, loop->ask_count * sizeof loop->asks[0]);
    return true;
}

static void drop_exit(void)
{
    loop->exit_count--;
    memmove(loop->exits, loop->exits + 1, loop->exit_count * sizeof loop->exits[0]);
    loop->swept_for = 0;
}

/* False: there is none, or everything has to be looked at before it is told. */
static bool next_exit(struct platform_event *event)
{
    while (loop->exit_count > 0) {
        struct platform_exit how;
        int64_t pid = loop->exits[0];

        if (!platform_child_ended(pid, &how)) {
            drop_exit();
            continue;
        }
        if (loop->swept_for != pid) {
            loop->swept_for = pid;
            loop->is_sweeping = true;
            return false;
        }
        drop_exit();
        event->kind = PLATFORM_EVENT_EXIT;
        event->pid = pid;
        event->exit = how;
        return true;
    }
    return false;
}

/* ---- Waiting --------------------------------------------------------------------------------- */

void platform_hush(unsigned roles)
{
    loop->hushed = roles;
}

static bool may_tell(const struct platform_source *source)
{
    return source->kind != SOURCE_FREE &&
            (loop->is_sweeping || (loop->hushed >> source->role & 1) == 0);
}

/* True if one of them may have something to tell already. */
static bool arm_all(void)
{
    bool is_ready = false;

    loop->lacks_accept = false;
    for (size_t i = 0; i < loop->used; i++) {
        struct platform_source *source = &loop->sources[i];

        if (!may_tell(source))
            continue;
        windows_source_arm(source);
        is_ready = is_ready || windows_source_is_ready(source);
    }
    return is_ready;
}

static void take_entry(const OVERLAPPED_ENTRY *entry)
{
    if (entry->lpCompletionKey == KEY_EXIT) {
        keep_exit((int64_t)(intptr_t)entry->lpOverlapped);
    } else if (entry->lpCompletionKey == KEY_ASK) {
        keep_ask((enum platform_ask)entry->dwNumberOfBytesTransferred,
                (int)(intptr_t)entry->lpOverlapped);
    } else {
        windows_source_complete((struct windows_operation *)(void *)entry->lpOverlapped);
    }
}

static void take_completions(DWORD timeout_ms)
{
    OVERLAPPED_ENTRY entries[COMPLETIONS_AT_ONCE];
    ULONG count = 0;

    do {
        if (!GetQueuedCompletionStatusEx(
                    loop->port, entries, COMPLETIONS_AT_ONCE, &count, timeout_ms, FALSE))
            return;
        for (ULONG i = 0; i < count; i++)
            take_entry(&entries[i]);
        timeout_ms = 0;
    } while (count == COMPLETIONS_AT_ONCE);
}

/* One round: what has come is taken, and then everybody is looked at once. */
static void begin_round(DWORD timeout_ms)
{
    if (loop->is_sweeping)
        for (size_t i = 0; i < loop->used; i++)
            windows_source_look(&loop->sources[i]);
    if (arm_all())
        timeout_ms = 0;
    else if (loop->lacks_accept && timeout_ms > TRY_AGAIN_MS)
        timeout_ms = TRY_AGAIN_MS;
    take_completions(timeout_ms);
    loop->next = 0;
}

static bool next_ready(struct platform_event *event)
{
    while (loop->next < loop->used) {
        struct platform_source *source = &loop->sources[loop->next];

        /* One piece a round: a busy stream does not keep the others waiting. */
        loop->next++;
        if (may_tell(source) && windows_source_handle(source, event))
            return true;
    }
    loop->is_sweeping = false;
    return false;
}

static DWORD timeout_until(int64_t deadline_ms)
{
    int64_t left;

    if (deadline_ms == PLATFORM_NEVER)
        return INFINITE;
    left = deadline_ms - platform_now_ms();
    return left <= 0 ? 0 : left > 86400000 ? 86400000 : (DWORD)left;
}

void platform_wait(int64_t deadline_ms, struct platform_event *ret_event)
{
    for (;;) {
        *ret_event = (struct platform_event) { .handle = PLATFORM_NO_HANDLE };
        if (next_ready(ret_event))
            return;
        *ret_event = (struct platform_event) { .handle = PLATFORM_NO_HANDLE };
        if (next_ask(ret_event) || next_exit(ret_event))
            return;
        if (loop->is_sweeping) {
            begin_round(0);
            continue;
        }
        if (deadline_ms != PLATFORM_NEVER && platform_now_ms() >= deadline_ms &&
                !loop->told_timer) {
            ret_event->kind = PLATFORM_EVENT_TIMER;
            loop->told_timer = true; /* next time something else has its turn first */
            return;
        }
        loop->told_timer = false;
        begin_round(timeout_until(deadline_ms));
    }
}
