#include "stamp.h"

#include <stdio.h>
#include <string.h>

#include "banned.h"

bool stamp_next(struct stamp *stamp, const char **data, size_t *length, struct stamp_part *ret_part)
{
    const char *newline;

    if (*length == 0)
        return false;
    newline = memchr(*data, '\n', *length);
    ret_part->stamped = !stamp->in_line;
    ret_part->data = *data;
    ret_part->length = newline != NULL ? (size_t)(newline - *data) + 1 : *length;
    stamp->in_line = newline == NULL;
    *data += ret_part->length;
    *length -= ret_part->length;
    return true;
}

/* Days since 1970 to a date, by the method of Howard Hinnant, "chrono-Compatible Low-Level Date
 * Algorithms" (civil_from_days). */
static void civil(int64_t days, int *ret_year, int *ret_month, int *ret_day)
{
    int64_t shifted = days + 719468;
    int64_t era = shifted / 146097;
    int64_t day_of_era = shifted % 146097;
    int64_t year_of_era =
            (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month = (5 * day_of_year + 2) / 153;

    *ret_day = (int)(day_of_year - (153 * month + 2) / 5 + 1);
    *ret_month = (int)(month < 10 ? month + 3 : month - 9);
    *ret_year = (int)(year_of_era + era * 400 + (*ret_month <= 2));
}

static void format(int64_t wall_us, int digits, int64_t part, char *ret_text, size_t size)
{
    int64_t seconds = wall_us / 1000000;
    int year;
    int month;
    int day;

    civil(seconds / 86400, &year, &month, &day);
    (void)snprintf(ret_text, size, "%04d-%02d-%02dT%02d:%02d:%02d.%0*dZ", year, month, day,
            (int)(seconds / 3600 % 24), (int)(seconds / 60 % 60), (int)(seconds % 60), digits,
            (int)part);
}

void stamp_time(int64_t wall_us, char *ret_text, size_t size)
{
    format(wall_us, 6, wall_us % 1000000, ret_text, size);
}

void stamp_time_ms(int64_t wall_us, char *ret_text, size_t size)
{
    format(wall_us, 3, wall_us % 1000000 / 1000, ret_text, size);
}
