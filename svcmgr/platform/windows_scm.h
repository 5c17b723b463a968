/* What the files about the service control manager share. */
#ifndef SVCMGR_WINDOWS_SCM_H
#define SVCMGR_WINDOWS_SCM_H

#include "platform_launch.h"
#include "windows_parts.h"

/* A service that is open, and the manager through which it is. */
struct windows_service {
    SC_HANDLE manager;
    SC_HANDLE service;
    WCHAR name[SCM_SHORT_BYTES];
};

/* Fills err from GetLastError(): "DOING the service NAME: the system's text". */
int windows_scm_failed(const char *doing, const char *name, struct err *err);

/* One that is not there: ERR_NO_SERVICE.  Closed with windows_scm_close(), which is also fine after
 * a failure. */
int windows_scm_open(
        const char *name, DWORD access, struct windows_service *ret_service, struct err *err);
void windows_scm_close(struct windows_service *service);

union windows_sid {
    SID sid;
    BYTE bytes[SECURITY_MAX_SID_SIZE];
};
/* The SID of the service of this name, whether there is one or not. */
bool windows_service_sid(const WCHAR *name, union windows_sid *ret_sid);

/* Lets a service, whatever its account, do something with a file, or with a folder and all that is
 * in it. */
int windows_grant(const char *path, const char *service, bool modify, struct err *err);

#endif
