/* Bytes -> env_file_parse(): names are names, values are text, failures name a line of the file. */
#include <stdint.h>
#include <string.h>

#include "env_file.h"
#include "fuzz.h"
#include "str.h"

#include "banned.h"

static void check_entry(const struct env_file_entry *entry, size_t size)
{
    const char *c = entry->name;

    REQUIRE(str_is_letter(*c) || *c == '_');
    for (; *c != '\0'; c++)
        REQUIRE(str_is_letter(*c) || str_is_digit(*c) || *c == '_');
    REQUIRE(strcmp(entry->name, "UID") != 0);
    REQUIRE(str_is_utf8(entry->value, strlen(entry->value)));
    REQUIRE(strlen(entry->name) + strlen(entry->value) < size);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct arena arena = { 0 };
    struct env_file file = { 0 };
    struct err err = { 0 };

    if (env_file_parse((const char *)bytes, size, &arena, &file, &err) == 0)
        for (size_t i = 0; i < file.count; i++)
            check_entry(&file.entries[i], size);
    else
        REQUIRE(strncmp(err.text, "line ", 5) == 0 || size > ENV_FILE_MAX_BYTES);
    arena_free(&arena);
    return 0;
}
