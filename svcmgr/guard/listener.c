#include "listener.h"

#include <stdlib.h>

#include "str.h"

#include "banned.h"

int listener_init(struct listener_set *set, const struct config *config, struct err *err)
{
    *set = (struct listener_set) { .count = 0 };
    if (config->listener_count == 0)
        return 0;
    set->list = calloc(config->listener_count, sizeof *set->list);
    if (set->list == NULL)
        return err_memory(err);
    set->count = config->listener_count;
    for (size_t i = 0; i < set->count; i++) {
        set->list[i] = (struct listener) {
            .config = config->listeners[i],
            .bound = config->listeners[i].address,
            .handle = PLATFORM_NO_HANDLE,
            .twin = PLATFORM_NO_HANDLE,
        };
    }
    return 0;
}

void listener_free(struct listener_set *set)
{
    listener_close_all(set);
    free(set->list);
    *set = (struct listener_set) { .count = 0 };
}

static void close_twin(struct listener *listener)
{
    platform_close(listener->twin);
    listener->twin = PLATFORM_NO_HANDLE;
}

static void close_main(struct listener *listener)
{
    platform_close(listener->handle);
    listener->handle = PLATFORM_NO_HANDLE;
}

static void close_handles(struct listener *listener)
{
    close_main(listener);
    close_twin(listener);
}

static void close_listener(struct listener *listener)
{
    const char *path = listener->config.address.path;
    struct platform_file file;
    struct err err;

    if (listener->file_id != 0 && platform_stat(path, &file) && file.is_socket &&
            file.file_id == listener->file_id)
        (void)platform_remove_file(path, &err);
    listener->file_id = 0;
    close_handles(listener);
    if (listener->config.address.port == 0)
        listener->bound.port = 0;
}

void listener_close_all(struct listener_set *set)
{
    for (size_t i = 0; i < set->count; i++)
        close_listener(&set->list[i]);
}

void listener_leave_all(struct listener_set *set)
{
    for (size_t i = 0; i < set->count; i++)
        close_handles(&set->list[i]);
}

/* The ::1 half of "localhost": bound so that nobody else can have it, and not listening, so that
 * clients are refused there at once and fall back to 127.0.0.1. */
enum platform_bind_result listener_bind_twin(struct listener *listener, struct err *err)
{
    bool self = listener->config.socket == CONFIG_SOCKET_SELF;
    struct platform_bind bind = {
        .address = address_ipv6_loopback(listener->bound.port),
        .listen = listener->config.both && !self,
        .hold = !listener->config.both && !self,
        .backlog = listener->config.backlog,
        .only_ipv6 = true,
    };
    struct address bound;
    enum platform_bind_result result;

    if (listener->twin != PLATFORM_NO_HANDLE)
        return PLATFORM_BIND_OK; /* only the other half had been shut down */
    if (!listener->config.localhost || !platform_has_ipv6())
        return PLATFORM_BIND_OK; /* a family that the machine lacks is left out */
    listener->tried = bind.address;
    result = platform_bind(&bind, &listener->twin, &bound, err);
    if (result != PLATFORM_BIND_OK)
        listener->twin = PLATFORM_NO_HANDLE;
    return result;
}

/* Looks, under the path's lock, whether what stands there may go: nothing, or the file of a socket
 * that nobody listens on any more. */
static enum platform_bind_result clear_path(const char *path, struct err *err)
{
    struct platform_file before;
    struct platform_file after;

    if (!platform_stat(path, &before))
        return PLATFORM_BIND_OK;
    if (!before.is_socket) {
        err_set(err, ERR_OCCUPIED, 0, "%s is in the way: it is not a socket; remove it", path);
        return PLATFORM_BIND_FAILED;
    }
    if (platform_unix_is_live(path)) {
        err_set(err, ERR_OCCUPIED, 0, "cannot bind unix:%s: somebody listens there", path);
        return PLATFORM_BIND_TAKEN;
    }
    if (!platform_stat(path, &after) || after.file_id != before.file_id) {
        err_set(err, ERR_OCCUPIED, 0, "cannot bind unix:%s: somebody else binds it now", path);
        return PLATFORM_BIND_TAKEN;
    }
    return PLATFORM_BIND_OK;
}

/* The new socket listens under a temporary name first and is renamed over the path then, so there
 * is no moment without a socket file that answers. */
static enum platform_bind_result bind_unix(struct listener *listener, struct err *err)
{
    const char *path = listener->config.address.path;
    char temporary[PLATFORM_PATH_BYTES];
    struct platform_bind bind = {
        .address = listener->config.address,
        .listen = true,
        .backlog = listener->config.backlog,
        .mode = (unsigned)listener->config.mode,
        .temporary = temporary,
    };
    struct platform_file file;
    enum platform_bind_result result = clear_path(path, err);

    if (result != PLATFORM_BIND_OK)
        return result;
    if (listener->config.socket == CONFIG_SOCKET_SELF)
        return platform_remove_file(path, err) == 0 ? PLATFORM_BIND_OK : PLATFORM_BIND_FAILED;
    (void)str_format(temporary, sizeof temporary, "%s.new", path);
    if (platform_remove_file(temporary, err) == -1)
        return PLATFORM_BIND_FAILED;
    result = platform_bind(&bind, &listener->handle, &listener->bound, err);
    if (result != PLATFORM_BIND_OK) {
        listener->handle = PLATFORM_NO_HANDLE;
        return result;
    }
    if (platform_stat(temporary, &file) && platform_rename(temporary, path, err) == 0) {
        listener->file_id = file.file_id;
        return PLATFORM_BIND_OK;
    }
    (void)platform_remove_file(temporary, &(struct err) { 0 });
    close_handles(listener);
    return PLATFORM_BIND_FAILED;
}

/* Two services with one path would remove each other's socket file without an error: whoever
 * touches it holds PATH.lock meanwhile. */
static enum platform_bind_result bind_unix_locked(struct listener *listener, struct err *err)
{
    char lock_path[PLATFORM_PATH_BYTES];
    platform_handle lock;
    enum platform_bind_result result;

    (void)str_format(lock_path, sizeof lock_path, "%s.lock", listener->config.address.path);
    if (platform_lock(lock_path, &lock, err) == -1) {
        result = err->kind == ERR_DUPLICATE ? PLATFORM_BIND_TAKEN : PLATFORM_BIND_FAILED;
        err->kind = ERR_OCCUPIED;
        return result;
    }
    result = bind_unix(listener, err);
    platform_close(lock);
    return result;
}

static enum platform_bind_result bind_ip(struct listener *listener, uint16_t port, struct err *err)
{
    struct platform_bind bind = {
        .address = listener->config.address,
        .listen = listener->config.socket == CONFIG_SOCKET_INHERIT,
        .backlog = listener->config.backlog,
        .only_ipv6 = !address_is_wildcard(&listener->config.address),
    };
    enum platform_bind_result result;

    bind.address.port = port;
    listener->tried = bind.address;
    /* 'self' with port 0 claims nothing: the program's own choice is read back later. */
    if (listener->config.socket == CONFIG_SOCKET_SELF && port == 0)
        return PLATFORM_BIND_OK;
    result = platform_bind(&bind, &listener->handle, &listener->bound, err);
    if (result != PLATFORM_BIND_OK) {
        listener->handle = PLATFORM_NO_HANDLE;
        return result;
    }
    result = listener_bind_twin(listener, err);
    if (result != PLATFORM_BIND_OK)
        close_handles(listener);
    return result;
}

enum platform_bind_result listener_try(const struct listener *listener, struct err *err)
{
    struct listener claim = *listener;
    enum platform_bind_result result;

    claim.config.socket = CONFIG_SOCKET_SELF; /* nobody is let in */
    result = bind_ip(&claim, claim.config.address.port, err);
    close_handles(&claim);
    return result;
}

enum platform_bind_result listener_bind(struct listener *listener, struct err *err)
{
    uint16_t port = listener->config.address.port;
    uint16_t known = listener->bound.port;

    close_main(listener);
    listener->tried = listener->config.address;
    if (listener->config.address.family == ADDRESS_UNIX)
        return bind_unix_locked(listener, err);
    /* A port that the kernel chose is kept as long as it can be had, and chosen anew when not. */
    if (port == 0 && known != 0 && listener->config.socket == CONFIG_SOCKET_INHERIT) {
        if (bind_ip(listener, known, err) == PLATFORM_BIND_OK)
            return PLATFORM_BIND_OK;
        if (listener->lost_port == 0)
            listener->lost_port = known;
        close_twin(listener);
    }
    listener->bound = listener->config.address;
    return bind_ip(listener, port, err);
}

static bool is_where_it_should_be(const struct listener *listener, const struct address *bound)
{
    struct address wanted = listener->config.address;

    if (wanted.family == ADDRESS_UNIX)
        return bound->family == ADDRESS_UNIX; /* the name that it was bound under was temporary */
    if (wanted.port == 0)
        wanted.port = bound->port;
    return address_equal(&wanted, bound);
}

bool listener_check(struct listener *listener)
{
    struct address bound;

    if (listener->handle == PLATFORM_NO_HANDLE)
        return false;
    if (listener->config.socket == CONFIG_SOCKET_SELF)
        return true;
    if (!platform_check_listener(listener->handle, &bound) ||
            !is_where_it_should_be(listener, &bound)) {
        /* The number stays known: a socket that the program shut down is bound there again.  Its
         * twin stays, for a copy of the keeper's would stand in the way of a new one. */
        close_main(listener);
        if (listener->config.both && !platform_check_listener(listener->twin, &bound))
            close_twin(listener);
        return false;
    }
    if (bound.family != ADDRESS_UNIX)
        listener->bound = bound;
    if (listener->twin != PLATFORM_NO_HANDLE && listener->config.both)
        (void)platform_check_listener(listener->twin, &bound);
    return true;
}

bool listener_all_held(struct listener_set *set)
{
    bool all = true;

    for (size_t i = 0; i < set->count; i++)
        all = listener_check(&set->list[i]) && all;
    return all;
}

void listener_restore_queues(const struct listener_set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        const struct listener *listener = &set->list[i];

        platform_set_backlog(listener->handle, listener->config.backlog);
        platform_set_backlog(listener->twin, listener->config.backlog);
    }
}

void listener_release_claims(struct listener_set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        if (set->list[i].config.socket == CONFIG_SOCKET_SELF)
            close_handles(&set->list[i]);
    }
}

void listener_take_over(struct listener_set *to, struct listener_set *from)
{
    for (size_t i = 0; i < to->count; i++) {
        struct listener *wanted = &to->list[i];

        for (size_t j = 0; j < from->count && wanted->handle == PLATFORM_NO_HANDLE; j++) {
            struct listener *given = &from->list[j];

            if (given->handle == PLATFORM_NO_HANDLE ||
                    !config_same_listener(&wanted->config, &given->config))
                continue;
            wanted->handle = given->handle;
            wanted->twin = given->twin;
            wanted->bound = given->bound;
            wanted->file_id = given->file_id;
            given->file_id = 0;
            given->handle = given->twin = PLATFORM_NO_HANDLE;
        }
    }
}

size_t listener_passed(const struct listener_set *set, platform_handle *ret_handles,
        const char **ret_names, size_t max)
{
    size_t count = 0;

    for (size_t i = 0; i < set->count; i++) {
        const struct listener *listener = &set->list[i];

        if (listener->config.socket != CONFIG_SOCKET_INHERIT)
            continue;
        if (count < max) {
            ret_names[count] = listener->config.name;
            ret_handles[count++] = listener->handle;
        }
        if (listener->config.both && listener->twin != PLATFORM_NO_HANDLE && count < max) {
            ret_names[count] = listener->config.name;
            ret_handles[count++] = listener->twin;
        }
    }
    return count;
}

int64_t listener_passed_number(const struct listener_set *set, size_t index)
{
    size_t before = 0;

    if (set->list[index].config.socket != CONFIG_SOCKET_INHERIT)
        return -1;
    for (size_t i = 0; i < index; i++)
        if (set->list[i].config.socket == CONFIG_SOCKET_INHERIT)
            before += set->list[i].config.both && set->list[i].twin != PLATFORM_NO_HANDLE ? 2 : 1;
    return platform_passed_number(set->list[index].handle, before);
}

size_t listener_addresses(
        const struct listener *listener, struct address ret_addresses[LISTENER_ADDRESSES_MAX])
{
    ret_addresses[0] = listener->bound;
    if (!listener->config.localhost)
        return 1;
    ret_addresses[1] = address_ipv6_loopback(listener->bound.port);
    return 2;
}

void listener_url(const struct listener *listener, char *ret_text, size_t size)
{
    if (listener->config.localhost)
        (void)str_format(ret_text, size, "http://localhost:%u", listener->bound.port);
    else
        address_format_url(&listener->bound, ret_text, size);
}
