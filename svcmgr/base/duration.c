#include "duration.h"

#include <stdio.h>
#include <string.h>

#include "str.h"

#include "banned.h"

/* Longer than anybody means, short enough that sums of a few never overflow. */
#define DURATION_MAX_MS (INT64_C(1000) * 86400 * 365 * 100)

struct unit {
    const char *name;
    uint64_t factor;
};

static const struct unit time_units[] = {
    { "ms", 1 },
    { "s", 1000 },
    { "m", UINT64_C(60) * 1000 },
    { "h", UINT64_C(3600) * 1000 },
    { "d", UINT64_C(86400) * 1000 },
};

static const struct unit size_units[] = {
    { "", 1 },
    { "B", 1 },
    { "KiB", UINT64_C(1) << 10 },
    { "MiB", UINT64_C(1) << 20 },
    { "GiB", UINT64_C(1) << 30 },
    { "TiB", UINT64_C(1) << 40 },
    { "K", UINT64_C(1) << 10 },
    { "M", UINT64_C(1) << 20 },
    { "G", UINT64_C(1) << 30 },
    { "T", UINT64_C(1) << 40 },
    { "KB", 1000 },
    { "MB", UINT64_C(1000) * 1000 },
    { "GB", UINT64_C(1000) * 1000 * 1000 },
    { "TB", UINT64_C(1000) * 1000 * 1000 * 1000 },
};

/* Digits with an optional fraction of at most six digits: value is in millionths. */
static const char *parse_number(const char *text, uint64_t *ret_millionths)
{
    uint64_t value = 0;
    int digits = 0;

    if (!str_is_digit(*text))
        return NULL;
    for (; str_is_digit(*text); text++) {
        if (++digits > 13)
            return NULL;
        value = value * 10 + (uint64_t)(*text - '0');
    }
    value *= 1000000;
    if (*text == '.') {
        uint64_t scale = 100000;

        if (!str_is_digit(*++text))
            return NULL;
        for (; str_is_digit(*text); text++) {
            if (scale == 0)
                return NULL;
            value += (uint64_t)(*text - '0') * scale;
            scale /= 10;
        }
    }
    *ret_millionths = value;
    return text;
}

static const struct unit *find_unit(const struct unit *units, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(units[i].name, name) == 0)
            return &units[i];
    return NULL;
}

bool duration_parse(const char *text, int64_t *ret_ms)
{
    uint64_t millionths;
    uint64_t ms;
    const char *rest = parse_number(text, &millionths);
    const struct unit *unit;

    if (rest == NULL)
        return false;
    unit = find_unit(time_units, sizeof time_units / sizeof time_units[0], rest);
    if (unit == NULL || millionths / 1000000 > DURATION_MAX_MS / unit->factor)
        return false;
    ms = millionths / 1000000 * unit->factor;
    ms += millionths % 1000000 * unit->factor / 1000000;
    /* A part of a millisecond cannot be kept: "0.5ms" is a mistake, not 0. */
    if (millionths % 1000000 * unit->factor % 1000000 != 0)
        return false;
    *ret_ms = (int64_t)ms;
    return true;
}

bool duration_from_seconds(double seconds, int64_t *ret_ms)
{
    double ms = seconds * 1000;

    if (!(ms >= 0 && ms <= (double)DURATION_MAX_MS)) /* not a number is neither */
        return false;
    *ret_ms = (int64_t)(ms + 0.5);
    return true;
}

void duration_format(int64_t ms, char *ret_text, size_t size)
{
    const struct unit *unit = &time_units[0];

    for (size_t i = 1; i < sizeof time_units / sizeof time_units[0]; i++)
        if (ms != 0 && ms % (int64_t)time_units[i].factor == 0)
            unit = &time_units[i];
    if (unit == &time_units[0] && ms >= 1000) {
        int digits = 3;
        int64_t part = ms % 1000;

        while (part % 10 == 0) {
            part /= 10;
            digits--;
        }
        (void)snprintf(
                ret_text, size, "%lld.%0*llds", (long long)(ms / 1000), digits, (long long)part);
        return;
    }
    (void)snprintf(ret_text, size, "%lld%s", (long long)(ms / (int64_t)unit->factor), unit->name);
}

void duration_format_rough(int64_t ms, char *ret_text, size_t size)
{
    long long seconds = ms / 1000;

    if (ms < 1000)
        (void)snprintf(ret_text, size, "%lldms", (long long)ms);
    else if (seconds < 60)
        (void)snprintf(ret_text, size, "%llds", seconds);
    else if (seconds < 3600)
        (void)snprintf(ret_text, size, "%lldm %llds", seconds / 60, seconds % 60);
    else if (seconds < 86400)
        (void)snprintf(ret_text, size, "%lldh %lldm", seconds / 3600, seconds / 60 % 60);
    else
        (void)snprintf(ret_text, size, "%lldd %lldh", seconds / 86400, seconds / 3600 % 24);
}

bool duration_parse_size(const char *text, uint64_t *ret_bytes)
{
    uint64_t millionths;
    const char *rest = parse_number(text, &millionths);
    const struct unit *unit;

    if (rest == NULL)
        return false;
    unit = find_unit(size_units, sizeof size_units / sizeof size_units[0], rest);
    if (unit == NULL || millionths / 1000000 > (UINT64_C(1) << 62) / unit->factor)
        return false;
    if (millionths % 1000000 * (unit->factor % 1000000) % 1000000 != 0 && unit->factor < 1000000)
        return false;
    *ret_bytes = millionths / 1000000 * unit->factor;
    *ret_bytes += (uint64_t)((double)(millionths % 1000000) / 1e6 * (double)unit->factor);
    return true;
}
