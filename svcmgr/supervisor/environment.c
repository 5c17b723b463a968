#include "environment.h"

#include <string.h>

#include "env_file.h"
#include "str.h"

#include "banned.h"

static size_t name_length(const char *variable)
{
    return strcspn(variable, "=");
}

static void drop(struct environment *environment, const char *name)
{
    size_t length = strlen(name);

    for (size_t i = 0; i < environment->count; i++) {
        if (name_length(environment->list[i]) != length ||
                memcmp(environment->list[i], name, length) != 0)
            continue;
        environment->list[i] = environment->list[--environment->count];
        environment->list[environment->count] = NULL;
        return;
    }
}

/* Sets a variable; a former value goes.  Returns where its value begins, NULL without memory. */
static char *set(struct environment *environment, const char *name, const char *value)
{
    size_t length = strlen(name);
    size_t value_length = strlen(value);
    char *text = arena_take(&environment->arena, length + value_length + 2);

    drop(environment, name);
    if (environment->count + 2 > environment->capacity) {
        size_t capacity = environment->capacity ? environment->capacity * 2 : 32;
        char **list = arena_take(&environment->arena, capacity * sizeof *list);

        if (list != NULL && environment->count > 0)
            memcpy(list, environment->list, environment->count * sizeof *list);
        if (list != NULL) {
            environment->list = list;
            environment->capacity = capacity;
        } else {
            text = NULL;
        }
    }
    if (text == NULL) {
        environment->failed = true;
        return NULL;
    }
    memcpy(text, name, length);
    text[length] = '=';
    memcpy(text + length + 1, value, value_length);
    environment->list[environment->count++] = text;
    return text + length + 1;
}

static void set_number(struct environment *environment, const char *name, uint64_t number)
{
    char text[24];

    (void)str_format(text, sizeof text, "%llu", (unsigned long long)number);
    (void)set(environment, name, text);
}

static void set_base(const struct environment_facts *facts, struct environment *environment)
{
    char language[64];

    platform_system_language(language, sizeof language);
    (void)set(environment, "PATH", ENVIRONMENT_PATH);
    (void)set(environment, "LANG", language[0] != '\0' ? language : "C.UTF-8");
    (void)set(environment, "HOME", facts->user->home);
    (void)set(environment, "USER", facts->user->name);
    (void)set(environment, "LOGNAME", facts->user->name);
    (void)set(environment, "SHELL", facts->user->shell[0] != '\0' ? facts->user->shell : "/bin/sh");
}

bool environment_expand_home(const char *path, const char *home, char *ret_path, size_t size)
{
    if (path[0] == '~' && path[1] == '/')
        return str_format(ret_path, size, "%s%s", home, path + 1);
    return str_copy(ret_path, size, path);
}

static int read_file(const struct environment_facts *facts, const struct config_file *file,
        struct environment *environment, struct err *err)
{
    char path[PLATFORM_PATH_BYTES];
    struct buffer text = { 0 };
    struct env_file parsed;
    int result = -1;

    if (!environment_expand_home(file->path, facts->home, path, sizeof path))
        return err_set(err, ERR_CONFIG, 0, "the path %s is too long", file->path);
    if (platform_read_file(path, ENV_FILE_MAX_BYTES, &text, err) == -1) {
        if (file->optional && err->kind == ERR_NO_SERVICE)
            result = 0;
        else
            err_prefix(err, "environment_file");
        goto out;
    }
    if (env_file_parse(buffer_text(&text), text.length, &environment->arena, &parsed, err) == -1) {
        err_prefix(err, "%s", path);
        goto out;
    }
    for (size_t i = 0; i < parsed.count; i++)
        (void)set(environment, parsed.entries[i].name, parsed.entries[i].value);
    result = 0;
out:
    buffer_free(&text);
    return result;
}

void environment_tokens(
        const struct environment_facts *facts, struct environment_tokens *ret_tokens)
{
    const struct listener_set *set = facts->listeners;

    for (size_t i = 0; i < set->count; i++)
        ret_tokens->list[i] = (struct tokens_listener){
            .name = set->list[i].config.name,
            .address = set->list[i].bound,
            .fd = facts->pass_sockets ? listener_passed_number(set, i) : -1,
        };
    ret_tokens->context = (struct tokens_context){
        .name = facts->config->name,
        .listeners = ret_tokens->list,
        .listener_count = set->count,
    };
}

static int set_configured(const struct environment_facts *facts, struct environment *environment,
        struct err *err)
{
    struct environment_tokens tokens;
    struct buffer value = { 0 };
    int result = 0;

    environment_tokens(facts, &tokens);
    for (size_t i = 0; result == 0 && i < facts->config->environment_count; i++) {
        const struct config_variable *variable = &facts->config->environment[i];

        if (variable->value == NULL) {
            drop(environment, variable->name);
            continue;
        }
        value.length = 0;
        result = tokens_expand(variable->value, &tokens.context, &value, err);
        if (result == 0)
            (void)set(environment, variable->name, buffer_text(&value));
    }
    if (value.failed)
        environment->failed = true;
    buffer_free(&value);
    return result;
}

/* The first listener's port, address and URL, with either kind of socket. */
static void set_first_listener(
        const struct environment_facts *facts, struct environment *environment)
{
    const struct listener *first = &facts->listeners->list[0];
    char text[ADDRESS_TEXT_BYTES];

    if (facts->listeners->count == 0)
        return;
    if (first->bound.family != ADDRESS_UNIX)
        set_number(environment, "PORT", first->bound.port);
    address_format_host(&first->bound, text, sizeof text);
    (void)set(environment, "SVCMGR_ADDRESS", text);
    listener_url(first, text, sizeof text);
    (void)set(environment, "SVCMGR_URL", text);
}

/* sd_listen_fds(3), and SERVER_STARTER_PORT of Server::Starter: "HOST:PORT=FD;PATH=FD". */
static void set_passed(const struct environment_facts *facts, struct environment *environment)
{
    platform_handle handles[PLATFORM_PASSED_MAX];
    const char *names[PLATFORM_PASSED_MAX];
    size_t count = listener_passed(facts->listeners, handles, names, PLATFORM_PASSED_MAX);
    struct buffer list = { 0 };
    struct buffer starter = { 0 };

    if (!facts->pass_sockets || count == 0)
        return;
    for (size_t i = 0; i < count; i++)
        buffer_printf(&list, "%s%s", i > 0 ? ":" : "", names[i]);
    for (size_t i = 0; i < facts->listeners->count; i++) {
        int number = listener_passed_number(facts->listeners, i);
        char text[ADDRESS_TEXT_BYTES];

        if (number == -1)
            continue;
        if (facts->listeners->list[i].bound.family == ADDRESS_UNIX)
            address_format_host(&facts->listeners->list[i].bound, text, sizeof text);
        else
            address_format(&facts->listeners->list[i].bound, text, sizeof text);
        buffer_printf(&starter, "%s%s=%d", starter.length > 0 ? ";" : "", text, number);
    }
    set_number(environment, "LISTEN_FDS", count);
    (void)set(environment, "LISTEN_FDNAMES", buffer_text(&list));
    (void)set(environment, "SERVER_STARTER_PORT", buffer_text(&starter));
    if (facts->config->listen_pid)
        environment->listen_pid_hole = set(environment, "LISTEN_PID", PLATFORM_PID_HOLE);
    environment->failed = environment->failed || list.failed || starter.failed;
    buffer_free(&list);
    buffer_free(&starter);
}

static void set_own(const struct environment_facts *facts, struct environment *environment)
{
    (void)set(environment, "SVCMGR_NAME", facts->config->name);
    (void)set(environment, "SVCMGR_INSTANCE", facts->instance);
    set_number(environment, "SVCMGR_GENERATION", facts->generation);
    if (facts->main_pid > 0)
        set_number(environment, "SVCMGR_PID", (uint64_t)facts->main_pid);
    set_first_listener(facts, environment);
    set_passed(facts, environment);
    if (facts->notify_name[0] != '\0')
        (void)set(environment, "NOTIFY_SOCKET", facts->notify_name);
    if (facts->config->watchdog_ms > 0 && facts->notify_name[0] != '\0') {
        set_number(environment, "WATCHDOG_USEC", (uint64_t)facts->config->watchdog_ms * 1000);
        environment->watchdog_pid_hole = set(environment, "WATCHDOG_PID", PLATFORM_PID_HOLE);
    }
}

int environment_build(const struct environment_facts *facts, struct environment *ret_environment,
        struct err *err)
{
    *ret_environment = (struct environment){ 0 };
    set_base(facts, ret_environment);
    for (size_t i = 0; i < facts->config->environment_file_count; i++)
        if (read_file(facts, &facts->config->environment_files[i], ret_environment, err) == -1)
            return -1;
    if (set_configured(facts, ret_environment, err) == -1)
        return -1;
    set_own(facts, ret_environment);
    return ret_environment->failed ? err_memory(err) : 0;
}

void environment_free(struct environment *environment)
{
    arena_free(&environment->arena);
    *environment = (struct environment){ 0 };
}
