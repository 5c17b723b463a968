/* Reads configurations as svcmgr does, for the test of the schema.
 *
 *   parse_config FILE...   prints FILE:LINE:COLUMN: TEXT for each fault; exit 6 if there is one
 *   parse_config --keys    prints every key: PATH, KIND, RANGE, "computed" or "", DEFAULT, HELP,
 *                          with tabs between them */
#include <stdio.h>
#include <string.h>

#include "config.h"
#include "err.h"

#include "banned.h"

static void print_keys(void)
{
    size_t count;
    const struct config_key *keys = config_keys(&count);

    for (size_t i = 0; i < count; i++)
        (void)printf("%s\t%s\t%s\t%s\t%s\t%s\n", keys[i].path, keys[i].kind, keys[i].range,
                keys[i].computed ? "computed" : "", keys[i].fallback, keys[i].help);
}

/* Reads one byte more than a configuration may have, so that a longer one shows. */
static int parse_file(const char *path)
{
    static char text[CONFIG_MAX_BYTES + 1];
    FILE *file = fopen(path, "rb");
    struct json_faults faults = { 0 };
    struct config config;
    size_t length;
    int result = 0;

    if (file == NULL) {
        perror(path);
        return ERR_FAILED;
    }
    length = fread(text, 1, sizeof text, file);
    (void)fclose(file);
    if (config_parse("web", text, length, &config, &faults) == 0)
        config_free(&config);
    else
        result = ERR_CONFIG;
    for (size_t i = 0; i < faults.count; i++)
        (void)printf("%s:%zu:%zu: %s\n", path, faults.list[i].line, faults.list[i].column,
                faults.list[i].text);
    if (faults.dropped > 0)
        (void)printf("%s: and %zu more\n", path, faults.dropped);
    json_faults_free(&faults);
    return result;
}

int main(int argc, char **argv)
{
    int result = 0;

    if (argc == 2 && strcmp(argv[1], "--keys") == 0) {
        print_keys();
        return 0;
    }
    for (int i = 1; i < argc; i++) {
        int code = parse_file(argv[i]);

        if (result == 0)
            result = code;
    }
    return result;
}
