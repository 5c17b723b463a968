#include "since.h"

#include <string.h>

#include "duration.h"
#include "platform.h"
#include "stamp.h"
#include "str.h"

#include "banned.h"

#define YEAR_DIGITS 4

/* Compared up to the microsecond. */
static void cut_zone(char *text)
{
    size_t length = strlen(text);

    if (length > 0 && text[length - 1] == 'Z')
        text[length - 1] = '\0';
}

int since_parse(const char *name, const char *text, struct since *ret_since, struct err *err)
{
    struct since since = { .wanted = false };
    int64_t ago_ms;

    if (duration_parse(text, &ago_ms)) {
        stamp_time(platform_wall_us() - ago_ms * 1000, since.text, sizeof since.text);
    } else {
        for (size_t i = 0; i < YEAR_DIGITS; i++)
            if (!str_is_digit(text[i]))
                return err_set(err, ERR_USAGE, 0,
                        "%s needs a time as in 2026-01-31T12:00:00Z, or 10m for ten minutes ago",
                        name);
        if (!str_copy(since.text, sizeof since.text, text))
            return err_set(err, ERR_USAGE, 0, "%s %s is too long", name, text);
    }
    cut_zone(since.text);
    *ret_since = since;
    return 0;
}

size_t since_needs(const struct since *since)
{
    size_t length = strlen(since->text);

    return length == YEAR_DIGITS ? length + 1 : length;
}

bool since_wants(struct since *since, const char *start, size_t length)
{
    size_t needed = since_needs(since);

    if (needed == 0)
        since->wanted = true;
    else if (length >= needed && str_is_digit(start[0]) && start[YEAR_DIGITS] == '-')
        since->wanted = memcmp(start, since->text, strlen(since->text)) >= 0;
    return since->wanted;
}

bool since_is_after(const struct since *since, const char *name)
{
    const char *from = since->text;

    for (name++; *from != '\0'; from++) {
        if (*from == '-' || *from == ':')
            continue;
        if (*name != *from)
            return *name < *from;
        name++;
    }
    return false;
}
