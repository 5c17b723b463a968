#include "dependencies.h"

#include <stdlib.h>
#include <string.h>

#include "report.h"
#include "service.h"
#include "str.h"

#include "banned.h"

#define CHAIN_MAX 64 /* dependencies of dependencies ... */

/* One walk down the graph. */
struct walk {
    const struct cli *cli;
    struct dependency_order *order;
    struct json_faults *faults;
    char *fault_path;
    const char *chain[CHAIN_MAX]; /* from the first service to the present one */
    size_t depth;
};

#define NOT_ORDERED ((size_t)-1)

static size_t place_of(const struct dependency_order *order, const char *name)
{
    for (size_t i = 0; i < order->count; i++)
        if (str_equal_nocase(order->list[i].target.name, name))
            return i;
    return NOT_ORDERED;
}

/* Puts a service behind all that it depends on, which is ordered already. */
static int append(struct dependency_order *order, const struct target *target,
        const struct config *config, struct err *err)
{
    struct dependency *list = realloc(order->list, (order->count + 1) * sizeof *list);
    struct dependency *added;

    if (list == NULL)
        return err_memory(err);
    order->list = list;
    added = &list[order->count];
    *added = (struct dependency) { .target = *target };
    added->needs = calloc(config->depends_on_count + 1, sizeof *added->needs);
    if (added->needs == NULL)
        return err_memory(err);
    for (size_t i = 0; i < config->depends_on_count; i++) {
        size_t place = place_of(order, config->depends_on[i]);

        if (place == NOT_ORDERED)
            continue;
        added->needs[added->need_count++] = place;
        if (list[place].level >= added->level)
            added->level = list[place].level + 1;
    }
    order->count++;
    return 0;
}

static bool is_in_chain(const struct walk *walk, const char *name)
{
    for (size_t i = 0; i < walk->depth; i++)
        if (str_equal_nocase(walk->chain[i], name))
            return true;
    return false;
}

/* "a -> b -> a" */
static void describe_cycle(const struct walk *walk, const char *name, char *ret_text, size_t size)
{
    size_t at = 0;

    ret_text[0] = '\0';
    for (size_t i = 0; i < walk->depth && at < size; i++) {
        (void)str_format(ret_text + at, size - at, "%s -> ", walk->chain[i]);
        at = strlen(ret_text);
    }
    (void)str_format(ret_text + at, size - at, "%s", name);
}

/* Reports a fault of the index-th entry of depends_on, at its place in the file. */
static void fault_at(struct walk *walk, const struct target *target, const struct service *service,
        size_t index, const char *text)
{
    struct json_document document;
    const cJSON *list;

    (void)str_copy(walk->fault_path, PLATFORM_PATH_BYTES, target->config_path);
    if (json_parse(buffer_text(&service->text), service->text.length, JSON_WITH_COMMENTS, &document,
                walk->faults) == -1)
        return;
    list = json_member(document.root, "depends_on");
    json_fault_at_value(&document,
            cJSON_IsArray(list) ? cJSON_GetArrayItem(list, (int)index) : list, walk->faults, "%s",
            text);
    json_document_free(&document);
}

static int visit(struct walk *walk, const struct target *target, struct err *err);

static int visit_dependency(struct walk *walk, const struct target *target,
        const struct service *service, size_t index, struct err *err)
{
    const char *name = service->config.depends_on[index];
    char text[JSON_FAULT_TEXT_BYTES];
    char cycle[200];
    struct target dependency;

    if (is_in_chain(walk, name) || walk->depth == CHAIN_MAX) {
        describe_cycle(walk, name, cycle, sizeof cycle);
        (void)str_format(text, sizeof text, "depends_on: \"%s\" closes a cycle: %s", name, cycle);
        fault_at(walk, target, service, index, text);
        return err_set(err, ERR_CONFIG, 0, "the dependencies form a cycle: %s", cycle);
    }
    if (scope_find(walk->cli, name, &dependency, err) == -1 || !dependency.has_config) {
        (void)str_format(
                text, sizeof text, "depends_on: there is no service \"%s\"; add it first", name);
        fault_at(walk, target, service, index, text);
        return err_set(
                err, ERR_CONFIG, 0, "it depends on \"%s\", which has no configuration", name);
    }
    return visit(walk, &dependency, err);
}

static int visit(struct walk *walk, const struct target *target, struct err *err)
{
    struct service *service;
    int result = 0;

    if (place_of(walk->order, target->name) != NOT_ORDERED)
        return 0;
    if (service_load(target->name, target->config_path, &service, walk->faults, err) == -1) {
        (void)str_copy(walk->fault_path, PLATFORM_PATH_BYTES, target->config_path);
        return -1;
    }
    walk->chain[walk->depth++] = target->name;
    for (size_t i = 0; i < service->config.depends_on_count; i++) {
        struct err one;

        if (visit_dependency(walk, target, service, i, &one) == -1 && result == 0) {
            *err = one;
            result = -1;
        }
    }
    walk->chain[--walk->depth] = NULL;
    if (result == 0)
        result = append(walk->order, target, &service->config, err);
    service_free(service);
    return result;
}

int dependencies_resolve(const struct cli *cli, const struct target *target,
        struct dependency_order *order, struct json_faults *faults,
        char fault_path[PLATFORM_PATH_BYTES], struct err *err)
{
    struct walk walk = { .cli = cli, .order = order, .faults = faults, .fault_path = fault_path };

    return visit(&walk, target, err);
}

void dependencies_free(struct dependency_order *order)
{
    for (size_t i = 0; i < order->count; i++)
        free(order->list[i].needs);
    free(order->list);
    *order = (struct dependency_order) { .count = 0 };
}

/* In a process of its own, so that the keeper stays as small as it began. */
int dependencies_start_first(const struct cli *cli, const struct target *target)
{
    char program[PLATFORM_PATH_BYTES];
    const char *words[16];
    size_t count = 0;
    struct err err;
    int code;

    if (!platform_executable(program, sizeof program))
        return 0;
    words[count++] = program;
    words[count++] = target->is_system ? "--system" : "--user";
    count += scope_place_words(cli, words + count);
    words[count++] = "-q";
    words[count++] = "start";
    words[count++] = "--only-dependencies";
    words[count++] = target->name;
    if (cli->control != NULL) {
        words[count++] = "--control";
        words[count++] = cli->control;
    }
    words[count] = NULL;
    if (platform_run(words, &code, &err) == -1) {
        (void)report_failure(target->name, NULL, &err);
        return (int)err.kind;
    }
    return code;
}
