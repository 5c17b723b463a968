/* What a list of rights means: who can change what it stands over. */
#include "windows_parts.h"

#include <sddl.h>
#include <string.h>

#include "str.h"

#include "banned.h"

#define SID_CHARS 256

/* Rights with which a file or directory, or who may do what with it, can be changed. */
#define CHANGING                                                                                   \
    (FILE_WRITE_DATA | FILE_APPEND_DATA | FILE_WRITE_EA | FILE_WRITE_ATTRIBUTES |                  \
            FILE_DELETE_CHILD | DELETE | WRITE_DAC | WRITE_OWNER | GENERIC_WRITE | GENERIC_ALL)

static bool is_administrators(PSID sid)
{
    return IsWellKnownSid(sid, WinBuiltinAdministratorsSid) ||
            IsWellKnownSid(sid, WinLocalSystemSid);
}

/* "NT SERVICE\\NAME": one service's own, to which only its owner and administrators give a file. */
static bool is_service(PSID sid)
{
    static const SID_IDENTIFIER_AUTHORITY authority = { SECURITY_NT_AUTHORITY };

    return memcmp(GetSidIdentifierAuthority(sid), &authority, sizeof authority) == 0 &&
            *GetSidSubAuthorityCount(sid) == SECURITY_SERVICE_ID_RID_COUNT &&
            *GetSidSubAuthority(sid, 0) == SECURITY_SERVICE_ID_BASE_RID;
}

bool windows_is_our_owner(PSID owner)
{
    return EqualSid(owner, windows_own_sid()) || is_administrators(owner);
}

bool windows_lets_others_change(PACL list, PSID owner)
{
    for (DWORD i = 0; list != NULL && i < list->AceCount; i++) {
        ACCESS_ALLOWED_ACE *entry;
        PSID sid;

        if (!GetAce(list, i, (LPVOID *)&entry))
            return true;
        if ((entry->Header.AceFlags & INHERIT_ONLY_ACE) != 0 ||
                entry->Header.AceType == ACCESS_DENIED_ACE_TYPE || (entry->Mask & CHANGING) == 0)
            continue;
        if (entry->Header.AceType != ACCESS_ALLOWED_ACE_TYPE)
            return true; /* of a kind that files do not usually have: not understood here */
        sid = &entry->SidStart;
        if (!EqualSid(sid, owner) && !EqualSid(sid, windows_own_sid()) && !is_administrators(sid) &&
                !is_service(sid) && !IsWellKnownSid(sid, WinCreatorOwnerSid) &&
                !IsWellKnownSid(sid, WinCreatorOwnerRightsSid))
            return true;
    }
    return list == NULL; /* no list: everybody may do everything */
}

void windows_service_entries(const ACL *list, const char *inherit, char *ret_text, size_t size)
{
    size_t length = 0;

    for (DWORD i = 0; list != NULL && i < list->AceCount; i++) {
        ACCESS_ALLOWED_ACE *entry;
        char name[SID_CHARS];
        LPWSTR sid;

        if (!GetAce((ACL *)list, i, (LPVOID *)&entry) ||
                entry->Header.AceType != ACCESS_ALLOWED_ACE_TYPE ||
                (entry->Header.AceFlags & OBJECT_INHERIT_ACE) == 0 ||
                !is_service(&entry->SidStart) || !ConvertSidToStringSidW(&entry->SidStart, &sid))
            continue;
        if (windows_from_wide(sid, name, sizeof name) &&
                str_format(ret_text + length, size - length, "(A;%s;0x%lx;;;%s)", inherit,
                        entry->Mask, name))
            length += strlen(ret_text + length);
        (void)LocalFree(sid);
    }
    ret_text[length] = '\0';
}
