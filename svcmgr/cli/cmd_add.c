/* add: writes a configuration from flags. */
#include <stdio.h>
#include <string.h>

#include "environment.h"
#include "json.h"
#include "json_write.h"
#include "report.h"
#include "scope.h"
#include "str.h"
#include "tokens.h"

#include "banned.h"

/* Flags that become one text each. */
static const struct {
    const char *option;
    const char *object; /* NULL: a key of the outermost object */
    const char *key;
} texts[] = {
    { "--description", NULL, "description" },
    { "--run-as", NULL, "user" },
    { "--run-as-group", NULL, "group" },
    { "--health", "health", "http" },
    { "--ready", NULL, "ready" },
    { "--start-timeout", NULL, "start_timeout" },
    { "--restart", "restart", "when" },
    { "--stop-signal", "stop", "signal" },
    { "--stop-timeout", "stop", "timeout" },
};

static const char *find_set(const struct cli *cli, const char *option)
{
    const char *value = NULL;

    for (size_t i = 0; i < cli->set_count; i++)
        if (strcmp(cli->sets[i].option, option) == 0)
            value = cli->sets[i].value;
    return value;
}

static size_t count_sets(const struct cli *cli, const char *option)
{
    size_t count = 0;

    for (size_t i = 0; i < cli->set_count; i++)
        count += strcmp(cli->sets[i].option, option) == 0;
    return count;
}

/* A program that only the caller's PATH knows would not be found later: its path is written. */
static int resolve_program(
        const struct cli *cli, const char *name, char *ret_program, size_t size, struct err *err)
{
    const char *word = cli->rest[0];
    const char *path = platform_environment("PATH");

    if (platform_file_name(word) != word)
        return platform_absolute(word, ret_program, size)
                ? 0
                : err_set(err, ERR_USAGE, 0, "the path of the command is too long");
    if (platform_find_program(word, platform_search_path(), ret_program, size))
        return str_copy(ret_program, size, word) ? 0 : -1;
    if (path != NULL && platform_find_program(word, path, ret_program, size)) {
        if (!cli->quiet)
            cli_warn(name, "\"%s\" is found in this shell's PATH only; written as %s", word,
                    ret_program);
        return 0;
    }
    return err_set(err, ERR_USAGE, 0, "there is no program \"%s\" in %s or in PATH", word,
            platform_search_path());
}

static void write_word(
        const struct cli *cli, struct json_writer *writer, const char *key, const char *word)
{
    struct buffer escaped = { 0 };

    if (cli->tokens)
        buffer_puts(&escaped, word);
    else
        tokens_escape(word, &escaped);
    json_write_string(writer, key, buffer_text(&escaped));
    writer->out->failed = writer->out->failed || escaped.failed;
    buffer_free(&escaped);
}

/* A number alone is a port, as it is in a configuration. */
static void write_listen(const struct cli *cli, struct json_writer *writer)
{
    const char *socket = find_set(cli, "--socket");
    size_t count = count_sets(cli, "--listen");
    uint64_t port;

    if (count == 1 && socket == NULL &&
            !str_to_uint(find_set(cli, "--listen"), UINT16_MAX, &port)) {
        json_write_string(writer, "listen", find_set(cli, "--listen"));
        return;
    }
    if (count == 0)
        return;
    json_write_list(writer, "listen");
    for (size_t i = 0; i < cli->set_count; i++) {
        if (strcmp(cli->sets[i].option, "--listen") != 0)
            continue;
        json_write_object(writer, NULL);
        if (str_to_uint(cli->sets[i].value, UINT16_MAX, &port))
            json_write_int(writer, "port", (int64_t)port);
        else
            json_write_string(writer, "address", cli->sets[i].value);
        if (socket != NULL)
            json_write_string(writer, "socket", socket);
        json_write_object_end(writer);
    }
    json_write_list_end(writer);
}

static int write_environment(const struct cli *cli, struct json_writer *writer, struct err *err)
{
    if (count_sets(cli, "--env") == 0)
        return 0;
    json_write_object(writer, "environment");
    for (size_t i = 0; i < cli->set_count; i++) {
        const char *pair = cli->sets[i].value;
        char name[256];

        if (strcmp(cli->sets[i].option, "--env") != 0)
            continue;
        if (strchr(pair, '=') == NULL || pair[0] == '=' ||
                !str_format(name, sizeof name, "%.*s", (int)strcspn(pair, "="), pair))
            return err_set(err, ERR_USAGE, 0, "--env needs NAME=VALUE, not \"%s\"", pair);
        write_word(cli, writer, name, strchr(pair, '=') + 1);
    }
    json_write_object_end(writer);
    return 0;
}

static void write_strings(
        const struct cli *cli, struct json_writer *writer, const char *option, const char *key)
{
    if (count_sets(cli, option) == 0)
        return;
    json_write_list(writer, key);
    for (size_t i = 0; i < cli->set_count; i++)
        if (strcmp(cli->sets[i].option, option) == 0)
            json_write_string(writer, NULL, cli->sets[i].value);
    json_write_list_end(writer);
}

/* Paths are the caller's; "~/" and the '-' of an optional file are the configuration's. */
static int absolute(const char *path, char *ret_path, size_t size, struct err *err)
{
    size_t dash = path[0] == '-';

    if (strncmp(path + dash, "~/", 2) == 0)
        return str_copy(ret_path, size, path)
                ? 0
                : err_set(err, ERR_USAGE, 0, "the path is too long: %.60s...", path);
    (void)str_copy(ret_path, size, "-");
    return scope_absolute(path + dash, ret_path + dash, size - dash, err);
}

static int write_files(const struct cli *cli, struct json_writer *writer, struct err *err)
{
    char path[PLATFORM_PATH_BYTES];

    if (count_sets(cli, "--env-file") == 0)
        return 0;
    json_write_list(writer, "environment_file");
    for (size_t i = 0; i < cli->set_count; i++) {
        if (strcmp(cli->sets[i].option, "--env-file") != 0)
            continue;
        if (absolute(cli->sets[i].value, path, sizeof path, err) == -1)
            return -1;
        json_write_string(writer, NULL, path);
    }
    json_write_list_end(writer);
    return 0;
}

static int check_value(const char *set, const char *value, struct err *err)
{
    struct json_faults faults = { 0 };
    struct json_document document;
    int result = json_parse(value, strlen(value), JSON_STRICT, &document, &faults);

    json_faults_free(&faults);
    if (result == -1)
        return err_set(err, ERR_USAGE, 0,
                "--set %s: \"%s\" is not JSON; text needs quotes, as in --set "
                "'logs.streams=\"separate\"'",
                set, value);
    json_document_free(&document);
    return 0;
}

/* All flags and --set keys of one object together, so that each object is written once. */
static int write_object(
        const struct cli *cli, struct json_writer *writer, const char *object, struct err *err)
{
    bool open = object == NULL;

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        bool here = object == NULL
                ? texts[i].object == NULL
                : texts[i].object != NULL && strcmp(texts[i].object, object) == 0;
        const char *value = here ? find_set(cli, texts[i].option) : NULL;

        if (value == NULL)
            continue;
        if (!open)
            json_write_object(writer, object);
        open = true;
        json_write_string(writer, texts[i].key, value);
    }
    for (size_t i = 0; i < cli->set_count; i++) {
        const char *set = cli->sets[i].value;
        size_t path = strcspn(set, "=");
        size_t dot = strcspn(set, ".");
        const char *key = set;
        char name[64];

        if (strcmp(cli->sets[i].option, "--set") != 0)
            continue;
        if (set[path] == '\0' || path == 0)
            return err_set(err, ERR_USAGE, 0, "--set needs KEY=JSON, not \"%s\"", set);
        if (object == NULL && check_value(set, set + path + 1, err) == -1)
            return -1;
        if (object == NULL && dot < path)
            continue;
        if (object != NULL &&
                (dot >= path || dot != strlen(object) || strncmp(set, object, dot) != 0))
            continue;
        if (object != NULL)
            key = set + dot + 1;
        if (!open)
            json_write_object(writer, object);
        open = true;
        if (!str_format(name, sizeof name, "%.*s", (int)strcspn(key, "="), key))
            return err_set(err, ERR_USAGE, 0, "--set: the key is too long");
        json_write_raw(writer, name, set + path + 1);
    }
    if (object != NULL && open)
        json_write_object_end(writer);
    return 0;
}

static int write_config(
        const struct cli *cli, const char *name, struct buffer *out, struct err *err)
{
    static const char *const objects[] = { "health", "restart", "stop", "logs", "limits" };
    struct json_writer writer = { .out = out, .pretty = true };
    const char *asked = find_set(cli, "--directory");
    char program[PLATFORM_PATH_BYTES];
    char directory[PLATFORM_PATH_BYTES];

    if (resolve_program(cli, name, program, sizeof program, err) == -1)
        return -1;
    if (asked == NULL && !platform_working_directory(directory, sizeof directory))
        return err_set(err, ERR_FAILED, 0, "the current directory cannot be found out");
    if (asked != NULL && absolute(asked, directory, sizeof directory, err) == -1)
        return -1;
    json_write_object(&writer, NULL);
    json_write_list(&writer, "command");
    write_word(cli, &writer, NULL, program);
    for (size_t i = 1; i < cli->rest_count; i++)
        write_word(cli, &writer, NULL, cli->rest[i]);
    json_write_list_end(&writer);
    json_write_string(&writer, "directory", directory);
    write_listen(cli, &writer);
    if (cli->duplicate != NULL)
        json_write_string(&writer, "duplicate", cli->duplicate);
    if (write_object(cli, &writer, NULL, err) == -1 || write_environment(cli, &writer, err) == -1 ||
            write_files(cli, &writer, err) == -1)
        return -1;
    write_strings(cli, &writer, "--depends-on", "depends_on");
    for (size_t i = 0; i < sizeof objects / sizeof objects[0]; i++)
        if (write_object(cli, &writer, objects[i], err) == -1)
            return -1;
    json_write_object_end(&writer);
    buffer_puts(out, "\n");
    return out->failed ? err_memory(err) : 0;
}

/* What would be written is checked first: a configuration that is wrong is not made. */
static int check_text(const char *name, const struct buffer *text, struct err *err)
{
    struct json_faults faults = { 0 };
    struct config config;

    if (config_parse_for(platform_abilities(), name, text->data, text->length, &config, &faults) ==
            0) {
        config_free(&config);
        return 0;
    }
    for (size_t i = 0; i < faults.count; i++)
        cli_warn(name, "%s", faults.list[i].text);
    json_faults_free(&faults);
    return err_set(err, ERR_CONFIG, 0, "not added: the configuration would be invalid");
}

int cli_add(const struct cli *cli)
{
    struct buffer text = { 0 };
    struct target target;
    char directory[PLATFORM_PATH_BYTES];
    struct err err;
    int result = -1;

    if (scope_place(cli, cli->names[0], &target, &err) == -1)
        goto out;
    if (target.has_config && !cli->force) {
        err_set(&err, ERR_FAILED, 0, "%s exists already; --force overwrites it",
                target.config_path);
        goto out;
    }
    (void)str_copy(directory, sizeof directory, target.config_path);
    *strrchr(directory, '/') = '\0';
    if (write_config(cli, target.name, &text, &err) == -1 ||
            check_text(target.name, &text, &err) == -1 ||
            platform_make_directory(directory, 0755, &err) == -1 ||
            platform_replace_file(target.config_path, text.data, text.length, 0644, &err) == -1)
        goto out;
    if (!cli->quiet && !cli->json && cli->command == CLI_ADD)
        cli_say(target.name, "added: %s", target.config_path);
    if (cli->json && cli->command == CLI_ADD)
        report_document(buffer_text(&text));
    result = 0;
out:
    buffer_free(&text);
    if (result == 0)
        return 0;
    (void)report_failure(cli->names[0], NULL, &err);
    return (int)err.kind;
}
