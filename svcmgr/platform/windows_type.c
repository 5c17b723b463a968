/* What a person types at a prompt of cmd.exe. */
#include <stdlib.h>
#include <string.h>

#include "str.h"
#include "windows_parts.h"

#include "banned.h"

#define PATH_MARK "<>" /* where a command has the path, in quotes */

/* NULL: there is nothing to type. */
static const char *const commands[PLATFORM_TYPE_COUNT] = {
    [PLATFORM_TYPE_EDIT] = "notepad <>",
    [PLATFORM_TYPE_MAKE_FOLDER] = "mkdir <>",
    /* Nobody but who types it, and nothing from the folder above. */
    [PLATFORM_TYPE_MAKE_PRIVATE] = "icacls <> /inheritance:r /grant:r \"%USERNAME%:(OI)(CI)F\"",
    [PLATFORM_TYPE_OWN] = "takeown /F <> /R /D Y",
    [PLATFORM_TYPE_SHOW_ROOM] = "dir <>",
    [PLATFORM_TYPE_SHOW_DISK] = "dir <>",
    [PLATFORM_TYPE_SHOW_RIGHTS] = "icacls <>",
    [PLATFORM_TYPE_SHOW_USERS] = "tasklist /FI \"IMAGENAME eq svcmgr.exe\"",
    [PLATFORM_TYPE_SHOW_ADDRESSES] = "ipconfig",
    [PLATFORM_TYPE_REMOVE] = "del <>",
    [PLATFORM_TYPE_REMOVE_FOLDER] = "rmdir /S <>",
};

void platform_command_line(char *ret_text, size_t size, const char *const *words)
{
    WCHAR *line = windows_join_words(words);

    if (line == NULL || !windows_from_wide(line, ret_text, size))
        (void)str_copy(ret_text, size, "...");
    free(line);
    str_make_printable(ret_text);
}

/* taskkill wants each pid with an option of its own.  Without /F it asks windows to close, and
 * refuses to end what has none, as most servers: "This process can only be terminated forcefully".
 */
static void end(const char *pids, char *ret_text, size_t size)
{
    size_t at;

    (void)str_copy(ret_text, size, "taskkill /F");
    while (*pids != '\0') {
        size_t length = strcspn(pids, " ");

        at = strlen(ret_text);
        (void)str_format(ret_text + at, size - at, " /PID %.*s", (int)length, pids);
        pids += length + strspn(pids + length, " ");
    }
}

bool platform_type(enum platform_type what, const char *about, char *ret_text, size_t size)
{
    const char *command = commands[what];
    const char *mark;
    char path[PLATFORM_PATH_BYTES];

    if (what == PLATFORM_TYPE_END || what == PLATFORM_TYPE_END_NOW) {
        end(about, ret_text, size);
        return true;
    }
    if (what == PLATFORM_TYPE_SHOW_PORT)
        return str_format(ret_text, size, "netstat -ano | findstr :%s", about);
    if (command == NULL)
        return false;
    mark = strstr(command, PATH_MARK);
    if (mark == NULL)
        return str_copy(ret_text, size, command);
    (void)str_format(path, sizeof path, "%s", about);
    for (char *c = path; *c != '\0'; c++) /* what begins with '/' is an option there */
        if (*c == '/')
            *c = '\\';
    (void)str_format(ret_text, size, "%.*s\"%s\"%s", (int)(mark - command), command, path,
            mark + strlen(PATH_MARK));
    str_make_printable(ret_text);
    return true;
}

/* A prompt is started with them, or not. */
const char *platform_with_more_rights(void)
{
    return "";
}
