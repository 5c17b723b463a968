/* The commands and the options that there are, for reading argv and for help. */
#ifndef SVCMGR_COMMANDS_H
#define SVCMGR_COMMANDS_H

#include <stdbool.h>
#include <stddef.h>

#include "cli.h"

/* How many words a command takes beside its options. */
enum words { WORDS_NONE, WORDS_MAY, WORDS_ONE, WORDS_TWO, WORDS_SOME };

struct command_row {
    const char *name;
    int (*run)(const struct cli *cli);
    enum words words;
    bool takes_rest; /* "-- COMMAND ARG..." */
    bool hidden;
    const char *usage; /* behind the name */
    const char *help;
};

#define FOR(command) (1u << (command))
#define FOR_ALL      ((1u << CLI_COMMAND_COUNT) - 1)

struct option_row {
    const char *name;  /* "--json" */
    char letter;       /* 'q' for -q; 0 none */
    const char *value; /* what its value is called; NULL: a flag */
    unsigned commands; /* which take it */
    size_t offset;     /* of the bool or the text in struct cli; OPTION_IS_SET: a set of add */
    const char *help;  /* NULL: not for people */
};

#define OPTION_IS_SET ((size_t)-1)

extern const struct command_row commands[CLI_COMMAND_COUNT];
extern const struct option_row options[];
extern const size_t option_count;

/* Finds a command by its name, or fails with ERR_USAGE and the nearest one. */
int commands_find(const char *word, enum cli_command *ret_command, struct err *err);

#endif
