/* What a launcher's definition of a service is made from. */
#ifndef SVCMGR_MATERIAL_H
#define SVCMGR_MATERIAL_H

#include "launcher.h"
#include "scope.h"
#include "service.h"

/* Zeroed before it is filled; freed with material_free(). */
struct material {
    struct definition_input input;
    struct service *service;
    char executable[PLATFORM_PATH_BYTES];
    char config_dir[PLATFORM_PATH_BYTES];
    char state_dir[PLATFORM_PATH_BYTES];
    struct platform_user user;
};

/* The places that this command line moved, which the definition has to name, too. */
int material_fill_places(const struct cli *cli, struct material *material, struct err *err);

/* All of it.  Reads the configuration and those of what the service depends on, and tells their
 * faults. */
int material_gather(const struct cli *cli, const struct target *target,
        const struct launcher *launcher, struct material *material, struct err *err);
void material_free(struct material *material);

#endif
