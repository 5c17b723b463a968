/* clocked FILE COMMAND [ARGUMENT...]: appends the time (CLOCK_MONOTONIC, ns) of its first
 * instruction to FILE and becomes the command. */
#define _POSIX_C_SOURCE 200809L

#include <stdio.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    struct timespec now;
    FILE *file;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    if (argc < 3)
        return 2;
    file = fopen(argv[1], "a");
    if (file == NULL ||
            fprintf(file, "%lld\n", (long long)now.tv_sec * 1000000000 + now.tv_nsec) < 0 ||
            fclose(file) != 0)
        return 1;
    execv(argv[2], argv + 2);
    return 127;
}
