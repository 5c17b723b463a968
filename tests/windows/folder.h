/* For the tests of the Windows seam: a folder of the test's own. */
#ifndef SVCMGR_TEST_FOLDER_H
#define SVCMGR_TEST_FOLDER_H

#include "started.h"

#define WRITE_RIGHTS (FILE_GENERIC_WRITE | DELETE)

/* cmocka's set-up and tear-down: the folder of the test, and all that is in it removed. */
int folder_make(void **state);
int folder_remove(void **state);
/* A path in it; good until the fourth call after this one. */
const char *folder_path(const char *name);
/* What a file there holds. */
void folder_put(const char *name, const char *text);
void folder_check(const char *name, const char *expected);
bool folder_has(const char *name);
/* Gives everybody these rights as well. */
void folder_grant(const char *path, DWORD rights);
/* Takes the list of rights away, after which everybody has all of them. */
void folder_give_away(const char *path);

/* A list of a test's, with the folder around it. */
#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, folder_make, folder_remove)

#endif
