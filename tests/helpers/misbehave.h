#ifndef MISBEHAVE_H
#define MISBEHAVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "script.h"

/* misbehave: a program that does what it is told, word by word, as a test's child or stranger.
 *
 * 'misbehave help' lists the words.  What fails ends the program with one sentence and exit status
 * 3. */

/* misbehave.c */
extern char **misbehave_argv; /* as it was given to main() */
void fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* limit.c, besides what every system has: limit_exit_after() may be called by a signal handler. */
void limit_inherit(bool with_exit); /* in each forked child, since timers are not inherited */
bool limit_get_exit(long long *ret_left_ms, int *ret_code); /* false: it was not called */
long long limit_left_ms(void);
bool limit_alarm_was_ignored(void); /* SIGALRM, which limit.c uses, as it was found */
bool limit_alarm_was_blocked(void);

/* signals.c */
int signals_number(const char *name); /* with or without SIG, or a number; 0: there is none */
const char *signals_name(int number); /* without SIG; NULL: it has none */
void signals_set(int number, void (*handler)(int));
void word_ignore(char **arguments);
void word_die(char **arguments);
void word_trap(char **arguments);
void word_note(char **arguments);

/* json.c: text as a JSON string with its quotes; NULL as null.  A byte that is not UTF-8 becomes
 * U+DC00 plus the byte, which is what Python's surrogateescape expects. */
void json_put_string(FILE *file, const char *text);

/* listen.c */
void listen_start(void);  /* looks for what was passed, while our pid is the one that it is for */
int listen_current(void); /* what a word has opened, else the passed descriptor 3 */
int listen_open(const char *address, bool listening);
void word_listen_fd(char **arguments);
void word_bind(char **arguments);
void word_bind_only(char **arguments);
void word_listen_silent(char **arguments);
void word_stop_listening(char **arguments);
void word_set_nonblock(char **arguments);

/* serve.c */
void word_blocking(char **arguments);

/* process.c */
void word_double_fork(char **arguments);
void word_leak_listener(char **arguments);
void word_fork_tree(char **arguments);
void word_spam_fork(char **arguments);
void word_runaway(char **arguments);
void word_leave(char **arguments);
void word_mainpid(char **arguments);
void word_reexec(char **arguments);

/* output_posix.c */
void word_to(char **arguments);

/* notify.c */
void notify_send(const char *text);
void word_notify(char **arguments);
void word_notify_ready(char **arguments);
void word_watchdog_ping(char **arguments);

/* report.c */
void word_report(char **arguments);

#endif
