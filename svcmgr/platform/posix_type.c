/* What a person types in a shell. */
#include "posix.h"
#include "str.h"

#include "banned.h"

#define WORDS_MAX 4

/* Those that each system has: findmnt(8), fuser(1), ss(8), ip(8); lsof(8), ifconfig(8). */
#if defined(__APPLE__)
#define SHOW_DISK      "df"
#define SHOW_USERS     "lsof"
#define SHOW_UNIX      "lsof"
#define SHOW_PORT      "lsof -nP -sTCP:LISTEN -iTCP:"
#define SHOW_ADDRESSES "ifconfig"
#else
#define SHOW_DISK      "findmnt", "--target"
#define SHOW_USERS     "fuser", "-v"
#define SHOW_UNIX      "ss", "-xlp", "src"
#define SHOW_PORT      "ss -ltnp sport = :"
#define SHOW_ADDRESSES "ip", "address"
#endif

/* The words before what it is about; the last of them is NULL. */
static const char *const commands[PLATFORM_TYPE_COUNT][WORDS_MAX] = {
    [PLATFORM_TYPE_MAKE_FOLDER] = { "mkdir", "-p" },
    [PLATFORM_TYPE_MAKE_PRIVATE] = { "chmod", "700" },
    [PLATFORM_TYPE_MAKE_EXECUTABLE] = { "chmod", "+x" },
    [PLATFORM_TYPE_SHOW_ROOM] = { "df", "-h" },
    [PLATFORM_TYPE_SHOW_DISK] = { SHOW_DISK },
    [PLATFORM_TYPE_SHOW_RIGHTS] = { "ls", "-ld" },
    [PLATFORM_TYPE_SHOW_USERS] = { SHOW_USERS },
    [PLATFORM_TYPE_SHOW_UNIX] = { SHOW_UNIX },
    [PLATFORM_TYPE_SHOW_ADDRESSES] = { SHOW_ADDRESSES },
    [PLATFORM_TYPE_REMOVE] = { "rm" },
    [PLATFORM_TYPE_REMOVE_FOLDER] = { "rm", "-r" },
};

/* Those that are more than a few words before a path. */
static const char *const prefixes[PLATFORM_TYPE_COUNT] = {
    [PLATFORM_TYPE_EDIT] = "${EDITOR:-vi} ",
    [PLATFORM_TYPE_END] = "kill ",
    [PLATFORM_TYPE_END_NOW] = "kill -KILL ",
    [PLATFORM_TYPE_CONTINUE] = "kill -CONT ",
    [PLATFORM_TYPE_SHOW_PORT] = SHOW_PORT,
};

void platform_command_line(char *ret_text, size_t size, const char *const *words)
{
    str_command_line(ret_text, size, words);
}

static void own(const char *path, char *ret_text, size_t size)
{
    const char *words[6];
    struct platform_user user;
    struct err err;
    char name[PLATFORM_USER_BYTES];
    size_t count = 0;

    if (platform_user_self(&user, &err) == 0)
        (void)str_copy(name, sizeof name, user.name);
    else
        (void)str_format(name, sizeof name, "%u", (unsigned)platform_uid());
    if (!platform_is_privileged())
        words[count++] = "sudo";
    words[count++] = "chown";
    words[count++] = "-R";
    words[count++] = name;
    words[count++] = path;
    words[count] = NULL;
    str_command_line(ret_text, size, words);
}

bool platform_type(enum platform_type what, const char *about, char *ret_text, size_t size)
{
    const char *words[WORDS_MAX + 1] = { about };
    char quoted[PLATFORM_PATH_BYTES + 8];
    size_t count = 0;

    if (what == PLATFORM_TYPE_OWN) {
        own(about, ret_text, size);
        return true;
    }
    if (prefixes[what] != NULL) {
        if (what == PLATFORM_TYPE_EDIT)
            str_command_line(quoted, sizeof quoted, words);
        (void)str_format(ret_text, size, "%s%s", prefixes[what],
                what == PLATFORM_TYPE_EDIT ? quoted : about);
        return true;
    }
    while (commands[what][count] != NULL) {
        words[count] = commands[what][count];
        count++;
    }
    words[count++] = about;
    words[count] = NULL;
    str_command_line(ret_text, size, words);
    return true;
}

const char *platform_with_more_rights(void)
{
    return "sudo ";
}
