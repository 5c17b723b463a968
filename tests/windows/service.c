/* A service that does what its words say, each when the test lets it: SEMAPHORE WORD...
 *
 * start MS, stopping MS: so far, with this hint; running; ask: waits until it is asked for
 * something, and remembers what; end WIN32 SERVICE: the last word; end-asked: that with 100 and
 * what it was asked for; output FILE TEXT: prints text where its words go; crash. */
#include <winsock2.h>

#include <windows.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform_launch.h"
#include "windows_parts.h"

#include "banned.h"

static HANDLE semaphore;
static enum platform_ask asked;

static bool number(const char *text, uint32_t *ret_value)
{
    *ret_value = 0;
    for (; *text >= '0' && *text <= '9'; text++)
        *ret_value = *ret_value * 10 + (uint32_t)(*text - '0');
    return *text == '\0';
}

static void await_ask(void)
{
    struct platform_event event;

    do
        platform_wait(PLATFORM_NEVER, &event);
    while (event.kind != PLATFORM_EVENT_SIGNAL);
    asked = event.ask;
}

/* Returns how many words it has taken; 0: it ends. */
static int step(char **words)
{
    struct err err;
    uint32_t a;
    uint32_t b;

    (void)WaitForSingleObject(semaphore, INFINITE);
    if (strcmp(words[0], "start") == 0 && number(words[1], &a))
        return platform_scm_tell(SCM_START_PENDING, a) ? 2 : 0;
    if (strcmp(words[0], "stopping") == 0 && number(words[1], &a))
        return platform_scm_tell(SCM_STOP_PENDING, a) ? 2 : 0;
    if (strcmp(words[0], "running") == 0)
        return platform_scm_tell(SCM_RUNNING, 0) ? 1 : 0;
    if (strcmp(words[0], "ask") == 0) {
        await_ask();
        return 1;
    }
    if (strcmp(words[0], "output") == 0) {
        if (platform_scm_output(words[1], &err) == -1)
            platform_scm_end((uint32_t)err.os_code, 0);
        (void)fprintf(stderr, "%s\n", words[2]);
        return 3;
    }
    if (strcmp(words[0], "end-asked") == 0)
        platform_scm_end(0, 100 + (uint32_t)asked);
    if (strcmp(words[0], "end") == 0 && number(words[1], &a) && number(words[2], &b))
        platform_scm_end(a, b);
    if (strcmp(words[0], "crash") == 0)
        (void)TerminateProcess(GetCurrentProcess(), 99);
    return 0;
}

int main(int argc, char **argv)
{
    char name[SCM_NAME_BYTES];
    WCHAR wide[64];
    struct err err;
    int taken = 1;

    platform_begin();
    if (argc < 3 || !platform_scm_begin(name, sizeof name) ||
            platform_loop_open(true, &err) == -1 || !windows_to_wide(argv[1], wide, 64))
        return 1;
    semaphore = OpenSemaphoreW(SYNCHRONIZE, FALSE, wide);
    for (int at = 2; semaphore != NULL && at < argc && taken > 0; at += taken)
        taken = step(&argv[at]);
    return 0;
}
