#include "patience.h"

#include "launcher.h"
#include "str.h"

#include "banned.h"

#define TELL_EVERY_MS 1000
/* Nothing that a command waits for without looking up takes longer: calls of launchers' programs,
 * supervisors that do not answer. */
#define TELL_WAIT_MS 30000

static struct {
    const struct launcher *launcher; /* NULL: nobody waits */
    int64_t told_ms;
    char sentence[128];
} patience;

void patience_begin(void)
{
    struct platform_process_info info;
    char unit[LAUNCHER_UNIT_BYTES];
    const struct launcher *launcher;

    if (!platform_process_info(platform_pid(), &info))
        return;
    launcher = launcher_detect(info.parent, unit, sizeof unit);
    patience.launcher = launcher->tell != NULL ? launcher : NULL;
}

void patience_for(const char *name)
{
    if (patience.launcher == NULL)
        return;
    (void)str_format(
            patience.sentence, sizeof patience.sentence, "starting what it depends on: %s", name);
    patience.told_ms = PLATFORM_NEVER;
    patience_keep();
}

void patience_keep(void)
{
    int64_t now_ms = platform_now_ms();

    if (patience.launcher == NULL || patience.sentence[0] == '\0' ||
            (patience.told_ms != PLATFORM_NEVER && now_ms < patience.told_ms + TELL_EVERY_MS))
        return;
    patience.told_ms = now_ms;
    (void)patience.launcher->tell(LAUNCHER_STATUS, patience.sentence, TELL_WAIT_MS);
}
