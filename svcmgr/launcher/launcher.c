#include "launcher.h"

#include "str.h"

#include "banned.h"

static const struct launcher *const all[] = { &launcher_manual };

const struct launcher *const *launcher_all(size_t *ret_count)
{
    *ret_count = sizeof all / sizeof all[0];
    return all;
}

const struct launcher *launcher_detect(char *ret_unit, size_t size)
{
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        ret_unit[0] = '\0';
        if (all[i]->detect(ret_unit, size))
            return all[i];
    }
    return &launcher_manual;
}

enum launcher_job launcher_ask_all(const struct config *config, char *ret_sentence, size_t size)
{
    ret_sentence[0] = '\0';
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        enum launcher_job job = all[i]->ask == NULL ? LAUNCHER_JOB_NONE
                                                    : all[i]->ask(config, ret_sentence, size);

        if (job != LAUNCHER_JOB_NONE)
            return job;
    }
    return LAUNCHER_JOB_NONE;
}

void launcher_unit_of(int64_t pid, char *ret_text, size_t size)
{
    char unit[LAUNCHER_UNIT_BYTES];

    ret_text[0] = '\0';
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (all[i]->unit_of == NULL || !all[i]->unit_of(pid, unit, sizeof unit))
            continue;
        (void)str_format(ret_text, size, "%s unit %s", all[i]->kind, unit);
        return;
    }
}
