#include "signals.h"

#include <string.h>

#include "platform.h"

#include "banned.h"

int platform_signal_number(const char *name)
{
    for (const struct signal_entry *entry = platform_signals; entry->name != NULL; entry++)
        if (strcmp(entry->name, name) == 0)
            return entry->number;
    return 0;
}

const char *platform_signal_name(int number)
{
    for (const struct signal_entry *entry = platform_signals; entry->name != NULL; entry++)
        if (entry->number == number)
            return entry->name;
    return "?";
}
