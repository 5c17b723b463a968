#include "installed_file.h"

#include <string.h>

#include "str.h"

#include "banned.h"

#define FILE_LIMIT ((size_t)1024 * 1024)

int installed_file_folder(const char *folder, char *ret_path, size_t size, struct err *err)
{
    struct platform_user user;

    if (folder[0] == '/') {
        if (!str_copy(ret_path, size, folder))
            return err_set(err, ERR_FAILED, 0, "the path is too long: %.60s...", folder);
        return 0;
    }
    if (platform_user_self(&user, err) == -1)
        return -1;
    if (user.home[0] != '/' || !str_format(ret_path, size, "%s/%s", user.home, folder))
        return err_set(
                err, ERR_DENIED, 0, "this account has no usable home directory for %s", folder);
    return 0;
}

int installed_file_read(struct installed_file *file,
        enum definition_owner (*owner_of)(const char *text, const char *state_path),
        const char *state_path, const char *who_links, struct err *err)
{
    struct platform_file there;

    file->exists = platform_stat(file->path, &there);
    if (!file->exists)
        return 0;
    if (there.is_symlink)
        return err_set(err, ERR_FAILED, 0,
                "%s is a link, which svcmgr did not make (%s); remove it first", file->path,
                who_links);
    if (platform_read_file(file->path, FILE_LIMIT, &file->text, err) == -1)
        return -1;
    switch (owner_of(buffer_text(&file->text), state_path)) {
    case DEFINITION_OURS:
        return 0;
    case DEFINITION_OTHER:
        return err_set(err, ERR_DUPLICATE, 0,
                "%s is there for a service of this name with another state directory; uninstall "
                "that one first",
                file->path);
    case DEFINITION_FOREIGN:
        break;
    }
    return err_set(err, ERR_FAILED, 0,
            "%s is there and svcmgr did not write it; move it away first", file->path);
}

bool installed_file_changes(const struct installed_file *file, struct launcher_report *report)
{
    const char *former = buffer_text(&file->text);
    const char *wanted = file->wanted != NULL ? buffer_text(file->wanted) : "";

    if (strcmp(former, wanted) == 0)
        return false;
    report->changed = true;
    buffer_printf(&report->text, "%s %s\n",
            !file->exists             ? "wrote"
                    : *wanted != '\0' ? "changed"
                                      : "removed",
            file->path);
    (void)definition_diff(former, wanted, &report->text);
    return true;
}

int installed_file_write(const struct installed_file *file, struct err *err)
{
    char folder[PLATFORM_PATH_BYTES];

    (void)str_copy(folder, sizeof folder, file->path);
    *strrchr(folder, '/') = '\0';
    if (platform_make_directory(folder, 0755, err) == -1)
        return -1;
    return platform_replace_file(
            file->path, buffer_text(file->wanted), file->wanted->length, 0644, err);
}
