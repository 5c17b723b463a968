#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "posix.h"
#include "str.h"

#include "banned.h"

#define LOOKUP_BYTES      4096 /* for one entry of the user or group database */
#define LOOKUP_TIMEOUT_MS 5000
#define LOOKUP_OUT_BYTES  65536

bool platform_is_privileged(void)
{
    return geteuid() == 0;
}

uint32_t platform_uid(void)
{
    return (uint32_t)geteuid();
}

/* Splits "a:b:c" in place; returns how many fields there are, at most max. */
static size_t split(char *line, char **ret_fields, size_t max)
{
    size_t count = 0;

    while (count < max) {
        char *colon = strchr(line, ':');

        ret_fields[count++] = line;
        if (colon == NULL)
            break;
        *colon = '\0';
        line = colon + 1;
    }
    return count;
}

static bool fill_user(struct platform_user *user, uint32_t uid, uint32_t gid, const char *name,
        const char *home, const char *shell)
{
    user->uid = uid;
    user->gid = gid;
    return str_copy(user->name, sizeof user->name, name) &&
            str_copy(user->home, sizeof user->home, home) &&
            str_copy(user->shell, sizeof user->shell, shell);
}

/* The C library of a static executable knows the files only; getent(1) knows the directory services
 * that nsswitch.conf(5) names as well. */
static bool ask_getent(const char *database, const char *key, struct buffer *out)
{
    static const char *const paths[] = { "/usr/bin/getent", "/bin/getent" };
    struct err err;
    int code;

    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        const char *words[] = { paths[i], database, key, NULL };

        if (!platform_is_executable(paths[i]))
            continue;
        out->length = 0;
        return platform_capture(words, LOOKUP_TIMEOUT_MS, LOOKUP_OUT_BYTES, out, &code, &err) ==
                0 &&
                code == 0 && out->length > 0;
    }
    return false;
}

static bool user_from_getent(const char *key, struct platform_user *ret_user)
{
    struct buffer out = { 0 };
    char *fields[7];
    uint64_t uid;
    uint64_t gid;
    bool found = false;

    if (ask_getent("passwd", key, &out)) {
        out.data[strcspn(out.data, "\n")] = '\0';
        found = split(out.data, fields, 7) == 7 && str_to_uint(fields[2], UINT32_MAX, &uid) &&
                str_to_uint(fields[3], UINT32_MAX, &gid) &&
                fill_user(ret_user, (uint32_t)uid, (uint32_t)gid, fields[0], fields[5], fields[6]);
    }
    buffer_free(&out);
    return found;
}

int platform_user_self(struct platform_user *ret_user, struct err *err)
{
    char space[LOOKUP_BYTES];
    struct passwd entry;
    struct passwd *found = NULL;
    char key[16];
    uint32_t uid = platform_uid();

    if (getpwuid_r(uid, &entry, space, sizeof space, &found) == 0 && found != NULL &&
            fill_user(ret_user, uid, (uint32_t)entry.pw_gid, entry.pw_name, entry.pw_dir,
                    entry.pw_shell))
        return 0;
    (void)str_format(key, sizeof key, "%u", uid);
    if (user_from_getent(key, ret_user))
        return 0;
    return err_set(err, ERR_DENIED, 0, "the user database has no entry for uid %u", uid);
}

int platform_user_by_name(const char *name, struct platform_user *ret_user, struct err *err)
{
    char space[LOOKUP_BYTES];
    struct passwd entry;
    struct passwd *found = NULL;

    if (getpwnam_r(name, &entry, space, sizeof space, &found) == 0 && found != NULL &&
            fill_user(ret_user, (uint32_t)entry.pw_uid, (uint32_t)entry.pw_gid, entry.pw_name,
                    entry.pw_dir, entry.pw_shell))
        return 0;
    if (user_from_getent(name, ret_user))
        return 0;
    return err_set(err, ERR_CONFIG, 0, "there is no user \"%s\" on this machine", name);
}

bool platform_user_name(uint32_t uid, char *ret_name, size_t size)
{
    char space[LOOKUP_BYTES];
    struct passwd entry;
    struct passwd *found = NULL;

    return getpwuid_r(uid, &entry, space, sizeof space, &found) == 0 && found != NULL &&
            str_copy(ret_name, size, entry.pw_name);
}

int platform_group_by_name(const char *name, uint32_t *ret_gid, struct err *err)
{
    char space[LOOKUP_BYTES * 4];
    struct group entry;
    struct group *found = NULL;
    struct buffer out = { 0 };
    char *fields[3];
    uint64_t gid;
    int result = 0;

    if (getgrnam_r(name, &entry, space, sizeof space, &found) == 0 && found != NULL) {
        *ret_gid = (uint32_t)entry.gr_gid;
        return 0;
    }
    if (ask_getent("group", name, &out) && split(out.data, fields, 3) == 3 &&
            str_to_uint(fields[2], UINT32_MAX, &gid))
        *ret_gid = (uint32_t)gid;
    else
        result = err_set(err, ERR_CONFIG, 0, "there is no group \"%s\" on this machine", name);
    buffer_free(&out);
    return result;
}

static bool add_group(uint32_t group, uint32_t *groups, size_t *count)
{
    for (size_t i = 0; i < *count; i++)
        if (groups[i] == group)
            return true;
    if (*count == PLATFORM_GROUPS_MAX)
        return false;
    groups[(*count)++] = group;
    return true;
}

/* id(1) prints what every database says; the file alone is the answer where there is no id. */
static bool groups_from_id(const char *name, uint32_t *groups, size_t *count)
{
    const char *words[] = { "/usr/bin/id", "-G", name, NULL };
    struct buffer out = { 0 };
    struct err err;
    int code;
    bool good = platform_is_executable(words[0]) &&
            platform_capture(words, LOOKUP_TIMEOUT_MS, LOOKUP_OUT_BYTES, &out, &code, &err) == 0 &&
            code == 0 && out.length > 0;

    for (char *word = good ? out.data : NULL; word != NULL && *word != '\0';) {
        size_t length = strcspn(word, " \n");
        char *next = word[length] == '\0' ? word + length : word + length + 1;
        uint64_t group;

        word[length] = '\0';
        if (length > 0 && str_to_uint(word, UINT32_MAX, &group))
            good = add_group((uint32_t)group, groups, count) && good;
        word = next;
    }
    buffer_free(&out);
    return good;
}

static void groups_from_file(const char *name, uint32_t *groups, size_t *count)
{
    struct group *entry;

    setgrent();
    while ((entry = getgrent()) != NULL)
        for (char **member = entry->gr_mem; *member != NULL; member++)
            if (strcmp(*member, name) == 0)
                (void)add_group((uint32_t)entry->gr_gid, groups, count);
    endgrent();
}

int platform_user_groups(const struct platform_user *user, uint32_t gid, uint32_t *ret_groups,
        size_t *ret_count, struct err *err)
{
    size_t count = 0;

    (void)err;
    (void)add_group(gid, ret_groups, &count);
    if (!groups_from_id(user->name, ret_groups, &count))
        groups_from_file(user->name, ret_groups, &count);
    *ret_count = count;
    return 0;
}

void platform_default_directories(bool system_scope, const struct platform_user *user,
        char *ret_config, char *ret_state, size_t size)
{
    struct platform_file home;

    if (system_scope) {
        (void)str_copy(ret_config, size, posix_places.system_config);
        (void)str_copy(ret_state, size, posix_places.system_state);
        return;
    }
    if (user->home[0] != '/' || !platform_stat_target(user->home, &home) || !home.is_directory ||
            !str_format(ret_config, size, "%s%s", user->home, posix_places.user_config) ||
            !str_format(ret_state, size, "%s%s", user->home, posix_places.user_state)) {
        ret_config[0] = '\0';
        ret_state[0] = '\0';
    }
}

bool platform_host_name(char *ret_name, size_t size)
{
    if (gethostname(ret_name, size) == -1)
        return false;
    ret_name[size - 1] = '\0';
    /* It becomes the name of a directory. */
    return ret_name[0] != '\0' && ret_name[0] != '.' && strchr(ret_name, '/') == NULL;
}
