/* For the tests of the Windows seam: the child (child.c) started by platform_spawn(), and what it
 * says. */
#ifndef SVCMGR_TEST_STARTED_H
#define SVCMGR_TEST_STARTED_H

#include <winsock2.h>
#include <ws2tcpip.h>

#include <windows.h>

#include "platform.h"
#include "unit.h"
#include "windows_parts.h"

#define WORDS_MAX  32
#define SAID_BYTES 4096
#define LIMIT_MS   60000 /* whatever waits this long has failed */

/* Whether this is Wine, which cannot do all of it. */
static inline bool is_wine(void)
{
    return GetProcAddress(GetModuleHandleW(L"ntdll.dll"), "wine_get_version") != NULL;
}

/* Skips a test by name where Wine does not do what Windows does. */
#define SKIP_ON_WINE(reason)                                                                       \
    do {                                                                                           \
        if (is_wine()) {                                                                           \
            print_message("skipped on Wine: %s: %s\n", __func__, reason);                          \
            skip();                                                                                \
        }                                                                                          \
    } while (0)

struct started {
    struct platform_child child;
    HANDLE output; /* what it says is read from here */
};

/* Where child.exe is. */
const char *started_file(void);
/* A description of one that says its words to 'started', with an environment of its own. */
struct platform_spawn started_spec(const char *const *words);
/* Starts it up to the barrier; what is wrong fails the test. */
void started_make(const struct platform_spawn *spec, struct started *ret_started);
/* The same, and lets it go. */
void started_begin(const char *const *words, struct started *ret_started);
/* One line of what it says, without the end of the line. */
void started_line(struct started *started, char ret_text[SAID_BYTES]);
/* Everything to the end. */
void started_rest(struct started *started, char ret_text[SAID_BYTES]);
/* Waits for the event that it has ended, and reaps it. */
void started_end(struct started *started, struct platform_exit *ret_exit);
/* Waits for the event alone. */
void started_await(const struct started *started, struct platform_exit *ret_exit);
/* Waits until a process that is open has ended, and closes it. */
void started_await_handle(HANDLE process);
struct platform_tree started_tree(const struct started *started);
/* Asks until the tree is empty. */
void started_await_empty(const struct platform_tree *tree);

#endif
