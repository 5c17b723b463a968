/* systemd as a launcher, as far as its jobs are asked: those that 'rivals' names, and those that
 * own a process.  systemd_run.h is about the one that runs us. */
#include <string.h>

#include "launcher.h"
#include "linger.h"
#include "origin.h"
#include "rival.h"
#include "str.h"
#include "systemctl.h"
#include "systemd_install.h"
#include "systemd_jobs.h"
#include "systemd_render.h"
#include "systemd_run.h"

#include "banned.h"

#define STOP_WORDS_MAX 8
#define RIVAL          "may run the same program (\"rivals\") and "
#define OWN            "is installed for this service and "

static bool runs_in(int64_t pid, enum systemctl_manager manager, const char *unit)
{
    char cgroups[ORIGIN_CGROUPS_BYTES];
    struct origin origin;

    platform_process_cgroups(pid, cgroups, sizeof cgroups);
    /* Compared with itself: a container does not count, it is the unit inside that is wanted. */
    origin_read(cgroups, cgroups, &origin);
    return origin.of_user == (manager == SYSTEMCTL_USER) && strcmp(origin.unit, unit) == 0;
}

struct running_unit {
    enum systemctl_manager manager;
    const char *name;
};

static bool owns(const void *job, int64_t pid)
{
    const struct running_unit *unit = job;

    return runs_in(pid, unit->manager, unit->name);
}

static bool socket_is_in_the_way(const struct config *config, const struct unit_state *socket)
{
    for (size_t i = 0; i < config->listener_count; i++)
        for (size_t j = 0; j < socket->listen_count; j++)
            if (address_overlap(&socket->listens[j], &config->listeners[i].address))
                return true;
    return false;
}

/* What stops a unit; that of another user's manager is asked for by the user's name. */
static void stop_command(
        const char *unit, bool of_user, int64_t manager_uid, char *ret_text, size_t size)
{
    char machine[PLATFORM_USER_BYTES + 2];
    char user[PLATFORM_USER_BYTES];
    const char *words[STOP_WORDS_MAX];
    size_t count = 0;

    words[count++] = "systemctl";
    if (of_user)
        words[count++] = "--user";
    if (of_user && manager_uid != (int64_t)platform_uid()) {
        if (!platform_user_name((uint32_t)manager_uid, user, sizeof user))
            (void)str_format(user, sizeof user, "%lld", (long long)manager_uid);
        (void)str_format(machine, sizeof machine, "%s@", user);
        words[count++] = "--machine";
        words[count++] = machine;
    }
    words[count++] = "stop";
    words[count++] = unit;
    words[count] = NULL;
    str_command_line(ret_text, size, words);
}

static void tell(enum systemctl_manager manager, const struct unit_state *state,
        enum launcher_job job, const char *doing, struct launcher_answer *ret_answer)
{
    char main_process[32] = "";

    ret_answer->job = job;
    ret_answer->pid = state->main_pid;
    if (state->main_pid > 0)
        (void)str_format(
                main_process, sizeof main_process, ", pid %lld", (long long)state->main_pid);
    (void)str_format(ret_answer->sentence, sizeof ret_answer->sentence,
            "[!!] FATAL: systemd unit %.200s %s: %s%s", state->id, doing, state->words,
            main_process);
    stop_command(state->id, manager == SYSTEMCTL_USER, (int64_t)platform_uid(), ret_answer->remedy,
            sizeof ret_answer->remedy);
}

/* Returns whether this manager knows the unit. */
static bool ask_manager(enum systemctl_manager manager, const struct config *config,
        const char *unit, int64_t deadline_ms, struct launcher_answer *ret_answer)
{
    struct unit_state state;
    struct unit_state socket;

    if (!systemctl_show_state(manager, unit, deadline_ms, &state)) {
        if (state.load == UNIT_STATE_UNKNOWN) {
            ret_answer->unasked = true;
            (void)str_format(ret_answer->sentence, sizeof ret_answer->sentence,
                    "systemd unit %.200s could not be asked about", unit);
        }
        return false;
    }
    if (runs_in(platform_pid(), manager, state.id))
        return true; /* it is the one that runs us */
    switch (state.activity) {
    case UNIT_STATE_COMING:
    case UNIT_STATE_CHANGING:
    case UNIT_STATE_LEAVING:
        tell(manager, &state, LAUNCHER_JOB_PENDING, RIVAL "is about to change", ret_answer);
        return true;
    case UNIT_STATE_UP:
        if (rival_serves(
                    config, owns, &(struct running_unit) { manager, state.id }, state.main_pid))
            tell(manager, &state, LAUNCHER_JOB_SERVES, RIVAL "runs", ret_answer);
        return true;
    case UNIT_STATE_DOWN:
        break;
    }
    if (state.socket_unit[0] != '\0' &&
            systemctl_show_state(manager, state.socket_unit, deadline_ms, &socket) &&
            socket.activity != UNIT_STATE_DOWN && socket_is_in_the_way(config, &socket))
        tell(manager, &socket, LAUNCHER_JOB_SERVES, RIVAL "has the address", ret_answer);
    return true;
}

/* What "install" made, unless it is what runs us.  Of its two units the service's is asked first:
 * while it comes, it is what the socket's is there for. */
static void ask_own(const struct launcher_place *place, const struct config *config,
        int64_t deadline_ms, struct launcher_answer *ret_answer)
{
    enum systemctl_manager manager = systemd_manager(place);
    struct launcher_installed installed;
    struct unit_state state;
    char socket[UNIT_STATE_NAME_BYTES];

    if (!systemd_installed(place, &installed) || runs_in(platform_pid(), manager, installed.unit) ||
            !systemctl_show_state(manager, installed.unit, deadline_ms, &state))
        return;
    ret_answer->own = true;
    if (state.activity == UNIT_STATE_COMING)
        tell(manager, &state, LAUNCHER_JOB_PENDING, OWN "comes by itself", ret_answer);
    else if (state.activity == UNIT_STATE_LEAVING)
        tell(manager, &state, LAUNCHER_JOB_LEAVING, OWN "has not ended", ret_answer);
    if (ret_answer->job != LAUNCHER_JOB_NONE || !installed.with_socket)
        return;
    /* A probe of its address would start the service's. */
    systemd_render_socket_name(place->name, socket, sizeof socket);
    if (systemctl_show_state(manager, socket, deadline_ms, &state) &&
            state.activity != UNIT_STATE_DOWN && socket_is_in_the_way(config, &state))
        tell(manager, &state, LAUNCHER_JOB_SERVES, OWN "has the address", ret_answer);
}

static void ask(const struct launcher_place *place, const struct config *config,
        struct launcher_answer *ret_answer)
{
    int64_t deadline_ms = platform_now_ms() + LAUNCHER_ASK_LIMIT_MS;

    if (!systemctl_is_here())
        return;
    for (size_t i = 0; i < config->rival_count && ret_answer->job == LAUNCHER_JOB_NONE; i++) {
        const char *unit = config->rivals[i].job;

        if (config->rivals[i].launcher != CONFIG_RIVAL_SYSTEMD)
            continue;
        if (ask_manager(SYSTEMCTL_SYSTEM, config, unit, deadline_ms, ret_answer) ||
                platform_uid() == 0)
            continue;
        (void)ask_manager(SYSTEMCTL_USER, config, unit, deadline_ms, ret_answer);
    }
    if (ret_answer->job == LAUNCHER_JOB_NONE)
        ask_own(place, config, deadline_ms, ret_answer);
}

bool systemd_is_manager(int64_t pid)
{
    struct platform_process_info info;
    size_t word;

    if (pid == 1)
        return systemctl_is_here();
    if (!platform_process_info(pid, &info))
        return false;
    word = strcspn(info.command, " ");
    return word >= 7 && memcmp(info.command + word - 7, "systemd", 7) == 0;
}

static bool owner_of(int64_t pid, struct launcher_owner *ret_owner)
{
    char cgroups[ORIGIN_CGROUPS_BYTES];
    char own[ORIGIN_CGROUPS_BYTES];
    struct origin origin;

    platform_process_cgroups(pid, cgroups, sizeof cgroups);
    platform_process_cgroups(0, own, sizeof own);
    origin_read(cgroups, own, &origin);
    ret_owner->starts_others = systemd_is_manager(pid);
    if (origin.in_container || (origin.unit[0] == '\0' && !ret_owner->starts_others))
        return false;
    origin_describe(&origin, ret_owner->text, sizeof ret_owner->text);
    if (ret_owner->starts_others)
        (void)str_format(ret_owner->remedy, sizeof ret_owner->remedy, "systemctl%s list-sockets",
                pid == 1 ? "" : " --user");
    else
        stop_command(origin.unit, origin.of_user, origin.manager_uid, ret_owner->remedy,
                sizeof ret_owner->remedy);
    return true;
}

static void look(const struct launcher_place *place, struct definition_input *input)
{
    input->manager_version = systemd_version(place->system_scope);
}

const struct launcher launcher_systemd = {
    .kind = "systemd",
    .job_word = "unit",
    .detect = systemd_detect,
    .restarts = true,
    .take_sockets = systemd_take_sockets,
    .tell = systemd_tell,
    .ping = systemd_ping,
    .keep = systemd_keep,
    .give_back = systemd_give_back,
    .reads_levels = systemd_reads_levels,
    .watchdog_ms = systemd_watchdog_ms,
    .owner_of = owner_of,
    .ask = ask,
    .render = systemd_render,
    .is_here = systemctl_is_here,
    .look = look,
    .install = systemd_install,
    .uninstall = systemd_uninstall,
    .installed = systemd_installed,
    .differs = systemd_differs,
    .start = systemd_start,
    .progress = systemd_progress,
    .stop = systemd_stop,
    .ends_with_session = linger_is_off,
    .outlive_session = linger_turn_on,
};
