#include "launchd_install.h"

#include <string.h>

#include "launchd_jobs.h"
#include "launchd_render.h"
#include "str.h"

#include "banned.h"

/* ---- What is there --------------------------------------------------------------------------- */

bool launchd_installed(const struct launcher_place *place, struct launcher_installed *ret_installed)
{
    struct installed_file file;
    struct err err;
    enum launchctl_domain domain;

    if (launchd_read_plist(place, &file, &err) == -1 || !file.exists)
        return false;
    *ret_installed = (struct launcher_installed) {
        .kind = "launchd",
        .scope = place->system_scope ? "system" : "user",
        .with_socket = launchd_render_has_sockets(buffer_text(&file.text)),
    };
    launchd_render_label(place->name, ret_installed->unit, sizeof ret_installed->unit);
    (void)str_copy(ret_installed->path, sizeof ret_installed->path, file.path);
    domain = launchd_domain_of(place->system_scope, buffer_text(&file.text));
    ret_installed->enabled = !launchctl_is_disabled(domain, ret_installed->unit);
    buffer_free(&file.text);
    return true;
}

bool launchd_differs(const struct launcher_place *place, const struct definition *definition)
{
    struct installed_file file;
    struct err err;
    bool differs;

    if (launchd_read_plist(place, &file, &err) == -1)
        return true;
    differs = strcmp(buffer_text(&file.text), buffer_text(&definition->files[0].text)) != 0;
    buffer_free(&file.text);
    return differs;
}

/* PATH is that of the shell that the first install was typed in: else each shell would make another
 * plist.  A job of the session at the screen needs one; one that is without stays so. */
void launchd_look(const struct launcher_place *place, struct definition_input *input)
{
    const char *path = platform_environment("PATH");
    struct installed_file file = { .exists = false };
    struct err err;

    if (launchctl_is_here() && launchd_read_plist(place, &file, &err) == 0 && file.exists)
        input->without_screen =
                launchd_domain_of(place->system_scope, buffer_text(&file.text)) == LAUNCHCTL_USER;
    if (!launchd_render_string(
                buffer_text(&file.text), "PATH", input->search_path, sizeof input->search_path) &&
            path != NULL)
        (void)str_copy(input->search_path, sizeof input->search_path, path);
    if (launchctl_is_here() && !place->system_scope && !launchctl_has_domain(LAUNCHCTL_GUI))
        input->without_screen = true;
    buffer_free(&file.text);
}

/* ---- Installing ------------------------------------------------------------------------------ */

static int enable(enum launchctl_domain domain, const char *label, bool is_new,
        struct launcher_report *report, struct err *err)
{
    char target[LAUNCHCTL_TARGET_BYTES];
    bool disabled = launchctl_is_disabled(domain, label);

    launchctl_target(domain, label, target, sizeof target);
    if (disabled && launchctl_do("enable", target, NULL, err) != LAUNCHD_REPLY_DONE)
        return -1;
    if (disabled || is_new) {
        report->changed = true;
        buffer_printf(&report->text, "enabled %s\n", label);
    }
    return 0;
}

/* A job that is loaded has its plist as it was then: it is unloaded first, so that one that was
 * interrupted here is not taken for the new one later, and it runs again when it ran before. */
static int apply(const struct launcher_place *place, const struct installed_file *file,
        const struct launchd_loaded *loaded, struct launcher_report *report, struct err *err)
{
    enum launchctl_domain domain =
            launchd_domain_of(place->system_scope, buffer_text(file->wanted));
    bool changes = installed_file_changes(file, report);
    bool moves = loaded->found && (changes || loaded->domain != domain);
    char label[DEFINITION_NAME_BYTES];

    launchd_render_label(place->name, label, sizeof label);
    if (moves && launchd_unload(place, loaded->domain, buffer_text(&file->text), err) == -1)
        return -1;
    if ((changes && installed_file_write(file, err) == -1) ||
            enable(domain, label, !file->exists, report, err) == -1)
        return -1;
    if (!moves)
        return 0;
    if (launchd_load(place, domain, file->path, err) == -1)
        return -1;
    report->changed = true;
    buffer_printf(&report->text, "loaded %s again, which starts it anew\n", label);
    return 0;
}

int launchd_install(const struct launcher_place *place, const struct definition *definition,
        struct launcher_report *report, struct err *err)
{
    struct installed_file file;
    struct launchd_loaded loaded;
    int result;

    if (launchd_read_plist(place, &file, err) == -1)
        return -1;
    file.wanted = &definition->files[0].text;
    /* Nothing is written that could not be told to launchd. */
    result = launchd_find(place, file.path, &loaded, err);
    if (result == 0)
        result = apply(place, &file, &loaded, report, err);
    buffer_free(&file.text);
    return result;
}

/* ---- Uninstalling ---------------------------------------------------------------------------- */

static int remove_all(const struct launcher_place *place, const struct installed_file *file,
        struct launcher_report *report, struct err *err)
{
    char log[PLATFORM_PATH_BYTES];
    struct launchd_loaded loaded;

    if (launchd_find(place, file->path, &loaded, err) == -1 ||
            (loaded.found &&
                    launchd_unload(place, loaded.domain, buffer_text(&file->text), err) == -1) ||
            platform_remove_file(file->path, err) == -1)
        return -1;
    report->changed = true;
    buffer_printf(&report->text, "removed %s\n", file->path);
    launchd_render_log(place->state_path, log, sizeof log);
    return platform_remove_file(log, err);
}

int launchd_uninstall(
        const struct launcher_place *place, struct launcher_report *report, struct err *err)
{
    struct installed_file file;
    int result = 0;

    if (launchd_read_plist(place, &file, err) == -1)
        return -1;
    if (file.exists)
        result = remove_all(place, &file, report, err);
    buffer_free(&file.text);
    return result;
}
