#include "misbehave.h"

#include <stdarg.h>
#include <stdlib.h>

static void word_help(char **arguments);

static const struct word words[] = {
    { "help", "", PLAIN, word_help, "prints this" },
    { "--max-seconds", "N", OPTION, word_max_seconds,
            "gone after N seconds (120), whatever it does" },

    { "listen-fd", "", PLAIN, word_listen_fd, "visitors come in on the passed descriptor 3" },
    { "bind", "ADDRESS", PLAIN, word_bind,
            "listens there with SO_REUSEADDR; visitors come in there" },
    { "bind-only", "ADDRESS", PLAIN, word_bind_only, "bound, not listening; stays" },
    { "listen-silent", "ADDRESS", PLAIN, word_listen_silent, "listens, accepts nothing; stays" },
    { "leak-listener", "ADDRESS|-", PLAIN, word_leak_listener,
            "leaves it, or the one it has, to an orphan in its own session and exits with 0" },
    { "stop-listening", "", PLAIN, word_stop_listening,
            "shuts descriptor 3 down, for all who share it" },
    { "set-nonblock", "FD", PLAIN, word_set_nonblock, "sets O_NONBLOCK" },

    { "serve", "", PLAIN, word_serve, "answers HTTP: who it is, and ?env=NAME" },
    { "accept-silent", "", PLAIN, word_accept_silent, "accepts and never says a word" },
    { "silent", "", PLAIN, word_accept_silent, "the same" },
    { "banner", "TEXT", PLAIN, word_banner, "writes TEXT to each visitor, as SSH does" },
    { "drip", "", PLAIN, word_drip, "one byte a second to each visitor" },
    { "close-at-once", "", PLAIN, word_close_at_once, "accepts and closes" },
    { "tls-like", "", PLAIN, word_tls_like,
            "a TLS alert to what begins with 0x16, nothing to others" },
    { "rst", "", PLAIN, word_rst, "accepts and resets" },
    { "--status", "N", OPTION, word_status, "of HTTP answers (200)" },
    { "slow", "MS", OPTION, word_slow, "before each HTTP answer" },
    { "answers", "FILE", OPTION, word_answers,
            "status and MS of each HTTP answer, if it is there" },
    { "exit-after", "N", OPTION, word_exit_after, "exits after so many HTTP answers" },
    { "code", "CODE", OPTION, word_code, "with this code (0)" },
    { "blocking", "", OPTION, word_blocking, "does not set O_NONBLOCK on the listener" },
    { "for", "MS", OPTION, word_for, "exits with 0 after so long, whatever it does" },
    { "exit-after-ms", "MS CODE", OPTION, word_exit_after_ms, "the same with a code" },

    { "exit", "CODE", PLAIN, word_exit, "exits" },
    { "exit-if", "FILE CODE", PLAIN, word_exit_if, "exits with CODE if it is there" },
    { "exit-unless", "FILE CODE", PLAIN, word_exit_unless, "exits with CODE if it is not" },
    { "sleep", "MS", PLAIN, word_sleep, "waits" },
    { "sleep-forever", "", PLAIN, word_sleep_forever, "waits for the end" },
    { "die", "SIGNAL", PLAIN, word_die, "sends it to itself with its default action" },
    { "ignore", "SIGNAL [SIGNAL...]", PLAIN, word_ignore, "ignores them" },
    { "trap", "SIGNAL MS CODE", PLAIN, word_trap, "at the signal, exits MS later with CODE" },
    { "note", "SIGNAL [SIGNAL...]", PLAIN, word_note, "prints 'caught NAME' at each and goes on" },

    { "pids", "FILE", PLAIN, word_pids, "each process forked from here on adds its pid to FILE" },
    { "double-fork", "", PLAIN, word_double_fork,
            "an orphan: own session, no environment, ignores TERM HUP INT, holds stdout" },
    { "fork-tree", "DEPTH WIDTH", PLAIN, word_fork_tree, "a tree of processes that ignore TERM" },
    { "spam-fork", "COUNT MS", PLAIN, word_spam_fork, "COUNT children one by one, each lives MS" },
    { "runaway", "COUNT US", PLAIN, word_runaway,
            "COUNT processes, each forks the next, ignores TERM and lives US" },
    { "leave", "CODE", PLAIN, word_leave, "goes on in a child, exits with CODE" },
    { "mainpid", "", PLAIN, word_mainpid, "goes on in a child, says MAINPID=, exits" },
    { "reexec", "", PLAIN, word_reexec, "executes itself in place for the words that are left" },

    { "notify", "TEXT", PLAIN, word_notify, "to NOTIFY_SOCKET; \\n is a new line" },
    { "notify-ready", "[after MS]", PLAIN, word_notify_ready, "READY=1" },
    { "watchdog-ping", "MS COUNT", PLAIN, word_watchdog_ping,
            "COUNT times WATCHDOG=1 (0: for ever)" },

    { "to", "FD", PLAIN, word_to, "the output words below write there (1)" },
    { "print", "TEXT", PLAIN, word_print, "TEXT and a new line" },
    { "print-err", "TEXT", PLAIN, word_print_err, "the same to standard error" },
    { "no-newline", "TEXT", PLAIN, word_no_newline, "TEXT alone" },
    { "lines", "COUNT [EVERY_US]", PLAIN, word_lines, "'line 1' and so on" },
    { "long-line", "BYTES", PLAIN, word_long_line, "so many x and a new line" },
    { "binary", "", PLAIN, word_binary, "all 256 byte values in order" },
    { "flood", "BYTES", PLAIN, word_flood, "in lines of 64 that begin with their offset" },
    { "cat", "", PLAIN, word_cat, "standard input to the output" },
    { "close-input", "", PLAIN, word_close_input, "closes standard input" },

    { "report", "FILE", PLAIN, word_report, "what it has been given, as JSON" },
    { "touch", "FILE", PLAIN, word_touch, "makes an empty file" },
    { "own-pid", "FILE", PLAIN, word_own_pid, "adds its pid" },
    { "alone", "LOCK FILE", PLAIN, word_alone, "adds its pid to FILE if another one holds LOCK" },
    { "append", "FILE TEXT", PLAIN, word_append, "TEXT and a new line, in one write" },
    { "wait-for", "FILE", PLAIN, word_wait_for, "until it is there, at most 30 s" },
};

char **misbehave_argv;

void fail(const char *format, ...)
{
    char text[512];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    fprintf(stderr, "misbehave: %s\n", text);
    exit(3);
}

_Noreturn void script_refuse(struct fault fault)
{
    switch (fault.refusal) {
    case REFUSAL_NOT_A_WORD:
        fail("'%s' is not a word; 'misbehave help' lists them", fault.about);
    case REFUSAL_NEEDS_WORDS:
        fail("'%s' needs %s", fault.about, fault.detail);
    case REFUSAL_AFTER_SERVER:
        fail("'%s' comes after a server and would never be done", fault.about);
    case REFUSAL_NOT_A_NUMBER:
        fail("'%s' is not a number from 0 to %lld", fault.about, fault.max);
    case REFUSAL_TOO_LONG:
        fail("the text is too long");
    case REFUSAL_EMPTY:
        fail("%s is empty", fault.about);
    case REFUSAL_DID_NOT_COME:
        fail("%s did not come in %lld ms", fault.about, fault.max);
    case REFUSAL_COUNT:
        break;
    }
    abort();
}

static void word_help(char **arguments)
{
    (void)arguments;
    printf("usage: misbehave WORD...\n"
           "Does what the words say, in their order.  When they run out it exits with 0, unless a\n"
           "word 'stays' or a time to exit was given.  ADDRESS is HOST:PORT, PORT (on 127.0.0.1),\n"
           "[HOST]:PORT, unix:PATH, or env (127.0.0.1:$PORT).  Servers, from 'serve' to 'rst', go\n"
           "on for ever; words like 'slow' may stand before them or after them.  Without an\n"
           "address before them, they use the passed descriptor 3.\n\n");
    script_print_words();
    exit(fflush(stdout) == 0 ? 0 : 3);
}

int main(int argc, char **argv)
{
    long long left_ms;
    int code;

    misbehave_argv = argv;
    settings.argv0 = argc > 0 ? argv[0] : "misbehave";
    script_begin(words, sizeof words / sizeof words[0], argc > 0 ? argv + 1 : argv);
    limit_start(LIMIT_MS_DEFAULT);
    listen_start();
    if (script_peek() == NULL)
        fail("no words; 'misbehave help' lists them");
    script_run();
    if (settings.stay || limit_get_exit(&left_ms, &code))
        limit_sleep_forever();
    return 0;
}
