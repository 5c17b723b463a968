/* At which step of a spawn something went wrong, in words. */
#include <string.h>

#include "platform.h"

#include "banned.h"

static const char *const stage_names[] = {
    [PLATFORM_STAGE_FORK] = "cannot start a process",
    [PLATFORM_STAGE_SESSION] = "cannot begin a session",
    [PLATFORM_STAGE_TERMINAL] = "cannot have its terminal",
    [PLATFORM_STAGE_DESCRIPTORS] = "cannot set up its descriptors",
    [PLATFORM_STAGE_LIMITS] = "cannot set its limits",
    [PLATFORM_STAGE_NICE] = "cannot set its nice value",
    [PLATFORM_STAGE_GROUP] = "cannot become its group",
    [PLATFORM_STAGE_USER] = "cannot become its user",
    [PLATFORM_STAGE_DIRECTORY] = "cannot enter its working directory",
    [PLATFORM_STAGE_EXECUTE] = "cannot execute",
};
_Static_assert(
        sizeof stage_names / sizeof stage_names[0] == PLATFORM_STAGE_COUNT, "a stage has no name");

const char *platform_stage_name(enum platform_stage stage)
{
    return stage_names[stage];
}

bool platform_is_about_stage(const char *sentence, enum platform_stage stage)
{
    const char *name = platform_stage_name(stage);

    return strncmp(sentence, name, strlen(name)) == 0;
}
