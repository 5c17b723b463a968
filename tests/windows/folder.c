#include "folder.h"

#include <aclapi.h>
#include <sddl.h>

#include "str.h"

static char folder[PLATFORM_PATH_BYTES];

int folder_make(void **state)
{
    static unsigned number;
    WCHAR wide[MAX_PATH];
    char temporary[PLATFORM_PATH_BYTES];
    struct err err;

    assert_true(GetTempPathW(MAX_PATH, wide) > 0);
    assert_true(windows_from_path(wide, temporary, sizeof temporary));
    /* Letters beyond ASCII and a blank are in every path. */
    assert_true(str_format(folder, sizeof folder, "%ssvcmgr t\xC3\xA4st %lu-%u", temporary,
            GetCurrentProcessId(), number++));
    if (platform_make_directory(folder, 0700, &err) == -1)
        fail_msg("%s", err.text);
    return 0;
}

static void remove_all(const char *path);

static void remove_one(void *context, const char *name)
{
    char path[PLATFORM_PATH_BYTES];
    struct platform_file file;
    struct err err;

    assert_true(str_format(path, sizeof path, "%s/%s", (const char *)context, name));
    if (platform_stat(path, &file) && file.is_directory)
        remove_all(path);
    else if (platform_remove_file(path, &err) == -1)
        platform_remove_directory(path); /* a link to one */
}

static void remove_all(const char *path)
{
    struct err err;

    (void)platform_list_directory(path, remove_one, (void *)(uintptr_t)path, &err);
    platform_remove_directory(path);
}

int folder_remove(void **state)
{
    struct platform_file file;

    remove_all(folder);
    if (platform_stat(folder, &file))
        fail_msg("something in %s cannot be removed: it is still open", folder);
    return 0;
}

const char *folder_path(const char *name)
{
    static char paths[4][PLATFORM_PATH_BYTES];
    static unsigned next;
    char *path = paths[next++ % 4];

    assert_true(str_format(path, PLATFORM_PATH_BYTES, "%s/%s", folder, name));
    return path;
}

void folder_put(const char *name, const char *text)
{
    struct err err;

    if (platform_replace_file(folder_path(name), text, strlen(text), 0644, &err) == -1)
        fail_msg("%s", err.text);
}

void folder_check(const char *name, const char *expected)
{
    struct buffer text = { 0 };
    struct err err;

    if (platform_read_file(folder_path(name), 1 << 20, &text, &err) == -1)
        fail_msg("%s", err.text);
    assert_string_equal(buffer_text(&text), expected);
    buffer_free(&text);
}

bool folder_has(const char *name)
{
    struct platform_file file;

    return platform_stat(folder_path(name), &file);
}

void folder_grant(const char *path, DWORD rights)
{
    WCHAR wide[WINDOWS_PATH_COUNT];
    BYTE everybody[SECURITY_MAX_SID_SIZE];
    DWORD size = sizeof everybody;
    EXPLICIT_ACCESS_W access = {
        .grfAccessPermissions = rights,
        .grfAccessMode = SET_ACCESS,
        .Trustee = { .TrusteeForm = TRUSTEE_IS_SID, .ptstrName = (LPWSTR)everybody },
    };
    PSECURITY_DESCRIPTOR descriptor;
    PACL old;
    PACL list;

    assert_true(windows_to_path(path, wide));
    assert_true(CreateWellKnownSid(WinWorldSid, NULL, everybody, &size));
    assert_int_equal(GetNamedSecurityInfoW(wide, SE_FILE_OBJECT, DACL_SECURITY_INFORMATION, NULL,
                             NULL, &old, NULL, &descriptor),
            ERROR_SUCCESS);
    assert_int_equal(SetEntriesInAclW(1, &access, old, &list), ERROR_SUCCESS);
    assert_int_equal(SetNamedSecurityInfoW(wide, SE_FILE_OBJECT, DACL_SECURITY_INFORMATION, NULL,
                             NULL, list, NULL),
            ERROR_SUCCESS);
    (void)LocalFree(list);
    (void)LocalFree(descriptor);
}

void folder_give_away(const char *path)
{
    WCHAR wide[WINDOWS_PATH_COUNT];

    assert_true(windows_to_path(path, wide));
    assert_int_equal(SetNamedSecurityInfoW(wide, SE_FILE_OBJECT, DACL_SECURITY_INFORMATION, NULL,
                             NULL, NULL, NULL),
            ERROR_SUCCESS);
}
