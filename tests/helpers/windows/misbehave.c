#include "misbehave.h"

#include <fcntl.h>
#include <io.h>
#include <stdlib.h>
#include <string.h>

#include <windows.h>

#define MS_MAX 3600000

/* ---- What cannot be done --------------------------------------------------------------------- */

_Noreturn void fail(const char *what, const char *why)
{
    fprintf(stderr, "misbehave: %s: %s\n", what, why);
    exit(3);
}

_Noreturn void script_refuse(struct fault fault)
{
    static const char *const whys[] = {
        [REFUSAL_NOT_A_WORD] = "not a word; 'misbehave help' lists them",
        [REFUSAL_NEEDS_WORDS] = "needs more words",
        [REFUSAL_AFTER_SERVER] = "comes after a server and would never be done",
        [REFUSAL_NOT_A_NUMBER] = "not a number in its range",
        [REFUSAL_TOO_LONG] = "the text is too long",
        [REFUSAL_EMPTY] = "is empty",
        [REFUSAL_DID_NOT_COME] = "did not come in time",
    };
    _Static_assert(sizeof whys / sizeof whys[0] == REFUSAL_COUNT, "a refusal has no sentence");

    fail(fault.about, whys[fault.refusal]);
}

/* ---- Being asked to stop --------------------------------------------------------------------- */

static volatile long trap_ms = -1;
static volatile long trap_code;
static volatile bool notes;

static BOOL WINAPI on_console_event(DWORD event)
{
    static const char text[] = "caught TERM\n";

    (void)event;
    if (notes)
        (void)_write(1, text, sizeof text - 1);
    if (trap_ms >= 0)
        limit_exit_after(trap_ms, (int)trap_code);
    return TRUE;
}

static bool is_signal(const char *word)
{
    static const char *const names[] = { "HUP", "INT", "QUIT", "TERM", "USR1", "USR2" };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(word, names[i]) == 0)
            return true;
    return false;
}

/* Whatever asks is one and the same here: Ctrl-Break. */
static void word_ignore(char **arguments)
{
    (void)arguments;
    while (script_peek() != NULL && is_signal(script_peek()))
        (void)script_next();
    (void)SetConsoleCtrlHandler(on_console_event, TRUE);
}

static void word_note(char **arguments)
{
    notes = true;
    word_ignore(arguments);
}

static void word_trap(char **arguments)
{
    trap_ms = (long)script_number(arguments[1], MS_MAX);
    trap_code = (long)script_number(arguments[2], 255);
    (void)SetConsoleCtrlHandler(on_console_event, TRUE);
}

/* ---- Being ready ----------------------------------------------------------------------------- */

/* There is no socket for it on Windows: whoever is ready leaves a file, of which a health command,
 * which has the pid in its environment, tells. */
static const char *ready_path(const char *pid)
{
    static char path[MAX_PATH * 3];
    const char *place = getenv("TEST_READY");

    if (place == NULL)
        fail("ready", "TEST_READY is not set");
    snprintf(path, sizeof path, "%s.%s", place, pid);
    return path;
}

void say_ready(void)
{
    char pid[16];

    snprintf(pid, sizeof pid, "%lu", (unsigned long)GetCurrentProcessId());
    output_append(ready_path(pid), "");
}

static void word_notify_ready(char **arguments)
{
    (void)arguments;
    say_ready();
}

static void word_said_ready(char **arguments)
{
    const char *pid = getenv("SVCMGR_PID");

    (void)arguments;
    if (pid == NULL)
        fail("said-ready", "SVCMGR_PID is not set");
    exit(output_is_there(ready_path(pid)) ? 0 : 1);
}

/* ---- Words ----------------------------------------------------------------------------------- */

static void word_help(char **arguments);

static const struct word words[] = {
    { "help", "", PLAIN, word_help, "prints this" },
    { "--max-seconds", "N", OPTION, word_max_seconds, "gone after N seconds as well" },
    { "listen-fd", "", PLAIN, word_listen_fd, "visitors come in on the passed socket" },
    { "bind", "ADDRESS", PLAIN, word_bind, "listens there; visitors come in there" },
    { "bind-only", "ADDRESS", PLAIN, word_bind_only, "bound, not listening; stays" },
    { "listen-silent", "ADDRESS", PLAIN, word_listen_silent, "listens, accepts nothing; stays" },
    { "serve", "", PLAIN, word_serve, "answers HTTP: who it is, and ?env=NAME" },
    { "accept-silent", "", PLAIN, word_accept_silent, "accepts and never says a word" },
    { "silent", "", PLAIN, word_accept_silent, "the same" },
    { "banner", "TEXT", PLAIN, word_banner, "writes TEXT to each visitor, as SSH does" },
    { "close-at-once", "", PLAIN, word_close_at_once, "accepts and closes" },
    { "drip", "", PLAIN, word_drip, "one byte a second to each visitor" },
    { "tls-like", "", PLAIN, word_tls_like, "a TLS alert to what begins with 0x16" },
    { "rst", "", PLAIN, word_rst, "accepts and resets" },
    { "--status", "N", OPTION, word_status, "of HTTP answers (200)" },
    { "slow", "MS", OPTION, word_slow, "before each HTTP answer" },
    { "answers", "FILE", OPTION, word_answers,
            "status and MS of each HTTP answer, if it is there" },
    { "exit-after", "N", OPTION, word_exit_after, "exits after so many HTTP answers" },
    { "code", "CODE", OPTION, word_code, "with this code (0)" },
    { "for", "MS", OPTION, word_for, "exits with 0 after so long, whatever it does" },
    { "exit-after-ms", "MS CODE", OPTION, word_exit_after_ms, "the same with a code" },
    { "exit", "CODE", PLAIN, word_exit, "exits" },
    { "exit-if", "FILE CODE", PLAIN, word_exit_if, "exits with CODE if it is there" },
    { "exit-unless", "FILE CODE", PLAIN, word_exit_unless, "exits with CODE if it is not" },
    { "die", "SIGNAL", PLAIN, word_die, "ends as Windows ends it then; SEGV" },
    { "sleep", "MS", PLAIN, word_sleep, "waits" },
    { "sleep-forever", "", PLAIN, word_sleep_forever, "waits for the end" },
    { "ignore", "SIGNAL", PLAIN, word_ignore, "does not end when it is asked to" },
    { "note", "SIGNAL", PLAIN, word_note, "prints 'caught TERM' then, and goes on" },
    { "trap", "SIGNAL MS CODE", PLAIN, word_trap, "then exits MS later with CODE" },
    { "pids", "FILE", PLAIN, word_pids, "each process started from here on adds its pid to FILE" },
    { "fork-tree", "DEPTH WIDTH", PLAIN, word_fork_tree, "processes that ignore whatever asks" },
    { "double-fork", "", PLAIN, word_double_fork, "an orphan without a console, likewise" },
    { "leaf", "DEPTH WIDTH", PLAIN, word_leaf, "what these two start" },
    { "runaway", "COUNT US", PLAIN, word_runaway, "each starts the next one and lives for US" },
    { "runner", "COUNT US", PLAIN, word_runner, "one of them" },
    { "leave", "CODE", PLAIN, word_leave, "goes on in a child, exits with CODE" },
    { "begun", "HANDLE", PLAIN, word_begun, "what that child does first" },
    { "notify-ready", "", PLAIN, word_notify_ready, "makes a file TEST_READY.(its pid)" },
    { "said-ready", "", PLAIN, word_said_ready, "exits with 1 unless SVCMGR_PID has done that" },
    { "puppet", "FILE", PLAIN, word_puppet, "does what comes on the port that FILE then holds" },
    { "print", "TEXT", PLAIN, word_print, "TEXT and a new line" },
    { "print-err", "TEXT", PLAIN, word_print_err, "the same to standard error" },
    { "no-newline", "TEXT", PLAIN, word_no_newline, "TEXT alone" },
    { "lines", "COUNT", PLAIN, word_lines, "'line 1' and so on; [EVERY_US]" },
    { "long-line", "BYTES", PLAIN, word_long_line, "so many x and a new line" },
    { "binary", "", PLAIN, word_binary, "all 256 byte values in order" },
    { "flood", "BYTES", PLAIN, word_flood, "in lines of 64 that begin with their offset" },
    { "cat", "", PLAIN, word_cat, "standard input to the output" },
    { "close-input", "", PLAIN, word_close_input, "closes standard input" },
    { "report", "FILE", PLAIN, word_report, "what it has been given, as JSON" },
    { "handles", "FILE", PLAIN, word_handles, "its open handles, as JSON" },
    { "touch", "FILE", PLAIN, word_touch, "makes an empty file" },
    { "own-pid", "FILE", PLAIN, word_own_pid, "adds its pid" },
    { "alone", "LOCK FILE", PLAIN, word_alone, "adds its pid to FILE if another one holds LOCK" },
    { "hold-lock", "FILE", PLAIN, word_hold_lock, "locks it as svcmgr locks a pidfile; stays" },
    { "append", "FILE TEXT", PLAIN, word_append, "TEXT and a new line, in one write" },
    { "wait-for", "FILE", PLAIN, word_wait_for, "until it is there, at most 30 s" },
    { "kill", "PID", PLAIN, word_kill, "ends that process" },
    { "alive", "", PLAIN, word_alive, "prints which of the pids after it have a process" },
    { "having", "TEXT", PLAIN, word_having, "prints the pids of whose program has it in its name" },
};

static void word_help(char **arguments)
{
    (void)arguments;
    script_print_words();
    exit(fflush(stdout) == 0 ? 0 : 3);
}

int main(int argc, char **argv)
{
    settings.argv0 = argv[0];
    script_begin(words, sizeof words / sizeof words[0], argc > 0 ? argv + 1 : argv);
    (void)_setmode(0, _O_BINARY);
    (void)_setmode(1, _O_BINARY);
    (void)_setmode(2, _O_BINARY);
    limit_start(LIMIT_MS_DEFAULT);
    serve_begin();
    if (script_peek() == NULL)
        fail("no words", "'misbehave help' lists them");
    script_run();
    if (settings.stay)
        limit_sleep_forever();
    return 0;
}
