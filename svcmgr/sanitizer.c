/* Linked into sanitizer builds only.  A background supervisor has the null device as its standard
 * error, so a report goes into a file, build/NAME/sanitizer.PID, which the test run looks for.  No
 * command of ours ends with 99, and a failed assertion is a report too. */
#include <stdio.h>
#include <string.h>

#include "banned.h"

#define OPTIONS "log_path=" SANITIZER_LOG ":exitcode=99:handle_abort=1"

const char *__asan_default_options(void);
const char *__ubsan_default_options(void);

const char *__asan_default_options(void)
{
    return OPTIONS;
}

const char *__ubsan_default_options(void)
{
    return OPTIONS ":print_stacktrace=1";
}

int __lsan_is_turned_off(void);

/* What a command leaks ends with it, and the tests run thousands of them: the check would take as
 * long as the command. */
static int lives_for_long(void)
{
    static const char *const words[] = { "run", "supervise" };
    char text[4096] = "";
    FILE *file = fopen("/proc/self/cmdline", "r");
    size_t length = file != NULL ? fread(text, 1, sizeof text - 1, file) : 0;

    if (file != NULL)
        (void)fclose(file);
    for (const char *word = text; word < text + length; word += strlen(word) + 1)
        for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
            if (strcmp(word, words[i]) == 0)
                return 1;
    return 0;
}

/* The leak check traces its own process, which fails when somebody else (strace) does so already.
 */
static int is_traced(void)
{
    char line[256];
    FILE *status = fopen("/proc/self/status", "r");
    int traced = 0;

    while (status != NULL && fgets(line, sizeof line, status) != NULL)
        if (strncmp(line, "TracerPid:", 10) == 0 && strcmp(line, "TracerPid:\t0\n") != 0)
            traced = 1;
    if (status != NULL)
        (void)fclose(status);
    return traced;
}

int __lsan_is_turned_off(void);

int __lsan_is_turned_off(void)
{
    return !lives_for_long() || is_traced();
}
