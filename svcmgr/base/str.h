/* Small things about text.  Nothing here depends on the locale. */
#ifndef SVCMGR_STR_H
#define SVCMGR_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"

/* Copies text with its NUL.  Returns false, and stores "", if it does not fit. */
bool str_copy(char *target, size_t size, const char *text);

/* snprintf that says whether everything fitted; a cut text is left in target. */
bool str_format(char *target, size_t size, const char *format, ...) ERR_PRINTF(3, 4);

/* Reads a decimal number that fills the whole text: digits only, no sign, no blank.  Returns false
 * for anything else and for a value over max. */
bool str_to_uint(const char *text, uint64_t max, uint64_t *ret_value);

/* Writes two small hexadecimal digits for each byte, and a NUL. */
void str_hex(char *target, const void *bytes, size_t count);

/* ASCII only. */
bool str_equal_nocase(const char *a, const char *b);
bool str_is_letter(char c);
bool str_is_digit(char c);

/* How many bytes the first character of data has; 0 if no valid UTF-8 (RFC 3629) begins there. */
size_t str_utf8_length(const char *data, size_t length);

bool str_is_utf8(const char *data, size_t length);

/* Copies text for a message: cut with "..." between two characters when it does not fit, control
 * characters as '?'.  size is at least 4. */
void str_shorten(char *target, size_t size, const char *text);

/* The entry of names that is most like text: same but for case, or few edits away.  NULL if none is
 * near enough to be worth a "did you mean". */
const char *str_nearest(const char *text, const char *const *names, size_t count);

/* Writes argv as one line that a shell would read as the same words; cut with "..." when it does
 * not fit.  Control characters become '?'. */
void str_command_line(char *target, size_t size, const char *const *argv);

/* Replaces control characters, and bytes that are no UTF-8, by '?': for text of others that goes on
 * one line of a terminal. */
void str_make_printable(char *text);

#endif
