/* Values that hold more than one value, and those of "health" and "rivals". */
#include <string.h>

#include "config_read.h"
#include "str.h"

#include "banned.h"

#define HTTP_PATH_FIRST 0x21 /* what a request line can hold: visible ASCII */
#define HTTP_PATH_LAST  0x7E

static const cJSON *first_of(const cJSON *list_or_one)
{
    return cJSON_IsArray(list_or_one) ? list_or_one->child : list_or_one;
}

/* Commands */

static void read_command(struct config_reader *reader, const struct config_field *field,
        const cJSON *item, void *ret_value)
{
    struct config_words words = { 0 };
    size_t count = (size_t)cJSON_GetArraySize(item);

    if (!cJSON_IsArray(item) || count == 0) {
        config_fault(reader, item, field->path,
                "must be a list of strings, as in [\"python3\", \"server.py\"]; no shell reads it");
        return;
    }
    words.list = config_take(reader, (count + 1) * sizeof *words.list);
    for (item = item->child; item != NULL && words.list != NULL; item = item->next) {
        if (!cJSON_IsString(item))
            config_fault_quote(reader, item, field->path);
        else if (words.count == 0 && item->valuestring[0] == '\0')
            config_fault(reader, item, field->path, "the first word is the program: not empty");
        words.list[words.count++] =
                config_copy(reader, cJSON_IsString(item) ? item->valuestring : "");
    }
    memcpy(ret_value, &words, sizeof words);
}

const struct config_type config_type_command = {
    .kind = "a list of strings",
    .read = read_command,
};

/* Environment */

static void check_variable(
        struct config_reader *reader, const struct config_field *field, const cJSON *item)
{
    char path[2 * JSON_SHOWN_BYTES];
    char shown[JSON_SHOWN_BYTES];

    str_shorten(shown, sizeof shown, item->string);
    (void)str_format(path, sizeof path, "%s.%s", field->path, shown);
    if (item->string[0] == '\0' || strchr(item->string, '=') != NULL)
        json_fault_at_key(reader->document, item, reader->faults,
                "%s: the name of a variable is not empty and has no '='", path);
    if (!cJSON_IsString(item) && !cJSON_IsNull(item))
        config_fault_quote(reader, item, path);
}

static void read_environment(struct config_reader *reader, const struct config_field *field,
        const cJSON *item, void *ret_value)
{
    struct config_variable *list;
    size_t count = (size_t)cJSON_GetArraySize(item);

    (void)ret_value;
    if (!cJSON_IsObject(item)) {
        config_fault(reader, item, field->path, "must be an object, as in { \"LANG\": \"C\" }");
        return;
    }
    list = config_take(reader, count * sizeof *list);
    reader->config->environment = list;
    reader->config->environment_count = 0;
    for (item = item->child; item != NULL && list != NULL; item = item->next) {
        check_variable(reader, field, item);
        list[reader->config->environment_count++] = (struct config_variable) {
            .name = config_copy(reader, item->string),
            .value = cJSON_IsString(item) ? config_copy(reader, item->valuestring) : NULL,
        };
    }
}

const struct config_type config_type_environment = {
    .kind = "an object of strings and null",
    .read = read_environment,
};

static void read_environment_file(struct config_reader *reader, const struct config_field *field,
        const cJSON *item, void *ret_value)
{
    struct config_file *list;
    size_t count = cJSON_IsArray(item) ? (size_t)cJSON_GetArraySize(item) : 1;

    (void)ret_value;
    list = config_take(reader, count * sizeof *list);
    reader->config->environment_files = list;
    reader->config->environment_file_count = 0;
    for (item = first_of(item); count > 0 && list != NULL; item = item->next, count--) {
        const char *path = cJSON_IsString(item) ? item->valuestring : "";
        bool optional = path[0] == '-';

        if (!config_path_is_valid(path + optional))
            config_fault_wanted(reader, item, field->path,
                    "an absolute path, or one that begins with ~/; a '-' before it makes the file "
                    "optional");
        list[reader->config->environment_file_count++] = (struct config_file) {
            .path = config_copy(reader, path + optional),
            .optional = optional,
        };
    }
}

const struct config_type config_type_environment_file = {
    .kind = "a path or a list of paths",
    .read = read_environment_file,
};

/* restart.prevent_on */

static void read_codes(struct config_reader *reader, const struct config_field *field,
        const cJSON *item, void *ret_value)
{
    struct config *config = reader->config;
    double code;

    (void)ret_value;
    if (!cJSON_IsArray(item)) {
        config_fault_wanted(reader, item, field->path, "a list of exit codes, as in [2, 78]");
        return;
    }
    config->restart_prevent_count = 0;
    for (item = item->child; item != NULL; item = item->next) {
        if (config->restart_prevent_count == CONFIG_PREVENT_MAX) {
            config_fault(reader, item, field->path, "has more than %d codes", CONFIG_PREVENT_MAX);
            return;
        }
        if (json_whole_number(item, (double)field->min, (double)field->max, &code))
            config->restart_prevent_on[config->restart_prevent_count++] = (int)code;
        else
            config_fault_wanted(reader, item, field->path, "an exit code from 0 to 255");
    }
}

const struct config_type config_type_codes = {
    .kind = "a list of whole numbers",
    .range = config_count_range,
    .read = read_codes,
};

/* depends_on */

/* Whether item is the name of a service that is not in the list yet. */
static bool check_dependency(struct config_reader *reader, const struct config_field *field,
        const cJSON *item, const char *const *list, size_t count)
{
    size_t faults_before = config_fault_count(reader);
    const char *why;

    if (!cJSON_IsString(item)) {
        config_fault_quote(reader, item, field->path);
        return false;
    }
    if (!config_name_is_valid(item->valuestring, &why))
        config_fault_wanted(reader, item, field->path, why);
    if (str_equal_nocase(item->valuestring, reader->config->name))
        config_fault(reader, item, field->path, "a service cannot depend on itself");
    for (size_t i = 0; i < count; i++)
        if (str_equal_nocase(item->valuestring, list[i]))
            config_fault(reader, item, field->path, "\"%s\" stands in the list twice", list[i]);
    return config_fault_count(reader) == faults_before;
}

static void read_names(struct config_reader *reader, const struct config_field *field,
        const cJSON *item, void *ret_value)
{
    const char **list;
    size_t count = 0;

    (void)ret_value;
    if (!cJSON_IsArray(item)) {
        config_fault_wanted(reader, item, field->path, "a list of names, as in [\"database\"]");
        return;
    }
    list = config_take(reader, CONFIG_DEPENDS_MAX * sizeof *list);
    for (item = item->child; item != NULL && list != NULL; item = item->next) {
        if (count == CONFIG_DEPENDS_MAX) {
            config_fault(reader, item, field->path, "has more than %d names", CONFIG_DEPENDS_MAX);
            break;
        }
        if (check_dependency(reader, field, item, list, count))
            list[count++] = config_copy(reader, item->valuestring);
    }
    reader->config->depends_on = list;
    reader->config->depends_on_count = count;
}

const struct config_type config_type_names = {
    .kind = "a list of names of services",
    .read = read_names,
};

/* rivals */

static void read_rivals(struct config_reader *reader, const struct config_field *field,
        const cJSON *item, void *ret_value)
{
    struct config_rival_job *list;
    size_t count = (size_t)cJSON_GetArraySize(item);

    (void)ret_value;
    if (!cJSON_IsArray(item)) {
        config_fault_wanted(
                reader, item, field->path, "a list, as in [{ \"systemd\": \"web.service\" }]");
        return;
    }
    list = config_take(reader, count * sizeof *list);
    reader->config->rivals = list;
    reader->config->rival_count = 0;
    for (item = item->child; item != NULL && list != NULL; item = item->next) {
        const char *jobs[CONFIG_RIVAL_COUNT] = { NULL };
        int launcher = 0;

        if (!cJSON_IsObject(item) || cJSON_GetArraySize(item) != 1) {
            config_fault(reader, item, field->path,
                    "each is an object with one of \"systemd\", \"launchd\" or \"winsvc\"");
            continue;
        }
        config_read_object(reader, item, field->path, jobs);
        while (launcher < CONFIG_RIVAL_COUNT && jobs[launcher] == NULL)
            launcher++;
        if (launcher < CONFIG_RIVAL_COUNT)
            list[reader->config->rival_count++] = (struct config_rival_job) {
                .launcher = (enum config_rival)launcher,
                .job = jobs[launcher],
            };
    }
}

const struct config_type config_type_rivals = {
    .kind = "a list of objects with one key each",
    .read = read_rivals,
};

/* health.http, health.tcp */

static bool http_path_from_text(struct config_reader *reader, const struct config_field *field,
        const char *text, void *ret_value)
{
    if (text[0] != '/' || (int64_t)strlen(text) > field->max)
        return false;
    for (const char *c = text; *c != '\0'; c++)
        if (*c < HTTP_PATH_FIRST || *c > HTTP_PATH_LAST)
            return false;
    return config_type_string.from_text(reader, field, text, ret_value);
}

const struct config_type config_type_http_path = {
    .kind = "a path that begins with '/' and has only visible ASCII",
    .hint = "as in \"/health\"",
    .from_text = http_path_from_text,
};

static bool true_from_flag(bool flag, void *ret_value)
{
    (void)ret_value;
    return flag;
}

const struct config_type config_type_true = {
    .kind = "true",
    .hint = "leave it out for no check",
    .from_flag = true_from_flag,
};
