#define _POSIX_C_SOURCE 200809L

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "impostor.h"

FILE *impostor_open_mode(void)
{
    char path[PATH_MAX + 8];
    ssize_t length = readlink("/proc/self/exe", path, PATH_MAX);
    char *slash;

    if (length <= 0)
        return NULL;
    path[length] = '\0';
    slash = strrchr(path, '/');
    if (slash == NULL)
        return NULL;
    memcpy(slash + 1, "mode", sizeof "mode");
    return fopen(path, "r");
}

int impostor_act(const char *mode, int argc, char **argv)
{
    (void)argc;
    (void)argv;
    if (strcmp(mode, "crash") == 0)
        abort();
    if (strcmp(mode, "exit") == 0)
        return 7;
    for (;;)
        (void)pause();
}
