#include "spawn.h"

#include <string.h>

#include "str.h"

#include "banned.h"

#define OPEN_FILES_WANTED 4096 /* contract 6: the soft limit is raised to it, never lowered */

static const char *const limit_names[] = {
    [CONFIG_LIMIT_NOFILE] = "nofile",
    [CONFIG_LIMIT_NPROC] = "nproc",
    [CONFIG_LIMIT_CORE] = "core",
    [CONFIG_LIMIT_MEMORY] = "memory",
    [CONFIG_LIMIT_CPU] = "cpu",
    [CONFIG_LIMIT_FSIZE] = "fsize",
    [CONFIG_LIMIT_STACK] = "stack",
    [CONFIG_LIMIT_DATA] = "data",
    [CONFIG_LIMIT_MEMLOCK] = "memlock",
};
_Static_assert(
        sizeof limit_names / sizeof limit_names[0] == CONFIG_LIMIT_COUNT, "a limit has no name");

/* Where there is no other user than the supervisor's own, it is that one or none. */
static int check_own_user(
        const struct config *config, const struct abilities *abilities, struct err *err)
{
    struct platform_user user;

    if (platform_user_by_name(config->user, &user, err) == -1)
        return -1;
    if (user.uid == platform_uid())
        return 0;
    return err_set(err, ERR_CONFIG, 0,
            "\"user\": on %s a program runs as the user of its supervisor, who is not \"%s\": "
            "install it as a service of that user, or remove it",
            abilities->name, config->user);
}

int spawn_check_scope(const struct config *config, bool system_scope, struct err *err)
{
    const struct abilities *abilities = platform_abilities();

    if (config->user == NULL && config->group == NULL)
        return 0;
    if (system_scope && abilities != NULL && !abilities->users)
        return check_own_user(config, abilities, err);
    if (!system_scope || !platform_is_privileged())
        return err_set(err, ERR_CONFIG, 0,
                "\"%s\" works in system scope only: run svcmgr as root with --system, or remove it",
                config->user != NULL ? "user" : "group");
    return 0;
}

int spawn_find_file(
        const char *word, const char *path, char *ret_file, size_t size, struct err *err)
{
    if (platform_file_name(word) != word) {
        if (str_copy(ret_file, size, word))
            return 0;
        return err_set(err, ERR_FAILED, 0, "the path of the command is too long");
    }
    if (platform_find_program(word, path, ret_file, size))
        return 0;
    return err_set(err, ERR_FAILED, platform_code_for_missing(),
            "cannot execute %s: it is not in %s; write its absolute path", word, path);
}

/* The words that a client gave, as they are. */
static int copy_words(const struct config_words *command, struct spawn_plan *plan, struct err *err)
{
    const char **words = arena_take(&plan->arena, (command->count + 1) * sizeof *words);

    for (size_t i = 0; words != NULL && i < command->count; i++) {
        words[i] = arena_copy(&plan->arena, command->list[i]);
        if (words[i] == NULL)
            return err_memory(err);
    }
    plan->spec.words = words;
    return words == NULL ? err_memory(err) : 0;
}

static int expand_words(const struct spawn_request *request, const struct environment_facts *facts,
        struct spawn_plan *plan, struct err *err)
{
    const struct config_words *command = request->command;
    const char **words = arena_take(&plan->arena, (command->count + 1) * sizeof *words);
    struct environment_tokens tokens;
    struct buffer word = { 0 };
    int result = words == NULL ? err_memory(err) : 0;

    environment_tokens(facts, &tokens);
    for (size_t i = 0; result == 0 && i < command->count; i++) {
        word.length = 0;
        result = tokens_expand(command->list[i], &tokens.context, &word, err);
        if (result == 0)
            words[i] = arena_copy(&plan->arena, buffer_text(&word));
        if (result == 0 && (word.failed || words[i] == NULL))
            result = err_memory(err);
    }
    buffer_free(&word);
    plan->spec.words = words;
    return result;
}

static int fill_user(const struct spawn_request *request, struct spawn_plan *plan, struct err *err)
{
    const struct config *config = &request->service->config;
    struct platform_spawn *spec = &plan->spec;

    plan->user = request->sup->user;
    if (spawn_check_scope(config, request->sup->options.system_scope, err) == -1)
        return -1;
    if (config->user != NULL && platform_user_by_name(config->user, &plan->user, err) == -1)
        return -1;
    spec->uid = plan->user.uid;
    spec->gid = plan->user.gid;
    if (config->group != NULL && platform_group_by_name(config->group, &spec->gid, err) == -1)
        return -1;
    if (config->user == NULL && config->group == NULL)
        return 0;
    spec->switch_user = true;
    spec->groups = plan->groups;
    return platform_user_groups(&plan->user, spec->gid, plan->groups, &spec->group_count, err);
}

static void fill_limits(const struct spawn_request *request, struct spawn_plan *plan)
{
    const struct config *config = &request->service->config;
    struct platform_spawn *spec = &plan->spec;

    for (int i = 0; i < CONFIG_LIMIT_COUNT; i++) {
        int64_t value = config->limits[i];

        if (value == CONFIG_LIMIT_UNSET || (i == CONFIG_LIMIT_MEMORY && request->is_grouped))
            continue;
        plan->limits[spec->limit_count++] = (struct platform_limit) {
            .name = limit_names[i],
            .value = value == CONFIG_LIMIT_UNLIMITED ? PLATFORM_UNLIMITED : (uint64_t)value,
        };
    }
    spec->limits = plan->limits;
    if (config->limits[CONFIG_LIMIT_NOFILE] == CONFIG_LIMIT_UNSET)
        spec->raise_open_files_to = OPEN_FILES_WANTED;
}

static int fill_directory(
        const struct spawn_request *request, struct spawn_plan *plan, struct err *err)
{
    const struct config *config = &request->service->config;
    const char *directory = config->directory;

    if (directory == NULL)
        directory =
                request->sup->options.system_scope ? platform_root_directory() : plan->user.home;
    if (!environment_expand_home(
                directory, plan->user.home, plan->directory, sizeof plan->directory))
        return err_set(err, ERR_CONFIG, 0, "the path %s is too long", directory);
    if (request->directory != NULL && platform_is_absolute(request->directory))
        plan->directory[0] = '\0';
    if (request->directory != NULL) {
        size_t length = strlen(plan->directory);

        if (!str_format(plan->directory + length, sizeof plan->directory - length, "%s%s",
                    length > 0 ? "/" : "", request->directory))
            return err_set(err, ERR_FAILED, 0, "the path %.64s... is too long", request->directory);
    }
    plan->spec.directory = plan->directory;
    return 0;
}

/* The configuration's own command is looked up in the base PATH, whatever the launcher's was. */
static const char *search_path(
        const struct spawn_request *request, const struct environment *environment)
{
    const char *path = request->is_literal ? environment_get(environment, "PATH") : NULL;

    return path != NULL ? path : platform_search_path();
}

int spawn_prepare(const struct spawn_request *request, struct spawn_plan *ret_plan, struct err *err)
{
    const struct config *config = &request->service->config;
    struct environment_facts facts = {
        .config = config,
        .listeners = &request->service->listeners,
        .user = &ret_plan->user,
        .home = ret_plan->user.home,
        .generation = request->generation,
        .instance = request->instance,
        .notify_name = request->notify_name,
        .main_pid = request->main_pid,
        .pass_sockets = request->is_instance,
        .changes = request->changes,
        .change_count = request->change_count,
    };
    struct platform_spawn *spec = &ret_plan->spec;
    const char *names[PLATFORM_PASSED_MAX];

    *ret_plan = (struct spawn_plan) { .spec = { .input = PLATFORM_NO_HANDLE,
                                              .output = PLATFORM_NO_HANDLE,
                                              .error_output = PLATFORM_NO_HANDLE } };
    if (fill_user(request, ret_plan, err) == -1 || fill_directory(request, ret_plan, err) == -1 ||
            environment_build(&facts, &ret_plan->environment, err) == -1 ||
            (request->is_literal ? copy_words(request->command, ret_plan, err)
                                 : expand_words(request, &facts, ret_plan, err)) == -1 ||
            spawn_find_file(spec->words[0], search_path(request, &ret_plan->environment),
                    ret_plan->file, sizeof ret_plan->file, err) == -1)
        return -1;
    fill_limits(request, ret_plan);
    spec->file = ret_plan->file;
    spec->environment = ret_plan->environment.list;
    spec->listen_pid_hole = ret_plan->environment.listen_pid_hole;
    spec->watchdog_pid_hole = ret_plan->environment.watchdog_pid_hole;
    spec->umask = (unsigned)config->umask;
    spec->nice = (int)config->nice;
    spec->nice_set = config->nice_set;
    spec->passed = ret_plan->passed;
    if (facts.pass_sockets)
        spec->passed_count =
                listener_passed(facts.listeners, ret_plan->passed, names, PLATFORM_PASSED_MAX);
    return 0;
}

void spawn_free(struct spawn_plan *plan)
{
    environment_free(&plan->environment);
    arena_free(&plan->arena);
}
