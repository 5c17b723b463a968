/* What svcmgr says about itself. */
#ifndef SVCMGR_HELP_H
#define SVCMGR_HELP_H

#include "cli.h"

/* Prints how a command is used, as text or as JSON, as 'cli' asks for. */
void help_usage(const struct cli *cli, enum cli_command command);

#endif
