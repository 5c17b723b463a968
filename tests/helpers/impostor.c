/* A program in svcmgr's place that says what a new version would say of itself, and then does not
 * take over: what it does instead is the first word in the file "mode" beside it. */
#define _POSIX_C_SOURCE 200809L

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void read_mode(char *ret_mode, size_t size)
{
    char path[PATH_MAX + 8];
    ssize_t length = readlink("/proc/self/exe", path, PATH_MAX);
    char *slash;
    FILE *file;

    ret_mode[0] = '\0';
    if (length <= 0)
        return;
    path[length] = '\0';
    slash = strrchr(path, '/');
    if (slash == NULL)
        return;
    memcpy(slash + 1, "mode", sizeof "mode");
    file = fopen(path, "r");
    if (file == NULL)
        return;
    if (fgets(ret_mode, (int)size, file) == NULL)
        ret_mode[0] = '\0';
    ret_mode[strcspn(ret_mode, "\n")] = '\0';
    (void)fclose(file);
}

static int checks_itself(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "self-check") == 0)
            return 1;
    return 0;
}

int main(int argc, char **argv)
{
    char mode[64];

    read_mode(mode, sizeof mode);
    if (checks_itself(argc, argv) && strncmp(mode, "check-", 6) != 0) {
        (void)puts("svcmgr 9.9.9");
        return 0;
    }
    if (strcmp(mode, "check-fails") == 0) {
        (void)puts("the record is of an unknown kind");
        return 1;
    }
    if (strcmp(mode, "check-lies") == 0) {
        (void)puts("hello");
        return 0;
    }
    if (strcmp(mode, "crash") == 0)
        abort();
    if (strcmp(mode, "exit") == 0)
        return 7;
    for (;;)
        (void)pause();
}
