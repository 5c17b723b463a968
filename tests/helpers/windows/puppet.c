#include "misbehave.h"

#include <stdlib.h>
#include <string.h>

#include <winsock2.h>

#include <windows.h>

/* A child that does what a test tells it while it runs (tests/e2e/windows_puppet.py is the other
 * end).  A connection brings one line, PID ORDER [HEX [HEX]], and is answered with a number; a line
 * for another pid, whose port this was, is not. */

#define LINE_MAX_BYTES 65536
#define WORDS_MAX      4

static char where[64]; /* what the file holds: the port and our pid */

static void put_where(FILE *file)
{
    fputs(where, file);
}

static SOCKET listen_somewhere(const char *path)
{
    struct sockaddr_in at = { .sin_family = AF_INET };
    SOCKET made = socket(AF_INET, SOCK_STREAM, 0);
    int length = sizeof at;

    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (made == INVALID_SOCKET || bind(made, (const struct sockaddr *)&at, sizeof at) != 0 ||
            listen(made, SOMAXCONN) != 0 ||
            getsockname(made, (struct sockaddr *)&at, &length) != 0 ||
            !SetHandleInformation((HANDLE)made, HANDLE_FLAG_INHERIT, 0))
        fail("puppet", "cannot listen");
    snprintf(where, sizeof where, "%u %lu\n", (unsigned)ntohs(at.sin_port),
            (unsigned long)GetCurrentProcessId());
    write_whole(path, put_where);
    return made;
}

/* ---- Orders ---------------------------------------------------------------------------------- */

/* In place. */
static void from_hex(char *text)
{
    char pair[3] = "";
    size_t length = strlen(text) / 2;

    for (size_t i = 0; i < length; i++) {
        memcpy(pair, text + 2 * i, 2);
        text[i] = (char)strtol(pair, NULL, 16);
    }
    text[length] = '\0';
}

/* Its output goes to the file. */
static HANDLE begin(char *line, const char *output)
{
    SECURITY_ATTRIBUTES inherited = { .nLength = sizeof inherited, .bInheritHandle = TRUE };
    HANDLE file = CreateFileA(output, FILE_APPEND_DATA,
            FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, &inherited, OPEN_ALWAYS, 0,
            NULL);
    STARTUPINFOA info = {
        .cb = sizeof info, .dwFlags = STARTF_USESTDHANDLES, .hStdOutput = file, .hStdError = file
    };
    PROCESS_INFORMATION made;

    if (file == INVALID_HANDLE_VALUE ||
            !CreateProcessA(NULL, line, NULL, NULL, TRUE, 0, NULL, NULL, &info, &made))
        fail(line, "cannot be started");
    (void)CloseHandle(file);
    (void)CloseHandle(made.hThread);
    return made.hProcess;
}

static DWORD run(char *line, const char *output)
{
    HANDLE process = begin(line, output);
    DWORD code = 0;

    (void)WaitForSingleObject(process, INFINITE);
    (void)GetExitCodeProcess(process, &code);
    (void)CloseHandle(process);
    return code;
}

/* Returns what is to be answered. */
static DWORD obey(char **words, int count)
{
    const char *order = words[0];

    for (int i = 1; i < count; i++)
        from_hex(words[i]);
    if (strcmp(order, "report") == 0 && count == 2)
        word_report(words + 1);
    else if (strcmp(order, "run") == 0 && count == 3)
        return run(words[1], words[2]);
    else if (strcmp(order, "begin") == 0 && count == 3)
        (void)CloseHandle(begin(words[1], words[2]));
    else if (strcmp(order, "say") == 0 && count == 3)
        output_write((int)script_number(words[1], 2), words[2], strlen(words[2]));
    else if (strcmp(order, "ready") == 0 && count == 1)
        say_ready();
    else if (strcmp(order, "hello") != 0 && (strcmp(order, "exit") != 0 || count != 2))
        fail(order, "is not an order");
    return 0;
}

/* ---- Connections ----------------------------------------------------------------------------- */

static bool read_line(SOCKET from, char *line)
{
    int used = 0;

    while (used < LINE_MAX_BYTES - 1) {
        int got = recv(from, line + used, LINE_MAX_BYTES - 1 - used, 0);

        if (got <= 0)
            return false;
        used += got;
        line[used] = '\0';
        if (line[used - 1] == '\n')
            return true;
    }
    return false;
}

static int split(char *line, char **words)
{
    int count = 0;

    for (char *at = strtok(line, " \n"); at != NULL && count < WORDS_MAX; at = strtok(NULL, " \n"))
        words[count++] = at;
    return count;
}

static void attend(SOCKET visitor)
{
    static char line[LINE_MAX_BYTES];
    char *words[WORDS_MAX];
    char answer[16];
    int count, length;

    if (!read_line(visitor, line))
        return;
    count = split(line, words);
    if (count < 2 || strtoul(words[0], NULL, 10) != GetCurrentProcessId())
        return;
    length = snprintf(answer, sizeof answer, "%lu\n", (unsigned long)obey(words + 1, count - 1));
    (void)send(visitor, answer, length, 0);
    if (strcmp(words[1], "exit") == 0)
        ExitProcess((UINT)script_number(words[2], 255));
}

void word_puppet(char **arguments)
{
    SOCKET listener = listen_somewhere(arguments[0]);

    for (;;) {
        SOCKET visitor = accept(listener, NULL, NULL);

        if (visitor == INVALID_SOCKET)
            continue;
        attend(visitor);
        (void)closesocket(visitor);
    }
}
