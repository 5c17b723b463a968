#define _POSIX_C_SOURCE 200809L

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "impostor.h"

#define CANNOT         9
#define NAME_MAX_BYTES 8 /* of a file beside us */

/* The path of a file beside us; with NULL, our own. */
static const char *find(const char *name)
{
    static char path[PATH_MAX + NAME_MAX_BYTES];
    ssize_t length = readlink("/proc/self/exe", path, PATH_MAX);
    char *slash;

    if (length <= 0)
        exit(CANNOT);
    path[length] = '\0';
    slash = strrchr(path, '/');
    if (slash == NULL)
        exit(CANNOT);
    if (name != NULL)
        (void)snprintf(slash + 1, NAME_MAX_BYTES, "%s", name);
    return path;
}

FILE *impostor_open_mode(void)
{
    return fopen(find("mode"), "r");
}

_Noreturn void impostor_crash(void)
{
    abort();
}

static _Noreturn void hang(void)
{
    for (;;)
        (void)pause();
}

_Noreturn void impostor_hang_with_child(void)
{
    if (fork() == -1)
        exit(CANNOT);
    hang();
}

void impostor_change(void)
{
    char own[PATH_MAX + NAME_MAX_BYTES];

    (void)snprintf(own, sizeof own, "%s", find(NULL));
    if (rename(find("other"), own) == -1)
        exit(CANNOT);
}

int impostor_act(const char *mode, int argc, char **argv)
{
    (void)argc;
    (void)argv;
    if (strcmp(mode, "crash") == 0)
        impostor_crash();
    if (strcmp(mode, "exit") == 0)
        return 7;
    hang();
}
