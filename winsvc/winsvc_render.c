#include "winsvc_render.h"

#include <string.h>

#include "command_line.h"
#include "str.h"
#include "winsvc_record.h"

#include "banned.h"

#define WORDS_MAX 12
/* A service that does nothing wrong for so long counts as new. */
#define RESET_S 3600

void winsvc_render_name(const char *name, char *ret_name, size_t size)
{
    (void)str_format(ret_name, size, "svcmgr-%s", name);
}

void winsvc_render_log(const char *state_path, char *ret_path, size_t size)
{
    (void)str_format(ret_path, size, "%s/winsvc.log", state_path);
}

/* ---- The command line ------------------------------------------------------------------------ */

/* An image path is expanded before it is executed, and nothing can be done against it; a quote
 * cannot be in a file's name, and would end that of the program. */
static int check_line(const struct definition_input *input, const char *line, struct err *err)
{
    const char *first = strchr(line, '%');

    if (strchr(input->executable, '"') != NULL)
        return err_set(err, ERR_CONFIG, 0, "Windows cannot execute %s: it has a quotation mark",
                input->executable);
    if (first != NULL && strchr(first + 1, '%') != NULL)
        return err_set(err, ERR_CONFIG, 0,
                "Windows would take what is between two '%%' for a variable: %s", line);
    for (; *line != '\0'; line++)
        if ((unsigned char)*line < ' ')
            return err_set(err, ERR_CONFIG, 0,
                    "a path of this service has the control character 0x%02x, which Windows has "
                    "in no path",
                    (unsigned)(unsigned char)*line);
    return 0;
}

int winsvc_render_command(
        const struct definition_input *input, bool stays, struct buffer *ret_line, struct err *err)
{
    const char *words[WORDS_MAX];
    size_t count = 0;

    words[count++] = input->executable;
    words[count++] = input->system_scope ? "--system" : "--user";
    if (input->config_dir != NULL) {
        words[count++] = "--config-dir";
        words[count++] = input->config_dir;
    }
    if (input->state_dir != NULL) {
        words[count++] = "--state-dir";
        words[count++] = input->state_dir;
    }
    words[count++] = stays ? "run" : "start";
    words[count++] = input->config->name;
    if (stays) {
        words[count++] = "--duplicate";
        words[count++] = "standby";
    }
    words[count] = NULL;
    command_line_join(words, true, ret_line);
    if (ret_line->failed)
        return err_memory(err);
    return check_line(input, buffer_text(ret_line), err);
}

/* ---- The account ----------------------------------------------------------------------------- */

/* Those that need no password, which svcmgr would have to keep.  A managed account ends with '$'.
 */
static bool needs_no_password(const char *account)
{
    static const char *const names[] = { "LocalSystem", "NT AUTHORITY\\LocalService",
        "NT AUTHORITY\\NetworkService" };
    size_t length = strlen(account);

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (str_equal_nocase(names[i], account))
            return true;
    return strchr(account, '\\') != NULL && account[length - 1] == '$';
}

static int put_account(
        const struct definition_input *input, struct scm_service *service, struct err *err)
{
    const char *user = input->config->user;

    if (user == NULL) {
        (void)str_format(
                service->account, sizeof service->account, "NT SERVICE\\%s", service->name);
        return 0;
    }
    if (!needs_no_password(user))
        return err_set(err, ERR_CONFIG, 0,
                "\"user\": %s would need a password, which svcmgr does not keep; leave it out (the "
                "service has an account of its own then), or name NT AUTHORITY\\LocalService, "
                "NT AUTHORITY\\NetworkService, LocalSystem or a managed account (DOMAIN\\NAME$)",
                user);
    (void)str_copy(service->account, sizeof service->account, user);
    return 0;
}

/* ---- All of it ------------------------------------------------------------------------------- */

/* The others of a virtual account go: above all those that let who has them become somebody else.
 */
static void put_privileges(struct scm_service *service)
{
    static const char *const kept[] = { "SeChangeNotifyPrivilege", "SeCreateGlobalPrivilege",
        "SeIncreaseWorkingSetPrivilege" };

    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++)
        (void)str_copy(service->privileges[service->privilege_count++], SCM_SHORT_BYTES, kept[i]);
}

static int put_dependencies(
        const struct config *config, struct scm_service *service, struct err *err)
{
    if (config->depends_on_count > SCM_DEPENDENCIES_MAX)
        return err_set(err, ERR_CONFIG, 0, "a Windows service can depend on %d others at most",
                SCM_DEPENDENCIES_MAX);
    for (size_t i = 0; i < config->depends_on_count; i++)
        winsvc_render_name(config->depends_on[i],
                service->dependencies[service->dependency_count++], SCM_SHORT_BYTES);
    return 0;
}

/* What svcmgr decided is not restarted: it ends with code 0 for the SCM. */
static void put_recovery(const struct config *config, struct scm_service *service)
{
    static const int64_t delays_ms[] = { 1000, 5000, 30000 };

    for (size_t i = 0; i < sizeof delays_ms / sizeof delays_ms[0]; i++)
        service->restart_delay_ms[service->restart_count++] = delays_ms[i];
    service->reset_s = RESET_S;
    service->restarts_non_crash = true;
    service->preshutdown_ms = definition_stop_ms(config);
}

static void put_words(const struct config *config, struct scm_service *service)
{
    char printable[SCM_TEXT_BYTES];

    winsvc_render_name(config->name, service->name, sizeof service->name);
    (void)str_format(
            service->display_name, sizeof service->display_name, "%s (svcmgr)", config->name);
    str_shorten(
            printable, sizeof printable, config->description != NULL ? config->description : "");
    if (printable[0] != '\0')
        (void)str_copy(service->description, sizeof service->description, printable);
    else
        (void)str_format(service->description, sizeof service->description,
                "%s, which svcmgr keeps running", config->name);
}

static int put_paths(
        const struct definition_input *input, struct scm_service *service, struct err *err)
{
    bool fits = str_copy(service->state_path, sizeof service->state_path, input->state_path) &&
            str_copy(service->event_file, sizeof service->event_file, input->executable) &&
            str_copy(service->grants[0].path, sizeof service->grants[0].path, input->state_path) &&
            str_copy(service->grants[1].path, sizeof service->grants[1].path, input->config_path);

    if (!fits)
        return err_set(err, ERR_CONFIG, 0, "a path of this service is too long: %.60s...",
                input->state_path);
    service->grants[0].modify = true;
    service->grant_count = 2;
    return 0;
}

static int put_command(
        const struct definition_input *input, struct scm_service *service, struct err *err)
{
    struct buffer line = { 0 };
    int result = winsvc_render_command(input, true, &line, err);

    if (result == 0 &&
            !str_copy(service->command_line, sizeof service->command_line, buffer_text(&line)))
        result = err_set(
                err, ERR_CONFIG, 0, "the command line is too long: %.60s...", buffer_text(&line));
    buffer_free(&line);
    return result;
}

static int check(const struct definition_input *input, struct err *err)
{
    if (input->config == NULL)
        return err_set(err, ERR_USAGE, 0,
                "Windows has no definition for all services; install them by name");
    if (!input->system_scope)
        return err_set(err, ERR_USAGE, 0,
                "a Windows service belongs to the machine; install it with --system, or add --task "
                "for a task that starts it when you log on");
    if (input->with_socket)
        return err_set(err, ERR_USAGE, 0,
                "the service control manager holds no sockets; install it without --socket");
    return 0;
}

int winsvc_render(
        const struct definition_input *input, struct definition *ret_definition, struct err *err)
{
    char name[DEFINITION_NAME_BYTES];
    struct definition made = { .count = 0 };
    struct scm_service service = { .sid_unrestricted = true, .start = SCM_START_DELAYED };
    struct buffer *text;

    if (check(input, err) == -1)
        return -1;
    put_words(input->config, &service);
    if (put_account(input, &service, err) == -1 || put_command(input, &service, err) == -1 ||
            put_paths(input, &service, err) == -1 ||
            put_dependencies(input->config, &service, err) == -1)
        return -1;
    put_privileges(&service);
    put_recovery(input->config, &service);
    (void)str_format(name, sizeof name, "%s.json", service.name);
    text = definition_add(&made, name);
    winsvc_record_write(&service, text);
    if (text->failed) {
        definition_free(&made);
        return err_memory(err);
    }
    *ret_definition = made;
    return 0;
}
