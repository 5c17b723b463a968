#include "systemd_install.h"

#include <string.h>

#include "installed_file.h"
#include "linger.h"
#include "str.h"
#include "systemd_render.h"
#include "systemd_reply.h"

#include "banned.h"

#define SYSTEM_FOLDER "/etc/systemd/system"
#define USER_FOLDER   ".config/systemd/user"
#define NO_RELOAD     "--no-reload" /* once, at the end: it takes its time */
#define UNITS_MAX     2             /* the service's and its socket's */

enum { UNIT_SERVICE, UNIT_SOCKET };

/* The units of the service, as they are and as they are to be. */
struct units {
    enum systemctl_manager manager;
    struct installed_file list[UNITS_MAX];
};

enum systemctl_manager systemd_manager(const struct launcher_place *place)
{
    return place->system_scope ? SYSTEMCTL_SYSTEM : SYSTEMCTL_USER;
}

int systemd_unit_folder(bool system_scope, char *ret_path, size_t size, struct err *err)
{
    return installed_file_folder(system_scope ? SYSTEM_FOLDER : USER_FOLDER, ret_path, size, err);
}

/* ---- What is there --------------------------------------------------------------------------- */

static void free_units(struct units *units)
{
    for (size_t i = 0; i < UNITS_MAX; i++)
        buffer_free(&units->list[i].text);
}

/* Names and paths, without a look at the files. */
static int name_units(const struct launcher_place *place, struct units *units, struct err *err)
{
    char folder[PLATFORM_PATH_BYTES];

    *units = (struct units) { .manager = systemd_manager(place) };
    if (systemd_unit_folder(place->system_scope, folder, sizeof folder, err) == -1)
        return -1;
    systemd_render_service_name(
            place->name, units->list[UNIT_SERVICE].name, sizeof units->list[UNIT_SERVICE].name);
    systemd_render_socket_name(
            place->name, units->list[UNIT_SOCKET].name, sizeof units->list[UNIT_SOCKET].name);
    for (size_t i = 0; i < UNITS_MAX; i++)
        if (!str_format(units->list[i].path, sizeof units->list[i].path, "%s/%s", folder,
                    units->list[i].name))
            return err_set(err, ERR_FAILED, 0, "the path is too long: %.60s...", folder);
    return 0;
}

static int read_units(const struct launcher_place *place, struct units *units, struct err *err)
{
    if (name_units(place, units, err) == -1)
        return -1;
    for (size_t i = 0; i < UNITS_MAX; i++)
        if (installed_file_read(&units->list[i], systemd_render_owner_of, place->state_path,
                    "systemctl mask makes one", err) == -1) {
            free_units(units);
            return -1;
        }
    return 0;
}

/* The link that 'systemctl enable' makes. */
static bool is_enabled(const struct launcher_place *place, const struct installed_file *unit)
{
    const char *target = place->system_scope ? "multi-user.target" : "default.target";
    char link[PLATFORM_PATH_BYTES];
    struct platform_file file;
    size_t folder = (size_t)(strrchr(unit->path, '/') - unit->path);

    return str_format(link, sizeof link, "%.*s/%s.wants/%s", (int)folder, unit->path, target,
                   unit->name) &&
            platform_stat(link, &file);
}

bool systemd_installed(const struct launcher_place *place, struct launcher_installed *ret_installed)
{
    struct units units;
    struct err err;
    bool installed;

    if (read_units(place, &units, &err) == -1)
        return false;
    installed = units.list[UNIT_SERVICE].exists;
    if (installed) {
        *ret_installed = (struct launcher_installed) {
            .kind = "systemd",
            .scope = place->system_scope ? "system" : "user",
            .enabled = is_enabled(place, &units.list[UNIT_SERVICE]),
            .with_socket = units.list[UNIT_SOCKET].exists,
        };
        (void)str_copy(
                ret_installed->unit, sizeof ret_installed->unit, units.list[UNIT_SERVICE].name);
        (void)str_copy(
                ret_installed->path, sizeof ret_installed->path, units.list[UNIT_SERVICE].path);
    }
    free_units(&units);
    return installed;
}

bool systemd_differs(const struct launcher_place *place, const struct definition *definition)
{
    struct units units;
    struct err err;
    bool differs = false;

    if (read_units(place, &units, &err) == -1)
        return true;
    for (size_t i = 0; i < UNITS_MAX; i++) {
        const char *wanted = i < definition->count ? buffer_text(&definition->files[i].text) : "";

        differs = differs || strcmp(buffer_text(&units.list[i].text), wanted) != 0;
    }
    free_units(&units);
    return differs;
}

/* ---- Asking systemd -------------------------------------------------------------------------- */

/* 'option' and 'unit' may be NULL. */
static int call(const struct units *units, struct buffer *out, struct err *err, const char *verb,
        const char *option, const char *unit)
{
    const char *const words[] = { verb, option != NULL ? option : unit,
        option != NULL ? unit : NULL, NULL };
    struct buffer ignored = { 0 };
    int result = systemctl_call(
            units->manager, words, SYSTEMCTL_LIMIT_MS, out != NULL ? out : &ignored, err);

    buffer_free(&ignored);
    return result;
}

/* "Version=252.39-1~deb12u2", or with a letter in front where a distribution puts one. */
unsigned systemd_version(bool system_scope)
{
    const struct units units = { .manager = system_scope ? SYSTEMCTL_SYSTEM : SYSTEMCTL_USER };
    struct buffer out = { 0 };
    struct err err;
    unsigned version = 0;

    if (systemctl_is_here() && call(&units, &out, &err, "show", "--property=Version", NULL) == 0) {
        const char *digit = buffer_text(&out);

        digit += strcspn(digit, "0123456789\n");
        for (; str_is_digit(*digit) && version < 10000; digit++)
            version = version * 10 + (unsigned)(*digit - '0');
    }
    buffer_free(&out);
    return version;
}

/* ---- Installing ------------------------------------------------------------------------------ */

/* Stops, disables and removes. */
static int remove_unit(
        const struct units *units, const struct installed_file *unit, struct err *err)
{
    struct err ignored;

    if (call(units, NULL, err, "stop", NULL, unit->name) == -1 ||
            call(units, NULL, err, "disable", NO_RELOAD, unit->name) == -1 ||
            platform_remove_file(unit->path, err) == -1)
        return -1;
    (void)call(units, NULL, &ignored, "reset-failed", NULL, unit->name);
    return 0;
}

/* Makes the file of one unit be what it is to be, and tells what changes. */
static int reconcile(const struct units *units, const struct installed_file *unit,
        struct launcher_report *report, struct err *err)
{
    if (!installed_file_changes(unit, report))
        return 0;
    if (unit->wanted != NULL)
        return installed_file_write(unit, err);
    /* Before the service's unit is read again, it goes when its socket unit does. */
    return call(units, NULL, err, "daemon-reload", NULL, NULL) == -1
            ? -1
            : remove_unit(units, unit, err);
}

struct read_back {
    const char *property;
    const char *wanted;
    const char *otherwise;
};

/* Whether systemd has what was written, and nothing in front of it. */
static int verify(const struct units *units, const struct installed_file *unit, struct err *err)
{
    const struct read_back rows[] = {
        { "LoadState", "loaded", "systemd does not take it" },
        { "FragmentPath", unit->path, "systemd reads another file instead" },
        { "NeedDaemonReload", "no", "systemd has not read it again" },
        { "UnitFileState", "enabled", "it is not enabled" },
    };
    struct buffer out = { 0 };
    int result = call(units, &out, err, "show",
            "--property=LoadState,FragmentPath,NeedDaemonReload,UnitFileState", unit->name);

    for (size_t i = 0; result == 0 && i < sizeof rows / sizeof rows[0]; i++) {
        char value[PLATFORM_PATH_BYTES];

        systemd_reply_value(buffer_text(&out), rows[i].property, value, sizeof value);
        if (strcmp(value, rows[i].wanted) != 0)
            result = err_set(err, ERR_FAILED, 0, "%s was written, but %s: %s=%.300s", unit->path,
                    rows[i].otherwise, rows[i].property, value);
    }
    buffer_free(&out);
    return result;
}

static void tell_drop_ins(const struct units *units, struct launcher_report *report)
{
    char paths[PLATFORM_PATH_BYTES] = "";
    struct buffer out = { 0 };
    struct err ignored;

    if (call(units, &out, &ignored, "show", "--property=DropInPaths",
                units->list[UNIT_SERVICE].name) == 0)
        systemd_reply_value(buffer_text(&out), "DropInPaths", paths, sizeof paths);
    if (paths[0] != '\0')
        buffer_printf(&report->text, "drop-ins of others: %s\n", paths);
    buffer_free(&out);
}

static int apply(struct units *units, struct launcher_report *report, struct err *err)
{
    for (size_t i = 0; i < UNITS_MAX; i++)
        if (reconcile(units, &units->list[i], report, err) == -1)
            return -1;
    for (size_t i = 0; i < UNITS_MAX; i++)
        if (units->list[i].wanted != NULL &&
                call(units, NULL, err, "enable", NO_RELOAD, units->list[i].name) == -1)
            return -1;
    if (call(units, NULL, err, "daemon-reload", NULL, NULL) == -1)
        return -1;
    for (size_t i = 0; i < UNITS_MAX; i++)
        if (units->list[i].wanted != NULL && verify(units, &units->list[i], err) == -1)
            return -1;
    tell_drop_ins(units, report);
    return 0;
}

int systemd_install(const struct launcher_place *place, const struct definition *definition,
        struct launcher_report *report, struct err *err)
{
    struct units units;
    struct launcher_installed installed;
    bool was_enabled = systemd_installed(place, &installed) && installed.enabled;
    int result;

    if (read_units(place, &units, err) == -1)
        return -1;
    for (size_t i = 0; i < definition->count; i++)
        units.list[i].wanted = &definition->files[i].text;
    /* Nothing is written that could not be told to systemd. */
    result = call(&units, NULL, err, "show", "--property=Version", NULL);
    if (result == 0)
        result = apply(&units, report, err);
    if (result == 0 && !was_enabled) {
        report->changed = true;
        buffer_printf(&report->text, "enabled %s\n", units.list[UNIT_SERVICE].name);
    }
    free_units(&units);
    return result;
}

/* ---- Uninstalling ---------------------------------------------------------------------------- */

/* A folder for drop-ins that is empty goes too; what somebody put there is theirs. */
static void remove_drop_in_folder(const struct installed_file *unit, struct launcher_report *report)
{
    char folder[PLATFORM_PATH_BYTES];
    struct platform_file file;

    if (!str_format(folder, sizeof folder, "%s.d", unit->path))
        return;
    platform_remove_directory(folder);
    if (platform_stat(folder, &file))
        buffer_printf(&report->text, "left as it is: %s\n", folder);
}

static int check_gone(const struct units *units, const struct installed_file *unit, struct err *err)
{
    char path[PLATFORM_PATH_BYTES];
    struct buffer out = { 0 };
    int result = call(units, &out, err, "show", "--property=FragmentPath", unit->name);

    systemd_reply_value(buffer_text(&out), "FragmentPath", path, sizeof path);
    if (result == 0 && strcmp(path, unit->path) == 0)
        result = err_set(err, ERR_FAILED, 0, "systemd still has %s", unit->name);
    buffer_free(&out);
    return result;
}

static int remove_all(const struct units *units, struct launcher_report *report, struct err *err)
{
    for (size_t i = UNITS_MAX; i-- > 0;) {
        const struct installed_file *unit = &units->list[i];

        if (!unit->exists)
            continue;
        if (remove_unit(units, unit, err) == -1)
            return -1;
        report->changed = true;
        buffer_printf(&report->text, "removed %s\n", unit->path);
        remove_drop_in_folder(unit, report);
    }
    if (!report->changed)
        return 0;
    if (call(units, NULL, err, "daemon-reload", NULL, NULL) == -1)
        return -1;
    for (size_t i = 0; i < UNITS_MAX; i++)
        if (units->list[i].exists && check_gone(units, &units->list[i], err) == -1)
            return -1;
    return 0;
}

int systemd_uninstall(
        const struct launcher_place *place, struct launcher_report *report, struct err *err)
{
    struct units units;
    int result;

    if (read_units(place, &units, err) == -1)
        return -1;
    result = remove_all(&units, report, err);
    free_units(&units);
    if (result == 0 && !place->system_scope)
        result = linger_give_back(place, report, err);
    return result;
}
