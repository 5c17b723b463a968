/* A command line of Windows: one text that the program itself takes apart (CommandLineToArgvW, and
 * "Parsing C command-line arguments" in the C library's manual).  A quote is written as \", and
 * backslashes count double where a quote follows, nowhere else. */
#ifndef SVCMGR_COMMAND_LINE_H
#define SVCMGR_COMMAND_LINE_H

#include <stdbool.h>
#include <stddef.h>

#include "buffer.h"

/* Appends the words so that they are read back as they are.  With 'quotes_program' the first one,
 * the program's path, is quoted though it need not be: CreateService says why.  A quote, which no
 * path has, cannot be written in it, and is left out. */
void command_line_join(const char *const *words, bool quotes_program, struct buffer *out);

/* Takes the next word out of a line; false at its end, or if it does not fit, and then *line is as
 * it was.  'is_program': it is the first one, in which a backslash is only itself.  Two quotes
 * between quotes are one, as the C library has had it since 2008. */
bool command_line_next(const char **line, bool is_program, char *ret_word, size_t size);

#endif
