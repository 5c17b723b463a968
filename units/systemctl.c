#include "systemctl.h"

#include <string.h>

#include "platform.h"
#include "str.h"
#include "systemd_reply.h"

#include "banned.h"

#define OUTPUT_BYTES ((size_t)64 * 1024)
#define WORDS_MAX    24
#define DOING_BYTES  200

/* sd_booted(3): the directory is there exactly if systemd is the init process. */
#define SYSTEMD_IS_HERE "/run/systemd/system"

bool systemctl_is_here(void)
{
    struct platform_file here;

    return platform_stat(SYSTEMD_IS_HERE, &here);
}

static const char *find_systemctl(void)
{
    static const char *const paths[] = { "/usr/bin/systemctl", "/bin/systemctl" };
    struct platform_file file;

    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        if (platform_stat_target(paths[i], &file))
            return paths[i];
    return NULL;
}

/* "systemctl --user WORDS..." with what it needs of an environment. */
struct command {
    const char *words[WORDS_MAX + 1];
    size_t count;
    char runtime[64];
};

static bool fill(enum systemctl_manager manager, const char *const *words, struct command *command)
{
    const char *systemctl = find_systemctl();

    if (systemctl == NULL)
        return false;
    /* A background supervisor has no session's environment: pam_systemd(8), XDG_RUNTIME_DIR. */
    (void)str_format(command->runtime, sizeof command->runtime, "XDG_RUNTIME_DIR=/run/user/%u",
            (unsigned)platform_uid());
    command->count = 0;
    command->words[command->count++] = "/usr/bin/env";
    command->words[command->count++] = "LC_ALL=C";
    command->words[command->count++] = command->runtime;
    command->words[command->count++] = systemctl;
    command->words[command->count++] = manager == SYSTEMCTL_USER ? "--user" : "--system";
    command->words[command->count++] = "--no-ask-password";
    command->words[command->count++] = "--no-pager";
    while (*words != NULL && command->count < WORDS_MAX)
        command->words[command->count++] = *words++;
    command->words[command->count] = NULL;
    return *words == NULL;
}

int systemctl_call(enum systemctl_manager manager, const char *const *words, int64_t limit_ms,
        struct buffer *out, struct err *err)
{
    struct command command;
    char doing[DOING_BYTES];
    int code;

    str_command_line(doing, sizeof doing, words);
    if (!fill(manager, words, &command))
        return err_set(err, ERR_FAILED, 0, "there is no systemctl on this machine");
    if (platform_capture_all(command.words, limit_ms, OUTPUT_BYTES, out, &code, err) == -1)
        return err_set(err, ERR_FAILED, 0, "systemd did not answer in %lld s (systemctl%s %s)",
                (long long)(limit_ms / 1000), manager == SYSTEMCTL_USER ? " --user" : "", doing);
    if (code == 0)
        return 0;
    return systemd_reply_explain(buffer_text(out), doing, manager == SYSTEMCTL_USER, err);
}

bool systemctl_show_state(enum systemctl_manager manager, const char *unit, int64_t deadline_ms,
        struct unit_state *ret_state)
{
    const char *const words[] = { UNIT_STATE_PROPERTIES, "show", "--", unit, NULL };
    struct command command;
    struct buffer text = { 0 };
    struct err err;
    int code;

    *ret_state = (struct unit_state) { .load = UNIT_STATE_UNKNOWN };
    if (!fill(manager, words, &command))
        return false;
    if (platform_capture(command.words, deadline_ms - platform_now_ms(), OUTPUT_BYTES, &text, &code,
                &err) == 0 &&
            code == 0)
        unit_state_parse(buffer_text(&text), text.length, ret_state);
    buffer_free(&text);
    return ret_state->load == UNIT_STATE_LOADED;
}
