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
    for (size_t i = 0; i < environment->count; i++) {
        if (!platform_is_same_variable(
                    environment->list[i], name_length(environment->list[i]), name))
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
    memcpy(text, name, length + 1);
    text[length] = '=';
    memcpy(text + length + 1, value, value_length + 1);
    environment->list[environment->count++] = text;
    return text + length + 1;
}

static void set_number(struct environment *environment, const char *name, uint64_t number)
{
    char text[24];

    (void)str_format(text, sizeof text, "%llu", (unsigned long long)number);
    (void)set(environment, name, text);
}

static void set_each(void *environment, const char *name, const char *value)
{
    (void)set(environment, name, value);
}

static void set_base(const struct platform_user *user, struct environment *environment)
{
    char language[64];

    if (platform_base_environment(set_each, environment))
        return;
    platform_system_language(language, sizeof language);
    (void)set(environment, "PATH", platform_search_path());
    (void)set(environment, "LANG", language[0] != '\0' ? language : "C.UTF-8");
    (void)set(environment, "HOME", user->home);
    (void)set(environment, "USER", user->name);
    (void)set(environment, "LOGNAME", user->name);
    (void)set(environment, "SHELL", user->shell[0] != '\0' ? user->shell : "/bin/sh");
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
        ret_tokens->list[i] = (struct tokens_listener) {
            .name = set->list[i].config.name,
            .address = set->list[i].bound,
            .fd = facts->pass_sockets ? listener_passed_number(set, i) : -1,
        };
    ret_tokens->context = (struct tokens_context) {
        .name = facts->config->name,
        .listeners = ret_tokens->list,
        .listener_count = set->count,
    };
}

static bool names_a_socket(const char *value, const struct tokens_context *context)
{
    bool uses[CONFIG_LISTENERS_MAX] = { false };
    struct err err;
    size_t at;

    (void)tokens_check(value, context, uses, &at, &err);
    for (size_t i = 0; i < context->listener_count; i++)
        if (uses[i])
            return true;
    return false;
}

static int set_configured(
        const struct environment_facts *facts, struct environment *environment, struct err *err)
{
    struct environment_tokens tokens;
    struct buffer value = { 0 };
    int result = 0;

    environment_tokens(facts, &tokens);
    for (size_t i = 0; result == 0 && i < facts->config->environment_count; i++) {
        const struct config_variable *variable = &facts->config->environment[i];

        /* A health or stop command gets no sockets: what says which number one has is not for it.
         */
        if (variable->value == NULL ||
                (!facts->pass_sockets && names_a_socket(variable->value, &tokens.context))) {
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
    const struct listener *first = facts->listeners->list;
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

static void set_list(struct environment *environment, const char *name, const struct buffer *value)
{
    (void)set(environment, name, buffer_text(value));
    environment->failed = environment->failed || value->failed;
}

/* Handles that keep their numbers: "1234:1238", in the order of "listen". */
static void set_handles(
        const platform_handle *handles, size_t count, struct environment *environment)
{
    struct buffer list = { 0 };

    for (size_t i = 0; i < count; i++)
        buffer_printf(&list, "%s%lld", i > 0 ? ":" : "",
                (long long)platform_passed_number(handles[i], i));
    set_list(environment, "SVCMGR_LISTEN_HANDLES", &list);
    buffer_free(&list);
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
    if (!platform_passes_descriptors()) {
        set_handles(handles, count, environment);
        return;
    }
    for (size_t i = 0; i < count; i++)
        buffer_printf(&list, "%s%s", i > 0 ? ":" : "", names[i]);
    for (size_t i = 0; i < facts->listeners->count; i++) {
        int64_t number = listener_passed_number(facts->listeners, i);
        char text[ADDRESS_TEXT_BYTES];

        if (number == -1)
            continue;
        if (facts->listeners->list[i].bound.family == ADDRESS_UNIX)
            address_format_host(&facts->listeners->list[i].bound, text, sizeof text);
        else
            address_format(&facts->listeners->list[i].bound, text, sizeof text);
        buffer_printf(
                &starter, "%s%s=%lld", starter.length > 0 ? ";" : "", text, (long long)number);
    }
    set_number(environment, "LISTEN_FDS", count);
    set_list(environment, "LISTEN_FDNAMES", &list);
    set_list(environment, "SERVER_STARTER_PORT", &starter);
    if (facts->config->listen_pid)
        environment->listen_pid_hole = set(environment, "LISTEN_PID", PLATFORM_PID_HOLE);
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

static void make_changes(const struct environment_facts *facts, struct environment *environment)
{
    for (size_t i = 0; i < facts->change_count; i++) {
        const struct environment_change *change = &facts->changes[i];

        if (change->value != NULL)
            (void)set(environment, change->name, change->value);
        else
            drop(environment, change->name);
    }
}

int environment_build(
        const struct environment_facts *facts, struct environment *ret_environment, struct err *err)
{
    *ret_environment = (struct environment) { 0 };
    set_base(facts->user, ret_environment);
    for (size_t i = 0; i < facts->config->environment_file_count; i++)
        if (read_file(facts, &facts->config->environment_files[i], ret_environment, err) == -1)
            return -1;
    if (set_configured(facts, ret_environment, err) == -1)
        return -1;
    set_own(facts, ret_environment);
    make_changes(facts, ret_environment);
    return ret_environment->failed ? err_memory(err) : 0;
}

int environment_base(
        const struct platform_user *user, struct environment *ret_environment, struct err *err)
{
    *ret_environment = (struct environment) { 0 };
    set_base(user, ret_environment);
    return ret_environment->failed ? err_memory(err) : 0;
}

const char *environment_get(const struct environment *environment, const char *name)
{
    for (size_t i = 0; i < environment->count; i++) {
        size_t length = name_length(environment->list[i]);

        if (platform_is_same_variable(environment->list[i], length, name))
            return environment->list[i] + length + 1;
    }
    return NULL;
}

void environment_free(struct environment *environment)
{
    arena_free(&environment->arena);
    *environment = (struct environment) { 0 };
}
