#ifndef SCRIPT_H
#define SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the misbehave of every system has: the script, what words set, and the words that do the
 * same everywhere.  Each system has the table of its words, main(), and the rest of misbehave.h.
 *
 * A word_x() does what the word x says; arguments are the strings that it must have. */

/* What words set for the words after them.  One script: so there is one. */
struct settings {
    const char *argv0;   /* as we were called */
    const char *pids;    /* file to which each process that we start adds its pid; or NULL */
    int output_fd;       /* where the output words write */
    int status;          /* of HTTP answers */
    int slow_ms;         /* before each HTTP answer */
    const char *answers; /* file that holds both, from its first moment on; or NULL */
    int exit_after;      /* so many HTTP answers; 0: never */
    int exit_code;       /* then */
    bool stay;           /* there is something to hold when the words run out */
};
extern struct settings settings;

/* OPTION: a server that stands before it takes it into account too. */
enum kind { PLAIN, OPTION };

struct word {
    const char *name;
    const char *arguments; /* one name for each; those in brackets are looked for by the word */
    enum kind kind;
    void (*run)(char **arguments);
    const char *help;
};

/* script.c: both live as long as the process; NULL is at the end of the script. */
void script_begin(const struct word *words, size_t count, char **script);
void script_run(void);
void script_run_options(void); /* the words that belong to the server before them */
const char *script_peek(void); /* the next word; NULL: there is none */
const char *script_next(void); /* the same, and takes it */
char **script_rest(void);      /* all that are left, NULL at the end */
long long script_number(const char *text, long long max);
void script_print_words(void);

/* settings.c */
void word_max_seconds(char **arguments);
void word_status(char **arguments);
void word_slow(char **arguments);
void word_answers(char **arguments);
void word_exit_after(char **arguments);
void word_code(char **arguments);
void word_for(char **arguments);
void word_exit_after_ms(char **arguments);
void word_pids(char **arguments);
void word_exit(char **arguments);
void word_sleep(char **arguments);
void word_sleep_forever(char **arguments);

/* serve_words.c: these never return */
void word_serve(char **arguments);
void word_accept_silent(char **arguments);
void word_banner(char **arguments);
void word_drip(char **arguments);
void word_close_at_once(char **arguments);
void word_tls_like(char **arguments);
void word_rst(char **arguments);

/* output.c */
void word_print(char **arguments);
void word_print_err(char **arguments);
void word_no_newline(char **arguments);
void word_lines(char **arguments);
void word_long_line(char **arguments);
void word_binary(char **arguments);
void word_flood(char **arguments);
void word_append(char **arguments);
void word_touch(char **arguments);
void word_own_pid(char **arguments);
void word_wait_for(char **arguments);
void word_exit_if(char **arguments);
void word_exit_unless(char **arguments);

/* ---- What each system has -------------------------------------------------------------------- */

/* What is said of it, and how, is each system's affair; the exit status is always 3. */
enum refusal {
    REFUSAL_NOT_A_WORD,
    REFUSAL_NEEDS_WORDS,
    REFUSAL_AFTER_SERVER,
    REFUSAL_NOT_A_NUMBER,
    REFUSAL_TOO_LONG,
    REFUSAL_EMPTY,
    REFUSAL_DID_NOT_COME,
    REFUSAL_COUNT
};

/* 'about' is the word, number or file; detail the arguments that NEEDS_WORDS is about; max the
 * largest number, or how many ms DID_NOT_COME has waited. */
struct fault {
    enum refusal refusal;
    const char *about, *detail;
    long long max;
};
_Noreturn void script_refuse(struct fault fault);

/* Nothing outlives --max-seconds, whatever it ignores. */
#define LIMIT_MS_DEFAULT 120000
void limit_start(long long max_ms);
void limit_exit_after(long long ms, int code);
int64_t limit_now_ms(void);
void limit_sleep_us(long long us);
_Noreturn void limit_sleep_forever(void);

void output_write(int fd, const char *bytes, size_t length); /* all of it */
void output_append(const char *path, const char *text);      /* in one write */
bool output_is_there(const char *path);
long long output_own_pid(void);
void word_cat(char **arguments);
void word_alone(char **arguments);
void word_close_input(char **arguments);

#endif
