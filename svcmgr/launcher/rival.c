#include "rival.h"

#include "listening.h"

#include "banned.h"

#define OWNERS_MAX 32

/* Whether a process of the job listens where the service wants to. */
static bool listens_on(const struct address *wanted, rival_owns *owns, const void *job)
{
    struct platform_listener listeners[PLATFORM_LISTENERS_MAX];
    int count = listening_near(wanted, listeners, PLATFORM_LISTENERS_MAX);

    for (int i = 0; i < count; i++) {
        int64_t pids[OWNERS_MAX];
        bool hidden;
        size_t owners;

        if (!listening_conflicts(&listeners[i], wanted))
            continue;
        owners = platform_socket_owners(listeners[i].socket_id, pids, OWNERS_MAX, &hidden);
        for (size_t j = 0; j < owners; j++)
            if (owns(job, pids[j]))
                return true;
    }
    return false;
}

/* Whether a process below the main one listens on any TCP port. */
static bool listens_anywhere(int64_t main_pid)
{
    struct platform_tree tree = { .main_pid = main_pid, .session = main_pid };
    struct identity identity;
    struct address found;

    if (main_pid <= 0 || !platform_identify(main_pid, true, &identity))
        return false;
    tree.main_start = identity.start_time;
    return listening_of_tree(&tree, NULL, 0, &found);
}

bool rival_serves(const struct config *config, rival_owns *owns, const void *job, int64_t main_pid)
{
    for (size_t i = 0; i < config->listener_count; i++)
        if (listens_on(&config->listeners[i].address, owns, job))
            return true;
    return !listens_anywhere(main_pid);
}
