#include "origin.h"

#include <string.h>

#include "str.h"

#include "banned.h"

#define ID_DIGITS       64 /* of a container, in hexadecimal */
#define ID_DIGITS_SHOWN 12
#define UID_MAX         UINT32_MAX

/* A piece of somebody else's text. */
struct piece {
    const char *at;
    size_t length;
};

static bool is_text(struct piece piece, const char *text)
{
    return piece.length == strlen(text) && memcmp(piece.at, text, piece.length) == 0;
}

static bool begins_with(struct piece piece, const char *text)
{
    return piece.length >= strlen(text) && memcmp(piece.at, text, strlen(text)) == 0;
}

static bool ends_with(struct piece piece, const char *text)
{
    size_t length = strlen(text);

    return piece.length >= length && memcmp(piece.at + piece.length - length, text, length) == 0;
}

static struct piece without(struct piece piece, size_t front, size_t back)
{
    return (struct piece) { piece.at + front, piece.length - front - back };
}

static bool holds(struct piece piece, const char *text)
{
    size_t length = strlen(text);

    for (size_t i = 0; i + length <= piece.length; i++)
        if (memcmp(piece.at + i, text, length) == 0)
            return true;
    return false;
}

static void copy(char *target, size_t size, struct piece piece)
{
    (void)str_format(target, size, "%.*s", (int)piece.length, piece.at);
}

/* The next name of a path; false at its end. */
static bool take_name(struct piece *path, struct piece *ret_name)
{
    const char *slash;

    while (path->length > 0 && *path->at == '/')
        *path = without(*path, 1, 0);
    if (path->length == 0)
        return false;
    slash = memchr(path->at, '/', path->length);
    *ret_name = *path;
    if (slash != NULL)
        ret_name->length = (size_t)(slash - path->at);
    *path = without(*path, ret_name->length, 0);
    return true;
}

/* ---- Units ----------------------------------------------------------------------------------- */

static bool is_unit_character(char c)
{
    return str_is_letter(c) || str_is_digit(c) || (c != '\0' && strchr(":-_.\\@", c) != NULL);
}

/* systemd.unit(5).  A program may name the groups below its own as it likes. */
static bool is_unit_name(struct piece name)
{
    static const char *const suffixes[] = { ".service", ".scope", ".socket", ".mount", ".swap" };

    if (name.length >= ORIGIN_UNIT_BYTES || name.length == 0 || *name.at == '.')
        return false;
    for (size_t i = 0; i < name.length; i++)
        if (!is_unit_character(name.at[i]))
            return false;
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++)
        if (ends_with(name, suffixes[i]))
            return true;
    return false;
}

/* user@1000.service: the manager of a user, whose units are below it. */
static bool is_user_manager(struct piece name, int64_t *ret_uid)
{
    char number[16];
    uint64_t uid;

    if (!begins_with(name, "user@") || !ends_with(name, ".service") || name.length < 13)
        return false;
    copy(number, sizeof number, without(name, 5, 8));
    if (!str_to_uint(number, UID_MAX, &uid))
        return false;
    *ret_uid = (int64_t)uid;
    return true;
}

/* Slices first, then the unit; what is below a unit is its own affair. */
static void find_unit(struct piece path, struct origin *origin)
{
    struct piece name;

    while (take_name(&path, &name)) {
        /* cg_escape() of systemd: "_" in front of what the kernel could mistake for its own. */
        if (*name.at == '_')
            name = without(name, 1, 0);
        if (ends_with(name, ".slice") || is_text(name, "payload") || is_text(name, ".."))
            continue;
        if (is_user_manager(name, &origin->manager_uid)) {
            origin->of_user = true;
            continue;
        }
        if (is_unit_name(name) && !ends_with(name, ".scope"))
            copy(origin->unit, sizeof origin->unit, name);
        break;
    }
    if (origin->unit[0] == '\0')
        origin->of_user = false;
}

/* ---- Containers ------------------------------------------------------------------------------ */

static bool is_id(struct piece text)
{
    if (text.length != ID_DIGITS)
        return false;
    for (size_t i = 0; i < text.length; i++)
        if (!str_is_digit(text.at[i]) && !(text.at[i] >= 'a' && text.at[i] <= 'f'))
            return false;
    return true;
}

/* docker-ID.scope, libpod-ID.scope, ID below docker/ or kubepods/: a name that ends with an id. */
static bool find_id(struct piece name, struct piece before, struct origin *origin)
{
    struct piece id = ends_with(name, ".scope") ? without(name, 0, 6) : name;
    struct piece prefix = { .at = name.at };

    if (id.length < ID_DIGITS)
        return false;
    prefix.length = id.length - ID_DIGITS;
    id = without(id, prefix.length, 0);
    if (!is_id(id) || (prefix.length > 0 && !ends_with(prefix, "-") && !ends_with(prefix, ":")))
        return false;
    if (holds(before, "kubepods") || begins_with(prefix, "cri"))
        origin->engine = ORIGIN_KUBERNETES;
    else if (begins_with(prefix, "libpod-") || ends_with(before, "/libpod_parent"))
        origin->engine = ORIGIN_PODMAN;
    else if (is_text(prefix, "docker-") || ends_with(prefix, ":docker:") ||
            ends_with(before, "/docker"))
        origin->engine = ORIGIN_DOCKER;
    id.length = ID_DIGITS_SHOWN;
    copy(origin->container, sizeof origin->container, id);
    return true;
}

static int hex_digit(char c)
{
    if (str_is_digit(c))
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A name inside a unit's name has its special characters as \xNN: systemd-escape(1). */
static bool set_name(struct piece name, enum origin_engine engine, struct origin *origin)
{
    size_t length = 0;

    if (name.length == 0 || name.length >= sizeof origin->container)
        return false;
    for (size_t i = 0; i < name.length; i++) {
        bool escaped = name.at[i] == '\\' && i + 3 < name.length && name.at[i + 1] == 'x' &&
                hex_digit(name.at[i + 2]) >= 0 && hex_digit(name.at[i + 3]) >= 0;

        origin->container[length++] = escaped
                ? (char)(hex_digit(name.at[i + 2]) * 16 + hex_digit(name.at[i + 3]))
                : name.at[i];
        i += escaped ? 3 : 0;
    }
    origin->container[length] = '\0';
    str_make_printable(origin->container);
    origin->engine = engine;
    return true;
}

/* Containers that go by a name.  'path' is what follows, which may begin with the name. */
static bool find_name(
        struct piece name, struct piece *path, struct piece before, struct origin *origin)
{
    struct piece next;
    struct piece rest = *path;

    if (begins_with(name, "lxc.payload."))
        return set_name(without(name, 12, 0), ORIGIN_LXC, origin);
    if (is_text(name, "lxc.payload") || (is_text(name, "lxc") && before.length == 0)) {
        if (!take_name(&rest, &next) || !set_name(next, ORIGIN_LXC, origin))
            return false;
        *path = rest;
        return true;
    }
    if (begins_with(name, "systemd-nspawn@") && ends_with(name, ".service"))
        return set_name(without(name, 15, 8), ORIGIN_MACHINE, origin);
    if (begins_with(name, "machine-") && ends_with(name, ".scope"))
        return set_name(without(name, 8, 6), ORIGIN_MACHINE, origin);
    return false;
}

/* The first container on a path; *path becomes what is inside of it. */
static bool find_container(struct piece *path, struct origin *origin)
{
    struct piece whole = *path;
    struct piece rest = *path;
    struct piece name;

    while (take_name(&rest, &name)) {
        struct piece before = { whole.at, (size_t)(name.at - whole.at) };

        if (before.length > 0)
            before.length--; /* the slash */
        if (!find_id(name, before, origin) && !find_name(name, &rest, before, origin))
            continue;
        origin->in_container = true;
        *path = rest;
        return true;
    }
    return false;
}

/* ---- The text -------------------------------------------------------------------------------- */

/* One line of the text, HIERARCHY:CONTROLLERS:PATH. */
struct line {
    struct piece controllers;
    struct piece path;
};

static bool take_line(const char **text, struct line *ret_line)
{
    const char *at = *text;
    size_t length = strcspn(at, "\n");
    const char *end = at + length;
    const char *first = memchr(at, ':', length);
    const char *second = first == NULL ? NULL : memchr(first + 1, ':', (size_t)(end - first - 1));

    *text = *end == '\n' ? end + 1 : end;
    if (second == NULL)
        *ret_line = (struct line) { { at, 0 }, { at, 0 } };
    else
        *ret_line = (struct line) {
            { first + 1, (size_t)(second - first - 1) },
            { second + 1, (size_t)(end - second - 1) },
        };
    if (ends_with(ret_line->path, " (deleted)"))
        ret_line->path.length -= 10;
    return length > 0;
}

/* The path of whoever asks in the same tree of groups. */
static struct piece own_path(const char *own, struct piece controllers)
{
    struct line line;

    while (*own != '\0')
        if (take_line(&own, &line) && line.controllers.length == controllers.length &&
                memcmp(line.controllers.at, controllers.at, controllers.length) == 0)
            return line.path;
    return (struct piece) { own, 0 };
}

/* Leaves out what leads into the container that we are in ourselves. */
static struct piece seen_from(const char *own, const struct line *line)
{
    struct piece path = line->path;
    struct piece ours = own_path(own, line->controllers);
    struct piece rest = ours;
    struct origin ignored = { .in_container = false };
    size_t part = 0;

    while (find_container(&rest, &ignored))
        part = (size_t)(rest.at - ours.at);
    if (part == 0 || path.length < part || memcmp(path.at, ours.at, part) != 0 ||
            (path.length > part && path.at[part] != '/'))
        return path;
    return without(path, part, 0);
}

void origin_read(const char *cgroups, const char *own, struct origin *ret_origin)
{
    const char *text = cgroups;
    struct line line;
    struct piece path;

    *ret_origin = (struct origin) { .in_container = false };
    /* With version 1 each controller has a tree of its own: any of them may show a container. */
    while (*text != '\0' && !ret_origin->in_container) {
        if (!take_line(&text, &line))
            continue;
        path = seen_from(own, &line);
        if (find_container(&path, ret_origin))
            find_unit(path, ret_origin);
    }
    for (text = cgroups; *text != '\0' && !ret_origin->in_container && ret_origin->unit[0] == '\0';)
        if (take_line(&text, &line) &&
                (line.controllers.length == 0 || is_text(line.controllers, "name=systemd")))
            find_unit(seen_from(own, &line), ret_origin);
}

void origin_describe(const struct origin *origin, char *ret_text, size_t size)
{
    const char *user = origin->of_user ? " (user)" : "";

    ret_text[0] = '\0';
    if (!origin->in_container && origin->unit[0] != '\0')
        (void)str_format(ret_text, size, "systemd unit %s%s", origin->unit, user);
    else if (origin->in_container && origin->container[0] == '\0')
        (void)str_format(ret_text, size, "a container");
    else if (origin->in_container && origin->unit[0] == '\0')
        (void)str_format(ret_text, size, "container %s", origin->container);
    else if (origin->in_container)
        (void)str_format(ret_text, size, "container %s (systemd unit %s in it)", origin->container,
                origin->unit);
}
