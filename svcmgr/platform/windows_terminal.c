/* Terminals: the console that a person sits at, and pseudo-consoles for commands.
 *
 * A pseudo-console has two pipes of its own, which it reads and writes by calls that wait.  The
 * loop wants one handle that goes both ways and never waits: two threads carry what comes and goes
 * between these and a pipe of ours, whose other end is that handle. */
#include <stdlib.h>

#include "windows_parts.h"

#include "banned.h"

#define WIDTH_UNKNOWN    80
#define ROWS_UNKNOWN     24
#define EOF_BYTE         '\x1a' /* Ctrl-Z */
#define RELAY_BYTES      16384
#define COORD_MAX        32767
#define THREAD_STACK     65536
#define MISSING_SENTENCE "this Windows has no pseudo-consoles: they came with Windows 10 1809"

struct terminal {
    struct terminal *next;
    platform_handle ours;
    platform_handle child; /* an event that stands for the console: closed by whoever has it */
    COORD size;
    HPCON console; /* made when the child is started, in the size that was asked for until then */
    HANDLE input;  /* the console's ends, until it has them; NULL then */
    HANDLE output;
    HANDLE relay;
    HANDLE to_console;
    HANDLE from_console; /* carry_out()'s, once there is a console */
    LONG users;          /* threads */
};

/* Shared with the threads. */
static SRWLOCK lock = SRWLOCK_INIT;
static struct terminal *first;

typedef HRESULT(WINAPI *create_console)(COORD, HANDLE, HANDLE, DWORD, HPCON *);
typedef HRESULT(WINAPI *resize_console)(HPCON, COORD);
typedef void(WINAPI *close_console)(HPCON);

static struct {
    create_console create;
    resize_console resize;
    close_console close;
} calls;

static bool find_calls(void)
{
    HMODULE library = GetModuleHandleW(L"kernel32.dll");

    if (calls.create != NULL)
        return true;
    calls.resize = (resize_console)(void (*)(void))GetProcAddress(library, "ResizePseudoConsole");
    calls.close = (close_console)(void (*)(void))GetProcAddress(library, "ClosePseudoConsole");
    if (calls.resize == NULL || calls.close == NULL)
        return false;
    calls.create = (create_console)(void (*)(void))GetProcAddress(library, "CreatePseudoConsole");
    return calls.create != NULL;
}

/* ---- In the threads -------------------------------------------------------------------------- */

/* One overlapped call, to its end; 0 bytes when it failed. */
static DWORD carry(HANDLE relay, HANDLE event, bool is_write, char *data, DWORD length)
{
    OVERLAPPED call = { .hEvent = event };
    DWORD done = 0;
    bool good = is_write ? WriteFile(relay, data, length, NULL, &call)
                         : ReadFile(relay, data, length, NULL, &call);

    if (!good && GetLastError() != ERROR_IO_PENDING)
        return 0;
    return GetOverlappedResult(relay, &call, &done, TRUE) ? done : 0;
}

static void leave(struct terminal *terminal)
{
    if (InterlockedDecrement(&terminal->users) > 0)
        return;
    (void)CloseHandle(terminal->relay);
    free(terminal);
}

static void close_handle(HANDLE *handle)
{
    if (*handle != NULL)
        (void)CloseHandle(*handle);
    *handle = NULL;
}

/* No longer to be found by its handles, whose numbers others may get. */
static void forget(struct terminal *terminal)
{
    struct terminal **at = &first;

    AcquireSRWLockExclusive(&lock);
    while (*at != NULL && *at != terminal)
        at = &(*at)->next;
    if (*at != NULL)
        *at = terminal->next;
    ReleaseSRWLockExclusive(&lock);
}

/* Keys to the console, until our end is closed: then it is over for all who use it. */
static DWORD WINAPI carry_in(void *context)
{
    struct terminal *terminal = context;
    HANDLE event = CreateEventW(NULL, TRUE, FALSE, NULL);
    char data[RELAY_BYTES];
    DWORD length;
    DWORD wrote;

    while (event != NULL &&
            (length = carry(terminal->relay, event, false, data, sizeof data)) > 0) {
        for (DWORD at = 0; at < length; at += wrote)
            if (!WriteFile(terminal->to_console, data + at, length - at, &wrote, NULL))
                break;
    }
    forget(terminal);
    close_handle(&terminal->to_console);
    /* It may wait until what it says now has been read, by the other thread: ClosePseudoConsole().
     */
    if (terminal->console != NULL)
        calls.close(terminal->console);
    else
        close_handle(&terminal->from_console);
    close_handle(&terminal->input);
    close_handle(&terminal->output);
    close_handle(&event);
    leave(terminal);
    return 0;
}

/* What the console shows, and when nobody wants that any more, still until its end. */
static DWORD WINAPI carry_out(void *context)
{
    struct terminal *terminal = context;
    HANDLE event = CreateEventW(NULL, TRUE, FALSE, NULL);
    bool is_wanted = event != NULL;
    char data[RELAY_BYTES];
    DWORD length;

    while (ReadFile(terminal->from_console, data, sizeof data, &length, NULL) && length > 0)
        for (DWORD at = 0, wrote; is_wanted && at < length; at += wrote) {
            wrote = carry(terminal->relay, event, true, data + at, length - at);
            is_wanted = wrote > 0;
        }
    close_handle(&terminal->from_console);
    close_handle(&event);
    /* Our end shall see an end of file, though the other thread still reads from there. */
    (void)CancelIoEx(terminal->relay, NULL);
    leave(terminal);
    return 0;
}

/* ---- A pair ---------------------------------------------------------------------------------- */

static bool start_thread(LPTHREAD_START_ROUTINE routine, struct terminal *terminal)
{
    HANDLE thread = CreateThread(
            NULL, THREAD_STACK, routine, terminal, STACK_SIZE_PARAM_IS_A_RESERVATION, NULL);

    if (thread == NULL)
        return false;
    (void)CloseHandle(thread);
    return true;
}

/* From here on the thread has what is the console's, and frees it. */
static bool start(struct terminal *terminal)
{
    terminal->size = (COORD) { .X = WIDTH_UNKNOWN, .Y = ROWS_UNKNOWN };
    terminal->users = 1;
    if (!CreatePipe(&terminal->input, &terminal->to_console, NULL, 0) ||
            !CreatePipe(&terminal->from_console, &terminal->output, NULL, 0))
        return false;
    AcquireSRWLockExclusive(&lock);
    terminal->next = first;
    first = terminal;
    ReleaseSRWLockExclusive(&lock);
    if (start_thread(carry_in, terminal))
        return true;
    forget(terminal);
    return false;
}

int platform_terminal_pair(
        uint32_t uid, platform_handle *ret_ours, platform_handle *ret_child, struct err *err)
{
    struct terminal *terminal = calloc(1, sizeof *terminal);
    HANDLE ours = NULL;
    HANDLE child = NULL;
    DWORD code;

    (void)uid; /* a handle says who may use it */
    if (terminal == NULL)
        return err_memory(err);
    if (!find_calls()) {
        free(terminal);
        return err_set(err, ERR_FAILED, ERROR_CALL_NOT_IMPLEMENTED, MISSING_SENTENCE);
    }
    if (windows_duplex_pipe(&ours, &terminal->relay, err) == -1) {
        free(terminal);
        return -1;
    }
    child = CreateEventW(NULL, TRUE, FALSE, NULL);
    terminal->ours = windows_of_handle(ours);
    terminal->child = windows_of_handle(child);
    if (child != NULL && start(terminal)) {
        *ret_ours = windows_of_handle(ours);
        *ret_child = windows_of_handle(child);
        return 0;
    }
    code = GetLastError();
    close_handle(&child);
    close_handle(&ours);
    close_handle(&terminal->input);
    close_handle(&terminal->output);
    close_handle(&terminal->to_console);
    close_handle(&terminal->from_console);
    close_handle(&terminal->relay);
    free(terminal);
    return err_set(err, ERR_FAILED, (long)code, "cannot make a pseudo-terminal: %s",
            platform_error_text((long)code));
}

/* What an HRESULT says: a code of the system's, or one of its own. */
static long code_of(HRESULT result)
{
    return HRESULT_FACILITY(result) == FACILITY_WIN32 ? (long)HRESULT_CODE(result) : (long)result;
}

static HRESULT make_console(struct terminal *terminal)
{
    HRESULT result =
            calls.create(terminal->size, terminal->input, terminal->output, 0, &terminal->console);

    if (FAILED(result)) {
        terminal->console = NULL;
        return result;
    }
    /* It has duplicates. */
    close_handle(&terminal->input);
    close_handle(&terminal->output);
    terminal->users++;
    if (start_thread(carry_out, terminal))
        return result;
    result = HRESULT_FROM_WIN32(GetLastError());
    terminal->users--;
    close_handle(&terminal->from_console);
    calls.close(terminal->console);
    terminal->console = NULL;
    return result;
}

int windows_terminal_console(platform_handle child, HPCON *ret_console, struct err *err)
{
    HRESULT result = HRESULT_FROM_WIN32(ERROR_INVALID_HANDLE);
    struct terminal *at;

    AcquireSRWLockExclusive(&lock);
    for (at = first; at != NULL && at->child != child;)
        at = at->next;
    if (at != NULL && at->input != NULL)
        result = make_console(at);
    if (SUCCEEDED(result)) {
        *ret_console = at->console;
        at->child = PLATFORM_NO_HANDLE; /* once it is closed, its number may be another's */
    }
    ReleaseSRWLockExclusive(&lock);
    if (at == NULL)
        return err_set(err, ERR_FAILED, ERROR_INVALID_HANDLE, "%s: its output is none",
                platform_stage_name(PLATFORM_STAGE_TERMINAL));
    if (FAILED(result))
        return err_set(err, ERR_FAILED, code_of(result), "%s: %s",
                platform_stage_name(PLATFORM_STAGE_TERMINAL), platform_error_text(code_of(result)));
    return 0;
}

int platform_terminal_resize(platform_handle handle, uint16_t rows, uint16_t cols, struct err *err)
{
    COORD size = { .X = cols > COORD_MAX ? COORD_MAX : (SHORT)cols,
        .Y = rows > COORD_MAX ? COORD_MAX : (SHORT)rows };
    HRESULT result = HRESULT_FROM_WIN32(ERROR_INVALID_HANDLE);
    struct terminal *at;

    AcquireSRWLockExclusive(&lock);
    for (at = first; at != NULL && at->ours != handle;)
        at = at->next;
    if (at != NULL)
        result = at->console != NULL ? calls.resize(at->console, size) : S_OK;
    if (SUCCEEDED(result))
        at->size = size;
    ReleaseSRWLockExclusive(&lock);
    if (FAILED(result))
        return err_set(
                err, ERR_FAILED, code_of(result), "%s", platform_error_text(code_of(result)));
    return 0;
}

char platform_terminal_eof(platform_handle ours)
{
    (void)ours;
    return EOF_BYTE;
}

/* ---- The person's ---------------------------------------------------------------------------- */

bool platform_is_terminal(platform_handle handle)
{
    DWORD mode;

    return handle != PLATFORM_NO_HANDLE && !windows_is_socket(handle) &&
            GetConsoleMode(windows_handle(handle), &mode);
}

bool platform_terminal_size(platform_handle handle, uint16_t *ret_rows, uint16_t *ret_cols)
{
    CONSOLE_SCREEN_BUFFER_INFO info;
    int rows;
    int cols;

    if (!GetConsoleScreenBufferInfo(windows_handle(handle), &info))
        return false;
    rows = info.srWindow.Bottom - info.srWindow.Top + 1;
    cols = info.srWindow.Right - info.srWindow.Left + 1;
    if (rows <= 0 || cols <= 0)
        return false;
    *ret_rows = (uint16_t)rows;
    *ret_cols = (uint16_t)cols;
    return true;
}

int platform_terminal_width(platform_handle handle)
{
    uint16_t rows;
    uint16_t cols;

    return platform_terminal_size(handle, &rows, &cols) ? cols : WIDTH_UNKNOWN;
}

static struct {
    bool is_raw;
    HANDLE handle;
    DWORD former;
} person;

int platform_terminal_raw(platform_handle handle, struct err *err)
{
    static bool will_restore;
    HANDLE input = windows_handle(handle);
    DWORD raw;

    if (!GetConsoleMode(input, &person.former))
        return err_set(err, ERR_FAILED, (long)GetLastError(),
                "cannot read the terminal's modes: %s", platform_error_text((long)GetLastError()));
    /* Keys such as the arrows come as the sequences that they are elsewhere, where the console can
     * do that; and the loop is told of its size. */
    raw = person.former & ~(DWORD)(ENABLE_LINE_INPUT | ENABLE_ECHO_INPUT | ENABLE_PROCESSED_INPUT);
    raw |= ENABLE_WINDOW_INPUT;
    if (!will_restore)
        (void)atexit(platform_terminal_restore);
    will_restore = true;
    person.handle = input;
    person.is_raw = true;
    if (!SetConsoleMode(input, raw | ENABLE_VIRTUAL_TERMINAL_INPUT) && !SetConsoleMode(input, raw))
        return err_set(err, ERR_FAILED, (long)GetLastError(), "cannot set the terminal's modes: %s",
                platform_error_text((long)GetLastError()));
    return 0;
}

void platform_terminal_restore(void)
{
    if (person.is_raw)
        (void)SetConsoleMode(person.handle, person.former);
    person.is_raw = false;
}
