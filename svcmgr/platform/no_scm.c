/* Where no service control manager is. */
#include "platform_launch.h"

#include "banned.h"

static int refuse(struct err *err)
{
    return err_set(err, ERR_NO_SERVICE, 0, "this is not Windows: there are no services of its");
}

bool platform_has_scm(void)
{
    return false;
}

bool platform_scm_begin(char *ret_name, size_t size)
{
    (void)ret_name;
    (void)size;
    return false;
}

bool platform_scm_tell(enum scm_state state, int64_t wait_hint_ms)
{
    (void)state;
    (void)wait_hint_ms;
    return true;
}

void platform_scm_end(uint32_t win32_code, uint32_t service_code)
{
    (void)win32_code;
    (void)service_code;
}

int platform_scm_output(const char *path, struct err *err)
{
    (void)path;
    return refuse(err);
}

int platform_scm_read(const char *name, struct scm_service *ret_service, struct err *err)
{
    (void)name;
    (void)ret_service;
    return refuse(err);
}

int platform_scm_write(const struct scm_service *service, bool is_new, struct err *err)
{
    (void)service;
    (void)is_new;
    return refuse(err);
}

int platform_scm_delete(const char *name, struct err *err)
{
    (void)name;
    return refuse(err);
}

int platform_scm_query(const char *name, struct scm_status *ret_status, struct err *err)
{
    (void)name;
    (void)ret_status;
    return refuse(err);
}

int platform_scm_start(const char *name, struct err *err)
{
    (void)name;
    return refuse(err);
}

int platform_scm_stop(const char *name, struct err *err)
{
    (void)name;
    return refuse(err);
}

bool platform_scm_service_of(int64_t pid, char *ret_name, size_t size)
{
    (void)pid;
    (void)ret_name;
    (void)size;
    return false;
}
