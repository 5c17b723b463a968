#include "err.h"

#include <stdio.h>
#include <string.h>

#include "banned.h"

int err_set(struct err *err, enum err_kind kind, long os_code, const char *format, ...)
{
    va_list arguments;

    err->kind = kind;
    err->os_code = os_code;
    va_start(arguments, format);
    (void)vsnprintf(err->text, sizeof err->text, format, arguments);
    va_end(arguments);
    return -1;
}

int err_prefix(struct err *err, const char *format, ...)
{
    char rest[ERR_TEXT_BYTES];
    va_list arguments;
    size_t length;

    memcpy(rest, err->text, sizeof rest);
    va_start(arguments, format);
    (void)vsnprintf(err->text, sizeof err->text, format, arguments);
    va_end(arguments);
    length = strlen(err->text);
    (void)snprintf(err->text + length, sizeof err->text - length, ": %s", rest);
    return -1;
}

int err_append(struct err *err, const char *format, ...)
{
    size_t length = strlen(err->text);
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(err->text + length, sizeof err->text - length, format, arguments);
    va_end(arguments);
    return -1;
}

int err_memory(struct err *err)
{
    return err_set(err, ERR_FAILED, 0, "out of memory");
}
