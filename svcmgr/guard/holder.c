#include "holder.h"

#include <string.h>

#include "listening.h"
#include "probe.h"
#include "str.h"
#include "whois.h"

#include "banned.h"

#define OWNERS_MAX 64

static bool is_among(int64_t pid, const int64_t *pids, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (pids[i] == pid)
            return true;
    return false;
}

/* Of several processes that share a socket the one to name: not a supervisor, and no child of
 * another one of them. */
static void describe_owners(uint64_t socket_id, struct holder *holder)
{
    int64_t pids[OWNERS_MAX];
    bool hidden;
    size_t count = platform_socket_owners(socket_id, pids, OWNERS_MAX, &hidden);
    int64_t best = count > 0 ? pids[0] : 0;
    bool best_is_root = false;

    for (size_t i = 0; i < count; i++) {
        struct platform_process_info info;

        if (!platform_process_info(pids[i], &info))
            continue;
        if (whois_is_svcmgr(info.command)) {
            holder->is_supervisor = true;
            whois_read_service(pids[i], holder);
            continue;
        }
        if (!best_is_root) {
            best = pids[i];
            best_is_root = !is_among(info.parent, pids, count);
        }
    }
    if (best != 0)
        whois_fill(best, holder);
}

void holder_find(const struct address *address, struct holder *ret_holder)
{
    struct platform_listener listeners[PLATFORM_LISTENERS_MAX];
    int count = listening_near(address, listeners, PLATFORM_LISTENERS_MAX);
    const struct platform_listener *best = NULL;

    *ret_holder = (struct holder) { 0 };
    for (int i = 0; i < count; i++)
        if (listening_conflicts(&listeners[i], address) &&
                (best == NULL || (listeners[i].listening && !best->listening)))
            best = &listeners[i];
    if (best == NULL)
        return;
    ret_holder->found = true;
    ret_holder->address = best->address;
    ret_holder->listening = best->listening;
    describe_owners(best->socket_id, ret_holder);
    if (ret_holder->user[0] == '\0' && best->uid >= 0 &&
            !platform_user_name((uint32_t)best->uid, ret_holder->user, sizeof ret_holder->user))
        (void)str_format(ret_holder->user, sizeof ret_holder->user, "%lld", (long long)best->uid);
    if (ret_holder->command[0] == '\0')
        ret_holder->uid = best->uid;
}

void holder_find_first(const struct address *addresses, size_t count, struct holder *ret_holder)
{
    *ret_holder = (struct holder) { 0 };
    for (size_t i = 0; i < count && !ret_holder->found; i++)
        holder_find(&addresses[i], ret_holder);
}

void holder_of_process(int64_t pid, struct holder *ret_holder)
{
    *ret_holder = (struct holder) { .found = true };
    whois_fill(pid, ret_holder);
}

void holder_ask(struct holder *holder, const char *path, int64_t timeout_ms)
{
    struct probe probe;
    char said[sizeof holder->answers];

    if (!holder->found || !holder->listening || holder->pid <= 0 || holder->starts_others ||
            probe_now(&probe, &holder->address, path, timeout_ms) != PROBE_ALIVE)
        return;
    probe_describe(&probe, said, sizeof said);
    (void)str_format(holder->answers, sizeof holder->answers, "%s from %s", said, probe.path);
}

bool holder_may_be_of(const struct holder *holder, const char *name, const char *state_directory)
{
    if (holder->service_state[0] != '\0')
        return platform_is_same_file(holder->service_state, state_directory);
    return str_equal_nocase(holder->service, name);
}

void holder_sentence(const struct holder *holder, char *ret_text, size_t size)
{
    char who[HOLDER_TEXT_BYTES];
    size_t at;

    if (holder->pid == 0)
        (void)str_format(who, sizeof who, "a process that cannot be seen from here");
    else
        (void)str_format(who, sizeof who, "pid %lld, \"%s\"", (long long)holder->pid,
                holder->command[0] != '\0' ? holder->command : "unknown");
    at = strlen(who);
    (void)str_format(who + at, sizeof who - at, ", user %s",
            holder->user[0] != '\0' ? holder->user : "unknown");
    at = strlen(who);
    if (holder->launcher[0] != '\0')
        (void)str_format(who + at, sizeof who - at, ", started by %s", holder->launcher);
    else if (holder->is_supervisor)
        (void)str_format(who + at, sizeof who - at, ", started by another svcmgr");
    else
        (void)str_format(who + at, sizeof who - at, ", launcher unknown");
    (void)str_format(ret_text, size, "%s", who);
}
