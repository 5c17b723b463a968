/* Reads the words of a command line. */
#ifndef SVCMGR_PARSE_H
#define SVCMGR_PARSE_H

#include "cli.h"

/* Reads argv into *ret_cli, which borrows from it and reorders it.  Returns 0, or -1 (ERR_USAGE).
 */
int parse_words(int argc, char **argv, struct cli *ret_cli, struct err *err);

#endif
