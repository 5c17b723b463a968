#include "guard.h"

#include <string.h>

#include "str.h"

#include "banned.h"

#define OWN_ADDRESSES_MAX 48
#define LEFTOVERS_MAX     64

/* ---- Facts from the record ------------------------------------------------------------------ */

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

static enum decision_record record_fact(const struct record *record)
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
        lives[slot] = platform_is_same(process);
        reused = reused || (!lives[slot] && platform_identify(process->pid, true, &now));
    }
    if (lives[MACHINE_CURRENT] && lives[MACHINE_NEXT])
        return DECISION_RECORD_TWO;
    for (int slot = 0; slot < MACHINE_SLOT_COUNT; slot++) {
        enum machine_phase phase = record->machine.generations[slot].phase;

        if (!lives[slot])
            continue;
        return phase == MACHINE_PHASE_STOPPING || phase == MACHINE_PHASE_KILLING
                       ? DECISION_RECORD_SAME_STOPPING
                       : DECISION_RECORD_SAME;
    }
    return reused ? DECISION_RECORD_REUSED : DECISION_RECORD_DEAD;
}

/* ---- Leftovers ------------------------------------------------------------------------------ */

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

static void clear_leftovers(struct guard *guard, int64_t now_ms)
{
    guard->clear_since_ms = now_ms;
    guard->clear_killed = false;
    guard->cleared = true;
    guard->retry_at_ms = now_ms + GUARD_CLEAR_LOOK_MS;
    signal_leftovers(guard, guard->config->stop_signal);
}

static void look_after_leftovers(struct guard *guard, int64_t now_ms)
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
        guard->decision = (struct decision){ .kind = DECISION_REFUSED, .code = ERR_FAILED };
        err_set(&guard->err, ERR_FAILED, 0,
                "process %lld is left of the last run and cannot be ended", (long long)pids[0]);
    }
}

/* ---- Probing -------------------------------------------------------------------------------- */

static void add_probe(struct guard *guard, const struct address *address)
{
    const char *path = guard->config->health == CONFIG_HEALTH_HTTP ? guard->config->health_path
                                                                   : "/health";

    for (size_t i = 0; i < guard->probe_count; i++)
        if (address_equal(&guard->probes[i].address, address))
            return;
    if (guard->probe_count < GUARD_PROBES_MAX)
        probe_start(&guard->probes[guard->probe_count++], address, path, PROBE_FOR_LIFE,
                guard->config->probe_timeout_ms, guard->role);
}

/* Connecting to a wildcard reaches only some of the sockets that it conflicts with: each of those is
 * asked; where they cannot be listed, every address of this machine. */
static void add_wildcard_probes(struct guard *guard, const struct address *address)
{
    struct platform_listener listeners[PLATFORM_LISTENERS_MAX];
    struct address own[OWN_ADDRESSES_MAX];
    int count = platform_listeners_on_port(address->port, listeners, PLATFORM_LISTENERS_MAX);
    size_t own_count;

    for (int i = 0; i < count; i++) {
        struct address *found = &listeners[i].address;
        bool in_the_way = address_covers(address, found) ||
                          (address_covers(found, address) && !listeners[i].only_ipv6);

        if (listeners[i].listening && in_the_way)
            add_probe(guard, found);
    }
    if (count >= 0)
        return;
    own_count = platform_own_addresses(own, OWN_ADDRESSES_MAX);
    for (size_t i = 0; i < own_count; i++) {
        own[i].port = address->port;
        if (address_covers(address, &own[i]))
            add_probe(guard, &own[i]);
    }
}

/* Starts the probes of one listener; false if this machine does not have its address. */
static bool add_listener_probes(struct guard *guard, const struct listener *listener)
{
    struct address addresses[LISTENER_ADDRESSES_MAX];
    size_t count = listener_addresses(listener, addresses);
    struct platform_file file;

    for (size_t i = 0; i < count; i++) {
        struct address *address = &addresses[i];

        if (address->family == ADDRESS_UNIX) {
            if (platform_stat(address->path, &file) && file.is_socket)
                add_probe(guard, address);
        } else if (address->port == 0) {
            continue;
        } else if (address_is_wildcard(address)) {
            add_wildcard_probes(guard, address);
        } else if (!platform_has_address(address)) {
            err_set(&guard->bind_err, ERR_OCCUPIED, 0, "this machine does not have that address");
            return false;
        } else {
            add_probe(guard, address);
        }
    }
    return true;
}

static void begin_probes(struct guard *guard)
{
    guard->probe_count = 0;
    guard->probing = true;
    for (size_t i = 0; i < guard->listeners->count; i++) {
        struct listener *listener = &guard->listeners->list[i];

        if (listener->handle != PLATFORM_NO_HANDLE || add_listener_probes(guard, listener))
            continue;
        guard->taken_listener = i;
        guard->facts.probe = DECISION_PROBE_NO_ADDRESS;
        return;
    }
}

static void stop_probes(struct guard *guard)
{
    for (size_t i = 0; i < guard->probe_count; i++)
        probe_stop(&guard->probes[i]);
    guard->probing = false;
}

/* Takes the verdicts in.  One that is alive decides at once. */
static void look_at_probes(struct guard *guard)
{
    enum decision_probe worst = DECISION_PROBE_FREE;
    bool pending = false;

    if (!guard->probing)
        return;
    for (size_t i = 0; i < guard->probe_count; i++) {
        switch (guard->probes[i].verdict) {
        case PROBE_PENDING:
            pending = true;
            break;
        case PROBE_REFUSED:
            break;
        case PROBE_SILENT:
            worst = DECISION_PROBE_SILENT;
            break;
        case PROBE_ALIVE:
            guard->facts.probe = DECISION_PROBE_ALIVE;
            stop_probes(guard);
            return;
        }
    }
    if (pending || guard->facts.probe == DECISION_PROBE_NO_ADDRESS)
        return;
    guard->facts.probe = worst;
    guard->probing = false;
}

/* ---- Binding -------------------------------------------------------------------------------- */

static enum decision_bind bind_fact(
        struct guard *guard, enum platform_bind_result result, int64_t now_ms)
{
    switch (result) {
    case PLATFORM_BIND_OK:
        return DECISION_BIND_DONE;
    case PLATFORM_BIND_NO_ADDRESS:
        return DECISION_BIND_NO_ADDRESS;
    case PLATFORM_BIND_FAILED:
        return DECISION_BIND_IMPOSSIBLE;
    case PLATFORM_BIND_TAKEN:
        break;
    }
    if (guard->taken_since_ms == 0) {
        guard->taken_since_ms = now_ms;
        holder_find(&guard->listeners->list[guard->taken_listener].bound, &guard->other);
        if (guard->other.is_supervisor && guard->other.listening)
            return DECISION_BIND_BY_SUPERVISOR;
    }
    return DECISION_BIND_TAKEN;
}

static void try_bind(struct guard *guard, int64_t now_ms)
{
    enum platform_bind_result result = PLATFORM_BIND_OK;

    for (size_t i = 0; result == PLATFORM_BIND_OK && i < guard->listeners->count; i++) {
        struct listener *listener = &guard->listeners->list[i];

        if (listener->handle != PLATFORM_NO_HANDLE)
            continue;
        guard->taken_listener = i;
        result = listener_bind(listener, &guard->bind_err);
    }
    guard->facts.bind = bind_fact(guard, result, now_ms);
    guard->facts.bind_waited_ms =
            guard->taken_since_ms == 0 ? 0 : now_ms - guard->taken_since_ms;
}

/* ---- Ends ----------------------------------------------------------------------------------- */

static void explain_alive(struct guard *guard)
{
    char said[128] = "no answer";
    char url[ADDRESS_TEXT_BYTES] = "";
    char who[HOLDER_TEXT_BYTES];
    const char *path = "";

    for (size_t i = 0; i < guard->probe_count; i++) {
        const struct probe *probe = &guard->probes[i];

        if (probe->verdict != PROBE_ALIVE)
            continue;
        probe_describe(probe, said, sizeof said);
        address_format_url(&probe->address, url, sizeof url);
        holder_find(&probe->address, &guard->other);
        path = probe->path;
    }
    holder_sentence(&guard->other, who, sizeof who);
    (void)str_format(guard->other.answers, sizeof guard->other.answers, "%s%s%s", said,
            path[0] != '\0' ? " from " : "", path);
    err_set(&guard->err, ERR_DUPLICATE, 0,
            "[!!] FATAL: Another server is already responding on %s (%s): %s; stop it, or choose "
            "another address",
            url, guard->other.answers, who);
}

static void explain_taken(struct guard *guard)
{
    const struct listener *listener = &guard->listeners->list[guard->taken_listener];
    char text[ADDRESS_TEXT_BYTES];
    char who[HOLDER_TEXT_BYTES];
    const char *how = "which accepts connections and does not answer";

    address_format(&listener->bound, text, sizeof text);
    if (guard->facts.bind != DECISION_BIND_TAKEN &&
            guard->facts.bind != DECISION_BIND_BY_SUPERVISOR) {
        err_set(&guard->err, ERR_OCCUPIED, guard->bind_err.os_code, "%s", guard->bind_err.text);
        return;
    }
    holder_find(&listener->bound, &guard->other);
    holder_sentence(&guard->other, who, sizeof who);
    if (guard->facts.bind == DECISION_BIND_BY_SUPERVISOR) {
        err_set(&guard->err, ERR_DUPLICATE, 0,
                "[!!] FATAL: %s belongs to another svcmgr service: %s; stop that one, or choose "
                "another address",
                text, who);
        return;
    }
    if (!guard->other.found)
        (void)str_copy(who, sizeof who, "a process that cannot be seen from here");
    if (!guard->other.listening)
        how = guard->other.found ? "which has bound it without listening" : "which cannot be named";
    err_set(&guard->err, ERR_OCCUPIED, 0,
            "%s is held by %s, %s; waited %lld ms for it to go away; stop it, or choose another "
            "address",
            text, who, how, (long long)guard->facts.bind_waited_ms);
}

static void explain_record(struct guard *guard)
{
    const struct identity *process = &guard->record->generations[MACHINE_CURRENT].process;

    err_set(&guard->err, ERR_DUPLICATE, 0,
            "an instance (pid %lld) is recorded in another pid namespace (a container?), where it "
            "can neither be seen nor stopped from here; stop it there",
            (long long)process->pid);
}

static void explain(struct guard *guard)
{
    if (guard->facts.launcher == DECISION_LAUNCHER_SERVES ||
            guard->facts.launcher == DECISION_LAUNCHER_PENDING)
        err_set(&guard->err, ERR_DUPLICATE, 0, "%s", guard->launcher_sentence);
    else if (guard->facts.record == DECISION_RECORD_ELSEWHERE)
        explain_record(guard);
    else if (guard->facts.probe == DECISION_PROBE_ALIVE)
        explain_alive(guard);
    else
        explain_taken(guard);
    guard->err.kind = guard->decision.code;
}

static void end(struct guard *guard)
{
    stop_probes(guard);
    guard->running = false;
    guard->done = true;
    guard->retry_at_ms = PLATFORM_NEVER;
    if (guard->decision.kind == DECISION_REFUSED || guard->decision.kind == DECISION_STAND_BY)
        explain(guard);
}

/* Does what the decision asks for; true if there is a new fact to decide on right now. */
static bool take_step(struct guard *guard, int64_t now_ms)
{
    int64_t pids[1];

    switch (guard->decision.kind) {
    case DECISION_ASK_LAUNCHERS:
        switch (launcher_ask_all(guard->config, guard->launcher_sentence,
                sizeof guard->launcher_sentence)) {
        case LAUNCHER_JOB_NONE:
            guard->facts.launcher = DECISION_LAUNCHER_NONE;
            break;
        case LAUNCHER_JOB_SERVES:
            guard->facts.launcher = DECISION_LAUNCHER_SERVES;
            break;
        case LAUNCHER_JOB_PENDING:
            guard->facts.launcher = DECISION_LAUNCHER_PENDING;
            break;
        }
        return true;
    case DECISION_READ_RECORD:
        guard->facts.record = record_fact(guard->record);
        return true;
    case DECISION_LOOK_FOR_LEFTOVERS:
        guard->facts.leftovers = find_leftovers(guard, pids, 1) > 0 ? DECISION_LEFTOVERS_FOUND
                                                                    : DECISION_LEFTOVERS_NONE;
        return true;
    case DECISION_CLEAR_LEFTOVERS:
        clear_leftovers(guard, now_ms);
        return false;
    case DECISION_PROBE:
        begin_probes(guard);
        look_at_probes(guard);
        return guard->facts.probe != DECISION_PROBE_UNTRIED;
    case DECISION_BIND:
        try_bind(guard, now_ms);
        return true;
    case DECISION_RETRY:
        guard->retry_at_ms = now_ms + DECISION_BIND_RETRY_MS;
        if (!guard->probing)
            begin_probes(guard); /* its verdict comes while the binding is tried again */
        return false;
    case DECISION_TAKE_LOCK:
    case DECISION_START:
    case DECISION_ADOPT:
    case DECISION_ADOPT_OLDER:
    case DECISION_FINISH_STOP:
    case DECISION_ALREADY_RUNNING:
    case DECISION_STAND_BY:
    case DECISION_TAKE_OVER:
    case DECISION_REFUSED:
    case DECISION_COUNT:
        break;
    }
    end(guard);
    return false;
}

static void advance(struct guard *guard)
{
    int64_t now_ms = platform_now_ms();

    do
        guard->decision = decision_make(&guard->facts);
    while (take_step(guard, now_ms));
}

void guard_begin(struct guard *guard, const struct config *config, struct listener_set *listeners,
        const struct record *record, bool whole, int role)
{
    guard_cancel(guard);
    guard->config = config;
    guard->listeners = listeners;
    guard->record = record;
    guard->first = whole;
    guard->role = role;
    guard->facts = (struct decision_facts){
        .foreground = true,
        .duplicate = (enum decision_duplicate)config->duplicate,
        .lock = DECISION_LOCK_OURS,
        .launcher = whole ? DECISION_LAUNCHER_UNASKED : DECISION_LAUNCHER_NONE,
        .record = whole ? DECISION_RECORD_UNREAD : DECISION_RECORD_NONE,
        .leftovers = whole ? DECISION_LEFTOVERS_UNSEEN : DECISION_LEFTOVERS_NONE,
        .sockets = listener_all_held(listeners) ? DECISION_SOCKETS_HELD : DECISION_SOCKETS_NEEDED,
        .bind_timeout_ms = config->bind_timeout_ms,
    };
    guard->running = true;
    guard->done = false;
    guard->probe_count = 0;
    guard->taken_since_ms = 0;
    guard->clear_since_ms = 0;
    guard->cleared = false;
    guard->retry_at_ms = PLATFORM_NEVER;
    guard->other = (struct holder){ 0 };
    advance(guard);
}

void guard_on_event(struct guard *guard, const struct platform_event *event)
{
    enum decision_probe before = guard->facts.probe;

    if (!guard->running || event->owner == NULL)
        return;
    probe_on_event(event->owner, event);
    look_at_probes(guard);
    if (guard->facts.probe != before && guard->retry_at_ms == PLATFORM_NEVER)
        advance(guard);
    else if (guard->facts.probe == DECISION_PROBE_ALIVE)
        advance(guard); /* a byte decides at once, also while a retry waits */
}

void guard_on_time(struct guard *guard, int64_t now_ms)
{
    enum decision_probe before = guard->facts.probe;

    if (!guard->running)
        return;
    for (size_t i = 0; guard->probing && i < guard->probe_count; i++)
        probe_on_time(&guard->probes[i], now_ms);
    look_at_probes(guard);
    if (now_ms >= guard->retry_at_ms) {
        guard->retry_at_ms = PLATFORM_NEVER;
        if (guard->clear_since_ms != 0)
            look_after_leftovers(guard, now_ms);
        else
            guard->facts.bind = DECISION_BIND_UNTRIED;
        if (guard->done)
            end(guard);
        else if (guard->retry_at_ms == PLATFORM_NEVER)
            advance(guard);
    } else if (guard->facts.probe != before && (guard->retry_at_ms == PLATFORM_NEVER ||
                                                       guard->facts.probe == DECISION_PROBE_ALIVE)) {
        advance(guard);
    }
}

int64_t guard_deadline(const struct guard *guard)
{
    int64_t deadline_ms = guard->running ? guard->retry_at_ms : PLATFORM_NEVER;

    for (size_t i = 0; guard->running && guard->probing && i < guard->probe_count; i++)
        if (guard->probes[i].verdict == PROBE_PENDING &&
                probe_deadline(&guard->probes[i]) < deadline_ms)
            deadline_ms = probe_deadline(&guard->probes[i]);
    return deadline_ms;
}

void guard_cancel(struct guard *guard)
{
    stop_probes(guard);
    guard->running = false;
    guard->retry_at_ms = PLATFORM_NEVER;
}

void guard_waits_for(const struct guard *guard, char *ret_text, size_t size)
{
    char address[ADDRESS_TEXT_BYTES] = "";

    if (guard->listeners != NULL && guard->taken_listener < guard->listeners->count)
        address_format(
                &guard->listeners->list[guard->taken_listener].bound, address, sizeof address);
    if (guard->clear_since_ms != 0)
        (void)str_format(ret_text, size, "waiting for leftovers of the last run to end");
    else if (guard->taken_since_ms != 0)
        (void)str_format(ret_text, size, "waiting for %s, which somebody holds", address);
    else
        (void)str_format(ret_text, size, "asking who is on the address");
}
