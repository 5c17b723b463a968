/* Letting the account of a service have files. */
#include <aclapi.h>
#include <bcrypt.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>

#include "windows_scm.h"

#include "banned.h"

#define READ_RIGHTS   (FILE_GENERIC_READ | FILE_GENERIC_EXECUTE)
#define MODIFY_RIGHTS (READ_RIGHTS | FILE_GENERIC_WRITE | DELETE)

/* ---- The account ----------------------------------------------------------------------------- */

/* The SID of a service is made of its name, so it is the same before there is one and on every
 * machine: S-1-5-80 and the SHA-1 of the name in capitals (RtlCreateServiceSid). */
bool windows_service_sid(const WCHAR *name, union windows_sid *ret_sid)
{
    static const SID_IDENTIFIER_AUTHORITY authority = { SECURITY_NT_AUTHORITY };
    WCHAR capitals[SCM_NAME_BYTES];
    BCRYPT_ALG_HANDLE sha1;
    DWORD numbers[SECURITY_SERVICE_ID_RID_COUNT - 1];
    size_t length = wcslen(name);
    bool done;

    if (length >= SCM_NAME_BYTES ||
            !BCRYPT_SUCCESS(BCryptOpenAlgorithmProvider(&sha1, BCRYPT_SHA1_ALGORITHM, NULL, 0)))
        return false;
    memcpy(capitals, name, (length + 1) * sizeof *name);
    (void)CharUpperBuffW(capitals, (DWORD)length);
    done = BCRYPT_SUCCESS(BCryptHash(sha1, NULL, 0, (BYTE *)capitals,
            (ULONG)(length * sizeof *capitals), (BYTE *)numbers, sizeof numbers));
    (void)BCryptCloseAlgorithmProvider(sha1, 0);
    if (!done ||
            InitializeSid(&ret_sid->sid, (SID_IDENTIFIER_AUTHORITY *)&authority,
                    SECURITY_SERVICE_ID_RID_COUNT) == 0)
        return false;
    *GetSidSubAuthority(&ret_sid->sid, 0) = SECURITY_SERVICE_ID_BASE_RID;
    for (DWORD i = 1; i < SECURITY_SERVICE_ID_RID_COUNT; i++)
        *GetSidSubAuthority(&ret_sid->sid, i) = numbers[i - 1];
    return true;
}

/* ---- Files ----------------------------------------------------------------------------------- */

static DWORD grant_one(const char *path, bool is_directory, SID *sid, bool modify)
{
    WCHAR wide[WINDOWS_PATH_COUNT];
    EXPLICIT_ACCESSW access = {
        .grfAccessPermissions = modify ? MODIFY_RIGHTS : READ_RIGHTS,
        .grfAccessMode = GRANT_ACCESS,
        .grfInheritance = is_directory ? SUB_CONTAINERS_AND_OBJECTS_INHERIT : NO_INHERITANCE,
    };
    PSECURITY_DESCRIPTOR descriptor = NULL;
    ACL *former;
    ACL *acl = NULL;
    DWORD code;

    if (!windows_to_path(path, wide))
        return ERROR_FILENAME_EXCED_RANGE;
    BuildTrusteeWithSidW(&access.Trustee, sid);
    code = GetNamedSecurityInfoW(wide, SE_FILE_OBJECT, DACL_SECURITY_INFORMATION, NULL, NULL,
            &former, NULL, &descriptor);
    if (code == ERROR_SUCCESS)
        code = SetEntriesInAclW(1, &access, former, &acl);
    if (code == ERROR_SUCCESS)
        code = SetNamedSecurityInfoW(
                wide, SE_FILE_OBJECT, DACL_SECURITY_INFORMATION, NULL, NULL, acl, NULL);
    (void)LocalFree(acl);
    (void)LocalFree(descriptor);
    return code;
}

struct walk {
    const char *folder;
    SID *sid;
    bool modify;
    DWORD code;
};

static DWORD grant_tree(const char *path, SID *sid, bool modify);

static void grant_entry(void *context, const char *name)
{
    struct walk *walk = context;
    char path[PLATFORM_PATH_BYTES];

    if (walk->code != ERROR_SUCCESS)
        return;
    if (snprintf(path, sizeof path, "%s/%s", walk->folder, name) < (int)sizeof path)
        walk->code = grant_tree(path, walk->sid, walk->modify);
}

/* What is in a folder inherits it only if nothing protects it from that; a link's target is
 * nobody's business here. */
static DWORD grant_tree(const char *path, SID *sid, bool modify)
{
    struct walk walk = { .folder = path, .sid = sid, .modify = modify };
    struct platform_file file;
    struct err ignored;

    if (!platform_stat(path, &file) || file.is_symlink)
        return ERROR_SUCCESS;
    walk.code = grant_one(path, file.is_directory, sid, modify);
    if (walk.code == ERROR_SUCCESS && file.is_directory)
        (void)platform_list_directory(path, grant_entry, &walk, &ignored);
    return walk.code;
}

int windows_grant(const char *path, const char *service, bool modify, struct err *err)
{
    WCHAR name[SCM_NAME_BYTES];
    union windows_sid sid;
    DWORD code;

    if (!windows_to_wide(service, name, SCM_NAME_BYTES) || !windows_service_sid(name, &sid))
        return err_set(err, ERR_FAILED, 0, "cannot find out the SID of the service %s", service);
    code = grant_tree(path, &sid.sid, modify);
    if (code == ERROR_SUCCESS)
        return 0;
    return err_set(err, windows_kind(code), (long)code, "cannot let the service %s have %s: %s",
            service, path, platform_error_text((long)code));
}
