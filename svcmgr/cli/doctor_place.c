/* Files and directories that a service needs. */
#include <string.h>

#include "doctor.h"
#include "spawn.h"
#include "str.h"

#include "banned.h"

/* ---- Configuration and program --------------------------------------------------------------- */

void doctor_look_at_config(struct report *report)
{
    const struct target *target = report->target;
    struct finding finding = { .what = "config" };
    struct err err;

    if (service_load(target->name, target->config_path, &report->service, NULL, &err) == 0 &&
            spawn_check_scope(&report->service->config, target->is_system, &err) == 0) {
        (void)str_format(finding.text, sizeof finding.text, "%s is valid", target->config_path);
    } else {
        finding.bad = true;
        (void)str_copy(finding.text, sizeof finding.text, err.text);
        if (err.kind == ERR_NO_SERVICE)
            doctor_own_command(report, "add", finding.command, sizeof finding.command);
        else
            doctor_own_command(report, "check", finding.command, sizeof finding.command);
    }
    doctor_tell(report, &finding);
}

static void advise(struct finding *finding, enum platform_type what, const char *path)
{
    (void)platform_type(what, path, finding->command, sizeof finding->command);
}

static void edit_config(const struct report *report, struct finding *finding)
{
    advise(finding, PLATFORM_TYPE_EDIT, report->target->config_path);
}

/* Where the program will run; "" when that cannot be told. */
static void find_directory(const struct report *report, char *ret_path, size_t size)
{
    const struct config *config = &report->service->config;
    struct platform_user user;
    struct err err;
    int found = config->user != NULL ? platform_user_by_name(config->user, &user, &err)
                                     : platform_user_self(&user, &err);

    ret_path[0] = '\0';
    if (config->directory != NULL && platform_is_absolute(config->directory))
        (void)str_copy(ret_path, size, config->directory);
    else if (found == 0 && config->directory != NULL)
        (void)environment_expand_home(config->directory, user.home, ret_path, size);
    else if (found == 0)
        (void)str_copy(
                ret_path, size, report->target->is_system ? platform_root_directory() : user.home);
}

static bool look_at_directory(struct report *report, const char *path)
{
    struct finding finding = { .bad = true, .what = "directory" };
    struct platform_file file;

    if (path[0] == '\0' || (platform_stat_target(path, &file) && file.is_directory))
        return true;
    if (platform_stat(path, &file)) {
        (void)str_format(finding.text, sizeof finding.text,
                "%s, where the program is to run, is not a directory", path);
        edit_config(report, &finding);
    } else {
        (void)str_format(finding.text, sizeof finding.text,
                "%s, where the program is to run, does not exist", path);
        advise(&finding, PLATFORM_TYPE_MAKE_FOLDER, path);
    }
    doctor_tell(report, &finding);
    return false;
}

/* A word with a slash is relative to the directory that the program runs in. */
static bool find_program(const char *word, const char *directory, char *ret_file, size_t size,
        struct finding *finding)
{
    bool has_path = platform_file_name(word) != word;
    struct err err;

    if (!has_path && spawn_find_file(word, platform_search_path(), ret_file, size, &err) == -1) {
        (void)str_copy(finding->text, sizeof finding->text, err.text);
        return false;
    }
    if (platform_is_absolute(word))
        return str_copy(ret_file, size, word);
    if (has_path)
        return str_format(
                ret_file, size, "%s/%s", directory, word + (strncmp(word, "./", 2) == 0 ? 2 : 0));
    return true;
}

static void check_program(struct report *report, const char *directory, struct finding *finding)
{
    const char *word = report->service->config.command.list[0];
    char file[PLATFORM_PATH_BYTES];
    char interpreter[PLATFORM_PATH_BYTES];
    struct platform_file found;

    finding->bad = true;
    if (!find_program(word, directory, file, sizeof file, finding)) {
        edit_config(report, finding);
    } else if (!platform_stat_target(file, &found)) {
        (void)str_format(
                finding->text, sizeof finding->text, "the program %s does not exist", file);
        edit_config(report, finding);
    } else if (found.is_directory) {
        (void)str_format(
                finding->text, sizeof finding->text, "the program %s is a directory", file);
        edit_config(report, finding);
    } else if (!platform_is_executable(file)) {
        (void)str_format(
                finding->text, sizeof finding->text, "the program %s is not executable", file);
        if (!platform_type(
                    PLATFORM_TYPE_MAKE_EXECUTABLE, file, finding->command, sizeof finding->command))
            edit_config(report, finding);
    } else if (platform_missing_interpreter(file, interpreter, sizeof interpreter)) {
        (void)str_format(finding->text, sizeof finding->text,
                "the program %s needs %s, which does not exist", file, interpreter);
        edit_config(report, finding);
    } else {
        finding->bad = false;
        (void)str_format(finding->text, sizeof finding->text, "%s can be executed", file);
    }
}

void doctor_look_at_program(struct report *report)
{
    struct finding finding = { .what = "program" };
    char directory[PLATFORM_PATH_BYTES];

    if (report->service == NULL)
        return;
    find_directory(report, directory, sizeof directory);
    if (!look_at_directory(report, directory) ||
            strchr(report->service->config.command.list[0], '{') != NULL)
        return;
    check_program(report, directory, &finding);
    doctor_tell(report, &finding);
}

/* ---- State ----------------------------------------------------------------------------------- */

/* Why nothing can be written there, and what shows or cures it. */
static void explain_unwritable(struct finding *finding, const char *path, const struct err *err)
{
    finding->bad = true;
    (void)str_copy(finding->text, sizeof finding->text, err->text);
    if (platform_means_full(err->os_code))
        advise(finding, PLATFORM_TYPE_SHOW_ROOM, path);
    else if (platform_means_read_only(err->os_code))
        advise(finding, PLATFORM_TYPE_SHOW_DISK, path);
    else if (err->kind == ERR_DENIED)
        advise(finding, PLATFORM_TYPE_OWN, path);
    else
        advise(finding, PLATFORM_TYPE_SHOW_RIGHTS, path);
}

/* The lock file, which is never followed, replaced or taken away. */
static bool check_pidfile(struct finding *finding, const char *directory)
{
    char path[PLATFORM_PATH_BYTES];
    struct platform_file file;
    struct err err;

    (void)str_format(path, sizeof path, "%s/pid", directory);
    if (!platform_stat(path, &file))
        return true;
    if (file.is_symlink || file.is_directory || file.is_socket) {
        finding->bad = true;
        (void)str_format(finding->text, sizeof finding->text,
                "%s is in the way: it is not a regular file", path);
        advise(finding, file.is_directory ? PLATFORM_TYPE_REMOVE_FOLDER : PLATFORM_TYPE_REMOVE,
                path);
        return false;
    }
    if (platform_check_writable(path, &err) == 0)
        return true;
    explain_unwritable(finding, path, &err);
    return false;
}

void doctor_look_at_state(struct report *report)
{
    const char *path = report->target->state_path;
    struct finding finding = { .what = "state" };
    struct platform_file file;
    struct err err;
    bool exists = platform_stat(path, &file);

    if (exists && platform_check_private(path, &err) == -1) {
        finding.bad = true;
        (void)str_copy(finding.text, sizeof finding.text, err.text);
        if (!file.is_directory)
            advise(&finding, PLATFORM_TYPE_REMOVE, path);
        else if (file.owner != (int64_t)platform_uid())
            advise(&finding, PLATFORM_TYPE_OWN, path);
        else
            advise(&finding, PLATFORM_TYPE_MAKE_PRIVATE, path);
    } else if (platform_check_writable(path, &err) == -1) {
        explain_unwritable(&finding, path, &err);
    } else if (!exists) {
        (void)str_format(finding.text, sizeof finding.text, "%s does not exist yet", path);
    } else if (check_pidfile(&finding, path)) {
        (void)str_format(finding.text, sizeof finding.text, "%s is private and writable", path);
    }
    doctor_tell(report, &finding);
}
