#include "impostor.h"

#include <stdbool.h>
#include <string.h>

static void read_mode(char *ret_mode, int size)
{
    FILE *file = impostor_open_mode();

    ret_mode[0] = '\0';
    if (file == NULL)
        return;
    if (fgets(ret_mode, size, file) == NULL)
        ret_mode[0] = '\0';
    ret_mode[strcspn(ret_mode, "\n")] = '\0';
    (void)fclose(file);
}

static bool checks_itself(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "self-check") == 0)
            return true;
    return false;
}

/* Of the self-check; returns the exit status. */
static int act_in_check(const char *mode)
{
    if (strcmp(mode, "check-fails") == 0) {
        (void)puts("the record is of an unknown kind");
        return 1;
    }
    if (strcmp(mode, "check-knows-no-option") == 0) {
        (void)fputs("no such option\n", stderr);
        return 2;
    }
    if (strcmp(mode, "check-says-nothing") == 0)
        return 0;
    if (strcmp(mode, "check-lies") == 0) {
        (void)puts("hello");
        return 0;
    }
    if (strcmp(mode, "check-crashes") == 0)
        impostor_crash();
    if (strcmp(mode, "check-hangs") == 0)
        impostor_hang_with_child();
    if (strcmp(mode, "check-changes") == 0)
        impostor_change();
    (void)puts("svcmgr 9.9.9");
    return 0;
}

int main(int argc, char **argv)
{
    char mode[64];

    read_mode(mode, sizeof mode);
    return checks_itself(argc, argv) ? act_in_check(mode) : impostor_act(mode, argc, argv);
}
