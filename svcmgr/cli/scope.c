#include "scope.h"

#include <stdlib.h>
#include <string.h>

#include "report.h"
#include "str.h"

#include "banned.h"

#define CONFIG_SUFFIX ".json"

int scope_absolute(const char *path, char *ret_path, size_t size, struct err *err)
{
    return platform_absolute(path, ret_path, size)
            ? 0
            : err_set(err, ERR_USAGE, 0, "the path is too long: %.60s...", path);
}

/* A directory that several machines see has one part for each of them: locks and pids mean nothing
 * across machines. */
static void add_host_directory(char *path, size_t size)
{
    char host[128];
    char probe[PLATFORM_PATH_BYTES];
    char *slash;

    (void)str_copy(probe, sizeof probe, path);
    while (!platform_stat(probe, &(struct platform_file) { 0 }) &&
            (slash = strrchr(probe, '/')) != NULL && slash != probe)
        *slash = '\0';
    if (platform_is_network_file_system(probe) && platform_host_name(host, sizeof host) &&
            strlen(path) + strlen(host) + 2 <= size)
        (void)str_format(path + strlen(path), size - strlen(path), "/%s", host);
}

static void fill_default_directories(struct scope *scope)
{
    struct platform_user user = { .home = "" };
    struct err ignored;

    if (!scope->is_system)
        (void)platform_user_self(&user, &ignored);
    platform_default_directories(
            scope->is_system, &user, scope->config_dir, scope->state_dir, sizeof scope->config_dir);
}

int scope_resolve(const struct cli *cli, bool is_system, struct scope *ret_scope, struct err *err)
{
    const char *state =
            cli->state_dir != NULL ? cli->state_dir : platform_environment("SVCMGR_STATE_DIR");
    bool state_is_named = state != NULL && state[0] != '\0';

    *ret_scope = (struct scope) { .is_system = is_system };
    if (cli->config_dir == NULL || !state_is_named)
        fill_default_directories(ret_scope);
    if (cli->config_dir != NULL &&
            scope_absolute(cli->config_dir, ret_scope->config_dir, sizeof ret_scope->config_dir,
                    err) == -1)
        return -1;
    if (state_is_named) {
        if (scope_absolute(state, ret_scope->state_dir, sizeof ret_scope->state_dir, err) == -1)
            return -1;
    } else if (ret_scope->state_dir[0] != '\0') {
        add_host_directory(ret_scope->state_dir, sizeof ret_scope->state_dir);
    }
    if (ret_scope->state_dir[0] == '\0')
        return err_set(err, ERR_DENIED, 0,
                "this account has no usable home directory; name a place with --state-dir DIR");
    if (ret_scope->config_dir[0] == '\0')
        return err_set(err, ERR_DENIED, 0,
                "this account has no usable home directory; name a place with --config-dir DIR");
    return 0;
}

/* The scope that the command line asks for.  No usable home: ERR_DENIED. */
static int resolve(const struct cli *cli, struct scope *ret_scope, struct err *err)
{
    bool is_system = cli->system_scope || (!cli->user_scope && platform_is_privileged());

    return scope_resolve(cli, is_system, ret_scope, err);
}

struct search {
    const char *name;
    const char *suffix;
    char found[CONFIG_NAME_BYTES];
    bool exact;
};

static void match(void *context, const char *entry)
{
    struct search *search = context;
    size_t length = strlen(entry);
    size_t suffix = strlen(search->suffix);
    char name[CONFIG_NAME_BYTES];

    if (length <= suffix || length - suffix >= sizeof name ||
            strcmp(entry + length - suffix, search->suffix) != 0)
        return;
    (void)str_format(name, sizeof name, "%.*s", (int)(length - suffix), entry);
    if (!str_equal_nocase(name, search->name) || search->exact)
        return;
    search->exact = strcmp(name, search->name) == 0;
    (void)str_copy(search->found, sizeof search->found, name);
}

/* How a directory spells a name: exactly if it can, else without regard to case.  That the file can
 * be opened does not tell: Windows and macOS find it under any spelling.  Returns whether there is
 * one, or -1 when that cannot be found out. */
static int find_spelling(const char *directory, const char *name, const char *suffix,
        char *ret_name, struct err *err)
{
    struct search search = { .name = name, .suffix = suffix };
    char path[PLATFORM_PATH_BYTES];
    struct platform_file file;
    bool exists = str_format(path, sizeof path, "%s/%s%s", directory, name, suffix) &&
            platform_stat(path, &file);

    if (platform_list_directory(directory, match, &search, err) == -1 && !exists)
        return -1;
    if (search.found[0] == '\0' && !exists)
        return 0;
    (void)str_copy(ret_name, CONFIG_NAME_BYTES, search.found[0] != '\0' ? search.found : name);
    return 1;
}

static int fill_target(
        const struct scope *scope, const char *name, struct target *ret_target, struct err *err)
{
    char state_name[CONFIG_NAME_BYTES];
    struct err ignored;
    int found;

    *ret_target = (struct target) { .is_system = scope->is_system };
    (void)str_copy(ret_target->name, sizeof ret_target->name, name);
    found = find_spelling(scope->config_dir, name, CONFIG_SUFFIX, ret_target->name, err);
    if (found == -1)
        return -1;
    ret_target->has_config = found == 1;
    (void)str_copy(state_name, sizeof state_name, ret_target->name);
    ret_target->has_state =
            find_spelling(scope->state_dir, ret_target->name, "", state_name, &ignored) == 1;
    if (!str_format(ret_target->config_path, sizeof ret_target->config_path, "%s/%s" CONFIG_SUFFIX,
                scope->config_dir, ret_target->name) ||
            !str_format(ret_target->state_path, sizeof ret_target->state_path, "%s/%s",
                    scope->state_dir, state_name))
        return err_set(err, ERR_USAGE, 0, "the directory's path is too long");
    return 0;
}

int scope_place(const struct cli *cli, const char *name, struct target *ret_target, struct err *err)
{
    struct scope scope;
    const char *why;

    if (!config_name_is_valid(name, &why))
        return err_set(err, ERR_USAGE, 0, "not a service name: %s", why);
    if (resolve(cli, &scope, err) == -1)
        return -1;
    return fill_target(&scope, name, ret_target, err);
}

size_t scope_place_words(const struct cli *cli, const char *ret_words[SCOPE_PLACE_WORDS_MAX])
{
    size_t count = 0;

    if (cli->config_dir != NULL) {
        ret_words[count++] = "--config-dir";
        ret_words[count++] = cli->config_dir;
    }
    if (cli->state_dir != NULL) {
        ret_words[count++] = "--state-dir";
        ret_words[count++] = cli->state_dir;
    }
    return count;
}

int scope_find(const struct cli *cli, const char *name, struct target *ret_target, struct err *err)
{
    bool fixed = cli->user_scope || cli->system_scope || cli->config_dir != NULL;
    struct scope other;
    struct target elsewhere;
    struct err ignored;

    if (scope_place(cli, name, ret_target, err) == -1)
        return -1;
    if (ret_target->has_config)
        return 0;
    if (!fixed && scope_resolve(cli, !ret_target->is_system, &other, &ignored) == 0 &&
            fill_target(&other, name, &elsewhere, &ignored) == 0 && elsewhere.has_config) {
        *ret_target = elsewhere;
        return 0;
    }
    if (ret_target->has_state)
        return 0; /* its configuration is gone, what it left is not */
    return err_set(err, ERR_NO_SERVICE, 0,
            "there is no such service: no %s; type svcmgr add %s -- COMMAND to make one",
            ret_target->config_path, name);
}

struct listing {
    const struct scope *scope;
    struct target *list;
    size_t count;
    bool failed;
};

static void add_target(void *context, const char *entry)
{
    struct listing *listing = context;
    size_t length = strlen(entry);
    size_t suffix = strlen(CONFIG_SUFFIX);
    char name[CONFIG_NAME_BYTES];
    struct target *list;
    const char *why;
    struct err err;

    if (length <= suffix || length - suffix >= sizeof name ||
            strcmp(entry + length - suffix, CONFIG_SUFFIX) != 0)
        return;
    (void)str_format(name, sizeof name, "%.*s", (int)(length - suffix), entry);
    if (!config_name_is_valid(name, &why))
        return;
    list = realloc(listing->list, (listing->count + 1) * sizeof *list);
    if (list == NULL) {
        listing->failed = true;
        return;
    }
    listing->list = list;
    if (fill_target(listing->scope, name, &list[listing->count], &err) == 0)
        listing->count++;
}

static int compare_targets(const void *a, const void *b)
{
    return strcmp(((const struct target *)a)->name, ((const struct target *)b)->name);
}

int scope_list(
        const struct cli *cli, struct target **ret_targets, size_t *ret_count, struct err *err)
{
    struct scope scope;
    struct listing listing = { .scope = &scope };

    if (resolve(cli, &scope, err) == -1 ||
            platform_list_directory(scope.config_dir, add_target, &listing, err) == -1) {
        free(listing.list);
        return -1;
    }
    if (listing.failed) {
        free(listing.list);
        return err_memory(err);
    }
    if (listing.count > 0)
        qsort(listing.list, listing.count, sizeof *listing.list, compare_targets);
    *ret_targets = listing.list;
    *ret_count = listing.count;
    return 0;
}

int scope_targets(
        const struct cli *cli, struct target **ret_targets, size_t *ret_count, struct err *err)
{
    struct target *list;

    if (cli->all)
        return scope_list(cli, ret_targets, ret_count, err);
    list = calloc(cli->name_count, sizeof *list);
    if (list == NULL)
        return err_memory(err);
    for (size_t i = 0; i < cli->name_count; i++) {
        if (scope_find(cli, cli->names[i], &list[i], err) == 0)
            continue;
        (void)report_failure(cli->names[i], NULL, err);
        list[i].code = (int)err->kind;
    }
    *ret_targets = list;
    *ret_count = cli->name_count;
    return 0;
}

int scope_each(const struct cli *cli, int (*each)(const struct cli *cli, struct target *target))
{
    struct target *targets;
    size_t count;
    struct err err;
    int code = 0;

    if (scope_targets(cli, &targets, &count, &err) == -1) {
        (void)report_failure(NULL, NULL, &err);
        return (int)err.kind;
    }
    for (size_t i = 0; i < count; i++) {
        int one = targets[i].code != 0 ? targets[i].code : each(cli, &targets[i]);

        if (code == 0)
            code = one;
    }
    free(targets);
    return code;
}
