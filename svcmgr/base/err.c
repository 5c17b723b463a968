#include "err.h"

#include <stdio.h>
#include <string.h>

#include "banned.h"

void err_fill(struct err *err, enum err_kind kind, long os_code, const char *format, ...)
{
    va_list arguments;

    err->kind = kind;
    err->os_code = os_code;
    va_start(arguments, format);
    (void)vsnprintf(err->text, sizeof err->text, format, arguments);
    va_end(arguments);
}

void err_fill_prefix(struct err *err, const char *format, ...)
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
}

void err_fill_end(struct err *err, const char *format, ...)
{
    size_t length = strlen(err->text);
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(err->text + length, sizeof err->text - length, format, arguments);
    va_end(arguments);
}
