#include "misbehave.h"

#include <errno.h>
#include <fcntl.h>
#include <io.h>
#include <stdlib.h>
#include <string.h>

#include <windows.h>

#define MAX_MS_DEFAULT 120000
#define MS_MAX         3600000
#define TIME_IS_UP     124
#define LOCK_OFFSET    0x100000u
#define WAIT_MS_MAX    30000
#define FLOOD_LINE     64 /* bytes, of which 15 are the offset */

/* OPTION: a server that stands before it takes it into account too. */
enum kind { PLAIN, OPTION };

struct settings settings = { .status = 200 };

static char **script; /* the words that are left, NULL at the end */

/* ---- The script ------------------------------------------------------------------------------ */

const char *script_peek(void)
{
    return *script;
}

const char *script_next(void)
{
    return *script != NULL ? *script++ : NULL;
}

_Noreturn void fail(const char *what, const char *why)
{
    fprintf(stderr, "misbehave: %s: %s\n", what, why);
    exit(3);
}

long long script_number(const char *text, long long max)
{
    char *end;
    long long value;

    errno = 0;
    value = strtoll(text, &end, 10);
    if (*text == '\0' || *end != '\0' || errno != 0 || value < 0 || value > max)
        fail(text, "not a number in its range");
    return value;
}

/* ---- Time ------------------------------------------------------------------------------------ */

struct end {
    DWORD ms;
    int code;
};

static DWORD WINAPI end_in_time(void *argument)
{
    struct end end = *(struct end *)argument;

    Sleep(end.ms);
    if (end.code == TIME_IS_UP)
        fprintf(stderr, "misbehave: time is up\n");
    (void)TerminateProcess(GetCurrentProcess(), (UINT)end.code);
    return 0;
}

static void end_after(long long ms, int code)
{
    struct end *end = malloc(sizeof *end);
    HANDLE thread;

    if (end == NULL)
        fail("end", "out of memory");
    *end = (struct end) { .ms = (DWORD)ms, .code = code };
    thread = CreateThread(NULL, 0, end_in_time, end, 0, NULL);
    if (thread == NULL)
        fail("end", "cannot start a thread");
    (void)CloseHandle(thread);
}

static void word_max_seconds(char **arguments)
{
    end_after(script_number(arguments[0], MS_MAX / 1000) * 1000, TIME_IS_UP);
}

static void word_for(char **arguments)
{
    end_after(script_number(arguments[0], MS_MAX), 0);
    settings.stay = true;
}

static void word_exit_after_ms(char **arguments)
{
    end_after(script_number(arguments[0], MS_MAX), (int)script_number(arguments[1], 255));
    settings.stay = true;
}

static void word_exit(char **arguments)
{
    exit((int)script_number(arguments[0], 255));
}

static void word_sleep(char **arguments)
{
    Sleep((DWORD)script_number(arguments[0], MS_MAX));
}

static void word_sleep_forever(char **arguments)
{
    (void)arguments;
    Sleep(INFINITE);
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
        end_after(trap_ms, (int)trap_code);
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

/* ---- Servers' options ------------------------------------------------------------------------ */

static void word_status(char **arguments)
{
    settings.status = (int)script_number(arguments[0], 999);
}

static void word_slow(char **arguments)
{
    settings.slow_ms = (int)script_number(arguments[0], MS_MAX);
}

static void word_answers(char **arguments)
{
    settings.answers = arguments[0];
}

static void word_exit_after(char **arguments)
{
    settings.exit_after = (int)script_number(arguments[0], 1000000000);
}

static void word_code(char **arguments)
{
    settings.exit_code = (int)script_number(arguments[0], 255);
}

/* ---- Output ---------------------------------------------------------------------------------- */

void write_out(int fd, const char *bytes, size_t length)
{
    while (length > 0) {
        int written = _write(fd, bytes, (unsigned)(length < 65536 ? length : 65536));

        if (written <= 0)
            fail("write", strerror(errno));
        bytes += written;
        length -= (size_t)written;
    }
}

static void write_line(int fd, const char *text)
{
    char line[8192];
    int length = snprintf(line, sizeof line, "%s\n", text);

    if (length < 0 || length >= (int)sizeof line)
        fail("line", "the text is too long");
    write_out(fd, line, (size_t)length);
}

static void word_print(char **arguments)
{
    write_line(1, arguments[0]);
}

static void word_print_err(char **arguments)
{
    write_line(2, arguments[0]);
}

static void word_no_newline(char **arguments)
{
    write_out(1, arguments[0], strlen(arguments[0]));
}

static bool is_number(const char *text)
{
    return text != NULL && text[0] != '\0' && strspn(text, "0123456789") == strlen(text);
}

static void word_lines(char **arguments)
{
    long long count = script_number(arguments[0], 1000000000);
    long long every_us = is_number(script_peek()) ? script_number(script_next(), 60000000) : 0;
    char line[32];

    for (long long i = 1; i <= count; i++) {
        snprintf(line, sizeof line, "line %lld", i);
        write_line(1, line);
        if (every_us > 0)
            Sleep((DWORD)((every_us + 999) / 1000));
    }
}

static void word_long_line(char **arguments)
{
    long long left = script_number(arguments[0], 1LL << 40);
    static char piece[65536];

    memset(piece, 'x', sizeof piece);
    while (left > 0) {
        size_t length = left < (long long)sizeof piece ? (size_t)left : sizeof piece;

        write_out(1, piece, length);
        left -= (long long)length;
    }
    write_out(1, "\n", 1);
}

static void word_binary(char **arguments)
{
    char bytes[256];

    (void)arguments;
    for (int i = 0; i < 256; i++)
        bytes[i] = (char)i;
    write_out(1, bytes, sizeof bytes);
}

static void word_flood(char **arguments)
{
    long long total = script_number(arguments[0], 1LL << 40);
    static char piece[1024 * FLOOD_LINE];
    char offset[24];

    memset(piece, '.', sizeof piece);
    for (size_t i = FLOOD_LINE - 1; i < sizeof piece; i += FLOOD_LINE)
        piece[i] = '\n';
    for (long long at = 0; at < total; at += (long long)sizeof piece) {
        long long left = total - at;

        for (size_t i = 0; i < sizeof piece; i += FLOOD_LINE) {
            snprintf(offset, sizeof offset, "%015lld", at + (long long)i);
            memcpy(piece + i, offset, 15);
        }
        write_out(1, piece, left < (long long)sizeof piece ? (size_t)left : sizeof piece);
    }
}

static void word_cat(char **arguments)
{
    static char bytes[65536];
    int got;

    (void)arguments;
    while ((got = _read(0, bytes, sizeof bytes)) > 0)
        write_out(1, bytes, (size_t)got);
}

/* ---- Files ----------------------------------------------------------------------------------- */

void append_text(const char *path, const char *text)
{
    HANDLE file = CreateFileA(path, FILE_APPEND_DATA,
            FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL, OPEN_ALWAYS, 0, NULL);
    DWORD written;

    if (file == INVALID_HANDLE_VALUE ||
            (text[0] != '\0' && !WriteFile(file, text, (DWORD)strlen(text), &written, NULL)))
        fail(path, "cannot write to it");
    (void)CloseHandle(file);
}

static void word_append(char **arguments)
{
    char line[8192];

    if (snprintf(line, sizeof line, "%s\n", arguments[1]) >= (int)sizeof line)
        fail("append", "the text is too long");
    append_text(arguments[0], line);
}

static void word_touch(char **arguments)
{
    append_text(arguments[0], "");
}

static void word_own_pid(char **arguments)
{
    char line[32];

    snprintf(line, sizeof line, "%lu\n", (unsigned long)GetCurrentProcessId());
    append_text(arguments[0], line);
}

/* A file that is open for nobody else. */
static void word_alone(char **arguments)
{
    if (CreateFileA(arguments[0], GENERIC_WRITE, 0, NULL, OPEN_ALWAYS, 0, NULL) ==
            INVALID_HANDLE_VALUE)
        word_own_pid(arguments + 1);
}

/* As svcmgr does it. */
static void word_hold_lock(char **arguments)
{
    HANDLE file = CreateFileA(arguments[0], GENERIC_READ | GENERIC_WRITE,
            FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL, OPEN_ALWAYS, 0, NULL);
    OVERLAPPED at = { .Offset = LOCK_OFFSET };

    if (file == INVALID_HANDLE_VALUE ||
            !LockFileEx(file, LOCKFILE_EXCLUSIVE_LOCK | LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, &at))
        fail(arguments[0], "cannot be locked");
    settings.stay = true;
}

static void word_wait_for(char **arguments)
{
    ULONGLONG end_ms = GetTickCount64() + WAIT_MS_MAX;

    while (GetFileAttributesA(arguments[0]) == INVALID_FILE_ATTRIBUTES) {
        if (GetTickCount64() >= end_ms)
            fail(arguments[0], "did not come in time");
        Sleep(2);
    }
}

static void word_exit_if(char **arguments)
{
    if (GetFileAttributesA(arguments[0]) != INVALID_FILE_ATTRIBUTES)
        exit((int)script_number(arguments[1], 255));
}

static void word_exit_unless(char **arguments)
{
    if (GetFileAttributesA(arguments[0]) == INVALID_FILE_ATTRIBUTES)
        exit((int)script_number(arguments[1], 255));
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
    append_text(ready_path(pid), "");
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
    exit(GetFileAttributesA(ready_path(pid)) != INVALID_FILE_ATTRIBUTES ? 0 : 1);
}

void put_string(FILE *file, const char *text)
{
    if (text == NULL) {
        fputs("null", file);
        return;
    }
    fputc('"', file);
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;

        if (c < ' ' || c == '"' || c == '\\')
            fprintf(file, "\\u%04x", (unsigned)c);
        else
            fputc(c, file);
    }
    fputc('"', file);
}

/* ---- Words ----------------------------------------------------------------------------------- */

static void word_help(char **arguments);

static const struct word {
    const char *name;
    const char *arguments; /* one name for each */
    enum kind kind;
    void (*run)(char **arguments);
    const char *help;
} words[] = {
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
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        printf("  %-14s %-18s %s\n", words[i].name, words[i].arguments, words[i].help);
    exit(fflush(stdout) == 0 ? 0 : 3);
}

static const struct word *find_word(const char *name)
{
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcmp(words[i].name, name) == 0)
            return &words[i];
    return NULL;
}

static int count_arguments(const struct word *word)
{
    int count = 0;

    for (const char *at = word->arguments; *at != '\0'; at++)
        count += at == word->arguments || at[-1] == ' ';
    return count;
}

static void run_next(void)
{
    const struct word *word = find_word(script[0]);
    char **arguments = ++script;

    if (word == NULL)
        fail(script[-1], "not a word; 'misbehave help' lists them");
    for (int left = count_arguments(word); left > 0; left--)
        if (*script++ == NULL)
            fail(word->name, "needs more words");
    word->run(arguments);
}

void script_run_options(void)
{
    while (*script != NULL) {
        const struct word *word = find_word(*script);

        if (word == NULL || word->kind != OPTION)
            fail(*script, "comes after a server and would never be done");
        run_next();
    }
}

int main(int argc, char **argv)
{
    settings.program = argv[0];
    script = argc > 0 ? argv + 1 : argv;
    (void)_setmode(0, _O_BINARY);
    (void)_setmode(1, _O_BINARY);
    (void)_setmode(2, _O_BINARY);
    end_after(MAX_MS_DEFAULT, TIME_IS_UP);
    serve_begin();
    if (script_peek() == NULL)
        fail("no words", "'misbehave help' lists them");
    while (script_peek() != NULL)
        run_next();
    if (settings.stay)
        Sleep(INFINITE);
    return 0;
}
