#include "keeper_state.h"

#include <string.h>

#include "str.h"

#include "banned.h"

#define FORMAT     "svcmgr-keeper 1"
#define LAST       "end"
#define ITEM_BYTES (PLATFORM_PATH_BYTES + 32)

struct text {
    char *at;
    size_t left;
    bool full;
};

static void put(struct text *text, const char *item)
{
    size_t length = strlen(item) + 1;

    text->full = text->full || length > text->left;
    if (text->full)
        return;
    memcpy(text->at, item, length);
    text->at += length;
    text->left -= length;
}

static void put_text(struct text *text, const char *key, const char *value)
{
    char item[ITEM_BYTES];

    if (!str_format(item, sizeof item, "%s %s", key, value))
        text->full = true;
    put(text, item);
}

static void put_number(struct text *text, const char *key, int64_t value)
{
    char digits[32];

    (void)str_format(digits, sizeof digits, "%lld", (long long)value);
    put_text(text, key, digits);
}

static void put_held(struct text *text, const struct keeper_held *held)
{
    char value[KEEPER_NAME_BYTES + 32];

    (void)str_format(value, sizeof value, "%lld %s", (long long)held->handle, held->name);
    put_text(text, "held", value);
}

size_t keeper_state_write(const struct keeper_state *state, char *ret_text, size_t size)
{
    struct text text = { .at = ret_text, .left = size };

    put(&text, FORMAT);
    for (size_t i = 0; i < KEEPER_WORDS_MAX && state->words[i] != NULL; i++)
        put_text(&text, "word", state->words[i]);
    if (state->channel != PLATFORM_NO_HANDLE)
        put_number(&text, "channel", state->channel);
    if (state->bell != PLATFORM_NO_HANDLE)
        put_number(&text, "bell", state->bell);
    put_number(&text, "supervisor", state->supervisor);
    put_number(&text, "started", state->started_ms);
    put_number(&text, "delay", state->delay_ms);
    put_number(&text, "lives", state->lives);
    put_number(&text, "stops", state->stops_asked);
    put_number(&text, "greeted", state->greeted);
    put_number(&text, "terminal", state->had_terminal);
    put_number(&text, "unheard", state->stop_unheard);
    put_number(&text, "reload", state->reload_asked);
    put_number(&text, "missed", state->missed);
    for (size_t i = 0; i < KEEPER_RECORDED_MAX; i++)
        if (state->recorded[i] != 0)
            put_number(&text, "recorded", state->recorded[i]);
    for (size_t i = 0; i < KEEPER_HELD_MAX; i++)
        if (state->held[i].name[0] != '\0')
            put_held(&text, &state->held[i]);
    put(&text, LAST);
    return text.full ? 0 : size - text.left;
}

static bool number_of(const char *value, int64_t *ret_number)
{
    bool negative = value[0] == '-';
    uint64_t number;

    if (!str_to_uint(value + negative, INT64_MAX, &number))
        return false;
    *ret_number = negative ? -(int64_t)number : (int64_t)number;
    return true;
}

static void take_held(const char *value, struct keeper_state *state)
{
    const char *name = strchr(value, ' ');
    char digits[32];
    int64_t handle;

    if (name == NULL || !str_format(digits, sizeof digits, "%.*s", (int)(name - value), value) ||
            !number_of(digits, &handle))
        return;
    for (size_t i = 0; i < KEEPER_HELD_MAX; i++)
        if (state->held[i].name[0] == '\0' &&
                str_copy(state->held[i].name, KEEPER_NAME_BYTES, name + 1)) {
            state->held[i].handle = (platform_handle)handle;
            return;
        }
}

static void take_word(const char *value, struct keeper_state *state)
{
    for (size_t i = 0; i < KEEPER_WORDS_MAX; i++)
        if (state->words[i] == NULL) {
            state->words[i] = value;
            return;
        }
}

static void take_recorded(int64_t pid, struct keeper_state *state)
{
    for (size_t i = 0; i < KEEPER_RECORDED_MAX; i++)
        if (state->recorded[i] == 0) {
            state->recorded[i] = pid;
            return;
        }
}

static void take_number(const char *key, size_t length, int64_t number, struct keeper_state *state)
{
    const struct {
        const char *key;
        int64_t *wide;
        int32_t *narrow;
        bool *flag;
        platform_handle *handle;
    } rows[] = {
        { "channel", .handle = &state->channel },
        { "bell", .handle = &state->bell },
        { "supervisor", .wide = &state->supervisor },
        { "started", .wide = &state->started_ms },
        { "delay", .wide = &state->delay_ms },
        { "lives", .narrow = &state->lives },
        { "stops", .narrow = &state->stops_asked },
        { "greeted", .flag = &state->greeted },
        { "terminal", .flag = &state->had_terminal },
        { "unheard", .flag = &state->stop_unheard },
        { "reload", .flag = &state->reload_asked },
        { "missed", .flag = &state->missed },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (strlen(rows[i].key) != length || memcmp(rows[i].key, key, length) != 0)
            continue;
        if (rows[i].wide != NULL)
            *rows[i].wide = number;
        else if (rows[i].narrow != NULL)
            *rows[i].narrow = (int32_t)number;
        else if (rows[i].flag != NULL)
            *rows[i].flag = number != 0;
        else
            *rows[i].handle = (platform_handle)number;
    }
}

static void take_item(const char *item, struct keeper_state *state)
{
    size_t length = strcspn(item, " ");
    const char *value = item + length + (item[length] == ' ');
    int64_t number;

    if (strncmp(item, "word ", 5) == 0)
        take_word(value, state);
    else if (strncmp(item, "held ", 5) == 0)
        take_held(value, state);
    else if (!number_of(value, &number))
        return;
    else if (strncmp(item, "recorded ", 9) == 0)
        take_recorded(number, state);
    else
        take_number(item, length, number, state);
}

bool keeper_state_read(const char *text, size_t length, struct keeper_state *ret_state)
{
    struct keeper_state state = { .channel = PLATFORM_NO_HANDLE, .bell = PLATFORM_NO_HANDLE };
    size_t at = sizeof FORMAT;

    if (length < at + sizeof LAST || memcmp(text, FORMAT, at) != 0 ||
            memcmp(text + length - sizeof LAST - 1, "\0" LAST, sizeof LAST + 1) != 0)
        return false;
    for (; at < length; at += strlen(text + at) + 1)
        take_item(text + at, &state);
    if (state.words[0] == NULL)
        return false;
    *ret_state = state;
    return true;
}
