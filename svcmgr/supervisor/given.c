#include "given.h"

#include <stdlib.h>
#include <string.h>

#include "str.h"
#include "supervisor.h"

#include "banned.h"

#define HELD_AS   "given:"
#define KEPT_MAIN GIVEN_KEPT "listen."
#define KEPT_TWIN GIVEN_KEPT "twin."

void given_to_keeper(void)
{
    char unit[LAUNCHER_UNIT_BYTES];
    const struct launcher *launcher = launcher_detect(platform_pid(), unit, sizeof unit);
    struct launcher_socket sockets[LAUNCHER_SOCKETS_MAX];
    size_t count = launcher->take_sockets != NULL
            ? launcher->take_sockets(sockets, LAUNCHER_SOCKETS_MAX)
            : 0;

    for (size_t i = 0; i < count; i++) {
        char name[KEEPER_NAME_BYTES];

        (void)str_format(name, sizeof name, HELD_AS "%zu:%s", i, sockets[i].name);
        keeper_give(name, sockets[i].handle);
    }
}

/* The launcher's name for it, behind its number. */
static const char *name_of(const struct given_socket *socket)
{
    const char *colon = strchr(socket->held_as + sizeof HELD_AS - 1, ':');

    return colon != NULL ? colon + 1 : "";
}

static bool is_kept(const struct given_socket *socket)
{
    return strncmp(name_of(socket), GIVEN_KEPT, sizeof GIVEN_KEPT - 1) == 0;
}

static uint64_t socket_id(platform_handle handle)
{
    struct platform_file file;

    return handle != PLATFORM_NO_HANDLE && platform_stat_handle(handle, &file) ? file.file_id : 0;
}

/* ---- Taking ---------------------------------------------------------------------------------- */

static void note_kept(struct given *given, const char *name, uint64_t id)
{
    struct given_kept *kept = NULL;

    for (size_t i = 0; i < given->kept_count && kept == NULL; i++)
        if (strcmp(given->kept[i].name, name) == 0)
            kept = &given->kept[i];
    if (kept == NULL && given->kept_count < GIVEN_KEPT_MAX)
        kept = &given->kept[given->kept_count++];
    if (kept == NULL)
        return;
    (void)str_copy(kept->name, sizeof kept->name, name);
    kept->socket_id = id;
}

static void take(struct given *given, const char *held_as, platform_handle handle)
{
    struct given_socket *socket = &given->sockets[given->count];

    if (given->count == LAUNCHER_SOCKETS_MAX) {
        platform_close(handle);
        return;
    }
    (void)str_copy(socket->held_as, sizeof socket->held_as, held_as);
    socket->handle = handle;
    given->count++;
    if (is_kept(socket))
        note_kept(given, name_of(socket), socket_id(handle));
}

static bool is_needed(const struct supervisor *sup)
{
    if (sup->launcher->keep != NULL)
        return true;
    for (size_t i = 0; i < sup->link.restored_count; i++)
        if (strncmp(sup->link.rest->restored[i].name, HELD_AS, sizeof HELD_AS - 1) == 0)
            return true;
    return false;
}

void given_begin(struct supervisor *sup)
{
    if (!is_needed(sup))
        return;
    sup->given = calloc(1, sizeof *sup->given);
    for (size_t i = 0; sup->given != NULL && i < sup->link.restored_count; i++) {
        char held_as[KEEPER_NAME_BYTES];

        if (strncmp(sup->link.rest->restored[i].name, HELD_AS, sizeof HELD_AS - 1) != 0)
            continue;
        (void)str_copy(held_as, sizeof held_as, sup->link.rest->restored[i].name);
        take(sup->given, held_as, link_take(&sup->link, held_as));
    }
}

/* ---- Giving to listeners --------------------------------------------------------------------- */

/* Whether a socket of the launcher's own listens on this address. */
static bool listens_on(const struct given_socket *socket, const struct address *wanted)
{
    struct address bound;

    return !is_kept(socket) && socket->handle != PLATFORM_NO_HANDLE &&
            platform_check_listener(socket->handle, &bound) && address_equal(&bound, wanted);
}

void given_decide(const struct supervisor *sup, struct config *config, struct listener_set *set)
{
    if (sup->given == NULL)
        return;
    for (size_t i = 0; i < set->count; i++)
        for (size_t j = 0; j < sup->given->count && !config->listeners[i].socket_set; j++)
            if (listens_on(&sup->given->sockets[j], &config->listeners[i].address))
                config->listeners[i].socket = set->list[i].config.socket = CONFIG_SOCKET_INHERIT;
}

static platform_handle take_shared(struct given *given, const struct address *wanted)
{
    struct err err;
    platform_handle handle;

    for (size_t i = 0; i < given->count; i++)
        if (listens_on(&given->sockets[i], wanted) &&
                platform_duplicate(given->sockets[i].handle, &handle, &err) == 0)
            return handle;
    return PLATFORM_NO_HANDLE;
}

static platform_handle take_kept(struct given *given, const char *prefix, const char *name)
{
    size_t length = strlen(prefix);

    for (size_t i = 0; i < given->count; i++) {
        struct given_socket *socket = &given->sockets[i];
        platform_handle handle = socket->handle;

        if (handle == PLATFORM_NO_HANDLE || strncmp(name_of(socket), prefix, length) != 0 ||
                strcmp(name_of(socket) + length, name) != 0)
            continue;
        socket->handle = PLATFORM_NO_HANDLE;
        return handle;
    }
    return PLATFORM_NO_HANDLE;
}

/* A path may be somebody else's by now: only the file of this very socket is ours. */
static bool takes_path(struct listener *listener)
{
    const char *path = listener->config.address.path;
    struct platform_listener found[PLATFORM_LISTENERS_MAX];
    uint64_t id = socket_id(listener->handle);
    struct platform_file file;
    int count = platform_listeners_on_path(path, found, PLATFORM_LISTENERS_MAX);

    for (int i = 0; i < count; i++) {
        if (found[i].socket_id != id || !platform_stat(path, &file))
            continue;
        listener->file_id = file.file_id;
        return true;
    }
    return false;
}

static void fill_kept(struct given *given, struct listener *listener)
{
    struct address bound;

    listener->handle = take_kept(given, KEPT_MAIN, listener->config.name);
    if (listener->handle == PLATFORM_NO_HANDLE)
        return;
    if (!listener_check(listener) ||
            (listener->config.address.family == ADDRESS_UNIX && !takes_path(listener))) {
        platform_close(listener->handle);
        listener->handle = PLATFORM_NO_HANDLE;
        return;
    }
    if (!listener->config.localhost)
        return;
    listener->twin = take_kept(given, KEPT_TWIN, listener->config.name);
    if (listener->twin == PLATFORM_NO_HANDLE ||
            platform_check_listener(listener->twin, &bound) == listener->config.both)
        return;
    platform_close(listener->twin);
    listener->twin = PLATFORM_NO_HANDLE;
}

static void fill_shared(struct given *given, struct listener *listener)
{
    struct address twin = address_ipv6_loopback(listener->config.address.port);

    listener->handle = take_shared(given, &listener->config.address);
    if (listener->handle != PLATFORM_NO_HANDLE && listener->config.both &&
            listener->twin == PLATFORM_NO_HANDLE)
        listener->twin = take_shared(given, &twin);
    (void)listener_check(listener);
}

void given_fill(struct supervisor *sup, struct listener_set *set)
{
    struct err err;

    if (sup->given == NULL)
        return;
    for (size_t i = 0; i < set->count; i++) {
        struct listener *listener = &set->list[i];

        if (listener->handle != PLATFORM_NO_HANDLE ||
                listener->config.socket != CONFIG_SOCKET_INHERIT)
            continue;
        fill_shared(sup->given, listener);
        if (listener->handle == PLATFORM_NO_HANDLE)
            fill_kept(sup->given, listener);
        if (listener->handle != PLATFORM_NO_HANDLE &&
                listener_bind_twin(listener, &err) != PLATFORM_BIND_OK)
            journal_write(&sup->journal,
                    &(struct journal_event) { .event = "warning", .cause = err.text });
    }
}

void given_settle(struct supervisor *sup)
{
    size_t left = 0;

    if (sup->given == NULL)
        return;
    for (size_t i = 0; i < sup->given->count; i++) {
        struct given_socket *socket = &sup->given->sockets[i];

        if (is_kept(socket)) {
            platform_close(socket->handle);
            link_drop(&sup->link, socket->held_as);
            continue;
        }
        sup->given->sockets[left++] = *socket;
    }
    sup->given->count = left;
}

bool given_is_shared(const struct supervisor *sup)
{
    return sup->given != NULL && sup->given->count > 0;
}

static bool is_listeners(const struct supervisor *sup, const struct given_socket *socket)
{
    const struct listener_set *set = &sup->service->listeners;
    uint64_t id = socket_id(socket->handle);

    for (size_t i = 0; i < set->count; i++)
        if (socket_id(set->list[i].handle) == id || socket_id(set->list[i].twin) == id)
            return true;
    return false;
}

void given_tell_rest(struct supervisor *sup)
{
    if (sup->given == NULL || sup->given->knows_rest)
        return;
    sup->given->knows_rest = true;
    for (size_t i = 0; i < sup->given->count; i++) {
        const struct given_socket *socket = &sup->given->sockets[i];
        struct address bound = { .family = ADDRESS_NONE };
        char address[ADDRESS_TEXT_BYTES];
        char cause[RECORD_REASON_BYTES];

        if (is_listeners(sup, socket))
            continue;
        (void)platform_check_listener(socket->handle, &bound);
        address_format(&bound, address, sizeof address);
        (void)str_format(cause, sizeof cause,
                "%s hands over %s (%s), which is not in \"listen\" with an inherited socket: "
                "whoever connects there waits",
                sup->launcher->kind, address, name_of(socket));
        str_make_printable(cause);
        journal_write(
                &sup->journal, &(struct journal_event) { .event = "warning", .cause = cause });
    }
}

/* ---- Having them kept ------------------------------------------------------------------------ */

static bool is_shared(const struct given *given, uint64_t id)
{
    for (size_t i = 0; i < given->count; i++)
        if (!is_kept(&given->sockets[i]) && socket_id(given->sockets[i].handle) == id)
            return true;
    return false;
}

/* Has one kept that is not yet; a name means one socket. */
static bool keep_one(struct supervisor *sup, const char *prefix, const char *of,
        platform_handle handle, bool listens, struct given_kept *wanted, size_t *wanted_count)
{
    struct given *given = sup->given;
    uint64_t id = socket_id(handle);
    char name[LAUNCHER_SOCKET_BYTES];

    if (id == 0 || is_shared(given, id))
        return true;
    (void)str_format(name, sizeof name, "%s%s", prefix, of);
    (void)str_copy(wanted[*wanted_count].name, sizeof name, name);
    wanted[(*wanted_count)++].socket_id = id;
    for (size_t i = 0; i < given->kept_count; i++) {
        if (strcmp(given->kept[i].name, name) != 0)
            continue;
        if (given->kept[i].socket_id == id)
            return true;
        if (!sup->launcher->give_back(name))
            return false;
        given->kept[i] = given->kept[--given->kept_count];
        break;
    }
    if (!sup->launcher->keep(name, handle, listens))
        return false;
    note_kept(given, name, id);
    return true;
}

static bool is_among(const struct given_kept *kept, const struct given_kept *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(list[i].name, kept->name) == 0)
            return true;
    return false;
}

static bool give_rest_back(
        struct supervisor *sup, const struct given_kept *wanted, size_t wanted_count)
{
    struct given *given = sup->given;

    for (size_t i = 0; i < given->kept_count;) {
        if (is_among(&given->kept[i], wanted, wanted_count)) {
            i++;
            continue;
        }
        if (!sup->launcher->give_back(given->kept[i].name))
            return false;
        given->kept[i] = given->kept[--given->kept_count];
    }
    return true;
}

bool given_keep(struct supervisor *sup)
{
    struct given_kept wanted[GIVEN_KEPT_MAX];
    size_t count = 0;
    const struct listener_set *set;

    /* At the end they stay where they are: the launcher may be about to start us again. */
    if (sup->given == NULL || sup->launcher->keep == NULL || sup->service == NULL || sup->done)
        return true;
    set = &sup->service->listeners;
    for (size_t i = 0; i < set->count; i++) {
        const struct listener *listener = &set->list[i];

        if (listener->config.socket == CONFIG_SOCKET_INHERIT &&
                (!keep_one(sup, KEPT_MAIN, listener->config.name, listener->handle, true, wanted,
                         &count) ||
                        !keep_one(sup, KEPT_TWIN, listener->config.name, listener->twin,
                                listener->config.both, wanted, &count)))
            return false;
    }
    return give_rest_back(sup, wanted, count);
}

void given_leave_paths(struct supervisor *sup)
{
    struct listener_set *set = &sup->service->listeners;

    for (size_t i = 0; sup->given != NULL && i < set->count; i++) {
        uint64_t id = socket_id(set->list[i].handle);

        for (size_t j = 0; id != 0 && j < sup->given->kept_count; j++)
            if (sup->given->kept[j].socket_id == id)
                set->list[i].file_id = 0;
    }
}
