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
    str_command_line(ret_text, size, words);
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

static size_t stop_process(
        const struct holder *holder, char *number, size_t size, const char **words)
{
    size_t count = 0;

    (void)str_format(number, size, "%lld", (long long)holder->pid);
    if (!platform_is_privileged() && holder->uid != (int64_t)platform_uid())
        words[count++] = "sudo";
    words[count++] = "kill";
    words[count++] = number;
    return count;
}

/* Who cannot be seen is seen with more rights; who cannot be seen by root either is not here. */
static void see_more(
        const struct report *report, const struct holder *holder, char *ret_text, size_t size)
{
    if (platform_is_privileged() && holder->address.family == ADDRESS_UNIX)
        (void)str_format(ret_text, size, "ss -xlp src %.900s", holder->address.path);
    else if (platform_is_privileged())
        (void)str_format(ret_text, size, "ss -ltnp sport = :%u", holder->address.port);
    else {
        (void)str_copy(ret_text, size, "sudo ");
        doctor_own_command(report, "doctor", ret_text + 5, size - 5);
    }
}

void doctor_end_holder(
        const struct report *report, const struct holder *holder, char *ret_text, size_t size)
{
    const char *words[WORDS_MAX];
    char number[32];
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
    if (count == 0)
        count = stop_process(holder, number, sizeof number, words);
    words[count] = NULL;
    str_command_line(ret_text, size, words);
}
