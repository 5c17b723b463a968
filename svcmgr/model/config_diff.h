/* What is different between two configurations, and whether a running instance can get it. */
#ifndef SVCMGR_CONFIG_DIFF_H
#define SVCMGR_CONFIG_DIFF_H

#include <stdbool.h>
#include <stddef.h>

#include "config.h"

#define CONFIG_DIFF_MAX 48

struct config_diff {
    const char *live[CONFIG_DIFF_MAX]; /* keys that take effect at once */
    size_t live_count;
    const char *restart[CONFIG_DIFF_MAX]; /* keys that only a new instance gets */
    size_t restart_count;
};

void config_diff(const struct config *from, const struct config *to, struct config_diff *ret_diff);

/* Copies the values of the live keys.  Texts stay those of 'from', which has to live on. */
void config_apply_live(const struct config *from, struct config *to);

#endif
