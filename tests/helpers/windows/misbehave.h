#ifndef MISBEHAVE_H
#define MISBEHAVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* misbehave for Windows: the words of tests/helpers/misbehave.c that mean something there, and a
 * few of its own.  'misbehave help' lists them. */

/* What words set for the words after them. */
struct settings {
    const char *program;
    const char *pids; /* file to which each process that we start adds its pid; or NULL */
    unsigned long long listen_handle;
    bool has_listener;
    int status;
    int slow_ms;
    const char *answers; /* file that holds both, from its first moment on; or NULL */
    int exit_after;
    int exit_code;
    bool stay;
};
extern struct settings settings;

/* misbehave.c */
const char *script_peek(void);
const char *script_next(void);
void script_run_options(void);
long long script_number(const char *text, long long max);
_Noreturn void fail(const char *what, const char *why);
/* For whoever asks with said-ready. */
void say_ready(void);
void write_out(int fd, const char *bytes, size_t length);
void append_text(const char *path, const char *text);
void put_string(FILE *file, const char *text);

/* serve.c */
void serve_begin(void);
void word_listen_fd(char **arguments);
void word_bind(char **arguments);
void word_listen_silent(char **arguments);
void word_bind_only(char **arguments);
void word_serve(char **arguments);
void word_accept_silent(char **arguments);
void word_banner(char **arguments);
void word_close_at_once(char **arguments);
void word_drip(char **arguments);
void word_tls_like(char **arguments);
void word_rst(char **arguments);

/* puppet.c */
void word_puppet(char **arguments);

/* process.c */
void word_pids(char **arguments);
void word_fork_tree(char **arguments);
void word_double_fork(char **arguments);
void word_leaf(char **arguments);
void word_runaway(char **arguments);
void word_runner(char **arguments);
void word_die(char **arguments);
void write_whole(const char *path, void (*put)(FILE *file));
void word_report(char **arguments);
void word_handles(char **arguments);
void word_kill(char **arguments);
void word_alive(char **arguments);
void word_having(char **arguments);

#endif
