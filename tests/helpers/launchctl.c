/* launchctl of launchd's stand-in: launchd.py beside this file, which does all of the work.
 *
 *     FOLDER/launchctl VERB [WORD...]
 *
 * Sends its words, each with a NUL behind it, to FOLDER/socket; what comes back is the exit code in
 * digits, a line's end, and what to print. */
#define _POSIX_C_SOURCE 200809L

#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define NOT_THERE 64

static int connect_to(char *program)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    if (fd == -1 || chdir(dirname(program)) == -1)
        return -1;
    strcpy(address.sun_path, "socket");
    return connect(fd, (const struct sockaddr *)&address, sizeof address) == -1 ? -1 : fd;
}

int main(int argc, char **argv)
{
    int fd = connect_to(argv[0]);
    FILE *stream = fd == -1 ? NULL : fdopen(fd, "r");
    int code = 0;
    int c;

    if (stream == NULL) {
        perror("launchctl");
        return NOT_THERE;
    }
    for (int i = 1; i < argc; i++)
        if (write(fd, argv[i], strlen(argv[i]) + 1) == -1)
            return NOT_THERE;
    (void)shutdown(fd, SHUT_WR);
    while ((c = getc(stream)) >= '0' && c <= '9')
        code = code * 10 + (c - '0');
    if (c != '\n')
        return NOT_THERE;
    while ((c = getc(stream)) != EOF)
        putc(c, code == 0 ? stdout : stderr);
    return code;
}
