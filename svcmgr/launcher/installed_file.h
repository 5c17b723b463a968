/* A file of a definition, at the place where its launcher looks for it. */
#ifndef SVCMGR_INSTALLED_FILE_H
#define SVCMGR_INSTALLED_FILE_H

#include "launcher.h"

struct installed_file {
    char name[DEFINITION_NAME_BYTES];
    char path[PLATFORM_PATH_BYTES];
    struct buffer text; /* as it is; empty: there is none; the caller frees it */
    bool exists;
    const struct buffer *wanted; /* as it is to be; NULL: is not to be there */
};

/* A folder of the launcher's: an absolute path, or one below the user's home.  No usable home:
 * ERR_DENIED. */
int installed_file_folder(const char *folder, char *ret_path, size_t size, struct err *err);

/* Reads what is at its path.  Fails for what is not this service's; 'who_links' says who makes a
 * link there, if not svcmgr. */
int installed_file_read(struct installed_file *file,
        enum definition_owner (*owner_of)(const char *text, const char *state_path),
        const char *state_path, const char *who_links, struct err *err);

/* Whether it is not as it is to be; then the report says how. */
bool installed_file_changes(const struct installed_file *file, struct launcher_report *report);

/* Writes what is to be there, and its folder. */
int installed_file_write(const struct installed_file *file, struct err *err);

#endif
