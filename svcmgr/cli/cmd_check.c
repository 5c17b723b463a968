/* check: validates configurations and says where each fault is. */
#include <stdio.h>
#include <string.h>

#include "dependencies.h"
#include "json_write.h"
#include "report.h"
#include "service.h"
#include "str.h"

#include "banned.h"

static void print_json_faults(
        const char *name, const char *path, const struct json_faults *faults, const char *message)
{
    struct buffer text = { 0 };
    struct json_writer writer = { .out = &text };

    json_write_object(&writer, NULL);
    json_write_string(&writer, "name", name);
    json_write_bool(&writer, "valid", message == NULL);
    json_write_string(&writer, "file", path);
    json_write_list(&writer, "faults");
    for (size_t i = 0; i < faults->count; i++) {
        json_write_object(&writer, NULL);
        json_write_int(&writer, "line", (int64_t)faults->list[i].line);
        json_write_int(&writer, "column", (int64_t)faults->list[i].column);
        json_write_string(&writer, "message", faults->list[i].text);
        json_write_object_end(&writer);
    }
    json_write_list_end(&writer);
    json_write_string(&writer, "error", message);
    json_write_object_end(&writer);
    report_document(buffer_text(&text));
    buffer_free(&text);
}

/* A FILE is what has a slash or ends with .json; its name is the service's. */
static bool is_file(const char *word)
{
    size_t length = strlen(word);

    return platform_file_name(word) != word ||
            (length > 5 && strcmp(word + length - 5, ".json") == 0 &&
                    length - 5 < CONFIG_NAME_BYTES);
}

static int target_of_file(const char *path, struct target *ret_target, struct err *err)
{
    const char *base = platform_file_name(path);
    size_t length = strlen(base);
    const char *why;

    *ret_target = (struct target) { .has_config = true, .is_system = true };
    if (length > 5 && strcmp(base + length - 5, ".json") == 0)
        length -= 5;
    if (!str_format(ret_target->name, sizeof ret_target->name, "%.*s", (int)length, base) ||
            !config_name_is_valid(ret_target->name, &why))
        (void)str_copy(ret_target->name, sizeof ret_target->name, "service");
    if (!str_copy(ret_target->config_path, sizeof ret_target->config_path, path))
        return err_set(err, ERR_USAGE, 0, "the path is too long");
    return 0;
}

static int check_one(const struct cli *cli, const char *word)
{
    struct dependency_order order = { .count = 0 };
    struct json_faults faults = { 0 };
    char fault_path[PLATFORM_PATH_BYTES] = "";
    struct target target;
    struct err err;
    bool good = is_file(word) ? target_of_file(word, &target, &err) == 0
                              : scope_find(cli, word, &target, &err) == 0;

    if (!good) {
        (void)report_failure(word, NULL, &err);
        return (int)err.kind;
    }
    good = dependencies_resolve(cli, &target, &order, &faults, fault_path, &err) == 0;
    dependencies_free(&order);
    if (fault_path[0] == '\0')
        (void)str_copy(fault_path, sizeof fault_path, target.config_path);
    if (cli->json)
        print_json_faults(target.name, fault_path, &faults, good ? NULL : err.text);
    if (!good && faults.count > 0)
        report_faults(fault_path, &faults);
    else if (!good)
        cli_warn(word, "%s", err.text); /* the document has it */
    else if (!cli->json && !cli->quiet)
        (void)printf("%s: valid\n", target.config_path);
    json_faults_free(&faults);
    return good ? 0 : (int)err.kind;
}

int cli_check(const struct cli *cli)
{
    int code = 0;

    for (size_t i = 0; i < cli->name_count; i++) {
        int one = check_one(cli, cli->names[i]);

        if (code == 0)
            code = one;
    }
    return code;
}
