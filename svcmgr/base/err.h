/* One failure, told once: what a function that can fail hands to its caller.
 *
 * A function returns 0 or -1 and takes a struct err *; on failure *err holds a kind, the system's
 * code and one whole sentence for the operator, and its outputs are untouched.  Callers add context
 * or pass it up; only the command line and the supervisor print it. */
#ifndef SVCMGR_ERR_H
#define SVCMGR_ERR_H

#include <stdarg.h>
#include <stdbool.h>

#if defined(__GNUC__) && !defined(__clang__)
/* For Windows gcc means the printf of Microsoft's library by "printf". */
#define ERR_PRINTF(format_at, first_at) __attribute__((format(gnu_printf, format_at, first_at)))
#elif defined(__clang__)
#define ERR_PRINTF(format_at, first_at) __attribute__((format(printf, format_at, first_at)))
#else
#define ERR_PRINTF(format_at, first_at)
#endif

/* What kind of failure.  The numbers are the exit codes that a user sees: svcmgr(1). */
enum err_kind {
    ERR_FAILED = 1,
    ERR_USAGE = 2,
    ERR_STOPPED = 3,
    ERR_DENIED = 4,
    ERR_NO_SERVICE = 5,
    ERR_CONFIG = 6,
    ERR_NOT_RUNNING = 7,
    ERR_NO_ANSWER = 8,
    ERR_OTHER_PID = 9,
    ERR_DUPLICATE = 10,
    ERR_OCCUPIED = 11
};

#define ERR_TEXT_BYTES 1024

struct err {
    enum err_kind kind;
    long os_code; /* errno or GetLastError(); 0 if the system was not asked */
    char text[ERR_TEXT_BYTES];
};

/* Fills *err and is -1, so that a caller can write: return err_set(err, ...).  A macro, so that
 * compilers and analysers see the -1 too.
 *
 * int err_set(struct err *err, enum err_kind kind, long os_code, const char *format, ...); */
#define err_set(err, kind, os_code, ...) (err_fill(err, kind, os_code, __VA_ARGS__), err_failed())

/* Puts "CONTEXT: " in front of the sentence; is -1.
 *
 * int err_prefix(struct err *err, const char *format, ...); */
#define err_prefix(err, ...) (err_fill_prefix(err, __VA_ARGS__), err_failed())

/* Appends to the sentence; is -1.
 *
 * int err_append(struct err *err, const char *format, ...); */
#define err_append(err, ...) (err_fill_end(err, __VA_ARGS__), err_failed())

/* Out of memory; is -1.
 *
 * int err_memory(struct err *err); */
#define err_memory(err) err_set(err, ERR_FAILED, 0, "out of memory")

/* What the macros call. */
void err_fill(struct err *err, enum err_kind kind, long os_code, const char *format, ...)
        ERR_PRINTF(4, 5);
void err_fill_prefix(struct err *err, const char *format, ...) ERR_PRINTF(2, 3);
void err_fill_end(struct err *err, const char *format, ...) ERR_PRINTF(2, 3);
static inline int err_failed(void)
{
    return -1;
}

#endif
