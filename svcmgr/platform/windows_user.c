/* Users, and the places that are theirs. */
#include "windows_parts.h"

#include <knownfolders.h>
#include <sddl.h>
#include <shlobj.h>
#include <stdlib.h>
#include <string.h>
#include <userenv.h>

#include "str.h"

#include "banned.h"

#define NAME_CHARS PLATFORM_USER_BYTES
#define PROFILES   L"SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion\\ProfileList\\"
#define KEY_CHARS  256

static bool fill_shell(struct platform_user *user)
{
    WCHAR path[MAX_PATH];
    char folder[PLATFORM_USER_BYTES];
    UINT length = GetSystemDirectoryW(path, MAX_PATH);

    return length > 0 && length < MAX_PATH && windows_from_path(path, folder, sizeof folder) &&
            str_format(user->shell, sizeof user->shell, "%s/cmd.exe", folder);
}

/* The primary group of the token; few things on Windows ask for it. */
static uint32_t own_group(void)
{
    union {
        TOKEN_PRIMARY_GROUP group;
        BYTE bytes[sizeof(TOKEN_PRIMARY_GROUP) + SECURITY_MAX_SID_SIZE];
    } info;
    DWORD length;

    return GetTokenInformation(
                   GetCurrentProcessToken(), TokenPrimaryGroup, &info, sizeof info, &length)
            ? windows_uid_of(info.group.PrimaryGroup)
            : 0;
}

static bool own_home(char *ret_home, size_t size)
{
    WCHAR path[PLATFORM_HOME_BYTES];
    DWORD count = PLATFORM_HOME_BYTES;
    HANDLE token;
    bool found;

    /* A pseudo-handle of the token will not do here. */
    if (!OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &token))
        return false;
    found = GetUserProfileDirectoryW(token, path, &count) &&
            windows_from_path(path, ret_home, size);
    (void)CloseHandle(token);
    return found;
}

int platform_user_self(struct platform_user *ret_user, struct err *err)
{
    struct platform_user user = { 0 };

    if (!windows_token_user(GetCurrentProcessToken(), &user.uid, user.name, sizeof user.name) ||
            user.name[0] == '\0')
        return err_set(err, ERR_DENIED, (long)GetLastError(),
                "the user database has no entry for this process's user: %s",
                platform_error_text((long)GetLastError()));
    user.gid = own_group();
    /* An account that never logged on has no home; it is missed where one is needed. */
    if (!own_home(user.home, sizeof user.home))
        user.home[0] = '\0';
    if (!fill_shell(&user))
        user.shell[0] = '\0';
    *ret_user = user;
    return 0;
}

/* Where an account's profile is, by the list that the system keeps of them. */
static bool profile_of(PSID sid, char *ret_home, size_t size)
{
    WCHAR key[KEY_CHARS] = PROFILES;
    WCHAR path[PLATFORM_HOME_BYTES];
    size_t start = sizeof PROFILES / sizeof(WCHAR) - 1;
    DWORD bytes = sizeof path;
    LPWSTR text;
    bool found;

    if (!ConvertSidToStringSidW(sid, &text))
        return false;
    found = start + wcslen(text) < KEY_CHARS;
    if (found)
        memcpy(key + start, text, (wcslen(text) + 1) * sizeof(WCHAR));
    (void)LocalFree(text);
    /* RRF_RT_REG_SZ expands a REG_EXPAND_SZ such as %SystemDrive%\Users\x. */
    return found &&
            RegGetValueW(HKEY_LOCAL_MACHINE, key, L"ProfileImagePath", RRF_RT_REG_SZ, NULL, path,
                    &bytes) == ERROR_SUCCESS &&
            windows_from_path(path, ret_home, size);
}

/* Looks an account up; false if there is none of that name and kind. */
static bool look_up(const char *name, bool is_group, BYTE ret_sid[SECURITY_MAX_SID_SIZE])
{
    WCHAR wide[NAME_CHARS];
    WCHAR domain[NAME_CHARS];
    DWORD bytes = SECURITY_MAX_SID_SIZE;
    DWORD domain_count = NAME_CHARS;
    SID_NAME_USE use;

    if (str_equal_nocase(name, "LocalSystem")) /* the manager of services alone calls it so */
        name = "SYSTEM";
    if (!windows_to_wide(name, wide, NAME_CHARS) ||
            !LookupAccountNameW(NULL, wide, ret_sid, &bytes, domain, &domain_count, &use))
        return false;
    if (is_group)
        return use == SidTypeGroup || use == SidTypeAlias || use == SidTypeWellKnownGroup;
    /* SYSTEM and the service accounts are well known "groups". */
    return use == SidTypeUser || use == SidTypeWellKnownGroup;
}

int platform_user_by_name(const char *name, struct platform_user *ret_user, struct err *err)
{
    BYTE sid[SECURITY_MAX_SID_SIZE];
    struct platform_user user = { 0 };

    if (name[0] == '\0' || !look_up(name, false, sid) ||
            !str_copy(user.name, sizeof user.name, name))
        return err_set(err, ERR_CONFIG, 0, "there is no user \"%s\" on this machine", name);
    user.uid = windows_uid_of(sid);
    user.gid = user.uid;
    if (!profile_of(sid, user.home, sizeof user.home) &&
            (user.uid != platform_uid() || !own_home(user.home, sizeof user.home)))
        user.home[0] = '\0';
    if (!fill_shell(&user))
        user.shell[0] = '\0';
    *ret_user = user;
    return 0;
}

int platform_group_by_name(const char *name, uint32_t *ret_gid, struct err *err)
{
    BYTE sid[SECURITY_MAX_SID_SIZE];

    if (name[0] == '\0' || !look_up(name, true, sid))
        return err_set(err, ERR_CONFIG, 0, "there is no group \"%s\" on this machine", name);
    *ret_gid = windows_uid_of(sid);
    return 0;
}

/* A process gets the groups of its user with the token, and no others can be given to it. */
int platform_user_groups(const struct platform_user *user, uint32_t gid, uint32_t *ret_groups,
        size_t *ret_count, struct err *err)
{
    (void)user;
    (void)err;
    ret_groups[0] = gid;
    *ret_count = 1;
    return 0;
}

/* Programs on Windows do not look at LANG. */
void platform_system_language(char *ret_text, size_t size)
{
    if (size > 0)
        ret_text[0] = '\0';
}

/* ---- Places ---------------------------------------------------------------------------------- */

static bool known_folder(const KNOWNFOLDERID *id, char *ret_path, size_t size)
{
    WCHAR *path = NULL;
    bool found = SHGetKnownFolderPath(id, 0, NULL, &path) == S_OK &&
            windows_from_path(path, ret_path, size);

    CoTaskMemFree(path);
    return found;
}

void platform_default_directories(bool system_scope, const struct platform_user *user,
        char *ret_config, char *ret_state, size_t size)
{
    char place[PLATFORM_PATH_BYTES];
    struct platform_file there;
    bool found;

    /* By the registry, as these calls have it, and not by variables of whoever started us. */
    if (system_scope)
        found = known_folder(&FOLDERID_ProgramData, place, sizeof place);
    else if (user->uid == platform_uid())
        found = known_folder(&FOLDERID_LocalAppData, place, sizeof place);
    else
        found = user->home[0] != '\0' &&
                str_format(place, sizeof place, "%s/AppData/Local", user->home);
    if (!found || !platform_stat_target(place, &there) || !there.is_directory ||
            !str_format(ret_config, size, "%s/svcmgr/services", place) ||
            !str_format(ret_state, size, "%s/svcmgr/state", place)) {
        ret_config[0] = '\0';
        ret_state[0] = '\0';
    }
}

bool platform_host_name(char *ret_name, size_t size)
{
    WCHAR name[MAX_PATH];
    DWORD count = MAX_PATH;

    /* It becomes the name of a directory. */
    return GetComputerNameExW(ComputerNameDnsHostname, name, &count) &&
            windows_from_wide(name, ret_name, size) && ret_name[0] != '\0' && ret_name[0] != '.' &&
            strpbrk(ret_name, "/\\:") == NULL;
}

bool platform_working_directory(char *ret_path, size_t size)
{
    WCHAR path[WINDOWS_PATH_COUNT];
    DWORD length = GetCurrentDirectoryW(WINDOWS_PATH_COUNT, path);

    return length > 0 && length < WINDOWS_PATH_COUNT && windows_from_path(path, ret_path, size);
}

/* What was asked for once is kept: getenv(3) gives a pointer that stays good, too. */
struct variable {
    struct variable *next;
    char *value;
    char name[];
};

static const char *keep(const char *name, char *value)
{
    static struct variable *first;
    struct variable *at = first;

    while (at != NULL && strcmp(at->name, name) != 0)
        at = at->next;
    if (at == NULL) {
        at = calloc(1, sizeof *at + strlen(name) + 1);
        if (at == NULL) {
            free(value);
            return NULL;
        }
        memcpy(at->name, name, strlen(name) + 1);
        at->next = first;
        first = at;
    }
    if (at->value != NULL && strcmp(at->value, value) == 0)
        free(value);
    else
        at->value = value;
    return at->value;
}

const char *platform_environment(const char *name)
{
    WCHAR wide[KEY_CHARS];
    WCHAR *value = NULL;
    char *text = NULL;
    DWORD count;
    size_t size;

    if (!windows_to_wide(name, wide, KEY_CHARS))
        return NULL;
    count = GetEnvironmentVariableW(wide, NULL, 0);
    if (count == 0)
        return NULL;
    size = (size_t)count * 3; /* bytes of UTF-8 for one unit of UTF-16, at most */
    value = calloc(count, sizeof *value);
    text = malloc(size);
    if (value == NULL || text == NULL || GetEnvironmentVariableW(wide, value, count) >= count ||
            !windows_from_wide(value, text, size)) {
        free(text);
        text = NULL;
    }
    free(value);
    return text != NULL ? keep(name, text) : NULL;
}
