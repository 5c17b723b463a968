#ifndef MISBEHAVE_H
#define MISBEHAVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* misbehave: a program that does what it is told, word by word, as a test's child or stranger.
 *
 * 'misbehave help' lists the words.  A word_x() does what the word x says; arguments are the
 * strings that it must have.  What fails ends the program with one sentence and exit status 3. */

/* What words set for the words after them.  One thread and one script: so there is one. */
struct settings {
    const char *argv0; /* as we were called */
    char **argv;
    const char *pids;    /* file to which each process that we fork adds its pid; or NULL */
    int listen_fd;       /* where visitors come in; -1: not decided */
    int output_fd;       /* where the output words write */
    int status;          /* of HTTP answers */
    int slow_ms;         /* before each HTTP answer */
    const char *answers; /* file that holds both, from its first moment on; or NULL */
    int exit_after;      /* so many HTTP answers; 0: never */
    int exit_code;       /* then */
    bool blocking;       /* leave the listener's O_NONBLOCK as it is */
    bool stay;           /* there is something to hold when the words run out */
};
extern struct settings settings;

/* misbehave.c: the script.  Its strings live as long as the process. */
const char *script_peek(void); /* the next word; NULL: there is none */
const char *script_next(void); /* the same, and takes it */
char **script_rest(void);      /* all that are left, NULL at the end */
void script_run_options(void); /* the words that belong to the server before them */
long long script_number(const char *text, long long max);
void fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* limit.c: nothing outlives --max-seconds, whatever it ignores. */
void limit_start(long long max_ms);
void limit_inherit(bool with_exit); /* in each forked child, since timers are not inherited */
void limit_exit_after(long long ms, int code);              /* may be called by a signal handler */
bool limit_get_exit(long long *ret_left_ms, int *ret_code); /* false: it was not called */
long long limit_left_ms(void);
int64_t limit_now_ms(void);
void limit_sleep_us(long long us);
_Noreturn void limit_sleep_forever(void);
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

/* settings.c */
void word_max_seconds(char **arguments);
void word_status(char **arguments);
void word_slow(char **arguments);
void word_answers(char **arguments);
void word_exit_after(char **arguments);
void word_code(char **arguments);
void word_blocking(char **arguments);
void word_for(char **arguments);
void word_exit_after_ms(char **arguments);
void word_pids(char **arguments);
void word_to(char **arguments);
void word_exit(char **arguments);
void word_sleep(char **arguments);
void word_sleep_forever(char **arguments);

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

/* serve.c: these never return */
void word_serve(char **arguments);
void word_accept_silent(char **arguments);
void word_banner(char **arguments);
void word_drip(char **arguments);
void word_close_at_once(char **arguments);
void word_tls_like(char **arguments);
void word_rst(char **arguments);

/* process.c */
void word_double_fork(char **arguments);
void word_leak_listener(char **arguments);
void word_fork_tree(char **arguments);
void word_spam_fork(char **arguments);
void word_runaway(char **arguments);
void word_mainpid(char **arguments);
void word_reexec(char **arguments);

/* output.c */
void output_write(int fd, const char *bytes, size_t length); /* all of it */
void output_append(const char *path, const char *text);      /* in one write */
void word_print(char **arguments);
void word_print_err(char **arguments);
void word_no_newline(char **arguments);
void word_lines(char **arguments);
void word_long_line(char **arguments);
void word_binary(char **arguments);
void word_flood(char **arguments);
void word_cat(char **arguments);
void word_append(char **arguments);
void word_touch(char **arguments);
void word_own_pid(char **arguments);
void word_alone(char **arguments);
void word_wait_for(char **arguments);
void word_exit_if(char **arguments);
void word_exit_unless(char **arguments);

/* notify.c */
void notify_send(const char *text);
void word_notify(char **arguments);
void word_notify_ready(char **arguments);
void word_watchdog_ping(char **arguments);

/* report.c */
void word_report(char **arguments);

#endif
