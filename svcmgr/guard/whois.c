#include "whois.h"

#include <string.h>

#include "launcher.h"
#include "str.h"

#include "banned.h"

#define ANCESTORS_MAX 64

/* The program's own name, then what it was told to do.  A path with blanks is quoted. */
bool whois_is_svcmgr(const char *command)
{
    static const char name[] = "svcmgr";
    bool quoted = *command == '\'';
    const char *words = command + quoted + strcspn(command + quoted, quoted ? "'" : " ");
    size_t length = (size_t)(words - command);

    if (length < sizeof name - 1 || memcmp(words - (sizeof name - 1), name, sizeof name - 1) != 0)
        return false;
    words -= sizeof name - 1;
    if (words != command && words[-1] != '/')
        return false;
    return strstr(words, " supervise ") != NULL || strstr(words, " run ") != NULL;
}

/* Which service a keeper or supervisor is for.  Only the words that svcmgr itself writes tell both
 * its name and its place; a person may have written options in between. */
void whois_read_service(int64_t pid, struct holder *holder)
{
    const char *why;

    if (!platform_process_word_after(pid, "supervise", holder->service, sizeof holder->service) &&
            !platform_process_word_after(pid, "run", holder->service, sizeof holder->service))
        return;
    if (!config_name_is_valid(holder->service, &why))
        holder->service[0] = '\0';
    else if (!platform_process_word_after(
                     pid, "--state", holder->service_state, sizeof holder->service_state))
        holder->service_state[0] = '\0';
}

/* A supervisor above it started it, or what started it. */
static void find_service(int64_t pid, struct holder *holder)
{
    struct platform_process_info info;

    for (int i = 0; i < ANCESTORS_MAX && pid > 1 && holder->service[0] == '\0'; i++) {
        if (!platform_process_info(pid, &info))
            return;
        if (whois_is_svcmgr(info.command))
            whois_read_service(pid, holder);
        pid = info.parent;
    }
}

static void find_origin(int64_t pid, struct origin *ret_origin)
{
    char cgroups[ORIGIN_CGROUPS_BYTES];
    char own[ORIGIN_CGROUPS_BYTES];

    platform_process_cgroups(pid, cgroups, sizeof cgroups);
    platform_process_cgroups(0, own, sizeof own);
    origin_read(cgroups, own, ret_origin);
    if (!ret_origin->in_container && ret_origin->unit[0] == '\0')
        ret_origin->in_container = platform_is_in_other_namespace(pid);
}

static void find_launcher(struct holder *holder, const struct platform_process_info *info)
{
    char *text = holder->launcher;
    size_t size = sizeof holder->launcher;
    struct launcher_owner owner;
    char origin[ORIGIN_TEXT_BYTES] = "";

    if (holder->origin.in_container)
        origin_describe(&holder->origin, origin, sizeof origin);
    else if (launcher_owner_of(holder->pid, &owner)) {
        (void)str_copy(origin, sizeof origin, owner.text);
        (void)str_copy(holder->remedy, sizeof holder->remedy, owner.remedy);
        holder->starts_others = owner.starts_others;
    }
    if (holder->service[0] != '\0')
        (void)str_format(text, size, "svcmgr service %s%s%s%s", holder->service,
                origin[0] != '\0' ? " (" : "", origin, origin[0] != '\0' ? ")" : "");
    else if (origin[0] != '\0')
        (void)str_copy(text, size, origin);
    else if (info->on_terminal)
        (void)str_format(text, size, "%s%s", info->terminal[0] != '\0' ? "terminal " : "a terminal",
                info->terminal);
}

void whois_fill(int64_t pid, struct holder *ret_holder)
{
    struct platform_process_info info;

    ret_holder->pid = pid;
    if (pid <= 0 || !platform_process_info(pid, &info))
        return;
    (void)str_copy(ret_holder->command, sizeof ret_holder->command, info.command);
    (void)str_copy(ret_holder->user, sizeof ret_holder->user, info.user);
    ret_holder->uid = info.uid;
    ret_holder->started_wall_us = info.started_wall_us;
    find_service(pid, ret_holder);
    find_origin(pid, &ret_holder->origin);
    find_launcher(ret_holder, &info);
}
