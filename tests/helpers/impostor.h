#ifndef IMPOSTOR_H
#define IMPOSTOR_H

#include <stdio.h>

/* A program in svcmgr's place that fails its self-check, or says what a new version would say of
 * itself and then does not take over: what it does is the first word in the file "mode" beside it.
 *
 * impostor.c has main(); these are each system's. */

FILE *impostor_open_mode(void); /* NULL: there is none */
/* What is done instead of taking over; returns the exit status. */
int impostor_act(const char *mode, int argc, char **argv);
_Noreturn void impostor_crash(void);
_Noreturn void impostor_hang_with_child(void);
void impostor_change(void); /* puts the file "other" beside us in our place */

#endif
