/* What to type about somebody else who holds an address. */
#include <string.h>

#include "doctor.h"
#include "str.h"

#include "banned.h"

#define WORDS_MAX 12

/* The directory that a service's state directory is in. */
static void parent_of(const char *path, char *ret_path, size_t size)
{
    const char *slash = strrchr(path, '/');

    (void)str_format(ret_path, size, "%.*s", slash == NULL ? 0 : (int)(slash - path), path);
}

static void stop_service(
        const struct report *report, const struct holder *holder, char *ret_text, size_t size)
{
    const char *words[] = { "svcmgr", "stop", holder->service, "--state-dir", NULL, NULL };
    char theirs[PLATFORM_PATH_BYTES];
    char ours[PLATFORM_PATH_BYTES];

    parent_of(holder->service_state, theirs, sizeof theirs);
    parent_of(report->target->state_path, ours, sizeof ours);
    if (theirs[0] == '\0' || platform_is_same_file(theirs, ours)) {
        struct target other = *report->target;
        struct report same = { .cli = report->cli, .target = &other };

        (void)str_copy(other.name, sizeof other.name, holder->service);
        doctor_own_command(&same, "stop", ret_text, size);
        return;
    }
    words[4] = theirs;
    platform_command_line(ret_text, size, words);
}

static size_t stop_container(const struct origin *origin, const char **words)
{
    static const char *const commands[][3] = {
        [ORIGIN_DOCKER] = { "docker", "stop", NULL },
        [ORIGIN_PODMAN] = { "podman", "stop", NULL },
        [ORIGIN_KUBERNETES] = { "crictl", "stop", NULL },
        [ORIGIN_LXC] = { "lxc-stop", "--name", NULL },
        [ORIGIN_MACHINE] = { "machinectl", "poweroff", NULL },
    };
    size_t count = 0;

    if (origin->engine == ORIGIN_ENGINE_UNKNOWN || origin->container[0] == '\0')
        return 0;
    words[count++] = commands[origin->engine][0];
    words[count++] = commands[origin->engine][1];
    words[count++] = origin->container;
    return count;
}

/* Docker's own process, which holds the port that a container publishes. */
static bool is_docker_proxy(const struct holder *holder)
{
    size_t word = strcspn(holder->command, " ");

    return word >= 12 && memcmp(holder->command + word - 12, "docker-proxy", 12) == 0;
}

static void stop_process(const struct holder *holder, char *ret_text, size_t size)
{
    bool is_ours = platform_is_privileged() || holder->uid == (int64_t)platform_uid();
    char number[32];
    size_t at;

    (void)str_copy(ret_text, size, is_ours ? "" : platform_with_more_rights());
    at = strlen(ret_text);
    (void)str_format(number, sizeof number, "%lld", (long long)holder->pid);
    (void)platform_type(PLATFORM_TYPE_END, number, ret_text + at, size - at);
}

/* Who cannot be seen is seen with more rights; who cannot be seen by root either is not here. */
static void see_more(
        const struct report *report, const struct holder *holder, char *ret_text, size_t size)
{
    const char *prefix = platform_with_more_rights();
    size_t at = strlen(prefix);
    char port[8];

    (void)str_format(port, sizeof port, "%u", holder->address.port);
    if (platform_is_privileged() && holder->address.family == ADDRESS_UNIX) {
        (void)platform_type(PLATFORM_TYPE_SHOW_UNIX, holder->address.path, ret_text, size);
    } else if (platform_is_privileged() || prefix[0] == '\0') {
        (void)platform_type(PLATFORM_TYPE_SHOW_PORT, port, ret_text, size);
    } else {
        (void)str_copy(ret_text, size, prefix);
        doctor_own_command(report, "doctor", ret_text + at, size - at);
    }
}

void doctor_end_holder(
        const struct report *report, const struct holder *holder, char *ret_text, size_t size)
{
    const char *words[WORDS_MAX];
    char publish[32];
    size_t count = 0;

    if (holder->service[0] != '\0') {
        stop_service(report, holder, ret_text, size);
        return;
    }
    if (holder->pid <= 0) {
        see_more(report, holder, ret_text, size);
        return;
    }
    if (is_docker_proxy(holder)) {
        (void)str_format(publish, sizeof publish, "publish=%u", holder->address.port);
        words[count++] = "docker";
        words[count++] = "ps";
        words[count++] = "--filter";
        words[count++] = publish;
    }
    if (count == 0)
        count = stop_container(&holder->origin, words);
    if (count == 0 && holder->remedy[0] != '\0') {
        (void)str_copy(ret_text, size, holder->remedy);
        return;
    }
    if (count == 0) {
        stop_process(holder, ret_text, size);
        return;
    }
    words[count] = NULL;
    platform_command_line(ret_text, size, words);
}
