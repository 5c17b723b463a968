/* Reading what launchctl(1) prints, and its codes, for us to tell in our words.
 *
 * Its manual calls the output no interface: only lines that have been the same for all versions are
 * read, and what is not there stays unknown. */
#ifndef SVCMGR_LAUNCHD_REPLY_H
#define SVCMGR_LAUNCHD_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"

#define LAUNCHD_REPLY_PATH_BYTES 1024

/* The codes that matter; those below 100 are of errno(2). */
enum launchd_reply_code {
    LAUNCHD_REPLY_DONE = 0,
    LAUNCHD_REPLY_DENIED = 1,
    LAUNCHD_REPLY_NO_PROCESS = 3, /* bootout: not loaded */
    LAUNCHD_REPLY_IO = 5, /* bootstrap: loaded already, on its way out, or not as it should be */
    LAUNCHD_REPLY_IN_PROGRESS = 36,
    LAUNCHD_REPLY_ALREADY = 37,
    LAUNCHD_REPLY_NO_DOMAIN = 112,
    LAUNCHD_REPLY_NO_SERVICE = 113,
    LAUNCHD_REPLY_DISABLED = 119,
    LAUNCHD_REPLY_NOT_HERE = 125 /* "Domain does not support specified action" */
};

/* What 'launchctl print DOMAIN/LABEL' says of a job. */
struct launchd_job {
    int64_t pid;   /* 0: none */
    uint64_t runs; /* how often it was started since it is loaded */
    bool is_pending;
    char state[48];                      /* "running" */
    char last_exit[64];                  /* "1", "(never exited)" */
    char path[LAUNCHD_REPLY_PATH_BYTES]; /* of the plist that it was loaded from; "" unknown */
};

void launchd_reply_job(const char *text, struct launchd_job *ret_job);

/* The label of the job whose main process a pid is, in what 'launchctl list' prints; false if there
 * is none. */
bool launchd_reply_label(const char *text, int64_t pid, char *ret_label, size_t size);

/* Whether 'launchctl print-disabled' names the label as disabled. */
bool launchd_reply_is_disabled(const char *text, const char *label);

/* 'text' is what a launchctl that ended with 'code' has printed, 'doing' what it was asked for.  Is
 * -1. */
int launchd_reply_explain(int code, const char *text, const char *doing, struct err *err);

#endif
