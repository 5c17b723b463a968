#ifndef MISBEHAVE_H
#define MISBEHAVE_H

#include <stdio.h>

#include "script.h"

/* misbehave for Windows: the words of tests/helpers/misbehave.c that mean something there, and a
 * few of its own.  'misbehave help' lists them. */

/* misbehave.c */
_Noreturn void fail(const char *what, const char *why);
/* For whoever asks with said-ready. */
void say_ready(void);

/* serve.c */
void serve_begin(void);
void word_listen_fd(char **arguments);
void word_bind(char **arguments);
void word_listen_silent(char **arguments);
void word_bind_only(char **arguments);

/* output.c */
void word_hold_lock(char **arguments);

/* puppet.c */
void word_puppet(char **arguments);

/* process.c */
void word_fork_tree(char **arguments);
void word_double_fork(char **arguments);
void word_leaf(char **arguments);
void word_runaway(char **arguments);
void word_runner(char **arguments);
void word_leave(char **arguments);
void word_begun(char **arguments);
void word_die(char **arguments);
void write_whole(const char *path, void (*put)(FILE *file));
void word_report(char **arguments);
void word_handles(char **arguments);
void word_kill(char **arguments);
void word_alive(char **arguments);
void word_having(char **arguments);

#endif
