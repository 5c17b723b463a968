/* Who may do what: security descriptors, and the files that are for one user alone. */
#include "windows_parts.h"

#include <aclapi.h>
#include <sddl.h>
#include <string.h>

#include "str.h"

#include "banned.h"

#define KNOWN_MAX   32
#define NAME_CHARS  PLATFORM_USER_BYTES
#define TOKEN_BYTES 512 /* a TOKEN_USER with its SID */

/* ---- Users as numbers ------------------------------------------------------------------------ */

/* Windows names a user by a SID, everything above the seam by a number.  It is a hash (FNV-1a), so
 * that it needs no table that processes share; the SIDs that were seen are kept for their names. */
static struct {
    uint32_t uid;
    BYTE sid[SECURITY_MAX_SID_SIZE];
} known[KNOWN_MAX];
static size_t known_count;

uint32_t windows_uid_of(PSID sid)
{
    const BYTE *bytes = sid;
    DWORD length = GetLengthSid(sid);
    uint32_t uid = 2166136261u;

    for (DWORD i = 0; i < length; i++)
        uid = (uid ^ bytes[i]) * 16777619u;
    if (uid == 0)
        uid = 1;
    for (size_t i = 0; i < known_count; i++)
        if (known[i].uid == uid)
            return uid;
    if (known_count < KNOWN_MAX && CopySid(sizeof known[0].sid, known[known_count].sid, sid))
        known[known_count++].uid = uid;
    return uid;
}

static bool name_of(PSID sid, char *ret_name, size_t size)
{
    WCHAR name[NAME_CHARS];
    WCHAR domain[NAME_CHARS];
    DWORD name_count = NAME_CHARS;
    DWORD domain_count = NAME_CHARS;
    SID_NAME_USE use;

    return LookupAccountSidW(NULL, sid, name, &name_count, domain, &domain_count, &use) &&
            windows_from_wide(name, ret_name, size);
}

bool platform_user_name(uint32_t uid, char *ret_name, size_t size)
{
    (void)windows_uid_of(windows_own_sid());
    for (size_t i = 0; i < known_count; i++)
        if (known[i].uid == uid)
            return name_of(known[i].sid, ret_name, size);
    return false;
}

bool windows_token_user(HANDLE token, uint32_t *ret_uid, char *ret_name, size_t size)
{
    union {
        TOKEN_USER user;
        BYTE bytes[TOKEN_BYTES];
    } info;
    DWORD length;

    if (!GetTokenInformation(token, TokenUser, &info, sizeof info, &length))
        return false;
    *ret_uid = windows_uid_of(info.user.User.Sid);
    if (!name_of(info.user.User.Sid, ret_name, size))
        ret_name[0] = '\0';
    return true;
}

PSID windows_own_sid(void)
{
    static union {
        TOKEN_USER user;
        BYTE bytes[TOKEN_BYTES];
    } info;
    DWORD length;

    if (info.user.User.Sid == NULL &&
            !GetTokenInformation(GetCurrentProcessToken(), TokenUser, &info, sizeof info, &length))
        info.user.User.Sid = NULL;
    return info.user.User.Sid;
}

uint32_t platform_uid(void)
{
    return windows_uid_of(windows_own_sid());
}

/* SYSTEM and whoever runs elevated: the group of administrators counts in their token. */
bool platform_is_privileged(void)
{
    static int known_answer = -1;
    BYTE sid[SECURITY_MAX_SID_SIZE];
    DWORD size = sizeof sid;
    BOOL member = FALSE;

    if (known_answer == -1)
        known_answer = CreateWellKnownSid(WinBuiltinAdministratorsSid, NULL, sid, &size) &&
                CheckTokenMembership(NULL, sid, &member) && member;
    return known_answer == 1;
}

/* ---- Descriptors ----------------------------------------------------------------------------- */

/* The entries of the services that the directory above 'path' was granted to. */
static void find_services(const WCHAR *path, const char *inherit, char *ret_text, size_t size)
{
    WCHAR above[WINDOWS_PATH_COUNT];
    const WCHAR *last = path != NULL ? wcsrchr(path, L'\\') : NULL;
    PSECURITY_DESCRIPTOR descriptor;
    PACL list;

    ret_text[0] = '\0';
    if (last == NULL || last - path >= WINDOWS_PATH_COUNT)
        return;
    memcpy(above, path, (size_t)(last - path) * sizeof *path);
    above[last - path] = L'\0';
    if (GetNamedSecurityInfoW(above, SE_FILE_OBJECT, DACL_SECURITY_INFORMATION, NULL, NULL, &list,
                NULL, &descriptor) != ERROR_SUCCESS)
        return;
    windows_service_entries(list, inherit, ret_text, size);
    (void)LocalFree(descriptor);
}

PSECURITY_DESCRIPTOR windows_make_private(const WCHAR *path, bool is_directory, bool readable)
{
    const char *inherit = is_directory ? "OICI" : "";
    PSECURITY_DESCRIPTOR descriptor = NULL;
    char text[WINDOWS_SDDL_CHARS];
    WCHAR wide[WINDOWS_SDDL_CHARS];
    char own[WINDOWS_SDDL_CHARS / 2];
    char services[WINDOWS_SDDL_CHARS / 2];
    char read[32] = "";
    LPWSTR sid;
    bool good;

    if (!ConvertSidToStringSidW(windows_own_sid(), &sid))
        return NULL;
    good = windows_from_wide(sid, own, sizeof own);
    (void)LocalFree(sid);
    find_services(path, inherit, services, sizeof services);
    if (readable)
        (void)str_format(read, sizeof read, "(A;%s;0x1200a9;;;BU)", inherit);
    /* "P": nothing is inherited from the directory above.  What an elevated process makes is not
     * for the same user's other processes, which are not elevated. */
    if (good &&
            str_format(text, sizeof text, "D:P(A;%s;FA;;;SY)(A;%s;FA;;;BA)(A;%s;FA;;;%s)%s%s",
                    inherit, inherit, inherit, platform_is_privileged() ? "BA" : own, read,
                    services) &&
            windows_to_wide(text, wide, WINDOWS_SDDL_CHARS) &&
            ConvertStringSecurityDescriptorToSecurityDescriptorW(
                    wide, SDDL_REVISION_1, &descriptor, NULL))
        return descriptor;
    return NULL;
}

bool windows_is_ours(HANDLE handle)
{
    PSECURITY_DESCRIPTOR descriptor;
    PSID owner;
    bool ours;

    if (GetSecurityInfo(handle, SE_FILE_OBJECT, OWNER_SECURITY_INFORMATION, &owner, NULL, NULL,
                NULL, &descriptor) != ERROR_SUCCESS)
        return false;
    ours = owner != NULL && windows_is_our_owner(owner);
    (void)LocalFree(descriptor);
    return ours;
}

bool windows_others_can_write(HANDLE handle)
{
    PSECURITY_DESCRIPTOR descriptor;
    PSID owner;
    PACL list;
    bool others;

    if (GetSecurityInfo(handle, SE_FILE_OBJECT,
                OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION, &owner, NULL, &list, NULL,
                &descriptor) != ERROR_SUCCESS)
        return true;
    others = owner == NULL || windows_lets_others_change(list, owner);
    (void)LocalFree(descriptor);
    return others;
}

/* ---- Files for one user alone ---------------------------------------------------------------- */

static int make_path(
        const char *directory, const char *name, char path[PLATFORM_PATH_BYTES], struct err *err)
{
    if (!str_format(path, PLATFORM_PATH_BYTES, "%s/%s", directory, name))
        return err_set(err, ERR_FAILED, 0, "the path %s/%s is too long", directory, name);
    return 0;
}

int platform_write_private(
        const char *directory, const char *name, const char *data, size_t length, struct err *err)
{
    char path[PLATFORM_PATH_BYTES];

    if (make_path(directory, name, path, err) == -1)
        return -1;
    return platform_replace_file(path, data, length, 0600, err);
}

static bool have_same_owner(HANDLE a, HANDLE b)
{
    PSECURITY_DESCRIPTOR one = NULL;
    PSECURITY_DESCRIPTOR other = NULL;
    PSID owner;
    PSID other_owner;
    bool same = GetSecurityInfo(a, SE_FILE_OBJECT, OWNER_SECURITY_INFORMATION, &owner, NULL, NULL,
                        NULL, &one) == ERROR_SUCCESS &&
            GetSecurityInfo(b, SE_FILE_OBJECT, OWNER_SECURITY_INFORMATION, &other_owner, NULL, NULL,
                    NULL, &other) == ERROR_SUCCESS &&
            owner != NULL && other_owner != NULL && EqualSid(owner, other_owner);

    (void)LocalFree(one);
    (void)LocalFree(other);
    return same;
}

/* A regular file of ours, or of any user's when we are privileged, that nobody else could have put
 * or written there. */
static bool is_private(HANDLE handle, HANDLE directory)
{
    DWORD attributes;
    DWORD tag;

    return windows_attributes(handle, &attributes, &tag) &&
            (attributes & (FILE_ATTRIBUTE_DIRECTORY | FILE_ATTRIBUTE_REPARSE_POINT)) == 0 &&
            ((windows_is_ours(handle) && windows_is_ours(directory)) ||
                    (platform_is_privileged() &&
                            (have_same_owner(handle, directory) ||
                                    (windows_is_ours(directory) &&
                                            !windows_others_can_write(directory))))) &&
            !windows_others_can_write(handle);
}

int platform_read_private(const char *directory, const char *name, char *ret_data, size_t size,
        size_t *ret_length, struct err *err)
{
    char path[PLATFORM_PATH_BYTES];
    HANDLE place = INVALID_HANDLE_VALUE;
    HANDLE handle;
    long length;
    int result = -1;

    if (make_path(directory, name, path, err) == -1)
        return -1;
    handle = windows_open(path, GENERIC_READ, OPEN_EXISTING,
            FILE_FLAG_OPEN_REPARSE_POINT | FILE_FLAG_BACKUP_SEMANTICS, NULL);
    if (handle == INVALID_HANDLE_VALUE) {
        DWORD code = GetLastError();

        return err_set(err, ERR_FAILED, (long)code, "cannot open %s: %s", path,
                platform_error_text((long)code));
    }
    place = windows_open(directory, READ_CONTROL, OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS, NULL);
    if (place == INVALID_HANDLE_VALUE || !is_private(handle, place)) {
        err_set(err, ERR_FAILED, 0, "%s is not a file of its owner's alone", path);
        goto out;
    }
    length = platform_read_at(windows_of_handle(handle), 0, ret_data, size);
    if (length < 0 || (size_t)length >= size) {
        err_set(err, ERR_FAILED, 0, "cannot read %s to its end", path);
        goto out;
    }
    *ret_length = (size_t)length;
    result = 0;
out:
    if (place != INVALID_HANDLE_VALUE)
        (void)CloseHandle(place);
    (void)CloseHandle(handle);
    return result;
}
