#include "last_run.h"

#include <string.h>

#include "str.h"

#include "banned.h"

#define LEFTOVERS_MAX 64

static bool is_recorded(const struct record *record, int slot)
{
    return record->machine.generations[slot].phase != MACHINE_PHASE_NONE &&
            record->generations[slot].process.pid > 0;
}

/* In another pid namespace nothing can be looked at.  But when its keeper was the init process of
 * that namespace and is dead (we have its lock), the kernel has ended everything there:
 * pid_namespaces(7). */
static bool is_out_of_sight(const struct record *record, int slot)
{
    return is_recorded(record, slot) && record->keeper.pid != 1 &&
            platform_is_elsewhere(&record->generations[slot].process);
}

/* A process that was not ready when its listener died may have said so in vain. */
static bool starts_unheard(const struct record *record, int slot)
{
    return record->machine.generations[slot].phase == MACHINE_PHASE_STARTING &&
            record->generations[slot].notify_name[0] != '\0';
}

enum decision_record last_run_fact(const struct record *record)
{
    bool lives[MACHINE_SLOT_COUNT] = { false };
    bool reused = false;
    struct identity now;

    if (record == NULL)
        return DECISION_RECORD_NONE;
    for (int slot = 0; slot < MACHINE_SLOT_COUNT; slot++) {
        const struct identity *process = &record->generations[slot].process;

        if (is_out_of_sight(record, slot))
            return DECISION_RECORD_ELSEWHERE;
        if (!is_recorded(record, slot))
            continue;
        lives[slot] = !platform_is_gone(process);
        reused = reused || (!lives[slot] && platform_identify(process->pid, true, &now));
    }
    if (lives[MACHINE_CURRENT] && lives[MACHINE_NEXT])
        return DECISION_RECORD_TWO;
    for (int slot = 0; slot < MACHINE_SLOT_COUNT; slot++) {
        enum machine_phase phase = record->machine.generations[slot].phase;

        if (!lives[slot])
            continue;
        return phase == MACHINE_PHASE_STOPPING || phase == MACHINE_PHASE_KILLING ||
                        starts_unheard(record, slot)
                ? DECISION_RECORD_SAME_STOPPING
                : DECISION_RECORD_SAME;
    }
    return reused ? DECISION_RECORD_REUSED : DECISION_RECORD_DEAD;
}

/* What still carries the instance ids of the recorded generations. */
static size_t find_leftovers(const struct guard *guard, int64_t *ret_pids, size_t max)
{
    size_t count = 0;

    for (int slot = 0; guard->record != NULL && slot < MACHINE_SLOT_COUNT; slot++)
        if (is_recorded(guard->record, slot))
            count += platform_find_instance(guard->record->generations[slot].instance,
                    ret_pids + (count < max ? count : max), count < max ? max - count : 0);
    return count < max ? count : max;
}

static void signal_leftovers(const struct guard *guard, const char *name)
{
    int64_t pids[LEFTOVERS_MAX];
    size_t count = find_leftovers(guard, pids, LEFTOVERS_MAX);

    for (size_t i = 0; i < count; i++) {
        struct identity identity;
        struct err err;

        if (platform_identify(pids[i], true, &identity))
            (void)platform_signal(&identity, name, &err);
    }
}

/* "pid 12, "worker"; pid 13, "worker""; as many as there is room for. */
static void name_leftovers(struct guard *guard)
{
    int64_t pids[LEFTOVERS_MAX];
    size_t count = find_leftovers(guard, pids, LEFTOVERS_MAX);
    size_t length = 0;

    for (size_t i = 0; i < count; i++) {
        struct platform_process_info info;

        if (!platform_process_info(pids[i], &info) ||
                !str_format(guard->leftovers + length, sizeof guard->leftovers - length,
                        "%spid %lld, \"%.80s\"", length > 0 ? "; " : "", (long long)pids[i],
                        info.command))
            break;
        length += strlen(guard->leftovers + length);
    }
}

void last_run_clear(struct guard *guard, int64_t now_ms)
{
    name_leftovers(guard);
    guard->clear_since_ms = now_ms;
    guard->clear_killed = false;
    guard->cleared = true;
    guard->retry_at_ms = now_ms + GUARD_CLEAR_LOOK_MS;
    signal_leftovers(guard, guard->config->stop_signal);
}

void last_run_look(struct guard *guard, int64_t now_ms)
{
    int64_t pids[LEFTOVERS_MAX];

    if (find_leftovers(guard, pids, LEFTOVERS_MAX) == 0) {
        guard->clear_since_ms = 0;
        guard->facts.leftovers = DECISION_LEFTOVERS_NONE;
        return;
    }
    guard->retry_at_ms = now_ms + GUARD_CLEAR_LOOK_MS;
    if (now_ms - guard->clear_since_ms >= guard->config->stop_timeout_ms) {
        signal_leftovers(guard, "KILL");
        guard->clear_killed = true;
    }
    if (now_ms - guard->clear_since_ms >= guard->config->stop_timeout_ms + GUARD_CLEAR_LIMIT_MS) {
        guard->done = true;
        guard->decision = (struct decision) { .kind = DECISION_REFUSED, .code = ERR_FAILED };
        err_set(&guard->err, ERR_FAILED, 0,
                "process %lld is left of the last run and cannot be ended", (long long)pids[0]);
    }
}

bool last_run_left_something(const struct guard *guard)
{
    int64_t pid[1];

    return find_leftovers(guard, pid, 1) > 0;
}
