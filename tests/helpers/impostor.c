#include "impostor.h"

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
    return impostor_act(mode, argc, argv);
}
