#include "guard.h"

#include <string.h>

#include "explain.h"
#include "last_run.h"
#include "listening.h"
#include "str.h"

#include "banned.h"

#define OWN_ADDRESSES_MAX 48

/* ---- Probing --------------------------------------------------------------------------------- */

static void add_probe(struct guard *guard, const struct address *address)
{
    const char *path = config_probe_path(guard->config);

    for (size_t i = 0; i < guard->probe_count; i++)
        if (address_equal(&guard->probes[i].address, address))
            return;
    if (guard->probe_count < GUARD_PROBES_MAX)
        probe_start(&guard->probes[guard->probe_count++], address, path, PROBE_FOR_LIFE,
                guard->config->probe_timeout_ms, guard->role);
}

/* Connecting to a wildcard reaches only some of the sockets that it conflicts with: each of those
 * is asked; where they cannot be listed, every address of this machine. */
static void add_wildcard_probes(struct guard *guard, const struct address *address)
{
    struct platform_listener listeners[PLATFORM_LISTENERS_MAX];
    struct address own[OWN_ADDRESSES_MAX];
    int count = listening_near(address, listeners, PLATFORM_LISTENERS_MAX);
    size_t own_count;

    for (int i = 0; i < count; i++) {
        if (listeners[i].listening && listening_conflicts(&listeners[i], address))
            add_probe(guard, &listeners[i].address);
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
    char text[ADDRESS_TEXT_BYTES];
    struct platform_file file;

    for (size_t i = 0; i < count; i++) {
        struct address *address = &addresses[i];

        if (address->family == ADDRESS_UNIX) {
            if (platform_stat(address->path, &file) && file.is_socket)
                add_probe(guard, address);
        } else if (listener->config.address.port == 0) {
            continue; /* the kernel chooses: a number of before that somebody has now is let go */
        } else if (address_is_wildcard(address)) {
            add_wildcard_probes(guard, address);
        } else if (!platform_has_address(address)) {
            address_format(address, text, sizeof text);
            err_set(&guard->bind_err, ERR_OCCUPIED, 0,
                    "cannot bind %s: this machine does not have that address", text);
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

/* ---- Binding --------------------------------------------------------------------------------- */

/* Whether the supervisor that was seen on the address is one of this service, which cannot serve,
 * since the lock is ours: started by a launcher that kept its sockets, it lets go of them to stand
 * in line. */
static bool is_in_line(const struct guard *guard)
{
    return guard->other.is_supervisor &&
            holder_may_be_of(&guard->other, guard->place.name, guard->place.state_path);
}

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
    if (guard->taken_since_ms == 0 || is_in_line(guard)) {
        if (guard->taken_since_ms == 0)
            guard->taken_since_ms = now_ms;
        holder_find(&guard->listeners->list[guard->taken_listener].tried, &guard->other);
        if (guard->other.is_supervisor && guard->other.listening && !is_in_line(guard))
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
    guard->facts.bind_waited_ms = guard->taken_since_ms == 0 ? 0 : now_ms - guard->taken_since_ms;
}

/* ---- Ends ------------------------------------------------------------------------------------ */

static void end(struct guard *guard)
{
    stop_probes(guard);
    guard->running = false;
    guard->done = true;
    guard->retry_at_ms = PLATFORM_NEVER;
    if (guard->decision.kind == DECISION_REFUSED || guard->decision.kind == DECISION_STAND_BY)
        explain_refusal(guard);
}

static void ask_launchers(struct guard *guard, int64_t now_ms)
{
    static const enum decision_launcher facts[] = {
        [LAUNCHER_JOB_NONE] = DECISION_LAUNCHER_NONE,
        [LAUNCHER_JOB_SERVES] = DECISION_LAUNCHER_SERVES,
        [LAUNCHER_JOB_PENDING] = DECISION_LAUNCHER_PENDING,
        [LAUNCHER_JOB_LEAVING] = DECISION_LAUNCHER_LEAVING,
    };

    launcher_ask_all(&guard->place, guard->config, &guard->launcher);
    guard->facts.launcher = facts[guard->launcher.job];
    if (guard->launcher_since_ms == 0 && guard->facts.launcher == DECISION_LAUNCHER_LEAVING)
        guard->launcher_since_ms = now_ms;
    guard->facts.launcher_waited_ms =
            guard->launcher_since_ms == 0 ? 0 : now_ms - guard->launcher_since_ms;
}

/* Does what the decision asks for; true if there is a new fact to decide on right now. */
static bool take_step(struct guard *guard, int64_t now_ms)
{
    switch (guard->decision.kind) {
    case DECISION_ASK_LAUNCHERS:
        ask_launchers(guard, now_ms);
        return true;
    case DECISION_AWAIT_LAUNCHER:
        guard->retry_at_ms = now_ms + DECISION_BIND_RETRY_MS;
        return false;
    case DECISION_READ_RECORD:
        guard->facts.record = last_run_fact(guard->record);
        return true;
    case DECISION_LOOK_FOR_LEFTOVERS:
        guard->facts.leftovers =
                last_run_left_something(guard) ? DECISION_LEFTOVERS_FOUND : DECISION_LEFTOVERS_NONE;
        return true;
    case DECISION_CLEAR_LEFTOVERS:
        last_run_clear(guard, now_ms);
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
        const struct record *record, bool whole)
{
    guard_cancel(guard);
    guard->config = config;
    guard->listeners = listeners;
    guard->record = record;
    guard->first = whole;
    guard->facts = (struct decision_facts) {
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
    guard->launcher_since_ms = 0;
    guard->cleared = false;
    guard->leftovers[0] = '\0';
    guard->retry_at_ms = PLATFORM_NEVER;
    if (guard->other.found) /* else it says nothing, and its pages stay untouched */
        guard->other = (struct holder) { 0 };
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
            last_run_look(guard, now_ms);
        else if (guard->facts.launcher == DECISION_LAUNCHER_LEAVING)
            guard->facts.launcher = DECISION_LAUNCHER_UNASKED;
        else
            guard->facts.bind = DECISION_BIND_UNTRIED;
        if (guard->done)
            end(guard);
        else if (guard->retry_at_ms == PLATFORM_NEVER)
            advance(guard);
    } else if (guard->facts.probe != before &&
            (guard->retry_at_ms == PLATFORM_NEVER || guard->facts.probe == DECISION_PROBE_ALIVE)) {
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

bool guard_is_clearing(const struct guard *guard)
{
    return guard->running && guard->clear_since_ms != 0;
}

void guard_hurry(struct guard *guard)
{
    int64_t now_ms = platform_now_ms();

    if (guard->clear_killed)
        return;
    guard->clear_since_ms = now_ms - guard->config->stop_timeout_ms;
    guard->retry_at_ms = now_ms;
}

void guard_waits_for(const struct guard *guard, char *ret_text, size_t size)
{
    char address[ADDRESS_TEXT_BYTES] = "";

    if (guard->listeners != NULL && guard->taken_listener < guard->listeners->count)
        address_format(
                &guard->listeners->list[guard->taken_listener].tried, address, sizeof address);
    if (guard->clear_since_ms != 0)
        (void)str_format(ret_text, size, "waiting for leftovers of the last run to end");
    else if (guard->facts.launcher == DECISION_LAUNCHER_LEAVING)
        (void)str_format(ret_text, size, "waiting for another job of this service to end");
    else if (guard->taken_since_ms != 0)
        (void)str_format(ret_text, size, "waiting for %s, which somebody holds", address);
    else
        (void)str_format(ret_text, size, "asking who is on the address");
}
