/* A command line of Windows: one text that the program itself takes apart. */
#ifndef SVCMGR_WINSVC_WORDS_H
#define SVCMGR_WINSVC_WORDS_H

#include <stdbool.h>
#include <stddef.h>

#include "buffer.h"

/* Appends the words so that CommandLineToArgvW and the C library read them back as they are.  The
 * first one, the program's path, is always quoted: CreateService says why. */
void winsvc_words_join(const char *const *words, struct buffer *out);

/* Takes the next word out of a line; false at its end, or if it does not fit.  'is_program': it is
 * the first one, in which a backslash is only itself. */
bool winsvc_words_next(const char **line, bool is_program, char *ret_word, size_t size);

#endif
