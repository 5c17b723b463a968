/* A launcher that waits for a service's start is told what it waits for, while that is done by
 * commands: what the service depends on is started before it has a supervisor. */
#ifndef SVCMGR_PATIENCE_H
#define SVCMGR_PATIENCE_H

/* In the child of 'run' that starts what this service depends on. */
void patience_begin(void);
/* What is waited for now. */
void patience_for(const char *name);
/* Tells the launcher, now and then.  Does nothing without patience_begin(), or without a launcher.
 */
void patience_keep(void);

#endif
