/* The processes of fake_machine.h: entries of a table, of which the supervisor is told as of real
 * ones.  What they have open is real. */
#ifndef SVCMGR_FAKE_PROCESSES_H
#define SVCMGR_FAKE_PROCESSES_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/wait.h>

void fake_processes_begin(void);
void fake_processes_end(void);

/* ---- What the input makes them do ---- */

enum fake_fate {
    FAKE_RUNS,
    FAKE_CANNOT_FORK,
    FAKE_CANNOT_EXECUTE,
    FAKE_NO_DIRECTORY,
    FAKE_ENDS_AT_ONCE,
    FAKE_FATE_COUNT
};
/* Of the next process that is started. */
void fake_set_fate(enum fake_fate fate);

/* Whether processes end when asked to by anything but SIGKILL. */
void fake_set_stubborn(bool stubborn);
/* Whether they read their input. */
void fake_set_reads(bool reads);

/* Living processes: n modulo how many there are; nothing happens if there are none. */
void fake_print(unsigned n, bool on_error, const char *text, size_t length);
void fake_exit(unsigned n, int code, int by_signal, bool leaves_orphan);
/* Ends all that are no service's main process: the commands.  False if there are none. */
bool fake_end_commands(void);

/* ---- For fake_machine.c ---- */

void fake_read_inputs(void);
/* In the place of waitid(2). */
int fake_waitid(idtype_t kind, id_t id, siginfo_t *info, int options);

#endif
