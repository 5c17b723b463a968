/* What cannot be overlapped is read by a thread, one piece whenever somebody wants one. */
#include <stdlib.h>
#include <string.h>

#include "windows_source.h"

#include "banned.h"

#define INPUT_BYTES 16384
#define KEYS_MAX    64

/* Whoever of the two, loop and thread, needs it last frees it. */
struct windows_input {
    struct windows_operation operation; /* first: it is released as one */
    HANDLE handle;
    HANDLE thread;
    HANDLE wanted; /* an event */
    volatile LONG users;
    volatile LONG is_asked;
    volatile LONG is_over;
    DWORD code;
    DWORD length;
    WCHAR high; /* the first half of a character, until the second comes */
    char data[INPUT_BYTES];
};

static void leave(struct windows_operation *operation)
{
    struct windows_input *input = (struct windows_input *)(void *)operation;

    if (InterlockedDecrement(&input->users) > 0)
        return;
    CloseHandle(input->wanted);
    free(input);
}

/* ---- In the thread --------------------------------------------------------------------------- */

static void put_units(struct windows_input *input, const WCHAR *units, DWORD count)
{
    int bytes = count == 0
            ? 0
            : WideCharToMultiByte(CP_UTF8, 0, units, (int)count, input->data + input->length,
                      (int)(sizeof input->data - input->length), NULL, NULL);

    input->length += bytes > 0 ? (DWORD)bytes : 0;
}

static void put_unit(struct windows_input *input, WCHAR unit)
{
    WCHAR both[2] = { input->high, unit };

    if (IS_HIGH_SURROGATE(unit)) {
        input->high = unit;
    } else if (input->high != L'\0') {
        input->high = L'\0';
        put_units(input, both, 2);
    } else {
        put_units(input, &unit, 1);
    }
}

/* The console edits the line.  Ctrl-Z at its beginning is the end, as ReadFile has it; ReadFile
 * itself loses every letter beyond ASCII where the code page is UTF-8. */
static void read_line(struct windows_input *input)
{
    WCHAR units[INPUT_BYTES / 4];
    DWORD count;

    if (!ReadConsoleW(input->handle, units, sizeof units / sizeof units[0], &count, NULL))
        input->code = GetLastError();
    else if (count > 0 && units[0] != L'\x1a')
        for (DWORD i = 0; i < count; i++)
            put_unit(input, units[i]);
}

/* A key goes down; or Alt goes up, after the number of a character has been typed. */
static bool is_character(const KEY_EVENT_RECORD *key)
{
    return key->uChar.UnicodeChar != L'\0' && (key->bKeyDown || key->wVirtualKeyCode == VK_MENU);
}

/* Every key is a byte or more.  A change of size is told in between. */
static void read_keys(struct windows_input *input)
{
    INPUT_RECORD records[KEYS_MAX];
    DWORD count = 0;

    while (input->length == 0 && !input->is_over) {
        if (!ReadConsoleInputW(input->handle, records, KEYS_MAX, &count)) {
            input->code = GetLastError();
            return;
        }
        for (DWORD i = 0; i < count; i++) {
            const KEY_EVENT_RECORD *key = &records[i].Event.KeyEvent;

            if (records[i].EventType == WINDOW_BUFFER_SIZE_EVENT)
                windows_post_ask(PLATFORM_ASK_RESIZE, 0);
            if (records[i].EventType != KEY_EVENT || !is_character(key))
                continue;
            for (WORD n = 0; n < key->wRepeatCount && n < KEYS_MAX; n++)
                put_unit(input, key->uChar.UnicodeChar);
        }
    }
}

static void read_file(struct windows_input *input)
{
    if (!ReadFile(input->handle, input->data, sizeof input->data, &input->length, NULL))
        input->code = GetLastError();
}

static void read_piece(struct windows_input *input)
{
    DWORD mode;

    input->length = 0;
    input->code = 0;
    if (!GetConsoleMode(input->handle, &mode))
        read_file(input);
    else if ((mode & ENABLE_LINE_INPUT) != 0)
        read_line(input);
    else
        read_keys(input);
    if (input->code == ERROR_BROKEN_PIPE || input->code == ERROR_HANDLE_EOF)
        input->code = 0;
}

static DWORD WINAPI run(void *context)
{
    struct windows_input *input = context;

    while (!input->is_over) {
        (void)WaitForSingleObject(input->wanted, INFINITE);
        if (InterlockedExchange(&input->is_asked, 0) == 0)
            continue;
        if (!input->is_over)
            read_piece(input);
        windows_loop_post(&input->operation);
    }
    /* Here, since it would wait for a read that is under way. */
    platform_close(windows_of_handle(input->handle));
    leave(&input->operation);
    return 0;
}

/* ---- In the loop ----------------------------------------------------------------------------- */

struct windows_input *windows_input_new(struct platform_source *source, HANDLE handle)
{
    struct windows_input *input = calloc(1, sizeof *input);

    if (input == NULL)
        return NULL;
    input->operation.source = source;
    input->operation.release = leave;
    input->operation.accepted = INVALID_SOCKET;
    input->handle = handle;
    input->users = 2;
    input->wanted = CreateEventW(NULL, FALSE, FALSE, NULL);
    if (input->wanted != NULL)
        input->thread = CreateThread(NULL, 0, run, input, 0, NULL);
    if (input->thread != NULL)
        return input;
    if (input->wanted != NULL)
        CloseHandle(input->wanted);
    free(input);
    return NULL;
}

void windows_input_arm(struct windows_input *input)
{
    if (input->operation.is_pending)
        return;
    input->operation.is_pending = true;
    (void)InterlockedExchange(&input->is_asked, 1);
    (void)SetEvent(input->wanted);
}

long windows_input_take(struct windows_input *input, const char **ret_data, DWORD *ret_code)
{
    *ret_data = input->data;
    *ret_code = input->code;
    return input->code != 0 ? -1 : (long)input->length;
}

void windows_input_end(struct windows_input *input)
{
    HANDLE thread = input->thread;

    (void)InterlockedExchange(&input->is_over, 1);
    (void)CancelSynchronousIo(thread);
    (void)SetEvent(input->wanted);
    CloseHandle(thread);
    windows_operation_forget(&input->operation);
}
