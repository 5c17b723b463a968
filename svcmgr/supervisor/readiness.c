/* When a generation is ready, and what it says of itself: sd_notify(3) messages, the settle time,
 * health, and whose the listener is. */
#include <string.h>

#include "listening.h"
#include "str.h"
#include "supervisor.h"

#include "banned.h"

#define OWNER_FIRST_PAUSE_MS 1
#define OWNER_MAX_PAUSE_MS   250
/* A listener without a process that we can see belongs to a process that we cannot see, once it has
 * been so for longer than a process takes to end or to receive a descriptor. */
#define OWNERLESS_LIMIT_MS 1000
#define NOTIFY_LINE_BYTES  512

void readiness_begin(struct supervisor *sup, enum machine_slot slot)
{
    struct instance *instance = &sup->instances[slot];
    const struct config *config = &instance->service->config;
    int64_t now_ms = platform_now_ms();

    instance->owner_pause_ms = OWNER_FIRST_PAUSE_MS;
    switch (config->ready) {
    case CONFIG_READY_HEALTH:
        health_begin(&instance->health, config, now_ms);
        break;
    case CONFIG_READY_SPAWN:
        instance->settled_at_ms = now_ms + config->settle_ms;
        break;
    case CONFIG_READY_NOTIFY:
    case CONFIG_READY_COUNT:
        break;
    }
}

/* ---- Whose listener it is -------------------------------------------------------------------- */

enum ownership { OWN_YES, OWN_NOT_YET, OWN_UNKNOWN, OWN_STRANGER };

/* Whether a listener without a process has stayed so for long enough to be somebody's. */
static bool stays_ownerless(struct instance *instance, uint64_t socket_id)
{
    int64_t now_ms = platform_now_ms();

    if (instance->ownerless_id != socket_id) {
        instance->ownerless_id = socket_id;
        instance->ownerless_since_ms = now_ms;
    }
    return now_ms - instance->ownerless_since_ms >= OWNERLESS_LIMIT_MS;
}

static enum ownership look_at_listener(struct instance *instance, const struct platform_tree *tree,
        struct listener *listener, struct address *ret_at)
{
    struct address addresses[LISTENER_ADDRESSES_MAX];
    size_t count = listener_addresses(listener, addresses);
    enum ownership worst = OWN_NOT_YET;

    if (listener->config.address.family != ADDRESS_UNIX && listener->bound.port == 0) {
        struct address found;

        if (!listening_of_tree(tree, addresses, count, &found))
            return OWN_NOT_YET;
        listener->bound.port = found.port;
        count = listener_addresses(listener, addresses);
    }
    for (size_t i = 0; i < count; i++) {
        uint64_t socket_id;
        enum listening_owner whose = listening_owner(tree, &addresses[i], &socket_id);

        if (whose == LISTENING_TREE)
            return OWN_YES;
        if (whose == LISTENING_HIDDEN)
            worst = OWN_UNKNOWN;
        if (whose != LISTENING_STRANGER &&
                !(whose == LISTENING_OWNERLESS && stays_ownerless(instance, socket_id)))
            continue;
        if (worst != OWN_UNKNOWN)
            worst = OWN_STRANGER;
        *ret_at = addresses[i];
    }
    return worst;
}

static void refuse_stranger(
        struct supervisor *sup, enum machine_slot slot, const struct address *address)
{
    struct holder holder;
    char who[HOLDER_TEXT_BYTES];
    char url[ADDRESS_TEXT_BYTES];

    holder_find(address, &holder);
    holder_sentence(&holder, who, sizeof who);
    address_format_url(address, url, sizeof url);
    sup->guard.other = holder;
    err_set(&sup->failure, ERR_DUPLICATE, 0,
            "[!!] FATAL: Another server is listening on %s, not the program that was started: %s; "
            "the program was stopped; if its listener lives outside its process tree (as with "
            "docker run -p), remove \"listen\"",
            url, who);
    supervisor_cause(sup, "%s", sup->failure.text);
    supervisor_feed(sup,
            (struct machine_event) {
                    .kind = MACHINE_EVENT_DISPLACED, .slot = slot, .code = ERR_DUPLICATE });
}

/* With 'self' sockets a good answer is worth nothing before the kernel shows whose it is. */
static enum ownership check_owner(
        struct supervisor *sup, enum machine_slot slot, struct address *ret_at)
{
    struct instance *instance = &sup->instances[slot];
    struct listener_set *set = &instance->service->listeners;
    int64_t except[INSTANCE_EXCEPT_MAX];
    struct platform_tree tree;
    enum ownership result = OWN_YES;

    instance_tree(sup, slot, except, &tree);
    instance->owner_unproved = false;
    for (size_t i = 0; i < set->count && result == OWN_YES; i++) {
        if (set->list[i].config.socket != CONFIG_SOCKET_SELF)
            continue;
        result = look_at_listener(instance, &tree, &set->list[i], ret_at);
        if (result == OWN_UNKNOWN) {
            instance->owner_unproved = true;
            result = OWN_YES;
        }
    }
    instance->owner_proved = result == OWN_YES && !instance->owner_unproved;
    return result;
}

static void is_ready(struct supervisor *sup, enum machine_slot slot, const char *why)
{
    struct instance *instance = &sup->instances[slot];
    const struct config *config = &instance->service->config;
    int64_t now_ms = platform_now_ms();
    /* With 'spawn' it has been as ready as it ever gets since it was spawned. */
    int64_t since_ms = config->ready == CONFIG_READY_SPAWN
            ? sup->machine.generations[slot].spawned_ms
            : now_ms;

    if (sup->machine.generations[slot].phase != MACHINE_PHASE_STARTING)
        return;
    instance->wants_ready = false;
    instance->settled_at_ms = PLATFORM_NEVER;
    instance->owner_look_ms = PLATFORM_NEVER;
    if (!instance->health.active)
        health_begin(&instance->health, config, now_ms);
    health_is_ready(&instance->health, config, now_ms);
    if (config->watchdog_ms > 0)
        instance->watchdog_at_ms = now_ms + config->watchdog_ms;
    sup->record.generations[slot].ready_wall_us = platform_wall_us();
    supervisor_cause(sup, "%s", why);
    supervisor_feed(sup,
            (struct machine_event) {
                    .kind = MACHINE_EVENT_IS_READY, .slot = slot, .ms = now_ms - since_ms });
}

static void reached(struct supervisor *sup, enum machine_slot slot, const char *why)
{
    struct instance *instance = &sup->instances[slot];
    struct address at = { .family = ADDRESS_NONE };
    int64_t now_ms = platform_now_ms();

    if (sup->machine.generations[slot].phase != MACHINE_PHASE_STARTING)
        return;
    switch (check_owner(sup, slot, &at)) {
    case OWN_YES:
    case OWN_UNKNOWN:
        is_ready(sup, slot, why);
        break;
    case OWN_STRANGER:
        refuse_stranger(sup, slot, &at);
        break;
    case OWN_NOT_YET:
        supervisor_cause(sup, "it does not listen on its address yet");
        /* A health check has to be asked again: who gave this answer cannot be told any more. */
        if (instance->service->config.ready == CONFIG_READY_HEALTH)
            break;
        instance->wants_ready = true;
        instance->owner_look_ms = now_ms + instance->owner_pause_ms;
        instance->owner_pause_ms *= 2;
        if (instance->owner_pause_ms > OWNER_MAX_PAUSE_MS)
            instance->owner_pause_ms = OWNER_MAX_PAUSE_MS;
        break;
    }
}

/* ---- Health ---------------------------------------------------------------------------------- */

/* Its time was up and nothing has come since. */
static bool watchdog_is_silent(const struct instance *instance)
{
    return instance->health.ready && instance->service->config.watchdog_ms > 0 &&
            instance->watchdog_at_ms == PLATFORM_NEVER &&
            !instance->stops; /* it was asked to, or says so: no watchdog any more */
}

static void take_health(struct supervisor *sup, enum machine_slot slot, enum health_verdict verdict)
{
    struct instance *instance = &sup->instances[slot];

    switch (verdict) {
    case HEALTH_NOTHING:
        break;
    case HEALTH_IS_READY:
        if (instance->service->config.ready == CONFIG_READY_HEALTH)
            reached(sup, slot, instance->health.text);
        break;
    case HEALTH_IS_SICK:
        supervisor_cause(sup, "%lld health checks in a row failed: %s",
                (long long)instance->health.failures, instance->health.text);
        supervisor_feed_slot(sup, MACHINE_EVENT_IS_SICK, slot);
        break;
    case HEALTH_IS_WELL:
        if (watchdog_is_silent(instance))
            break;
        supervisor_cause(sup, "healthy again: %s", instance->health.text);
        supervisor_feed_slot(sup, MACHINE_EVENT_IS_WELL, slot);
        break;
    }
}

void readiness_checked(struct supervisor *sup, enum machine_slot slot, bool good, const char *text)
{
    struct instance *instance = &sup->instances[slot];
    struct health *health = &instance->health;
    struct address at = { .family = ADDRESS_NONE };

    /* With 'self' sockets somebody else may have given the answer.  While it starts, reached() asks
     * whose it was. */
    if (health->ready) {
        switch (check_owner(sup, slot, &at)) {
        case OWN_STRANGER:
            refuse_stranger(sup, slot, &at);
            return;
        case OWN_NOT_YET:
            text = good ? "the program does not listen on its address any more" : text;
            good = false;
            break;
        case OWN_YES:
        case OWN_UNKNOWN:
            break;
        }
    }
    take_health(sup, slot,
            health_result(health, &instance->service->config, good, text, platform_now_ms()));
}

void readiness_look_at_probe(struct supervisor *sup, enum machine_slot slot)
{
    struct instance *instance = &sup->instances[slot];
    struct health *health = &instance->health;
    const struct config *config = &instance->service->config;
    char text[HEALTH_TEXT_BYTES];
    bool good;

    if (!health->active || !health->checking || health->probe.verdict == PROBE_PENDING)
        return;
    health->answered = health->answered || health->probe.verdict == PROBE_ALIVE;
    good = health_read_probe(health, config, text, sizeof text);
    readiness_checked(sup, slot, good, text);
}

/* Where to ask: the first listener; of "localhost" with 'self' the half that the program took. */
static struct address health_address(struct supervisor *sup, struct instance *instance)
{
    const struct listener *first = instance->service->listeners.list;
    struct address addresses[LISTENER_ADDRESSES_MAX];
    size_t count = listener_addresses(first, addresses);
    int64_t except[INSTANCE_EXCEPT_MAX];
    struct platform_tree tree;
    uint64_t socket_id;

    if (count == 1 || first->config.socket == CONFIG_SOCKET_INHERIT)
        return first->bound;
    instance_tree(sup, instance->slot, except, &tree);
    for (size_t i = 0; i < count; i++)
        if (listening_owner(&tree, &addresses[i], &socket_id) == LISTENING_TREE)
            return addresses[i];
    return first->bound;
}

static void begin_check(struct supervisor *sup, struct instance *instance)
{
    const struct config *config = &instance->service->config;
    const struct listener *first = instance->service->listeners.list;
    struct health *health = &instance->health;
    struct address address;
    struct err err;

    if (config->health == CONFIG_HEALTH_COMMAND) {
        if (helper_start(sup, instance->slot, HELPER_HEALTH, &config->health_command,
                    config->health_timeout_ms, &err) == -1) {
            err_prefix(&err, "health.command");
            readiness_checked(sup, instance->slot, false, err.text);
        }
        return;
    }
    if (instance->service->listeners.count == 0)
        return;
    if (first->bound.port == 0 && first->bound.family != ADDRESS_UNIX) {
        struct address at = { .family = ADDRESS_NONE };

        /* 'self' with port 0: there is nothing to ask before its own choice is known. */
        if (check_owner(sup, instance->slot, &at) != OWN_YES) {
            readiness_checked(sup, instance->slot, false, "it does not listen yet");
            return;
        }
    }
    address = health_address(sup, instance);
    probe_start(&health->probe, &address, config->health_path != NULL ? config->health_path : "/",
            config->health == CONFIG_HEALTH_TCP ? PROBE_FOR_ACCEPT : PROBE_FOR_HTTP,
            config->health_timeout_ms, ROLE_HEALTH_PROBE);
    readiness_look_at_probe(sup, instance->slot); /* refused at once */
}

/* ---- Messages -------------------------------------------------------------------------------- */

static void extend(struct supervisor *sup, struct instance *instance, uint64_t us)
{
    supervisor_feed(sup,
            (struct machine_event) { .kind = MACHINE_EVENT_EXTEND,
                    .slot = instance->slot,
                    .ms = (int64_t)(us / 1000) });
}

static void main_pid(struct supervisor *sup, struct instance *instance, uint64_t pid)
{
    struct record_generation *recorded = &sup->record.generations[instance->slot];
    struct identity identity;

    if ((int64_t)pid == recorded->process.pid || !instance_is_inside(sup, (int64_t)pid) ||
            !platform_identify((int64_t)pid, true, &identity))
        return;
    instance_set_main(sup, instance->slot, &identity);
}

static void watchdog_is_heard(struct supervisor *sup, struct instance *instance)
{
    const struct config *config = &instance->service->config;
    bool was_silent = watchdog_is_silent(instance);

    if (!was_silent && instance->watchdog_at_ms == PLATFORM_NEVER)
        return; /* none, or it does not count yet or any more */
    instance->watchdog_at_ms = platform_now_ms() + config->watchdog_ms;
    if (!was_silent || instance->health.failures >= config->health_failures)
        return;
    supervisor_cause(sup, "its watchdog is heard again");
    supervisor_feed_slot(sup, MACHINE_EVENT_IS_WELL, instance->slot);
}

static void on_line(struct supervisor *sup, struct instance *instance, const char *line)
{
    const struct config *config = &instance->service->config;
    uint64_t number;

    if (strcmp(line, "READY=1") == 0) {
        if (instance->says_reloading)
            instance->status_text[0] = '\0';
        instance->says_reloading = false;
        if (config->ready == CONFIG_READY_NOTIFY)
            reached(sup, instance->slot, "the program says that it is ready");
    } else if (strncmp(line, "STATUS=", 7) == 0) {
        (void)str_format(instance->status_text, sizeof instance->status_text, "%s", line + 7);
        str_make_printable(instance->status_text);
        instance->says_reloading = false;
        answer_progress(sup);
    } else if (strcmp(line, "STOPPING=1") == 0) {
        instance->stops = true;
        health_stop(&instance->health);
        instance->watchdog_at_ms = PLATFORM_NEVER;
    } else if (strcmp(line, "RELOADING=1") == 0) {
        instance->says_reloading = true;
        (void)str_copy(instance->status_text, sizeof instance->status_text, "reloading");
    } else if (strcmp(line, "WATCHDOG=1") == 0) {
        watchdog_is_heard(sup, instance);
    } else if (strcmp(line, "WATCHDOG=trigger") == 0) {
        if (instance->watchdog_at_ms != PLATFORM_NEVER)
            instance->watchdog_at_ms = 0;
    } else if (strncmp(line, "EXTEND_TIMEOUT_USEC=", 20) == 0 &&
            str_to_uint(line + 20, UINT64_C(1) << 50, &number)) {
        extend(sup, instance, number);
    } else if (strncmp(line, "MAINPID=", 8) == 0 && str_to_uint(line + 8, INT32_MAX, &number)) {
        main_pid(sup, instance, number);
    } else if (strncmp(line, "ERRNO=", 6) == 0 && str_to_uint(line + 6, 4096, &number)) {
        (void)str_format(instance->status_text, sizeof instance->status_text, "%s",
                platform_error_text((long)number));
    }
}

void readiness_on_notify(struct supervisor *sup, const struct platform_event *event)
{
    struct instance *instance = event->owner;
    const char *at = event->data;
    const char *end = event->data + event->length;

    /* Only from the instance's own processes. */
    if (event->peer.pid == sup->record.generations[instance->slot].process.pid ||
            (event->peer.pid > 0 && instance_is_inside(sup, event->peer.pid)) ||
            event->peer.pid == 0) {
        while (at < end && instance->used) {
            const char *newline = memchr(at, '\n', (size_t)(end - at));
            size_t length = newline != NULL ? (size_t)(newline - at) : (size_t)(end - at);
            char line[NOTIFY_LINE_BYTES];

            (void)str_format(line, sizeof line, "%.*s", (int)length, at);
            on_line(sup, instance, line);
            at += length + 1;
        }
    }
    /* BARRIER=1: closing its descriptor says that everything before is done. */
    platform_close(event->handle);
}

/* ---- Time ------------------------------------------------------------------------------------ */

static void watchdog_silent(struct supervisor *sup, struct instance *instance)
{
    instance->watchdog_at_ms = PLATFORM_NEVER;
    supervisor_cause(sup, "its watchdog was silent for %lld ms",
            (long long)instance->service->config.watchdog_ms);
    supervisor_feed_slot(sup, MACHINE_EVENT_IS_SICK, instance->slot);
}

void readiness_on_time(struct supervisor *sup, int64_t now_ms)
{
    for (int slot = 0; slot < MACHINE_SLOT_COUNT; slot++) {
        struct instance *instance = &sup->instances[slot];

        if (!instance->used)
            continue;
        if (health_is_due(&instance->health, now_ms))
            begin_check(sup, instance);
        if (instance->health.active && instance->health.checking) {
            probe_on_time(&instance->health.probe, now_ms);
            if (instance->service->config.health != CONFIG_HEALTH_COMMAND)
                readiness_look_at_probe(sup, instance->slot);
        }
        if (instance->used && now_ms >= instance->settled_at_ms) {
            instance->settled_at_ms = PLATFORM_NEVER;
            reached(sup, instance->slot, "it stays alive");
        }
        if (instance->used && instance->wants_ready && now_ms >= instance->owner_look_ms)
            reached(sup, instance->slot, "it listens on its address");
        if (instance->used && now_ms >= instance->watchdog_at_ms)
            watchdog_silent(sup, instance);
    }
}

int64_t readiness_deadline(const struct supervisor *sup)
{
    int64_t deadline_ms = PLATFORM_NEVER;

    for (int slot = 0; slot < MACHINE_SLOT_COUNT; slot++) {
        const struct instance *instance = &sup->instances[slot];
        const int64_t times[] = { health_deadline(&instance->health), instance->settled_at_ms,
            instance->wants_ready ? instance->owner_look_ms : PLATFORM_NEVER,
            instance->watchdog_at_ms };

        for (size_t i = 0; instance->used && i < sizeof times / sizeof times[0]; i++)
            if (times[i] < deadline_ms)
                deadline_ms = times[i];
    }
    return deadline_ms;
}
