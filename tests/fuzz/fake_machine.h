/* A machine for a supervisor that is fuzzed: time, chance and processes of its own, so that nothing
 * is ever signalled, killed or started, and the same input gives the same run.  Files, Unix
 * sockets, pipes, terminals and the loop over them are the real ones.
 *
 * It takes the place of functions of platform.h with the linker's --wrap: CMakeLists.txt names
 * them. */
#ifndef SVCMGR_FAKE_MACHINE_H
#define SVCMGR_FAKE_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

#include "platform.h"
#include "require.h"

/* Pids beyond what Linux gives: whatever slips through hits nobody (PID_MAX_LIMIT of proc(5)). */
#define FAKE_SUPERVISOR_PID INT64_C(5000000)
#define FAKE_KEEPER_PID     INT64_C(5000001)
#define FAKE_FIRST_PID      INT64_C(5000002)

/* Once in the life of the fuzzer. */
void fake_begin(void);
/* A fresh machine, whose supervisor finds its keeper and its first client's connection (taken over)
 * where it expects them. */
void fake_reset(platform_handle first_client);
/* Takes away what the run has left. */
void fake_end(void);

/* Called when the supervisor has nothing to do before 'deadline_ms' (PLATFORM_NEVER: at all): makes
 * something happen. */
void fake_on_idle(void (*idle)(int64_t deadline_ms));

int64_t fake_now_ms(void);
void fake_advance(int64_t ms);

/* A duplicate for the other side of a handle, out of the supervisor's way; -1 for none. */
int fake_copy(platform_handle handle);
/* Closes it, if it is one, and makes it -1. */
void fake_close(int *fd);

/* Connects to the last TCP port that the supervisor listens on, -1 if there is none.  It is a Unix
 * socket, whose other end has what is sent at once. */
int fake_connect_tcp(void);

/* The keeper: what it is asked for by people, and its death. */
void fake_keeper_ask(int what);
void fake_keeper_die(void);
/* SIGTERM to the supervisor. */
void fake_ask_stop(void);

#endif
