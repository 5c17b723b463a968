/* The types of single values: how each is written, and what it stores. */
#include <math.h>
#include <string.h>

#include "config_read.h"
#include "duration.h"
#include "signal_name.h"
#include "str.h"

#include "banned.h"

#define OCTAL_DIGITS_MIN 3
#define OCTAL_DIGITS_MAX 4

static bool store_in_range(const struct config_field *field, int64_t value, void *ret_value)
{
    if (value < field->min || value > field->max)
        return false;
    memcpy(ret_value, &value, sizeof value);
    return true;
}

static bool is_whole(double number)
{
    return floor(number) == number && fabs(number) <= 9007199254740992.0;
}

/* Strings */

static bool is_one_line(const char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7F)
            return false;
    return true;
}

static bool string_from_text(struct config_reader *reader, const struct config_field *field,
        const char *text, void *ret_value)
{
    const char *copy;

    if ((int64_t)strlen(text) < field->min || !is_one_line(text))
        return false;
    copy = config_copy(reader, text);
    memcpy(ret_value, &copy, sizeof(const char *));
    return true;
}

const struct config_type config_type_string = {
    .kind = "a string of one line that is not empty",
    .from_text = string_from_text,
};

const struct config_type config_type_line = {
    .kind = "a string of one line",
    .from_text = string_from_text,
};

bool config_path_is_valid(const char *path)
{
    if (!is_one_line(path))
        return false;
    if (str_is_letter(path[0]) && path[1] == ':')
        return path[2] == '\\' || path[2] == '/';
    return path[0] == '/' || strncmp(path, "~/", 2) == 0 || strncmp(path, "\\\\", 2) == 0;
}

static bool path_from_text(struct config_reader *reader, const struct config_field *field,
        const char *text, void *ret_value)
{
    return config_path_is_valid(text) && string_from_text(reader, field, text, ret_value);
}

const struct config_type config_type_path = {
    .kind = "an absolute path, or one that begins with ~/",
    .from_text = path_from_text,
};

/* Durations, in milliseconds */

static void duration_range(const struct config_field *field, char *ret_text, size_t size)
{
    char from[DURATION_TEXT_BYTES];
    char to[DURATION_TEXT_BYTES];

    duration_format(field->min, from, sizeof from);
    duration_format(field->max, to, sizeof to);
    (void)str_format(ret_text, size, "from %s to %s", from, to);
}

static bool duration_from_text(struct config_reader *reader, const struct config_field *field,
        const char *text, void *ret_value)
{
    int64_t ms;

    (void)reader;
    return duration_parse(text, &ms) && store_in_range(field, ms, ret_value);
}

static bool duration_from_number(const struct config_field *field, double number, void *ret_value)
{
    int64_t ms;

    return duration_from_seconds(number, &ms) && store_in_range(field, ms, ret_value);
}

const struct config_type config_type_duration = {
    .kind = "a duration",
    .hint = "as in \"250ms\", \"2s\", \"5m\", \"1h\", or a number of seconds",
    .range = duration_range,
    .from_text = duration_from_text,
    .from_number = duration_from_number,
};

static bool watchdog_from_text(struct config_reader *reader, const struct config_field *field,
        const char *text, void *ret_value)
{
    if (strcmp(text, "off") != 0)
        return duration_from_text(reader, field, text, ret_value);
    memset(ret_value, 0, sizeof(int64_t));
    return true;
}

static bool watchdog_from_flag(bool flag, void *ret_value)
{
    memset(ret_value, 0, sizeof(int64_t));
    return !flag;
}

const struct config_type config_type_watchdog = {
    .kind = "\"off\", false, or a duration",
    .hint = "as in \"30s\", or a number of seconds",
    .range = duration_range,
    .from_text = watchdog_from_text,
    .from_number = duration_from_number,
    .from_flag = watchdog_from_flag,
};

/* Sizes, in bytes */

static void format_size(int64_t bytes, char *ret_text, size_t size)
{
    static const char *const units[] = { "", "KiB", "MiB", "GiB", "TiB" };
    size_t unit = 0;

    while (bytes != 0 && bytes % 1024 == 0 && unit + 1 < sizeof units / sizeof units[0]) {
        bytes /= 1024;
        unit++;
    }
    (void)str_format(ret_text, size, "%lld%s", (long long)bytes, units[unit]);
}

static void size_range(const struct config_field *field, char *ret_text, size_t size)
{
    char from[DURATION_TEXT_BYTES];
    char to[DURATION_TEXT_BYTES];

    format_size(field->min, from, sizeof from);
    format_size(field->max, to, sizeof to);
    (void)str_format(ret_text, size, "from %s to %s", from, to);
}

static bool size_from_text(struct config_reader *reader, const struct config_field *field,
        const char *text, void *ret_value)
{
    uint64_t bytes;

    (void)reader;
    return duration_parse_size(text, &bytes) && store_in_range(field, (int64_t)bytes, ret_value);
}

static bool count_from_number(const struct config_field *field, double number, void *ret_value)
{
    return is_whole(number) && store_in_range(field, (int64_t)number, ret_value);
}

const struct config_type config_type_size = {
    .kind = "a size",
    .hint = "as in \"64KiB\", \"10MiB\", or a number of bytes",
    .range = size_range,
    .from_text = size_from_text,
    .from_number = count_from_number,
};

/* Counts */

void config_count_range(const struct config_field *field, char *ret_text, size_t size)
{
    (void)str_format(
            ret_text, size, "from %lld to %lld", (long long)field->min, (long long)field->max);
}

const struct config_type config_type_count = {
    .kind = "a whole number",
    .range = config_count_range,
    .from_number = count_from_number,
};

/* The number is kept in thousandths, the range with it. */
static void factor_range(const struct config_field *field, char *ret_text, size_t size)
{
    (void)str_format(ret_text, size, "from %lld to %lld", (long long)field->min / 1000,
            (long long)field->max / 1000);
}

static bool factor_from_number(const struct config_field *field, double number, void *ret_value)
{
    /* Compared before it is rounded and converted: 0.9999 is too small, 1e300 fits no integer. */
    return number * 1000 >= (double)field->min && number * 1000 <= (double)field->max &&
            store_in_range(field, (int64_t)(number * 1000 + 0.5), ret_value);
}

const struct config_type config_type_factor = {
    .kind = "a number",
    .range = factor_range,
    .from_number = factor_from_number,
};

static bool flag_from_flag(bool flag, void *ret_value)
{
    memcpy(ret_value, &flag, sizeof flag);
    return true;
}

const struct config_type config_type_flag = {
    .kind = "true or false",
    .from_flag = flag_from_flag,
};

static bool octal_from_text(struct config_reader *reader, const struct config_field *field,
        const char *text, void *ret_value)
{
    size_t length = strlen(text);
    int64_t value = 0;

    (void)reader;
    if (length < OCTAL_DIGITS_MIN || length > OCTAL_DIGITS_MAX)
        return false;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '7')
            return false;
        value = value * 8 + (*text - '0');
    }
    return store_in_range(field, value, ret_value);
}

static void octal_range(const struct config_field *field, char *ret_text, size_t size)
{
    (void)str_format(ret_text, size, "from \"%03o\" to \"%03o\"", (unsigned)field->min,
            (unsigned)field->max);
}

const struct config_type config_type_octal = {
    .kind = "an octal number of three or four digits",
    .hint = "in quotes, since JSON has no octal numbers",
    .range = octal_range,
    .from_text = octal_from_text,
};

/* Words */

/* "a", "b" or "c" */
static void word_range(const struct config_field *field, char *ret_text, size_t size)
{
    size_t length = 0;

    ret_text[0] = '\0';
    for (size_t i = 0; field->words[i] != NULL; i++) {
        const char *before = i == 0 ? "" : field->words[i + 1] == NULL ? " or " : ", ";

        (void)str_format(ret_text + length, size - length, "%s\"%s\"", before, field->words[i]);
        length = strlen(ret_text);
    }
}

static int find_word(const struct config_field *field, const char *text)
{
    for (int i = 0; field->words[i] != NULL; i++)
        if (strcmp(field->words[i], text) == 0)
            return i;
    return -1;
}

static bool word_from_text(struct config_reader *reader, const struct config_field *field,
        const char *text, void *ret_value)
{
    int found = find_word(field, text);

    _Static_assert(
            sizeof(enum config_socket) == sizeof found && sizeof(enum config_log) == sizeof found,
            "an enum is stored as an int");
    (void)reader;
    if (found != -1)
        memcpy(ret_value, &found, sizeof found);
    return found != -1;
}

const struct config_type config_type_word = {
    .kind = "one of",
    .range = word_range,
    .from_text = word_from_text,
};

/* One of two words, kept as whether it is the second. */
static bool choice_from_text(struct config_reader *reader, const struct config_field *field,
        const char *text, void *ret_value)
{
    int found = find_word(field, text);

    (void)reader;
    return found != -1 && flag_from_flag(found == 1, ret_value);
}

const struct config_type config_type_choice = {
    .kind = "one of",
    .range = word_range,
    .from_text = choice_from_text,
};

static bool signal_from_text(struct config_reader *reader, const struct config_field *field,
        const char *text, void *ret_value)
{
    /* These stop or wake a process, or only tell it something: none of them asks it to end. */
    static const char *const refused[] = { "STOP", "CONT", "CHLD" };
    const char *name = signal_name_find(text);

    (void)reader;
    (void)field;
    for (size_t i = 0; name != NULL && i < sizeof refused / sizeof refused[0]; i++)
        if (strcmp(name, refused[i]) == 0)
            return false;
    if (name != NULL)
        memcpy(ret_value, &name, sizeof(const char *));
    return name != NULL;
}

const struct config_type config_type_signal = {
    .kind = "the name of a signal",
    .hint = "as in \"TERM\" or \"INT\"; STOP, CONT and CHLD end nothing",
    .from_text = signal_from_text,
};

/* Limits: one of the types above, or no limit */

static bool is_unlimited(const char *text, void *ret_value)
{
    int64_t unlimited = CONFIG_LIMIT_UNLIMITED;

    if (strcmp(text, "unlimited") != 0)
        return false;
    memcpy(ret_value, &unlimited, sizeof unlimited);
    return true;
}

static bool limit_count_from_text(struct config_reader *reader, const struct config_field *field,
        const char *text, void *ret_value)
{
    (void)reader;
    (void)field;
    return is_unlimited(text, ret_value);
}

const struct config_type config_type_limit_count = {
    .kind = "\"unlimited\" or a whole number",
    .range = config_count_range,
    .from_text = limit_count_from_text,
    .from_number = count_from_number,
};

static bool limit_size_from_text(struct config_reader *reader, const struct config_field *field,
        const char *text, void *ret_value)
{
    return is_unlimited(text, ret_value) || size_from_text(reader, field, text, ret_value);
}

const struct config_type config_type_limit_size = {
    .kind = "\"unlimited\" or a size",
    .hint = "as in \"64MiB\", or a number of bytes",
    .range = size_range,
    .from_text = limit_size_from_text,
    .from_number = count_from_number,
};

/* Kept in seconds, the range with it. */
static void limit_time_range(const struct config_field *field, char *ret_text, size_t size)
{
    struct config_field in_ms = { .min = field->min * 1000, .max = field->max * 1000 };

    duration_range(&in_ms, ret_text, size);
}

static bool limit_time_from_text(struct config_reader *reader, const struct config_field *field,
        const char *text, void *ret_value)
{
    int64_t ms;

    (void)reader;
    return is_unlimited(text, ret_value) ||
            (duration_parse(text, &ms) && ms % 1000 == 0 &&
                    store_in_range(field, ms / 1000, ret_value));
}

const struct config_type config_type_limit_time = {
    .kind = "\"unlimited\" or a duration of whole seconds",
    .hint = "as in \"90s\", \"1h\", or a number of seconds",
    .range = limit_time_range,
    .from_text = limit_time_from_text,
    .from_number = count_from_number,
};
